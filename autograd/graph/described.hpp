#pragma once

#include <cadena/autograd/graph/operator.hpp>

#include <string>

namespace cadena::detail {

/// "name {attributes}", or the name alone where there are none.
std::string described(const std::string& name, const std::string& attributes);

/// The attributes of an operator for a text that tells of something else: where its own member
/// throws, they are what it says.
std::string attributes_or_error(const Operator& op);

/// Name and attributes of an operator, likewise.
std::string described(const Operator& op);

}  // namespace cadena::detail
