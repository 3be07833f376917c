#include <cadena/autograd/core/capturing.hpp>
#include <cadena/autograd/core/modes.hpp>
#include <cadena/autograd/graph/check.hpp>
#include <cadena/autograd/graph/operator.hpp>

#include <memory>

namespace cadena::detail {
namespace {

/// An operator without a result.
struct Check {
  const char* operation;
  std::shared_ptr<const std::function<void(const Input&)>> check;
  static constexpr Doc doc{"check", "an error if a value is wrong"};
  Types infer(std::span<const Type>) const { return {}; }
  void run(Inputs in, Outputs) const { (*check)(in[0]); }
  std::string attributes() const { return operation; }
  bool operator==(const Check&) const = default;
};

}  // namespace

bool is_captured(const Tensor& tensor) { return symbol_of(*tensor.impl()) != nullptr; }

void check_values(const char* operation, const Tensor& tensor,
                  std::function<void(const Input& values)> check) {
  const Tensor values = tensor.detach().contiguous();
  if (!is_captured(values)) {
    check(Input(values.impl().get()));
    return;
  }
  const auto kept = std::make_shared<const std::function<void(const Input&)>>(std::move(check));
  bind_all(Check{operation, kept}, {&values, 1});
}

}  // namespace cadena::detail
