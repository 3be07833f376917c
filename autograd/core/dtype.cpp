#include <cadena/autograd/core/dtype.hpp>

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
