// Trust, but verify: gradcheck on a model, and on an operator with a wrong derivative, which it
// finds inside of a larger expression.

#include <cadena/autograd/graph/operator.hpp>
#include <cadena/cadena.hpp>

namespace cd = cadena;
using cd::Tensor;

struct Mlp {
  cd::nn::Linear hidden{4, 8};
  cd::nn::Linear output{8, 3};
  Tensor operator()(const Tensor& x) const { return output(cd::tanh(hidden(x))); }
};

// x³ with a derivative that is wrong by a factor.
struct Cube {
  static constexpr cd::Doc doc{"cube", "x^3"};
  static constexpr cd::Keep keep = cd::Keep::inputs;
  cd::Types infer(std::span<const cd::Type> in) const { return {in[0]}; }
  void run(cd::Inputs in, cd::Outputs out) const {
    cd::dispatch_floating(in[0].dtype(), doc.name, [&]<class T>() {
      const T* x = in[0].data<T>();
      T* y = out[0].data<T>();
      for (std::int64_t i = 0; i < in[0].numel(); ++i) {
        y[i] = x[i] * x[i] * x[i];
      }
    });
  }
  cd::Gradients vjp(const cd::Backward& b) const {
    return {b.grad() * 2 * cd::square(b.in(0))};  // the derivative is 3x²
  }
  bool operator==(const Cube&) const = default;
};

int main() {
  cd::manual_seed(0);
  const Tensor x = cd::randn({5, 4});
  const Tensor labels = cd::tensor({0, 2, 1, 1, 0});

  const Mlp model;
  const auto loss = [&](const Mlp& m, const auto& in) {
    return cd::nn::cross_entropy(m(in[0]), labels);
  };
  const cd::GradcheckReport good = cd::gradcheck(model, loss, {x}, {.order = 2});
  fmt::print("A model and its loss, first and second order:\n{}\n\n", good);

  const auto wrong = [](const auto& in) {
    return cd::sum(cd::sin(cd::bind(Cube{}, cd::exp(in[0]))) * in[0]);
  };
  const cd::GradcheckReport bad = cd::gradcheck(wrong, {x});
  fmt::print("A wrong derivative inside of an expression:\n{}\n", bad);
  return good.passed() && !bad.passed() && bad.culprit && bad.culprit->name == "cube" ? 0 : 1;
}
