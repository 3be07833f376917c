#pragma once

// The whole library but for <cadena/autograd/graph/elementwise.hpp>, which brings the SIMD library
// and is included where an elementwise operator is made from a lambda.

#include <cadena/autograd/compile/compile.hpp>
#include <cadena/autograd/core/allocator.hpp>
#include <cadena/autograd/core/cell.hpp>
#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/anomaly.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/gradcheck.hpp>
#include <cadena/autograd/graph/graph.hpp>
#include <cadena/autograd/graph/profiler.hpp>
#include <cadena/autograd/graph/reproducible.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/ops/ops.hpp>
#include <cadena/autograd/ops/random.hpp>
#include <cadena/data/fashion_mnist.hpp>
#include <cadena/data/idx.hpp>
#include <cadena/data/loader.hpp>
#include <cadena/data/synthetic.hpp>
#include <cadena/io/safetensors.hpp>
#include <cadena/nn/gradcheck.hpp>
#include <cadena/nn/nn.hpp>
#include <cadena/optim/adagrad.hpp>
#include <cadena/optim/adam.hpp>
#include <cadena/optim/clip.hpp>
#include <cadena/optim/rmsprop.hpp>
#include <cadena/optim/sgd.hpp>
