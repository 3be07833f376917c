#pragma once

#include <cadena/autograd/core/error.hpp>

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string>

namespace cadena {

/// Most dimensions that a tensor may have.
inline constexpr int max_rank = 8;
/// Most elements that a tensor may have, zeros among its dimensions left out.
inline constexpr std::int64_t max_elements = std::int64_t{1} << 56;

/// Up to eight integers in place: the dimensions of a tensor, its strides, or a list of axes.
class Dims {
 public:
  Dims() noexcept : size_(0) {}
  /// One integer, so that sum(x, 1) can be said for sum(x, {1}). (Not a truth value: that would be
  /// a misplaced option.)
  template <std::integral Integer>
    requires(!std::same_as<Integer, bool>)
  Dims(Integer value) : Dims({static_cast<std::int64_t>(value)}) {}
  Dims(std::initializer_list<std::int64_t> values) : Dims(values.begin(), values.size()) {}
  Dims(std::span<const std::int64_t> values) : Dims(values.data(), values.size()) {}
  Dims(const Dims& other) noexcept : size_(other.size_) { copy(other); }
  Dims& operator=(const Dims& other) noexcept {
    size_ = other.size_;
    copy(other);
    return *this;
  }
  /// `size` times `value`.
  static Dims filled(int size, std::int64_t value) {
    Dims dims;
    for (int i = 0; i < size; ++i) {
      dims.push_back(value);
    }
    return dims;
  }

  int size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  std::int64_t operator[](int index) const noexcept { return values_[index]; }
  std::int64_t& operator[](int index) noexcept { return values_[index]; }
  const std::int64_t* begin() const noexcept { return values_; }
  const std::int64_t* end() const noexcept { return values_ + size_; }
  std::int64_t* begin() noexcept { return values_; }
  std::int64_t* end() noexcept { return values_ + size_; }
  std::int64_t back() const noexcept { return values_[size_ - 1]; }

  void push_back(std::int64_t value) {
    if (size_ == max_rank) {
      too_many(max_rank + 1);
    }
    values_[size_++] = value;
  }
  void insert(int position, std::int64_t value) {
    push_back(value);
    for (int i = size_ - 1; i > position; --i) {
      values_[i] = values_[i - 1];
    }
    values_[position] = value;
  }
  void erase(int position) noexcept {
    for (int i = position; i + 1 < size_; ++i) {
      values_[i] = values_[i + 1];
    }
    --size_;
  }

  friend bool operator==(const Dims& a, const Dims& b) noexcept {
    if (a.size_ != b.size_) {
      return false;
    }
    for (int i = 0; i < a.size_; ++i) {
      if (a.values_[i] != b.values_[i]) {
        return false;
      }
    }
    return true;
  }

 private:
  Dims(const std::int64_t* values, std::size_t size) : size_(static_cast<int>(size)) {
    if (size > static_cast<std::size_t>(max_rank)) {
      too_many(size);
    }
    for (int i = 0; i < size_; ++i) {
      values_[i] = values[i];
    }
  }
  void copy(const Dims& other) noexcept {
    for (int i = 0; i < size_; ++i) {
      values_[i] = other.values_[i];
    }
  }
  [[noreturn]] static void too_many(std::size_t size);

  int size_;
  std::int64_t values_[max_rank];
};

using Shape = Dims;
using Strides = Dims;  ///< In elements.
using Axes = Dims;     ///< Negative ones count from the end.

/// Number of elements: the product of the dimensions, 1 for a 0-d shape.
inline std::int64_t numel(const Shape& shape) noexcept {
  std::int64_t count = 1;
  for (std::int64_t dimension : shape) {
    count *= dimension;
  }
  return count;
}

/// As NumPy prints it: [2, 3]; [] for 0-d.
std::string to_string(const Dims& dims);
std::ostream& operator<<(std::ostream& stream, const Dims& dims);

/// Strides of a contiguous tensor in row-major order.
Strides contiguous_strides(const Shape& shape) noexcept;

/// NumPy's broadcast of two shapes; `operation` is named in the error when they do not fit.
Shape broadcast_shapes(const Shape& a, const Shape& b, const char* operation);

/// An axis in [0, rank), from one in [-rank, rank).
int normalize_axis(std::int64_t axis, int rank, const char* operation);

/// Sorted axes in [0, rank) without repetition; no axes means all of them.
Axes normalize_axes(const Axes& axes, int rank, const char* operation);

/// Throws unless every dimension is at least 0 and the product of those above 0 is at most
/// max_elements.
void check_shape(const Shape& shape, const char* operation);

/// The index of the element at `position` in row-major order.
Dims unravel(std::int64_t position, const Shape& shape) noexcept;

/// The shape after a reduction over (normalized) axes.
Shape reduced_shape(const Shape& shape, const Axes& axes, bool keepdim);

}  // namespace cadena

template <> struct fmt::formatter<cadena::Dims> : fmt::formatter<fmt::string_view> {
  fmt::format_context::iterator format(const cadena::Dims& dims,
                                       fmt::format_context& context) const;
};
