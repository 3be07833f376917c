#include <cadena/autograd/ops/einsum_order.hpp>

#include <algorithm>
#include <bit>
#include <compare>
#include <limits>
#include <tuple>
#include <utility>

namespace cadena::ops {
namespace {

/// The largest number of operands for which all orders are tried: 3^8 = 6561 splits.
constexpr std::size_t most_for_optimum = 8;

bool fits(Labels labels) { return std::popcount(labels) <= max_rank; }

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

/// Compared from the first member on.
struct Cost {
  double multiplications = 0;
  double elements = 0;  ///< Of all results.
  auto operator<=>(const Cost&) const = default;
};
constexpr Cost impossible{std::numeric_limits<double>::infinity(), 0};

/// The best split of each set of operands, from the smallest sets on.
class Optimum {
 public:
  Optimum(std::span<const Labels> operands, Labels output, std::span<const std::int64_t> sizes)
      : count_(operands.size()), subsets_(std::size_t{1} << operands.size()) {
    for (std::uint32_t set = 1; set < subsets_.size(); ++set) {
      Subset& subset = subsets_[set];
      subset.labels = remaining_labels(operands, output, set);
      if (std::has_single_bit(set)) {
        subset.cost = {};
      } else if (fits(subset.labels)) {
        split(set, size_of_labels(subset.labels, sizes), sizes);
      }
    }
  }

  bool exists() const { return subsets_.back().cost < impossible; }

  /// Contracts all operands down to one.
  void append_to(std::vector<Contraction>& order) const {
    std::vector<std::uint32_t> places;
    for (std::size_t i = 0; i < count_; ++i) {
      places.push_back(std::uint32_t{1} << i);
    }
    contract(static_cast<std::uint32_t>(subsets_.size() - 1), places, order);
  }

 private:
  struct Subset {
    Labels labels = 0;
    Cost cost = impossible;
    std::uint32_t part = 0;
  };

  void split(std::uint32_t set, double result, std::span<const std::int64_t> sizes) {
    Subset& subset = subsets_[set];
    const std::uint32_t lowest = set & (~set + 1);
    for (std::uint32_t part = (set - 1) & set; part != 0; part = (part - 1) & set) {
      if ((part & lowest) == 0) {
        continue;  // the same split, seen from the other side
      }
      const Subset &a = subsets_[part], &b = subsets_[set ^ part];
      const Cost cost{a.cost.multiplications + b.cost.multiplications +
                          size_of_labels(a.labels | b.labels, sizes),
                      a.cost.elements + b.cost.elements + result};
      if (cost < subset.cost) {
        subset.cost = cost;
        subset.part = part;
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

  std::size_t count_;
  std::vector<Subset> subsets_;
};

/// Always the pair whose contraction makes the most of memory free, until few enough are left for
/// the optimum. A choice that leads to results of too many dimensions is taken back.
class Greedy {
 public:
  Greedy(Labels output, std::span<const std::int64_t> sizes) : output_(output), sizes_(sizes) {}

  bool append_to(std::vector<Contraction>& order, std::vector<Labels> operands) {
    if (operands.size() <= most_for_optimum) {
      const Optimum optimum(operands, output_, sizes_);
      if (optimum.exists()) {
        optimum.append_to(order);
        return true;
      }
      --tries_;
      return false;
    }
    for (const Candidate& candidate : candidates(operands)) {
      const auto [first, second] = candidate.pair;
      std::vector<Labels> rest = operands;
      rest[first] = candidate.result;
      rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(second));
      order.push_back(candidate.pair);
      if (append_to(order, std::move(rest))) {
        return true;
      }
      order.pop_back();
      if (tries_ <= 0) {
        return false;
      }
    }
    --tries_;
    return false;
  }

 private:
  struct Candidate {
    std::tuple<double, double, double> price;
    Contraction pair;
    Labels result;
  };

  /// The pairs that may be contracted, the best one first.
  std::vector<Candidate> candidates(const std::vector<Labels>& operands) const {
    Labels once = 0, twice = 0, thrice = 0;  // labels that so many operands have, or more
    for (const Labels labels : operands) {
      thrice |= twice & labels;
      twice |= once & labels;
      once |= labels;
    }
    std::vector<Candidate> found;
    for (std::size_t i = 0; i < operands.size(); ++i) {
      for (std::size_t j = i + 1; j < operands.size(); ++j) {
        const Labels both = operands[i] | operands[j];
        const Labels gone = operands[i] & operands[j] & ~thrice & ~output_;
        const Labels result = both & ~gone;
        if (fits(result)) {
          const double size = size_of_labels(result, sizes_);
          const double freed =
              size_of_labels(operands[i], sizes_) + size_of_labels(operands[j], sizes_);
          found.push_back({{size - freed, size_of_labels(both, sizes_), size}, {i, j}, result});
        }
      }
    }
    std::sort(found.begin(), found.end(), [](const Candidate& a, const Candidate& b) {
      return std::tie(a.price, a.pair.first, a.pair.second) <
             std::tie(b.price, b.pair.first, b.pair.second);
    });
    return found;
  }

  Labels output_;
  std::span<const std::int64_t> sizes_;
  int tries_ = 300;  ///< Dead ends allowed: more cost seconds, with little hope of an order.
};

}  // namespace

std::optional<std::vector<Contraction>> contraction_order(std::span<const Labels> operands,
                                                          Labels output,
                                                          std::span<const std::int64_t> sizes) {
  std::vector<Contraction> order;
  if (!Greedy(output, sizes).append_to(order, {operands.begin(), operands.end()})) {
    return std::nullopt;
  }
  return order;
}

}  // namespace cadena::ops
