// The choice of the nearest centroids with AVX-512: 16 centroids a register; their products need VNNI.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/isa.hpp>
#include <embit/kernel/detail/centroids/level.hpp>

#if EMBIT_X86

#include <immintrin.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace embit::inline EMBIT_ABI::detail::centroids_avx512 {

// The masked forms with all lanes are the plain instructions; g++ 12 warns of the plain forms in its header.
inline constexpr __mmask16 all = 0xffff;

EMBIT_TARGET_VPOPCNT EMBIT_ALWAYS_INLINE void finish(const centroid_job& job, std::size_t first, __m512i sum,
                                                     float* distances) {
  // The query was raised by 128, as the instruction takes it without a sign.
  const __m512i raised = _mm512_maskz_slli_epi32(all, _mm512_load_si512(job.sums + first), 7);
  const __m512 whole = _mm512_maskz_cvtepi32_ps(all, _mm512_sub_epi32(sum, raised));
  const __m512 products = _mm512_mul_ps(_mm512_load_ps(job.steps + first), whole);
  _mm512_storeu_ps(distances + first,
                   _mm512_fmadd_ps(products, _mm512_set1_ps(job.factor), _mm512_load_ps(job.terms + first)));
}

template <std::size_t Groups>
EMBIT_TARGET_VPOPCNT EMBIT_ALWAYS_INLINE void score_groups(const centroid_job& job, std::size_t group,
                                                           float* distances) {
  __m512i sum[Groups];
  for (auto& s : sum) s = _mm512_setzero_si512();
  const std::size_t size = job.quads * centroid_group * centroid_quad;
  const std::int8_t* at = job.values + group * size;
  for (std::size_t t = 0; t < job.quads; ++t, at += centroid_group * centroid_quad) {
    std::uint32_t quad;
    std::memcpy(&quad, job.query + t * centroid_quad, sizeof quad);
    const __m512i query = _mm512_set1_epi32(static_cast<int>(quad ^ 0x80808080u));
#pragma GCC unroll 8
    for (std::size_t i = 0; i < Groups; ++i)
      sum[i] = _mm512_dpbusd_epi32(sum[i], query, _mm512_load_si512(at + i * size));
  }
#pragma GCC unroll 8
  for (std::size_t i = 0; i < Groups; ++i) finish(job, (group + i) * centroid_group, sum[i], distances);
}

EMBIT_TARGET_VPOPCNT inline void score(const centroid_job& job, float* distances) noexcept {
  std::size_t group = 0;
  for (; group + 8 <= job.groups; group += 8) score_groups<8>(job, group, distances);
  for (; group + 2 <= job.groups; group += 2) score_groups<2>(job, group, distances);
  for (; group < job.groups; ++group) score_groups<1>(job, group, distances);
}

EMBIT_TARGET_AVX512 EMBIT_ALWAYS_INLINE __m512 place(const float* distances, __m512 lowest, __m512 scale) {
  return _mm512_maskz_min_ps(all, _mm512_mul_ps(_mm512_sub_ps(_mm512_loadu_ps(distances), lowest), scale),
                             _mm512_set1_ps(255));
}

/// Numbers that are no greater than the `most`-th of the least of `Sets` · 16 sets, each of which has every
/// (`Sets` · 16)-th of them: a few more than `most`, and the least among them. `most` is at most as many as the sets.
template <std::size_t Sets>
EMBIT_TARGET_AVX512 inline std::size_t gather_few(const float* distances, std::size_t count, std::size_t most,
                                                  std::uint32_t* places) noexcept {
  constexpr std::size_t sets = 16 * Sets;
  __m512 least_of[Sets];
  for (auto& l : least_of) l = _mm512_set1_ps(infinity<float>());
  for (std::size_t i = 0; i < count; i += sets)
    for (std::size_t s = 0; s < Sets && i + 16 * s < count; ++s)
      least_of[s] = _mm512_maskz_min_ps(all, _mm512_loadu_ps(distances + i + 16 * s), least_of[s]);
  alignas(64) float each[sets];
  for (std::size_t s = 0; s < Sets; ++s) _mm512_store_ps(each + 16 * s, least_of[s]);
  float end = infinity<float>();
  for (const float x : each) {
    int below = 0;
    for (const __m512& l : least_of) below += __builtin_popcount(_mm512_cmp_ps_mask(l, _mm512_set1_ps(x), _CMP_LE_OQ));
    end = static_cast<std::size_t>(below) >= most && x < end ? x : end;
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; i += 16) {
    unsigned near_ones = _mm512_cmp_ps_mask(_mm512_loadu_ps(distances + i), _mm512_set1_ps(end), _CMP_NGT_UQ);
    for (; near_ones != 0; near_ones &= near_ones - 1)
      places[kept++] = static_cast<std::uint32_t>(i) + static_cast<std::uint32_t>(__builtin_ctz(near_ones));
  }
  return kept;
}

