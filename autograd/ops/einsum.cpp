#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/contract.hpp>
#include <cadena/autograd/ops/einsum.hpp>
#include <cadena/autograd/ops/einsum_order.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/autograd/ops/list.hpp>
#include <cadena/autograd/ops/product.hpp>

#include <algorithm>
#include <bit>
#include <cctype>
#include <string>

namespace cadena {
namespace ops {
namespace {

// Labels are the dimensions of "..." from the last one back, then A-Z and a-z: as they come in an
// output that is not written.
constexpr int ellipsis_labels = max_rank, first_letter = ellipsis_labels, label_count = 60;

int label_of(char letter) {
  return first_letter + (letter <= 'Z' ? letter - 'A' : 26 + letter - 'a');
}
std::string name_of(int label) {
  if (label < first_letter) {
    return fmt::format("dimension {} of \"...\" from the right", label + 1);
  }
  const int letter = label - first_letter;
  return fmt::format("subscript {}",
                     static_cast<char>(letter < 26 ? 'A' + letter : 'a' + letter - 26));
}
Labels bit(int label) { return Labels{1} << label; }

using LabelList = std::vector<int>;

Labels set_of(const LabelList& labels) {
  Labels set = 0;
  for (const int label : labels) {
    set |= bit(label);
  }
  return set;
}

/// The letters of one operand, and where "..." stands between them.
struct Term {
  std::string letters;
  int ellipsis = -1;
};

Term parse_term(std::string_view equation, std::string_view text) {
  Term term;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      term.letters += c;
    } else if (text.substr(i, 3) == "..." && term.ellipsis < 0) {
      term.ellipsis = static_cast<int>(term.letters.size());
      i += 2;
    } else {
      fail(
          "einsum: unexpected '{}' in \"{}\"; expected letters, \"...\" once an operand, ',' and "
          "one \"->\"",
          c, equation);
    }
  }
  return term;
}

/// One operand on the way: a label for each dimension.
struct Piece {
  Tensor value;
  LabelList labels;
};

class Einsum {
 public:
  Einsum(std::string_view equation, std::span<const Tensor> operands) : equation_(equation) {
    std::string text;
    std::copy_if(equation.begin(), equation.end(), std::back_inserter(text),
                 [](char c) { return std::isspace(static_cast<unsigned char>(c)) == 0; });
    const std::size_t arrow = text.find("->");
    parse_inputs(std::string_view(text).substr(0, arrow), operands);
    if (arrow == std::string::npos) {
      implicit_output();
    } else {
      explicit_output(std::string_view(text).substr(arrow + 2));
    }
  }

  Tensor result() {
    for (Piece& piece : pieces_) {
      simplify(piece);
    }
    std::vector<Labels> sets;
    for (const Piece& piece : pieces_) {
      sets.push_back(set_of(piece.labels));
    }
    for (const Contraction& step : contraction_order(sets, set_of(output_), sizes_)) {
      contract(step);
    }
    // What is left to sum over, of one operand alone.
    sum_out(pieces_[0], set_of(output_));
    return arranged(pieces_[0]);
  }

 private:
  void parse_inputs(std::string_view text, std::span<const Tensor> operands) {
    std::vector<std::string_view> terms;
    for (std::size_t begin = 0, end = 0; end != std::string_view::npos; begin = end + 1) {
      end = text.find(',', begin);
      terms.push_back(text.substr(begin, end == std::string_view::npos ? end : end - begin));
    }
    if (operands.empty() || terms.size() != operands.size()) {
      fail("einsum: \"{}\" has subscripts for {} operands, got {}", equation_, terms.size(),
           operands.size());
    }
    for (std::size_t k = 0; k < operands.size(); ++k) {
      const detail::TensorImpl& impl = detail::impl_of(operands[k], "einsum");
      if (!is_floating(impl.dtype) || impl.dtype != operands[0].dtype()) {
        fail(
            "einsum: expected all operands float32 or all float64, got {} at operand {}; convert "
            "with to()",
            name(impl.dtype), k);
      }
      pieces_.push_back({operands[k], labels_of(parse_term(equation_, terms[k]), impl.shape, k)});
      for (int i = 0; i < impl.shape.size(); ++i) {
        const LabelList& labels = pieces_.back().labels;
        const int label = labels[static_cast<std::size_t>(i)];
        for (int j = 0; j < i; ++j) {
          if (labels[static_cast<std::size_t>(j)] == label && impl.shape[j] != impl.shape[i]) {
            fail("einsum: {} of \"{}\" stands for sizes {} and {} in operand {} of shape {}",
                 name_of(label), equation_, impl.shape[j], impl.shape[i], k, impl.shape);
          }
        }
        note_size(label, impl.shape[i], k, operands);
      }
    }
  }

