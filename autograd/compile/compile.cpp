#include <cadena/autograd/compile/capture.hpp>
#include <cadena/autograd/compile/compile.hpp>
#include <cadena/autograd/compile/explain.hpp>
#include <cadena/autograd/compile/program.hpp>
#include <cadena/autograd/core/modes.hpp>

#include <algorithm>
#include <cstring>
#include <mutex>

namespace cadena::detail {

CallKey::CallKey() {
  const bool grad_enabled = modes().grad_enabled;
  bytes(&grad_enabled, sizeof(grad_enabled));
}

void CallKey::bytes(const void* data, std::size_t size) {
  const std::size_t before = key_.size();
  key_.resize(before + size);
  std::memcpy(key_.data() + before, data, size);
}

void CallKey::tensor(const Tensor& tensor) {
  const TensorImpl& impl = impl_of(tensor, "compile");
  check_capture(impl, "compile");
  tensors_.push_back(&tensor);
  const auto strides = [this](const TensorImpl& of) {
    if (of.strides) {
      bytes(of.strides->begin(),
            static_cast<std::size_t>(of.strides->size()) * sizeof(std::int64_t));
    }
  };
  Tensor gradient;
  std::uint8_t graph = 0;  // none, leaf, result of an operator
  if (impl.node) {
    const Leaf* leaf = as_leaf(impl.node.get());
    graph = leaf != nullptr ? 1 : 2;
    gradient = leaf != nullptr ? gradient_of(*leaf) : Tensor();
  }
  const std::uint8_t head[] = {
      static_cast<std::uint8_t>(impl.dtype),
      static_cast<std::uint8_t>(impl.shape.size()),
      static_cast<std::uint8_t>(impl.strides != nullptr),
      static_cast<std::uint8_t>(impl.number),
      graph,
      static_cast<std::uint8_t>(gradient.defined()),
      static_cast<std::uint8_t>(gradient.defined() && gradient.impl()->strides != nullptr)};
  bytes(head, sizeof(head));
  bytes(impl.shape.begin(), static_cast<std::size_t>(impl.shape.size()) * sizeof(std::int64_t));
  strides(impl);
  if (gradient.defined()) {
    strides(*gradient.impl());
  }
}

bool runs_as_it_is() noexcept {
  return modes().capturing != nullptr || modes().observer != nullptr;
}

struct Programs::Impl {
  struct Entry {
    Entry(std::span<const std::byte> call, Guards met, Listing listing,
          std::shared_ptr<ArenaPool> arenas, std::shared_ptr<const void> result)
        : key(call.begin(), call.end()),
          guards(std::move(met)),
          program(std::move(listing), std::move(arenas)),
          rest(std::move(result)) {}

    std::vector<std::byte> key;
    Guards guards;
    Program program;
    std::shared_ptr<const void> rest;
  };

  explicit Impl(std::size_t most) : limit(most) {}

  std::size_t limit;
  std::shared_ptr<ArenaPool> arenas = std::make_shared<ArenaPool>();
  mutable std::mutex mutex;
  std::mutex capturing;                         // one thread at a time runs the function
  std::vector<std::shared_ptr<Entry>> entries;  // the one that was used last comes first
  CompileStats stats = {};

  /// The program for such a call, null if there is none.
  std::shared_ptr<Entry> find(const CallKey& call) {
    const std::lock_guard lock(mutex);
    const std::span<const std::byte> key = call.key();
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const std::shared_ptr<Entry>& entry = entries[i];
      if (std::equal(key.begin(), key.end(), entry->key.begin(), entry->key.end()) &&
          entry->guards.hold()) {
        std::rotate(entries.begin(), entries.begin() + static_cast<std::ptrdiff_t>(i),
                    entries.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        ++stats.replays;
        return entries.front();
      }
    }
    return nullptr;
  }

  void add(std::shared_ptr<Entry> entry) {
    const std::lock_guard lock(mutex);
    entries.insert(entries.begin(), std::move(entry));
    if (entries.size() > limit) {
      entries.resize(limit);
    }
    ++stats.captures;
    ++stats.replays;
  }

  std::shared_ptr<Entry> last() const {
    const std::lock_guard lock(mutex);
    if (entries.empty()) {
      fail("compile: the function has not been called yet, so there is no program");
    }
    return entries.front();
  }
};

namespace {

struct Captured {
  Listing listing;
  Guards guards;
  std::shared_ptr<const void> rest;
};

Captured capture(const CallKey& call, CapturedCall& function) {
  Capture capture;
  std::vector<Tensor> stand_ins;
  for (const Tensor* argument : call.tensors()) {
    stand_ins.push_back(capture.argument(*argument));
  }
  CapturedCall::Given given = function(stand_ins);
  Listing listing = capture.finish(given.tensors);
  return {std::move(listing), capture.guards(), std::move(given.rest)};
}

}  // namespace

Programs::Programs(const CompileOptions& options)
    : impl_(std::make_unique<Impl>(std::max<std::size_t>(options.programs, 1))) {}
Programs::~Programs() = default;

Programs::Results Programs::run(const CallKey& call, CapturedCall& function) {
  std::shared_ptr<Impl::Entry> entry = impl_->find(call);
  if (!entry) {
    const std::lock_guard lock(impl_->capturing);
    entry = impl_->find(call);  // another thread may have been faster
    if (!entry) {
      Captured captured = capture(call, function);
      entry = std::make_shared<Impl::Entry>(call.key(), std::move(captured.guards),
                                            std::move(captured.listing), impl_->arenas,
                                            std::move(captured.rest));
      impl_->add(entry);
    }
  }
  return {entry->program.run(call.tensors()), entry->rest};
}

Graph Programs::trace(const CallKey& call, CapturedCall& function) {
  return capture(call, function).listing.graph();
}

CompileStats Programs::stats() const {
  const std::lock_guard lock(impl_->mutex);
  CompileStats stats = impl_->stats;
  stats.programs = impl_->entries.size();
  return stats;
}

Graph Programs::graph() const { return impl_->last()->program.optimized().graph(); }

std::string Programs::explain() const {
  const std::shared_ptr<Impl::Entry> entry = impl_->last();
  const Program& program = entry->program;
  return detail::explain(program.captured(), program.optimized(), program.plan());
}

}  // namespace cadena::detail
