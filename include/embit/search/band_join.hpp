// Pairs of similar sets among signatures: those that agree in a band are compared.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/codes/plan_bands.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/erased.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/types.hpp>
#include <embit/search/detail/join/band_runs.hpp>
#include <embit/search/detail/join/equal_codes.hpp>
#include <embit/search/detail/join/pair_expansion.hpp>
#include <embit/search/detail/join/rows.hpp>
#include <embit/search/pair_report.hpp>
#include <embit/store/block_layout.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// What scores two rows by their numbers.
template <class S>
concept RowSimilarity = requires(S& similarity, row_id row) {
  { similarity(row, row) } -> std::convertible_to<double>;
};

/// What scores two rows by their codes: rows of equal codes are one to it.
template <class S>
concept CodeSimilarity = !RowSimilarity<S> && requires(S & similarity, code_span<> code) {
  { similarity(code, code) } -> std::convertible_to<double>;
};

/// What scores two rows.
template <class S>
concept PairSimilarity = RowSimilarity<S> || CodeSimilarity<S>;

/// Which rows are compared, and which of them are similar.
struct band_join_options {
  std::size_t bits_per_hash = 1;  ///< of a code, as `min_hash_options` has it
  band_plan bands = {};           ///< of `plan_bands`
  double similarity = .8;         ///< the least
};

namespace detail {

/// The caller's similarity of two rows, its type forgotten.
class row_similarity {
 public:
  template <class Similarity>
  explicit row_similarity(Similarity& similarity) noexcept
      : context_(erased(similarity)), call_([](void* context, row_id a, row_id b) {
          return static_cast<double>(restored<Similarity>(context)(a, b));
        }) {}

  double operator()(row_id a, row_id b) const { return call_(context_, a, b); }

 private:
  void* context_;
  double (*call_)(void*, row_id, row_id);
};

inline band_view checked_bands(code_view<> first, code_view<> second, const band_join_options& options) {
  require_row_count(first.size() + second.size());
  require_clean_tails(first, second.empty() ? "codes" : "a");
  require_clean_tails(second, "b");
  if (!first.empty() && !second.empty() && first.bits() != second.bits())
    raise(errc::shape, "b: codes of ", second.bits(), " bits, a has codes of ", first.bits());
  const std::size_t bits = first.empty() ? second.bits() : first.bits();
  const std::size_t b = options.bits_per_hash, hashes = options.bands.hashes;
  const std::size_t most = b == 0 ? 0 : bits / b;  // hashes
  if (!(first.empty() && second.empty()) &&
      (b == 0 || hashes == 0 || options.bands.bands == 0 || options.bands.bands > most / hashes))
    raise(errc::argument, "bands: ", options.bands.bands, " of ", hashes, " hashes of ", b, " bits, a code has ", bits);
  if (options.similarity != options.similarity) raise(errc::not_finite, "similarity is NaN");
  return {distinct_rows(first, {}), distinct_rows(second, {}), b * hashes, options.bands.bands};
}

/// A similarity of codes as one of rows.
template <class Similarity>
struct similarity_by_codes {
  Similarity& similarity;
  code_view<> a, b;

  double operator()(row_id x, row_id y) const { return static_cast<double>(similarity(a[x], b[y])); }
};

/// Reports every pair that agrees in a band and is similar enough, in the first band where it agrees: pairs of one set,
/// or between two.
class band_pairs {
 public:
  band_pairs(const band_view& view, bool between, double least, const row_similarity& similarity,
             const executor_ref& executor, pair_report<double>& report)
      : view_(view),
        between_(between),
        least_(least),
        similarity_(similarity),
        executor_(executor),
        report_(report),
        buffers_(executor.concurrency(), pair_buffer<double>(report)) {}

  void find() {
    constexpr std::size_t rows_at_a_time = 64;
    for_each_band_run(
        view_, executor_,
        [&](std::span<const band_entry> run, std::size_t band, std::size_t worker) {
          find_in(run, 0, run.size(), band, worker);
        },
        [&](std::span<const band_entry> run, std::size_t band) {
          run_bulk(executor_, (run.size() + rows_at_a_time - 1) / rows_at_a_time,
                   [&](std::size_t i, std::size_t worker) {
                     find_in(run, i * rows_at_a_time, (std::min)(run.size(), (i + 1) * rows_at_a_time), band, worker);
                   });
        });
    for (auto& buffer : buffers_)
      if (!buffer.flush()) return;
  }

 private:
  /// Pairs of rows [first, last) of a run with those after them.
  void find_in(std::span<const band_entry> run, std::size_t first, std::size_t last, std::size_t band,
               std::size_t worker) {
    const auto firsts = static_cast<row_id>(between_ ? view_.first.size : 0);
    const join_rows& seconds = between_ ? view_.second : view_.first;
    std::size_t others = 0;  // where the rows of the second set begin
    if (between_) {
      others = static_cast<std::size_t>(std::ranges::lower_bound(run, firsts, {}, &band_entry::row) - run.begin());
      last = (std::min)(last, others);
    }
    for (std::size_t i = first; i < last && !report_.stopped(); ++i)
      for (std::size_t j = between_ ? others : i + 1; j < run.size(); ++j) {
        if (!view_.agree(run[i].row, run[j].row, band) || view_.agree_before(run[i].row, run[j].row, band)) continue;
        const row_id a = view_.first.id(run[i].row), b = seconds.id(run[j].row - firsts);
        const double score = similarity_(a, b);
        if (score >= least_ && !buffers_[worker].add(a, b, score)) return;
      }
  }

