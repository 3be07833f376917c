#pragma once

#include <cadena/autograd/ops/random.hpp>
#include <cadena/nn/fields.hpp>

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

// What is asked of a model as a whole. A model is any struct; see fields.hpp.

namespace cadena {
namespace nn {

/// A parameter or buffer of a model. What is tied (shared through pointers) is listed once, under
/// its first name.
struct StateEntry {
  std::string name;
  Cell cell;
  bool trainable = true;
  std::vector<std::string> other_names = {};
};

}  // namespace nn

namespace detail {

class Collector final : public nn::FieldVisitor {
 public:
  void cell(const std::string& name, const Cell& cell, bool trainable) override;
  std::vector<nn::StateEntry> entries;
};

class ModeSetter final : public nn::FieldVisitor {
 public:
  explicit ModeSetter(bool training) : training_(training) {}
  void mode(nn::Mode& mode) override { mode.set_training(training_); }

 private:
  bool training_;
};

/// Gives a copied model its own shared objects and generators, with the same ties.
class SharedCopier final : public nn::FieldVisitor {
 public:
  std::shared_ptr<void> replace(const void* object, Copy copy) override;
  void generator(Generator& generator) override;

 private:
  struct Copied {
    const void* original;
    std::shared_ptr<void> copy;
  };
  std::vector<Copied> copies_;
  std::vector<std::pair<Generator, Generator>> generators_;  // original, copy
};

std::vector<Cell> cells_of(const std::vector<nn::StateEntry>& entries, bool trainable);
std::vector<NamedCell> named_cells_of(std::vector<nn::StateEntry> entries, bool trainable);
void convert(const std::vector<nn::StateEntry>& entries, Dtype dtype);
std::string summary(const std::vector<nn::StateEntry>& entries);

}  // namespace detail

namespace nn {

/// All parameters and buffers, in the order of declaration.
template <class Model> std::vector<StateEntry> state(Model&& model) {
  detail::Collector collector;
  walk(model, collector);
  return std::move(collector.entries);
}

/// The parameters in the order of declaration, each tied one once: what an optimizer takes.
template <class Model> std::vector<Cell> parameters(Model&& model) {
  return detail::cells_of(state(model), true);
}
template <class Model> std::vector<NamedCell> named_parameters(Model&& model) {
  return detail::named_cells_of(state(model), true);
}
template <class Model> std::vector<Cell> buffers(Model&& model) {
  return detail::cells_of(state(model), false);
}
template <class Model> std::vector<NamedCell> named_buffers(Model&& model) {
  return detail::named_cells_of(state(model), false);
}

/// Drops the gradients of all parameters.
template <class Model> void zero_grad(Model&& model) {
  for (const Cell& cell : parameters(model)) {
    cell.zero_grad();
  }
}

/// Sets every Mode of the model: layers such as Dropout act while training.
template <class Model>
  requires(!std::is_const_v<Model>)
void train(Model& model, bool training = true) {
  detail::ModeSetter setter(training);
  walk(model, setter);
}
/// Layers such as Dropout do nothing from now on.
template <class Model>
  requires(!std::is_const_v<Model>)
void eval(Model& model) { train(model, false); }

/// A model of its own with the same values: as a copy, and what copies of a shared_ptr or of a
/// Generator would share is copied too. The default generator stays: it is everybody's.
template <class Model> Model clone(const Model& model) {
  static_assert(std::is_copy_constructible_v<Model>,
                "cadena: clone makes a copy, which this model does not allow: instead of a "
                "std::unique_ptr write the type itself, std::vector or std::optional of it, or "
                "std::shared_ptr (a clone has its own)");
  Model copy = model;
  detail::SharedCopier copier;
  walk(copy, copier);
  return copy;
}

/// Converts the floating parameters and buffers; gradients are dropped. To be called before an
/// optimizer is made, whose states keep their dtype.
template <class Model> void to(Model&& model, Dtype dtype) { detail::convert(state(model), dtype); }

/// A table of names, shapes, dtypes and numbers of elements, with totals. It tells buffers and
/// frozen parameters.
template <class Model> std::string summary(Model&& model) { return detail::summary(state(model)); }

}  // namespace nn
}  // namespace cadena
