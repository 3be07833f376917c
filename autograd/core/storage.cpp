#include <cadena/autograd/core/capturing.hpp>
#include <cadena/autograd/core/storage.hpp>

#include <memory>
#include <new>

namespace cadena::detail {
namespace {

// Small values follow the header at once; large ones begin on a cache line of their own.
constexpr std::size_t header = 32;
constexpr std::size_t line = 64;
static_assert(sizeof(Storage) <= header);

constexpr std::size_t data_offset(std::size_t bytes) { return bytes <= header ? header : line; }

}  // namespace

Ref<Storage> Storage::make(std::size_t bytes) {
  const std::size_t offset = data_offset(bytes);
  auto* block = static_cast<std::byte*>(allocate(offset + bytes));
  auto* storage = new (block) Storage;
  storage->data = block + offset;
  storage->bytes = bytes;
  return Ref<Storage>(storage);
}

Ref<Storage> Storage::adopt(std::byte* data, std::size_t bytes, std::function<void()> release) {
  auto keep = std::make_unique<std::function<void()>>(std::move(release));
  auto* storage = new (allocate(sizeof(Storage))) Storage;
  storage->data = data;
  storage->bytes = bytes;
  storage->release = keep.release();
  return Ref<Storage>(storage);
}

void Storage::destroy(Storage* storage) noexcept {
  if (storage->bytes == symbolic) {
    deallocate(storage, sizeof(Symbol));
    return;
  }
  std::size_t size = sizeof(Storage);
  if (storage->release != nullptr) {
    if (*storage->release) {
      (*storage->release)();
    }
    delete storage->release;
  } else {
    size = data_offset(storage->bytes) + storage->bytes;
  }
  storage->~Storage();
  deallocate(storage, size);
}

}  // namespace cadena::detail
