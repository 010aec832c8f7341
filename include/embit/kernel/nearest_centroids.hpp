// Which centroids are nearest to a query: both in 8 bits a dimension, the nearest gathered by a histogram.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/centroids/level.hpp>
#include <embit/kernel/detail/dispatch.hpp>
#if EMBIT_KERNELS_HERE
#include <embit/kernel/detail/centroids/avx2.hpp>
#include <embit/kernel/detail/centroids/avx512.hpp>
#include <embit/kernel/detail/centroids/neon.hpp>
#endif

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

#if EMBIT_KERNELS_HERE
template <>
EMBIT_KERNELS_INLINE const dispatch_table<centroid_ops>& table_of() noexcept {
  static constexpr auto table = [] {
    dispatch_table<centroid_ops> serving(centroids_portable::ops);
#if EMBIT_X86
    serving.add(isa::avx2, centroids_avx2::ops);
    serving.add(isa::avx512,
                {centroids_avx2::score, centroids_avx512::gather, centroids_avx512::least, centroids_avx512::add});
    serving.add(isa::vpopcnt,
                {centroids_avx512::score, centroids_avx512::gather, centroids_avx512::least, centroids_avx512::add});
#endif
#if EMBIT_NEON
    serving.add(isa::neon, centroids_neon::ops);
#endif
    return serving;
  }();
  return table;
}
#else
template <>
const dispatch_table<centroid_ops>& table_of() noexcept;
#endif

/// The order of floats, none of which is NaN, as that of whole numbers; both zeros are the same.
inline std::uint32_t ordered_bits(float x) noexcept {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  constexpr std::uint32_t sign = 0x80000000u;
  if (bits == sign) return sign;
  return (bits & sign) != 0 ? ~bits : bits | sign;
}

}  // namespace detail

/// What is computed of a query and a centroid.
enum class centroid_score {
  distance,  ///< |query − centroid|², less what is the same for all centroids
  product    ///< −⟨query, centroid⟩, likewise
};

/// Centroids, to be asked for those nearest to a query. The mean of the centroids is subtracted from them (and from the
/// query), then both are rounded to 255 steps of their own: distances are off by about |query| · |centroid| / (256 ·
/// √dim) and in the same order at every level, to the bit. An immutable value of dim + 12 bytes a centroid.
class nearest_centroids {
 public:
  /// What one thread writes while it asks.
  class scratch {
    friend class nearest_centroids;
    aligned_vector<std::int8_t> query_;
    std::vector<float> moved_;
    aligned_vector<float> distances_;
    std::vector<std::uint32_t> places_;
    std::vector<std::uint64_t> keys_;
    std::vector<neighbor<float>> found_;
  };

  /// Of a whole row of dimensions the sum of products must fit 32 bits.
  static constexpr std::size_t most_dims = std::size_t{1} << 16;

  nearest_centroids() = default;

  /// @param centroids  any number × dim, copied
  /// @throws error errc::argument for more than `most_dims` dimensions, errc::not_finite for centroids that are not
  /// finite, or of which a square is not.
  explicit nearest_centroids(matrix_view<const float> centroids, centroid_score score = centroid_score::distance)
      : size_(centroids.rows()), dim_(centroids.cols()), score_(score) {
    if (dim_ > most_dims)
      raise(errc::argument, "centroids: ", centroids.cols(), " dimensions where ", most_dims, " are possible");
    detail::require_finite(centroids, "centroids");
    set_center(centroids);
    values_.assign(groups() * quads() * group_bytes, 0);
    sums_.assign(groups() * detail::centroid_group, 0);
    steps_.assign(sums_.size(), 0.f);
    terms_.assign(sums_.size(), detail::infinity<float>());
    std::vector<float> row(dim_);
    for (std::size_t i = 0; i < size_; ++i) {
      for (std::size_t j = 0; j < dim_; ++j) row[j] = centroids[i][j] - center_[j];
      set(i, row);
    }
  }

  std::size_t size() const noexcept { return size_; }
  std::size_t dim() const noexcept { return dim_; }
  /// Of memory.
  std::size_t bytes() const noexcept {
    return values_.size() + sums_.size() * (sizeof(std::int32_t) + 2 * sizeof(float)) + center_.size() * sizeof(float);
  }

  /// The `count` nearest centroids (all, where there are fewer), nearest first, ties by the smaller number; valid until
  /// `s` is used again. O(size · dim).
  /// @param query  dim finite numbers
  /// @throws error errc::unsupported for a level that this machine cannot run.
  std::span<const neighbor<float>> operator()(std::span<const float> query, std::size_t count, scratch& s,
                                              isa level = active_isa()) const {
    EMBIT_ASSERT(query.size() == dim());
    detail::require_isa(level, "nearest_centroids");
    count = (std::min)(count, size());
    s.found_.clear();
    if (count == 0) return s.found_;
    const auto& ops = detail::ops_at<detail::centroid_ops>(level);
    s.distances_.resize(terms_.size());
    s.places_.resize(terms_.size());
    ops.score(job_for(query, s), s.distances_.data());
    const std::size_t kept = ops.gather(s.distances_.data(), s.distances_.size(), count, s.places_.data());
    select(std::span<const std::uint32_t>(s.places_).first(kept), count, s);
    return s.found_;
  }

