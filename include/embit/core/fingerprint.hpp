// Which encoder made what: 64 bits that change with everything codes depend on.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Identifies an encoder by a hash of its parameters, the same on every machine. Encoders stamp their codes with it,
/// stores, indexes and files carry it on, and what two encoders made is refused where it meets. 0 is not known, and
/// fits everything: codes from elsewhere, and from files of versions that did not say.
using encoder_fingerprint = std::uint64_t;

namespace detail {

/// Hashes the parameters of an encoder, in order.
class fingerprint_hash {
 public:
  template <class T>
    requires(std::is_arithmetic_v<T> || std::is_enum_v<T>)
  fingerprint_hash& add(T value) noexcept {
    if constexpr (std::is_same_v<T, float>)
      mix(std::bit_cast<std::uint32_t>(value));
    else if constexpr (std::is_same_v<T, double>)
      mix(std::bit_cast<std::uint64_t>(value));
    else
      mix(static_cast<std::uint64_t>(value));
    return *this;
  }
  /// Their number, then the values.
  template <class T>
  fingerprint_hash& add(std::span<const T> values) noexcept {
    add(values.size());
    for (const T value : values) add(value);
    return *this;
  }
  template <class T>
  fingerprint_hash& add(const std::vector<T>& values) noexcept {
    return add(std::span<const T>(values));
  }
  /// Rows of floats that are packed some way: their number, then each row as `copy_row` writes it.
  template <class Rows>
  fingerprint_hash& add_rows(const Rows& rows) {
    std::vector<float> row(rows.dim());
    add(rows.rows());
    for (std::size_t i = 0; i < rows.rows(); ++i) {
      rows.copy_row(i, row);
      add(row);
    }
    return *this;
  }

  /// Never 0.
  encoder_fingerprint value() const noexcept { return state_ == 0 ? 1 : state_; }

 private:
  void mix(std::uint64_t bits) noexcept {
    state_ = (state_ ^ bits) * 0x9E3779B97F4A7C15u;
    state_ ^= state_ >> 29;
  }

  std::uint64_t state_ = 0xcbf29ce484222325u;
};

/// The fingerprint of an encoder, a store, a batch of codes or an index; 0 of what has none. Codes of levels have it in
/// their format, and batches with more than codes in these.
template <class T>
constexpr encoder_fingerprint known_fingerprint([[maybe_unused]] const T& of) noexcept {
  if constexpr (requires { encoder_fingerprint{of.fingerprint()}; })
    return of.fingerprint();
  else if constexpr (requires { encoder_fingerprint{of.format().fingerprint}; })
    return of.format().fingerprint;
  else if constexpr (requires { of.queries().size(); })
    return known_fingerprint(of.queries());
  else
    return 0;
}

/// @throws error errc::argument where two are known, and differ.
inline void require_same_encoder(encoder_fingerprint given, encoder_fingerprint held, std::string_view what) {
  if (given != held && given != 0 && held != 0) [[unlikely]]
    raise(errc::argument, what, ": of another encoder than the rows: fingerprint ", given, ", not ", held);
}

/// Of a store of `rows` rows once `given` codes are appended: of the first ones where there are none.
/// @throws error errc::argument where they are of another encoder than the rows.
inline encoder_fingerprint joined_fingerprint(encoder_fingerprint given, encoder_fingerprint held, std::size_t rows) {
  if (rows == 0) return given;
  require_same_encoder(given, held, "codes");
  return held;
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
