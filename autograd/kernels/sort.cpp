#include <cadena/autograd/kernels/order.hpp>
#include <cadena/autograd/kernels/scratch.hpp>
#include <cadena/autograd/kernels/sort.hpp>
#include <cadena/autograd/kernels/walk.hpp>

#include <algorithm>
#include <limits>
#include <type_traits>
#include <utility>

namespace cadena::kernels {
namespace {

// Elements of a block of a line, of a piece of short lines that are sorted, that are looked
// through.
constexpr std::int64_t line_block = 32768, sorted_piece = 1024, searched_piece = 16384;

// An element as its key and its place. No two compare equal: any way to sort gives one order.
struct Packed {
  std::uint64_t bits;
  Packed() = default;
  Packed(std::uint64_t key, std::int64_t place)
      : bits(key << 32 | static_cast<std::uint64_t>(place)) {}
  std::uint64_t key() const { return bits >> 32; }
  std::int64_t place() const { return static_cast<std::int64_t>(bits & 0xffffffff); }
  bool operator<(const Packed& other) const { return bits < other.bits; }
};
struct Pair {
  std::uint64_t bits;
  std::int64_t at;
  Pair() = default;
  Pair(std::uint64_t key, std::int64_t place) : bits(key), at(place) {}
  std::uint64_t key() const { return bits; }
  std::int64_t place() const { return at; }
  bool operator<(const Pair& other) const {
    return bits < other.bits || (bits == other.bits && at < other.at);
  }
};

// One byte of a stable sort by bytes. False where all have the same: nothing is moved then.
template <class Record>
bool move_by_byte(const Record* from, Record* to, std::int64_t n, int shift) {
  const std::int64_t blocks = (n - 1) / line_block + 1;
  const auto byte = [=](const Record& record) { return record.key() >> shift & 255; };
  const Scratch<std::int64_t> memory(blocks * 256);
  std::int64_t* const counts = memory.data();  // [blocks, 256]
  parallel_for(n, line_block, [=](std::int64_t begin, std::int64_t end) {
    std::int64_t* const mine = counts + begin / line_block * 256;
    std::fill_n(mine, 256, 0);
    for (std::int64_t i = begin; i < end; ++i) ++mine[byte(from[i])];
  });
  std::int64_t before = 0;
  for (std::int64_t value = 0; value < 256; ++value) {
    const std::int64_t first = before;
    for (std::int64_t block = 0; block < blocks; ++block) {
      before += std::exchange(counts[block * 256 + value], before);
    }
    if (before - first == n) return false;
  }
  parallel_for(n, line_block, [=](std::int64_t begin, std::int64_t end) {
    std::int64_t* const next = counts + begin / line_block * 256;
    for (std::int64_t i = begin; i < end; ++i) to[next[byte(from[i])]++] = from[i];
  });
  return true;
}

// Sorts records in order of their places, whose keys have so many bytes. Gives the place of the
// result: either array.
template <class Record>
Record* sort_records(Record* records, Record* other, std::int64_t n, int bytes) {
  if (n <= 32 * bytes) {
    std::sort(records, records + n);
    return records;
  }
  for (int shift = 0; shift < 8 * bytes; shift += 8) {
    if (move_by_byte(records, other, n, shift)) std::swap(records, other);
  }
  return records;
}

// The `count` first in order of n records source(i), in any order, at the front of `kept`, which
// has room for 2 count.
template <class Record, class Source>
void select_first(Source source, std::int64_t n, std::int64_t count, Record* kept) {
  std::int64_t held = 0;
  const auto drop = [&] {
    std::nth_element(kept, kept + count - 1, kept + held);
    held = count;
  };
  for (std::int64_t i = 0; i < count; ++i) kept[held++] = source(i);
  Record bound = *std::max_element(kept, kept + held);
  for (std::int64_t i = count; i < n; ++i) {
    const Record record = source(i);
    if (!(record < bound)) continue;
    kept[held++] = record;
    if (held == 2 * count) {
      drop();
      bound = kept[count - 1];
    }
  }
  if (held > count) drop();
}

template <class T, class Record> class Sorter {
 public:
  static constexpr int bytes = static_cast<int>(sizeof(OrderKey<T>));

  Sorter(const SortLines& lines, bool descending, T* values, std::int64_t* indices)
      : lines_(lines),
        flip_(descending ? std::numeric_limits<OrderKey<T>>::max() : OrderKey<T>{0}),
        values_(values),
        indices_(indices) {}

  // Calls body(line of x, offset of the line of the result) for all lines.
  template <class Body> void each_line(const T* x, std::int64_t piece, Body body) const {
    if (lines_.length == 0) return;
    const Walk<2> walk(lines_.beside, lines_.x, lines_.result);
    parallel_for(walk.count(), std::max<std::int64_t>(1, piece / lines_.length),
                 [&](std::int64_t begin, std::int64_t end) {
                   walk.run(begin, end, [&](std::int64_t run, const auto& at) {
                     for (std::int64_t i = 0; i < run; ++i) {
                       body(x + at[0] + i * walk.step(0), at[1] + i * walk.step(1));
                     }
                   });
                 });
  }

  Record record(const T* line, std::int64_t i) const {
    return Record(static_cast<OrderKey<T>>(order_key(line[i * lines_.x_step]) ^ flip_), i);
  }

  // All records of a line, sorted, in either half of `memory`.
  Record* sorted(const T* line, Record* memory) const {
    const std::int64_t n = lines_.length;
    parallel_for(n, line_block, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) memory[i] = record(line, i);
    });
    return sort_records(memory, memory + n, n, bytes);
  }

