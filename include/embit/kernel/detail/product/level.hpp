// What one SIMD level gives to the float product, and the portable level of it.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/kernel/detail/floats/batch.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// Planes side by side in a panel: one cache line of floats for each dimension.
inline constexpr std::size_t panel_width = 16;

/// Panels that a tile spans: as many planes as a word has bits.
inline constexpr std::size_t group_panels = 4;

/// The part of the float product that is written once a level.
///
/// Every output is summed over the dimensions in order, in one chain of fused multiply-adds (of a multiplication and
/// an addition where the machine has no fused one): it does not depend on the tile that it fell into, and it is the
/// same float at all fused levels.
struct product_ops {
  static constexpr std::string_view operation = "product";

  /// Rows that `tile` takes at full speed.
  std::size_t rows;

  /// out[i * out_stride + j] = x[i * stride ...] · plane j, for `count` ≤ rows rows and the planes of `panels` ≤
  /// group_panels panels, each of dim × panel_width floats.
  void (*tile)(const float* x, std::size_t stride, std::size_t count, const float* panel, std::size_t panels,
               std::size_t dim, float* out, std::size_t out_stride) noexcept;

  /// Bit j is set where values[j] > thresholds[j], for panel_width values.
  std::uint32_t (*signs)(const float* values, const float* thresholds) noexcept;
};

/// Two rows at once, or the same row twice. Indexed by constants only, so that the sums live in registers: the pack
/// unrolls what -O2 would not.
template <std::size_t... Part>
void product_rows_portable(std::index_sequence<Part...>, const float* x, const float* y, const float* panel,
                           std::size_t dim, float* out_x, float* out_y) noexcept {
  using batch = float_batch;
  batch of_x[] = {((void)Part, batch(0.f))...}, of_y[] = {((void)Part, batch(0.f))...};
  for (std::size_t k = 0; k < dim; ++k, panel += panel_width) {
    const batch value_x(x[k]), value_y(y[k]);
    const batch planes[] = {batch::load_unaligned(panel + Part * batch::size)...};
    ((of_x[Part] = multiply_add(value_x, planes[Part], of_x[Part])), ...);
    ((of_y[Part] = multiply_add(value_y, planes[Part], of_y[Part])), ...);
  }
  (of_x[Part].store_unaligned(out_x + Part * batch::size), ...);
  (of_y[Part].store_unaligned(out_y + Part * batch::size), ...);
}

inline void product_tile_portable(const float* x, std::size_t stride, std::size_t count, const float* panel,
                                  std::size_t panels, std::size_t dim, float* out, std::size_t out_stride) noexcept {
  constexpr std::size_t width = float_batch::size;
  static_assert(panel_width % width == 0);
  const float* y = x + (count - 1) * stride;
  float* out_y = out + (count - 1) * out_stride;
  for (; panels > 0; --panels, panel += dim * panel_width, out += panel_width, out_y += panel_width)
    product_rows_portable(std::make_index_sequence<panel_width / width>{}, x, y, panel, dim, out, out_y);
}

inline std::uint32_t product_signs_portable(const float* values, const float* thresholds) noexcept {
  std::uint32_t bits = 0;
  for (std::size_t j = 0; j < panel_width; ++j) bits |= std::uint32_t{values[j] > thresholds[j]} << j;
  return bits;
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
