// Signs of a linear projection: the float product with its result packed into bits and never stored.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/gemm.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <span>

namespace embit::inline EMBIT_ABI {

/// Planes and thresholds in the order that `project` reads them. An immutable value.
class projection_planes {
 public:
  projection_planes() = default;

  /// @param planes      bits × dim.
  /// @param thresholds  one a plane, or empty for zeros.
  /// @throws error errc::shape when there are neither no thresholds nor one a plane, errc::not_finite.
  explicit projection_planes(matrix_view<const float> planes, std::span<const float> thresholds = {})
      : planes_(planes) {
    if (!thresholds.empty() && thresholds.size() != planes.rows())
      raise(errc::shape, "thresholds: ", thresholds.size(), " for ", planes.rows(), " planes");
    detail::require_finite(planes, "planes");
    detail::require_finite(thresholds, "thresholds");
    // Nothing is above the thresholds of the planes that fill the last panel up, so bits beyond the width stay zero.
    thresholds_.assign(planes_.panels() * detail::panel_width, detail::infinity<float>());
    std::fill_n(thresholds_.begin(), planes.rows(), 0.f);
    std::copy(thresholds.begin(), thresholds.end(), thresholds_.begin());
    detail::fingerprint_hash hash;
    hash.add(planes.cols());
    for (std::size_t i = 0; i < planes.rows(); ++i) hash.add(std::span<const float>(planes[i]));
    fingerprint_ = hash.add(this->thresholds()).value();
  }

  std::size_t bits() const noexcept { return planes_.rows(); }
  std::size_t dim() const noexcept { return planes_.dim(); }
  /// Changes with everything that codes depend on.
  encoder_fingerprint fingerprint() const noexcept { return fingerprint_; }
  const row_panels& planes() const& noexcept { return planes_; }
  const row_panels& planes() const&& = delete;
  std::span<const float> thresholds() const& noexcept { return {thresholds_.data(), bits()}; }
  std::span<const float> thresholds() const&& = delete;

  /// The threshold of every plane of a panel, those that fill it up included.
  const float* panel_thresholds(std::size_t panel) const& noexcept {
    return thresholds_.data() + panel * detail::panel_width;
  }
  const float* panel_thresholds(std::size_t) const&& = delete;

 private:
  row_panels planes_;
  aligned_vector<float> thresholds_;
  encoder_fingerprint fingerprint_ = 0;
};

namespace detail {

/// Writes words_for(bits) words a row, and says whether every row's product with the first plane is finite: one
/// NaN or infinity in a row makes all its products so, and looking at one of them costs nothing.
template <Executor Exec>
bool project_at(const product_ops& ops, matrix_view<const float> rows, const projection_planes& planes, word* codes,
                const Exec& executor) {
  static_assert(group_panels * panel_width == word_bits);
  const std::size_t words = words_for(planes.bits());
  std::atomic<bool> finite{true};
  const auto range = [&](std::size_t first, std::size_t last, std::size_t) {
    alignas(buffer_alignment) float tile[8 * word_bits];
    for_each_tile(ops, first, last, planes.planes(),
                  [&](std::size_t row, std::size_t count, std::size_t panel, std::size_t panels) {
                    ops.tile(rows.data() + row * rows.stride(), rows.stride(), count, planes.planes().panel(panel),
                             panels, planes.dim(), tile, word_bits);
                    for (std::size_t i = 0; i < count; ++i) {
                      if (panel == 0 && !is_finite(tile[i * word_bits])) finite.store(false, std::memory_order_relaxed);
                      word bits = 0;
                      for (std::size_t p = 0; p < panels; ++p)
                        bits |=
                            word{ops.signs(tile + i * word_bits + p * panel_width, planes.panel_thresholds(panel + p))}
                            << p * panel_width;
                      codes[(row + i) * words + panel / group_panels] = bits;
                    }
                  });
  };
  run_ranges(executor, rows.rows(), ops.rows, executor.concurrency() * 4, range);
  return finite.load(std::memory_order_relaxed);
}

}  // namespace detail

/// Codes of `rows`: bit j of row i is set where rows[i] · planes[j] > thresholds[j]. O(rows · bits · dim).
/// A code does not depend on what else is encoded with it, nor on the number of threads.
/// @param rows   n × dim.
/// @param codes  n · words_for(bits) words, row by row; indeterminate after an error.
/// @throws error errc::shape for rows of another dimension or another number of words, errc::not_finite naming the
///         first row with NaN or infinity, errc::unsupported for a level that this machine cannot run.
template <Executor Exec = inline_executor>
void project(matrix_view<const float> rows, const projection_planes& planes, std::span<word> codes,
             const Exec& executor = {}, isa level = active_isa()) {
  detail::require_isa(level, "project");
  if (rows.cols() != planes.dim())
    raise(errc::shape, "rows: ", rows.cols(), " columns where the planes have ", planes.dim());
  const std::size_t words = words_for(planes.bits());
  if (codes.size() != rows.rows() * words)
    raise(errc::shape, "codes: ", codes.size(), " words for ", rows.rows(), " rows of ", words, " words");
  const auto& ops = detail::ops_at<detail::product_ops>(level);
  // Finite rows whose products overflow pass the second look.
  if (!detail::project_at(ops, rows, planes, codes.data(), executor)) detail::require_finite(rows, "rows");
}

}  // namespace embit::inline EMBIT_ABI
