#include <cadena/autograd/core/create.hpp>
#include <cadena/autograd/core/tensor_impl.hpp>
#include <cadena/autograd/graph/backward.hpp>
#include <cadena/autograd/graph/update.hpp>
#include <cadena/optim/optimizer.hpp>
#include <cadena/optim/step.hpp>

#include <algorithm>

namespace cadena::optim {
namespace {

using detail::TensorImpl;

Tensor number(double value) { return full({}, value, {.dtype = float64}); }

/// A parameter with its state.
struct Member {
  Cell parameter;
  std::vector<Cell> states;
  Cell step;  // undefined when updates are not counted
};

struct GroupOfMembers {
  std::vector<Cell> parameters;
  std::vector<Member> members;
  std::vector<const char*> state_names;
  Cell lr;
  Rule rule;
};

}  // namespace

struct Optimizer::Impl {
  const char* name;
  std::vector<GroupOfMembers> groups;
  Cell steps;

  void check(const Member& member, const Tensor& gradient, std::size_t group,
             std::size_t index) const {
    const TensorImpl& w = *member.parameter.value().impl();
    const auto fits = [&](const char* what, const TensorImpl& x) {
      if (x.dtype != w.dtype || x.shape != w.shape) {
        fail("{}: parameter {} of group {} is {} {}, its {} {} {}", name, index, group,
             cadena::name(w.dtype), w.shape, what, cadena::name(x.dtype), x.shape);
      }
    };
    fits("gradient", *gradient.impl());
    for (std::size_t k = 0; k < member.states.size(); ++k) {
      fits(groups[group].state_names[k], *member.states[k].value().impl());
    }
  }
};

Optimizer::Optimizer(const char* name, std::vector<Members> groups)
    : impl_(new Impl{name, {}, Cell(number(0))}) {
  std::vector<Cell> seen;
  std::size_t count = 0;
  for (Members& given : groups) {
    GroupOfMembers& group = impl_->groups.emplace_back();
    group.state_names = given.states.names;
    group.lr = Cell(number(given.lr));
    group.rule = given.rule;
    for (std::size_t i = 0; i < given.parameters.size(); ++i) {
      const Cell& cell = given.parameters[i];
      const std::size_t index = impl_->groups.size() - 1;
      if (!cell.defined()) {
        fail("{}: parameter {} of group {} is undefined", name, i, index);
      }
      if (!cell.trainable()) {
        fail("{}: parameter {} of group {} ({} {}) takes no gradient", name, i, index,
             cadena::name(cell.value().dtype()), cell.value().shape());
      }
      const auto is_cell = [&](const Cell& other) { return other == cell; };
      if (std::any_of(group.parameters.begin(), group.parameters.end(), is_cell)) {
        continue;  // a tied weight is updated once
      }
      if (std::any_of(seen.begin(), seen.end(), is_cell)) {
        fail("{}: parameter {} of group {} ({} {}) is in another group too", name, i, index,
             cadena::name(cell.value().dtype()), cell.value().shape());
      }
      group.parameters.push_back(cell);
      Member& member = group.members.emplace_back();
      member.parameter = cell;
      for (std::size_t k = 0; k < given.states.names.size(); ++k) {
        member.states.emplace_back(zeros_like(cell.value()));
      }
      if (given.states.counts) {
        member.step = Cell(number(0));
      }
    }
    seen.insert(seen.end(), group.parameters.begin(), group.parameters.end());
    count += group.parameters.size();
  }
  if (count == 0) {
    fail("{}: no parameters", name);
  }
}

Optimizer::~Optimizer() = default;
Optimizer::Optimizer(Optimizer&&) noexcept = default;
Optimizer& Optimizer::operator=(Optimizer&&) noexcept = default;

Optimizer::Impl& Optimizer::impl() const {
  if (!impl_) {
    fail("optimizer: it was moved from, and has no parameters any more");
  }
  return *impl_;
}

void Optimizer::step() {
  const NoGrad no_grad;
  const Impl& impl = this->impl();
  Step step{impl.name, {}, {}};
  SmallVector<const Tensor*, 16> inputs{&impl.steps.value()};
  SmallVector<Cell, 16> cells{impl.steps};
  std::vector<Tensor> gradients;
  for (const GroupOfMembers& group : impl.groups) {
    step.rules.push_back(group.rule);
    inputs.push_back(&group.lr.value());
    for (const Member& member : group.members) {
      gradients.push_back(member.parameter.grad());
    }
  }
  Tensor* gradient = gradients.data();
  for (std::size_t g = 0; g < impl.groups.size(); ++g) {
    for (std::size_t i = 0; i < impl.groups[g].members.size(); ++i, ++gradient) {
      const Member& member = impl.groups[g].members[i];
      if (!gradient->defined()) {
        continue;
      }
      impl.check(member, *gradient, g, i);
      *gradient = gradient->contiguous();
      step.members.push_back({g, member.states.size(), member.step.defined()});
      const auto add = [&](const Cell& cell) {
        inputs.push_back(&cell.value());
        cells.push_back(cell);
      };
      add(member.parameter);
      inputs.push_back(gradient);
      for (const Cell& state : member.states) {
        add(state);
      }
      if (member.step.defined()) {
        add(member.step);
      }
    }
  }
  if (step.members.empty()) {
    fail(
        "{}: step: not one of its parameters has a gradient: backward was not called since they "
        "were dropped (zero_grad), or it reached the parameters of another model than the one that "
        "the optimizer was made for, a copy say",
        impl.name);
  }
  bind_update(step, {inputs.data(), inputs.size()}, {cells.data(), cells.size()});
}

void Optimizer::zero_grad() {
  for (const GroupOfMembers& group : impl().groups) {
    for (const Cell& parameter : group.parameters) {
      parameter.zero_grad();
    }
  }
}

std::size_t Optimizer::group_count() const { return impl().groups.size(); }

void Optimizer::check_group(std::size_t group) const {
  const std::size_t count = impl().groups.size();
  if (group >= count) {
    fail("{}: there is no group {}; there {} {} group{}, counted from 0", impl_->name, group,
         count == 1 ? "is" : "are", count, count == 1 ? "" : "s");
  }
}

const std::vector<Cell>& Optimizer::parameters(std::size_t group) const {
  check_group(group);
  return impl_->groups[group].parameters;
}

double Optimizer::lr(std::size_t group) const {
  check_group(group);
  return impl_->groups[group].lr.value().item();
}

void Optimizer::set_lr(double lr) {
  for (std::size_t g = 0; g < group_count(); ++g) {
    set_lr(g, lr);
  }
}

void Optimizer::set_lr(std::size_t group, double lr) {
  check_group(group);
  impl_->groups[group].lr.assign(number(check_at_least_0(impl_->name, "lr", lr)));
}

std::int64_t Optimizer::steps() const {
  return static_cast<std::int64_t>(impl().steps.value().item());
}

const Cell& Optimizer::state(const Cell& parameter, std::string_view name) const {
  for (const GroupOfMembers& group : impl().groups) {
    for (const Member& member : group.members) {
      if (!(member.parameter == parameter)) {
        continue;
      }
      for (std::size_t k = 0; k < member.states.size(); ++k) {
        if (name == group.state_names[k]) {
          return member.states[k];
        }
      }
      if (name == "step" && member.step.defined()) {
        return member.step;
      }
      fail("{}: a parameter has no state named \"{}\"", impl_->name, name);
    }
  }
  fail("{}: the cell is no parameter of this optimizer", impl_->name);
}

std::vector<NamedCell> Optimizer::named_state() const {
  std::vector<NamedCell> all{{"steps", impl().steps}};
  std::size_t index = 0;
  for (std::size_t g = 0; g < impl_->groups.size(); ++g) {
    const GroupOfMembers& group = impl_->groups[g];
    all.push_back({fmt::format("lr.{}", g), group.lr});
    for (const Member& member : group.members) {
      for (std::size_t k = 0; k < member.states.size(); ++k) {
        all.push_back({fmt::format("{}.{}", group.state_names[k], index), member.states[k]});
      }
      if (member.step.defined()) {
        all.push_back({fmt::format("step.{}", index), member.step});
      }
      ++index;
    }
  }
  return all;
}

}  // namespace cadena::optim
