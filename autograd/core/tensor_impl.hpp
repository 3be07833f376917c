#pragma once

#include <cadena/autograd/core/allocator.hpp>
#include <cadena/autograd/core/dtype.hpp>
#include <cadena/autograd/core/ref.hpp>
#include <cadena/autograd/core/shape.hpp>

#include <memory>

namespace cadena {
class Tensor;
}

namespace cadena::detail {

struct Node;
struct Storage;

/// What a Tensor points to. Immutable once it is made, its memory included (but see cell.hpp: an
/// update may write into memory that nobody else holds).
struct TensorImpl : Counted, Pooled {
  Dtype dtype = Dtype::float32;
  bool number = false;
  std::uint32_t output = 0;   ///< Which output of `node`.
  std::byte* data = nullptr;  ///< First element.
  Ref<Storage> storage;
  Ref<Node> node;                    ///< Maker or leaf, when a gradient is wanted.
  std::unique_ptr<Strides> strides;  ///< Null when contiguous.
  Shape shape;

  bool contiguous() const noexcept { return strides == nullptr; }

  TensorImpl();
  ~TensorImpl();
  static void destroy(TensorImpl* impl) noexcept { delete impl; }
};

/// A contiguous tensor with memory that is not yet written.
Ref<TensorImpl> make_impl(Dtype dtype, const Shape& shape);

/// Whether these are the strides of a contiguous tensor, those of dimensions of size 1 aside.
bool is_contiguous(const Shape& shape, const Strides& strides) noexcept;

/// A view of another tensor's memory; `offset` in elements from its first one. Strides that are
/// those of a contiguous tensor are recognised.
Ref<TensorImpl> make_view(const TensorImpl& base, const Shape& shape, const Strides& strides,
                          std::int64_t offset);

/// The same value with another place in the graph.
Ref<TensorImpl> with_node(const TensorImpl& value, Ref<Node> node, std::uint32_t output);

/// The impl of a defined tensor; an Error that names `operation` otherwise.
TensorImpl& impl_of(const Tensor& tensor, const char* operation);

/// Calls f(element) on each element of a strided tensor in row-major order.
template <class T, class F> void for_each(const TensorImpl& tensor, F&& f) {
  const T* data = reinterpret_cast<const T*>(tensor.data);
  const std::int64_t count = numel(tensor.shape);
  if (tensor.contiguous()) {
    for (std::int64_t i = 0; i < count; ++i) {
      f(data[i]);
    }
    return;
  }
  const Strides& strides = *tensor.strides;
  Dims index = Dims::filled(tensor.shape.size(), 0);
  std::int64_t offset = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    f(data[offset]);
    for (int axis = index.size(); axis-- > 0;) {
      offset += strides[axis];
      if (++index[axis] < tensor.shape[axis]) {
        break;
      }
      offset -= strides[axis] * index[axis];
      index[axis] = 0;
    }
  }
}

}  // namespace cadena::detail
