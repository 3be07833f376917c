#include <cadena/autograd/graph/described.hpp>
#include <cadena/autograd/graph/gradcheck.hpp>

#include <fmt/format.h>
#include <boost/json.hpp>

#include <array>
#include <cmath>
#include <iterator>

namespace cadena {
namespace {

const char* name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::passed:
      return "passed";
    case Verdict::failed:
      return "failed";
    case Verdict::inconclusive:
      return "inconclusive";
  }
  return "";
}

const char* name_of(GradcheckNote::Kind kind) {
  switch (kind) {
    case GradcheckNote::Kind::kink:
      return "kink";
    case GradcheckNote::Kind::jump:
      return "jump";
    case GradcheckNote::Kind::edge:
      return "edge";
    case GradcheckNote::Kind::infinite:
      return "infinite";
    case GradcheckNote::Kind::not_finite:
      return "not finite";
    case GradcheckNote::Kind::unresolved:
      return "unresolved";
  }
  return "";
}

/// For printing: NaN and 0 without a sign.
double unsigned_zero(double x) { return std::isnan(x) ? std::abs(x) : x + 0.0; }

std::string element_text(const std::string& what, std::int64_t element, const Shape& shape,
                         const char* otherwise) {
  if (element < 0) {
    return fmt::format("{} ({})", what, otherwise);
  }
  return shape.empty() ? what : fmt::format("{} {}", what, unravel(element, shape));
}

std::string where(const GradcheckPlace& place) {
  return fmt::format(
      "d({}) / d({})",
      element_text(place.output, place.output_element, place.output_shape, "a combination"),
      element_text(place.input, place.input_element, place.input_shape, "a direction"));
}

using Out = std::back_insert_iterator<std::string>;

void put_place(Out out, const GradcheckPlace& place, const char* indent) {
  fmt::format_to(out, "{}gradient  {:.17g}{}\n", indent, unsigned_zero(place.gradient),
                 place.reached ? "" : "   (none: the graph does not reach the input)");
  fmt::format_to(out, "{}numerical {:.17g} +- {:.2g}\n", indent, unsigned_zero(place.numerical),
                 place.error);
  fmt::format_to(out, "{}difference {:.3g}, allowed {:.2g}\n", indent,
                 std::abs(place.gradient - place.numerical), unsigned_zero(place.allowed));
}

void put_culprit(Out out, const GradcheckCulprit& culprit) {
  fmt::format_to(out, "first wrong operator: {}{}{}\n",
                 culprit.node >= 0 ? fmt::format("#{} ", culprit.node) : "",
                 detail::described(culprit.name, culprit.attributes),
                 culprit.inside.empty() ? "" : ", in " + culprit.inside);
  fmt::format_to(out, "  {}\n", culprit.problem);
  if (culprit.place) {
    fmt::format_to(out, "  alone, with the operands it had: {}\n", where(*culprit.place));
    put_place(out, *culprit.place, "    ");
  }
}

void put_notes(Out out, const GradcheckReport& report) {
  if (report.kinks + report.singular + report.unresolved == 0) {
    return;
  }
  fmt::format_to(out,
                 "{} kinks, jumps or edges accepted (gradient between the slopes of both sides), "
                 "{} places with infinite slopes or values, {} unresolved\n",
                 report.kinks, report.singular, report.unresolved);
  constexpr int most = 3;  // of each kind
  std::array<int, 6> shown{};
  for (const GradcheckNote& note : report.notes) {
    if (++shown[static_cast<std::size_t>(note.kind)] <= most) {
      fmt::format_to(out, "  {}: order {}, {}: gradient {:.6g}, slopes {:.6g} | {:.6g}\n",
                     name_of(note.kind), note.place.order, where(note.place),
                     unsigned_zero(note.place.gradient), unsigned_zero(note.left),
                     unsigned_zero(note.right));
    }
  }
}

namespace json = boost::json;

/// JSON has no infinity and no NaN: these become strings.
json::value number(double signed_zero) {
  const double x = unsigned_zero(signed_zero);
  return std::isfinite(x) ? json::value(x) : json::value(fmt::format("{}", x));
}

json::array dimensions(const Shape& shape) { return json::array(shape.begin(), shape.end()); }

json::object to_object(const GradcheckPlace& place) {
  return {{"order", place.order},
          {"output", place.output},
          {"output_shape", dimensions(place.output_shape)},
          {"output_element", place.output_element},
          {"input", place.input},
          {"input_shape", dimensions(place.input_shape)},
          {"input_element", place.input_element},
          {"gradient", number(place.gradient)},
          {"numerical", number(place.numerical)},
          {"error", number(place.error)},
          {"allowed", number(place.allowed)},
          {"ratio", number(place.ratio)},
          {"reached", place.reached}};
}

