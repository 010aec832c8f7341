// What a search takes as a number of neighbours and as a radius, without numbers that turn into others on their way.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string_view>
#include <type_traits>

namespace embit::inline EMBIT_ABI {

namespace detail {

template <class T>
concept WholeNumber = std::integral<T> && !std::same_as<T, bool>;

/// What makes a number of neighbours: whole numbers, and what turns into one that is not a number of a language type.
template <class T>
concept CountSource = WholeNumber<T> ||(!std::is_arithmetic_v<T> && std::convertible_to<T, std::size_t>);

/// What makes a bound on distances: whole numbers for whole distances, any number for the others.
template <class T, class Distance>
concept BoundSource = std::same_as<T, Distance> ||(WholeNumber<T>&& std::is_arithmetic_v<Distance>) ||
                      (std::floating_point<T> && !std::integral<Distance>) ||
                      (!std::is_arithmetic_v<T> && std::convertible_to<T, Distance>);

}  // namespace detail

/// How many neighbours are asked for: any whole number; one of floating point does not compile.
class neighbor_count {
 public:
  /// @throws error errc::argument for a negative number.
  template <detail::CountSource T>
    requires(!std::same_as<T, neighbor_count>)
  constexpr neighbor_count(T k) : value_(static_cast<std::size_t>(k)) {
    if constexpr (std::is_arithmetic_v<T> && std::is_signed_v<T>)
      if (k < 0)
        raise(errc::argument, "k: ", static_cast<std::intmax_t>(k), ", but at least 1 neighbour must be asked for");
  }

  constexpr operator std::size_t() const noexcept { return value_; }

 private:
  std::size_t value_;
};

/// How far a row may be that is found: the radius of a distance, or where `Compare` puts the larger first, the
/// threshold of a similarity; included. Of whole distances it is a whole number that is one of theirs; a number of
/// floating point does not compile there.
template <class Distance, class Compare = std::less<>>
class search_bound {
 public:
  /// @throws error errc::not_finite for NaN and infinity, errc::argument for a number that no distance can be: -1 or
  /// 2³² where distances have 32 bits.
  template <class T>
    requires(!std::same_as<T, search_bound> && detail::BoundSource<T, Distance>)
  constexpr search_bound(T bound) : value_(static_cast<Distance>(bound)) {
    if constexpr (std::integral<T> && std::integral<Distance>) {
      if ((bound < T{}) != (value_ < Distance{}) || static_cast<T>(value_) != bound)
        raise(errc::argument, name(), ": ", +bound, ", not ", +(std::numeric_limits<Distance>::min)(), " to ",
              +(std::numeric_limits<Distance>::max)());
    } else if constexpr (detail::FloatNumber<Distance>) {
      if (!detail::is_finite(value_)) raise(errc::not_finite, name(), ": ", static_cast<double>(bound));
    }
  }

  constexpr operator Distance() const noexcept { return value_; }

 private:
  static constexpr std::string_view name() noexcept {
    if constexpr (std::is_arithmetic_v<Distance> && requires { Compare{}(Distance{1}, Distance{0}); })
      if (Compare{}(Distance{1}, Distance{0})) return "threshold";
    return "radius";
  }

  Distance value_;
};

}  // namespace embit::inline EMBIT_ABI
