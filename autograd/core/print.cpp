#include <cadena/autograd/core/capturing.hpp>
#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/graph/node.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ostream>

namespace cadena {
namespace {

constexpr std::int64_t shown_whole = 1000;  // elements; larger tensors are shortened
constexpr std::int64_t edge = 3;            // items at each end of a shortened dimension
constexpr std::size_t line = 79;            // columns

/// Digits after the point in a text such as 12.3400 or 1.2000e+05, zeros at their end left out.
int digits_in(std::string text) {
  text.resize(std::min(text.find('e'), text.size()));
  const std::size_t point = text.find('.');
  return point == std::string::npos ? 0 : static_cast<int>(text.find_last_not_of('0') - point);
}

/// How all elements of a tensor are written: with the fewest digits after the point that tell them,
/// at most four, or scientific where sizes differ too much.
struct Style {
  bool scientific = false;
  int digits = 0;

  Style(const std::vector<double>& values, Dtype dtype) {
    bool whole = true;
    double largest = 0, smallest = HUGE_VAL;
    for (double value : values) {
      if (!std::isfinite(value)) {
        continue;
      }
      whole = whole && value == std::floor(value);
      largest = std::max(largest, std::abs(value));
      if (value != 0) {
        smallest = std::min(smallest, std::abs(value));
      }
    }
    scientific = largest >= 1e8 || (!whole && (smallest < 1e-4 || largest / smallest > 1e5));
    for (double value : values) {
      if (!std::isfinite(value) || value == 0 || digits == 4) {
        continue;
      }
      int needed =
          digits_in(scientific ? fmt::format("{:.4e}", value) : fmt::format("{:.4f}", value));
      if (!scientific) {  // 123456.7 in float32 is 123456.703125: its own digits end earlier
        needed = std::min(
            needed, digits_in(dtype == Dtype::float32 ? fmt::format("{}", static_cast<float>(value))
                                                      : fmt::format("{}", value)));
      }
      digits = std::max(digits, needed);
    }
  }

  std::string operator()(double value) const {
    if (!std::isfinite(value)) {
      return std::isnan(value) ? "nan" : value < 0 ? "-inf" : "inf";
    }
    return scientific ? fmt::format("{:#.{}e}", value, digits)
                      : fmt::format("{:#.{}f}", value, digits);
  }
};

/// Indices of a dimension that are shown; -1 stands for the dots.
std::vector<std::int64_t> shown(std::int64_t size, bool shorten) {
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < size; ++i) {
    if (shorten && size > 2 * edge && i == edge) {
      indices.push_back(-1);
      i = size - edge;
    }
    indices.push_back(i);
  }
  return indices;
}

class Printer {
 public:
  explicit Printer(const detail::TensorImpl& tensor)
      : tensor_(tensor),
        strides_(tensor.strides ? *tensor.strides : contiguous_strides(tensor.shape)),
        shorten_(numel(tensor.shape) > shown_whole) {}

  std::string print() {
    if (numel(tensor_.shape) == 0) {
      return "tensor([]";
    }
    std::vector<double> numbers;
    if (is_floating(tensor_.dtype)) {
      collect(0, 0, [&](std::int64_t offset) { numbers.push_back(number(offset)); });
    }
    const Style style(numbers, tensor_.dtype);
    collect(0, 0, [&](std::int64_t offset) {
      texts_.push_back(text(offset, style));
      width_ = std::max(width_, texts_.back().size());
    });
    write(0, "tensor(");
    return out_;
  }

 private:
  template <class Visit> void collect(int axis, std::int64_t offset, Visit&& visit) {
    if (axis == tensor_.shape.size()) {
      visit(offset);
      return;
    }
    for (std::int64_t i : shown(tensor_.shape[axis], shorten_)) {
      if (i >= 0) {
        collect(axis + 1, offset + i * strides_[axis], visit);
      }
    }
  }

  double number(std::int64_t offset) const {
    return tensor_.dtype == Dtype::float32
               ? static_cast<double>(reinterpret_cast<const float*>(tensor_.data)[offset])
               : reinterpret_cast<const double*>(tensor_.data)[offset];
  }

  std::string text(std::int64_t offset, const Style& style) const {
    switch (tensor_.dtype) {
      case Dtype::boolean:
        return reinterpret_cast<const bool*>(tensor_.data)[offset] ? "true" : "false";
      case Dtype::uint8:
        return std::to_string(reinterpret_cast<const std::uint8_t*>(tensor_.data)[offset]);
      case Dtype::int64:
        return std::to_string(reinterpret_cast<const std::int64_t*>(tensor_.data)[offset]);
      default:
        return style(number(offset));
    }
  }

  void write(int axis, const std::string& before) {
    out_ += before;
    if (axis == tensor_.shape.size()) {
      out_ += std::string(width_ - texts_[next_].size(), ' ') + texts_[next_];
      ++next_;
      return;
    }
    const bool last = axis + 1 == tensor_.shape.size();
    const std::string indent(7 + static_cast<std::size_t>(axis) + 1, ' ');
    const std::string between =
        "," +
        std::string(last ? 0 : static_cast<std::size_t>(tensor_.shape.size() - axis - 1), '\n');
    out_ += "[";
    bool first = true;
    std::size_t begin = out_.size() - out_.rfind('\n') - 1;  // columns used (npos wraps to 0)
    for (std::int64_t i : shown(tensor_.shape[axis], shorten_)) {
      const std::size_t needed = i < 0 ? 3 : width_;
      if (!first) {
        out_ += between;
        begin += 1;
        if (!last) {
          out_ += indent;
        } else if (begin + 1 + needed > line) {
          out_ += "\n" + indent;
          begin = indent.size();
        } else {
          out_ += " ";
          begin += 1;
        }
      }
      first = false;
      if (i < 0) {
        out_ += "...";
      } else {
        write(axis + 1, "");
      }
      begin += needed;
    }
    out_ += "]";
  }

  const detail::TensorImpl& tensor_;
  Strides strides_;
  bool shorten_;
  std::vector<std::string> texts_;
  std::size_t width_ = 0, next_ = 0;
  std::string out_;
};

}  // namespace

std::string to_string(const Tensor& tensor) {
  if (!tensor.defined()) {
    return "tensor(undefined)";
  }
  const detail::TensorImpl& impl = *tensor.impl();
  if (detail::symbol_of(impl) != nullptr) {
    return fmt::format("tensor(captured, shape={}, dtype={})", impl.shape, name(impl.dtype));
  }
  std::string text = Printer(impl).print();
  if (numel(impl.shape) == 0 || numel(impl.shape) > shown_whole) {
    text += fmt::format(", shape={}", impl.shape);
  }
  text += fmt::format(", dtype={}", name(impl.dtype));
  if (impl.node) {
    text += impl.node->is_leaf() ? std::string(", requires_grad")
                                 : fmt::format(", grad of {}", impl.node->op->doc().name);
  }
  return text + ")";
}

std::ostream& operator<<(std::ostream& stream, const Tensor& tensor) {
  return stream << to_string(tensor);
}

}  // namespace cadena

fmt::format_context::iterator fmt::formatter<cadena::Tensor>::format(
    const cadena::Tensor& tensor, fmt::format_context& context) const {
  return fmt::formatter<fmt::string_view>::format(cadena::to_string(tensor), context);
}
