// Scoring candidates again with rows that stay in a file: those of a whole batch in the order of the file, each once.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/half.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/reuse_pool.hpp>
#include <embit/core/types.hpp>
#include <embit/io/dtype.hpp>
#include <embit/io/row_file.hpp>
#include <embit/io/row_layout.hpp>
#include <embit/kernel/inner_product.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/kernel/widen.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct file_rerank_options {
  embit::metric metric = embit::metric::l2;
  std::size_t cache_bytes = row_file_options{}.cache_bytes;  ///< of `pread`
  file_reads reads = file_reads::mapped;
  row_source source = {};
};

/// A reranker whose rows are those of a file (`row_file`): row i of the index is row i of the file, and there are just
/// as many. Scores are distances, the smallest first: |q − x|², −q · x, or 1 − cos (1 for a zero row), of float32 rows
/// by the kernels that `float_rerank` uses and so the same to the bit, of other types those of the rows as floats.
///
/// Of a batch, up to a quarter of a million candidates at a time are sorted by row, their pages asked for, and each row
/// read, converted and checked once, whatever number of queries it is a candidate of. Searches of several threads share
/// the file: mapped, the system's pages; by `pread`, one cache of `cache_bytes`, in which each search pushes out what
/// others have read. Rows with NaN or infinity, as halves that overflowed have, are refused when they are scored.
///
/// A cheap handle to copy, and safe to use from many threads.
class file_rerank {
 public:
  using query_view = matrix_view<const float>;
  using score_type = float;
  using compare = std::less<>;

  /// In a retriever its rows are those of the index, not fewer and not more.
  static constexpr bool has_every_row = true;

  /// @throws error what `row_file` throws.
  explicit file_rerank(std::string path, file_rerank_options options = {})
      : file_rerank(row_file(std::move(path), {options.reads, options.cache_bytes, std::move(options.source)}),
                    options.metric) {}
  explicit file_rerank(row_file file, embit::metric metric = embit::metric::l2)
      : file_(std::move(file)), metric_(metric) {}

  const row_file& file() const& noexcept { return file_; }
  const row_file& file() const&& = delete;
  embit::metric metric() const noexcept { return metric_; }
  std::size_t size() const noexcept { return file_.rows(); }
  std::size_t dim() const noexcept { return file_.cols(); }
  row_file_statistics statistics() const noexcept { return file_.statistics(); }

  /// The same for an index whose rows were numbered anew: the rows given are in the order of this `generation()` of it.
  file_rerank at_generation(std::uint64_t generation) const {
    file_rerank other = *this;
    other.generation_ = generation;
    return other;
  }
  /// Of the index that the rows are in the order of; 0 where its rows have kept their numbers.
  std::uint64_t generation() const noexcept { return generation_; }

  /// @throws error as `rerank_batch`.
  score_type operator()(std::span<const float> query, row_id row) const {
    float score = 0;
    rerank(query, std::span(&row, 1), std::span(&score, 1));
    return score;
  }

  /// Scores of `rows` for one query, in order. @throws error as `rerank_batch`.
  void rerank(std::span<const float> query, std::span<const row_id> rows, std::span<score_type> scores) const {
    rerank_batch(query_view(query.data(), 1, query.size()), std::span(&rows, 1), std::span(&scores, 1));
  }

  /// scores[q][i] becomes the score of row lists[q][i] for queries[q].
  /// @throws error errc::shape for queries of another dimension or as many lists as there are not queries,
  /// errc::not_finite for NaN or infinity in a query or a row; what `row_file::for_each` throws.
  template <Executor Exec = inline_executor>
  void rerank_batch(query_view queries, std::span<const std::span<const row_id>> lists,
                    std::span<const std::span<score_type>> scores, const Exec& executor = {}) const {
    if (lists.size() != queries.rows() || scores.size() != queries.rows())
      raise(errc::shape, "rerank_batch: ", lists.size(), " lists and ", scores.size(), " of scores for ",
            queries.rows(), " queries");
    if (queries.rows() != 0 && queries.cols() != dim())
      raise(errc::shape, "queries: dimension ", queries.cols(), ", the rows of ", file_.path(), " have ", dim());
    detail::require_finite(queries, "query");
    for (std::size_t first = 0, last = 0; first < queries.rows(); first = last) {
      std::size_t candidates = 0;
      do candidates += lists[last++].size();
      while (last < queries.rows() && candidates + lists[last].size() <= most_at_once);
      const std::size_t count = last - first;
      rerank_part(queries.middle_rows(first, count), lists.subspan(first, count), scores.subspan(first, count),
                  executor);
    }
  }

 private:
  static constexpr std::size_t most_at_once = std::size_t{1} << 18;

  struct prepared_query {
    detail::prepared_row row;
    float inverse_norm;
  };