  // The first records of a line, in any order, at the front of `memory`.
  void select(const T* line, std::int64_t count, Record* memory) const {
    const std::int64_t n = lines_.length, block = std::max(2 * line_block, 8 * count);
    if (n <= 2 * block) {
      return select_first([&](std::int64_t i) { return record(line, i); }, n, count, memory);
    }
    const std::int64_t blocks = (n - 1) / block + 1;
    const Scratch<Record> candidates(blocks * 2 * count);
    parallel_for(n, block, [&](std::int64_t begin, std::int64_t end) {
      select_first([&](std::int64_t i) { return record(line, begin + i); }, end - begin,
                   std::min(count, end - begin), candidates.data() + begin / block * 2 * count);
    });
    const std::int64_t in_last = std::min(count, n - (blocks - 1) * block);
    select_first(
        [&](std::int64_t i) { return candidates.data()[i / count * 2 * count + i % count]; },
        (blocks - 1) * count + in_last, count, memory);
  }

  void write(const T* line, const Record* records, std::int64_t count, std::int64_t to) const {
    parallel_for(count, line_block, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::int64_t place = records[i].place(), at = to + i * lines_.result_step;
        values_[at] = line[place * lines_.x_step];
        indices_[at] = place;
      }
    });
  }

 private:
  const SortLines& lines_;
  OrderKey<T> flip_;
  T* values_;
  std::int64_t* indices_;
};

template <class T, class Record>
void sort_lines(const SortLines& lines, bool descending, const T* x, T* values,
                std::int64_t* indices) {
  const Sorter<T, Record> sorter(lines, descending, values, indices);
  sorter.each_line(x, sorted_piece, [&](const T* line, std::int64_t to) {
    const Scratch<Record> memory(2 * lines.length);
    sorter.write(line, sorter.sorted(line, memory.data()), lines.length, to);
  });
}

template <class T, class Record>
void select_lines(const SortLines& lines, std::int64_t count, bool descending, bool sorted,
                  const T* x, T* values, std::int64_t* indices) {
  const Sorter<T, Record> sorter(lines, descending, values, indices);
  const bool most = 4 * count > lines.length;
  sorter.each_line(x, most ? sorted_piece : searched_piece, [&](const T* line, std::int64_t to) {
    const Scratch<Record> memory(2 * (most ? lines.length : count));
    Record* records = memory.data();
    if (most) {
      records = sorter.sorted(line, records);
    } else {
      sorter.select(line, count, records);
    }
    if (!sorted) {
      std::sort(records, records + count,
                [](const Record& a, const Record& b) { return a.place() < b.place(); });
    } else if (!most) {
      std::sort(records, records + count);
    }
    sorter.write(line, records, count, to);
  });
}

// Whether keys and places fit into one number.
template <class T> bool packs(const SortLines& lines) {
  return sizeof(OrderKey<T>) <= 4 && lines.length <= std::int64_t{1} << 32;
}

}  // namespace

template <class T>
void sort(const SortLines& lines, bool descending, const T* x, T* values, std::int64_t* indices) {
  packs<T>(lines) ? sort_lines<T, Packed>(lines, descending, x, values, indices)
                  : sort_lines<T, Pair>(lines, descending, x, values, indices);
}

template <class T>
void first_of_sorted(const SortLines& lines, std::int64_t count, bool descending, bool sorted,
                     const T* x, T* values, std::int64_t* indices) {
  if (count == 0) return;
  packs<T>(lines) ? select_lines<T, Packed>(lines, count, descending, sorted, x, values, indices)
                  : select_lines<T, Pair>(lines, count, descending, sorted, x, values, indices);
}

#define CADENA_INSTANTIATE(T)                                                             \
  template void sort(const SortLines&, bool, const T*, T*, std::int64_t*);                \
  template void first_of_sorted(const SortLines&, std::int64_t, bool, bool, const T*, T*, \
                                std::int64_t*);
CADENA_INSTANTIATE(bool)
CADENA_INSTANTIATE(std::uint8_t)
CADENA_INSTANTIATE(std::int64_t)
CADENA_INSTANTIATE(float)
CADENA_INSTANTIATE(double)

}  // namespace cadena::kernels
