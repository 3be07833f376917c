#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/gradcheck_problem.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace cadena::detail {

std::uint64_t CheckRandom::bits() noexcept {
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

double CheckRandom::uniform() noexcept {
  return (static_cast<double>(bits() >> 12) + 0.5) * 0x1p-52;
}

double CheckRandom::normal() noexcept {
  const double radius = std::sqrt(-2 * std::log(uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

namespace {

/// The middle one of the sizes of elements that are not as good as 0.
double typical_size(const std::vector<double>& values) {
  std::vector<double> sizes;
  for (double value : values) {
    if (std::isfinite(value) && std::abs(value) > 1e-290) {
      sizes.push_back(std::abs(value));
    }
  }
  if (sizes.empty()) {
    return 1;
  }
  const auto middle = sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() / 2);
  std::nth_element(sizes.begin(), middle, sizes.end());
  return *middle;
}

void flatten(std::span<const Tensor> outputs, std::vector<double>& values) {
  values.clear();
  for (const Tensor& output : outputs) {
    if (output.dtype() == Dtype::float64 && output.is_contiguous()) {
      const std::span<const double> data = output.data<double>();
      values.insert(values.end(), data.begin(), data.end());
    } else {
      const std::vector<double> data = output.to_vector<double>();
      values.insert(values.end(), data.begin(), data.end());
    }
  }
}

Tensor tensor_of(std::span<const double> values, const Type& type) {
  return from_span<double>(values, type.shape, {.dtype = type.dtype});
}

}  // namespace

void RoundingNoise::applied(const OperatorRef& op, std::span<const Tensor* const>,
                            const Tensors& outputs) {
  if (op->is_view()) {
    return;  // rounds nothing, and its memory is another's
  }
  const std::lock_guard lock(mutex_);
  for (const Tensor& output : outputs) {
    // Nobody has seen the result yet, so its memory may still be written to.
    const TensorImpl& impl = *output.impl();
    if (is_floating(impl.dtype)) {
      dispatch_floating(impl.dtype, "gradcheck", [&]<class T>() {
        T* values = reinterpret_cast<T*>(impl.data);
        for (std::int64_t i = 0; i < output.numel(); ++i) {
          const T bound =
              std::copysign(std::numeric_limits<T>::infinity(), static_cast<T>(random_.sign()));
          if (values[i] != 0 && std::isfinite(values[i])) {
            values[i] = std::nextafter(values[i], bound);
          }
        }
      });
    }
  }
}

Variable::Variable(std::string its_name, Tensor its_value, Cell its_cell)
    : name(std::move(its_name)),
      value(std::move(its_value)),
      cell(std::move(its_cell)),
      values(value.to_vector<double>()),
      scale(typical_size(values)) {}

double Variable::rounded(double x) const noexcept {
  return value.dtype() == Dtype::float32 ? static_cast<double>(static_cast<float>(x)) : x;
}

OutputElement OutputList::at(std::int64_t index) const noexcept {
  std::size_t output = 0;
  while (index >= begins[output + 1]) {
    ++output;
  }
  return {output, index - begins[output]};
}

Problem::Problem(std::vector<Variable> variables, Function function, OutputName output_name)
    : variables_(std::move(variables)),
      function_(std::move(function)),
      output_name_(std::move(output_name)) {
  for (const Variable& variable : variables_) {
    base_.push_back(variable.cell.defined() ? variable.cell.value()
                                            : variable.value.requires_grad_leaf());
  }
}

Problem::~Problem() {
  for (std::size_t v = 0; v < variables_.size(); ++v) {
    restore(v);
  }
}

void Problem::restore(std::size_t v) {
  const Variable& variable = variables_[v];
  if (variable.cell.defined()) {
    variable.cell.assign(variable.value);
    base_[v] = variable.cell.value();
  }
}

Tensor Problem::leaf(std::size_t v, std::span<const double> values) {
  const Variable& variable = variables_[v];
  const Tensor value = tensor_of(values, {variable.value.dtype(), variable.value.shape()});
  if (!variable.cell.defined()) {
    return value.requires_grad_leaf();
  }
  variable.cell.assign(value);
  return variable.cell.value();
}

std::vector<Tensor> Problem::call(std::span<const Tensor> leaves) {
  ++evaluations_;
  const EnableGrad recording;
  std::vector<Tensor> outputs = function_(leaves);
  std::size_t index = 0;
  std::erase_if(outputs, [&](const Tensor& output) {
    if (!output.defined()) {
      fail("gradcheck: output {} of the function is undefined", index);
    }
    ++index;
    return !is_floating(output.dtype());
  });
  return outputs;
}

Recorded Problem::record(const Place& place, Observer* observer) {
  Recorded result{base_, {}, {}};
  for (std::size_t v = 0; v < place.size(); ++v) {
    if (!place[v].empty()) {
      result.leaves[v] = leaf(v, place[v]);
    }
  }
  {
    const Observing observing(observer);
    result.outputs = call(result.leaves);
  }
  for (std::size_t v = 0; v < place.size(); ++v) {
    restore(v);
  }
  flatten(result.outputs, result.values);
  if (outputs_.types.empty()) {
    for (const Tensor& output : result.outputs) {
      outputs_.names.push_back(output_name_(outputs_.names.size()));
      outputs_.types.push_back({output.dtype(), output.shape()});
      outputs_.begins.push_back(outputs_.begins.back() + output.numel());
    }
  }
  return result;
}

void Problem::evaluate(std::size_t v, std::span<const double> values, std::vector<double>& results,
                       Observer* observer) {
  try {
    const Tensor own = base_[v];
    base_[v] = leaf(v, values);
    const std::vector<Tensor> leaves = base_;
    base_[v] = own;
    const Observing observing(observer);
    flatten(call(leaves), results);
  } catch (const Error&) {
    results.clear();
  }
  restore(v);
  results.resize(static_cast<std::size_t>(outputs_.numel()),
                 std::numeric_limits<double>::quiet_NaN());
}

void Problem::evaluate(const Place& place, std::vector<double>& results, Observer* observer) {
  try {
    results = record(place, observer).values;
  } catch (const Error&) {
    results.clear();
  }
  results.resize(static_cast<std::size_t>(outputs_.numel()),
                 std::numeric_limits<double>::quiet_NaN());
}

Pulled Problem::pull(const Recorded& at, const OutputList& list,
                     std::span<const double> cotangent) {
  std::vector<Tensor> outputs, upstream;
  for (std::size_t k = 0; k < at.outputs.size(); ++k) {
    if (at.outputs[k].requires_grad()) {
      outputs.push_back(at.outputs[k]);
      upstream.push_back(
          tensor_of(cotangent.subspan(static_cast<std::size_t>(list.begins[k]),
                                      static_cast<std::size_t>(at.outputs[k].numel())),
                    list.types[k]));
    }
  }
  Pulled result(at.leaves.size());
  if (outputs.empty()) {
    return result;
  }
  const std::vector<Tensor> gradients =
      grad(outputs, at.leaves, upstream, {.retain_graph = true, .allow_unused = true});
  for (std::size_t v = 0; v < result.size(); ++v) {
    if (gradients[v].defined()) {
      flatten({&gradients[v], 1}, result[v]);
    }
  }
  return result;
}

Problem Problem::gradient(CheckRandom& random) {
  const Recorded at = record();
  std::vector<Variable> variables = variables_;
  for (std::size_t k = 0; k < at.outputs.size(); ++k) {
    std::vector<double> values(static_cast<std::size_t>(at.outputs[k].numel()));
    for (double& value : values) {
      value = random.sign() * (0.5 + random.uniform());
    }
    variables.emplace_back("upstream gradient of " + outputs_.names[k],
                           tensor_of(values, outputs_.types[k]));
  }
  const std::size_t count = variables_.size();
  const auto function = [this, count](std::span<const Tensor> leaves) {
    const std::span<const Tensor> own = leaves.first(count);
    std::vector<Tensor> outputs, upstream, gradients(count);
    std::vector<Tensor> all = call(own);
    for (std::size_t k = 0; k < all.size(); ++k) {
      if (all[k].requires_grad()) {
        outputs.push_back(all[k]);
        upstream.push_back(leaves[count + k]);
      }
    }
    if (!outputs.empty()) {
      gradients = grad(outputs, own, upstream, {.create_graph = true, .allow_unused = true});
    }
    for (std::size_t v = 0; v < count; ++v) {
      if (!gradients[v].defined()) {
        gradients[v] = zeros_like(own[v]);
      }
    }
    return gradients;
  };
  return Problem(std::move(variables), function,
                 [this](std::size_t v) { return "gradient of " + variables_[v].name; });
}

}  // namespace cadena::detail
