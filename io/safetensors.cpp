#include <cadena/autograd/core/file.hpp>
#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/io/safetensors.hpp>
#include <cadena/io/safetensors_header.hpp>

#include <boost/json.hpp>

#include <algorithm>
#include <bit>
#include <filesystem>
#include <fstream>
#include <new>
#include <set>

namespace cadena::io {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

namespace {

/// A file whose header has been read and found right.
class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) {
      reject(path, "{}",
             error && error.value() != ENOENT       ? error.message()
             : std::filesystem::exists(path, error) ? "not a regular file"
                                                    : "no such file");
    }
    const std::uint64_t size = std::filesystem::file_size(path, error);
    stream_.open(path, std::ios::binary);
    if (error || !stream_) {
      reject(path, "cannot be opened for reading");
    }
    std::uint64_t length = 0;
    if (size < sizeof length) {
      reject(path, "{} bytes, too few for the length of a header (offset 0)", size);
    }
    read(0, std::as_writable_bytes(std::span(&length, 1)));
    if (length > size - sizeof length || length > longest_safetensors_header) {
      reject(path,
             "the header's length is {} bytes (offset 0), the file has {} (at most {} are read)",
             length, size, longest_safetensors_header);
    }
    values_begin_ = sizeof length + length;
    std::string text(static_cast<std::size_t>(length), '\0');
    read(sizeof length, std::as_writable_bytes(std::span(text)));
    header_ = parse_safetensors_header(path, text, size - values_begin_);
  }

  SafetensorsHeader& header() { return header_; }

  Tensor tensor(const SafetensorsEntry& entry) {
    if (!entry.dtype) {
      reject(path_, "tensor {}: dtype {} is not one of F32, F64, I64, U8, BOOL", shown(entry.name),
             entry.dtype_name);
    }
    const detail::Ref<detail::TensorImpl> impl = allocated(entry);
    const std::uint64_t offset = values_begin_ + entry.begin;
    const std::span<std::byte> bytes(impl->data, static_cast<std::size_t>(entry.end - entry.begin));
    read(offset, bytes);
    if (*entry.dtype == boolean) {
      const auto wrong = std::find_if(bytes.begin(), bytes.end(),
                                      [](std::byte value) { return value > std::byte{1}; });
      if (wrong != bytes.end()) {
        reject(path_, "tensor {}: a boolean is {}, not 0 or 1 (offset {})", shown(entry.name),
               std::to_integer<int>(*wrong),
               offset + static_cast<std::uint64_t>(wrong - bytes.begin()));
      }
    }
    return Tensor(impl);
  }

 private:
  detail::Ref<detail::TensorImpl> allocated(const SafetensorsEntry& entry) const {
    try {
      return detail::make_impl(*entry.dtype, entry.shape);
    } catch (const Error& error) {
      reject(path_, "tensor {}: {}", shown(entry.name), error.what());
    }
  }

  void read(std::uint64_t offset, std::span<std::byte> bytes) {
    stream_.seekg(static_cast<std::streamoff>(offset));
    stream_.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!stream_) {
      reject(path_, "{} bytes cannot be read (offset {})", bytes.size(), offset);
    }
  }

  const std::string& path_;
  std::ifstream stream_;
  SafetensorsHeader header_;
  std::uint64_t values_begin_ = 0;
};

std::string header_text(const std::string& path, const std::vector<NamedTensor>& tensors,
                        const SaveOptions& options) {
  boost::json::object header;
  if (!options.metadata.empty()) {
    boost::json::object& metadata = header["__metadata__"].emplace_object();
    for (const auto& [key, value] : options.metadata) {
      metadata[key] = value;
    }
  }
  std::uint64_t end = 0;
  for (const auto& [name, tensor] : tensors) {
    if (name == "__metadata__" || header.contains(name)) {
      fail("save_safetensors: {}: the name {} {}", path, shown(name),
           name == "__metadata__" ? "is reserved" : "appears twice");
    }
    const std::uint64_t begin = end;
    end += static_cast<std::uint64_t>(tensor.numel()) * size_of(tensor.dtype());
    boost::json::array shape(tensor.shape().begin(), tensor.shape().end());
    header[name] = {{"dtype", safetensors_name(tensor.dtype())},
                    {"shape", std::move(shape)},
                    {"data_offsets", {begin, end}}};
  }
  std::string text = boost::json::serialize(header);
  boost::json::error_code error;
  boost::json::parse(text, error);
  if (error) {
    fail("save_safetensors: {}: a name or the metadata is not UTF-8", path);
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');  // values begin at a multiple of 8 bytes
  if (text.size() > longest_safetensors_header ||
      std::max(tensors.size(), options.metadata.size()) > most_safetensors_names) {
    fail(
        "save_safetensors: {}: {} tensors and {} entries of metadata, {} bytes of header, could "
        "not be loaded (at most {} of each and {} bytes are read)",
        path, tensors.size(), options.metadata.size(), text.size(), most_safetensors_names,
        longest_safetensors_header);
  }
  return text;
}

/// action(), with a lack of memory told as of this file.
template <class Action> auto reading(const std::string& path, Action&& action) {
  try {
    return action();
  } catch (const std::bad_alloc&) {
    reject(path, "not enough memory to read it");
  }
}

}  // namespace

