// The choice of the nearest centroids for AArch64 Advanced SIMD: 16 centroids in four registers.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/isa.hpp>
#include <embit/kernel/detail/centroids/level.hpp>

#if EMBIT_NEON

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace embit::inline EMBIT_ABI::detail::centroids_neon {

/// Adds the products of four dimensions of four centroids. |c| ≤ 127 and |q| ≤ 127, so that the sum of two products
/// fits 16 bits.
EMBIT_ALWAYS_INLINE int32x4_t add_products(int32x4_t sum, int8x16_t query, int8x16_t values) noexcept {
#ifdef __ARM_FEATURE_DOTPROD
  return vdotq_s32(sum, values, query);
#else
  const int16x8_t low = vmull_s8(vget_low_s8(values), vget_low_s8(query)), high = vmull_high_s8(values, query);
  return vpadalq_s16(sum, vpaddq_s16(low, high));
#endif
}

inline void score(const centroid_job& job, float* distances) noexcept {
  const std::int8_t* at = job.values;
  for (std::size_t g = 0; g < job.groups; ++g) {
    int32x4_t sum[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
    for (std::size_t t = 0; t < job.quads; ++t, at += centroid_group * centroid_quad) {
      std::int32_t quad;
      std::memcpy(&quad, job.query + t * centroid_quad, sizeof quad);
      const int8x16_t query = vreinterpretq_s8_s32(vdupq_n_s32(quad));
#pragma GCC unroll 4
      for (std::size_t i = 0; i < 4; ++i) sum[i] = add_products(sum[i], query, vld1q_s8(at + 16 * i));
    }
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) {
      const std::size_t c = g * centroid_group + 4 * i;
      const float32x4_t products = vmulq_f32(vld1q_f32(job.steps + c), vcvtq_f32_s32(sum[i]));
      vst1q_f32(distances + c, vfmaq_n_f32(vld1q_f32(job.terms + c), products, job.factor));
    }
  }
}

inline least_number least(const float* products, const float* terms, std::size_t count) noexcept {
  float32x4_t best = vdupq_n_f32(infinity<float>());
  uint32x4_t at = vdupq_n_u32(0), here{0, 1, 2, 3};
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const float32x4_t x = vfmsq_n_f32(vld1q_f32(terms + i), vld1q_f32(products + i), 2.f);
    const uint32x4_t better = vcltq_f32(x, best);
    best = vbslq_f32(better, x, best);
    at = vbslq_u32(better, here, at);
    here = vaddq_u32(here, vdupq_n_u32(4));
  }
  float values[4];
  std::uint32_t places[4];
  vst1q_f32(values, best);
  vst1q_u32(places, at);
  least_number found{values[0], places[0]};
  for (std::size_t j = 1; j < 4; ++j)
    if (values[j] < found.value || (values[j] == found.value && places[j] < found.at)) found = {values[j], places[j]};
  const least_number last = centroids_portable::least(products + i, terms + i, count - i);
  if (last.value < found.value) found = {last.value, last.at + static_cast<std::uint32_t>(i)};
  return found;
}

inline constexpr centroid_ops ops{score, centroids_portable::gather, least, centroids_portable::add};

}  // namespace embit::inline EMBIT_ABI::detail::centroids_neon

#endif  // EMBIT_NEON
