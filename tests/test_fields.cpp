// The walker over the fields of structs: counting, names, what is walked and what is refused.

#include "support.hpp"

#include <cadena/autograd/core/create.hpp>
#include <cadena/nn/module.hpp>

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace cd = cadena;
using support::error_of;

namespace {

struct Layer {
  cd::Parameter weight{cd::zeros({2, 3})};
  cd::Parameter bias{cd::zeros({2})};
};

/// A class that lists its fields, with no default constructor and private members.
class Scaled {
 public:
  explicit Scaled(double factor) : scale_(cd::full({1}, factor)), factor_(factor) {}
  const cd::Parameter& scale() const { return scale_; }
  static auto fields() { return cd::fields<&Scaled::scale_, &Scaled::factor_, &Scaled::mode>{}; }

 private:
  cd::Parameter scale_;
  double factor_;

 public:
  cd::nn::Mode mode;
};

struct Base {
  cd::Parameter shift{cd::zeros({4})};
};

class Derived : public Base {
 public:
  Derived() : head(2) {}
  Scaled head;
  static auto fields() { return cd::fields<&Derived::shift, &Derived::head>{}; }
};

template <class Model> std::vector<std::string> names(Model& model) {
  std::vector<std::string> result;
  for (const cd::NamedCell& named : cd::nn::named_parameters(model)) {
    result.push_back(named.name);
  }
  return result;
}

using Names = std::vector<std::string>;

enum class Kind { small, large };

int twice(int x) { return 2 * x; }

}  // namespace

TEST_CASE("an aggregate's fields are counted and named") {
  struct Mlp {
    Layer hidden;
    Layer output_;
  };
  Mlp model;
  CHECK(names(model) == Names{"hidden.weight", "hidden.bias", "output.weight", "output.bias"});
  const Mlp constant;
  CHECK(names(constant).size() == 4);
  CHECK(cd::nn::parameters(Mlp{}).size() == 4);
}

TEST_CASE("all kinds of containers are walked") {
  struct Model {
    std::vector<Layer> blocks{2};
    std::array<Layer, 2> pair;
    Layer plain[2];
    std::optional<Layer> absent;
    std::optional<Layer> present{Layer{}};
    std::tuple<int, Layer> mixed;
    std::pair<Layer, std::string> named;
    std::unique_ptr<Layer> owned = std::make_unique<Layer>();
    std::shared_ptr<Layer> shared = std::make_shared<Layer>();
    std::shared_ptr<Layer> nothing;
    std::map<std::string, Layer> by_name;
    std::variant<int, Layer> choice = Layer{};
    std::vector<std::vector<Scaled>> deep{{Scaled(1)}, {Scaled(2), Scaled(3)}};
    Layer last;
  };
  Model model;
  model.by_name["left"];
  Names expected;
  for (const char* name :
       {"blocks.0", "blocks.1", "pair.0", "pair.1", "plain.0", "plain.1", "present", "mixed.1",
        "named.0", "owned", "shared", "by_name.left", "choice"}) {
    expected.push_back(std::string(name) + ".weight");
    expected.push_back(std::string(name) + ".bias");
  }
  for (const char* name :
       {"deep.0.0.scale", "deep.1.0.scale", "deep.1.1.scale", "last.weight", "last.bias"}) {
    expected.emplace_back(name);
  }
  CHECK(names(model) == expected);
  std::vector<Layer> layers(2);
  CHECK(names(layers) == Names{"0.weight", "0.bias", "1.weight", "1.bias"});
}

TEST_CASE("plain values are skipped") {
  struct Model {
    int count = 3;
    double rate = 0.5;
    bool flag = true;
    Kind kind = Kind::large;
    std::string text = "a";
    const char* literal = "b";
    std::vector<double> numbers{1, 2};
    std::vector<bool> flags{true};
    std::map<int, double> by_number;
    cd::Generator generator;
    int (*pointer)(int) = twice;
    decltype([](int x) { return x + 1; }) lambda;
    cd::Shape shape{1, 2};
    cd::Dtype dtype = cd::float32;
    std::optional<double> maybe;
    Layer layer;
  };
  Model model;
  CHECK(names(model) == Names{"layer.weight", "layer.bias"});
  struct Empty {};
  CHECK(cd::nn::parameters(Empty{}).empty());
}

TEST_CASE("classes list their fields, those of a base included") {
  Derived model;
  CHECK(names(model) == Names{"shift", "head.scale"});
  CHECK(model.head.mode.training());
  cd::nn::eval(model);
  CHECK_FALSE(model.head.mode.training());
  cd::nn::train(model);
  CHECK(model.head.mode.training());
}

TEST_CASE("thirty-two fields are read as they are") {
  struct Wide {
    Layer a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p;
    int q = 0, r = 0, s = 0, t = 0, u = 0, v = 0, w = 0, x = 0;
    Scaled y{1}, z{2};
    Layer aa, ab, ac, ad, ae, af;
  };
  CHECK(cd::detail::field_count<Wide> == 32);
  Wide model;
  const Names all = names(model);
  REQUIRE(all.size() == 16 * 2 + 2 + 6 * 2);
  CHECK(all[32] == "y.scale");
  CHECK(all.back() == "af.bias");
}

