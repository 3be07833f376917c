#include <cadena/autograd/ops/einsum_parse.hpp>

#include <algorithm>
#include <cctype>
#include <iterator>
#include <string>

namespace cadena::ops {
namespace {

// Labels are the dimensions of "..." from the last one back, then A-Z and a-z: as they come in an
// output that is not written.
constexpr int first_letter = max_rank, label_count = first_letter + 2 * 26;

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

/// The letters of one operand, and where "..." stands between them.
struct Term {
  std::string letters;
  int ellipsis = -1;
};

class Parser {
 public:
  Parser(std::string_view equation, std::span<const Shape> shapes)
      : equation_(equation), shapes_(shapes) {
    result_.sizes.assign(label_count, 1);
    std::string text;
    std::copy_if(equation.begin(), equation.end(), std::back_inserter(text),
                 [](char c) { return std::isspace(static_cast<unsigned char>(c)) == 0; });
    const std::size_t arrow = text.find("->");
    parse_inputs(std::string_view(text).substr(0, arrow));
    if (arrow == std::string::npos) {
      implicit_output();
    } else {
      explicit_output(std::string_view(text).substr(arrow + 2));
    }
    if (result_.output.size() > static_cast<std::size_t>(max_rank)) {
      fail("einsum: \"{}\" makes a tensor of {} dimensions, at most {} are possible", equation_,
           result_.output.size(), max_rank);
    }
  }

  EinsumEquation result() { return std::move(result_); }

 private:
  Term parse_term(std::string_view text) const {
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
            c, equation_);
      }
    }
    return term;
  }

  void parse_inputs(std::string_view text) {
    std::vector<std::string_view> terms;
    for (std::size_t begin = 0, end = 0; end != std::string_view::npos; begin = end + 1) {
      end = text.find(',', begin);
      terms.push_back(text.substr(begin, end == std::string_view::npos ? end : end - begin));
    }
    if (shapes_.empty() || terms.size() != shapes_.size()) {
      fail("einsum: \"{}\" has subscripts for {} operands, got {}", equation_, terms.size(),
           shapes_.size());
    }
    for (std::size_t k = 0; k < shapes_.size(); ++k) {
      const Shape& shape = shapes_[k];
      const LabelList labels = labels_of(parse_term(terms[k]), k);
      for (int i = 0; i < shape.size(); ++i) {
        const int label = labels[static_cast<std::size_t>(i)];
        for (int j = 0; j < i; ++j) {
          if (labels[static_cast<std::size_t>(j)] == label && shape[j] != shape[i]) {
            fail("einsum: {} of \"{}\" stands for sizes {} and {} in operand {} of shape {}",
                 name_of(label), equation_, shape[j], shape[i], k, shape);
          }
        }
        note_size(label, shape[i], k);
      }
      result_.operands.push_back(labels);
    }
  }

  LabelList labels_of(const Term& term, std::size_t operand) {
    const Shape& shape = shapes_[operand];
    const int letters = static_cast<int>(term.letters.size());
    const int further = shape.size() - letters;
    if (further < 0 || (further > 0 && term.ellipsis < 0)) {
      fail("einsum: operand {} of \"{}\" has {} subscripts{}, but shape {} ({} dimensions)",
           operand, equation_, letters, term.ellipsis < 0 ? "" : " besides \"...\"", shape,
           shape.size());
    }
    written_ += term.letters;
    broadcast_ = std::max(broadcast_, term.ellipsis < 0 ? 0 : further);
    return spelled(term, further);
  }

  /// The labels of a term whose "..." stands for so many dimensions.
  static LabelList spelled(const Term& term, int further) {
    LabelList labels;
    for (int i = 0; i <= static_cast<int>(term.letters.size()); ++i) {
      for (int k = further; i == term.ellipsis && k-- > 0;) {
        labels.push_back(k);
      }
      if (i < static_cast<int>(term.letters.size())) {
        labels.push_back(label_of(term.letters[static_cast<std::size_t>(i)]));
      }
    }
    return labels;
  }

  void note_size(int label, std::int64_t size, std::size_t operand) {
    const auto at = static_cast<std::size_t>(label);
    std::int64_t& known = result_.sizes[at];
    if (known == 1) {
      known = size;
      owner_[at] = operand;
    } else if (size != 1 && size != known) {
      fail(
          "einsum: {} of \"{}\" has size {} in operand {} of shape {}, but {} in operand {} of "
          "shape {}",
          name_of(label), equation_, known, owner_[at], shapes_[owner_[at]], size, operand,
          shapes_[operand]);
    }
  }

  void implicit_output() {
    Term term{"", 0};
    std::string letters = written_;
    std::sort(letters.begin(), letters.end());
    for (const char letter : letters) {
      if (std::count(letters.begin(), letters.end(), letter) == 1) {
        term.letters += letter;
      }
    }
    result_.output = spelled(term, broadcast_);
  }

  void explicit_output(std::string_view text) {
    const Term term = parse_term(text);
    for (const char letter : term.letters) {
      if (written_.find(letter) == std::string::npos) {
        fail("einsum: subscript {} of the output of \"{}\" is in no operand", letter, equation_);
      }
      if (std::count(term.letters.begin(), term.letters.end(), letter) != 1) {
        fail("einsum: subscript {} is twice in the output of \"{}\"", letter, equation_);
      }
    }
    result_.output = spelled(term, broadcast_);
  }

  std::string_view equation_;
  std::span<const Shape> shapes_;
  std::string written_;  ///< All letters of the operands.
  int broadcast_ = 0;    ///< Dimensions of "...".
  std::vector<std::size_t> owner_ = std::vector<std::size_t>(label_count, 0);
  EinsumEquation result_;
};

}  // namespace

EinsumEquation parse_einsum(std::string_view equation, std::span<const Shape> shapes) {
  return Parser(equation, shapes).result();
}

}  // namespace cadena::ops
