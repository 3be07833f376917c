#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

// The fields of a struct: how many, references to them, their names. An aggregate is read as it
// is; any other class lists its members (see fields.hpp).

namespace cadena::detail {

/// Converts to anything. Never done: `requires` only asks whether it compiles, but for that the
/// compiler may want to see inside of functions.
struct Anything {
  template <class T> operator T() const { throw; }
};

/// Converts to a reference to anything.
struct AnythingNamed {
  template <class T> operator T&() const { throw; }
};

/// Converts to a base class of T only.
template <class T> struct AnyBase {
  template <class B>
    requires(std::is_base_of_v<B, T> && !std::is_same_v<B, T>)
  operator B() const { throw; }
};

template <std::size_t> using AnythingAt = Anything;

template <class T, class Values> struct Braces;
template <class T, std::size_t... value> struct Braces<T, std::index_sequence<value...>> {
  /// T{any, any, ...}
  static constexpr bool flat = requires { T{AnythingAt<value>{}...}; };
  /// T{any, ..., {inner, ...}, any, ...}
  template <class Inner, std::size_t... inside, std::size_t... after>
  static constexpr bool nested(std::index_sequence<inside...>, std::index_sequence<after...>) {
    return requires {
      T{AnythingAt<value>{}..., {(void(inside), Inner{})...}, AnythingAt<after>{}...};
    };
  }
};

template <class T, std::size_t n>
inline constexpr bool takes_values = Braces<T, std::make_index_sequence<n>>::flat;

template <class T, std::size_t before, std::size_t inside, std::size_t after>
consteval bool takes_nested() {
  using Values = Braces<T, std::make_index_sequence<before>>;
  using Inside = std::make_index_sequence<inside>;
  using After = std::make_index_sequence<after>;
  if constexpr (Values::template nested<Anything>(Inside{}, After{})) {
    return true;
  } else {
    return Values::template nested<AnythingNamed>(Inside{}, After{});
  }
}

/// Most fields of an aggregate that is read as it is.
inline constexpr std::size_t max_fields = 32;

/// Most values that the braces of an aggregate take; the elements of a C array count one by one.
/// Too few values leave out a field that has no default, so the search goes on up to a limit.
template <class T, std::size_t n = 0> consteval std::size_t count_values() {
  constexpr std::size_t limit = 4 * max_fields;
  if constexpr (n > limit) {
    return limit + 1;
  } else if constexpr (!takes_values<T, n> || takes_values<T, n + 1>) {
    return count_values<T, n + 1>();
  } else {
    return n;
  }
}

/// How many of the values fill the field that begins at value `at`: one, or the length of a C
/// array. Braces around `width` values: a class leaves room for all later values, an array of that
/// length for those after its own.
template <class T, std::size_t values, std::size_t at, std::size_t width = 1>
consteval std::size_t width_at() {
  if constexpr (at + width > values || takes_nested<T, at, width, values - at - 1>()) {
    return 1;
  } else if constexpr (takes_nested<T, at, width, values - at - width>()) {
    return width;
  } else {
    return width_at<T, values, at, width + 1>();
  }
}

template <class T, std::size_t values, std::size_t at = 0> consteval std::size_t count_from() {
  if constexpr (at >= values) {
    return 0;
  } else {
    return 1 + count_from<T, values, at + width_at<T, values, at>()>();
  }
}

/// Number of fields of an aggregate.
template <class T> inline constexpr std::size_t field_count = count_from<T, count_values<T>()>();

template <class T> inline constexpr bool has_base = requires { T{AnyBase<T>{}}; };

/// use(field, field, ...) with a reference to each field of an aggregate.
template <class T, class Use> constexpr decltype(auto) with_fields(T& object, Use&& use) {
  constexpr std::size_t count = field_count<std::remove_const_t<T>>;
  if constexpr (count == 0) {
    return use();
  } else if constexpr (count == 1) {
    auto& [a] = object;
    return use(a);
  } else if constexpr (count == 2) {
    auto& [a, b] = object;
    return use(a, b);
  } else if constexpr (count == 3) {
    auto& [a, b, c] = object;
    return use(a, b, c);
  } else if constexpr (count == 4) {
    auto& [a, b, c, d] = object;
    return use(a, b, c, d);
  } else if constexpr (count == 5) {
    auto& [a, b, c, d, e] = object;
    return use(a, b, c, d, e);
  } else if constexpr (count == 6) {
    auto& [a, b, c, d, e, f] = object;
    return use(a, b, c, d, e, f);
  } else if constexpr (count == 7) {
    auto& [a, b, c, d, e, f, g] = object;
    return use(a, b, c, d, e, f, g);
  } else if constexpr (count == 8) {
    auto& [a, b, c, d, e, f, g, h] = object;
    return use(a, b, c, d, e, f, g, h);
  } else if constexpr (count == 9) {
    auto& [a, b, c, d, e, f, g, h, i] = object;
    return use(a, b, c, d, e, f, g, h, i);
  } else if constexpr (count == 10) {
    auto& [a, b, c, d, e, f, g, h, i, j] = object;
    return use(a, b, c, d, e, f, g, h, i, j);
  } else if constexpr (count == 11) {
    auto& [a, b, c, d, e, f, g, h, i, j, k] = object;
    return use(a, b, c, d, e, f, g, h, i, j, k);
  } else if constexpr (count == 12) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l] = object;
    return use(a, b, c, d, e, f, g, h, i, j, k, l);
  } else if constexpr (count == 13) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m] = object;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m);
  } else if constexpr (count == 14) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = object;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m, n);
  } else if constexpr (count == 15) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o] = object;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o);
  } else if constexpr (count == 16) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = object;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
  } else if constexpr (count == 17) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q] = object;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q);
  } else if constexpr (count == 18) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r] = object;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r);
  } else if constexpr (count == 19) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s] = object;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s);
  } else if constexpr (count == 20) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t] = object;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t);
  } else if constexpr (count == 21) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u] = object;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u);
  } else if constexpr (count == 22) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v] = object;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v);
  } else if constexpr (count == 23) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w] = object;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w);
  } else if constexpr (count == 24) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x] = object;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x);
  } else if constexpr (count == 25) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y] = object;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y);
  } else if constexpr (count == 26) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z] = object;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z);
  } else if constexpr (count == 27) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, aa] =
        object;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, aa);
  } else if constexpr (count == 28) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, aa, ab] =
        object;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, aa,
               ab);
  } else if constexpr (count == 29) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, aa, ab,
           ac] = object;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, aa, ab,
               ac);
  } else if constexpr (count == 30) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, aa, ab, ac,
           ad] = object;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, aa, ab,
               ac, ad);
  } else if constexpr (count == 31) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, aa, ab, ac,
           ad, ae] = object;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, aa, ab,
               ac, ad, ae);
  } else if constexpr (count == 32) {
    auto& [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, aa, ab, ac,
           ad, ae, af] = object;
    return use(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x, y, z, aa, ab,
               ac, ad, ae, af);
  }
}

