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

std::string types_text(std::span<const Type> types) {
  std::string text;
  for (const Type& type : types) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name(type.dtype), type.shape);
  }
  return text.empty() ? "none" : text;
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
    base_.push_back(variable.cell.defined() ? Tensor() : variable.value.requires_grad_leaf());
  }
}

/// Puts the own values of cells back at its end.
class Problem::Restoring {
 public:
  explicit Restoring(const Problem& problem) noexcept : variables_(problem.variables_) {}
  Restoring(const Restoring&) = delete;
  Restoring& operator=(const Restoring&) = delete;
  ~Restoring() {
    for (const Variable& variable : variables_) {
      if (!variable.cell.defined()) {
        continue;
      }
      const Tensor& now = variable.cell.value();
      if (now.dtype() == variable.value.dtype() && now.shape() == variable.value.shape()) {
        variable.cell.put(variable.value);
      } else {  // the function has reset the cell, and its leaf is another one
        variable.cell.reset(variable.value);
      }
    }
  }

 private:
  const std::vector<Variable>& variables_;
};

std::vector<Tensor> Problem::own_leaves() const {
  std::vector<Tensor> leaves = base_;
  for (std::size_t v = 0; v < leaves.size(); ++v) {
    if (variables_[v].cell.defined()) {
      leaves[v] = variables_[v].cell.value();
    }
  }
  return leaves;
}

Tensor Problem::leaf(std::size_t v, std::span<const double> values) const {
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

void Problem::check_fit(std::span<const Tensor> outputs) {
  std::vector<Type> types;
  for (const Tensor& output : outputs) {
    types.push_back({output.dtype(), output.shape()});
  }
  if (types != outputs_.types) {
    misfit_ = fmt::format(
        "the function's outputs change their number, dtype or shape: {} at first, {} at other "
        "values of the inputs",
        types_text(outputs_.types), types_text(types));
    fail("gradcheck: {}", misfit_);
  }
}

Recorded Problem::record(const Place& place, Observer* observer) {
  const Restoring restoring(*this);
  Recorded result{own_leaves(), {}, {}};
  for (std::size_t v = 0; v < place.size(); ++v) {
    if (!place[v].empty()) {
      result.leaves[v] = leaf(v, place[v]);
    }
  }
  {
    const Observing observing(observer);
    result.outputs = call(result.leaves);
  }
  if (outputs_.types.empty()) {
    for (const Tensor& output : result.outputs) {
      outputs_.names.push_back(output_name_(outputs_.names.size()));
      outputs_.types.push_back({output.dtype(), output.shape()});
      outputs_.begins.push_back(outputs_.begins.back() + output.numel());
    }
  }
  check_fit(result.outputs);
  flatten(result.outputs, result.values);
  return result;
}

void Problem::evaluate(std::size_t v, std::span<const double> values, std::vector<double>& results,
                       Observer* observer) {
  Place place(variables_.size());
  place[v].assign(values.begin(), values.end());
  evaluate(place, results, observer);
}

void Problem::evaluate(const Place& place, std::vector<double>& results, Observer* observer) {
  try {
    results = record(place, observer).values;
  } catch (const Error&) {
    results.assign(static_cast<std::size_t>(outputs_.numel()),
                   std::numeric_limits<double>::quiet_NaN());
  }
}

std::vector<Tensor> Problem::gradients(const Recorded& at, const OutputList& list,
                                       std::span<const double> cotangent,
                                       std::span<const Tensor> with_respect_to) {
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
  if (outputs.empty()) {
    return std::vector<Tensor>(with_respect_to.size());
  }
  return grad(outputs, with_respect_to, upstream, {.retain_graph = true, .allow_unused = true});
}

Pulled Problem::pull(const Recorded& at, const OutputList& list,
                     std::span<const double> cotangent) {
  const std::vector<Tensor> found = gradients(at, list, cotangent, at.leaves);
  Pulled result(found.size());
  for (std::size_t v = 0; v < result.size(); ++v) {
    if (found[v].defined()) {
      flatten({&found[v], 1}, result[v]);
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
