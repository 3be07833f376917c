#include <cadena/autograd/core/error.hpp>
#include <cadena/autograd/kernels/level.hpp>
#include <cadena/autograd/kernels/product_library.hpp>
#include <cadena/autograd/kernels/scratch.hpp>

#include <boost/unordered/unordered_flat_map.hpp>

#include <oneapi/dnnl/dnnl.h>

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>

extern "C" int omp_get_max_threads();
extern "C" void omp_set_num_threads(int);

namespace cadena::kernels {
namespace {

// oneDNN would start threads of its own; the count is the calling thread's and may be the user's.
class OneOpenMPThread {
 public:
  OneOpenMPThread() {
    if (saved_ != 1) omp_set_num_threads(1);
  }
  ~OneOpenMPThread() {
    if (saved_ != 1) omp_set_num_threads(saved_);
  }
  OneOpenMPThread(const OneOpenMPThread&) = delete;
  OneOpenMPThread& operator=(const OneOpenMPThread&) = delete;

 private:
  int saved_ = omp_get_max_threads();
};

// CADENA_ARCHITECTURE bounds oneDNN's choice of instructions as it bounds ours. Without it oneDNN
// may choose more than x86-64-v4 has.
void bound_library() {
  if (level() == 0) dnnl_set_max_cpu_isa(dnnl_cpu_isa_sse41);
  if (level() == 3) dnnl_set_max_cpu_isa(dnnl_cpu_isa_avx2);
}

void check(dnnl_status_t status, const ProductShape& s) {
  if (status != dnnl_success) {
    fail("matmul: oneDNN reports status {} for a product of {} x {} and {} x {}",
         static_cast<int>(status), s.rows, s.inner, s.inner, s.columns);
  }
}

template <class T> struct Deleter;
template <> struct Deleter<dnnl_engine> {
  void operator()(dnnl_engine_t engine) const { dnnl_engine_destroy(engine); }
};
template <> struct Deleter<dnnl_stream> {
  void operator()(dnnl_stream_t stream) const { dnnl_stream_destroy(stream); }
};
template <> struct Deleter<dnnl_memory> {
  void operator()(dnnl_memory_t memory) const { dnnl_memory_destroy(memory); }
};
template <> struct Deleter<dnnl_primitive> {
  void operator()(dnnl_primitive_t primitive) const { dnnl_primitive_destroy(primitive); }
};
template <> struct Deleter<dnnl_primitive_desc> {
  void operator()(dnnl_primitive_desc_t description) const {
    dnnl_primitive_desc_destroy(description);
  }
};
template <class T> using Owned = std::unique_ptr<T, Deleter<T>>;

/// A product of one shape and one place of elements, made ready by oneDNN.
class ReadyProduct {
 public:
  ReadyProduct(dnnl_engine_t engine, const ProductShape& s, std::int64_t a_stride,
               std::int64_t b_stride)
      : engine_(engine), shape_(s) {
    const auto describe = [&](dnnl_memory_desc_t& description, std::int64_t rows,
                              std::int64_t columns, std::int64_t stride, Transpose transposed) {
      const bool turned = transposed == Transpose::yes;
      const dnnl_dims_t sizes = {rows, columns};
      const dnnl_dims_t strides = {turned ? 1 : stride, turned ? stride : 1};
      check(dnnl_memory_desc_init_by_strides(&description, 2, sizes, dnnl_f32, strides), s);
    };
    describe(a_, s.rows, s.inner, a_stride, s.a);
    describe(b_, s.inner, s.columns, b_stride, s.b);
    describe(c_, s.rows, s.columns, s.columns, Transpose::no);
    dnnl_matmul_desc_t operation;
    check(dnnl_matmul_desc_init(&operation, &a_, &b_, nullptr, &c_), s);
    dnnl_primitive_attr_t attributes = nullptr;
    check(dnnl_primitive_attr_create(&attributes), s);
    // Otherwise two threads could not run the same primitive.
    dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
    dnnl_primitive_desc_t description = nullptr;
    const dnnl_status_t status =
        dnnl_primitive_desc_create(&description, &operation, attributes, engine, nullptr);
    dnnl_primitive_attr_destroy(attributes);
    check(status, s);
    const Owned<dnnl_primitive_desc> owned(description);
    scratch_ = *dnnl_primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0);
    dnnl_primitive_t primitive = nullptr;
    check(dnnl_primitive_create(&primitive, description), s);
    primitive_.reset(primitive);
  }

