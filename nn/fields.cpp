#include <cadena/nn/fields.hpp>

namespace cadena {
namespace nn {

void FieldVisitor::cell(const std::string&, const Cell&, bool) {}
void FieldVisitor::mode(Mode&) {}
std::shared_ptr<void> FieldVisitor::replace(const void*, Copy) { return nullptr; }

}  // namespace nn

namespace detail {

void Walk::cell(const Cell& cell, bool trainable) {
  if (cell.defined()) {
    visitor_.cell(path_, cell, trainable);
  }
}

std::size_t Walk::enter(std::string_view name) {
  const std::size_t length = path_.size();
  if (length > 0) {
    path_ += '.';
  }
  path_ += name;
  return length;
}

std::size_t Walk::enter(std::size_t index) { return enter(std::to_string(index)); }

}  // namespace detail
}  // namespace cadena
