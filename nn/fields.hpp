#pragma once

#include <cadena/autograd/core/aggregate.hpp>
#include <cadena/autograd/core/cell.hpp>
#include <cadena/nn/mode.hpp>

#include <algorithm>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace cadena {

class Generator;

/// The fields of a class that is no aggregate (it has a constructor, private members or a base):
///   static auto fields() { return cadena::fields<&Linear::weight, &Linear::bias>{}; }
/// All of them, in the order of declaration, those of a base first: one that is forgotten does not
/// compile, unless it fits into padding. The field `weight_` is called weight.
template <auto... members> struct fields {};

/// As `fields`, without the check: what is not listed is no part of the model.
template <auto... members> struct some_fields {};

/// The only field of a wrapper; its parts are named as if they were the wrapper's own.
template <auto member> struct transparent {};

/// Values of T in a model are skipped when the variable is specialised to true.
template <class T> inline constexpr bool plain_value = false;

namespace nn {

/// What is done with the fields of a model; names are paths such as blocks.0.weight.
class FieldVisitor {
 public:
  virtual ~FieldVisitor() = default;
  /// A defined Parameter (trainable) or Buffer.
  virtual void cell(const std::string& name, const Cell& cell, bool trainable);
  virtual void mode(Mode& mode);
  virtual void generator(Generator& generator);
  using Copy = std::shared_ptr<void> (*)(const void*);
  /// What a shared pointer to `object` shall point to instead; null leaves it.
  virtual std::shared_ptr<void> replace(const void* object, Copy copy);
};

}  // namespace nn

namespace detail {

/// A visitor on its way through a model.
class Walk {
 public:
  explicit Walk(nn::FieldVisitor& visitor) : visitor_(visitor) {}
  void cell(const Cell& cell, bool trainable);
  void mode(nn::Mode& mode) { visitor_.mode(mode); }
  void generator(Generator& generator) { visitor_.generator(generator); }
  std::shared_ptr<void> replace(const void* object, nn::FieldVisitor::Copy copy) {
    return visitor_.replace(object, copy);
  }
  /// Appends a name to the path; `leave` takes the result to go back.
  std::size_t enter(std::string_view name);
  std::size_t enter(std::size_t index);
  void leave(std::size_t length) { path_.resize(length); }
  /// Goes into a shared object. Error if the walk is inside of it already.
  void open(const void* object);
  void close() { open_.pop_back(); }

