#pragma once

#include <cadena/autograd/kernels/softmax.hpp>

namespace cadena::kernels {

// One row of each kernel of softmax.hpp, compiled once per architecture; n >= 1.

template <class Arch, class T> T logsumexp_row(const T* x, std::int64_t n);
template <class Arch, class T> void softmax_row(const T* x, std::int64_t n, T* out);
template <class Arch, class T> void log_softmax_row(const T* x, std::int64_t n, T* out);
template <class Arch, class T>
void softmax_gradient_row(const T* y, const T* g, std::int64_t n, T* out);
template <class Arch, class T>
void log_softmax_gradient_row(const T* y, const T* g, std::int64_t n, T* out);
template <class Arch, class T>
T cross_entropy_row(const T* x, std::int64_t n, std::int64_t label, RowSoftmax<T>* kept);
template <class Arch, class T>
void cross_entropy_gradient_row(const T* x, std::int64_t n, std::int64_t label,
                                const RowSoftmax<T>& kept, T g, T* out);

}  // namespace cadena::kernels
