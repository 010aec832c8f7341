// Hyperplane hashing: one bit a dimension of a linear projection.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/types.hpp>
#include <embit/io/matrix_section.hpp>
#include <embit/kernel/asymmetric.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/kernel/level_scan.hpp>
#include <embit/kernel/project.hpp>
#include <embit/store/code_store.hpp>

#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// planes · row − thresholds, n × bits.
template <Executor Exec>
matrix<float> project_floats(matrix_view<const float> rows, const projection_planes& planes, const char* name,
                             const Exec& executor) {
  if (rows.cols() != planes.dim())
    raise(errc::shape, name, ": ", rows.cols(), " columns where the planes have ", planes.dim());
  require_finite(rows, name);
  auto out = matrix<float>::uninitialized(rows.rows(), planes.bits());
  gemm(rows, planes.planes(), out, executor);
  for (std::size_t i = 0; i < out.rows(); ++i)
    for (std::size_t j = 0; j < planes.bits(); ++j) out[i][j] -= planes.thresholds()[j];
  return out;
}

}  // namespace detail

/// Takes float queries to the space of the codes of a sign_projection: planes · query − thresholds, of which the codes
/// of rows are the signs. A cheap handle that shares the planes.
class sign_query_map {
 public:
  explicit sign_query_map(std::shared_ptr<const projection_planes> planes)
      : planes_(std::move(planes)),
        format_(std::make_shared<const level_format>(level_format{
            .segments = {level_segment::uniform(planes_->bits(), 1)}, .fingerprint = planes_->fingerprint()})) {}

  std::size_t dim() const noexcept { return planes_->dim(); }
  const level_format& format() const& noexcept { return *format_; }
  const level_format& format() const&& = delete;

  /// @throws error errc::shape for another dimension, errc::not_finite naming the first bad query.
  mapped_queries operator()(matrix_view<const float> queries) const {
    return {detail::project_floats(queries, *planes_, "queries", inline_executor{}),
            std::vector<level_query_terms>(queries.rows(), level_query_terms{.scale = -1})};
  }

 private:
  detail::shared_state<const projection_planes> planes_;
  detail::shared_state<const level_format> format_;
};

/// Scores a float query against binary codes by minus the sum of what the query has on each plane, with the signs of
/// the code: the query is not binarized, which costs no storage and ranks better than the Hamming distance.
/// Gordo et al., "Asymmetric distances for binary embeddings", TPAMI 2014, section 3.
using asymmetric_sign = asymmetric<sign_query_map>;

/// Bits are the signs of a linear projection: bit j of a row is set where `planes[j] · row > thresholds[j]`.
///
/// The one type behind every sign hasher: random planes (`sign_lsh`) or learned ones (`fit_itq`) differ only in where
/// the planes come from. Immutable; copies share the planes; safe to use from many threads.
class sign_projection {
 public:
  /// @param planes      bits × dim, finite, at least 1 × 1.
  /// @param thresholds  one a bit, or empty for zeros; a learned hasher folds its mean in here.
  /// @throws error errc::argument when there is no plane or no dimension, errc::shape when `thresholds` are neither
  ///         empty nor one a bit, errc::not_finite.
  explicit sign_projection(matrix_view<const float> planes, std::span<const float> thresholds = {}) {
    if (planes.rows() == 0 || planes.cols() == 0)
      raise(errc::argument, "planes: ", planes.rows(), " x ", planes.cols(), " where at least 1 x 1 is needed");
    detail::require_finite(planes, "planes");
    detail::require_finite(matrix_view<const float>(thresholds.data(), thresholds.empty() ? 0 : 1, thresholds.size()),
                           "thresholds");
    shared_ = std::make_shared<const projection_planes>(planes, thresholds);
  }

  std::size_t dim() const noexcept { return shared_->dim(); }
  std::size_t bits() const noexcept { return shared_->bits(); }
  /// Changes with everything that codes depend on.
  encoder_fingerprint fingerprint() const noexcept { return shared_->fingerprint(); }

  /// Codes of `rows` (n × dim), in order: the same code for a row alone or in a batch. O(n · bits · dim).
  /// @throws error errc::shape for another dimension, errc::not_finite naming the first bad row.
  template <Executor Exec = inline_executor>
  code_store<> encode(matrix_view<const float> rows, const Exec& executor = {}) const {
    code_store<> codes(rows.rows(), bits(), fingerprint());
    project(rows, *shared_, std::span(codes.data(), codes.size() * codes.words()), executor);
    return codes;
  }
  /// The code of one row, a batch of one.
  template <detail::SingleRow Row>
  code_store<> encode(const Row& row) const {
    const std::span<const float> numbers(row);
    return encode(matrix_view<const float>(numbers.data(), 1, numbers.size()));
  }

  /// Writes the code of one row of dim floats into words_for(bits) words. O(bits · dim), no allocation.
  /// @throws error errc::shape for another dimension or number of words, errc::not_finite; `code` is then unchanged.
  void encode_into(std::span<const float> row, std::span<word> code) const {
    const matrix_view<const float> rows(row.data(), 1, row.size());
    detail::require_finite(rows, "row");
    project(rows, *shared_, code);
  }

  /// How far each row is from changing each bit: |planes[j] · row − thresholds[j]|, n × bits. The smaller the margin,
  /// the likelier a near row has the other bit. O(n · bits · dim).
  /// @throws error errc::shape for another dimension, errc::not_finite naming the first bad row.
  template <Executor Exec = inline_executor>
  matrix<float> margins(matrix_view<const float> rows, const Exec& executor = {}) const {
    matrix<float> out = detail::project_floats(rows, *shared_, "rows", executor);
    for (std::size_t i = 0; i < out.rows(); ++i)
      for (float& x : out[i]) x = std::abs(x);
    return out;
  }

  /// The kernel for float queries against these codes, which it finds in any store of binary codes; `flat_index` keeps
  /// them as levels of 1 bit for it.
  /// @param query_bits  to which a projected query is rounded: up to 8 cost one lookup a nibble, 9 to 14 two
  /// @throws error errc::argument for query bits outside 4 to 14.
  asymmetric_sign asymmetric(std::size_t query_bits = 8) const {
    return asymmetric_sign(sign_query_map(shared_), query_bits);
  }

  /// A copy of the planes, bits × dim.
  matrix<float> planes() const { return shared_->planes().unpacked(); }

  /// The threshold of every bit.
  std::span<const float> thresholds() const& noexcept { return shared_->thresholds(); }
  std::span<const float> thresholds() const&& = delete;

  static constexpr file_kind file{"sign_projection", 1};

  /// The sections of the file that `save` writes: "planes", bits × dim, and "thresholds", one a bit.
  void write_to(const section_writer& out) const {
    detail::add_matrix(out, "planes", planes());
    detail::add_matrix(out, "thresholds", thresholds());
  }
  /// @throws error errc::format, errc::checksum or errc::io.
  static sign_projection read_from(const section_reader& in) {
    const matrix<float> planes = detail::take_matrix(in, "planes"), thresholds = detail::take_matrix(in, "thresholds");
    if (planes.rows() == 0 || planes.cols() == 0 || thresholds.rows() * thresholds.cols() != planes.rows())
      raise(errc::format, in.path(), ": section 'thresholds': ", thresholds.cols(), " thresholds for ", planes.rows(),
            " x ", planes.cols(), " planes");
    return sign_projection(planes, thresholds.values());
  }

 private:
  detail::shared_state<const projection_planes> shared_;
};

static_assert(BinaryEncoder<sign_projection>);

}  // namespace embit::inline EMBIT_ABI
