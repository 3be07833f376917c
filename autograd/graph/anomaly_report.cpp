#include <cadena/autograd/graph/anomaly_report.hpp>
#include <cadena/autograd/kernels/parallel.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <limits>
#include <span>

namespace cadena::detail {
namespace {

/// By their bits, which any compiler vectorises: an exponent of ones alone.
template <class T> bool are_finite(std::span<const T> values) noexcept {
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  constexpr Bits exponent = std::bit_cast<Bits>(std::numeric_limits<T>::infinity());
  Bits bad = 0;
  for (const T value : values) {
    bad |= static_cast<Bits>((std::bit_cast<Bits>(value) & exponent) == exponent);
  }
  return bad == 0;
}

/// f(position, value) for each element in row-major order.
template <class F> void visit(const Tensor& x, F&& f) {
  std::int64_t position = 0;
  dispatch(x.dtype(), [&]<class T>() {
    for_each<T>(*x.impl(), [&](T value) { f(position++, static_cast<double>(value)); });
  });
}

std::string place(std::int64_t position, const Shape& shape) {
  return shape.empty() ? "" : fmt::format(" at {}", unravel(position, shape));
}

/// The shortest text that gives the number in its dtype.
std::string number(double value, Dtype dtype) {
  return dtype == Dtype::float32 ? fmt::format("{}", static_cast<float>(value))
                                 : fmt::format("{}", value);
}

}  // namespace

bool all_finite(const Tensor& x) {
  const TensorImpl& impl = *x.impl();
  if (!is_floating(impl.dtype)) {
    return true;
  }
  return dispatch_floating(impl.dtype, "AnomalyMode", [&]<class T>() {
    std::atomic<bool> finite{true};
    if (!impl.contiguous()) {
      for_each<T>(impl, [&, all = true](T value) mutable {
        if (all && !std::isfinite(value)) {
          all = false;
          finite = false;
        }
      });
      return finite.load();
    }
    const T* data = reinterpret_cast<const T*>(impl.data);
    constexpr std::int64_t grain = std::int64_t{1} << 17;  // bytes; 10 to 20 us
    parallel_for(numel(impl.shape), grain / static_cast<std::int64_t>(sizeof(T)),
                 [&](std::int64_t begin, std::int64_t end) {
                   if (!are_finite(std::span(data + begin, data + end))) {
                     finite.store(false, std::memory_order_relaxed);
                   }
                 });
    return finite.load();
  });
}

std::optional<BadElements> find_bad(const Tensor& x, bool nan, bool infinity,
                                    const std::vector<bool>& passed) {
  if (all_finite(x)) {
    return std::nullopt;
  }
  BadElements bad;
  bool found = false;
  visit(x, [&](std::int64_t position, double value) {
    bad.nan += std::isnan(value) ? 1 : 0;
    bad.infinite += std::isinf(value) ? 1 : 0;
    if (!found && ((nan && std::isnan(value)) ||
                   (infinity && std::isinf(value) &&
                    (passed.empty() || !passed[static_cast<std::size_t>(position)])))) {
      found = true;
      bad.first = position;
      bad.value = value;
    }
  });
  return found ? std::optional(bad) : std::nullopt;
}

std::string describe_bad(const Tensor& x, const BadElements& bad) {
  return fmt::format("{} {}, {} NaN and {} infinite of {}, the first{}: {}", name(x.dtype()),
                     x.shape(), bad.nan, bad.infinite, x.numel(), place(bad.first, x.shape()),
                     std::isnan(bad.value) ? std::abs(bad.value) : bad.value);
}

std::string describe(const Tensor& x, const Shape& beside, std::int64_t position) {
  std::int64_t finite = 0, nan = 0, infinite = 0, zeros = 0;
  double least = HUGE_VAL, most = -HUGE_VAL, sum = 0, here = 0;
  visit(x, [&](std::int64_t at, double value) {
    here = at == position ? value : here;
    nan += std::isnan(value) ? 1 : 0;
    infinite += std::isinf(value) ? 1 : 0;
    zeros += value == 0 ? 1 : 0;
    if (std::isfinite(value)) {
      ++finite;
      least = std::min(least, value);
      most = std::max(most, value);
      sum += value;
    }
  });
  std::string text = fmt::format("{} {}", name(x.dtype()), x.shape());
  if (finite > 0) {
    text += fmt::format(", min {}, max {}, mean {:.6g}", number(least, x.dtype()),
                        number(most, x.dtype()), sum / static_cast<double>(finite));
  }
  text +=
      fmt::format(", {} NaN, {} infinite, {} zero{}", nan, infinite, zeros, zeros == 1 ? "" : "s");
  if (x.shape() == beside && x.dim() > 0) {
    text += fmt::format(";{}: {}", place(position, beside), number(here, x.dtype()));
  }
  return text;
}

}  // namespace cadena::detail
