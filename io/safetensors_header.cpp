#include <cadena/io/safetensors_header.hpp>

#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>

#include <algorithm>
#include <limits>
#include <set>
#include <tuple>

namespace cadena::io {
namespace {

namespace json = boost::json;

struct DtypeName {
  const char* name;
  std::uint64_t size;  // bytes of an element
  std::optional<Dtype> dtype;
};

constexpr DtypeName dtype_names[] = {
    {"BOOL", 1, boolean},
    {"U8", 1, uint8},
    {"I64", 8, int64},
    {"F32", 4, float32},
    {"F64", 8, float64},
    {"I8", 1, std::nullopt},
    {"F8_E4M3", 1, std::nullopt},
    {"F8_E5M2", 1, std::nullopt},
    {"I16", 2, std::nullopt},
    {"U16", 2, std::nullopt},
    {"F16", 2, std::nullopt},
    {"BF16", 2, std::nullopt},
    {"I32", 4, std::nullopt},
    {"U32", 4, std::nullopt},
    {"U64", 8, std::nullopt},
};

/// Refuses, before values are made of the text, what they would hide (of a name that an object has
/// twice they keep the last one without a word) and what takes far more memory as values.
struct Outline {
  static constexpr std::size_t max_object_size = most_safetensors_names;
  static constexpr std::size_t max_array_size = 64;
  static constexpr std::size_t max_key_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_string_size = max_key_size;
  static constexpr std::size_t max_depth = 3;  // {name: {"shape": [...]}}

  std::vector<std::set<std::string, std::less<>>> open;
  std::string key, outer_key, problem;

  bool refuse(std::string text, json::error_code& error) {
    problem = std::move(text);
    error = json::make_error_code(json::error::syntax);
    return false;
  }

  bool on_object_begin(json::error_code& error) {
    if (open.size() == 2) {
      return refuse(fmt::format("{}: an object inside of the one in the header", shown(outer_key)),
                    error);
    }
    open.emplace_back();
    return true;
  }
  bool on_object_end(std::size_t, json::error_code&) {
    open.pop_back();
    return true;
  }
  bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
    key.append(part.data(), part.size());
    return true;
  }
  bool on_key(json::string_view part, std::size_t, json::error_code& error) {
    key.append(part.data(), part.size());
    if (open.size() == 1) {
      outer_key = key;
    } else if (outer_key != "__metadata__" && key != "dtype" && key != "shape" &&
               key != "data_offsets") {
      return refuse(
          fmt::format("tensor {}: unknown member {} in the header", shown(outer_key), shown(key)),
          error);
    }
    if (!open.back().insert(key).second) {
      return refuse(fmt::format("the header has the name {} twice", shown(key)), error);
    }
    key.clear();
    return true;
  }
  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_array_begin(json::error_code&) { return true; }
  bool on_array_end(std::size_t, json::error_code&) { return true; }
  bool on_string_part(json::string_view, std::size_t, json::error_code&) { return true; }
  bool on_string(json::string_view, std::size_t, json::error_code&) { return true; }
  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t, json::string_view, json::error_code&) { return true; }
  bool on_uint64(std::uint64_t, json::string_view, json::error_code&) { return true; }
  bool on_double(double, json::string_view, json::error_code&) { return true; }
  bool on_bool(bool, json::error_code&) { return true; }
  bool on_null(json::error_code&) { return true; }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }
};

constexpr std::uint64_t header_begin = 8;

json::value parse(const std::string& path, std::string_view text) {
  json::error_code error;
  json::parse_options options;
  options.max_depth = Outline::max_depth;
  json::basic_parser<Outline> outline(options);
  std::size_t read = outline.write_some(false, text.data(), text.size(), error);
  if (!outline.handler().problem.empty()) {
    reject(path, "{} (offset {})", outline.handler().problem, header_begin + read);
  }
  json::parser parser;
  if (!error) {
    read = parser.write(text.data(), text.size(), error);
  }
  if (error) {
    reject(path, "the header is no JSON of tensors: {} (offset {})", error.message(),
           header_begin + read);
  }
  return parser.release();
}

std::optional<std::uint64_t> natural(const json::value& value) {
  if (const std::uint64_t* number = value.if_uint64()) {
    return *number;
  }
  const std::int64_t* number = value.if_int64();
  return number != nullptr && *number >= 0
             ? std::optional<std::uint64_t>(static_cast<std::uint64_t>(*number))
             : std::nullopt;
}

/// What the header says of one tensor.
class EntryParser {
 public:
  EntryParser(const std::string& path, std::string_view name, std::uint64_t value_bytes)
      : path_(path), name_(name), value_bytes_(value_bytes) {}

  SafetensorsEntry parse(const json::value& value) const {
    const json::object* object = value.if_object();
    if (object == nullptr) {
      reject(path_, "tensor {}: expected an object in the header", shown(name_));
    }
    SafetensorsEntry entry;
    entry.name = name_;
    const DtypeName& dtype = parse_dtype(object->if_contains("dtype"));
    entry.dtype_name = dtype.name;
    entry.dtype = dtype.dtype;
    entry.shape = parse_shape(object->if_contains("shape"));
    parse_offsets(object->if_contains("data_offsets"), entry);
    check_size(entry, dtype.size);
    return entry;
  }

 private:
  const DtypeName& parse_dtype(const json::value* value) const {
    const json::string* text = value != nullptr ? value->if_string() : nullptr;
    if (text == nullptr) {
      reject(path_, "tensor {}: no dtype in the header", shown(name_));
    }
    const auto* found = std::find_if(std::begin(dtype_names), std::end(dtype_names),
                                     [&](const DtypeName& known) { return *text == known.name; });
    if (found == std::end(dtype_names)) {
      reject(path_, "tensor {}: unknown dtype {}", shown(name_), shown(*text));
    }
    return *found;
  }

