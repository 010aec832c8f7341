// The number types that matrix files hold, and their conversion to the type that is asked for.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/error.hpp>
#include <embit/core/half.hpp>
#include <embit/io/file.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// Number types of matrix files, named by kind and bits.
enum class dtype : std::uint8_t { f16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64 };

constexpr std::string_view name_of(dtype type) noexcept {
  constexpr std::array<std::string_view, 11> names{"float16", "float32", "float64", "int8",   "int16", "int32",
                                                   "int64",   "uint8",   "uint16",  "uint32", "uint64"};
  return names[static_cast<std::size_t>(type)];
}

/// Bytes of one number.
constexpr std::size_t size_of(dtype type) noexcept {
  constexpr std::array<std::uint8_t, 11> sizes{2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8};
  return sizes[static_cast<std::size_t>(type)];
}

/// What a matrix file can be read as and written from.
template <class T>
concept FileNumber = std::is_same_v<T, half> || std::is_same_v<T, float> || std::is_same_v<T, double> ||
    (std::is_integral_v<T> && !std::is_same_v<T, bool> && !std::is_same_v<T, char> && sizeof(T) <= 8);

/// The dtype of T.
template <FileNumber T>
inline constexpr dtype dtype_of = [] {
  if constexpr (std::is_same_v<T, half>) return dtype::f16;
  if constexpr (std::is_floating_point_v<T>) return sizeof(T) == 4 ? dtype::f32 : dtype::f64;
  const auto first = static_cast<int>(std::is_signed_v<T> ? dtype::i8 : dtype::u8);
  return static_cast<dtype>(first + (sizeof(T) == 1 ? 0 : sizeof(T) == 2 ? 1 : sizeof(T) == 4 ? 2 : 3));
}();

namespace detail {

/// Calls `f` with a value of the type that `type` names.
template <class F>
void with_dtype(dtype type, F&& f) {
  switch (type) {
    case dtype::f16: return f(half{});
    case dtype::f32: return f(float{});
    case dtype::f64: return f(double{});
    case dtype::i8: return f(std::int8_t{});
    case dtype::i16: return f(std::int16_t{});
    case dtype::i32: return f(std::int32_t{});
    case dtype::i64: return f(std::int64_t{});
    case dtype::u8: return f(std::uint8_t{});
    case dtype::u16: return f(std::uint16_t{});
    case dtype::u32: return f(std::uint32_t{});
    case dtype::u64: return f(std::uint64_t{});
  }
}

/// Whether every number of type `from` may become a T: floats take whatever there is, rounding it; whole numbers take
/// whole numbers, each checked to fit.
template <class T>
constexpr bool is_convertible(dtype from) noexcept {
  return std::is_same_v<T, half> || std::is_floating_point_v<T> || from >= dtype::i8;
}

/// Converts the numbers of type S at `bytes` into `out`; returns how many fitted before the first that did not.
template <class S, class T>
std::size_t convert_numbers(const std::byte* bytes, std::span<T> out) noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) {
    S value;
    std::memcpy(&value, bytes + i * sizeof(S), sizeof(S));
    if constexpr (std::is_same_v<T, S>) {
      out[i] = value;
    } else if constexpr (std::is_same_v<T, half>) {
      out[i] = half(static_cast<float>(value));
    } else if constexpr (std::is_floating_point_v<T>) {
      out[i] = static_cast<T>(value);
    } else if constexpr (std::is_integral_v<S>) {
      if (!std::in_range<T>(value)) return i;
      out[i] = static_cast<T>(value);
    }
  }
  return out.size();
}

/// Reads adjacent numbers of type `from` at byte `offset` of `file` into `out`.
/// @throws error errc::argument naming the number that does not fit into T.
template <class T>
void read_numbers(const input_file& file, std::uint64_t offset, dtype from, std::span<T> out) {
  if (from == dtype_of<T>) return file.read(offset, std::as_writable_bytes(out));
  constexpr std::size_t chunk_size = std::size_t{1} << 17;
  aligned_vector<std::byte> chunk((std::min)(chunk_size, out.size() * size_of(from)));
  const std::size_t step = chunk_size / size_of(from);
  for (std::size_t done = 0; done < out.size(); done += step) {
    const auto part = out.subspan(done, (std::min)(step, out.size() - done));
    const std::uint64_t at = offset + done * size_of(from);
    file.read(at, std::span(chunk).first(part.size() * size_of(from)));
    with_dtype(from, [&](auto source) {
      const std::size_t fitted = convert_numbers<decltype(source)>(chunk.data(), part);
      if (fitted != part.size())
        raise(errc::argument, file.path(), ": element ", done + fitted, " at byte ", at + fitted * size_of(from),
              " does not fit into ", name_of(dtype_of<T>));
    });
  }
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
