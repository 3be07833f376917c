#include <cadena/autograd/core/create.hpp>
#include <cadena/data/idx.hpp>

#include <boost/iostreams/device/file.hpp>
#include <boost/iostreams/filter/gzip.hpp>
#include <boost/iostreams/filtering_streambuf.hpp>

#include <algorithm>
#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <new>
#include <span>

namespace cadena::data {
namespace {

constexpr std::size_t first_read = std::size_t{1} << 20;

const char* words_for(const boost::iostreams::gzip_error& error) {
  namespace gzip = boost::iostreams::gzip;
  switch (error.error()) {
    case gzip::bad_crc:
      return "data whose checksum is not the recorded one";
    case gzip::bad_header:
      return "a damaged header, or other bytes after the compressed data";
    case gzip::bad_footer:
      return "the end of the file within the checksum";
    default:
      return error.zlib_error_code() == boost::iostreams::zlib::buf_error
                 ? "the end of the file within the compressed data"
                 : "damaged compressed data";
  }
}

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {
    std::error_code ignored;
    const std::filesystem::file_status status = std::filesystem::status(path, ignored);
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
      cadena::fail("read_idx: {} is {}", path,
                   std::filesystem::is_directory(status) ? "a directory" : "no regular file");
    }
    std::ifstream file(path, std::ios::binary);
    if (!file) {
      cadena::fail("read_idx: cannot open {}: {}", path, std::strerror(errno));
    }
    char start[2] = {};
    file.read(start, 2);
    if (file.gcount() == 2 && start[0] == '\x1f' && start[1] == '\x8b') {
      stream_.push(boost::iostreams::gzip_decompressor());
    }
    stream_.push(boost::iostreams::file_source(path, std::ios::binary));
  }

  /// Fills `bytes`, or fails with what should have been there.
  void read(std::span<std::byte> bytes, const char* what) {
    const std::size_t got = some(bytes);
    if (got < bytes.size()) {
      fail("expected {} bytes of {}, got {}", bytes.size(), what, got);
    }
    offset_ += bytes.size();
  }

  /// `count` bytes. The header may lie: memory grows with what is there.
  std::vector<std::byte> read(std::size_t count, const char* what) {
    std::vector<std::byte> bytes;
    while (bytes.size() < count) {
      const std::size_t before = bytes.size();
      bytes.resize(std::min(count, std::max(first_read, 2 * before)));
      const std::size_t got = some(std::span(bytes).subspan(before));
      if (before + got < bytes.size()) {
        fail("expected {} bytes of {}, got {}", count, what, before + got);
      }
    }
    offset_ += count;
    return bytes;
  }

  /// Also has gzip compare its checksum.
  void expect_end() {
    std::byte one;
    if (some({&one, 1}) != 0) {
      fail("expected the end of the file, got more bytes");
    }
  }

  template <class... Arguments>
  [[noreturn]] void fail(fmt::format_string<Arguments...> text, Arguments&&... arguments) const {
    cadena::fail("read_idx: {}: offset {}: {}", path_, offset_,
                 fmt::format(text, std::forward<Arguments>(arguments)...));
  }

 private:
  std::size_t some(std::span<std::byte> bytes) {
    try {
      return static_cast<std::size_t>(stream_.sgetn(reinterpret_cast<char*>(bytes.data()),
                                                    static_cast<std::streamsize>(bytes.size())));
    } catch (const boost::iostreams::gzip_error& error) {
      fail("expected {} bytes of gzip data, got {}", bytes.size(), words_for(error));
    } catch (const std::ios_base::failure& error) {
      fail("expected {} bytes, got an error ({})", bytes.size(), error.what());
    }
  }

  std::string path_;
  std::size_t offset_ = 0;
  boost::iostreams::filtering_streambuf<boost::iostreams::input> stream_;
};

/// A big-endian number.
template <class Number> Number from_big_endian(const std::byte* bytes) {
  std::byte native[sizeof(Number)];
  std::copy_n(bytes, sizeof(Number), native);
  if constexpr (std::endian::native == std::endian::little) {
    std::reverse(native, native + sizeof(Number));
  }
  Number number;
  std::memcpy(&number, native, sizeof number);
  return number;
}

template <class Stored, class T>
Tensor converted(const std::vector<std::byte>& bytes, const Shape& shape) {
  std::vector<T> values(bytes.size() / sizeof(Stored));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto value = from_big_endian<Stored>(bytes.data() + i * sizeof(Stored));
    values[i] = static_cast<T>(value);
  }
  return from_span<T>(std::span<const T>(values), shape);
}

struct Type {
  std::size_t bytes;
  const char* name;
  Tensor (*convert)(const std::vector<std::byte>&, const Shape&);
};

const Type* type_of(std::byte code) {
  static constexpr Type uint8{1, "uint8", [](const std::vector<std::byte>& b, const Shape& s) {
                                return from_span<std::uint8_t>(
                                    {reinterpret_cast<const std::uint8_t*>(b.data()), b.size()}, s);
                              }};
  static constexpr Type int8{1, "int8", converted<std::int8_t, std::int64_t>};
  static constexpr Type int16{2, "int16", converted<std::int16_t, std::int64_t>};
  static constexpr Type int32{4, "int32", converted<std::int32_t, std::int64_t>};
  static constexpr Type float32{4, "float", converted<float, float>};
  static constexpr Type float64{8, "double", converted<double, double>};
  switch (std::to_integer<int>(code)) {
    case 0x08:
      return &uint8;
    case 0x09:
      return &int8;
    case 0x0b:
      return &int16;
    case 0x0c:
      return &int32;
    case 0x0d:
      return &float32;
    case 0x0e:
      return &float64;
    default:
      return nullptr;
  }
}

}  // namespace

Tensor read_idx(const std::string& path) try {
  Reader in(path);
  std::byte magic[4];
  in.read(magic, "header");
  const Type* type = type_of(magic[2]);
  const int rank = std::to_integer<int>(magic[3]);
  if (magic[0] != std::byte{0} || magic[1] != std::byte{0} || type == nullptr) {
    cadena::fail(
        "read_idx: {}: offset 0: expected an IDX file (bytes 00 00, then a type of 08, 09, 0b, 0c, "
        "0d, 0e), got bytes {:02x} {:02x} {:02x}",
        path, std::to_integer<int>(magic[0]), std::to_integer<int>(magic[1]),
        std::to_integer<int>(magic[2]));
  }
  if (rank > max_rank) {
    cadena::fail("read_idx: {}: offset 3: expected at most {} dimensions, got {}", path, max_rank,
                 rank);
  }
  Shape shape;
  std::int64_t bytes = static_cast<std::int64_t>(type->bytes);
  for (int axis = 0; axis < rank; ++axis) {
    std::byte dimension[4];
    in.read(dimension, "dimensions");
    shape.push_back(from_big_endian<std::uint32_t>(dimension));
  }
  for (const std::int64_t dimension : shape) {
    // A number has a byte or more.
    if (bytes > max_elements / std::max<std::int64_t>(dimension, 1)) {
      in.fail("expected the data of {} {}, which no file can hold", type->name, shape);
    }
    bytes *= std::max<std::int64_t>(dimension, 1);
  }
  if (numel(shape) == 0) {
    bytes = 0;
  }
  const std::string what = fmt::format("data for {} {}", type->name, shape);
  const std::vector<std::byte> data = in.read(static_cast<std::size_t>(bytes), what.c_str());
  in.expect_end();
  return type->convert(data, shape);
} catch (const std::bad_alloc&) {
  cadena::fail("read_idx: {}: not enough memory to read it", path);
}

}  // namespace cadena::data