 private:
  nn::FieldVisitor& visitor_;
  std::string path_;
  std::vector<const void*> open_;
};

template <class T> inline constexpr bool is_field = false;
template <bool trainable> inline constexpr bool is_field<Field<trainable>> = true;

template <class T, template <class...> class Template> inline constexpr bool is_instance = false;
template <template <class...> class Template, class... T>
inline constexpr bool is_instance<Template<T...>, Template> = true;

/// Values that hold nothing to train: numbers, text, function pointers, what is empty.
template <class T>
inline constexpr bool is_plain = plain_value<T> || std::is_arithmetic_v<T> || std::is_enum_v<T> ||
                                 std::is_empty_v<T> ||
                                 std::is_convertible_v<const T&, std::string_view> ||
                                 std::is_member_pointer_v<T> ||
                                 (std::is_pointer_v<T> &&
                                  std::is_function_v<std::remove_pointer_t<T>>) ||
                                 std::is_same_v<T, Dims>;

template <class T>
concept Listed = requires {
  T::fields();
};
template <class T>
concept Named = requires {
  typename T::mapped_type;
  typename T::key_compare;
  requires std::is_convertible_v<const typename T::key_type&, std::string_view>;
};
template <class T>
concept Map = requires {
  typename T::key_type;
  typename T::mapped_type;
};
template <class T>
concept PlainMap = Map<T> && is_plain<typename T::mapped_type>;
template <class T>
concept Sequence = requires(T& values) {
  typename T::value_type;
  values.size();
  values.begin();
}
&&!requires { typename T::key_type; };
template <class T>
concept TupleLike = requires {
  std::tuple_size<T>::value;
};

template <class Part, class T> void walk_part(T& field, Part name, Walk& walk);

/// The size of a class that has these members alone, laid out in this order.
template <class T, auto... member> consteval std::size_t size_of_members() {
  std::size_t size = std::is_polymorphic_v<T> ? sizeof(void*) : 0;
  std::size_t alignment = std::max<std::size_t>(size, 1);
  const auto add = [&]<class M>(std::type_identity<M>) {
    size = (size + alignof(M) - 1) / alignof(M) * alignof(M) + sizeof(M);
    alignment = std::max(alignment, alignof(M));
  };
  (add(std::type_identity<std::remove_reference_t<decltype(std::declval<T&>().*member)>>{}), ...);
  return std::max<std::size_t>((size + alignment - 1) / alignment * alignment, 1);
}

template <class T, auto... member> void walk_listed(T& model, fields<member...>, Walk& walk) {
  static_assert(size_of_members<std::remove_const_t<T>, member...>() == sizeof(T),
                "cadena: fields() does not list every field of this class in the order of "
                "declaration (those of a base first); say some_fields to leave some out");
  (walk_part(model.*member, printed_name<member>(), walk), ...);
}

template <class T, auto... member> void walk_listed(T& model, some_fields<member...>, Walk& walk) {
  (walk_part(model.*member, printed_name<member>(), walk), ...);
}

template <class T> void walk_fields(T& field, Walk& walk);

template <class T, auto member> void walk_listed(T& model, transparent<member>, Walk& walk) {
  walk_fields(model.*member, walk);
}

template <class T> void walk_aggregate(T& model, Walk& walk) {
  using Plain = std::remove_const_t<T>;
  static_assert(!has_base<Plain>,
                "cadena: a struct with a base class says what its fields are: static auto "
                "fields() { return cadena::fields<&Model::a, &Model::b>{}; }");
  static_assert(field_count<Plain> <= max_fields,
                "cadena: a struct is read as it is if it has at most 32 fields and no references; "
                "this one says: static auto fields() { return cadena::fields<&Model::a>{}; }");
  with_fields(model, [&](auto&... field) {
    std::size_t index = 0;
    (walk_part(field, field_names<Plain>[index++], walk), ...);
  });
}

/// A pointer to an object that several fields may share.
template <class T> void walk_shared(T& pointer, Walk& walk) {
  using Object = std::remove_const_t<typename T::element_type>;
  walk.open(pointer.get());
  if constexpr (std::is_copy_constructible_v<Object> && !std::is_const_v<T>) {
    const auto copy = [](const void* object) -> std::shared_ptr<void> {
      return std::make_shared<Object>(*static_cast<const Object*>(object));
    };
    if (std::shared_ptr<void> other = walk.replace(pointer.get(), copy)) {
      pointer = std::static_pointer_cast<Object>(std::move(other));
    }
  }
  walk_fields(*pointer, walk);
  walk.close();
}

template <class T> void walk_fields(T& field, Walk& walk) {
  using Plain = std::remove_const_t<T>;
  if constexpr (is_field<Plain>) {
    walk.cell(field.cell(), std::is_same_v<Plain, Parameter>);
  } else if constexpr (std::is_same_v<Plain, nn::Mode>) {
    if constexpr (!std::is_const_v<T>) {
      walk.mode(field);
    }
  } else if constexpr (std::is_same_v<Plain, Generator>) {
    if constexpr (!std::is_const_v<T>) {
      walk.generator(field);
    }
  } else if constexpr (is_plain<Plain>) {
  } else if constexpr (std::is_same_v<Plain, Tensor> || std::is_same_v<Plain, Cell>) {
    static_assert(!std::is_same_v<Plain, T> && std::is_same_v<Plain, T>,
                  "cadena: a Tensor in a model would be neither trained nor saved: write Parameter "
                  "or Buffer, and pass what is no state as an argument");
  } else if constexpr (is_instance<Plain, std::function>) {
    static_assert(!std::is_same_v<Plain, T> && std::is_same_v<Plain, T>,
                  "cadena: layers inside a std::function would be neither trained nor saved: write "
                  "their type, a std::variant of types or a function pointer; one that holds no "
                  "layers is skipped by template <> inline constexpr bool "
                  "cadena::plain_value<std::function<...>> = true;");
  } else if constexpr (std::is_pointer_v<Plain>) {
    static_assert(!std::is_pointer_v<Plain>,
                  "cadena: what a plain pointer points to is no part of the model: write the type "
                  "itself, std::unique_ptr or std::shared_ptr; a pointer is skipped by "
                  "template <> inline constexpr bool cadena::plain_value<T*> = true;");
  } else if constexpr (Listed<Plain>) {
    walk_listed(field, Plain::fields(), walk);
  } else if constexpr (std::is_bounded_array_v<Plain> || Sequence<Plain>) {
    if constexpr (!is_plain<std::iter_value_t<decltype(std::begin(field))>>) {
      std::size_t index = 0;
      for (auto& part : field) {
        walk_part(part, index++, walk);
      }
    }
  } else if constexpr (Named<Plain>) {
    for (auto& [name, part] : field) {
      walk_part(part, std::string_view(name), walk);
    }
  } else if constexpr (Map<Plain>) {
    static_assert(PlainMap<Plain>,
                  "cadena: the keys of a map name what it holds, in their order: write "
                  "std::map<std::string, T>, or std::vector<T> if they are numbers");
  } else if constexpr (is_instance<Plain, std::optional> || is_instance<Plain, std::unique_ptr> ||
                       is_instance<Plain, std::shared_ptr>) {
    static_assert(!std::is_polymorphic_v<std::remove_cvref_t<decltype(*field)>>,
                  "cadena: the fields of an object behind a pointer to its base are not known: "
                  "write std::variant, or the type itself");
    if (field) {
      if constexpr (is_instance<Plain, std::shared_ptr>) {
        walk_shared(field, walk);
      } else {
        walk_fields(*field, walk);
      }
    }
  } else if constexpr (is_instance<Plain, std::variant>) {
    std::visit([&](auto& part) { walk_fields(part, walk); }, field);
  } else if constexpr (TupleLike<Plain>) {
    [&]<std::size_t... index>(std::index_sequence<index...>) {
      (walk_part(std::get<index>(field), index, walk), ...);
    }
    (std::make_index_sequence<std::tuple_size_v<Plain>>{});
  } else if constexpr (std::is_aggregate_v<Plain> && std::is_class_v<Plain>) {
    walk_aggregate(field, walk);
  } else {
    static_assert(
        Listed<Plain>,
        "cadena: the fields of this class are not known: write in it static auto fields() "
        "{ return cadena::fields<&Model::a, &Model::b>{}; }, or skip its values by "
        "template <> inline constexpr bool cadena::plain_value<T> = true;");
  }
}

template <class Part, class T> void walk_part(T& field, Part name, Walk& walk) {
  if constexpr (!is_plain<std::remove_const_t<T>>) {
    const std::size_t length = walk.enter(name);
    walk_fields(field, walk);
    walk.leave(length);
  }
}

}  // namespace detail

namespace nn {

/// Whether T itself can be a field of a model (its own fields are looked at when it is walked).
template <class T>
concept Walkable = detail::is_field<T> || std::is_same_v<T, Mode> || std::is_same_v<T, Generator> ||
    detail::is_plain<T> || detail::Listed<T> || std::is_bounded_array_v<T> || detail::Sequence<T> ||
    detail::Named<T> || detail::is_instance<T, std::optional> ||
    detail::is_instance<T, std::unique_ptr> || detail::is_instance<T, std::shared_ptr> ||
    detail::is_instance<T, std::variant> || detail::PlainMap<T> || detail::TupleLike<T> ||
    (std::is_aggregate_v<T>&& std::is_class_v<T> && !detail::has_base<T>);

/// Shows every Parameter, Buffer and Mode of a model to the visitor, in the order of declaration.
/// Structs, arrays, vectors, maps with text as key, optionals, tuples, variants and smart pointers
/// are walked; numbers, text, enumerations, function pointers and lambdas without captures are
/// skipped;
/// anything else does not compile.
template <class Model> void walk(Model& model, FieldVisitor& visitor) {
  detail::Walk walk(visitor);
  detail::walk_fields(model, walk);
}

}  // namespace nn
}  // namespace cadena