  LabelList labels_of(const Term& term, const Shape& shape, std::size_t operand) {
    const int letters = static_cast<int>(term.letters.size());
    const int further = shape.size() - letters;
    if (further < 0 || (further > 0 && term.ellipsis < 0)) {
      fail("einsum: operand {} of \"{}\" has {} subscripts{}, but shape {} ({} dimensions)",
           operand, equation_, letters, term.ellipsis < 0 ? "" : " besides \"...\"", shape,
           shape.size());
    }
    LabelList labels;
    for (int i = 0; i <= letters; ++i) {
      for (int k = further; i == term.ellipsis && k-- > 0;) {
        labels.push_back(k);
      }
      if (i < letters) {
        labels.push_back(label_of(term.letters[static_cast<std::size_t>(i)]));
        written_ += term.letters[static_cast<std::size_t>(i)];
      }
    }
    broadcast_ = std::max(broadcast_, term.ellipsis < 0 ? 0 : further);
    return labels;
  }

  void note_size(int label, std::int64_t size, std::size_t operand,
                 std::span<const Tensor> operands) {
    const auto at = static_cast<std::size_t>(label);
    if (sizes_[at] == 1 || sizes_[at] == size) {
      owner_[at] = sizes_[at] == size && size != 1 ? owner_[at] : operand;
      sizes_[at] = size;
    } else if (size != 1) {
      fail(
          "einsum: {} of \"{}\" has size {} in operand {} of shape {}, but {} in operand {} of "
          "shape {}",
          name_of(label), equation_, sizes_[at], owner_[at], operands[owner_[at]].shape(), size,
          operand, operands[operand].shape());
    }
  }

  void add_ellipsis() {
    for (int k = broadcast_; k-- > 0;) {
      output_.push_back(k);
    }
  }

  void implicit_output() {
    add_ellipsis();
    std::string letters = written_;
    std::sort(letters.begin(), letters.end());
    for (const char letter : letters) {
      if (std::count(letters.begin(), letters.end(), letter) == 1) {
        output_.push_back(label_of(letter));
      }
    }
    check_output_rank();
  }

  void explicit_output(std::string_view text) {
    const Term term = parse_term(equation_, text);
    for (int i = 0; i <= static_cast<int>(term.letters.size()); ++i) {
      if (i == term.ellipsis) {
        add_ellipsis();
      }
      if (i < static_cast<int>(term.letters.size())) {
        const char letter = term.letters[static_cast<std::size_t>(i)];
        const int label = label_of(letter);
        if (written_.find(letter) == std::string::npos) {
          fail("einsum: subscript {} of the output of \"{}\" is in no operand", letter, equation_);
        }
        if ((set_of(output_) & bit(label)) != 0) {
          fail("einsum: subscript {} is twice in the output of \"{}\"", letter, equation_);
        }
        output_.push_back(label);
      }
    }
    check_output_rank();
  }

  void check_output_rank() const { check_rank(output_.size()); }
  void check_rank(std::size_t rank) const {
    if (rank > static_cast<std::size_t>(max_rank)) {
      fail("einsum: \"{}\" makes a tensor of {} dimensions, at most {} are possible", equation_,
           rank, max_rank);
    }
  }

  std::int64_t size_of(int label) const { return sizes_[static_cast<std::size_t>(label)]; }

  /// Diagonals instead of repeated labels, and no dimension of 1 where another operand has more.
  void simplify(Piece& piece) {
    for (std::size_t i = 0; i < piece.labels.size();) {
      const int label = piece.labels[i];
      const auto axis = static_cast<int>(i);
      const bool broadcast = piece.value.size(axis) == 1 && size_of(label) != 1;
      const auto again = std::find(piece.labels.begin() + axis + 1, piece.labels.end(), label);
      if (broadcast) {
        piece.value = squeeze(piece.value, {axis});
        piece.labels.erase(piece.labels.begin() + axis);
      } else if (again == piece.labels.end()) {
        ++i;
      } else if (const auto other = static_cast<int>(again - piece.labels.begin());
                 piece.value.size(other) == 1 && size_of(label) != 1) {
        piece.value = squeeze(piece.value, {other});
        piece.labels.erase(again);
      } else {
        piece.value = diagonal_of(piece.value, axis, other);
        piece.labels.erase(again);
        piece.labels.erase(piece.labels.begin() + axis);
        piece.labels.push_back(label);
      }
    }
  }

