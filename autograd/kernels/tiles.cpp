#include <cadena/autograd/core/small_vector.hpp>
#include <cadena/autograd/kernels/parallel.hpp>
#include <cadena/autograd/kernels/strided.hpp>
#include <cadena/autograd/kernels/tiles.hpp>

#include <algorithm>

namespace cadena::kernels {
namespace {

constexpr int max_inputs = 16;
constexpr std::size_t cache = 24 * 1024;  // bytes of tiles at a time: most of a first-level cache
constexpr std::int64_t serial = 32768;    // elements; below, a second thread does not pay
constexpr std::int64_t piece = 16384;

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
          strided[k]->gather(inputs[k].bytes(), place[k], 0, std::min(tile, end - begin));
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
            strided[k]->gather(inputs[k].bytes(), place[k], begin, count);
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
      strided[k] =
          &laid_out.emplace_back(inputs[k].dtype(), inputs[k].shape(), inputs[k].strides());
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