EMBIT_TARGET_AVX512 inline std::size_t gather(const float* distances, std::size_t count, std::size_t most,
                                              std::uint32_t* places) noexcept {
  if (!worth_binning(count, most)) return gather_all(count, places);
  if (most <= 16) return gather_few<2>(distances, count, most, places);
  if (most <= 48) return gather_few<6>(distances, count, most, places);
  if (most <= 112 && count >= 1024) return gather_few<14>(distances, count, most, places);
  const __m512 infinite = _mm512_set1_ps(infinity<float>());
  __m512 low = infinite, high = _mm512_set1_ps(-infinity<float>());
  for (std::size_t i = 0; i < count; i += 16) {
    const __m512 x = _mm512_loadu_ps(distances + i);
    low = _mm512_maskz_min_ps(all, x, low);
    high = _mm512_mask_max_ps(high, _mm512_cmp_ps_mask(x, infinite, _CMP_LT_OQ), x, high);
  }
  alignas(64) float lows[16], highs[16];
  _mm512_store_ps(lows, low);
  _mm512_store_ps(highs, high);
  const centroid_scale scaled(*std::min_element(lows, lows + 16), *std::max_element(highs, highs + 16));
  if (!scaled.tells()) return gather_all(count, places);
  const __m512 lowest = _mm512_set1_ps(scaled.lowest), scale = _mm512_set1_ps(scaled.scale);
  // Two sets of counters, so that equal bins do not wait for one another.
  std::array<std::uint32_t, centroid_bins> counts{}, others{};
  for (std::size_t i = 0; i < count; i += 16) {
    alignas(64) std::uint32_t bins[16];
    _mm512_store_si512(bins, _mm512_maskz_cvttps_epi32(all, place(distances + i, lowest, scale)));
    for (std::size_t j = 0; j < 16; j += 2) {
      ++counts[bins[j]];
      ++others[bins[j + 1]];
    }
  }
  for (std::size_t b = 0; b < centroid_bins; ++b) counts[b] += others[b];
  const __m512 end = _mm512_set1_ps(static_cast<float>(bins_for(counts, most)));
  std::size_t kept = 0;
  __m512i here = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (std::size_t i = 0; i < count; i += 16) {
    const __mmask16 near_ones = _mm512_cmp_ps_mask(place(distances + i, lowest, scale), end, _CMP_LT_OQ);
    if (near_ones != 0) {
      alignas(64) std::uint32_t chosen[16];
      _mm512_store_si512(chosen, _mm512_maskz_compress_epi32(near_ones, here));
      const auto many = static_cast<std::size_t>(__builtin_popcount(near_ones));
      std::copy_n(chosen, many, places + kept);
      kept += many;
    }
    here = _mm512_add_epi32(here, _mm512_set1_epi32(16));
  }
  return kept;
}

EMBIT_TARGET_AVX512 inline least_number least(const float* products, const float* terms, std::size_t count) noexcept {
  __m512 best = _mm512_set1_ps(infinity<float>());
  __m512i at = _mm512_setzero_si512();
  __m512i here = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  const __m512 two = _mm512_set1_ps(2);
  for (std::size_t i = 0; i < count; i += 16) {
    const auto used = static_cast<__mmask16>(count - i >= 16 ? 0xffffu : (1u << (count - i)) - 1);
    const __m512 x =
        _mm512_fnmadd_ps(two, _mm512_maskz_loadu_ps(used, products + i), _mm512_maskz_loadu_ps(used, terms + i));
    const __mmask16 better = _mm512_mask_cmp_ps_mask(used, x, best, _CMP_LT_OQ);
    best = _mm512_mask_mov_ps(best, better, x);
    at = _mm512_mask_mov_epi32(at, better, here);
    here = _mm512_add_epi32(here, _mm512_set1_epi32(16));
  }
  alignas(64) float values[16];
  alignas(64) std::uint32_t places[16];
  _mm512_store_ps(values, best);
  _mm512_store_si512(places, at);
  least_number found{values[0], places[0]};
  for (std::size_t j = 1; j < 16; ++j)
    if (values[j] < found.value || (values[j] == found.value && places[j] < found.at)) found = {values[j], places[j]};
  return found;
}

EMBIT_TARGET_AVX512 inline void add(const float* row, std::size_t dim, double* sums) noexcept {
  std::size_t j = 0;
  for (; j + 8 <= dim; j += 8) {
    const __m512d wide = _mm512_maskz_cvtps_pd(0xff, _mm256_loadu_ps(row + j));
    _mm512_storeu_pd(sums + j, _mm512_add_pd(_mm512_loadu_pd(sums + j), wide));
  }
  centroids_portable::add(row + j, dim - j, sums + j);
}

}  // namespace embit::inline EMBIT_ABI::detail::centroids_avx512

#endif  // EMBIT_X86