  /// Sums over labels that are not needed.
  void sum_out(Piece& piece, Labels needed) const {
    Axes axes;
    LabelList kept;
    for (std::size_t i = 0; i < piece.labels.size(); ++i) {
      if ((needed & bit(piece.labels[i])) != 0) {
        kept.push_back(piece.labels[i]);
      } else {
        axes.push_back(static_cast<std::int64_t>(i));
      }
    }
    if (!axes.empty()) {
      piece.value = sum(piece.value, axes);
      piece.labels = std::move(kept);
    }
  }

  Axes places_in(const Piece& piece, const LabelList& labels) const {
    Axes axes;
    for (const int label : labels) {
      axes.push_back(std::find(piece.labels.begin(), piece.labels.end(), label) -
                     piece.labels.begin());
    }
    return axes;
  }

  std::int64_t elements(const LabelList& labels) const {
    std::int64_t count = 1;
    for (const int label : labels) {
      count *= size_of(label);
    }
    return count;
  }

  /// The dimensions of a piece as [batch, rows, columns], without a copy if they lie as [batch,
  /// columns, rows].
  Tensor as_matrices(const Piece& piece, const LabelList& batch, const LabelList& rows,
                     const LabelList& columns) const {
    const Axes at_rows = places_in(piece, rows), at_columns = places_in(piece, columns);
    const bool turned = !rows.empty() && !columns.empty() &&
                        *std::max_element(at_columns.begin(), at_columns.end()) <
                            *std::min_element(at_rows.begin(), at_rows.end());
    const LabelList &second = turned ? columns : rows, &third = turned ? rows : columns;
    LabelList order = batch;
    order.insert(order.end(), second.begin(), second.end());
    order.insert(order.end(), third.begin(), third.end());
    const Tensor matrices = reshape(permute(piece.value, places_in(piece, order)),
                                    {elements(batch), elements(second), elements(third)});
    return turned ? transpose(matrices) : matrices;
  }

  /// Replaces two pieces by their product.
  void contract(const Contraction& step) {
    Labels needed = set_of(output_);
    for (std::size_t k = 0; k < pieces_.size(); ++k) {
      needed |= k == step.first || k == step.second ? 0 : set_of(pieces_[k].labels);
    }
    Piece &x = pieces_[step.first], &y = pieces_[step.second];
    sum_out(x, needed | set_of(y.labels));
    sum_out(y, needed | set_of(x.labels));
    LabelList batch, rows, columns, inner;
    for (const int label : x.labels) {
      const bool shared = (set_of(y.labels) & bit(label)) != 0;
      ((needed & bit(label)) == 0 ? inner : shared ? batch : rows).push_back(label);
    }
    for (const int label : y.labels) {
      if ((set_of(x.labels) & bit(label)) == 0) {
        columns.push_back(label);
      }
    }
    LabelList labels = batch;
    labels.insert(labels.end(), rows.begin(), rows.end());
    labels.insert(labels.end(), columns.begin(), columns.end());
    check_rank(labels.size());
    Shape shape;
    for (const int label : labels) {
      shape.push_back(size_of(label));
    }
    const Tensor left = as_matrices(x, batch, rows, inner);
    const Tensor right = as_matrices(y, batch, inner, columns);
    // Without a sum a product would only be slower.
    const Tensor product = inner.empty()   ? left * right
                           : batch.empty() ? matmul(only_matrix(left), only_matrix(right))
                                           : matmul(left, right);
    x = {reshape(product, shape), std::move(labels)};
    pieces_.erase(pieces_.begin() + static_cast<std::ptrdiff_t>(step.second));
  }

  static Tensor only_matrix(const Tensor& matrices) { return squeeze(matrices, {0}); }

  /// The one piece that is left, in the order of the output.
  Tensor arranged(const Piece& piece) const {
    return permute(piece.value, places_in(piece, output_));
  }

  std::string_view equation_;
  std::string written_;  ///< All letters of the operands.
  int broadcast_ = 0;    ///< Dimensions of "...".
  std::vector<Piece> pieces_;
  LabelList output_;
  std::vector<std::int64_t> sizes_ = std::vector<std::int64_t>(label_count, 1);
  std::vector<std::size_t> owner_ = std::vector<std::size_t>(label_count, 0);
};

}  // namespace
}  // namespace ops

Tensor einsum(std::string_view equation, std::span<const Tensor> operands) {
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
