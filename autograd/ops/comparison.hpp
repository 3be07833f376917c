#pragma once

#include <cadena/autograd/core/tensor.hpp>

namespace cadena {

// Elementwise with broadcasting; the result is boolean and carries no gradient.

Tensor less(const Tensor& x, const Tensor& y);
Tensor less_equal(const Tensor& x, const Tensor& y);
Tensor greater(const Tensor& x, const Tensor& y);
Tensor greater_equal(const Tensor& x, const Tensor& y);
Tensor equal(const Tensor& x, const Tensor& y);
Tensor not_equal(const Tensor& x, const Tensor& y);

inline Tensor operator<(const Tensor& x, const Tensor& y) { return less(x, y); }
inline Tensor operator<=(const Tensor& x, const Tensor& y) { return less_equal(x, y); }
inline Tensor operator>(const Tensor& x, const Tensor& y) { return greater(x, y); }
inline Tensor operator>=(const Tensor& x, const Tensor& y) { return greater_equal(x, y); }
inline Tensor operator==(const Tensor& x, const Tensor& y) { return equal(x, y); }
inline Tensor operator!=(const Tensor& x, const Tensor& y) { return not_equal(x, y); }

// Of boolean tensors.
Tensor logical_and(const Tensor& x, const Tensor& y);
Tensor logical_or(const Tensor& x, const Tensor& y);
Tensor logical_not(const Tensor& x);

inline Tensor operator&(const Tensor& x, const Tensor& y) { return logical_and(x, y); }
inline Tensor operator|(const Tensor& x, const Tensor& y) { return logical_or(x, y); }
inline Tensor operator!(const Tensor& x) { return logical_not(x); }

/// x where the condition (boolean) holds, y elsewhere; a gradient goes where its value came from.
/// Two boolean or two uint8 tensors stay what they are.
Tensor where(const Tensor& condition, const Tensor& x, const Tensor& y);

}  // namespace cadena