TEST_CASE("fields without a default are counted, before and after others") {
  struct Model {
    Scaled first;
    Layer arrays[2][2];
    Scaled second[2];
    int number;
    Scaled third;
  };
  Model model{Scaled(1), {}, {Scaled(2), Scaled(3)}, 4, Scaled(5)};
  CHECK(cd::detail::field_count<Model> == 5);
  CHECK(names(model) == Names{"first.scale", "arrays.0.0.weight", "arrays.0.0.bias",
                              "arrays.0.1.weight", "arrays.0.1.bias", "arrays.1.0.weight",
                              "arrays.1.0.bias", "arrays.1.1.weight", "arrays.1.1.bias",
                              "second.0.scale", "second.1.scale", "third.scale"});
}

TEST_CASE("a struct may hold itself in a container") {
  struct Tree {
    Layer layer;
    std::vector<Tree> children;
  };
  Tree model;
  model.children.resize(2);
  model.children[1].children.resize(1);
  CHECK(names(model).size() == 8);
  CHECK(names(model).back() == "children.1.children.0.layer.bias");
}

TEST_CASE("two parameters of one name are an error") {
  struct Model {
    cd::Parameter weight{cd::zeros({1})};
    cd::Parameter weight_{cd::zeros({2})};
  };
  CHECK(error_of([] { cd::nn::parameters(Model{}); })
            .find("two parameters or buffers are called "
                  "weight") != std::string::npos);
}

TEST_CASE("a model that holds itself is an error") {
  struct Node {
    Layer layer;
    std::shared_ptr<Node> next;
  };
  Node model;
  model.next = std::make_shared<Node>();
  model.next->next = std::make_shared<Node>();
  CHECK(names(model).size() == 6);
  model.next->next->next = model.next;
  CHECK(error_of([&] { cd::nn::parameters(model); })
            .find("next.next.next points to an object that "
                  "holds it") != std::string::npos);
  CHECK_THROWS_AS(cd::nn::clone(model), cd::Error);
  model.next->next->next = nullptr;
}

TEST_CASE("an undefined parameter is absent") {
  struct Model {
    cd::Parameter weight{cd::zeros({1})};
    cd::Parameter bias;
    cd::Buffer mean{cd::zeros({3})};
  };
  Model model;
  CHECK(names(model) == Names{"weight"});
  CHECK(cd::nn::parameters(model).size() == 1);
  REQUIRE(cd::nn::named_buffers(model).size() == 1);
  CHECK(cd::nn::named_buffers(model)[0].name == "mean");
  CHECK_FALSE(cd::nn::buffers(model)[0].requires_grad());
}

TEST_CASE("what cannot be a field is known as such") {
  int captured = 0;
  auto lambda = [captured] { return captured; };
  struct Hidden {
    explicit Hidden(int n) : number(n) {}
    int number;
  };
  using cd::nn::Walkable;
  STATIC_REQUIRE(Walkable<Layer>);
  STATIC_REQUIRE(Walkable<std::vector<Layer>>);
  STATIC_REQUIRE(Walkable<Scaled>);
  STATIC_REQUIRE(Walkable<int>);
  STATIC_REQUIRE_FALSE(Walkable<cd::Tensor>);
  STATIC_REQUIRE_FALSE(Walkable<cd::Cell>);
  STATIC_REQUIRE_FALSE(Walkable<decltype(lambda)>);
  STATIC_REQUIRE_FALSE(Walkable<Hidden>);
  STATIC_REQUIRE_FALSE(Walkable<Layer*>);
  STATIC_REQUIRE_FALSE(Walkable<std::function<int(int)>>);
  STATIC_REQUIRE_FALSE(Walkable<std::map<int, Layer>>);
  struct Inherits : Layer {
    int more = 0;
  };
  STATIC_REQUIRE_FALSE(Walkable<Inherits>);
}

TEST_CASE("the size of listed members finds a forgotten one") {
  using cd::detail::size_of_members;
  struct Pair {
    double first;
    char second;
    Layer third;
  };
  STATIC_REQUIRE(size_of_members<Pair, &Pair::first, &Pair::second, &Pair::third>() ==
                 sizeof(Pair));
  STATIC_REQUIRE(size_of_members<Pair, &Pair::first, &Pair::third>() != sizeof(Pair));
  STATIC_REQUIRE(size_of_members<Pair, &Pair::first, &Pair::second>() != sizeof(Pair));
}

namespace {

struct Opaque {
  explicit Opaque(int n) : number(n) {}
  int number;
};

class Partial {
 public:
  Layer layer;
  static auto fields() { return cd::some_fields<&Partial::layer>{}; }

 private:
  int* cache_ = nullptr;

 public:
  const int* cache() const { return cache_; }
};

}  // namespace

template <> inline constexpr bool cadena::plain_value<Opaque> = true;
template <> inline constexpr bool cadena::plain_value<std::function<double(double)>> = true;

TEST_CASE("fields can be left out on purpose") {
  struct Model {
    Opaque opaque{1};
    std::function<double(double)> schedule;
    Partial partial;
  };
  Model model;
  CHECK(names(model) == Names{"partial.layer.weight", "partial.layer.bias"});
}
