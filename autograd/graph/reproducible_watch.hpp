#pragma once

// What assert_reproducible keeps of a run; not for users.

#include <cadena/autograd/graph/observer.hpp>

#include <cstdint>
#include <cstring>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace cadena::detail {

/// Hashes bytes; two inputs that differ in one word of eight bytes never agree.
class Hash {
 public:
  void add(std::uint64_t word) noexcept {
    state_ = (state_ ^ word) * 0x9e3779b97f4a7c15U;
    state_ ^= state_ >> 32;
  }
  void add(const std::byte* bytes, std::size_t count) noexcept {
    add(count);
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, bytes + i, 8);
      add(word);
    }
    std::uint64_t rest = 0;
    std::memcpy(&rest, bytes + i, count - i);
    add(rest);
  }
  void add(std::string_view text) noexcept {
    add(reinterpret_cast<const std::byte*>(text.data()), text.size());
  }
  void add(const Tensor& x);
  std::uint64_t value() const noexcept { return state_; }

 private:
  std::uint64_t state_ = 0x6a09e667f3bcc909U;
};

/// An application of an operator, as far as runs are compared.
struct Print {
  const char* name = "";
  std::uint64_t op = 0, inputs = 0, outputs = 0;
  bool operator==(const Print& other) const noexcept {
    return op == other.op && inputs == other.inputs && outputs == other.outputs;
  }
  std::uint64_t key() const noexcept;
};

/// An application with its values.
struct Caught {
  std::string text;
  std::vector<Tensor> outputs;
};

/// Takes the prints of all operators, and catches the first one that has a given print.
class PrintWatch final : public ChainedObserver {
 public:
  explicit PrintWatch(const Print* wanted) : wanted_(wanted) {}

  void applied(const OperatorRef& op, std::span<const Tensor* const> inputs,
               const Tensors& outputs) override;

  std::vector<Print> prints;
  bool in_order = true;  ///< No other thread applied operators.
  std::optional<Caught> caught;

 private:
  const Print* wanted_;
  const std::thread::id owner_ = std::this_thread::get_id();
  std::mutex mutex_;
};

}  // namespace cadena::detail
