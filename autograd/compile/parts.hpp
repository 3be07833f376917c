#pragma once

#include <cadena/autograd/core/aggregate.hpp>
#include <cadena/autograd/core/tensor.hpp>

#include <concepts>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

// The arguments and results of compiled functions as what they are made of: tensors and plain data.

namespace cadena::detail {

template <class T> inline constexpr bool is_optional = false;
template <class T> inline constexpr bool is_optional<std::optional<T>> = true;

template <class T>
concept PlainData = std::is_arithmetic_v<T> || std::is_enum_v<T> || std::is_null_pointer_v<T>;
template <class T>
concept Text = std::is_convertible_v<const T&, std::string_view>;
template <class T>
concept Items = requires(T& values) {
  typename T::value_type;
  values.size();
  values.begin();
  values.end();
}
&&!Text<T>;
template <class T>
concept TupleOfParts = requires {
  std::tuple_size<T>::value;
};
template <class T>
concept ReadAggregate = std::is_aggregate_v<T> && !std::is_array_v<T> && !std::is_union_v<T>;

template <class T> consteval bool has_known_parts();
template <class T> consteval bool holds_tensors();

/// f.template operator()<Field>() for the type of each field, joined by `and` or `or`.
template <class T, bool all> consteval bool each_field(auto test) {
  if constexpr (has_base<T> || field_count < T >> max_fields) {
    return !all;
  } else if constexpr (field_count<T> == 0) {
    return all;
  } else {
    using Fields = decltype(with_fields(std::declval<T&>(), [](auto&... field) {
      return std::type_identity<std::tuple<std::remove_cvref_t<decltype(field)>...>>{};
    }));
    return [&]<class... Field>(std::type_identity<std::tuple<Field...>>) {
      return all ? (test(std::type_identity<Field>{}) && ...)
                 : (test(std::type_identity<Field>{}) || ...);
    }(Fields{});
  }
}

/// Whether T is a value made of tensors and plain data; otherwise it is an object: a model, say.
template <class T> consteval bool has_known_parts() {
  if constexpr (std::same_as<T, Tensor> || PlainData<T> || Text<T>) {
    return true;
  } else if constexpr (is_optional<T> || Items<T>) {
    return has_known_parts<std::remove_cv_t<typename T::value_type>>();
  } else if constexpr (TupleOfParts<T>) {
    return []<std::size_t... i>(std::index_sequence<i...>) {
      return (has_known_parts<std::remove_cvref_t<std::tuple_element_t<i, T>>>() && ...);
    }
    (std::make_index_sequence<std::tuple_size_v<T>>{});
  } else if constexpr (ReadAggregate<T>) {
    return each_field<T, true>(
        []<class Field>(std::type_identity<Field>) { return has_known_parts<Field>(); });
  } else {
    return false;
  }
}

template <class T> consteval bool holds_tensors() {
  if constexpr (std::same_as<T, Tensor>) {
    return true;
  } else if constexpr (PlainData<T> || Text<T> || !has_known_parts<T>()) {
    return false;
  } else if constexpr (is_optional<T> || Items<T>) {
    return holds_tensors<std::remove_cv_t<typename T::value_type>>();
  } else if constexpr (TupleOfParts<T>) {
    return []<std::size_t... i>(std::index_sequence<i...>) {
      return (holds_tensors<std::remove_cvref_t<std::tuple_element_t<i, T>>>() || ...);
    }
    (std::make_index_sequence<std::tuple_size_v<T>>{});
  } else {
    return each_field<T, false>(
        []<class Field>(std::type_identity<Field>) { return holds_tensors<Field>(); });
  }
}

/// Shows the parts of a value: visit.tensor(t) for each tensor, visit.bytes(data, size) for plain
/// data, lengths among them.
template <class T, class Visit> void each_part(T& value, Visit& visit) {
  using Plain = std::remove_const_t<T>;
  const auto count = [&](std::size_t n) { visit.bytes(&n, sizeof(n)); };
  if constexpr (std::same_as<Plain, Tensor>) {
    visit.tensor(value);
  } else if constexpr (PlainData<Plain>) {
    visit.bytes(&value, sizeof(value));
  } else if constexpr (Text<Plain>) {
    const std::string_view text = value;
    count(text.size());
    visit.bytes(text.data(), text.size());
  } else if constexpr (is_optional<Plain>) {
    count(value.has_value() ? 1 : 0);
    if (value) {
      each_part(*value, visit);
    }
  } else if constexpr (Items<Plain>) {
    count(static_cast<std::size_t>(value.size()));
    for (auto&& item : value) {
      if constexpr (std::is_reference_v<decltype(item)> &&
                    !std::is_rvalue_reference_v<decltype(item)>) {
        each_part(item, visit);
      } else {
        const typename Plain::value_type copy = item;  // of a std::vector<bool>
        each_part(copy, visit);
      }
    }
  } else if constexpr (TupleOfParts<Plain>) {
    std::apply([&](auto&... part) { (each_part(part, visit), ...); }, value);
  } else {
    with_fields(value, [&](auto&... field) { (each_part(field, visit), ...); });
  }
}

}  // namespace cadena::detail