  Shape parse_shape(const json::value* value) const {
    const json::array* list = value != nullptr ? value->if_array() : nullptr;
    if (list == nullptr) {
      reject(path_, "tensor {}: no shape in the header", shown(name_));
    }
    if (list->size() > static_cast<std::size_t>(max_rank)) {
      reject(path_, "tensor {}: {} dimensions, at most {} are possible", shown(name_), list->size(),
             max_rank);
    }
    Shape shape;
    std::uint64_t count = 1;
    for (const json::value& dimension : *list) {
      const std::optional<std::uint64_t> size = natural(dimension);
      constexpr auto most = static_cast<std::uint64_t>(max_elements);
      if (!size || *size > most || (*size != 0 && count > most / *size)) {
        reject(path_, "tensor {}: dimension {} of its shape is {}", shown(name_), shape.size(),
               !size ? "not a whole number of at least 0" : "too large");
      }
      count *= std::max<std::uint64_t>(*size, 1);
      shape.push_back(static_cast<std::int64_t>(*size));
    }
    return shape;
  }

  void parse_offsets(const json::value* value, SafetensorsEntry& entry) const {
    const json::array* list = value != nullptr ? value->if_array() : nullptr;
    const std::optional<std::uint64_t> begin =
        list != nullptr && list->size() == 2 ? natural((*list)[0]) : std::nullopt;
    const std::optional<std::uint64_t> end = begin ? natural((*list)[1]) : std::nullopt;
    if (!end) {
      reject(path_, "tensor {}: data_offsets must be two whole numbers of at least 0",
             shown(name_));
    }
    if (*begin > *end || *end > value_bytes_) {
      reject(path_,
             "tensor {}: data_offsets [{}, {}] do not lie in the {} bytes of values (is the file "
             "truncated?)",
             shown(name_), *begin, *end, value_bytes_);
    }
    entry.begin = *begin;
    entry.end = *end;
  }

  void check_size(const SafetensorsEntry& entry, std::uint64_t size) const {
    const std::uint64_t expected = static_cast<std::uint64_t>(numel(entry.shape)) * size;
    if (entry.end - entry.begin != expected) {
      reject(path_, "tensor {}: {} {} takes {} bytes, its data_offsets [{}, {}] hold {}",
             shown(name_), entry.dtype_name, entry.shape, expected, entry.begin, entry.end,
             entry.end - entry.begin);
    }
  }

  const std::string& path_;
  std::string_view name_;
  std::uint64_t value_bytes_;
};

std::map<std::string, std::string> parse_metadata(const std::string& path,
                                                  const json::value& value) {
  const json::object* object = value.if_object();
  if (object == nullptr) {
    reject(path, "__metadata__ must be an object of texts");
  }
  std::map<std::string, std::string> metadata;
  for (const json::key_value_pair& member : *object) {
    const json::string* text = member.value().if_string();
    if (text == nullptr) {
      reject(path, "__metadata__: the value of {} is no text", shown(member.key()));
    }
    metadata.emplace(member.key(), *text);
  }
  return metadata;
}

/// The values follow one another, from the first byte after the header to the last of the file.
void check_places(const std::string& path, const std::vector<SafetensorsEntry>& entries,
                  std::uint64_t values_begin, std::uint64_t value_bytes) {
  std::uint64_t end = 0;
  const std::string* before = nullptr;
  for (const SafetensorsEntry& entry : entries) {
    if (entry.begin < end) {
      reject(path, "the values of tensors {} and {} overlap (offset {})", shown(*before),
             shown(entry.name), values_begin + entry.begin);
    }
    if (entry.begin > end) {
      reject(path, "{} bytes before the values of tensor {} belong to none (offset {})",
             entry.begin - end, shown(entry.name), values_begin + end);
    }
    end = entry.end;
    before = &entry.name;
  }
  if (end != value_bytes) {
    reject(path, "{} bytes after the last tensor belong to none (offset {})", value_bytes - end,
           values_begin + end);
  }
}

}  // namespace

std::string shown(std::string_view text) {
  constexpr std::size_t longest = 80;
  std::string result = "\"";
  for (char c : text.substr(0, longest)) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x20 || code == 0x7f) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned>(code));
    } else {
      result += c;
    }
  }
  return result + (text.size() > longest ? "\"..." : "\"");
}

const char* safetensors_name(Dtype dtype) noexcept {
  return std::find_if(std::begin(dtype_names), std::end(dtype_names),
                      [&](const DtypeName& known) { return known.dtype == dtype; })
      ->name;
}

SafetensorsHeader parse_safetensors_header(const std::string& path, std::string_view text,
                                           std::uint64_t value_bytes) {
  const json::value value = parse(path, text);
  const json::object* object = value.if_object();
  if (object == nullptr) {
    reject(path, "the header must be a JSON object (offset {})", header_begin);
  }
  SafetensorsHeader header;
  for (const json::key_value_pair& member : *object) {
    if (member.key() == "__metadata__") {
      header.metadata = parse_metadata(path, member.value());
    } else {
      header.entries.push_back(EntryParser(path, member.key(), value_bytes).parse(member.value()));
    }
  }
  std::sort(header.entries.begin(), header.entries.end(),
            [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
              return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
            });
  check_places(path, header.entries, header_begin + text.size(), value_bytes);
  return header;
}

}  // namespace cadena::io
