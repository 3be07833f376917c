#pragma once

#include <cadena/nn/module.hpp>

#include <map>
#include <string>
#include <type_traits>
#include <vector>

// The safetensors format (https://github.com/huggingface/safetensors): 8 bytes with the length of a
// header (little-endian), the header in JSON (dtype, shape and place of each tensor), the values.
// Files go to and come from Python's safetensors. Errors name the file and, where there is one, the
// offset in bytes.

namespace cadena::io {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

struct SafetensorsFile {
  std::vector<NamedTensor> tensors;             ///< In the order in which they lie in the file.
  std::map<std::string, std::string> metadata;  ///< The file's __metadata__.
};

struct SaveOptions {
  std::map<std::string, std::string> metadata = {};
};

struct LoadOptions {
  bool strict = true;  ///< Names that only the model or only the file has are an Error.
};

/// What a load that was not strict left out.
struct LoadReport {
  std::vector<std::string> missing;     ///< In the model, not in the file: kept as they were.
  std::vector<std::string> unexpected;  ///< In the file, not in the model.
};

/// Writes the tensors. The file appears whole or not at all: it is written beside its place,
/// brought to the disk and renamed.
void save_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors,
                      const SaveOptions& options = {});

/// All tensors of a file: float32, float64, int64, uint8 and boolean.
SafetensorsFile load_safetensors(const std::string& path);

void save_state(const std::string& path, const std::vector<nn::StateEntry>& state,
                const SaveOptions& options);
LoadReport load_state(const std::string& path, const std::vector<nn::StateEntry>& state,
                      const LoadOptions& options);

/// Writes the parameters and buffers of a model under their names; a tied one once.
template <class Model>
  requires(!std::is_convertible_v<const Model&, std::vector<NamedTensor>>)
void save_safetensors(const std::string& path, const Model& model,
                      const SaveOptions& options = {}) {
  save_state(path, nn::state(model), options);
}

/// Assigns the tensors of a file to the parameters and buffers of those names. One Error lists all
/// names that are missing or unexpected (if `strict`) and all shapes and dtypes that differ; the
/// model then is as it was.
template <class Model>
LoadReport load_safetensors(const std::string& path, Model&& model,
                            const LoadOptions& options = {}) {
  return load_state(path, nn::state(model), options);
}

}  // namespace cadena::io
