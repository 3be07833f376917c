// Files of tensors: round trips, files made by Python, models, hostile files.

#include "support.hpp"

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/activation.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/io/safetensors.hpp>
#include <cadena/nn/linear.hpp>
#include <cadena/optim/adam.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>

namespace cd = cadena;
using support::error_of;
namespace nn = cadena::nn;
namespace io = cadena::io;
namespace fs = std::filesystem;
using cd::Tensor;

namespace {

/// A directory that is gone at the end of the test.
class Directory {
 public:
  Directory() {
    std::string name = (fs::temp_directory_path() / "cadena-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { fs::remove_all(path_); }
  std::string operator/(const char* name) const { return (path_ / name).string(); }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(path_), fs::directory_iterator()));
  }

 private:
  fs::path path_;
};

void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string read_bytes(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// A file from a header and values, with the right length unless another is given.
std::string file_of(const std::string& header, const std::string& values,
                    std::uint64_t length = std::numeric_limits<std::uint64_t>::max()) {
  length = length == std::numeric_limits<std::uint64_t>::max() ? header.size() : length;
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes + header + values;
}

struct Mlp {
  nn::Linear hidden{3, 4};
  nn::Linear output{4, 2};
  cd::Buffer steps{cd::tensor(5)};
};

bool same(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         a.to_vector<double>() == b.to_vector<double>();
}

}  // namespace

TEST_CASE("tensors of all dtypes come back as they were") {
  const Directory directory;
  const std::string path = directory / "all.safetensors";
  std::vector<io::NamedTensor> tensors = {
      {"flags", cd::tensor({true, false, true})},
      {"bytes", cd::tensor({1, 255}, {.dtype = cd::uint8})},
      {"f32", cd::tensor({{1.5, -2.0}, {0.0, 1e-40}})},
      {"i64", cd::tensor({1, -2})},
      {"f64", cd::tensor(0.1, {.dtype = cd::float64})},
      {"nothing", cd::zeros({0, 3})},
      {"turned", cd::transpose(cd::tensor({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}}))},
      {"name with \"quotes\" and é", cd::ones({1})}};
  io::save_safetensors(path, tensors, {.metadata = {{"format", "pt"}, {"note", "a\nb"}}});
  const io::SafetensorsFile file = io::load_safetensors(path);
  CHECK(file.metadata.at("note") == "a\nb");
  REQUIRE(file.tensors.size() == tensors.size());
  for (const io::NamedTensor& named : tensors) {
    const auto found = std::find_if(file.tensors.begin(), file.tensors.end(),
                                    [&](const auto& other) { return other.name == named.name; });
    REQUIRE(found != file.tensors.end());
    CHECK(same(found->tensor, named.tensor));
  }
  CHECK(directory.files() == 1);
  io::save_safetensors(path, std::vector<io::NamedTensor>{});
  CHECK(io::load_safetensors(path).tensors.empty());
}

TEST_CASE("a file made by Python's safetensors is read") {
  const Directory directory;
  const std::string path = directory / "python.safetensors";
  // safetensors.numpy.save of safetensors 0.8.0, metadata {"format": "np", "made": "é"}.
  const std::string header = R"({"__metadata__":{"format":"np","made":"é"},)"
                             R"("steps":{"dtype":"I64","shape":[],"data_offsets":[0,8]},)"
                             R"("mean":{"dtype":"F64","shape":[1],"data_offsets":[8,16]},)"
                             R"("empty":{"dtype":"F32","shape":[0,3],"data_offsets":[16,16]},)"
                             R"("weight":{"dtype":"F32","shape":[2,3],"data_offsets":[16,40]},)"
                             R"("bytes":{"dtype":"U8","shape":[2],"data_offsets":[40,42]},)"
                             R"("mask":{"dtype":"BOOL","shape":[3],"data_offsets":[42,45]}})"
                             "   ";
  const char values[] =
      "\007\000\000\000\000\000\000\000\232\231\231\231\231\231\271\077\000\000\300\077"
      "\000\000\000\300\000\000\120\100\000\000\000\000\157\022\203\072\000\000\340\300"
      "\001\377\001\000\001";
  write_bytes(path, file_of(header, std::string(values, sizeof values - 1)));
  const io::SafetensorsFile file = io::load_safetensors(path);
  std::map<std::string, Tensor> tensors;
  for (const io::NamedTensor& named : file.tensors) {
    tensors[named.name] = named.tensor;
  }
  REQUIRE(tensors.size() == 6);
  CHECK(same(tensors["weight"], cd::tensor({{1.5, -2.0, 3.25}, {0.0, 1e-3, -7.0}})));
  CHECK(same(tensors["steps"], cd::tensor(7)));
  CHECK(same(tensors["mask"], cd::tensor({true, false, true})));
  CHECK(same(tensors["bytes"], cd::tensor({1, 255}, {.dtype = cd::uint8})));
  CHECK(same(tensors["mean"], cd::tensor({0.1}, {.dtype = cd::float64})));
  CHECK(same(tensors["empty"], cd::zeros({0, 3})));
  CHECK(file.metadata.at("made") == "é");
}

