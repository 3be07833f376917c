#include <cadena/autograd/core/small_vector.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/tiles.hpp>
#include <cadena/autograd/kernels/walk.hpp>

#include <algorithm>

namespace cadena::kernels {
namespace {

constexpr int max_inputs = 16;
constexpr std::size_t cache = 24 * 1024;  // bytes of tiles at a time: most of a first-level cache
constexpr std::int64_t serial = 32768;    // elements; below, a second thread does not pay
constexpr std::int64_t piece = 16384;

/// An input that is not contiguous.
struct Strided {
  const std::byte* data;
  std::size_t width;  // bytes of an element
  Walk<1> walk;

  explicit Strided(const Input& input)
      : data(input.bytes()), width(size_of(input.dtype())), walk(input.shape(), input.strides()) {}

  bool is_splat() const noexcept { return walk.is_one_run() && walk.step(0) == 0; }

  /// Copies the elements [begin, begin + count) in row-major order.
  template <class Word>
  void gather_as(std::byte* to, std::int64_t begin, std::int64_t count) const {
    const Word* from = reinterpret_cast<const Word*>(data);
    Word* out = reinterpret_cast<Word*>(to);
    walk.run(begin, begin + count, [&](std::int64_t run, const auto& at) {
      copy_run(out, 1, from + at[0], walk.step(0), run);
      out += run;
    });
  }

  void gather(std::byte* to, std::int64_t begin, std::int64_t count) const {
    if (width == 4) {
      gather_as<std::uint32_t>(to, begin, count);
    } else if (width == 8) {
      gather_as<std::uint64_t>(to, begin, count);
    } else {
      gather_as<std::uint8_t>(to, begin, count);
    }
  }
};

/// The kernel over [begin, end) with the contiguous inputs in place.
struct Contiguous {
  TileKernel kernel;
  const void* functor;
  Inputs inputs;
  Outputs outputs;

  void run(std::int64_t begin, std::int64_t end) const {
    const std::byte* in[max_inputs];
    std::byte* out[max_inputs];
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      in[k] = inputs[k].bytes() + begin * static_cast<std::int64_t>(size_of(inputs[k].dtype()));
    }
    for (std::size_t k = 0; k < outputs.size(); ++k) {
      out[k] = outputs[k].bytes() + begin * static_cast<std::int64_t>(size_of(outputs[k].dtype()));
    }
    kernel(functor, in, out, end - begin);
  }

  /// As above, tile by tile; `strided[k]` is not null for inputs that have to be laid out.
  void run(std::int64_t begin, std::int64_t end, const Strided* const* strided,
           std::int64_t tile) const {
    alignas(64) std::byte scratch[cache];
    const std::byte* in[max_inputs];
    std::byte* out[max_inputs];
    std::byte* place[max_inputs] = {};
    std::byte* next = scratch;
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      if (strided[k] != nullptr) {
        place[k] = next;
        next += tile * static_cast<std::int64_t>(size_of(inputs[k].dtype()));
        if (strided[k]->is_splat()) {
          strided[k]->gather(place[k], 0, std::min(tile, end - begin));
        }
      }
    }
    for (; begin < end; begin += tile) {
      const std::int64_t count = std::min(tile, end - begin);
      for (std::size_t k = 0; k < inputs.size(); ++k) {
        if (strided[k] == nullptr) {
          in[k] = inputs[k].bytes() + begin * static_cast<std::int64_t>(size_of(inputs[k].dtype()));
        } else {
          in[k] = place[k];
          if (!strided[k]->is_splat()) {
            strided[k]->gather(place[k], begin, count);
          }
        }
      }
      for (std::size_t k = 0; k < outputs.size(); ++k) {
        out[k] =
            outputs[k].bytes() + begin * static_cast<std::int64_t>(size_of(outputs[k].dtype()));
      }
      kernel(functor, in, out, count);
    }
  }
};

}  // namespace

void run_tiles(TileKernel kernel, const void* functor, Inputs inputs, Outputs outputs) {
  const std::int64_t count = outputs[0].numel();
  if (count == 0) {
    return;
  }
  const Contiguous work{kernel, functor, inputs, outputs};
  const Denormals denormals =
      outputs[0].dtype() == Dtype::float32 ? Denormals::flush : Denormals::keep;
  const std::int64_t grain = count <= serial ? count : piece;
  std::size_t bytes = 0;
  for (const Input& input : inputs) {
    bytes += input.is_contiguous() ? 0 : size_of(input.dtype());
  }
  if (bytes == 0) {
    parallel_for(
        count, grain, [&](std::int64_t begin, std::int64_t end) { work.run(begin, end); },
        denormals);
    return;
  }
  SmallVector<Strided, 4> laid_out;
  const Strided* strided[max_inputs] = {};
  laid_out.reserve(inputs.size());
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    if (!inputs[k].is_contiguous()) {
      strided[k] = &laid_out.emplace_back(inputs[k]);
    }
  }
  const auto fitting = static_cast<std::int64_t>(cache / bytes / 64 * 64);
  const std::int64_t tile = std::clamp<std::int64_t>(fitting, 64, 1024);
  parallel_for(
      count, grain,
      [&](std::int64_t begin, std::int64_t end) { work.run(begin, end, strided, tile); },
      denormals);
}

}  // namespace cadena::kernels
