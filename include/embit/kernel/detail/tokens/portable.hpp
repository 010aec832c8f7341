// Sixteen floats at a time, in plain C++ and batches of floats.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/floats/batch.hpp>
#include <embit/kernel/detail/tokens/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace embit::inline EMBIT_ABI::detail::tokens_portable {

/// Operations on a vector of 16 floats. Every level has the same ones; the bodies that are stamped for each level are
/// written against them.
struct lanes16 {
  using batch = float_batch;
  static constexpr std::size_t parts = 16 / batch::size;
  static_assert(16 % batch::size == 0);
  struct vector {
    batch part[parts];
  };

  static constexpr std::size_t product_rows = 2;     ///< planes whose sums stay in registers
  static constexpr std::size_t product_vectors = 1;  ///< vectors of tokens beside one another in a product
  static constexpr std::size_t max_rows = 2;         ///< document tokens of a MaxSim tile
  static constexpr std::size_t max_panels = 1;       ///< panels of query tokens of a MaxSim tile

  // Packs unroll what -O2 would not, so that the parts live in registers.
  template <class F, std::size_t... Part>
  static EMBIT_ALWAYS_INLINE vector make(std::index_sequence<Part...>, F&& part) {
    return {{part(Part)...}};
  }
  template <class F, std::size_t... Part>
  static EMBIT_ALWAYS_INLINE void visit(std::index_sequence<Part...>, F&& part) {
    (part(Part), ...);
  }
  static constexpr std::make_index_sequence<parts> all{};

  static EMBIT_ALWAYS_INLINE vector load(const float* p) {
    return make(all, [p](std::size_t i) { return batch::load_unaligned(p + i * batch::size); });
  }
  static EMBIT_ALWAYS_INLINE void store(float* p, const vector& x) {
    visit(all, [p, &x](std::size_t i) { x.part[i].store_unaligned(p + i * batch::size); });
  }
  static EMBIT_ALWAYS_INLINE vector broadcast(float x) {
    const batch value(x);
    return make(all, [&value](std::size_t) { return value; });
  }
  static EMBIT_ALWAYS_INLINE vector zero() { return broadcast(0.f); }
  static EMBIT_ALWAYS_INLINE vector add(const vector& a, const vector& b) {
    return make(all, [&](std::size_t i) { return a.part[i] + b.part[i]; });
  }
  static EMBIT_ALWAYS_INLINE vector subtract(const vector& a, const vector& b) {
    return make(all, [&](std::size_t i) { return a.part[i] - b.part[i]; });
  }
  static EMBIT_ALWAYS_INLINE vector multiply(const vector& a, const vector& b) {
    return make(all, [&](std::size_t i) { return a.part[i] * b.part[i]; });
  }
  static EMBIT_ALWAYS_INLINE vector divide(const vector& a, const vector& b) {
    return make(all, [&](std::size_t i) { return a.part[i] / b.part[i]; });
  }
  static EMBIT_ALWAYS_INLINE vector fma(const vector& a, const vector& b, const vector& c) {
    return make(all, [&](std::size_t i) { return multiply_add(a.part[i], b.part[i], c.part[i]); });
  }
  static EMBIT_ALWAYS_INLINE vector maximum(const vector& a, const vector& b) {
    return make(all, [&](std::size_t i) { return larger(a.part[i], b.part[i]); });
  }
  static EMBIT_ALWAYS_INLINE vector square_root(const vector& a) {
    alignas(64) float x[16];
    store(x, a);
    for (float& value : x) value = std::sqrt(value);
    return load(x);
  }

  static EMBIT_ALWAYS_INLINE float sum(const vector& a) {
    alignas(64) float x[16];
    store(x, a);
    for (std::size_t half = 8; half > 0; half /= 2)
      for (std::size_t i = 0; i < half; ++i) x[i] += x[i + half];
    return x[0];
  }

  /// Bit t is set where a[t] > b[t].
  static EMBIT_ALWAYS_INLINE std::uint32_t above(const vector& a, const vector& b) {
    alignas(64) float x[16], y[16];
    store(x, a);
    store(y, b);
    std::uint32_t bits = 0;
    for (std::size_t t = 0; t < 16; ++t) bits |= std::uint32_t{x[t] > y[t]} << t;
    return bits;
  }

  /// codes[t] = Σ_b 2^b · bit t of masks[b · stride], for `count` ≤ 16 masks.
  static EMBIT_ALWAYS_INLINE void gather_bits(const std::uint16_t* masks, std::size_t stride, std::size_t count,
                                              std::uint16_t* codes) {
    for (std::size_t t = 0; t < 16; ++t) {
      std::uint32_t code = 0;
      for (std::size_t b = 0; b < count; ++b) code |= (std::uint32_t{masks[b * stride]} >> t & 1u) << b;
      codes[t] = static_cast<std::uint16_t>(code);
    }
  }

  /// out[j · out_stride + i] = in[i][j], 16 x 16.
  static EMBIT_ALWAYS_INLINE void transpose(const float* const* in, std::size_t at, float* out,
                                            std::size_t out_stride) {
    for (std::size_t i = 0; i < 16; ++i)
      for (std::size_t j = 0; j < 16; ++j) out[j * out_stride + i] = in[i][at + j];
  }
};

#define EMBIT_STAMP_TARGET
#include <embit/kernel/detail/tokens/chamfer_body.hpp>
#include <embit/kernel/detail/tokens/sums_body.hpp>
#undef EMBIT_STAMP_TARGET

inline constexpr token_ops tokens{add_tokens, finish_document};
inline constexpr chamfer_ops chamfer{max_products, max_signs};

}  // namespace embit::inline EMBIT_ABI::detail::tokens_portable
