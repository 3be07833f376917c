#pragma once

// Sums of rows by index, for indexing.cpp.

#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/scratch.hpp>
#include <cadena/autograd/kernels/wrap.hpp>

#include <algorithm>
#include <type_traits>
#include <utility>
#include <vector>

namespace cadena::kernels {

constexpr std::int64_t block = 16384;  // addends of a piece at least
constexpr std::int64_t chunk = 1024;   // addends; more of float32 are not summed in float32

/// What long sums are computed in: one float32 after another, a million of them lose three digits.
template <class T> using Sum = std::conditional_t<std::is_same_v<T, float>, double, T>;

/// What happens to an element of the target: numbers are added to it.
struct Add {
  template <class To, class From> static void one(To& to, From from) {
    to = static_cast<To>(wrapping_sum<std::common_type_t<To, From>>(to, from));
  }
  template <class To, class From>
  static void run(To* to, std::int64_t to_step, const From* from, std::int64_t from_step,
                  std::int64_t count) {
    if (to_step == 1 && from_step == 1) {
      for (std::int64_t i = 0; i < count; ++i) {
        one(to[i], from[i]);
      }
    } else {
      for (std::int64_t i = 0; i < count; ++i) {
        one(to[i * to_step], from[i * from_step]);
      }
    }
  }
};

/// Which rows of a source go to each row of a target, in order (by counting).
class Groups {
 public:
  Groups(std::int64_t rows, const std::int64_t* indices, std::int64_t step, std::int64_t count,
         std::int64_t skipped)
      : rows_(rows), ends_(rows), order_(count) {
    std::int64_t* next = ends_.data();
    std::fill_n(next, rows, 0);
    for (std::int64_t i = 0; i < count; ++i) {
      next[indices[i * step]] += indices[i * step] == skipped ? 0 : 1;
    }
    std::int64_t before = 0;
    for (std::int64_t row = 0; row < rows; ++row) {
      before += std::exchange(next[row], before);
    }
    for (std::int64_t i = 0; i < count; ++i) {
      if (indices[i * step] != skipped) {
        order_.data()[next[indices[i * step]]++] = i;
      }
    }
  }

  std::int64_t rows() const noexcept { return rows_; }
  std::int64_t begin(std::int64_t row) const noexcept { return row > 0 ? end(row - 1) : 0; }
  std::int64_t end(std::int64_t row) const noexcept { return ends_.data()[row]; }
  bool is_long(std::int64_t row) const noexcept { return end(row) - begin(row) > chunk; }
  std::int64_t operator[](std::int64_t place) const noexcept { return order_.data()[place]; }

  /// The first row before which there are `cost` rows and addends, or more.
  std::int64_t row_at(std::int64_t cost) const noexcept {
    std::int64_t low = 0, high = rows_;
    while (low < high) {
      const std::int64_t middle = (low + high) / 2;
      (middle + begin(middle) < cost ? low : high) = middle + (middle + begin(middle) < cost);
    }
    return low;
  }

 private:
  std::int64_t rows_;
  Scratch<std::int64_t> ends_, order_;
};

/// A part of the addends of a row that has many: places of Groups.
struct Block {
  std::int64_t row, begin, end;
};

inline std::vector<Block> blocks_of_long_rows(const Groups& groups) {
  std::vector<Block> blocks;
  for (std::int64_t row = 0; row < groups.rows(); ++row) {
    const std::int64_t end = groups.end(row);
    for (std::int64_t i = groups.begin(row); groups.is_long(row) && i < end; i += chunk) {
      blocks.push_back({row, i, std::min(i + chunk, end)});
    }
  }
  return blocks;
}

/// Adds rows of `width` neighbours to those of a target, which begin at 0 if they are `fresh`.
/// Rows with many addends are summed in blocks: one of them may have most of all addends.
template <class T>
void add_groups(const Groups& groups, std::int64_t width, const T* source, std::int64_t source_step,
                T* target, std::int64_t target_step, bool fresh) {
  const std::vector<Block> blocks = blocks_of_long_rows(groups);
  const auto block_count = static_cast<std::int64_t>(blocks.size());
  const Scratch<Sum<T>> scratch(block_count * width);
  const auto sum_of = [&](std::int64_t k) { return scratch.data() + k * width; };
  const std::int64_t together = std::max<std::int64_t>(block / (chunk * width), 1);
  parallel_for(block_count, together, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t k = begin; k < end; ++k) {
      const Block& part = blocks[static_cast<std::size_t>(k)];
      std::fill_n(sum_of(k), width, Sum<T>{0});
      for (std::int64_t i = part.begin; i < part.end; ++i) {
        Add::run(sum_of(k), 1, source + groups[i] * source_step, 1, width);
      }
    }
  });
  const auto add_blocks_of = [&](std::int64_t row, T* to) {
    const auto before = [](const Block& part, std::int64_t r) { return part.row < r; };
    const std::int64_t first =
        std::lower_bound(blocks.begin(), blocks.end(), row, before) - blocks.begin();
    for (std::int64_t k = first + 1;
         k < block_count && blocks[static_cast<std::size_t>(k)].row == row; ++k) {
      Add::run(sum_of(first), 1, sum_of(k), 1, width);
    }
    Add::run(to, 1, sum_of(first), 1, width);
  };
  const std::int64_t cost = groups.rows() + groups.end(groups.rows() - 1);
  const std::int64_t pieces = std::clamp<std::int64_t>(cost * width / block, 1, groups.rows());
  parallel_for(pieces, 1, [&](std::int64_t first, std::int64_t last) {
    const auto row_of = [&](std::int64_t piece) {
      return piece == pieces ? groups.rows() : groups.row_at(cost / pieces * piece);
    };
    for (std::int64_t row = row_of(first); row < row_of(last); ++row) {
      T* const sum = target + row * target_step;
      if (fresh) {
        std::fill_n(sum, width, T{0});
      }
      if (groups.is_long(row)) {
        add_blocks_of(row, sum);
        continue;
      }
      for (std::int64_t i = groups.begin(row); i < groups.end(row); ++i) {
        Add::run(sum, 1, source + groups[i] * source_step, 1, width);
      }
    }
  });
}

}  // namespace cadena::kernels
