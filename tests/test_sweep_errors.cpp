// Every operator of the one list with wrong ranks, dtypes, shapes, axes and undefined tensors: a
// valid result, or an Error that names the operator and what was wrong. Nothing else.

#include "sweep.hpp"

#include <map>
#include <regex>

using namespace sweep;

namespace {

/// What an Error about an input has to mention: a shape, a dtype, an axis, an index.
bool says_what(const std::string& text) {
  static const std::regex detail(
      R"(\[.*\]|float32|float64|int64|boolean|uint8|undefined|dimension|axis|axes|0-d)");
  return std::regex_search(text, detail);
}

struct Tally {
  int valid = 0, errors = 0;
};

/// Applies a sample's call; gradients of what works must work or be an Error as well.
void try_call(const OperatorEntry& entry, const OperatorCall& call, const Inputs& inputs,
              Tally& tally) {
  std::string given;
  for (const Tensor& input : inputs) {
    given += input.defined() ? fmt::format(" {} {}", name(input.dtype()), input.shape())
                             : std::string(" undefined");
  }
  INFO(entry.doc.name << " of" << given);
  std::string text;
  try {
    Inputs leaves;
    for (const Tensor& input : inputs) {
      const bool takes = input.defined() && is_floating(input.dtype());
      leaves.push_back(takes ? input.requires_grad_leaf() : input);
    }
    const Tensor result = call(leaves);
    REQUIRE(result.defined());
    // Everything is read: memory beyond the values would be seen by a sanitizer.
    CHECK(static_cast<std::int64_t>(result.to_vector<double>().size()) == result.numel());
    if (result.requires_grad()) {
      result.backward(ones_like(result));
      for (const Tensor& leaf : leaves) {
        if (leaf.defined() && leaf.grad().defined()) {
          CHECK(leaf.grad().shape() == leaf.shape());
          CHECK(leaf.grad().dtype() == leaf.dtype());
        }
      }
    }
    ++tally.valid;
    return;
  } catch (const Error& error) {
    text = error.what();
  } catch (const std::exception& other) {
    FAIL_CHECK("not an Error: " << other.what());
    return;
  }
  ++tally.errors;
  INFO(text);
  CHECK(text.starts_with(entry.doc.name + std::string(":")));
  CHECK(says_what(text));
}

Tensor filled(const Shape& shape, Dtype dtype) {
  const Tensor values = sample_values(shape, 0, 2.5, 3);
  return dtype == boolean ? (values.to(int64).to(boolean)) : values.to(dtype);
}

/// All ways in which one input is made wrong.
Inputs mutations(const Tensor& x) {
  const NoGrad none;
  Inputs result{Tensor()};
  for (Dtype dtype : all_dtypes) {
    result.push_back(filled(x.shape(), dtype));
  }
  const std::int64_t sizes[] = {2, 3, 1, 4, 2};
  Shape shape;
  for (int rank = 0; rank <= 5; ++rank) {
    result.push_back(filled(shape, x.dtype()));
    result.push_back(filled(shape, float32));
    result.push_back(filled(shape, int64));
    if (rank < 5) {
      shape.push_back(sizes[rank]);
    }
  }
  for (int axis = 0; axis < x.dim(); ++axis) {
    for (std::int64_t size : {std::int64_t{0}, std::int64_t{1}, x.shape()[axis] + 1}) {
      Shape other = x.shape();
      other[axis] = size;
      result.push_back(filled(other, x.dtype()));
    }
  }
  Shape more = x.shape();
  more.insert(0, 2);
  result.push_back(filled(more, x.dtype()));
  return result;
}

}  // namespace

TEST_CASE("every operator with one wrong input gives a result or a clear Error") {
  Tally total;
  for (const OperatorEntry& entry : operators().entries()) {
    Tally tally;
    for (const Sample& sample : entry.samples) {
      INFO(sample.what);
      for (std::size_t k = 0; k < sample.inputs.size(); ++k) {
        for (const Tensor& wrong : mutations(sample.inputs[k])) {
          Inputs inputs = sample.inputs;
          inputs[k] = wrong;
          try_call(entry, sample.call, inputs, tally);
        }
      }
    }
    INFO(entry.doc.name);
    CHECK(tally.errors > 0);  // an undefined tensor at least
    total.valid += tally.valid;
    total.errors += tally.errors;
  }
  CHECK(total.valid > 1000);
  CHECK(total.errors > 1000);
}

TEST_CASE("every operator with all inputs wrong in the same way") {
  Tally tally;
  for (const OperatorEntry& entry : operators().entries()) {
    for (const Sample& sample : entry.samples) {
      INFO(sample.what);
      const std::size_t ways = mutations(sample.inputs[0]).size();
      for (std::size_t way = 0; way < ways; ++way) {
        Inputs inputs;
        for (const Tensor& input : sample.inputs) {
          const Inputs all = mutations(input);
          inputs.push_back(all[std::min(way, all.size() - 1)]);
        }
        try_call(entry, sample.call, inputs, tally);
      }
    }
  }
  CHECK(tally.errors > 100);
}