// Names come from what the compiler prints of a pointer into an object that is never constructed.

template <class T> union Unconstructed {
  char nothing;
  T value;
  constexpr Unconstructed() : nothing() {}
  constexpr ~Unconstructed() {}
};
#if defined(__clang__)
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wundefined-var-template"
#pragma clang diagnostic ignored "-Wundefined-internal"
#endif
template <class T>
extern const Unconstructed<T> unconstructed;  // defined nowhere: only addresses are asked for

template <auto pointer> consteval std::string_view printed() { return __PRETTY_FUNCTION__; }

/// The last word of what was printed; `weight_` is called weight.
template <auto pointer> consteval std::string_view printed_name() {
  std::string_view text = printed<pointer>();
  text = text.substr(0, text.find("; std::"));
  while (text.back() == ']' || text.back() == ')') {
    text.remove_suffix(1);
  }
  text = text.substr(text.find_last_of(".:") + 1);
  if (text.size() > 1 && text.back() == '_') {
    text.remove_suffix(1);
  }
  return text;
}

/// T as the compiler prints it.
template <class T> consteval std::string_view type_name() {
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.find("T = ") + 4);
  return text.substr(0, std::min(text.find("; std::"), text.size() - 1));
}

template <class T, std::size_t index> consteval auto address_of_field() {
  return with_fields(unconstructed<T>.value, [](const auto&... field) {
    return std::get<index>(std::make_tuple(std::addressof(field)...));
  });
}

/// The names of an aggregate's fields in the order of declaration.
template <class T>
inline constexpr auto field_names = []<std::size_t... index>(std::index_sequence<index...>) {
  return std::array<std::string_view, sizeof...(index)>{
      printed_name<address_of_field<T, index>()>()...};
}
(std::make_index_sequence<field_count<T>>{});

#if defined(__clang__)
#pragma clang diagnostic pop
#endif

}  // namespace cadena::detail
