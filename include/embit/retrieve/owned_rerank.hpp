// A reranker that owns its rows, which come and go with those of the index.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/types.hpp>
#include <embit/fwd.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/io/matrix_section.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/retrieve/float_rerank.hpp>

#include <concepts>
#include <cstddef>
#include <span>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// As `float_rerank`, with rows of its own: in a `retriever` they are added, removed, numbered anew and saved with
/// those of the index.
template <class K>
class owned_float_rerank {
  static_assert(Kernel<K, std::span<const float>>, "owned_float_rerank: this kernel does not score rows of floats");

 public:
  using query_view = matrix_view<const float>;
  using score_type = typename K::distance_type;
  using compare = typename K::compare;

  owned_float_rerank() requires std::default_initializable<K>
  = default;
  /// @throws error errc::not_finite naming row and column. O(rows · dim).
  explicit owned_float_rerank(matrix<float> rows, K kernel = {}) : rows_(std::move(rows)), kernel_(std::move(kernel)) {
    detail::require_finite(rows_.view(), "rows");
  }

  std::size_t size() const noexcept { return rows_.rows(); }
  std::size_t dim() const noexcept { return rows_.cols(); }
  const matrix<float>& rows() const& noexcept { return rows_; }
  const matrix<float>& rows() const&& = delete;

  /// @throws error errc::not_finite for NaN or infinity in the query.
  score_type operator()(std::span<const float> query, row_id row) const { return view()(query, row); }
  /// Scores of `rows` for one query, in order. @throws error as above.
  void rerank(std::span<const float> query, std::span<const row_id> rows, std::span<score_type> scores) const {
    view().rerank(query, rows, scores);
  }

  /// Adds rows at the end. Amortized O(numbers).
  /// @throws error errc::shape for another dimension, errc::not_finite; nothing has changed then.
  void append(matrix_view<const float> rows) {
    detail::require_finite(rows, "rows");
    rows_.append(rows);
  }
  /// Forgets all but the first rows.
  void shorten(std::size_t rows) noexcept { rows_.shorten(rows); }
  /// The given rows alone, in the given order.
  owned_float_rerank chosen(std::span<const row_id> rows) const {
    return owned_float_rerank(matrix<float>(rows_.view(), rows), kernel_);
  }

  static constexpr file_kind file{"float_rerank", 1};

  /// The section of the file that `save` writes: the matrix "rows". The kernel is not among them.
  void write_to(const section_writer& out) const {
    out.add_stream("rows", [this](section_sink& sink) { detail::write_matrix(sink, rows_); });
  }
  /// @param kernel  given again where it is not a default one
  /// @throws error errc::format, errc::not_finite, errc::checksum or errc::io.
  static owned_float_rerank read_from(const section_reader& in, K kernel) {
    return owned_float_rerank(detail::take_matrix(in, "rows"), std::move(kernel));
  }
  static owned_float_rerank read_from(const section_reader& in) requires std::default_initializable<K> {
    return read_from(in, K{});
  }

 private:
  float_rerank<K> view() const { return float_rerank<K>(rows_.view(), kernel_, unchecked); }

  matrix<float> rows_;
  [[no_unique_address]] K kernel_{};
};

owned_float_rerank(matrix<float>)->owned_float_rerank<>;
template <class K>
owned_float_rerank(matrix<float>, K) -> owned_float_rerank<K>;

static_assert(Reranker<owned_float_rerank<>>);

}  // namespace embit::inline EMBIT_ABI
