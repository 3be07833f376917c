#include <cadena/nn/module.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace cadena::detail {

void Collector::cell(const std::string& name, const Cell& cell, bool trainable) {
  for (nn::StateEntry& entry : entries) {
    if (entry.cell == cell) {
      entry.other_names.push_back(name);
      return;
    }
    if (entry.name == name) {
      fail("model: two parameters or buffers are called {} (a field weight_ is called weight)",
           name);
    }
  }
  entries.push_back({name, cell, trainable});
}

std::shared_ptr<void> SharedCopier::replace(const void* object, Copy copy) {
  for (const Copied& known : copies_) {
    if (known.original == object) {
      return known.copy;
    }
    if (known.copy.get() == object) {
      return nullptr;  // inside of a copy that was reached a second time
    }
  }
  copies_.push_back({object, copy(object)});
  return copies_.back().copy;
}

void SharedCopier::generator(Generator& generator) {
  if (generator == default_generator()) {
    return;
  }
  for (const auto& [original, copy] : generators_) {
    if (generator == copy) {
      return;  // inside of a copy that was reached a second time
    }
    if (generator == original) {
      generator = copy;
      return;
    }
  }
  const Generator copy;
  copy.set_state(generator.state());
  generators_.emplace_back(generator, copy);
  generator = copy;
}

std::vector<Cell> cells_of(const std::vector<nn::StateEntry>& entries, bool trainable) {
  std::vector<Cell> cells;
  for (const nn::StateEntry& entry : entries) {
    if (entry.trainable == trainable) {
      cells.push_back(entry.cell);
    }
  }
  return cells;
}

std::vector<NamedCell> named_cells_of(std::vector<nn::StateEntry> entries, bool trainable) {
  std::vector<NamedCell> cells;
  for (nn::StateEntry& entry : entries) {
    if (entry.trainable == trainable) {
      cells.push_back({std::move(entry.name), std::move(entry.cell)});
    }
  }
  return cells;
}

void convert(const std::vector<nn::StateEntry>& entries, Dtype dtype) {
  if (!is_floating(dtype)) {
    fail("to: expected float32 or float64 as dtype of a model, got {}", name(dtype));
  }
  for (const nn::StateEntry& entry : entries) {
    const Tensor value = entry.cell.value().detach();
    if (is_floating(value.dtype()) && value.dtype() != dtype) {
      entry.cell.reset(value.to(dtype));
    }
  }
}

namespace {

/// 101770 as 101,770.
std::string grouped(std::int64_t number) {
  std::string text = std::to_string(number);
  for (std::ptrdiff_t at = std::ssize(text) - 3; at > 0; at -= 3) {
    text.insert(static_cast<std::size_t>(at), ",");
  }
  return text;
}

std::string bytes_text(std::int64_t bytes) {
  const double value = static_cast<double>(bytes);
  return bytes < 1 << 10   ? fmt::format("{} bytes", bytes)
         : bytes < 1 << 20 ? fmt::format("{:.1f} KiB", value / (1 << 10))
         : bytes < 1 << 30 ? fmt::format("{:.1f} MiB", value / (1 << 20))
                           : fmt::format("{:.1f} GiB", value / (1 << 30));
}

}  // namespace

std::string summary(const std::vector<nn::StateEntry>& entries) {
  struct Row {
    std::string name, shape, dtype, count;
  };
  std::vector<Row> rows{{"name", "shape", "dtype", "elements"}};
  std::int64_t trained = 0, frozen = 0, kept = 0, bytes = 0;
  for (const nn::StateEntry& entry : entries) {
    const Tensor& value = entry.cell.value();
    const std::int64_t count = value.numel();
    const bool is_frozen = entry.trainable && !entry.cell.requires_grad();
    const char* kind = !entry.trainable ? " (buffer)" : is_frozen ? " (frozen)" : "";
    rows.push_back(
        {entry.name, to_string(value.shape()), name(value.dtype()), grouped(count) + kind});
    for (const std::string& other : entry.other_names) {
      rows.push_back({other, to_string(value.shape()), name(value.dtype()), "= " + entry.name});
    }
    (!entry.trainable ? kept : is_frozen ? frozen : trained) += count;
    bytes += count * static_cast<std::int64_t>(size_of(value.dtype()));
  }
  std::size_t widths[3] = {0, 0, 0};
  for (const Row& row : rows) {
    widths[0] = std::max(widths[0], row.name.size());
    widths[1] = std::max(widths[1], row.shape.size());
    widths[2] = std::max(widths[2], row.dtype.size());
  }
  std::string text;
  for (const Row& row : rows) {
    text += fmt::format("{:<{}}  {:<{}}  {:<{}}  {}\n", row.name, widths[0], row.shape, widths[1],
                        row.dtype, widths[2], row.count);
  }
  text += fmt::format("total: {} trained", grouped(trained));
  if (frozen > 0) {
    text += fmt::format(", {} frozen", grouped(frozen));
  }
  if (kept > 0) {
    text += fmt::format(", {} in buffers", grouped(kept));
  }
  return text + fmt::format(", {}\n", bytes_text(bytes));
}

}  // namespace cadena::detail
