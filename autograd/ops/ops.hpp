#pragma once

// All operators.

#include <cadena/autograd/ops/activation.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/comparison.hpp>
#include <cadena/autograd/ops/contract.hpp>
#include <cadena/autograd/ops/dropout.hpp>
#include <cadena/autograd/ops/einsum.hpp>
#include <cadena/autograd/ops/embedding.hpp>
#include <cadena/autograd/ops/functions.hpp>
#include <cadena/autograd/ops/gamma.hpp>
#include <cadena/autograd/ops/gather.hpp>
#include <cadena/autograd/ops/index.hpp>
#include <cadena/autograd/ops/join.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/linalg.hpp>
#include <cadena/autograd/ops/logic.hpp>
#include <cadena/autograd/ops/normalize.hpp>
#include <cadena/autograd/ops/product.hpp>
#include <cadena/autograd/ops/rearrange.hpp>
#include <cadena/autograd/ops/reduction.hpp>
#include <cadena/autograd/ops/rounding.hpp>
#include <cadena/autograd/ops/scan.hpp>
#include <cadena/autograd/ops/search.hpp>
#include <cadena/autograd/ops/slice.hpp>
#include <cadena/autograd/ops/softmax.hpp>
#include <cadena/autograd/ops/sort.hpp>
#include <cadena/autograd/ops/special_values.hpp>
#include <cadena/autograd/ops/triangle.hpp>
#include <cadena/autograd/ops/trigonometric.hpp>