  const band_view& view_;
  bool between_;
  double least_;
  const row_similarity& similarity_;
  const executor_ref& executor_;
  pair_report<double>& report_;
  std::vector<pair_buffer<double>> buffers_;
};

/// One of each code of one set is compared; pairs are of all rows that have the codes.
inline void find_by_codes(code_view<> codes, const band_view& bands, double least, const row_similarity& similarity,
                          const executor_ref& executor, pair_report<double>& report) {
  const equal_codes equal(codes, {}, executor);
  pair_expansion<double> pairs(equal, equal, nullptr, true, report);
  for (const row_id head : equal.heads()) {
    const row_id next = equal.next(head);
    if (next == equal_codes::none) continue;
    const double score = similarity(head, next);
    if (score >= least && !pairs.equal_rows(head, 0, score)) return;
  }
  pair_report<double> heads(pairs);
  band_pairs({distinct_rows(codes, equal), {}, bands.width, bands.bands}, false, least, similarity, executor, heads)
      .find();
  pairs.flush();
}

/// The same between two sets.
inline void find_by_codes(code_view<> a, code_view<> b, const band_view& bands, double least,
                          const row_similarity& similarity, const executor_ref& executor, pair_report<double>& report) {
  const equal_codes in_a(a, {}, executor), in_b(b, {}, executor);
  pair_expansion<double> pairs(in_a, in_b, nullptr, false, report);
  pair_report<double> heads(pairs);
  band_pairs({distinct_rows(a, in_a), distinct_rows(b, in_b), bands.width, bands.bands}, true, least, similarity,
             executor, heads)
      .find();
  pairs.flush();
}

}  // namespace detail

/// Finds pairs of similar sets by their signatures: every pair of rows a < b whose codes agree in one of the bands, and
/// whose `similarity` is no less than `options.similarity`. `found(a, b, similarity)` is called once a pair, one
/// call at a time and in no particular order; where it returns bool, false ends the search. It may throw, which ends
/// the search, too. No pair that is found is wrong where `similarity` is exact; how many are missed is what the bands
/// are planned for.
///
///     const band_plan bands = plan_bands({.hashes = 128, .bits_per_hash = 8, .similarity = .8});
///     similar_pairs(codes, {.bits_per_hash = 8, .bands = bands, .similarity = .8},
///                   [&](code_span<> a, code_span<> b) { return hash.jaccard(a, b); }, found);
///
/// Memory is 8 bytes a row, one band being sorted at a time, and as much again by codes. Time is bands · rows, and all
/// pairs that agree in a band: many where something that is in a large part of the sets decides a band, or where a band
/// has few bits. Workers share those of one band, too. By codes, one of each code is compared, whatever its number of
/// rows: what these cost beyond is their pairs.
/// Broder, "Identifying and filtering near-duplicate documents", CPM 2000.
///
/// @param similarity  of two codes, an estimate, or of two rows, a < b, by the sets; called by several workers at once
/// @param executor    shares the rows of a band among its workers
/// @throws error errc::argument for no bands or more hashes than a code has, codes with bits set beyond their width or
/// 2³² - 1 and more rows; errc::not_finite for a similarity of NaN; what `similarity` and `found` throw.
template <PairSimilarity Similarity, class Found, Executor Exec = inline_executor>
  requires std::invocable<Found&, row_id, row_id, double>
void similar_pairs(code_view<> codes, const band_join_options& options, Similarity&& similarity, Found&& found,
                   const Exec& executor = {}) {
  const detail::band_view view = detail::checked_bands(codes, {}, options);
  if (codes.size() < 2) return;
  detail::pair_report<double> report(found);
  const executor_ref workers(executor);
  if constexpr (RowSimilarity<Similarity>) {
    detail::band_pairs(view, false, options.similarity, detail::row_similarity(similarity), workers, report).find();
  } else {
    detail::similarity_by_codes<Similarity> of_rows{similarity, codes, codes};
    detail::find_by_codes(codes, view, options.similarity, detail::row_similarity(of_rows), workers, report);
  }
}

/// The same for every pair of a row of `a` and a row of `b`: new texts against old ones, records of two lists. Calls
/// `similarity` with what is of a first, and `found(row of a, row of b, similarity)`; pairs within a set are not
/// compared.
/// @throws error errc::shape for sets of different widths; else as above.
template <PairSimilarity Similarity, class Found, Executor Exec = inline_executor>
  requires std::invocable<Found&, row_id, row_id, double>
void similar_pairs(code_view<> a, code_view<> b, const band_join_options& options, Similarity&& similarity,
                   Found&& found, const Exec& executor = {}) {
  const detail::band_view view = detail::checked_bands(a, b, options);
  if (a.empty() || b.empty()) return;
  detail::pair_report<double> report(found);
  const executor_ref workers(executor);
  if constexpr (RowSimilarity<Similarity>) {
    detail::band_pairs(view, true, options.similarity, detail::row_similarity(similarity), workers, report).find();
  } else {
    detail::similarity_by_codes<Similarity> of_rows{similarity, a, b};
    detail::find_by_codes(a, b, view, options.similarity, detail::row_similarity(of_rows), workers, report);
  }
}

}  // namespace embit::inline EMBIT_ABI
