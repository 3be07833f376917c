#pragma once

// The scalar functors of the gamma function, in the manner of elementary.hpp.

#include <cadena/autograd/core/doc.hpp>

namespace cadena::ops {

struct Lgamma {
  static constexpr Doc doc{"lgamma", "ln |gamma(x)|"};
  template <class T> T operator()(T x) const { return lgamma(x); }
  template <class T> T derivative(T x) const { return digamma(x); }
  bool operator==(const Lgamma&) const = default;
};

struct Digamma {
  static constexpr Doc doc{"digamma", "the derivative of ln gamma(x)"};
  template <class T> T operator()(T x) const { return digamma(x); }
  template <class T> T derivative(T x) const { return polygamma(1, x); }
  bool operator==(const Digamma&) const = default;
};

struct Polygamma {
  int order;
  static constexpr Doc doc{"polygamma", "the n-th derivative of digamma(x)"};
  template <class T> T operator()(T x) const { return polygamma(order, x); }
  template <class T> T derivative(T x) const { return polygamma(order + 1, x); }
  bool operator==(const Polygamma&) const = default;
};

}  // namespace cadena::ops
