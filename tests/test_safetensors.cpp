// Files of tensors: round trips, files made by Python, models.

#include "file_support.hpp"
#include "support.hpp"

#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/ops/activation.hpp>
#include <cadena/autograd/ops/broadcast.hpp>
#include <cadena/autograd/ops/layout.hpp>
#include <cadena/io/safetensors.hpp>
#include <cadena/optim/adam.hpp>

#include <sys/stat.h>
#include <unistd.h>

namespace cd = cadena;
using support::error_of;
namespace nn = cadena::nn;
namespace io = cadena::io;
namespace fs = std::filesystem;
using namespace file_support;
using cd::Tensor;

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
