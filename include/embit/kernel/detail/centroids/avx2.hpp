// The choice of the nearest centroids with AVX2: 8 centroids at a time, four dimensions of each.
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
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace embit::inline EMBIT_ABI::detail::centroids_avx2 {

/// Adds the products of four dimensions. |c| ≤ 127 and |q| ≤ 127, so that no pair of them overflows 16 bits: with the
/// sign of c on q instead, the instruction for bytes with and without signs is exact.
EMBIT_TARGET_AVX2 EMBIT_ALWAYS_INLINE __m256i add_products(__m256i sum, __m256i query, const std::int8_t* values) {
  const __m256i c = _mm256_load_si256(reinterpret_cast<const __m256i*>(values));
  const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(c), _mm256_sign_epi8(query, c));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

EMBIT_TARGET_AVX2 EMBIT_ALWAYS_INLINE void finish(const centroid_job& job, std::size_t first, __m256i sum,
                                                  float* distances) {
  const __m256 products = _mm256_mul_ps(_mm256_load_ps(job.steps + first), _mm256_cvtepi32_ps(sum));
  _mm256_storeu_ps(distances + first,
                   _mm256_fmadd_ps(products, _mm256_set1_ps(job.factor), _mm256_load_ps(job.terms + first)));
}

template <std::size_t Groups>
EMBIT_TARGET_AVX2 EMBIT_ALWAYS_INLINE void score_groups(const centroid_job& job, std::size_t group, float* distances) {
  __m256i sum[2 * Groups];
  for (auto& s : sum) s = _mm256_setzero_si256();
  const std::size_t size = job.quads * centroid_group * centroid_quad;
  const std::int8_t* at = job.values + group * size;
  for (std::size_t t = 0; t < job.quads; ++t, at += centroid_group * centroid_quad) {
    std::int32_t quad;
    std::memcpy(&quad, job.query + t * centroid_quad, sizeof quad);
    const __m256i query = _mm256_set1_epi32(quad);
#pragma GCC unroll 8
    for (std::size_t i = 0; i < 2 * Groups; ++i) sum[i] = add_products(sum[i], query, at + i / 2 * size + i % 2 * 32);
  }
#pragma GCC unroll 8
  for (std::size_t i = 0; i < 2 * Groups; ++i) finish(job, group * centroid_group + 8 * i, sum[i], distances);
}

EMBIT_TARGET_AVX2 inline void score(const centroid_job& job, float* distances) noexcept {
  std::size_t group = 0;
  for (; group + 4 <= job.groups; group += 4) score_groups<4>(job, group, distances);
  for (; group < job.groups; ++group) score_groups<1>(job, group, distances);
}

EMBIT_TARGET_AVX2 EMBIT_ALWAYS_INLINE __m256 place(const float* distances, __m256 lowest, __m256 scale) {
  return _mm256_min_ps(_mm256_mul_ps(_mm256_sub_ps(_mm256_loadu_ps(distances), lowest), scale), _mm256_set1_ps(255));
}

EMBIT_TARGET_AVX2 inline std::size_t gather(const float* distances, std::size_t count, std::size_t most,
                                            std::uint32_t* places) noexcept {
  if (!worth_binning(count, most)) return gather_all(count, places);
  const __m256 infinite = _mm256_set1_ps(infinity<float>());
  __m256 low = infinite, high = _mm256_set1_ps(-infinity<float>());
  for (std::size_t i = 0; i < count; i += 8) {
    const __m256 x = _mm256_loadu_ps(distances + i);
    low = _mm256_min_ps(x, low);
    high = _mm256_blendv_ps(high, _mm256_max_ps(x, high), _mm256_cmp_ps(x, infinite, _CMP_LT_OQ));
  }
  alignas(32) float lows[8], highs[8];
  _mm256_store_ps(lows, low);
  _mm256_store_ps(highs, high);
  const centroid_scale scaled(*std::min_element(lows, lows + 8), *std::max_element(highs, highs + 8));
  if (!scaled.tells()) return gather_all(count, places);
  const __m256 lowest = _mm256_set1_ps(scaled.lowest), scale = _mm256_set1_ps(scaled.scale);
  // Two sets of counters, so that equal bins do not wait for one another.
  std::array<std::uint32_t, centroid_bins> counts{}, others{};
  for (std::size_t i = 0; i < count; i += 8) {
    alignas(32) std::uint32_t bins[8];
    _mm256_store_si256(reinterpret_cast<__m256i*>(bins), _mm256_cvttps_epi32(place(distances + i, lowest, scale)));
    for (std::size_t j = 0; j < 8; j += 2) {
      ++counts[bins[j]];
      ++others[bins[j + 1]];
    }
  }
  for (std::size_t b = 0; b < centroid_bins; ++b) counts[b] += others[b];
  const __m256 end = _mm256_set1_ps(static_cast<float>(bins_for(counts, most)));
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count; i += 8) {
    auto near_ones = static_cast<std::uint32_t>(
        _mm256_movemask_ps(_mm256_cmp_ps(place(distances + i, lowest, scale), end, _CMP_LT_OQ)));
    for (; near_ones != 0; near_ones &= near_ones - 1)
      places[kept++] = static_cast<std::uint32_t>(i) + static_cast<std::uint32_t>(std::countr_zero(near_ones));
  }
  return kept;
}

EMBIT_TARGET_AVX2 inline least_number least(const float* products, const float* terms, std::size_t count) noexcept {
  __m256 best = _mm256_set1_ps(infinity<float>());
  __m256i at = _mm256_setzero_si256(), here = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  const __m256 two = _mm256_set1_ps(2);
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m256 x = _mm256_fnmadd_ps(two, _mm256_loadu_ps(products + i), _mm256_loadu_ps(terms + i));
    const __m256 better = _mm256_cmp_ps(x, best, _CMP_LT_OQ);
    best = _mm256_blendv_ps(best, x, better);
    at = _mm256_blendv_epi8(at, here, _mm256_castps_si256(better));
    here = _mm256_add_epi32(here, _mm256_set1_epi32(8));
  }
  alignas(32) float values[8];
  alignas(32) std::uint32_t places[8];
  _mm256_store_ps(values, best);
  _mm256_store_si256(reinterpret_cast<__m256i*>(places), at);
  least_number found{values[0], places[0]};
  for (std::size_t j = 1; j < 8; ++j)
    if (values[j] < found.value || (values[j] == found.value && places[j] < found.at)) found = {values[j], places[j]};
  const least_number last = centroids_portable::least(products + i, terms + i, count - i);
  if (last.value < found.value) found = {last.value, last.at + static_cast<std::uint32_t>(i)};
  return found;
}

EMBIT_TARGET_AVX2 inline void add(const float* row, std::size_t dim, double* sums) noexcept {
  std::size_t j = 0;
  for (; j + 4 <= dim; j += 4)
    _mm256_storeu_pd(sums + j, _mm256_add_pd(_mm256_loadu_pd(sums + j), _mm256_cvtps_pd(_mm_loadu_ps(row + j))));
  centroids_portable::add(row + j, dim - j, sums + j);
}

inline constexpr centroid_ops ops{score, gather, least, add};

}  // namespace embit::inline EMBIT_ABI::detail::centroids_avx2

#endif  // EMBIT_X86
