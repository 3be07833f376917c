#pragma once

#include <cadena/autograd/core/tensor.hpp>
#include <cadena/autograd/ops/logic.hpp>  // by which comparisons are joined

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

/// |x - y| <= atol + rtol |y|, or x = y; two NaN are close if `equal_nan`. Boolean, with
/// broadcasting; integers are compared as float64. Error for a tolerance below 0.
Tensor isclose(const Tensor& x, const Tensor& y, double rtol = 1e-5, double atol = 1e-8,
               bool equal_nan = false);
/// Whether isclose holds everywhere, with broadcasting. Reads the values.
bool allclose(const Tensor& x, const Tensor& y, double rtol = 1e-5, double atol = 1e-8,
              bool equal_nan = false);
/// Whether shapes and all elements are equal, in any dtypes; two NaN are if `equal_nan`. Reads the
/// values.
bool array_equal(const Tensor& x, const Tensor& y, bool equal_nan = false);

/// x where the condition (boolean) holds, y elsewhere; a gradient goes where its value came from.
/// Two boolean or two uint8 tensors stay what they are.
Tensor where(const Tensor& condition, const Tensor& x, const Tensor& y);

}  // namespace cadena
