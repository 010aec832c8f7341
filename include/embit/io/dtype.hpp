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
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// Number types of matrix files, named by kind and bits; `boolean` is a byte of 0 or 1.
enum class dtype : std::uint8_t { f16, f32, f64, i8, i16, i32, i64, u8, u16, u32, u64, bf16, boolean };

constexpr std::string_view name_of(dtype type) noexcept {
  constexpr std::array<std::string_view, 13> names{"float16", "float32",  "float64", "int8",   "int16",
                                                   "int32",   "int64",    "uint8",   "uint16", "uint32",
                                                   "uint64",  "bfloat16", "bool"};
  return names[static_cast<std::size_t>(type)];
}

/// Bytes of one number.
constexpr std::size_t size_of(dtype type) noexcept {
  constexpr std::array<std::uint8_t, 13> sizes{2, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8, 2, 1};
  return sizes[static_cast<std::size_t>(type)];
}

/// Whether numbers of that type may be other than whole.
constexpr bool is_float(dtype type) noexcept { return type <= dtype::f64 || type == dtype::bf16; }

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

/// A float without its lower 16 bits.
struct bfloat16 {
  std::uint16_t bits;
  constexpr operator float() const noexcept { return std::bit_cast<float>(std::uint32_t{bits} << 16); }
};

/// A bool as files hold it, which may be damaged.
struct bool_byte {
  std::uint8_t byte;
};

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
    case dtype::bf16: return f(bfloat16{});
    case dtype::boolean: return f(bool_byte{});
  }
}

/// Whether every number of type `from` may become a T: floats take whatever there is, rounding it; whole numbers take
/// whole numbers, each checked to fit.
template <class T>
constexpr bool is_convertible(dtype from) noexcept {
  return is_float(dtype_of<T>) || !is_float(from);
}

/// @throws error errc::argument where T cannot hold numbers of type `from`.
template <class T>
void require_convertible(dtype from, std::string_view what) {
  if (!is_convertible<T>(from))
    raise(errc::argument, what, ": holds ", name_of(from), ", which ", name_of(dtype_of<T>), " cannot hold");
}

/// Makes `out` of `value`, rounding where T is a float; false where it does not fit.
template <class S, class T>
constexpr bool convert_number(S value, T& out) noexcept {
  if constexpr (std::is_same_v<S, bool_byte>) {
    return value.byte <= 1 && convert_number(value.byte, out);
  } else if constexpr (std::is_same_v<T, S>) {
    out = value;
  } else if constexpr (std::is_same_v<T, half>) {
    out = half(static_cast<float>(value));
  } else if constexpr (std::is_floating_point_v<T>) {
    out = static_cast<T>(value);
  } else if constexpr (std::is_integral_v<S>) {
    if (!std::in_range<T>(value)) return false;
    out = static_cast<T>(value);
  }
  return true;
}

/// Converts the numbers of type S at `bytes` into `out`; returns how many fitted before the first that did not.
template <class S, class T>
std::size_t convert_numbers(const std::byte* bytes, std::span<T> out) noexcept {
  for (std::size_t i = 0; i < out.size(); ++i) {
    S value;
    std::memcpy(&value, bytes + i * sizeof(S), sizeof(S));
    if (!convert_number(value, out[i])) return i;
  }
  return out.size();
}

/// Refuses the number that `convert_numbers` stopped at; `place` says which.
template <class T, class... Place>
[[noreturn]] EMBIT_COLD void refuse_number(dtype from, const Place&... place) {
  if (from == dtype::boolean) raise(errc::format, place..., " is a bool of neither 0 nor 1");
  raise(errc::argument, place..., " does not fit into ", name_of(dtype_of<T>));
}

/// Where adjacent numbers lie in a file.
struct stored_numbers {
  dtype type;
  std::uint64_t offset;
  std::endian order = std::endian::little;

  bool swapped() const noexcept { return order != std::endian::native && size_of(type) > 1; }
};

/// Reads numbers from number `first` of those stored on into `out`.
/// @throws error errc::argument naming the number that does not fit into T, errc::format for a bool that is none.
template <class T>
void read_numbers(const input_file& file, const stored_numbers& stored, std::uint64_t first, std::span<T> out) {
  const std::size_t size = size_of(stored.type);
  if (stored.type == dtype_of<T> && !stored.swapped())
    return file.read(stored.offset + first * size, std::as_writable_bytes(out));
  constexpr std::size_t chunk_size = std::size_t{1} << 17;
  aligned_vector<std::byte> chunk((std::min)(chunk_size, out.size() * size));
  const std::size_t step = chunk_size / size;
  for (std::size_t done = 0; done < out.size(); done += step) {
    const auto part = out.subspan(done, (std::min)(step, out.size() - done));
    const auto bytes = std::span(chunk).first(part.size() * size);
    const std::uint64_t at = stored.offset + (first + done) * size;
    file.read(at, bytes);
    if (stored.swapped())
      for (auto number = bytes.begin(); number != bytes.end(); number += static_cast<std::ptrdiff_t>(size))
        std::reverse(number, number + static_cast<std::ptrdiff_t>(size));
    with_dtype(stored.type, [&](auto source) {
      const std::size_t fitted = convert_numbers<decltype(source)>(chunk.data(), part);
      if (fitted != part.size())
        refuse_number<T>(stored.type, file.path(), ": element ", first + done + fitted, " at byte ",
                         at + fitted * size);
    });
  }
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
