#pragma once

#include <cadena/autograd/core/dtype.hpp>
#include <cadena/autograd/kernels/walk.hpp>

#include <cstddef>
#include <cstdint>

namespace cadena::kernels {

/// How an operand that is not contiguous lies in memory, to be laid out a piece at a time.
class Strided {
 public:
  Strided(Dtype dtype, const Shape& shape, const Strides& strides)
      : width_(size_of(dtype)), walk_(shape, strides) {}

  /// Whether it is one element again and again.
  bool is_splat() const noexcept { return walk_.is_one_run() && walk_.step(0) == 0; }

  /// Copies the elements [begin, begin + count) in row-major order.
  void gather(const std::byte* data, std::byte* to, std::int64_t begin, std::int64_t count) const {
    if (width_ == 4) {
      gather_as<std::uint32_t>(data, to, begin, count);
    } else if (width_ == 8) {
      gather_as<std::uint64_t>(data, to, begin, count);
    } else {
      gather_as<std::uint8_t>(data, to, begin, count);
    }
  }

 private:
  template <class Word>
  void gather_as(const std::byte* data, std::byte* to, std::int64_t begin,
                 std::int64_t count) const {
    const Word* from = reinterpret_cast<const Word*>(data);
    Word* out = reinterpret_cast<Word*>(to);
    walk_.run(begin, begin + count, [&](std::int64_t run, const auto& at) {
      copy_run(out, 1, from + at[0], walk_.step(0), run);
      out += run;
    });
  }

  std::size_t width_;  // bytes of an element
  Walk<1> walk_;
};

}  // namespace cadena::kernels
