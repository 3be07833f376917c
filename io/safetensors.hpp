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
  bool strict = true;  ///< Names that only one side has are an Error.
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

// What the templates below do, with entries as nn::state gives them.
std::vector<nn::StateEntry> entries_of(const std::vector<NamedCell>& cells);
template <class Model> std::vector<nn::StateEntry> entries_of(const Model& model) {
  return nn::state(model);
}
void save_entries(const std::string& path, const std::vector<nn::StateEntry>& entries,
                  const SaveOptions& options);
LoadReport load_entries(const std::string& path, const std::vector<nn::StateEntry>& entries,
                        const LoadOptions& options);

/// Writes the parameters and buffers of a model under their names, a tied one once; or a
/// std::vector<NamedCell>, such as an optimizer's named_state().
template <class Source>
  requires(!std::is_convertible_v<const Source&, std::vector<NamedTensor>>)
void save_safetensors(const std::string& path, const Source& source,
                      const SaveOptions& options = {}) {
  save_entries(path, entries_of(source), options);
}

/// Assigns the tensors of a file to a model's parameters and buffers of those names, or to the
/// cells of a std::vector<NamedCell>. One Error lists all names that are missing or unexpected (if
/// `strict`) and all shapes and dtypes that differ; then nothing has changed.
template <class Target>
LoadReport load_safetensors(const std::string& path, Target&& target,
                            const LoadOptions& options = {}) {
  return load_entries(path, entries_of(target), options);
}

}  // namespace cadena::io