  /// Who wants a row: the candidates of all queries, one after the other.
  struct workspace {
    std::vector<std::uint64_t> wanted;   // row, and place among all candidates
    std::vector<std::uint32_t> query;    // of a candidate
    std::vector<std::size_t> begin;      // of the candidates of a query
    std::vector<row_id> rows;            // that are wanted, each once
    std::vector<std::size_t> wanted_by;  // the first in `wanted` that wants a row
    std::vector<prepared_query> prepared;
    matrix<float> converted;  // a row a worker

    void trim() noexcept {
      if (wanted.capacity() > 2 * most_at_once) *this = {};
    }
  };

  template <class Exec>
  void rerank_part(query_view queries, std::span<const std::span<const row_id>> lists,
                   std::span<const std::span<score_type>> scores, const Exec& executor) const {
    const auto work = workspaces_.take();
    sort_candidates(lists, *work);
    prepare(queries, *work);
    if (work->converted.rows() < executor.concurrency() || work->converted.cols() != dim())
      work->converted = matrix<float>(executor.concurrency(), dim());
    const auto score_row = [&](std::size_t i, const std::byte* numbers, std::size_t worker) {
      const auto row = floats_of(numbers, work->converted[worker]);
      const float inverse = metric_ == embit::metric::cosine ? detail::inverse_norm(row) : 0.f;
      for (std::size_t w = work->wanted_by[i]; w < work->wanted_by[i + 1]; ++w) {
        const auto place = static_cast<std::size_t>(work->wanted[w] & 0xffffffffu);
        const std::size_t q = work->query[place];
        EMBIT_ASSERT(scores[q].size() == lists[q].size());
        const auto& query = work->prepared[q].row;
        const float sum = query.score(query.row.data(), row.data(), row.size());
        // No sum over numbers that are not finite is finite.
        if (!detail::is_finite(sum)) require_finite_row(work->rows[i], row);
        scores[q][place - work->begin[q]] = score(sum, work->prepared[q].inverse_norm, inverse);
      }
    };
    file_.for_each(work->rows, score_row, executor);
  }

  static void sort_candidates(std::span<const std::span<const row_id>> lists, workspace& work) {
    work.wanted.clear();
    work.query.clear();
    work.begin.clear();
    for (std::size_t q = 0; q < lists.size(); ++q) {
      work.begin.push_back(work.wanted.size());
      for (const row_id row : lists[q]) work.wanted.push_back(std::uint64_t{row} << 32 | work.wanted.size());
      work.query.resize(work.wanted.size(), static_cast<std::uint32_t>(q));
    }
    std::ranges::sort(work.wanted);
    work.rows.clear();
    work.wanted_by.clear();
    for (std::size_t w = 0; w < work.wanted.size(); ++w) {
      const auto row = static_cast<row_id>(work.wanted[w] >> 32);
      if (!work.rows.empty() && work.rows.back() == row) continue;
      work.rows.push_back(row);
      work.wanted_by.push_back(w);
    }
    work.wanted_by.push_back(work.wanted.size());
  }

  void prepare(query_view queries, workspace& work) const {
    work.prepared.clear();
    for (std::size_t q = 0; q < queries.rows(); ++q)
      work.prepared.push_back(
          {metric_ == embit::metric::l2 ? l2{}.prepare(queries[q]) : inner_product{}.prepare(queries[q]),
           metric_ == embit::metric::cosine ? detail::inverse_norm(queries[q]) : 0.f});
  }

  /// @param sum  what the kernel says, the inverse norms those of query and row
  float score(float sum, float of_query, float of_row) const noexcept {
    switch (metric_) {
      case embit::metric::l2: return sum;
      case embit::metric::inner_product: return -sum;
      case embit::metric::cosine: break;
    }
    return 1 - sum * of_query * of_row;
  }

  /// Where they lie, or made floats.
  std::span<const float> floats_of(const std::byte* numbers, std::span<float> converted) const {
    const auto is_aligned = [&](std::size_t alignment) {
      return reinterpret_cast<std::uintptr_t>(numbers) % alignment == 0;
    };
    if (file_.type() == dtype::f32 && is_aligned(alignof(float)))
      return {reinterpret_cast<const float*>(numbers), dim()};
    if (file_.type() == dtype::f16 && is_aligned(alignof(half)))
      detail::widen(reinterpret_cast<const half*>(numbers), dim(), converted.data(), active_isa());
    else
      file_.convert(numbers, converted);
    return converted;
  }

  void require_finite_row(row_id row, std::span<const float> numbers) const {
    const std::size_t column = detail::first_not_finite(numbers.data(), numbers.size());
    if (column != numbers.size())
      raise(errc::not_finite, file_.path(), ": row ", row, ", column ", column, " at byte ",
            file_.layout().at(row) + column * size_of(file_.type()), " is ", numbers[column],
            file_.type() == dtype::f16 ? "; numbers beyond 65504 overflow float16" : "");
  }

  row_file file_;
  embit::metric metric_;
  std::uint64_t generation_ = 0;
  mutable reuse_pool<workspace> workspaces_;
};

static_assert(BatchReranker<file_rerank>);

}  // namespace embit::inline EMBIT_ABI
