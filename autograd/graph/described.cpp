#include <cadena/autograd/graph/described.hpp>

#include <fmt/format.h>

#include <exception>

namespace cadena::detail {

std::string described(const std::string& name, const std::string& attributes) {
  return attributes.empty() ? name : fmt::format("{} {{{}}}", name, attributes);
}

std::string attributes_or_error(const Operator& op) {
  try {
    return op.attributes();
  } catch (const std::exception& error) {
    return fmt::format("attributes: {}", error.what());
  } catch (...) {
    return "attributes: not known";
  }
}

std::string described(const Operator& op) {
  return described(op.doc().name, attributes_or_error(op));
}

}  // namespace cadena::detail
