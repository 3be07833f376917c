#include <cadena/cadena.hpp>

#include <boost/json.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "support.hpp"

namespace cd = cadena;
using cd::Profiler;
using cd::ProfilerRow;
using cd::Tensor;

namespace {

const ProfilerRow* row_of(const cd::ProfilerReport& report, const char* name, bool backward) {
  for (const ProfilerRow& row : report.rows) {
    if (row.name == name && row.backward == backward) {
      return &row;
    }
  }
  return nullptr;
}

}  // namespace

TEST_CASE("a profiler counts operators, bytes and operations, forward and backward apart") {
  const Tensor x = cd::ones({64, 32});
  const Tensor w = cd::ones({32, 16}, {.requires_grad = true});
  const Profiler profiler;
  for (int i = 0; i < 3; ++i) {
    cd::sum(cd::exp(cd::matmul(x, w))).backward();
  }
  const cd::ProfilerReport report = profiler.report();
  const ProfilerRow* product = row_of(report, "matmul", false);
  REQUIRE(product != nullptr);
  CHECK(product->count == 3);
  CHECK(product->flop == 3 * 2.0 * 64 * 32 * 16);
  CHECK(product->bytes_read == 3 * 4.0 * (64 * 32 + 32 * 16));
  CHECK(product->bytes_written == 3 * 4.0 * 64 * 16);
  CHECK(product->seconds > 0);
  const ProfilerRow* back = row_of(report, "matmul", true);
  REQUIRE(back != nullptr);
  CHECK(back->count == 3);  // x takes no gradient
  CHECK(back->flop == 3 * 2.0 * 64 * 32 * 16);
  const ProfilerRow* exp = row_of(report, "exp", false);
  REQUIRE(exp != nullptr);
  CHECK(exp->flop == 3 * 64.0 * 16);
  CHECK(row_of(report, "sum", false)->flop < 0);
  REQUIRE(row_of(report, "add", true) != nullptr);  // of the leaf's gradients
  CHECK(row_of(report, "add", true)->count == 2);
  CHECK(row_of(report, "add", false) == nullptr);
  const ProfilerRow* view = row_of(report, "expand", true);  // the derivative of sum
  REQUIRE(view != nullptr);
  CHECK(view->bytes_read == 0);

  double inside = 0;
  for (std::size_t i = 0; i < report.rows.size(); ++i) {
    inside += report.rows[i].seconds;
    CHECK((i == 0 || report.rows[i - 1].seconds >= report.rows[i].seconds));
  }
  CHECK(inside + report.outside == Approx(report.wall).epsilon(1e-6));
  CHECK(report.outside > 0);
}

TEST_CASE("what a broadcast repeats is read once") {
  const Tensor x = cd::ones({100, 10}), row = cd::ones({10});
  const Profiler profiler;
  cd::add(x, row);
  const cd::ProfilerReport report = profiler.report();
  REQUIRE(row_of(report, "add", false) != nullptr);
  CHECK(row_of(report, "add", false)->bytes_read == 4.0 * (1000 + 10));
}

TEST_CASE("operators in loops, nested profilers, operators that fail") {
  const support::ThreadsGuard guard;
  cd::set_threads(4);
  const Tensor x = cd::ones({8});
  const Profiler outer;
  {
    const Profiler inner;
    cd::parallel_for(64, 1, [&](auto, auto) { cd::exp(x); });
    CHECK(row_of(inner.report(), "exp", false)->count == 64);
    CHECK(row_of(inner.report(), "exp", false)->seconds > 0);
    CHECK(inner.report().outside < inner.report().wall);
  }
  CHECK_THROWS_AS(cd::cat({x, cd::ones({2, 2})}, 0), cd::Error);
  {
    const Profiler inner;
    cd::exp(cd::transpose(cd::ones({2, 3})).contiguous());
    CHECK(row_of(inner.report(), "exp", false)->count == 1);
  }
  const cd::ProfilerReport report = outer.report();
  CHECK(row_of(report, "exp", false)->count == 65);
  CHECK(report.outside < report.wall);
  CHECK(row_of(report, "exp", false)->seconds > 0);
  std::thread([&] { cd::exp(x); }).join();
  CHECK(row_of(outer.report(), "exp", false)->count == 65);
}

TEST_CASE("the table of a profile") {
  const Profiler profiler;
  const std::string empty = to_string(profiler);
  CHECK(empty.find("operator") != std::string::npos);
  cd::exp(cd::ones({1000}));
  std::ostringstream stream;
  stream << profiler;
  CHECK(stream.str().find("exp       forward         1") != std::string::npos);
  CHECK(fmt::format("{}", profiler).find("GFLOP/s") != std::string::npos);
  CHECK(fmt::format("{}", profiler.report()).find("MB written") != std::string::npos);
}

TEST_CASE("a trace is JSON that viewers read, and bounded") {
  const Profiler profiler({.max_events = 3});
  const Tensor x = cd::ones({2, 3}, {.requires_grad = true});
  cd::sum(cd::sum(cd::exp(x), {1})).backward();
  const std::string path =
      (std::filesystem::temp_directory_path() / "cadena_test_trace.json").string();
  profiler.write_chrome_trace(path);
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  CHECK(text.str() == profiler.chrome_trace());
  const boost::json::value json = boost::json::parse(text.str());
  const boost::json::array& events = json.at("traceEvents").as_array();
  REQUIRE(events.size() == 4);  // and one for the process's name
  const boost::json::object& first = events[1].as_object();
  CHECK(first.at("name") == "exp");
  CHECK(first.at("ph") == "X");
  CHECK(first.at("cat") == "forward");
  CHECK(first.at("dur").to_number<double>() > 0);
  CHECK(first.at("ts").to_number<double>() >= 0);
  CHECK(first.at("tid").is_int64());
  CHECK(first.at("args").at("inputs") == "float32 [2, 3]");
  CHECK(events[2].at("args").at("attributes") == "[1]");
  CHECK(json.at("otherData").at("dropped_events").to_number<int>() > 0);
  CHECK(profiler.report().rows.size() > 2);  // counted all the same
  std::filesystem::remove(path);
  support::check_error([&] { profiler.write_chrome_trace("/nowhere/at/all.json"); },
                       {"write_chrome_trace", "/nowhere/at/all.json"});
}