 private:
  static constexpr std::size_t group_bytes = detail::centroid_group * detail::centroid_quad;
  static constexpr float most = 127;

  std::size_t groups() const noexcept { return (size_ + detail::centroid_group - 1) / detail::centroid_group; }
  std::size_t quads() const noexcept { return (dim_ + detail::centroid_quad - 1) / detail::centroid_quad; }

  void set_center(matrix_view<const float> centroids) {
    std::vector<double> sum(dim_);
    for (std::size_t i = 0; i < size_; ++i)
      for (std::size_t j = 0; j < dim_; ++j) sum[j] += double{centroids[i][j]};
    center_.resize(dim_);
    for (std::size_t j = 0; j < dim_; ++j)
      center_[j] = static_cast<float>(sum[j] / static_cast<double>(std::max<std::size_t>(size_, 1)));
  }

  /// The largest magnitude of a row.
  static float reach(std::span<const float> row) noexcept {
    float top = 0;
    for (const float x : row) top = (std::max)(top, std::abs(x));
    return top;
  }

  /// What turns numbers up to `top` into at most 127 steps.
  static float inverse_step(float top) noexcept {
    const float inverse = top > 0 ? most / top : 0.f;
    return detail::is_finite(inverse) ? inverse : 0.f;
  }

  static std::int8_t rounded(float x) noexcept {
    return static_cast<std::int8_t>(std::lrint(std::clamp(x, -most, most)));
  }

  void set(std::size_t i, std::span<const float> row) {
    double square = 0;
    for (const float x : row) square += double{x} * double{x};
    if (!detail::is_finite(static_cast<float>(square)))
      raise(errc::not_finite, "centroids: one is too far from their mean: its squared distance is no float");
    const float top = reach(row), inverse = inverse_step(top);
    std::int8_t* at = values_.data() + i / detail::centroid_group * quads() * group_bytes +
                      i % detail::centroid_group * detail::centroid_quad;
    for (std::size_t j = 0; j < dim_; ++j) {
      const std::int8_t x = rounded(row[j] * inverse);
      at[j / detail::centroid_quad * group_bytes + j % detail::centroid_quad] = x;
      sums_[i] += x;
    }
    steps_[i] = inverse > 0 ? top / most : 0.f;
    terms_[i] = score_ == centroid_score::distance ? static_cast<float>(square) : 0.f;
  }

  detail::centroid_job job_for(std::span<const float> query, scratch& s) const {
    s.query_.resize(quads() * detail::centroid_quad);
    s.moved_.resize(dim_);
    float top = 0;
    for (std::size_t j = 0; j < dim_; ++j) {
      s.moved_[j] = score_ == centroid_score::distance ? query[j] - center_[j] : query[j];
      top = (std::max)(top, std::abs(s.moved_[j]));
    }
    top = (std::min)(top, (std::numeric_limits<float>::max)());
    const float inverse = inverse_step(top);
    for (std::size_t j = 0; j < dim_; ++j) s.query_[j] = rounded(s.moved_[j] * inverse);
    std::fill(s.query_.begin() + static_cast<std::ptrdiff_t>(dim_), s.query_.end(), std::int8_t{0});
    const float step = inverse > 0 ? top / most : 0.f;
    return {values_.data(), s.query_.data(), sums_.data(), steps_.data(),
            terms_.data(),  groups(),        quads(),      score_ == centroid_score::distance ? -2 * step : -step};
  }

  /// Sorts the `count` nearest of those at `places` into what is found.
  static void select(std::span<const std::uint32_t> places, std::size_t count, scratch& s) {
    s.keys_.resize(places.size());
    for (std::size_t i = 0; i < places.size(); ++i)
      s.keys_[i] = std::uint64_t{detail::ordered_bits(s.distances_[places[i]])} << 32 | places[i];
    const auto end = s.keys_.begin() + static_cast<std::ptrdiff_t>(count);
    if (count < s.keys_.size()) std::nth_element(s.keys_.begin(), end, s.keys_.end());
    std::sort(s.keys_.begin(), end);
    s.found_.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      const auto id = static_cast<row_id>(s.keys_[i] & 0xffffffffu);
      s.found_[i] = {id, s.distances_[id]};
    }
  }

  aligned_vector<std::int8_t> values_;
  aligned_vector<std::int32_t> sums_;
  aligned_vector<float> steps_, terms_;
  std::vector<float> center_;
  detail::moved_value<> size_, dim_;
  centroid_score score_ = centroid_score::distance;
};

}  // namespace embit::inline EMBIT_ABI