TEST_CASE("every operator with an axis beyond the tensor's") {
  using Along = std::function<Tensor(const Tensor&, std::int64_t)>;
  const Tensor index = tensor({0, 1});
  const auto indices_like = [](const Tensor& x) { return zeros_like(x).to(int64); };
  const std::map<std::string, Along> operators{
      {"sum", [](auto& x, auto a) { return sum(x, {a}); }},
      {"mean", [](auto& x, auto a) { return mean(x, {a}); }},
      {"var", [](auto& x, auto a) { return var(x, {a}); }},
      {"amax", [](auto& x, auto a) { return amax(x, {a}); }},
      {"amin", [](auto& x, auto a) { return amin(x, {a}); }},
      {"argmax", [](auto& x, auto a) { return argmax(x, a); }},
      {"argmin", [](auto& x, auto a) { return argmin(x, a); }},
      {"max", [](auto& x, auto a) { return max(x, a).values; }},
      {"min", [](auto& x, auto a) { return min(x, a).values; }},
      {"std", [](auto& x, auto a) { return cadena::std(x, {a}); }},
      {"prod", [](auto& x, auto a) { return prod(x, {a}); }},
      {"any", [](auto& x, auto a) { return any(x, {a}); }},
      {"all", [](auto& x, auto a) { return all(x, {a}); }},
      {"count_nonzero", [](auto& x, auto a) { return count_nonzero(x, {a}); }},
      {"norm", [](auto& x, auto a) { return norm(x, 2, {a}); }},
      {"logsumexp", [](auto& x, auto a) { return logsumexp(x, {a}); }},
      {"softmax", [](auto& x, auto a) { return softmax(x, a); }},
      {"log_softmax", [](auto& x, auto a) { return log_softmax(x, a); }},
      {"normalized_logistic", [](auto& x, auto a) { return normalized_logistic(x, a); }},
      {"flatten", [](auto& x, auto a) { return flatten(x, a); }},
      {"permute",
       [](auto& x, auto a) {
         return permute(x, {0, a});
       }},
      {"transpose", [](auto& x, auto a) { return transpose(x, a, 0); }},
      {"squeeze", [](auto& x, auto a) { return squeeze(x, {a}); }},
      {"unsqueeze", [](auto& x, auto a) { return unsqueeze(x, a); }},
      {"slice", [](auto& x, auto a) { return slice(x, a, 0, 1); }},
      {"narrow", [](auto& x, auto a) { return narrow(x, a, 0, 1); }},
      {"select", [](auto& x, auto a) { return select(x, a, 0); }},
      {"flip", [](auto& x, auto a) { return flip(x, a); }},
      {"roll", [](auto& x, auto a) { return roll(x, 1, a); }},
      {"repeat_interleave", [](auto& x, auto a) { return repeat_interleave(x, 2, a); }},
      {"movedim", [](auto& x, auto a) { return movedim(x, a, 0); }},
      {"unflatten", [](auto& x, auto a) { return unflatten(x, a, 2); }},
      {"diagonal", [](auto& x, auto a) { return diagonal(x, 0, a, 0); }},
      {"index_select", [&](auto& x, auto a) { return index_select(x, a, index); }},
      {"index_add", [&](auto& x, auto a) { return index_add(x, a, index, x); }},
      {"gather", [&](auto& x, auto a) { return gather(x, a, indices_like(x)); }},
      {"scatter_add", [&](auto& x, auto a) { return scatter_add(x, a, indices_like(x), x); }},
      {"cumsum", [](auto& x, auto a) { return cumsum(x, a); }},
      {"cumprod", [](auto& x, auto a) { return cumprod(x, a); }},
      {"logcumsumexp", [](auto& x, auto a) { return logcumsumexp(x, a); }},
      {"cummax", [](auto& x, auto a) { return cummax(x, a).values; }},
      {"cummin", [](auto& x, auto a) { return cummin(x, a).values; }},
      {"sort", [](auto& x, auto a) { return sort(x, a).values; }},
      {"argsort", [](auto& x, auto a) { return argsort(x, a); }},
      {"topk", [](auto& x, auto a) { return topk(x, 1, a).values; }},
      {"cat",
       [](auto& x, auto a) {
         return cat({x, x}, a);
       }},
      {"stack",
       [](auto& x, auto a) {
         return stack({x, x}, a);
       }},
      {"split", [](auto& x, auto a) { return split(x, 1, a)[0]; }},
      {"chunk", [](auto& x, auto a) { return chunk(x, 2, a)[0]; }},
      {"unbind", [](auto& x, auto a) { return unbind(x, a)[0]; }},
  };
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max();
  for (const auto& [name, along] : operators) {
    for (std::int64_t axis :
         {std::int64_t{3}, std::int64_t{-4}, std::int64_t{1000}, most, -most - 1}) {
      INFO(name << " along " << axis);
      const Tensor x = filled({2, 2}, float64);
      try {
        const Tensor result = along(x, axis);
        FAIL_CHECK("no Error");
      } catch (const Error& error) {
        const std::string text = error.what();
        INFO(text);
        CHECK(text.starts_with(name + ":"));
        CHECK(text.find(std::to_string(axis)) != std::string::npos);
      }
    }
  }
  const Tensor x = filled({2, 3}, float64);
  CHECK_THROWS_AS(sum(x, {0, 0}), Error);
  CHECK_THROWS_AS(sum(x, {1, -1}), Error);
  CHECK_THROWS_AS(permute(x, {0, 0}), Error);
  CHECK_THROWS_AS(logsumexp(x, {0, -2}), Error);
}
