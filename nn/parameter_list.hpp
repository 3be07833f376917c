#pragma once

#include <cadena/nn/fields.hpp>

#include <initializer_list>
#include <vector>

namespace cadena::nn {

/// Parameters in a row, named by position: scales.0, scales.1, ...
class ParameterList {
 public:
  ParameterList() = default;
  ParameterList(std::initializer_list<Tensor> values) : parameters_(values.begin(), values.end()) {}
  explicit ParameterList(const std::vector<Tensor>& values)
      : parameters_(values.begin(), values.end()) {}

  void push_back(const Tensor& value) { parameters_.emplace_back(value); }
  std::size_t size() const noexcept { return parameters_.size(); }
  /// Error unless index < size().
  const Parameter& operator[](std::size_t index) const {
    if (index >= size()) {
      fail("ParameterList: index {} is outside [0, {})", index, size());
    }
    return parameters_[index];
  }
  auto begin() const noexcept { return parameters_.begin(); }
  auto end() const noexcept { return parameters_.end(); }

  static auto fields() { return transparent<&ParameterList::parameters_>{}; }

 private:
  std::vector<Parameter> parameters_;
};

}  // namespace cadena::nn
