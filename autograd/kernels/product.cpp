#include <cadena/autograd/kernels/denormals.hpp>
#include <cadena/autograd/kernels/level.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/product.hpp>
#include <cadena/autograd/kernels/product_kernels.hpp>
#include <cadena/autograd/kernels/product_library.hpp>
#include <cadena/autograd/kernels/reduce.hpp>

#include <algorithm>
#include <type_traits>

namespace cadena::kernels {
namespace {

enum class Method { dot, columns, blocks, library };

// How a product is computed and cut follows from its shape and transposes alone: another cut gives
// other bits.
struct Plan {
  Method method;
  bool by_rows;               // pieces are rows of C, otherwise columns
  std::int64_t pieces, step;  // rows or columns of a piece
  double operations;          // of a piece
};

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a - 1) / b + 1; }

// Where the transposed operand lies contiguous, unless that leaves only slivers.
bool cut_by_rows(const ProductShape& s) {
  constexpr std::int64_t enough = 192;
  const bool ta = s.a == Transpose::yes, tb = s.b == Transpose::yes;
  if (tb && (s.columns >= enough || s.columns >= s.rows)) return false;
  if (ta && !tb && (s.rows >= enough || s.rows >= s.columns)) return true;
  if (tb) return true;
  if (ta) return false;
  return s.rows >= s.columns;
}

template <class T> Method method_for(const ProductShape& s, double operations) {
  const bool ta = s.a == Transpose::yes, tb = s.b == Transpose::yes;
  if (s.rows == 1 && s.columns == 1) return Method::dot;
  if (s.rows == 1 || s.columns == 1) {
    // A big matrix is read in the order it lies in.
    const bool across = s.rows == 1 ? !tb && s.columns >= 64 : ta && s.rows >= 64;
    return across && operations > 524288 ? Method::columns : Method::blocks;
  }
  // oneDNN has no float64, and is not at its best with these.
  const bool narrow = s.columns < 16 && !ta && operations < 3e6;
  if (!std::is_same_v<T, float> || narrow || (ta && tb) || operations <= 524288)
    return Method::blocks;
  return Method::library;
}

template <class T> Plan plan_for(const ProductShape& s) {
  const double operations = 2.0 * static_cast<double>(s.rows) * static_cast<double>(s.columns) *
                            static_cast<double>(s.inner);
  Plan plan{method_for<T>(s, operations), true, 1, s.rows, operations};
  if (plan.method == Method::dot || plan.method == Method::columns) return plan;
  // Products with a vector wait for memory: their pieces are counted in what they read.
  const bool vector = s.rows == 1 || s.columns == 1;
  const double wanted = std::min(operations / (vector ? 2.5e5 : 3e6), vector ? 64.0 : 8.0);
  if (wanted < 2) return plan;
  plan.by_rows = vector ? s.columns == 1 : cut_by_rows(s);
  // Whole tiles of the inner loops: 48 columns for oneDNN's sgemm, 64 for its primitive, which is
  // there for a transposed B; 8 rows or columns for Eigen's.
  const std::int64_t columns = s.b == Transpose::yes ? 64 : 48;
  const std::int64_t tile = !plan.by_rows && plan.method == Method::library ? columns : 8;
  const std::int64_t size = plan.by_rows ? s.rows : s.columns;
  const std::int64_t tiles = divide_up(size, tile);
  plan.step = divide_up(tiles, std::min(tiles, static_cast<std::int64_t>(wanted))) * tile;
  plan.pieces = divide_up(size, plan.step);
  plan.operations = operations / static_cast<double>(plan.pieces);
  return plan;
}

template <class T> void zero(const ProductShape& s, MatrixView<T> c) {
  for (std::int64_t i = 0; i < s.rows; ++i) std::fill_n(c.data + i * c.stride, s.columns, T(0));
}

bool is_tiny(const ProductShape& s) {
  const std::int64_t padded = (s.columns + tiny_width - 1) / tiny_width * tiny_width;
  return padded * s.inner <= tiny_elements && s.rows * s.columns * s.inner <= 8192;
}

// C = op(A)·op(B) when it has one row or column and the vector among A and B lies contiguous, as it
// always does but in a part of a bigger matrix.
template <class T>
bool product_with_vector(Method method, const ProductShape& s, MatrixView<const T> a,
                         MatrixView<const T> b, MatrixView<T> c) {
  const bool a_contiguous = s.a == Transpose::no || a.stride == 1;
  const bool b_contiguous = s.b == Transpose::yes || b.stride == 1;
  if (method == Method::dot) {
    if (!a_contiguous || !b_contiguous) return false;
    *c.data = dot(s.inner, a.data, b.data);
    return true;
  }
  const bool row = s.rows == 1;
  if (row ? !a_contiguous : !b_contiguous || c.stride != 1) return false;
  const T *weights = row ? a.data : b.data, *matrix = row ? b.data : a.data;
  weighted_sum({s.inner, row ? s.columns : s.rows, row ? b.stride : a.stride}, weights, matrix,
               c.data);
  return true;
}

