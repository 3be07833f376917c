#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>

namespace cadena::detail {

/// Takes the next bytes of a file.
using Write = std::function<void(std::span<const std::byte>)>;

/// Makes or replaces a file with what `content` writes. Until all of it is on the disk, it lies
/// under another name in the same directory, so nobody ever sees a part and a failure leaves what
/// was there. A symbolic link stays, what it names is made or replaced. Errors name the file and
/// the system's reason; `operation` comes first.
void write_atomically(const std::string& path, const char* operation,
                      const std::function<void(const Write&)>& content);

}  // namespace cadena::detail
