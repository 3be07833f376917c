#include <cadena/autograd/core/dtype.hpp>

#include <fmt/format.h>

#include <ostream>

namespace cadena {

const char* name(Dtype dtype) noexcept {
  switch (dtype) {
    case Dtype::boolean:
      return "boolean";
    case Dtype::uint8:
      return "uint8";
    case Dtype::int64:
      return "int64";
    case Dtype::float32:
      return "float32";
    default:
      return "float64";
  }
}

std::ostream& operator<<(std::ostream& stream, Dtype dtype) { return stream << name(dtype); }

std::string promotion_table() {
  std::string text = fmt::format("{:>8}", "");
  for (Dtype column : all_dtypes) {
    text += fmt::format(" {:>8}", name(column));
  }
  for (Dtype row : all_dtypes) {
    text += fmt::format("\n{:>8}", name(row));
    for (Dtype column : all_dtypes) {
      text += fmt::format(" {:>8}", name(promote(row, column)));
    }
  }
  return text + "\n";
}

}  // namespace cadena

fmt::format_context::iterator fmt::formatter<cadena::Dtype>::format(
    cadena::Dtype dtype, fmt::format_context& context) const {
  return fmt::formatter<fmt::string_view>::format(cadena::name(dtype), context);
}
