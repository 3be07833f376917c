// Four ways to find what is wrong: see docs/finding-errors.md. Prints an Error of AnomalyMode, a
// profile, and what assert_reproducible has compared.

#include <cadena/cadena.hpp>

namespace cd = cadena;
using cd::Tensor;

namespace {

struct Mlp {
  cd::nn::Linear hidden{784, 128};
  cd::nn::Linear output{128, 10};
  Tensor operator()(const Tensor& images) const { return output(cd::relu(hidden(images))); }
};

/// The distance of points from the origin. Its derivative is infinite there.
Tensor distance(const Tensor& points) { return cd::sqrt(cd::sum(cd::square(points), {1})); }

void find_what_is_not_finite() {
  const cd::AnomalyMode anomaly;
  const Tensor points = cd::tensor({{3.0, 4.0}, {0.0, 0.0}}, {.requires_grad = true});
  try {
    cd::sum(distance(points)).backward();
  } catch (const cd::Error& error) {
    fmt::print("{}\n", error.what());
  }
}

}  // namespace

int main() {
  find_what_is_not_finite();

  Mlp model;
  cd::optim::Adam optimizer(cd::nn::parameters(model));
  const Tensor images = cd::rand({64, 784}), labels = cd::randint(0, 10, {64});
  auto step = [&] {
    optimizer.zero_grad();
    cd::nn::cross_entropy(model(images), labels).backward();
    optimizer.step();
  };
  step();  // the first one makes the kernels of products
  {
    const cd::Profiler profiler;
    for (int i = 0; i < 20; ++i) {
      step();
    }
    fmt::print("{}\n", profiler);
    profiler.write_chrome_trace("find_nan_trace.json");
  }

  std::vector<cd::NamedCell> cells = cd::nn::named_parameters(model);
  for (const cd::NamedCell& state : optimizer.named_state()) {
    cells.push_back(state);
  }
  const cd::ReproducibleReport report = cd::assert_reproducible(step, cells);
  fmt::print("{} operators and {} cells have the same bits at 1, 2 and 8 threads\n",
             report.operators, report.cells);
}
