#pragma once

// What the tests that run over the one list of operators share.

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/ops.hpp>

#include "test.hpp"

#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace sweep {

using namespace cadena;
using Inputs = std::vector<Tensor>;

inline std::string label(const OperatorEntry& entry, const Sample& sample) {
  return std::string(entry.doc.name) + ", " + sample.what;
}

inline bool any_floating(const Inputs& inputs) {
  for (const Tensor& input : inputs) {
    if (is_floating(input.dtype())) {
      return true;
    }
  }
  return false;
}

/// The same values in other places of memory: dimensions in reverse order, one element of two.
inline Tensor strided_copy(const Tensor& x) {
  const NoGrad none;
  Axes reversed;
  for (int i = x.dim(); i-- > 0;) {
    reversed.push_back(i);
  }
  Shape twice = permute(x, reversed).shape();
  twice.push_back(2);
  const Tensor places = contiguous(expand(unsqueeze(permute(x, reversed), -1), twice));
  return permute(select(places, -1, 1), reversed);
}

inline Inputs strided_copies(const Inputs& inputs) {
  Inputs result;
  for (const Tensor& input : inputs) {
    result.push_back(strided_copy(input));
  }
  return result;
}

/// Floating inputs in another dtype, the others as they are.
inline Inputs floating_to(Dtype dtype, const Inputs& inputs) {
  Inputs result;
  for (const Tensor& input : inputs) {
    result.push_back(is_floating(input.dtype()) ? input.to(dtype) : input);
  }
  return result;
}

/// An output and the gradients of its weighted sum with respect to the floating inputs.
struct Applied {
  Tensor output;
  std::vector<Tensor> gradients;
};

/// Where no gradient flows there is none in the result. The upstream gradient is one that float32
/// has, or what `change` makes of it.
inline Applied applied(const OperatorCall& call, const Inputs& inputs,
                       const std::function<Tensor(const Tensor&)>& change = {}) {
  const EnableGrad recording;
  Inputs leaves, wanted;
  for (const Tensor& input : inputs) {
    leaves.push_back(is_floating(input.dtype()) ? input.requires_grad_leaf() : input);
    if (is_floating(input.dtype())) {
      wanted.push_back(leaves.back());
    }
  }
  const Tensor output = call(leaves);
  Applied result{output.detach(), {}};
  if (output.requires_grad()) {
    Tensor upstream = sample_values(output.shape(), 0.5, 1.5, 77).to(float32).to(output.dtype());
    upstream = change ? change(upstream) : upstream;
    result.gradients =
        grad({&output, 1}, wanted, {&upstream, 1}, GradOptions{.allow_unused = true});
  }
  return result;
}

/// Whether two tensors agree in dtype, shape and every bit.
inline bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.defined() != b.defined()) {
    return false;
  }
  if (!a.defined()) {
    return true;
  }
  if (a.dtype() != b.dtype() || a.shape() != b.shape()) {
    return false;
  }
  const Tensor x = a.detach().contiguous(), y = b.detach().contiguous();
  return dispatch(x.dtype(), [&]<class T>() {
    const auto bytes_of_x = std::as_bytes(x.data<T>()), bytes_of_y = std::as_bytes(y.data<T>());
    return std::equal(bytes_of_x.begin(), bytes_of_x.end(), bytes_of_y.begin());
  });
}

}  // namespace sweep
