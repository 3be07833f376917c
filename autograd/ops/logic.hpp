#pragma once

#include <cadena/autograd/core/tensor.hpp>

namespace cadena {

// Elementwise with broadcasting; all but masked_fill carry no gradient.

// Of truth values; what is not boolean counts as x != 0, so NaN is true.
Tensor logical_and(const Tensor& x, const Tensor& y);
Tensor logical_or(const Tensor& x, const Tensor& y);
Tensor logical_xor(const Tensor& x, const Tensor& y);
Tensor logical_not(const Tensor& x);

// Of the bits of int64 or uint8, or of truth values, which have one; dtypes are promoted, floating
// ones are an Error.
Tensor bitwise_and(const Tensor& x, const Tensor& y);
Tensor bitwise_or(const Tensor& x, const Tensor& y);
Tensor bitwise_xor(const Tensor& x, const Tensor& y);
Tensor bitwise_not(const Tensor& x);

/// x 2^y without the bits that int64 or uint8 have no place for; 0 unless 0 <= y < 64 (8).
Tensor bitwise_left_shift(const Tensor& x, const Tensor& y);
/// floor(x / 2^y) of int64 or uint8; beyond 0 <= y < 64 (8) what a shift by all bits leaves: 0, or
/// -1 for x < 0.
Tensor bitwise_right_shift(const Tensor& x, const Tensor& y);

inline Tensor operator&(const Tensor& x, const Tensor& y) { return bitwise_and(x, y); }
inline Tensor operator|(const Tensor& x, const Tensor& y) { return bitwise_or(x, y); }
inline Tensor operator^(const Tensor& x, const Tensor& y) { return bitwise_xor(x, y); }
inline Tensor operator~(const Tensor& x) { return bitwise_not(x); }
inline Tensor operator<<(const Tensor& x, const Tensor& y) { return bitwise_left_shift(x, y); }
inline Tensor operator>>(const Tensor& x, const Tensor& y) { return bitwise_right_shift(x, y); }
inline Tensor operator!(const Tensor& x) { return logical_not(x); }

/// x with `value` (a number or a 0-d tensor) where the mask (boolean) is true, of x's dtype; Error
/// if that does not hold the value. The gradient goes to x where it is not filled, to a value that
/// is a tensor the sum of the others.
Tensor masked_fill(const Tensor& x, const Tensor& mask, const Tensor& value);

}  // namespace cadena
