// Hooks on layers.

#include "support.hpp"

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/activation.hpp>
#include <cadena/autograd/ops/arithmetic.hpp>
#include <cadena/nn/nn.hpp>

#include <utility>

using namespace cadena;
using namespace support;

namespace {

struct Model {
  nn::Hooked<nn::Linear> hidden{3, 4};
  nn::Linear output{4, 2};
  Tensor operator()(const Tensor& x) const { return output(tanh(hidden(x))); }
};

/// Counts calls.
nn::LayerHook counting(const nn::Hooked<nn::Linear>& layer, int& calls) {
  return const_cast<nn::Hooked<nn::Linear>&>(layer).hook([&](auto, const Tensor&) { ++calls; });
}

}  // namespace

TEST_CASE("a hook sees a layer's inputs and output while its handle lives") {
  Model model;
  const Tensor x = ones({5, 3});
  int calls = 0;
  Tensor seen;
  {
    const nn::LayerHook hook =
        model.hidden.hook([&](std::span<const Tensor> inputs, const Tensor& output) {
          ++calls;
          CHECK(inputs.size() == 1);
          CHECK(values(inputs[0]) == values(x));
          seen = output;
        });
    const Model copy = model;  // a copy is not watched
    copy(x);
    CHECK(calls == 0);
    model(x);
    CHECK(calls == 1);
    CHECK(values(seen) == values(model.hidden.layer(x)));
    model = nn::clone(model);
    model(x);
    CHECK(calls == 2);  // an assignment leaves the hooks of the place
  }
  model(x);
  CHECK(calls == 2);
}

TEST_CASE("a hook may replace the output, and gradients flow through what it gives") {
  nn::Hooked<nn::Linear> layer(2, 1);
  layer->weight.assign(tensor({{1.0, 2.0}}));
  layer->bias.assign(tensor({0.0}));
  nn::LayerHook doubled = layer.hook([](auto, const Tensor& output) { return 2 * output; });
  const nn::LayerHook shifted = layer.hook([](auto, const Tensor& output) { return output + 1; });
  const Tensor x = tensor({{1.0, 1.0}});
  CHECK(layer(x).item() == 7);  // in the order in which they were set
  layer(x).backward();
  CHECK(values(layer->weight.grad()) == Values{2, 2});
  doubled.remove();
  CHECK(layer(x).item() == 4);
  nn::LayerHook moved;
  {
    nn::Hooked<nn::Linear> gone(2, 1);
    moved = gone.hook([](auto, const Tensor&) {});
  }
  moved.remove();  // may outlive its layer
  // A hook that removes itself.
  int calls = 0;
  nn::LayerHook once;
  once = layer.hook([&](auto, const Tensor&) { ++calls, once.remove(); });
  layer(x);
  layer(x);
  CHECK(calls == 1);
}

TEST_CASE("hooks are for layers of several inputs and of any kind") {
  nn::Hooked<nn::Bilinear> pairs(2, 2, 1);
  std::size_t inputs = 0;
  const nn::LayerHook hook = pairs.hook([&](auto given, const Tensor&) { inputs = given.size(); });
  pairs(ones({3, 2}), ones({3, 2}));
  CHECK(inputs == 2);
  const nn::Hooked<nn::Relu> relu;
  CHECK(relu(tensor({-1.0, 2.0}))[1].item() == 2);
  const std::vector<NamedCell> named =
      nn::named_parameters(nn::Sequential{nn::Hooked<nn::Linear>(2, 2)});
  REQUIRE(named.size() == 2);
  CHECK(named[0].name == "0.weight");
  CHECK(named[1].name == "0.bias");
}

TEST_CASE("a hook keeps its own state from call to call") {
  nn::Hooked<nn::Linear> layer(2, 1);
  int last = 0;
  const nn::LayerHook hook =
      layer.hook([&last, calls = 0](auto, const Tensor&) mutable { last = ++calls; });
  const Tensor x = ones({1, 2});
  layer(x);
  layer(x);
  layer(x);
  CHECK(last == 3);
}

TEST_CASE("a hook removed during a call does not run, one set during a call runs the next time") {
  nn::Hooked<nn::Linear> layer(2, 1);
  const Tensor x = ones({1, 2});
  int calls = 0;
  nn::LayerHook second;
  {
    const nn::LayerHook first = layer.hook([&](auto, const Tensor&) { second.remove(); });
    second = counting(layer, calls);
    layer(x);
    CHECK(calls == 0);
  }
  nn::LayerHook added;
  bool set = false;
  const nn::LayerHook adds = layer.hook([&](auto, const Tensor&) {
    if (!std::exchange(set, true)) added = counting(layer, calls);
  });
  layer(x);
  CHECK(calls == 0);
  layer(x);
  CHECK(calls == 1);
  check_error([&] { static_cast<void>(layer.hook(nn::LayerFunction())); }, {"Hooked", "empty"});
}

TEST_CASE("a swap of layers or of models swaps their hooks") {
  Model one, other;
  int calls_of_one = 0, calls_of_other = 0;
  const nn::LayerHook first = counting(one.hidden, calls_of_one);
  const nn::LayerHook second = counting(other.hidden, calls_of_other);
  const Tensor x = ones({1, 3});
  const Values before = values(one.hidden.layer(x));
  std::swap(one.hidden, other.hidden);
  CHECK(values(other.hidden(x)) == before);
  CHECK(calls_of_one == 1);
  one.hidden(x);
  CHECK(calls_of_other == 1);
  std::swap(one, other);
  one(x);
  CHECK(calls_of_one == 2);

  Model plain;  // a side without hooks
  std::swap(plain, one);
  plain(x);
  one(x);
  CHECK(calls_of_one == 3);
  other = std::move(plain);  // those of the place stay
  other(x);
  CHECK(calls_of_other == 2);
  CHECK(calls_of_one == 3);
}
