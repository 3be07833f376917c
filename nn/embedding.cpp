#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/embedding.hpp>
#include <cadena/autograd/ops/index.hpp>
#include <cadena/nn/embedding.hpp>
#include <cadena/nn/init.hpp>

namespace cadena::nn {

Embedding::Embedding(std::int64_t num_embeddings, std::int64_t embedding_dim,
                     const EmbeddingOptions& options)
    : padding_index(options.padding_index) {
  if (num_embeddings < 0 || embedding_dim < 0) {
    fail("Embedding: expected numbers of rows and columns of at least 0, got {} and {}",
         num_embeddings, embedding_dim);
  }
  if (!is_floating(options.dtype)) {
    fail("Embedding: expected float32 or float64 as dtype, got {}", name(options.dtype));
  }
  if (padding_index && (*padding_index < -num_embeddings || *padding_index >= num_embeddings)) {
    fail("Embedding: padding_index {} is outside [{}, {}) of {} rows", *padding_index,
         -num_embeddings, num_embeddings, num_embeddings);
  }
  weight = Parameter(cadena::zeros({num_embeddings, embedding_dim}, {.dtype = options.dtype}));
  normal(weight, 0, 1, options.generator);
  if (padding_index) {
    padding_index = *padding_index < 0 ? *padding_index + num_embeddings : *padding_index;
    const NoGrad no_grad;
    weight.assign(index_put(weight, {*padding_index}, 0.0));
  }
}

Tensor Embedding::operator()(const Tensor& indices) const {
  return embedding(indices, weight, padding_index);
}

}  // namespace cadena::nn
