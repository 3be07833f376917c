#pragma once

// What many tests need.

#include <cadena/autograd/core/tensor.hpp>
#include <cadena/autograd/kernels/parallel.hpp>

#include <string>
#include <vector>

#include "test.hpp"

namespace support {

using Values = std::vector<double>;

inline Values values(const cadena::Tensor& x) { return x.to_vector<double>(); }

/// The text of the Error that f throws; empty if it throws none.
template <class F> std::string error_of(F&& f) {
  try {
    f();
  } catch (const cadena::Error& error) {
    return error.what();
  }
  return "";
}

/// Does f throw an Error whose text holds all of the words?
template <class F> void check_error(F&& f, const std::vector<std::string>& words) {
  const std::string text = error_of(f);
  INFO("the error: \"" << text << '"');
  REQUIRE(!text.empty());
  for (const std::string& word : words) {
    CHECK(text.find(word) != std::string::npos);
  }
}

/// Sets the number of threads back at the end.
struct ThreadsGuard {
  int saved = cadena::threads();
  ~ThreadsGuard() { cadena::set_threads(saved); }
};

}  // namespace support