json::object to_object(const GradcheckCulprit& culprit) {
  json::object object{
      {"node", culprit.node},     {"name", culprit.name},   {"attributes", culprit.attributes},
      {"inside", culprit.inside}, {"order", culprit.order}, {"problem", culprit.problem},
      {"input", culprit.input}};
  if (culprit.place) {
    object["place"] = to_object(*culprit.place);
  }
  return object;
}

json::array strings(const std::vector<std::string>& texts) {
  return json::array(texts.begin(), texts.end());
}

}  // namespace

std::string GradcheckReport::text() const {
  std::string result;
  const Out out(result);
  fmt::format_to(out, "gradcheck {} (order {}): {} comparisons, {} evaluations\n",
                 verdict == Verdict::failed ? "FAILED" : name_of(verdict), order, comparisons,
                 evaluations);
  constexpr std::size_t most = 3;
  for (std::size_t i = 0; i < failures.size() && i < most; ++i) {
    fmt::format_to(out, "wrong: order {}, {}\n", failures[i].order, where(failures[i]));
    put_place(out, failures[i], "  ");
  }
  if (failures.size() > most) {
    fmt::format_to(out, "... and {} more; the check stops at max_failures\n",
                   failures.size() - most);
  }
  for (const std::string& problem : problems) {
    fmt::format_to(out, "wrong: {}\n", problem);
  }
  if (culprit) {
    put_culprit(out, *culprit);
  } else if (!failures.empty()) {
    fmt::format_to(out,
                   "no operator is wrong by itself: values that go around the graph (item, data), "
                   "kinks whose subgradients do not add up, or numbers out of range\n");
  }
  if (!graph.empty()) {
    fmt::format_to(out, "graph:\n{}\n", graph);
  }
  for (const std::string& gap : gaps) {
    fmt::format_to(out, "not compared: {}\n", gap);
  }
  put_notes(out, *this);
  for (const std::string& warning : warnings) {
    fmt::format_to(out, "note: {}\n", warning);
  }
  for (const GradcheckInput& input : inputs) {
    if (input.checked) {
      fmt::format_to(out, "{} {} {}{}: {} elements, {} directions, worst {:.2g} of allowed{}\n",
                     input.name, name(input.dtype), input.shape, input.strided ? " strided" : "",
                     input.elements, input.directions, input.worst,
                     input.failures > 0 ? fmt::format(", {} wrong", input.failures) : "");
    } else {
      fmt::format_to(out, "{} {} {}: not checked\n", input.name, name(input.dtype), input.shape);
    }
  }
  if (verdict != Verdict::failed && worst) {
    fmt::format_to(out, "worst: {}: gradient {:.17g}, numerical {:.17g} +- {:.2g}\n", where(*worst),
                   unsigned_zero(worst->gradient), unsigned_zero(worst->numerical), worst->error);
  }
  result.pop_back();
  return result;
}

std::string GradcheckReport::to_json() const {
  json::array input_list, failure_list, note_list;
  for (const GradcheckInput& input : inputs) {
    input_list.push_back(json::object{{"name", input.name},
                                      {"shape", dimensions(input.shape)},
                                      {"dtype", name(input.dtype)},
                                      {"checked", input.checked},
                                      {"strided", input.strided},
                                      {"elements", input.elements},
                                      {"directions", input.directions},
                                      {"worst", number(input.worst)},
                                      {"failures", input.failures}});
  }
  for (const GradcheckPlace& failure : failures) {
    failure_list.push_back(to_object(failure));
  }
  for (const GradcheckNote& note : notes) {
    note_list.push_back(json::object{{"kind", name_of(note.kind)},
                                     {"place", to_object(note.place)},
                                     {"left", number(note.left)},
                                     {"right", number(note.right)}});
  }
  const json::object report{
      {"verdict", name_of(verdict)},
      {"order", order},
      {"comparisons", comparisons},
      {"evaluations", evaluations},
      {"kinks", kinks},
      {"singular", singular},
      {"unresolved", unresolved},
      {"inputs", std::move(input_list)},
      {"failures", std::move(failure_list)},
      {"problems", strings(problems)},
      {"gaps", strings(gaps)},
      {"warnings", strings(warnings)},
      {"notes", std::move(note_list)},
      {"worst", worst ? json::value(to_object(*worst)) : json::value(nullptr)},
      {"culprit", culprit ? json::value(to_object(*culprit)) : json::value(nullptr)},
      {"graph", graph}};
  return json::serialize(report);
}

}  // namespace cadena

fmt::format_context::iterator fmt::formatter<cadena::GradcheckReport>::format(
    const cadena::GradcheckReport& report, fmt::format_context& context) const {
  return fmt::formatter<fmt::string_view>::format(report.text(), context);
}
