// docs/operators.md is made from the one list of operators: names and formulas are theirs, dtypes
// are tried out. CADENA_WRITE_DOCS=1 in the environment writes the page instead of comparing.

#include "sweep.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

using namespace sweep;

namespace {

constexpr Dtype dtypes[] = {Dtype::float32, Dtype::float64, Dtype::int64, Dtype::uint8,
                            Dtype::boolean};

/// The dtype of the result where the floating inputs (all, if none is) have another dtype; nothing
/// where the operator refuses it.
std::optional<Dtype> result_in(Dtype dtype, const Sample& sample) {
  Inputs inputs;
  const bool all = !any_floating(sample.inputs);
  for (const Tensor& input : sample.inputs) {
    inputs.push_back(all || is_floating(input.dtype()) ? input.to(dtype) : input);
  }
  try {
    return sample.call(inputs).dtype();
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::string dtypes_of(const OperatorEntry& entry) {
  std::string text;
  if (std::ranges::all_of(dtypes, [&](Dtype dtype) {
        return result_in(dtype, entry.samples.at(0)) == Dtype::boolean;
      })) {
    return "all → boolean";
  }
  for (Dtype dtype : dtypes) {
    if (const std::optional<Dtype> result = result_in(dtype, entry.samples.at(0))) {
      text += text.empty() ? "" : ", ";
      text += std::string(name(dtype));
      text += *result == dtype ? "" : " → " + std::string(name(*result));
    }
  }
  return text;
}

std::string gradient_of(const OperatorEntry& entry) {
  const std::string subgradient = entry.doc.subgradient;
  if (!entry.differentiable) {
    return subgradient.empty() ? "none" : subgradient;
  }
  return subgradient.empty() ? "any order" : "any order; " + subgradient;
}

/// In a cell of a table a bar ends the cell.
std::string cell(std::string text) {
  for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) {
    text.insert(at, 1, '\\');
  }
  return text;
}

std::string page() {
  std::string text =
      "# Operators\n\n"
      "Every operator of the library, from the list that the tests of gradients, dtypes and errors "
      "run\n"
      "over. Dtypes are those of the floating inputs (of all inputs where none is floating); an "
      "arrow\n"
      "leads to the dtype of the result. The headers in [autograd/ops](../autograd/ops) have the\n"
      "arguments. This page is made by [a test](../tests/test_operator_table.cpp).\n";
  std::string family;
  for (const OperatorEntry& entry : operators().entries()) {
    if (entry.family != family) {
      family = entry.family;
      text += "\n## " + family +
              "\n\n| operator | formula | dtypes | gradient |\n| --- | --- | --- | --- |\n";
    }
    text += "| `" + std::string(entry.doc.name) + "` | " + cell(entry.doc.formula) + " | " +
            dtypes_of(entry) + " | " + cell(gradient_of(entry)) + " |\n";
  }
  return text;
}

}  // namespace

TEST_CASE("the manual's page of operators is that of the list") {
  const std::filesystem::path file = std::filesystem::path(CADENA_SOURCE_DIR) / "docs/operators.md";
  const std::string made = page();
  if (std::getenv("CADENA_WRITE_DOCS") != nullptr) {
    std::ofstream(file, std::ios::binary) << made;
  }
  std::ifstream stream(file, std::ios::binary);
  const std::string written(std::istreambuf_iterator<char>(stream), {});
  INFO("CADENA_WRITE_DOCS=1 cadena_tests '[#test_operator_table]' --filenames-as-tags writes it");
  CHECK((written == made));
}