  void run(dnnl_stream_t stream, const float* a, const float* b, float* c) const {
    const std::size_t bytes = dnnl_memory_desc_get_size(&scratch_);
    std::optional<Scratch<std::byte>> scratch;
    if (bytes > 0) scratch.emplace(static_cast<std::int64_t>(bytes));
    // oneDNN's interface has no memory for reading alone.
    const std::array<Owned<dnnl_memory>, 4> memory{
        place(a_, const_cast<float*>(a)), place(b_, const_cast<float*>(b)), place(c_, c),
        place(scratch_, scratch ? scratch->data() : nullptr)};
    const std::array<dnnl_exec_arg_t, 4> arguments{
        dnnl_exec_arg_t{DNNL_ARG_SRC, memory[0].get()},
        dnnl_exec_arg_t{DNNL_ARG_WEIGHTS, memory[1].get()},
        dnnl_exec_arg_t{DNNL_ARG_DST, memory[2].get()},
        dnnl_exec_arg_t{DNNL_ARG_SCRATCHPAD, memory[3].get()}};
    check(dnnl_primitive_execute(primitive_.get(), stream, arguments.size(), arguments.data()),
          shape_);
  }

 private:
  Owned<dnnl_memory> place(const dnnl_memory_desc_t& description, void* data) const {
    dnnl_memory_t memory = nullptr;
    check(dnnl_memory_create(&memory, &description, engine_, data), shape_);
    return Owned<dnnl_memory>(memory);
  }

  dnnl_engine_t engine_;
  ProductShape shape_;
  dnnl_memory_desc_t a_, b_, c_, scratch_;
  Owned<dnnl_primitive> primitive_;
};

/// Products made ready before. To make one costs more than to run a small one.
class ReadyProducts {
 public:
  ReadyProducts() {
    dnnl_engine_t engine = nullptr;
    check(dnnl_engine_create(&engine, dnnl_cpu, 0), {});
    engine_.reset(engine);
  }

  std::shared_ptr<const ReadyProduct> get(const ProductShape& s, std::int64_t a_stride,
                                          std::int64_t b_stride) {
    const Key key{s.rows,   s.columns,
                  s.inner,  2 * (s.a == Transpose::yes) + (s.b == Transpose::yes),
                  a_stride, b_stride};
    {
      const std::shared_lock lock(mutex_);
      const auto found = products_.find(key);
      if (found != products_.end()) return found->second;
    }
    auto made = std::make_shared<const ReadyProduct>(engine_.get(), s, a_stride, b_stride);
    const std::unique_lock lock(mutex_);
    if (products_.size() >= most) products_.clear();
    products_.emplace(key, made);
    return made;
  }
  dnnl_engine_t engine() const { return engine_.get(); }

 private:
  static constexpr std::size_t most = 1024;
  using Key = std::array<std::int64_t, 6>;
  Owned<dnnl_engine> engine_;
  std::shared_mutex mutex_;
  boost::unordered_flat_map<Key, std::shared_ptr<const ReadyProduct>> products_;
};

ReadyProducts& ready_products() {
  // Never destroyed: threads of the pool may outlive static objects.
  static ReadyProducts& products = *new ReadyProducts;
  return products;
}

dnnl_stream_t stream_of_this_thread() {
  thread_local const Owned<dnnl_stream> stream = [] {
    dnnl_stream_t made = nullptr;
    check(dnnl_stream_create(&made, ready_products().engine(), dnnl_stream_default_flags), {});
    return Owned<dnnl_stream>(made);
  }();
  return stream.get();
}

}  // namespace

void product_by_library(const ProductShape& s, MatrixView<const float> a, MatrixView<const float> b,
                        MatrixView<float> c) {
  [[maybe_unused]] static const bool bounded = (bound_library(), true);
  const OneOpenMPThread guard;
  if (s.b == Transpose::yes) {
    // Measured: up to 1.6 times as fast as sgemm, which is slow at few columns here. But only where
    // rows follow each other without a gap, so a part of C is computed apart.
    const bool apart = c.stride != s.columns;
    const Scratch<float> scratch(apart ? s.rows * s.columns : 0);
    float* const to = apart ? scratch.data() : c.data;
    ready_products().get(s, a.stride, b.stride)->run(stream_of_this_thread(), a.data, b.data, to);
    for (std::int64_t row = 0; apart && row < s.rows; ++row) {
      std::copy_n(to + row * s.columns, s.columns, c.data + row * c.stride);
    }
    return;
  }
  check(dnnl_sgemm(s.a == Transpose::yes ? 'T' : 'N', 'N', s.rows, s.columns, s.inner, 1.0f, a.data,
                   a.stride, b.data, b.stride, 0.0f, c.data, c.stride),
        s);
}

}  // namespace cadena::kernels
