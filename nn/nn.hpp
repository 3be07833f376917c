#pragma once

// Layers, losses, initialisers, and what is asked of a model as a whole.

#include <cadena/nn/activation.hpp>
#include <cadena/nn/bilinear.hpp>
#include <cadena/nn/dropout.hpp>
#include <cadena/nn/embedding.hpp>
#include <cadena/nn/flatten.hpp>
#include <cadena/nn/hooked.hpp>
#include <cadena/nn/identity.hpp>
#include <cadena/nn/init.hpp>
#include <cadena/nn/linear.hpp>
#include <cadena/nn/loss.hpp>
#include <cadena/nn/module.hpp>
#include <cadena/nn/norm.hpp>
#include <cadena/nn/parameter_list.hpp>
#include <cadena/nn/sequential.hpp>
#include <cadena/nn/softmax.hpp>
