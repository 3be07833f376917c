#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/ops/random.hpp>
#include <cadena/data/synthetic.hpp>

#include <cmath>
#include <numbers>

namespace cadena::data {

TensorDataset spirals(SpiralsOptions options) {
  if (options.arms < 1 || options.samples_per_arm < 0) {
    fail("spirals: expected at least 1 arm and 0 samples, got {} and {}", options.arms,
         options.samples_per_arm);
  }
  if (!(options.noise >= 0) || !std::isfinite(options.noise) || !std::isfinite(options.turns)) {
    fail("spirals: noise must be at least 0 and turns finite, got {} and {}", options.noise,
         options.turns);
  }
  check_shape({options.arms, options.samples_per_arm, 2}, "spirals");
  const std::int64_t count = options.arms * options.samples_per_arm;
  const Tensor off_line = randn({2 * count}, {.dtype = float64}, Generator(options.seed));
  const std::span<const double> noise = off_line.data<double>();

  detail::Ref<detail::TensorImpl> points = detail::make_impl(float32, {count, 2});
  detail::Ref<detail::TensorImpl> labels = detail::make_impl(int64, {count});
  auto* point = reinterpret_cast<float*>(points->data);
  auto* label = reinterpret_cast<std::int64_t*>(labels->data);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t arm = i % options.arms, place = i / options.arms;
    const double radius =
        (static_cast<double>(place) + 0.5) / static_cast<double>(options.samples_per_arm);
    const double angle =
        2 * std::numbers::pi *
        (options.turns * radius + static_cast<double>(arm) / static_cast<double>(options.arms));
    const auto k = static_cast<std::size_t>(2 * i);
    *point++ = static_cast<float>(radius * std::cos(angle) + options.noise * noise[k]);
    *point++ = static_cast<float>(radius * std::sin(angle) + options.noise * noise[k + 1]);
    *label++ = arm;
  }
  return {Tensor(std::move(points)), Tensor(std::move(labels))};
}

}  // namespace cadena::data
