#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/einsum.hpp>
#include <cadena/autograd/ops/einsum_order.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/product.hpp>
#include <cadena/autograd/ops/triangle.hpp>

#include <algorithm>
#include <iterator>

namespace cadena {
namespace ops {
namespace {

/// One operand on the way: a label for each dimension.
struct Piece {
  Tensor value;
  LabelList labels;
};

Axes places_in(const LabelList& labels, const LabelList& wanted) {
  Axes axes;
  for (const int label : wanted) {
    axes.push_back(std::find(labels.begin(), labels.end(), label) - labels.begin());
  }
  return axes;
}

LabelList joined(LabelList first, const LabelList& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

/// The labels of `labels` that are in the set, or that are not.
LabelList those_in(const LabelList& labels, Labels set, bool in = true) {
  LabelList result;
  std::copy_if(labels.begin(), labels.end(), std::back_inserter(result),
               [&](int label) { return ((set & bit(label)) != 0) == in; });
  return result;
}

/// The dimensions in the order of these labels, which are the piece's own.
Tensor permuted(const Piece& piece, const LabelList& labels) {
  return labels == piece.labels ? piece.value
                                : permute(piece.value, places_in(piece.labels, labels));
}

Tensor reshaped(const Tensor& x, const Shape& shape) {
  return x.shape() == shape ? x : reshape(x, shape);
}

/// A dimension for each of these labels, of size 1 where the piece does not have it.
Tensor spread(const Piece& piece, const LabelList& labels) {
  const LabelList own = those_in(labels, set_of(piece.labels));
  const Tensor value = permuted(piece, own);
  Shape shape;
  for (std::size_t i = 0, k = 0; i < labels.size(); ++i) {
    const bool has = k < own.size() && own[k] == labels[i];
    shape.push_back(has ? value.size(static_cast<int>(k++)) : 1);
  }
  return reshaped(value, shape);
}

/// Sums over the labels that are not in the set.
void sum_out(Piece& piece, Labels needed) {
  const LabelList gone = those_in(piece.labels, needed, false);
  if (!gone.empty()) {
    piece.value = sum(piece.value, places_in(piece.labels, gone));
    piece.labels = those_in(piece.labels, needed);
  }
}

/// Diagonals instead of repeated labels, and no dimensions of 1: they multiply nothing.
Piece simplified(const Tensor& operand, const LabelList& labels) {
  Piece piece;
  Shape shape;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (const std::int64_t size = operand.size(static_cast<int>(i)); size != 1) {
      shape.push_back(size);
      piece.labels.push_back(labels[i]);
    }
  }
  piece.value = reshaped(operand, shape);
  for (std::size_t i = 0; i < piece.labels.size();) {
    const auto first = piece.labels.begin() + static_cast<std::ptrdiff_t>(i);
    const auto again = std::find(first + 1, piece.labels.end(), *first);
    if (again == piece.labels.end()) {
      ++i;
      continue;
    }
    piece.value =
        diagonal(piece.value, 0, first - piece.labels.begin(), again - piece.labels.begin());
    const int label = *first;
    piece.labels.erase(again);
    piece.labels.erase(first);
    piece.labels.push_back(label);
  }
  return piece;
}

class Einsum {
 public:
  Einsum(std::string_view equation, std::span<const Tensor> operands) : text_(equation) {
    std::vector<Shape> shapes;
    for (const Tensor& operand : operands) {
      shapes.push_back(operand.shape());
    }
    equation_ = parse_einsum(equation, shapes);
    for (std::size_t k = 0; k < operands.size(); ++k) {
      pieces_.push_back(simplified(operands[k], equation_.operands[k]));
    }
  }

  Tensor result() {
    const Labels output = set_of(equation_.output);
    Labels seen = output, needed = output;
    for (const Piece& piece : pieces_) {
      needed |= seen & set_of(piece.labels);
      seen |= set_of(piece.labels);
    }
    std::vector<Labels> sets;
    for (Piece& piece : pieces_) {
      sum_out(piece, needed);
      sets.push_back(set_of(piece.labels));
    }
    const auto order = contraction_order(sets, output, equation_.sizes);
    if (!order) {
      fail(
          "einsum: found no order of contracting two operands of \"{}\" at a time in which all "
          "results have at most {} dimensions",
          text_, max_rank);
    }
    for (const auto [first, second] : *order) {
      Piece& x = pieces_[first];
      x = contract(x, pieces_[second], needed_besides(first, second));
      pieces_.erase(pieces_.begin() + static_cast<std::ptrdiff_t>(second));
    }
    return arranged(pieces_[0]);
  }

 private:
  Labels needed_besides(std::size_t first, std::size_t second) const {
    Labels needed = set_of(equation_.output);
    for (std::size_t k = 0; k < pieces_.size(); ++k) {
      needed |= k == first || k == second ? 0 : set_of(pieces_[k].labels);
    }
    return needed;
  }

  Shape sizes_of(const LabelList& labels) const {
    Shape sizes;
    for (const int label : labels) {
      sizes.push_back(equation_.sizes[static_cast<std::size_t>(label)]);
    }
    return sizes;
  }

