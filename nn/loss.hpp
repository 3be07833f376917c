#pragma once

// Losses. Predictions and targets have the same shape (nothing is broadcast: a column against a row
// would give a matrix of losses) unless a loss says otherwise; the first dimension counts the
// examples. Options beyond the reduction are in a struct:
//   smooth_l1(prediction, target, {.beta = 0.5, .reduction = Reduction::sum})
// Names, formulas and defaults are PyTorch's; classes are along the last axis. No loss reads
// values, but those that say they check them.

#include <cadena/nn/loss_classification.hpp>
#include <cadena/nn/loss_distance.hpp>
#include <cadena/nn/loss_regression.hpp>
