#pragma once

// Lane<T, Arch>: a few numbers worked on at once. It is what an elementwise functor is called with.
// Arithmetic mixes with plain numbers, comparisons give a Mask, and `where(mask, a, b)` chooses.

#include <cadena/autograd/kernels/lane_activation.hpp>
#include <cadena/autograd/kernels/lane_core.hpp>
#include <cadena/autograd/kernels/lane_erf.hpp>
#include <cadena/autograd/kernels/lane_exp.hpp>
#include <cadena/autograd/kernels/lane_gamma.hpp>
#include <cadena/autograd/kernels/lane_integer.hpp>
#include <cadena/autograd/kernels/lane_inverse.hpp>
#include <cadena/autograd/kernels/lane_log.hpp>
#include <cadena/autograd/kernels/lane_pow.hpp>
#include <cadena/autograd/kernels/lane_rounding.hpp>
#include <cadena/autograd/kernels/lane_trigonometric.hpp>