TEST_CASE("a model is saved and loaded by its names") {
  const Directory directory;
  const std::string path = directory / "model.safetensors";
  const Mlp model;
  io::save_safetensors(path, model);
  Mlp other;
  other.steps.assign(cd::tensor(0));
  const std::vector<cd::Cell> cells = nn::parameters(other);
  const io::LoadReport report = io::load_safetensors(path, other);
  CHECK(report.missing.empty());
  CHECK(report.unexpected.empty());
  CHECK(same(other.hidden.weight, model.hidden.weight));
  CHECK(same(other.output.bias, model.output.bias));
  CHECK(other.steps.value().item() == 5);
  CHECK(nn::parameters(other) == cells);  // an optimizer still has them
  CHECK(other.hidden.weight.value().requires_grad());
}

TEST_CASE("one error lists all that does not fit, and changes nothing") {
  struct Other {
    nn::Linear hidden{3, 5};
    nn::Linear output{4, 2, {.dtype = cd::float64}};
    nn::Linear head{1, 1};
    cd::Buffer steps{cd::tensor(1)};
  };
  const Directory directory;
  const std::string path = directory / "model.safetensors";
  Other other;
  struct Extra {
    Mlp mlp;
    nn::Linear extra{1, 1};
    static auto fields() { return cd::fields<&Extra::mlp, &Extra::extra>{}; }
  };
  std::vector<io::NamedTensor> tensors;
  const Mlp model;
  for (const nn::StateEntry& entry : nn::state(model)) {
    tensors.push_back({entry.name, entry.cell.value()});
  }
  tensors.push_back({"extra", cd::ones({1})});
  io::save_safetensors(path, tensors);
  const std::string text = error_of([&] { io::load_safetensors(path, other); });
  CHECK(text.find("load_safetensors: " + path) == 0);
  CHECK(text.find("hidden.weight: expected F32 [5, 3], the file has F32 [4, 3]") !=
        std::string::npos);
  CHECK(text.find("output.bias: expected F64 [2], the file has F32 [2]") != std::string::npos);
  CHECK(text.find("missing in the file: \"head.weight\", \"head.bias\"") != std::string::npos);
  CHECK(text.find("only in the file: \"extra\"") != std::string::npos);
  CHECK(other.steps.value().item() == 1);

  Mlp partial;
  CHECK_THROWS_AS(io::load_safetensors(path, partial), cd::Error);
  const io::LoadReport report = io::load_safetensors(path, partial, {.strict = false});
  CHECK(report.unexpected == std::vector<std::string>{"extra"});
  CHECK(same(partial.hidden.weight, model.hidden.weight));
  struct More {
    Mlp body;
    nn::Linear hidden{3, 4};
  };
  More more;
  const Tensor before = more.body.output.weight.value();
  const io::LoadReport left = io::load_safetensors(path, more, {.strict = false});
  CHECK(left.missing.size() == 5);
  CHECK(same(more.hidden.weight, model.hidden.weight));
  CHECK(same(more.body.output.weight, before));
  Other wrong;
  CHECK_THROWS_AS(io::load_safetensors(path, wrong, {.strict = false}), cd::Error);
}

TEST_CASE("a tied weight is saved once and found under any of its names") {
  struct Tied {
    std::shared_ptr<nn::Linear> first = std::make_shared<nn::Linear>(2, 2);
    std::shared_ptr<nn::Linear> second = first;
  };
  const Directory directory;
  const std::string path = directory / "tied.safetensors";
  const Tied model;
  io::save_safetensors(path, model);
  CHECK(io::load_safetensors(path).tensors.size() == 2);
  Tied other;
  io::load_safetensors(path, other);
  CHECK(same(other.second->weight, model.first->weight));
  io::save_safetensors(path, {{"second.weight", cd::ones({2, 2})},
                              {"first.bias", cd::ones({2})},
                              {"second.bias", cd::ones({2})}});
  io::load_safetensors(path, other);
  CHECK(same(other.first->weight, cd::ones({2, 2})));
}

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

