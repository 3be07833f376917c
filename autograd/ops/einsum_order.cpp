#include <cadena/autograd/ops/einsum_order.hpp>

#include <bit>
#include <limits>
#include <utility>

namespace cadena::ops {
namespace {

/// The largest number of operands for which all orders are tried: 3^8 = 6561 splits.
constexpr std::size_t most_for_optimum = 8;

double size_of_labels(Labels labels, std::span<const std::int64_t> sizes) {
  double size = 1;
  for (; labels != 0; labels &= labels - 1) {
    size *= static_cast<double>(sizes[static_cast<std::size_t>(std::countr_zero(labels))]);
  }
  return size;
}

/// The labels of the operands in `members` (one bit an operand) that the output or any of the other
/// operands has: what remains when those have been contracted.
Labels remaining_labels(std::span<const Labels> operands, Labels output, std::uint32_t members) {
  Labels inside = 0, needed = output;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    ((members >> i & 1) != 0 ? inside : needed) |= operands[i];
  }
  return inside & needed;
}

/// The best split of each set of operands, from the smallest sets on.
class Optimum {
 public:
  Optimum(std::span<const Labels> operands, Labels output, std::span<const std::int64_t> sizes)
      : subsets_(std::size_t{1} << operands.size()) {
    for (std::uint32_t set = 1; set < subsets_.size(); ++set) {
      Subset& subset = subsets_[set];
      subset.labels = remaining_labels(operands, output, set);
      if (std::has_single_bit(set)) {
        subset.cost = 0;
        continue;
      }
      const std::uint32_t lowest = set & (~set + 1);
      for (std::uint32_t part = (set - 1) & set; part != 0; part = (part - 1) & set) {
        if ((part & lowest) == 0) {
          continue;  // the same split, seen from the other side
        }
        const Subset &a = subsets_[part], &b = subsets_[set ^ part];
        const double cost = a.cost + b.cost + size_of_labels(a.labels | b.labels, sizes);
        if (cost < subset.cost) {
          subset.cost = cost;
          subset.part = part;
        }
      }
    }
  }

  /// Contracts a set down to one operand. `places` holds the members of those that are left.
  void contract(std::uint32_t set, std::vector<std::uint32_t>& places,
                std::vector<Contraction>& order) const {
    if (std::has_single_bit(set)) {
      return;
    }
    const std::uint32_t part = subsets_[set].part;
    contract(part, places, order);
    contract(set ^ part, places, order);
    std::size_t first = 0, second = 0;
    for (std::size_t i = 0; i < places.size(); ++i) {
      first = places[i] == part ? i : first;
      second = places[i] == (set ^ part) ? i : second;
    }
    if (first > second) {
      std::swap(first, second);
    }
    order.push_back({first, second});
    places[first] = set;
    places.erase(places.begin() + static_cast<std::ptrdiff_t>(second));
  }

 private:
  struct Subset {
    Labels labels = 0;
    double cost = std::numeric_limits<double>::infinity();
    std::uint32_t part = 0;
  };
  std::vector<Subset> subsets_;
};

/// Always the pair whose contraction makes the most of memory free, of equal ones the cheapest.
std::vector<Contraction> greedy_order(std::vector<Labels> operands, Labels output,
                                      std::span<const std::int64_t> sizes) {
  const std::vector<Labels> given = operands;
  for (std::size_t i = 0; i < given.size(); ++i) {
    Labels needed = output;
    for (std::size_t k = 0; k < given.size(); ++k) {
      needed |= k == i ? 0 : given[k];
    }
    operands[i] &= needed;
  }
  std::vector<Contraction> order;
  while (operands.size() > 1) {
    Contraction best{0, 1};
    Labels result = 0;
    std::pair<double, double> least{std::numeric_limits<double>::infinity(), 0};
    for (std::size_t i = 0; i < operands.size(); ++i) {
      for (std::size_t j = i + 1; j < operands.size(); ++j) {
        Labels needed = output;
        for (std::size_t k = 0; k < operands.size(); ++k) {
          needed |= k == i || k == j ? 0 : operands[k];
        }
        const Labels both = operands[i] | operands[j];
        const std::pair<double, double> price{size_of_labels(both & needed, sizes) -
                                                  size_of_labels(operands[i], sizes) -
                                                  size_of_labels(operands[j], sizes),
                                              size_of_labels(both, sizes)};
        if (price < least) {
          least = price;
          best = {i, j};
          result = both & needed;
        }
      }
    }
    order.push_back(best);
    operands[best.first] = result;
    operands.erase(operands.begin() + static_cast<std::ptrdiff_t>(best.second));
  }
  return order;
}

}  // namespace

std::vector<Contraction> contraction_order(std::span<const Labels> operands, Labels output,
                                           std::span<const std::int64_t> sizes) {
  if (operands.size() > most_for_optimum) {
    return greedy_order({operands.begin(), operands.end()}, output, sizes);
  }
  std::vector<Contraction> order;
  std::vector<std::uint32_t> places;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    places.push_back(std::uint32_t{1} << i);
  }
  if (operands.size() > 1) {
    const Optimum optimum(operands, output, sizes);
    optimum.contract((std::uint32_t{1} << operands.size()) - 1, places, order);
  }
  return order;
}

}  // namespace cadena::ops
