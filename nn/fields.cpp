#include <cadena/nn/fields.hpp>

#include <algorithm>

namespace cadena {
namespace nn {

void FieldVisitor::cell(const std::string&, const Cell&, bool) {}
void FieldVisitor::mode(Mode&) {}
void FieldVisitor::generator(Generator&) {}
std::shared_ptr<void> FieldVisitor::replace(const void*, Copy) { return nullptr; }

}  // namespace nn

namespace detail {

void Walk::cell(const Cell& cell, bool trainable) {
  if (cell.defined()) {
    visitor_.cell(path_, cell, trainable);
  }
}

void Walk::open(const void* object) {
  if (std::find(open_.begin(), open_.end(), object) != open_.end()) {
    fail("model: {} points to an object that holds it: the walk would never end", path_);
  }
  open_.push_back(object);
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