TEST_CASE("files that cannot be read or written are errors with the reason") {
  const Directory directory;
  CHECK(error_of([&] { io::load_safetensors(directory / "none"); }).find("no such file") !=
        std::string::npos);
  CHECK(error_of([&] { io::load_safetensors(directory / "."); }).find("not a regular file") !=
        std::string::npos);
  const std::vector<io::NamedTensor> one = {{"a", cd::ones({1})}};
  CHECK(error_of([&] {
          io::save_safetensors(directory / "none/file", one);
        }).find("No such file or directory") != std::string::npos);
  CHECK(error_of([&] { io::save_safetensors("/dev/null", one); }).find("not a regular file") !=
        std::string::npos);
  const std::string path = directory / "a.safetensors";
  CHECK(error_of([&] {
          io::save_safetensors(path, {one[0], one[0]});
        }).find("appears twice") != std::string::npos);
  CHECK(error_of([&] {
          io::save_safetensors(path, {{"__metadata__", one[0].tensor}});
        }).find("reserved") != std::string::npos);
  CHECK(error_of([&] {
          io::save_safetensors(path, {{"a\xff", one[0].tensor}});
        }).find("UTF-8") != std::string::npos);
  CHECK(error_of([&] {
          io::save_safetensors(path, {{"a", Tensor()}});
        }).find("undefined") != std::string::npos);
  CHECK(error_of([&] {
          io::save_safetensors(path, one, {.metadata = {{"long", std::string(100'000'000, 'x')}}});
        }).find(path + ": 1 tensors and 1 entries of metadata, ") != std::string::npos);
  CHECK(directory.files() == 0);
}

TEST_CASE("cells with names are saved and loaded in place, an optimizer's state say") {
  const Directory directory;
  const std::string path = directory / "optimizer.safetensors";
  const auto step = [](Mlp& model, cd::optim::Adam& optimizer) {
    optimizer.zero_grad();
    cd::sum(model.output(cd::tanh(model.hidden(cd::ones({1, 3}))))).backward();
    optimizer.step();
  };
  Mlp model;
  cd::optim::Adam optimizer(nn::parameters(model), {.lr = 0.25});
  step(model, optimizer);
  Mlp other = nn::clone(model);
  cd::optim::Adam resumed(nn::parameters(other));
  io::save_safetensors(path, optimizer.named_state());
  io::load_safetensors(path, resumed.named_state());
  CHECK(resumed.steps() == 1);
  CHECK(resumed.lr() == 0.25);
  step(model, optimizer);
  step(other, resumed);
  CHECK(same(model.hidden.weight, other.hidden.weight));

  const std::vector<cd::NamedCell> one{{"a", cd::Cell(cd::ones({2}))}};
  io::save_safetensors(path, one);
  CHECK(error_of([&] { io::load_safetensors(path, resumed.named_state()); }).find("only in the") !=
        std::string::npos);
  one[0].cell.assign(cd::zeros({2}));
  io::load_safetensors(path, one);
  CHECK(same(one[0].cell.value(), cd::ones({2})));
}

TEST_CASE("saving replaces a file in one step and follows links") {
  const Directory directory;
  const std::string path = directory / "model", link = directory / "link";
  io::save_safetensors(path, {{"a", cd::ones({1})}});
  fs::permissions(path, fs::perms::owner_read | fs::perms::owner_write);
  fs::create_symlink("model", link);
  io::save_safetensors(link, {{"b", cd::ones({2})}});
  CHECK(fs::is_symlink(link));
  CHECK(io::load_safetensors(path).tensors[0].name == "b");
  CHECK(fs::status(path).permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  CHECK(directory.files() == 2);

  fs::create_symlink("later", directory / "dangling");
  io::save_safetensors(directory / "dangling", {{"c", cd::ones({2})}});
  CHECK(fs::is_symlink(directory / "dangling"));
  CHECK(io::load_safetensors(directory / "later").tensors[0].name == "c");
  fs::create_symlink("round", directory / "round");
  CHECK(error_of([&] {
          io::save_safetensors(directory / "round", {{"d", cd::ones({2})}});
        }).find("symbolic links") != std::string::npos);
  CHECK(directory.files() == 5);

  // What a killed process of the same number left.
  for (int i = 0; i < 100; ++i) {
    write_bytes(path + "." + std::to_string(::getpid()) + "-" + std::to_string(i) + ".part", "");
  }
  CHECK_NOTHROW(io::save_safetensors(path, {{"e", cd::ones({2})}}));
  CHECK(directory.files() == 105);
}
