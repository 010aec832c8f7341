// The ways to a CRC-32C: by tables, by the instruction of processors that have one, by carry-less products.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if EMBIT_X86
#include <immintrin.h>
#elif EMBIT_NEON && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace embit::inline EMBIT_ABI::detail {

// Numbers here are polynomials over GF(2) with the bits reversed, as the instructions want them: bit 31 is x^0.
// The state is the CRC without the inversions at both ends, and adding a zero byte multiplies it by x^8.
inline constexpr std::uint32_t crc32c_polynomial = 0x82f63b78u;

using crc32c_tables = std::array<std::array<std::uint32_t, 256>, 8>;

/// Table k holds what a byte becomes that k more bytes follow.
inline constexpr crc32c_tables crc32c_table = [] {
  crc32c_tables table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t x = byte;
    for (int bit = 0; bit < 8; ++bit) x = (x >> 1) ^ ((x & 1u) != 0 ? crc32c_polynomial : 0u);
    table[0][byte] = x;
  }
  for (std::size_t k = 1; k < 8; ++k)
    for (std::size_t byte = 0; byte < 256; ++byte)
      table[k][byte] = (table[k - 1][byte] >> 8) ^ table[0][table[k - 1][byte] & 0xffu];
  return table;
}();

inline std::uint64_t load_word(const std::byte* at) noexcept {
  std::uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

inline std::uint32_t crc32c_bytes(std::uint32_t state, const std::byte* data, std::size_t size) noexcept {
  for (; size > 0; --size, ++data)
    state = (state >> 8) ^ crc32c_table[0][(state ^ static_cast<std::uint32_t>(*data)) & 0xffu];
  return state;
}

/// Eight bytes a step, by eight lookups that do not wait for one another.
inline std::uint32_t crc32c_portable(std::uint32_t state, const std::byte* data, std::size_t size) noexcept {
  if constexpr (std::endian::native == std::endian::little)
    for (; size >= 8; size -= 8, data += 8) {
      const std::uint64_t x = load_word(data) ^ state;
      state = 0;
      for (std::size_t k = 0; k < 8; ++k) state ^= crc32c_table[7 - k][(x >> (8 * k)) & 0xffu];
    }
  return crc32c_bytes(state, data, size);
}

/// The product of two polynomials modulo that of the CRC.
constexpr std::uint32_t crc32c_multiply(std::uint32_t a, std::uint32_t b) noexcept {
  std::uint32_t product = 0;
  for (int bit = 31; bit >= 0; --bit) {
    product ^= b & (0u - ((a >> bit) & 1u));
    b = (b >> 1) ^ (crc32c_polynomial & (0u - (b & 1u)));
  }
  return product;
}

/// x^(8 bytes): a state multiplied by it has had `bytes` zero bytes added.
constexpr std::uint32_t crc32c_shift(std::size_t bytes) noexcept {
  std::uint32_t power = 0x00800000u, shift = 0x80000000u;  // x^8, x^0
  for (; bytes != 0; bytes >>= 1) {
    if ((bytes & 1u) != 0) shift = crc32c_multiply(shift, power);
    power = crc32c_multiply(power, power);
  }
  return shift;
}

// The instruction takes a word a cycle but answers after three: three parts of the data run side by side, and the
// states are joined at the end of a block as (s0 · x^part + s1) · x^part + s2. Long parts let the prefetcher settle;
// shorter ones take what remains.

#if EMBIT_X86
#define EMBIT_FEATURES_CRC "sse4.2"
#define EMBIT_TARGET_CRC __attribute__((target(EMBIT_FEATURES_CRC)))
EMBIT_TARGET_CRC inline std::uint64_t crc32c_step(std::uint64_t state, std::uint64_t x) noexcept {
  return _mm_crc32_u64(state, x);
}
inline bool crc32c_supported() noexcept { return processor_has_all(EMBIT_FEATURES_CRC); }
#elif EMBIT_NEON
#define EMBIT_TARGET_CRC
inline std::uint64_t crc32c_step(std::uint64_t state, std::uint64_t x) noexcept {
  // By assembly, because the compilers disagree on how a function is marked for this extension.
  auto low = static_cast<std::uint32_t>(state);
  asm(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(low) : "r"(x));
  return low;
}
inline bool crc32c_supported() noexcept {
#ifdef __linux__
  return (getauxval(AT_HWCAP) & (1ul << 7)) != 0;  // HWCAP_CRC32
#else
  return true;  // every Apple processor
#endif
}
#endif

#ifdef EMBIT_TARGET_CRC
template <std::size_t Part>
EMBIT_TARGET_CRC std::uint32_t crc32c_three(std::uint32_t state, const std::byte* data) noexcept {
  static_assert(Part % 64 == 0);
  constexpr std::uint32_t shift = crc32c_shift(Part);
  std::uint64_t a = state, b = 0, c = 0;
  for (std::size_t i = 0; i < Part; i += 64, data += 64) {
    // Ahead of the processor's own prefetching, which stops at every page; past the end it does nothing.
    for (std::size_t part = 0; part < 3; ++part) __builtin_prefetch(data + part * Part + 2048);
    for (std::size_t j = 0; j < 64; j += 8) {
      a = crc32c_step(a, load_word(data + j));
      b = crc32c_step(b, load_word(data + Part + j));
      c = crc32c_step(c, load_word(data + 2 * Part + j));
    }
  }
  const std::uint32_t ab = crc32c_multiply(static_cast<std::uint32_t>(a), shift) ^ static_cast<std::uint32_t>(b);
  return crc32c_multiply(ab, shift) ^ static_cast<std::uint32_t>(c);
}

template <std::size_t Part>
EMBIT_TARGET_CRC std::uint32_t crc32c_blocks(std::uint32_t state, const std::byte*& data, std::size_t& size) noexcept {
  for (; size >= 3 * Part; size -= 3 * Part, data += 3 * Part) state = crc32c_three<Part>(state, data);
  return state;
}

EMBIT_TARGET_CRC inline std::uint32_t crc32c_hardware(std::uint32_t state, const std::byte* data,
                                                      std::size_t size) noexcept {
  state = crc32c_blocks<65536>(state, data, size);
  state = crc32c_blocks<4096>(state, data, size);
  state = crc32c_blocks<512>(state, data, size);
  std::uint64_t wide = state;
  for (; size >= 8; size -= 8, data += 8) wide = crc32c_step(wide, load_word(data));
  return crc32c_bytes(static_cast<std::uint32_t>(wide), data, size);
}
#undef EMBIT_TARGET_CRC
#else
inline bool crc32c_supported() noexcept { return false; }
inline std::uint32_t crc32c_hardware(std::uint32_t state, const std::byte* data, std::size_t size) noexcept {
  return crc32c_portable(state, data, size);
}
#endif

#if EMBIT_X86
#define EMBIT_FEATURES_FOLD "avx512f,vpclmulqdq,pclmul," EMBIT_FEATURES_CRC
#define EMBIT_TARGET_FOLD __attribute__((target(EMBIT_FEATURES_FOLD)))
inline bool crc32c_fold_supported() noexcept { return processor_has_all(EMBIT_FEATURES_FOLD); }

/// The products of both halves of each 128-bit lane with the factors, plus what comes 256 bytes later.
EMBIT_TARGET_FOLD inline __m512i crc32c_fold_lane(__m512i lanes, __m512i factors, const std::byte* data) noexcept {
  const __m512i low = _mm512_clmulepi64_epi128(lanes, factors, 0x00);
  const __m512i high = _mm512_clmulepi64_epi128(lanes, factors, 0x11);
  return _mm512_ternarylogic_epi64(low, high, _mm512_loadu_si512(data), 0x96);  // exclusive or of all three
}

/// Faster than memory: shortens the data to 256 bytes of the same CRC by carry-less products, 256 bytes a step.
/// Gopal et al., "Fast CRC computation for generic polynomials using PCLMULQDQ", Intel 2009, section on folding.
EMBIT_TARGET_FOLD inline std::uint32_t crc32c_fold(std::uint32_t state, const std::byte* data,
                                                   std::size_t size) noexcept {
  constexpr std::size_t step = 256;
  if (size < 2 * step) return crc32c_hardware(state, data, size);
  // The low half of a lane stands 64 bits before the high one; the shift by 1 is that of a reflected product.
  constexpr auto low = static_cast<long long>(std::uint64_t{crc32c_shift(step + 4)} << 1);
  constexpr auto high = static_cast<long long>(std::uint64_t{crc32c_shift(step - 4)} << 1);
  const __m512i factors = _mm512_set_epi64(high, low, high, low, high, low, high, low);
  __m512i a = _mm512_loadu_si512(data), b = _mm512_loadu_si512(data + 64), c = _mm512_loadu_si512(data + 128),
          d = _mm512_loadu_si512(data + 192);
  a = _mm512_xor_si512(a, _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(state))));
  for (data += step, size -= step; size >= step; data += step, size -= step) {
    for (std::size_t line = 0; line < step; line += 64) __builtin_prefetch(data + line + 4096);
    a = crc32c_fold_lane(a, factors, data);
    b = crc32c_fold_lane(b, factors, data + 64);
    c = crc32c_fold_lane(c, factors, data + 128);
    d = crc32c_fold_lane(d, factors, data + 192);
  }
  std::array<std::byte, step> rest;
  _mm512_storeu_si512(rest.data(), a);
  _mm512_storeu_si512(rest.data() + 64, b);
  _mm512_storeu_si512(rest.data() + 128, c);
  _mm512_storeu_si512(rest.data() + 192, d);
  return crc32c_hardware(crc32c_hardware(0, rest.data(), step), data, size);
}
#undef EMBIT_TARGET_FOLD
#undef EMBIT_FEATURES_FOLD
#undef EMBIT_FEATURES_CRC
#else
inline bool crc32c_fold_supported() noexcept { return false; }
inline std::uint32_t crc32c_fold(std::uint32_t state, const std::byte* data, std::size_t size) noexcept {
  return crc32c_portable(state, data, size);
}
#endif

/// The fastest way that this processor has.
inline auto best_crc32c() noexcept -> std::uint32_t (*)(std::uint32_t, const std::byte*, std::size_t) noexcept {
  if (crc32c_fold_supported()) return crc32c_fold;
  return crc32c_supported() ? crc32c_hardware : crc32c_portable;
}

}  // namespace embit::inline EMBIT_ABI::detail