template <class T>
void run(Method method, const ProductShape& s, MatrixView<const T> a, MatrixView<const T> b,
         MatrixView<T> c) {
  if constexpr (std::is_same_v<T, float>) {
    if (method == Method::library) return product_by_library(s, a, b, c);
  }
  if (method == Method::dot || method == Method::columns) {
    if (product_with_vector(method, s, a, b, c)) return;
  }
  at_level([&]<class Arch>() { product_by_blocks<Arch, T>(s, a, b, c); });
}

template <class T>
void run_piece(const Plan& plan, const ProductShape& s, std::int64_t piece, MatrixView<const T> a,
               MatrixView<const T> b, MatrixView<T> c, ProductEpilogue epilogue) {
  ProductShape part = s;
  const std::int64_t begin = piece * plan.step;
  if (plan.by_rows) {
    part.rows = std::min(plan.step, s.rows - begin);
    a.data += s.a == Transpose::yes ? begin : begin * a.stride;
    c.data += begin * c.stride;
  } else {
    part.columns = std::min(plan.step, s.columns - begin);
    b.data += s.b == Transpose::yes ? begin * b.stride : begin;
    c.data += begin;
  }
  run<T>(plan.method, part, a, b, c);
  if (epilogue.run != nullptr) {
    epilogue.run(epilogue.context, plan.by_rows ? begin : 0, part.rows, plan.by_rows ? 0 : begin,
                 part.columns);
  }
}

}  // namespace

template <class T>
void product(const ProductShape& s, MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c,
             ProductEpilogue epilogue) {
  if (s.rows <= 0 || s.columns <= 0) return;
  if (s.inner <= 0) {
    zero(s, c);
    if (epilogue.run != nullptr) epilogue.run(epilogue.context, 0, s.rows, 0, s.columns);
    return;
  }
  if (is_tiny(s)) {
    parallel_for(
        1, 1,
        [&](std::int64_t, std::int64_t) {
          at_level([&]<class Arch>() { product_in_registers<Arch, T>(s, a, b, c); });
        },
        denormals<T>);
    if (epilogue.run != nullptr) epilogue.run(epilogue.context, 0, s.rows, 0, s.columns);
    return;
  }
  const Plan plan = plan_for<T>(s);
  parallel_for(
      plan.pieces, 1,
      [&](std::int64_t piece, std::int64_t) { run_piece<T>(plan, s, piece, a, b, c, epilogue); },
      denormals<T>);
}

template <class T>
void product_batch(std::int64_t count, const ProductShape& s, MatrixView<const T> a,
                   MatrixView<const T> b, MatrixView<T> c) {
  if (count <= 0 || s.rows <= 0 || s.columns <= 0) return;
  const auto each = [&](std::int64_t item, auto work) {
    MatrixView<const T> item_a = a, item_b = b;
    MatrixView<T> item_c = c;
    item_a.data += item * a.batch;
    item_b.data += item * b.batch;
    item_c.data += item * c.batch;
    work(item_a, item_b, item_c);
  };
  if (s.inner <= 0) {
    for (std::int64_t item = 0; item < count; ++item) {
      each(item, [&](auto&, auto&, auto& item_c) { zero(s, item_c); });
    }
    return;
  }
  const Plan plan = plan_for<T>(s);
  // Small products go together until a task is worth its price.
  const double together = std::clamp(1e6 / plan.operations, 1.0, 1e6);
  parallel_for(
      count * plan.pieces, static_cast<std::int64_t>(together),
      [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = begin; i < end; ++i) {
          each(i / plan.pieces, [&](auto& item_a, auto& item_b, auto& item_c) {
            if (is_tiny(s)) {
              at_level(
                  [&]<class Arch>() { product_in_registers<Arch, T>(s, item_a, item_b, item_c); });
            } else {
              run_piece<T>(plan, s, i % plan.pieces, item_a, item_b, item_c, {});
            }
          });
        }
      },
      denormals<T>);
}

#define CADENA_INSTANTIATE(T)                                                          \
  template void product(const ProductShape&, MatrixView<const T>, MatrixView<const T>, \
                        MatrixView<T>, ProductEpilogue);                               \
  template void product_batch(std::int64_t, const ProductShape&, MatrixView<const T>,  \
                              MatrixView<const T>, MatrixView<T>);
CADENA_INSTANTIATE(float)
CADENA_INSTANTIATE(double)

}  // namespace cadena::kernels