void save_safetensors(const std::string& path, const std::vector<NamedTensor>& tensors,
                      const SaveOptions& options) {
  // The widest elements first: every tensor is then aligned for readers that map the file.
  std::vector<NamedTensor> ordered;
  for (std::size_t width : {8u, 4u, 1u}) {
    for (const NamedTensor& named : tensors) {
      if (!named.tensor.defined()) {
        fail("save_safetensors: {}: tensor {} is undefined", path, shown(named.name));
      }
      if (size_of(named.tensor.dtype()) == width) {
        ordered.push_back({named.name, named.tensor.detach().contiguous()});
      }
    }
  }
  const std::string text = header_text(path, ordered, options);
  const std::uint64_t length = text.size();
  detail::write_atomically(path, "save_safetensors", [&](const detail::Write& write) {
    write(std::as_bytes(std::span(&length, 1)));
    write(std::as_bytes(std::span(text)));
    for (const NamedTensor& named : ordered) {
      const std::int64_t count = named.tensor.numel();
      write({named.tensor.impl()->data,
             static_cast<std::size_t>(count) * size_of(named.tensor.dtype())});
    }
  });
}

SafetensorsFile load_safetensors(const std::string& path) {
  return reading(path, [&] {
    Reader reader(path);
    SafetensorsFile file;
    for (const SafetensorsEntry& entry : reader.header().entries) {
      file.tensors.push_back({entry.name, reader.tensor(entry)});
    }
    file.metadata = std::move(reader.header().metadata);
    return file;
  });
}

std::vector<nn::StateEntry> entries_of(const std::vector<NamedCell>& cells) {
  std::vector<nn::StateEntry> entries;
  for (const NamedCell& named : cells) {
    entries.push_back({named.name, named.cell});
  }
  return entries;
}

void save_entries(const std::string& path, const std::vector<nn::StateEntry>& state,
                  const SaveOptions& options) {
  std::vector<NamedTensor> tensors;
  for (const nn::StateEntry& entry : state) {
    tensors.push_back({entry.name, entry.cell.value()});
  }
  save_safetensors(path, tensors, options);
}

namespace {

/// Names for a message, the first ones of very many.
std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t most = 20;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), most); ++i) {
    text += (i > 0 ? ", " : "") + shown(names[i]);
  }
  return names.size() > most ? text + fmt::format(" and {} more", names.size() - most) : text;
}

LoadReport load_from(Reader reader, const std::string& path,
                     const std::vector<nn::StateEntry>& state, const LoadOptions& options) {
  std::map<std::string_view, const SafetensorsEntry*> by_name;
  for (const SafetensorsEntry& entry : reader.header().entries) {
    by_name.emplace(entry.name, &entry);
  }
  LoadReport report;
  std::vector<std::pair<Cell, const SafetensorsEntry*>> found;
  std::string differences;
  std::set<std::string_view> known;
  for (const nn::StateEntry& wanted : state) {
    std::vector<std::string> names{wanted.name};  // a tied one may be there under any of its names
    names.insert(names.end(), wanted.other_names.begin(), wanted.other_names.end());
    const SafetensorsEntry* entry = nullptr;
    for (const std::string& name : names) {
      const auto place = by_name.find(name);
      if (place != by_name.end()) {
        known.insert(place->first);
        entry = entry == nullptr ? place->second : entry;
      }
    }
    if (entry == nullptr) {
      report.missing.push_back(wanted.name);
      continue;
    }
    const Tensor& old = wanted.cell.value();
    if (entry->shape != old.shape() || entry->dtype != old.dtype()) {
      differences +=
          fmt::format("\n  {}: expected {} {}, the file has {} {}", wanted.name,
                      safetensors_name(old.dtype()), old.shape(), entry->dtype_name, entry->shape);
    }
    found.emplace_back(wanted.cell, entry);
  }
  for (const SafetensorsEntry& entry : reader.header().entries) {
    if (!known.contains(entry.name)) {
      report.unexpected.push_back(entry.name);
    }
  }
  if (options.strict && !report.missing.empty()) {
    differences += "\n  missing in the file: " + listed(report.missing);
  }
  if (options.strict && !report.unexpected.empty()) {
    differences += "\n  only in the file: " + listed(report.unexpected);
  }
  if (!differences.empty()) {
    reject(path, "the file does not fit what it is loaded into:{}", differences);
  }
  std::vector<Tensor> values;
  for (const auto& [cell, entry] : found) {
    values.push_back(reader.tensor(*entry));
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    found[i].first.assign(values[i]);
  }
  return report;
}

}  // namespace

LoadReport load_entries(const std::string& path, const std::vector<nn::StateEntry>& state,
                        const LoadOptions& options) {
  return reading(path, [&] { return load_from(Reader(path), path, state, options); });
}

}  // namespace cadena::io
