#include <cadena/autograd/core/error.hpp>
#include <cadena/autograd/core/file.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace cadena::detail {
namespace {

/// A file beside `target` that is removed unless it is kept.
class Temporary {
 public:
  Temporary(const std::string& target, const std::string& wanted, const char* operation)
      : wanted_(wanted), operation_(operation) {
    static std::atomic<unsigned> counter{0};
    do {  // a process of the same number that was killed may have left its own
      path_ = fmt::format("{}.{}-{}.part", target, ::getpid(), ++counter);
      descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (descriptor_ < 0 && errno == EEXIST);
    if (descriptor_ < 0) {
      failed("cannot be written");
    }
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (descriptor_ >= 0) {
      ::close(descriptor_);
    }
    if (!kept_) {
      ::unlink(path_.c_str());
    }
  }

  void write(std::span<const std::byte> bytes) const {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0) {
        if (errno == EINTR) {
          continue;
        }
        failed("cannot be written");
      }
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }

  /// The mode of the file that is replaced.
  void take_mode_of(const std::string& path) const {
    struct ::stat status {};
    if (::stat(path.c_str(), &status) == 0) {
      (void)::fchmod(descriptor_,
                     status.st_mode & 07777);  // at worst the new file's own mode stays
    }
  }

  void keep_as(const std::string& path) {
    if (::fsync(descriptor_) != 0) {
      failed("cannot be brought to the disk");
    }
    if (::close(std::exchange(descriptor_, -1)) != 0) {
      failed("cannot be written");
    }
    if (::rename(path_.c_str(), path.c_str()) != 0) {
      failed("cannot be replaced");
    }
    kept_ = true;
  }

 private:
  [[noreturn]] void failed(const char* what) const {
    const int reason = errno;
    fail("{}: {}: {}: {}", operation_, wanted_, what, std::generic_category().message(reason));
  }

  std::string path_;
  const std::string& wanted_;
  const char* operation_;
  int descriptor_ = -1;
  bool kept_ = false;
};

void sync_directory(const std::filesystem::path& directory) {
  const int descriptor = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor >= 0) {
    (void)::fsync(descriptor);  // not every file system can; the file itself is safe
    ::close(descriptor);
  }
}

/// What a path names in the end, be it there or not: a link stays, its target is replaced or made.
std::filesystem::path followed(const std::string& path, const char* operation) {
  namespace fs = std::filesystem;
  constexpr int most = 40;  // as many as Linux follows
  fs::path target = path;
  std::error_code error;
  for (int links = 0; fs::is_symlink(target, error); ++links) {
    const fs::path next = links < most ? fs::read_symlink(target, error) : fs::path();
    if (links == most || error) {
      fail("{}: {}: {}", operation, path, error ? error.message() : "too many symbolic links");
    }
    target = target.parent_path() / next;
  }
  return target;
}

}  // namespace

void write_atomically(const std::string& path, const char* operation,
                      const std::function<void(const Write&)>& content) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const fs::path target = followed(path, operation);
  const fs::file_status status = fs::status(target, ignored);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    fail("{}: {}: not a regular file", operation, path);
  }
  const fs::path directory = target.has_parent_path() ? target.parent_path() : fs::path(".");
  Temporary file(target.string(), path, operation);
  if (fs::exists(status)) {
    file.take_mode_of(target.string());
  }
  content([&](std::span<const std::byte> bytes) { file.write(bytes); });
  file.keep_as(target.string());
  sync_directory(directory);
}

}  // namespace cadena::detail
