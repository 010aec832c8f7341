// What this machine can do at most, measured in the same process as what is compared with it: reading memory, counting
// bits, and multiplying.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>

#include <bit>
#include <cstddef>
#include <span>
#include <xsimd/xsimd.hpp>

#if EMBIT_X86
#include <immintrin.h>
#endif

namespace limits {

using embit::word;

namespace detail {

inline constexpr std::size_t step = 64;         // words a loop takes at once
inline constexpr std::size_t ahead = 8192 / 8;  // words between a read and its prefetch

inline word read_portable(const word* data, std::size_t words) {
  word sum[8] = {};
  for (std::size_t i = 0; i < words; i += 8) {
    __builtin_prefetch(data + i + ahead);
    for (std::size_t j = 0; j < 8; ++j) sum[j] ^= data[i + j];
  }
  word all = 0;
  for (const word s : sum) all ^= s;
  return all;
}

inline word count_portable(const word* data, std::size_t words, word query) {
  word sum = 0;
  for (std::size_t i = 0; i < words; ++i) sum += static_cast<word>(std::popcount(data[i] ^ query));
  return sum;
}

// Twelve chains hide the latency of a multiply-add and fit the registers of every level.
inline constexpr std::size_t chains = 12;

inline float multiply_portable(std::size_t rounds) {
  using batch = xsimd::batch<float>;
  const batch a(1.0001f), b(-.0001f);
  batch x[chains];
#pragma GCC unroll 12
  for (std::size_t j = 0; j < chains; ++j) x[j] = batch(static_cast<float>(j));
  for (; rounds > 0; --rounds)
#pragma GCC unroll 12
    for (std::size_t j = 0; j < chains; ++j) x[j] = xsimd::fma(x[j], a, b);
  for (std::size_t j = 1; j < chains; ++j) x[0] = x[0] + x[j];
  float lanes[batch::size];
  x[0].store_unaligned(lanes);
  return lanes[0];
}

#if EMBIT_X86
EMBIT_TARGET_AVX2 inline float multiply_avx2(std::size_t rounds) {
  const __m256 a = _mm256_set1_ps(1.0001f), b = _mm256_set1_ps(-.0001f);
  __m256 x[chains];
#pragma GCC unroll 12
  for (std::size_t j = 0; j < chains; ++j) x[j] = _mm256_set1_ps(static_cast<float>(j));
  for (; rounds > 0; --rounds)
#pragma GCC unroll 12
    for (std::size_t j = 0; j < chains; ++j) x[j] = _mm256_fmadd_ps(x[j], a, b);
  for (std::size_t j = 1; j < chains; ++j) x[0] = _mm256_add_ps(x[0], x[j]);
  return _mm256_cvtss_f32(x[0]);
}

EMBIT_TARGET_AVX512 inline float multiply_avx512(std::size_t rounds) {
  const __m512 a = _mm512_set1_ps(1.0001f), b = _mm512_set1_ps(-.0001f);
  __m512 x[chains];
#pragma GCC unroll 12
  for (std::size_t j = 0; j < chains; ++j) x[j] = _mm512_set1_ps(static_cast<float>(j));
  for (; rounds > 0; --rounds)
#pragma GCC unroll 12
    for (std::size_t j = 0; j < chains; ++j) x[j] = _mm512_fmadd_ps(x[j], a, b);
  for (std::size_t j = 1; j < chains; ++j) x[0] = _mm512_add_ps(x[0], x[j]);
  alignas(64) float lanes[16];
  _mm512_store_ps(lanes, x[0]);
  return lanes[0];
}

EMBIT_TARGET_AVX2 inline word read_avx2(const word* data, std::size_t words) {
  __m256i sum[8];
  for (auto& s : sum) s = _mm256_setzero_si256();
  for (std::size_t i = 0; i < words; i += 32)
#pragma GCC unroll 8
    for (std::size_t j = 0; j < 8; ++j) {
      const word* at = data + i + 4 * j;
      if (j % 2 == 0) __builtin_prefetch(at + ahead);
      sum[j] = _mm256_xor_si256(sum[j], _mm256_load_si256(reinterpret_cast<const __m256i*>(at)));
    }
  for (std::size_t j = 1; j < 8; ++j) sum[0] = _mm256_xor_si256(sum[0], sum[j]);
  return static_cast<word>(_mm256_extract_epi64(sum[0], 0) ^ _mm256_extract_epi64(sum[0], 1) ^
                           _mm256_extract_epi64(sum[0], 2) ^ _mm256_extract_epi64(sum[0], 3));
}

/// Nibbles looked up by byte shuffles, the sums widened after every eight registers.
EMBIT_TARGET_AVX2 inline word count_avx2(const word* data, std::size_t words, word query) {
  const __m256i bits =
      _mm256_set_epi64x(0x0403030203020201, 0x0302020102010100, 0x0403030203020201, 0x0302020102010100);
  const __m256i low = _mm256_set1_epi8(15), zero = _mm256_setzero_si256();
  const __m256i q = _mm256_set1_epi64x(static_cast<long long>(query));
  __m256i sum = zero;
  for (std::size_t i = 0; i < words; i += 32) {
    __m256i bytes = zero;
#pragma GCC unroll 8
    for (std::size_t j = 0; j < 8; ++j) {
      const __m256i x = _mm256_xor_si256(q, _mm256_load_si256(reinterpret_cast<const __m256i*>(data + i + 4 * j)));
      bytes = _mm256_add_epi8(bytes, _mm256_shuffle_epi8(bits, _mm256_and_si256(x, low)));
      bytes = _mm256_add_epi8(bytes, _mm256_shuffle_epi8(bits, _mm256_and_si256(_mm256_srli_epi16(x, 4), low)));
    }
    sum = _mm256_add_epi64(sum, _mm256_sad_epu8(bytes, zero));
  }
  return static_cast<word>(_mm256_extract_epi64(sum, 0) + _mm256_extract_epi64(sum, 1) + _mm256_extract_epi64(sum, 2) +
                           _mm256_extract_epi64(sum, 3));
}

EMBIT_TARGET_AVX512 inline word read_avx512(const word* data, std::size_t words) {
  __m512i sum[8];
  for (auto& s : sum) s = _mm512_setzero_si512();
  for (std::size_t i = 0; i < words; i += step)
#pragma GCC unroll 8
    for (std::size_t j = 0; j < 8; ++j) {
      const word* at = data + i + 8 * j;
      __builtin_prefetch(at + ahead);
      sum[j] = _mm512_xor_si512(sum[j], _mm512_load_si512(at));
    }
  for (std::size_t j = 1; j < 8; ++j) sum[0] = _mm512_xor_si512(sum[0], sum[j]);
  alignas(64) word lane[8];
  _mm512_store_si512(lane, sum[0]);
  return lane[0] ^ lane[1] ^ lane[2] ^ lane[3] ^ lane[4] ^ lane[5] ^ lane[6] ^ lane[7];
}

EMBIT_TARGET_VPOPCNT inline word count_vpopcnt(const word* data, std::size_t words, word query, std::size_t passes) {
  __m512i sum[8];
  for (auto& s : sum) s = _mm512_setzero_si512();
  for (; passes > 0; --passes, ++query) {
    const __m512i q = _mm512_set1_epi64(static_cast<long long>(query));
    for (std::size_t i = 0; i < words; i += step)
#pragma GCC unroll 8
      for (std::size_t j = 0; j < 8; ++j) {
        const __m512i x = _mm512_xor_si512(q, _mm512_load_si512(data + i + 8 * j));
        sum[j] = _mm512_add_epi64(sum[j], _mm512_popcnt_epi64(x));
      }
  }
  for (std::size_t j = 1; j < 8; ++j) sum[0] = _mm512_add_epi64(sum[0], sum[j]);
  alignas(64) word lane[8];
  _mm512_store_si512(lane, sum[0]);
  return lane[0] + lane[1] + lane[2] + lane[3] + lane[4] + lane[5] + lane[6] + lane[7];
}
#endif

}  // namespace detail

/// Reads 64-byte aligned data of whole 512-byte steps with the widest loads there are, asking for it ahead. On the
/// buffer that a scan reads, its speed is the memory limit of that scan.
inline word read(std::span<const word> data) {
#if EMBIT_X86
  if (embit::supports(embit::isa::avx512)) return detail::read_avx512(data.data(), data.size());
  if (embit::supports(embit::isa::avx2)) return detail::read_avx2(data.data(), data.size());
#endif
  return detail::read_portable(data.data(), data.size());
}

/// Counts the bits in which 64-byte aligned data of whole 512-byte steps differs from `query`, `query + 1`, … in so
/// many passes, by the best popcount of `level`: VPOPCNTDQ, byte shuffles, or the scalar one. On 16 KiB and many passes
/// its speed is the popcount limit of the level.
inline word count(std::span<const word> data, word query, embit::isa level, std::size_t passes = 1) {
#if EMBIT_X86
  if (level == embit::isa::vpopcnt) return detail::count_vpopcnt(data.data(), data.size(), query, passes);
#endif
  word sum = 0;
  for (std::size_t pass = 0; pass < passes; ++pass) {
#if EMBIT_X86
    if (level != embit::isa::portable) {
      sum += detail::count_avx2(data.data(), data.size(), query + pass);
      continue;
    }
#endif
    static_cast<void>(level);
    sum += detail::count_portable(data.data(), data.size(), query + pass);
  }
  return sum;
}

/// Floats that one step of `multiply` takes at a level.
inline std::size_t multiply_floats(embit::isa level) {
  if (level == embit::isa::avx512 || level == embit::isa::vpopcnt) return 16 * detail::chains;
  if (level == embit::isa::avx2) return 8 * detail::chains;
  return xsimd::batch<float>::size * detail::chains;
}

/// Does `rounds` · multiply_floats(level) fused multiply-adds in registers (a multiplication and an addition each where
/// the level has no fused one): its speed is the limit of every float product.
inline float multiply(embit::isa level, std::size_t rounds) {
#if EMBIT_X86
  if (level == embit::isa::avx512 || level == embit::isa::vpopcnt) return detail::multiply_avx512(rounds);
  if (level == embit::isa::avx2) return detail::multiply_avx2(rounds);
#endif
  static_cast<void>(level);
  return detail::multiply_portable(rounds);
}

}  // namespace limits
