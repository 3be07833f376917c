#pragma once

#include <cadena/autograd/ops/random.hpp>
#include <cadena/nn/fields.hpp>

#include <optional>

namespace cadena::nn {

struct EmbeddingOptions {
  std::optional<std::int64_t> padding_index = {};  ///< This row begins at 0 and is not trained.
  Dtype dtype = float32;
  Generator generator = default_generator();  ///< Of the initial values.
};

/// The rows of a table at indices (int64): [...] -> [..., embedding_dim]. The table begins standard
/// normal.
class Embedding {
 public:
  Embedding(std::int64_t num_embeddings, std::int64_t embedding_dim,
            const EmbeddingOptions& options = {});

  Tensor operator()(const Tensor& indices) const;

  Parameter weight;                           ///< [num_embeddings, embedding_dim]
  std::optional<std::int64_t> padding_index;  ///< In [0, num_embeddings).

  static auto fields() { return cadena::fields<&Embedding::weight, &Embedding::padding_index>{}; }
};

}  // namespace cadena::nn
