// Files of tensors that are damaged or made to do damage.

#include "file_support.hpp"
#include "support.hpp"

#include <cadena/io/safetensors.hpp>

#include <limits>

namespace cd = cadena;
namespace io = cadena::io;
using namespace file_support;
using cd::Tensor;
using support::error_of;

TEST_CASE("hostile files are refused with file and offset") {
  const Directory directory;
  const std::string path = directory / "hostile.safetensors";
  const auto refused = [&](const std::string& bytes) {
    write_bytes(path, bytes);
    const std::string text = error_of([&] { io::load_safetensors(path); });
    CHECK(text.find("load_safetensors: " + path + ": ") == 0);
    Mlp model;
    CHECK_THROWS_AS(io::load_safetensors(path, model), cd::Error);
    return text.substr(std::min(text.size(), path.size() + 20));
  };
  const auto entry = [](const std::string& name, const std::string& dtype, const std::string& shape,
                        const std::string& offsets) {
    return "\"" + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape +
           R"(,"data_offsets":)" + offsets + "}";
  };
  const auto contains = [](const std::string& text, const char* part) {
    INFO(text << " should contain " << part);
    CHECK(text.find(part) != std::string::npos);
  };
  const std::string four(4, '\0'), eight(8, '\0');

  contains(refused(""), "0 bytes, too few for the length of a header (offset 0)");
  contains(refused("1234567"), "7 bytes, too few");
  contains(refused(file_of("{}", "", 3)), "the header's length is 3 bytes (offset 0)");
  contains(refused(file_of("{}", "", std::numeric_limits<std::uint64_t>::max() - 1)),
           "the header's length is 18446744073709551614 bytes (offset 0), the file has 10");
  contains(refused(file_of("", "")), "no JSON");
  contains(refused(file_of("{", "")), "no JSON");
  contains(refused(file_of("{}x", "")), "no JSON");
  contains(refused(file_of("{\"a\xff\":1}", "")), "(offset 11)");
  contains(refused(file_of("[]", "")), "must be a JSON object");
  contains(refused(file_of(std::string(100000, '['), "")), "too deep");
  contains(refused(file_of(R"({"a":)" + std::string(100000, '['), "")), "too deep");
  contains(refused(file_of("{\"a\":1}", "")), "tensor \"a\": expected an object");
  contains(refused(file_of("{" + entry("a", "F32", "[1]", "[0,4]") + "}", "abc")),
           "data_offsets [0, 4] do not lie in the 3 bytes of values (is the file truncated?)");
  contains(refused(file_of("{" + entry("a", "F32", "[1]", "[4,0]") + "}", four)), "[4, 0]");
  contains(refused(file_of("{" + entry("a", "F32", "[1]", "[0,18446744073709551615]") + "}", four)),
           "do not lie in the 4 bytes");
  contains(refused(file_of("{" + entry("a", "F32", "[1]", "[-4,4]") + "}", four)),
           "two whole numbers");
  contains(refused(file_of("{" + entry("a", "F32", "[1]", "[0.0,4.0]") + "}", four)),
           "two whole numbers");
  contains(refused(file_of("{" + entry("a", "F32", "[1]", "[0,4,8]") + "}", four)),
           "two whole numbers");
  contains(refused(file_of("{" + entry("a", "F32", "[2]", "[0,4]") + "}", four)),
           "F32 [2] takes 8 bytes, its data_offsets [0, 4] hold 4");
  contains(refused(file_of("{" + entry("a", "F32", "[4294967296,4294967296]", "[0,0]") + "}", "")),
           "dimension 1 of its shape is too large");
  contains(refused(file_of("{" + entry("a", "F32", "[0,18446744073709551615]", "[0,0]") + "}", "")),
           "dimension 1 of its shape is too large");
  contains(refused(file_of("{" + entry("a", "F32", "[-1]", "[0,4]") + "}", four)),
           "dimension 0 of its shape is not a whole number");
  contains(refused(file_of("{" + entry("a", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") + "}", four)),
           "9 dimensions, at most 8");
  contains(refused(file_of("{" + entry("a", "BF16", "[2]", "[0,4]") + "}", four)),
           "dtype BF16 is not one of F32, F64, I64, U8, BOOL");
  contains(refused(file_of("{" + entry("a", "X\x7f", "[2]", "[0,4]") + "}", four)),
           "unknown dtype \"X\\x7f\"");
  contains(refused(file_of("{" + entry("a", "F32", "[1]", "[0,4]") + "," +
                               entry("b", "F32", "[1]", "[2,6]") + "}",
                           "123456")),
           "the values of tensors \"a\" and \"b\" overlap (offset ");
  contains(refused(file_of("{" + entry("a", "F32", "[1]", "[4,8]") + "}", eight)),
           "4 bytes before the values of tensor \"a\" belong to none (offset ");
  contains(refused(file_of("{" + entry("a", "F32", "[1]", "[0,4]") + "}", eight)),
           "4 bytes after the last tensor belong to none");
  contains(refused(file_of("{" + entry("a", "F32", "[1]", "[0,4]") + "," +
                               entry("a", "F32", "[1]", "[4,8]") + "}",
                           eight)),
           "the header has the name \"a\" twice (offset ");
  contains(refused(file_of(R"({"a":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}})",
                           four)),
           "the name \"dtype\" twice");
  contains(refused(file_of(R"({"a":{"shape":[],"data_offsets":[0,4]}})", four)), "no dtype");
  contains(refused(file_of(R"({"a":{"dtype":"F32","data_offsets":[0,4]}})", four)), "no shape");
  contains(refused(file_of(R"({"a":{"dtype":"F32","shape":[]}})", four)), "data_offsets");
  contains(refused(file_of(R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4],"x":1}})", four)),
           "unknown member \"x\"");
  contains(refused(file_of(R"({"a":{"dtype":{"b":1}}})", "")), "an object inside of");
  std::string list = "[1";
  for (int i = 0; i < 64; ++i) {
    list += ",1";
  }
  contains(refused(file_of(R"({"a":{"shape":)" + list + "]}}", "")), "array too large");
  std::string many = R"({"__metadata__":{)";
  for (int i = 0; i <= 1'000'000; ++i) {
    many += (i > 0 ? ",\"" : "\"") + std::to_string(i) + "\":\"\"";
  }
  contains(refused(file_of(many + "}}", "")), "object too large");
  contains(refused(file_of(R"({"__metadata__":{"a":1}})", "")), "is no text");
  contains(refused(file_of(R"({"__metadata__":3})", "")), "must be an object");
  contains(refused(file_of("{" + entry("a", "BOOL", "[2]", "[0,2]") + "}", "\x01\x02")),
           "a boolean is 2, not 0 or 1 (offset ");
  contains(refused(file_of("{" + entry(std::string(500, 'n'), "F32", "[2]", "[0,4]") + "}", four)),
           "nnn\"...");
}

TEST_CASE("every truncation of a file is refused and leaves the model as it was") {
  const Directory directory;
  const std::string path = directory / "model.safetensors";
  const Mlp saved;
  io::save_safetensors(path, saved);
  const std::string bytes = read_bytes(path);
  Mlp model;
  const Tensor before = model.hidden.weight.value();
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    write_bytes(path, bytes.substr(0, size));
    if (error_of([&] { io::load_safetensors(path, model); }).empty()) {
      FAIL("loaded from the first " << size << " bytes");
    }
  }
  CHECK(same(model.hidden.weight, before));
}

TEST_CASE("no flipped byte of a header is undefined behaviour") {
  const Directory directory;
  const std::string path = directory / "model.safetensors";
  io::save_safetensors(path, {{"a", cd::ones({2, 2})}, {"b", cd::tensor({true})}});
  const std::string bytes = read_bytes(path);
  for (std::size_t at = 0; at + 17 < bytes.size(); ++at) {
    for (char value : {'\0', '9', '"', '{', ']', '\xff'}) {
      std::string changed = bytes;
      changed[at] = value;
      write_bytes(path, changed);
      error_of([&] { io::load_safetensors(path); });  // an Error, or another name
    }
  }
  SUCCEED();
}
