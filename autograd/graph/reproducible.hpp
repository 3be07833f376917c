#pragma once

#include <cadena/autograd/core/cell.hpp>
#include <cadena/autograd/core/generator.hpp>

#include <cstdint>
#include <functional>
#include <vector>

namespace cadena {

struct ReproducibleOptions {
  std::vector<int> threads = {1, 2, 8};  ///< Numbers of threads to run with.
  /// Generators that the step draws from, beside the default one.
  std::vector<Generator> generators = {};
};

struct ReproducibleReport {
  std::int64_t operators = 0;  ///< Applications in one run of the step, each compared.
  std::int64_t cells = 0;      ///< Cells whose value and gradient after the step were compared.
  std::int64_t runs = 0;
};

/// Runs a step once for each number of threads, twice for the first, and compares all bits: the
/// results of each operator, forward and backward, and what `cells` hold afterwards. Error with the
/// first operator whose bits differ, its place in the sequence, dtypes and shapes, the first
/// element and both values.
///
/// Each run begins in the same state: the values and gradients of `cells` and the states of the
/// generators (the default one always) are put back before each run and at the end, as is the
/// number of threads. So `cells` are all that the step changes: parameters, buffers, the state of
/// its optimizer (`nn::parameters`, `nn::buffers`, `Optimizer::named_state`). If something else
/// makes two runs with the same number of threads differ, the Error says that.
///
/// Only hashes of 64 bits are kept of a run; the values are fetched by further runs. Operators that
/// loops of `parallel_for` apply in other threads have no order and are compared as a set.
///
/// It shows a difference; it does not prove that there is none:
/// - Only these numbers of threads are tried, once each. What differs by chance, as a race does,
/// may
///   not differ this time.
/// - What a step computes without operators is seen only as far as it reaches an operator or a
/// cell.
///   Operators of threads that the step starts itself are not seen.
/// - What else the step changes (a loader's place, files, numbers of its own) is not put back: it
///   is found as "not repeatable" if it changes bits, else it stays changed.
/// - It says nothing of other machines or other settings of CADENA_ARCHITECTURE.
/// A step that applies no operator, without cells, is an Error: nothing would be compared.
ReproducibleReport assert_reproducible(const std::function<void()>& step,
                                       const std::vector<Cell>& cells = {},
                                       const ReproducibleOptions& options = {});
ReproducibleReport assert_reproducible(const std::function<void()>& step,
                                       const std::vector<NamedCell>& cells,
                                       const ReproducibleOptions& options = {});

}  // namespace cadena