  /// The dimensions of a piece as [batch, rows, columns], or without a batch as [rows, columns]. No
  /// copy if they lie as [batch, columns, rows].
  Tensor as_matrices(const Piece& piece, const LabelList& batch, const LabelList& rows,
                     const LabelList& columns) const {
    const Axes at_rows = places_in(piece.labels, rows),
               at_columns = places_in(piece.labels, columns);
    const bool turned = !rows.empty() && !columns.empty() &&
                        *std::max_element(at_columns.begin(), at_columns.end()) <
                            *std::min_element(at_rows.begin(), at_rows.end());
    const LabelList &second = turned ? columns : rows, &third = turned ? rows : columns;
    Shape shape{numel(sizes_of(second)), numel(sizes_of(third))};
    if (!batch.empty()) {
      shape.insert(0, numel(sizes_of(batch)));
    }
    const Tensor matrices = reshaped(permuted(piece, joined(batch, joined(second, third))), shape);
    return turned ? transpose(matrices) : matrices;
  }

  /// The product of two pieces, summed over the labels that are not needed. Both have these.
  Piece contract(const Piece& x, const Piece& y, Labels needed) const {
    const Labels of_x = set_of(x.labels), of_y = set_of(y.labels);
    const LabelList inner = those_in(x.labels, of_y & ~needed);
    const LabelList batch = those_in(x.labels, of_y & needed);
    const LabelList rows = those_in(x.labels, of_y, false);
    const LabelList columns = those_in(y.labels, of_x, false);
    // Matrices of one row and one column each are slower than their elements' products.
    const bool elements = inner.empty() || (rows.empty() && columns.empty() && !batch.empty());
    if (elements) {
      const LabelList labels = joined(x.labels, columns);
      Piece product{spread(x, labels) * spread(y, labels), labels};
      sum_out(product, needed);
      return product;
    }
    LabelList labels = joined(batch, joined(rows, columns));
    const Tensor product =
        matmul(as_matrices(x, batch, rows, inner), as_matrices(y, batch, inner, columns));
    return {reshaped(product, sizes_of(labels)), std::move(labels)};
  }

  /// The one piece that is left, in the order of the output.
  Tensor arranged(const Piece& piece) const {
    return reshaped(permuted(piece, those_in(equation_.output, set_of(piece.labels))),
                    sizes_of(equation_.output));
  }

  std::string_view text_;
  EinsumEquation equation_;
  std::vector<Piece> pieces_;
};

}  // namespace
}  // namespace ops

Tensor einsum(std::string_view equation, std::span<const Tensor> operands) {
  for (std::size_t k = 0; k < operands.size(); ++k) {
    const Dtype dtype = detail::impl_of(operands[k], "einsum").dtype;
    if (!is_floating(dtype)) {
      fail("einsum: expected float32 or float64, got {} at operand {}; convert with to(float32)",
           name(dtype), k);
    }
    if (dtype != operands[0].dtype()) {
      fail("einsum: dtypes differ: {} at operand 0, {} at operand {}; convert one with to()",
           name(operands[0].dtype()), name(dtype), k);
    }
  }
  return ops::Einsum(equation, operands).result();
}

Tensor einsum(std::string_view equation, std::initializer_list<Tensor> operands) {
  return einsum(equation, std::span<const Tensor>(operands.begin(), operands.size()));
}

void ops::list_einsum(OpList& list) {
  const auto values = [](const Shape& shape, std::uint64_t seed) {
    return sample_values(shape, -1, 1, seed);
  };
  const auto sample = [](const char* equation, const std::vector<Tensor>& inputs,
                         bool enlarge = true) -> Sample {
    return {equation, inputs, [=](std::span<const Tensor> in) { return einsum(equation, in); },
            true, enlarge};
  };
  list.add(
      {{"einsum", "sum over the subscripts that are not in the output"},
       {sample("ij,jk->ik", {values({2, 3}, 1), values({3, 4}, 2)}),
        sample("ij,kj", {values({2, 3}, 3), values({4, 3}, 4)}),
        sample("bij,bjk->bki", {values({2, 2, 3}, 5), values({2, 3, 2}, 6)}),
        sample("ii", {values({3, 3}, 7)}), sample("iij->ji", {values({2, 2, 3}, 8)}),
        sample("...ij, ...j -> ...i", {values({2, 1, 2, 3}, 9), values({3, 3}, 10)}),
        sample("i...,i...->...", {values({3, 2}, 11), values({3, 1}, 12)}),
        sample("ij,ij->ij", {values({2, 3}, 13), values({2, 3}, 14)}),
        sample("i,j->ji", {values({2}, 15), values({3}, 16)}, false),
        sample("ijk,l->il", {values({2, 2, 3}, 17), values({2}, 18)}),
        sample("ij,jk,kl,l->i",
               {values({2, 3}, 19), values({3, 2}, 20), values({2, 4}, 21), values({4}, 22)}),
        sample(",i->i", {values({}, 23), values({2}, 24)}), sample("ij->", {values({2, 3}, 25)}),
        sample("ij,jk->ik", {values({2, 0}, 0), values({0, 3}, 0)}),
        sample("ij,j->i", {values({0, 2}, 0), values({2}, 26)})}});
}

}  // namespace cadena
