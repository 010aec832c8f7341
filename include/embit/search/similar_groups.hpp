// Similar things as groups: signatures of sets by bands, float rows by codes, fingerprints by Jaccard similarity.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/set_similarity.hpp>
#include <embit/search/band_join.hpp>
#include <embit/search/detail/join/band_runs.hpp>
#include <embit/search/detail/join/equal_codes.hpp>
#include <embit/search/duplicate_groups.hpp>
#include <embit/search/exhaustive.hpp>
#include <embit/search/join.hpp>
#include <embit/search/pair_report.hpp>
#include <embit/search/row_bitset.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/search/set_scan.hpp>
#include <embit/store/block_layout.hpp>
#include <embit/store/code_store.hpp>
#include <embit/store/popcount_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// Connects rows of a run that are similar; rows that are connected already are not compared.
class run_connection {
 public:
  run_connection(const band_view& view, double least, const row_similarity& similarity, const executor_ref& executor,
                 connected_rows& connected)
      : view_(view), least_(least), similarity_(similarity), executor_(executor), connected_(connected) {}

  void connect_all() {
    if (view_.rows() < 2) return;
    for_each_band_run(
        view_, executor_,
        [&](std::span<const band_entry> run, std::size_t band, std::size_t) { connect_alone(run, band); },
        [&](std::span<const band_entry> run, std::size_t band) { connect_together(run, band); });
  }

 private:
  using part = std::vector<row_id>;  // of a run, connected rows

  void connect_alone(std::span<const band_entry> run, std::size_t band) {
    std::vector<part> parts;
    for (const band_entry& entry : run) {
      const row_id row = entry.row;
      std::size_t own = parts.size();
      for (std::size_t p = 0; p < parts.size() && own == parts.size(); ++p)
        if (together(row, parts[p].front())) own = p;
      if (own == parts.size()) parts.emplace_back();
      for (std::size_t p = 0; p < parts.size(); ++p) {
        if (p == own || !similar_to_any(row, parts[p], band)) continue;
        connect(row, parts[p].front());
        parts[own].insert(parts[own].end(), parts[p].begin(), parts[p].end());
        parts[p].clear();
      }
      parts[own].push_back(row);
      drop_empty(parts);
    }
  }

  /// Some rows at a time: the workers compare them with those before, then one worker compares them among themselves.
  void connect_together(std::span<const band_entry> run, std::size_t band) {
    constexpr std::size_t at_a_time = 64;
    std::unordered_map<row_id, part> parts;  // by their roots
    for (std::size_t first = 0; first < run.size(); first += at_a_time) {
      const auto rows = run.subspan(first, (std::min)(at_a_time, run.size() - first));
      std::vector<row_id> own;
      for (const band_entry& entry : rows) own.push_back(root(entry.row));
      std::vector<part> met(rows.size());  // a row of each part that a row is similar to
      run_bulk(executor_, rows.size(), [&](std::size_t i, std::size_t) {
        for (const auto& [part_root, before] : parts)
          if (part_root != own[i] && similar_to_any(rows[i].row, before, band)) met[i].push_back(before.front());
      });
      for (std::size_t i = 0; i < rows.size(); ++i)
        for (const row_id other : met[i]) connect(rows[i].row, other);
      connect_alone(rows, band);
      std::unordered_map<row_id, part> united;
      for (auto& [part_root, before] : parts) {
        part& to = united[root(before.front())];
        if (to.empty())
          to = std::move(before);
        else
          to.insert(to.end(), before.begin(), before.end());
      }
      for (const band_entry& entry : rows) united[root(entry.row)].push_back(entry.row);
      parts = std::move(united);
    }
  }

  // In an earlier band the two were compared, or connected already.
  bool similar_to_any(row_id row, const part& rows, std::size_t band) const {
    for (const row_id other : rows)
      if (view_.agree(row, other, band) && !view_.agree_before(row, other, band) &&
          similarity_(view_.first.id(other), view_.first.id(row)) >= least_)
        return true;
    return false;
  }
  static void drop_empty(std::vector<part>& parts) {
    std::erase_if(parts, [](const part& rows) { return rows.empty(); });
  }
  row_id root(row_id row) {
    const std::lock_guard lock(one_at_a_time_);
    return connected_.root(view_.first.id(row));
  }
  bool together(row_id a, row_id b) {
    const std::lock_guard lock(one_at_a_time_);
    return connected_.root(view_.first.id(a)) == connected_.root(view_.first.id(b));
  }
  void connect(row_id a, row_id b) {
    const std::lock_guard lock(one_at_a_time_);
    connected_.connect(view_.first.id(a), view_.first.id(b));
  }

  const band_view& view_;
  double least_;
  const row_similarity& similarity_;
  const executor_ref& executor_;
  connected_rows& connected_;
  std::mutex one_at_a_time_;
};

/// Connects rows of one code where that is similar to itself, or connected to another.
inline void connect_equal(const equal_codes& equal, std::size_t rows, double least, const row_similarity& similarity,
                          connected_rows& connected) {
  row_bitset met(rows);
  for (const row_id head : equal.heads())
    if (const row_id root = connected.root(head); root != head) {
      met.set(head);
      met.set(root);
    }
  for (const row_id head : equal.heads()) {
    row_id row = equal.next(head);
    if (row == equal_codes::none || !(met.test(head) || similarity(head, row) >= least)) continue;
    for (; row != equal_codes::none; row = equal.next(row)) connected.connect(head, row);
  }
}

}  // namespace detail

/// Groups sets that are connected by the pairs that `similar_pairs` finds. Rows that are in one group already are not
/// compared: a million equal signatures cost a million comparisons if those say that they are similar, and one by
/// codes. The groups do not depend on the executor.
/// @param similarity  of two codes, or of two rows, the smaller first; called by several workers at once
/// @throws error as `similar_pairs` does.
template <PairSimilarity Similarity, Executor Exec = inline_executor>
duplicate_groups group_duplicates(code_view<> codes, const band_join_options& options, Similarity&& similarity,
                                  const Exec& executor = {}) {
  detail::band_view view = detail::checked_bands(codes, {}, options);
  const executor_ref workers(executor);
  detail::connected_rows connected(codes.size());
  if constexpr (RowSimilarity<Similarity>) {
    const detail::row_similarity compare(similarity);
    detail::run_connection(view, options.similarity, compare, workers, connected).connect_all();
  } else {
    detail::similarity_by_codes<Similarity> of_rows{similarity, codes, codes};
    const detail::row_similarity compare(of_rows);
    const detail::equal_codes equal(codes, {}, workers);
    view.first = detail::distinct_rows(codes, equal);
    detail::run_connection(view, options.similarity, compare, workers, connected).connect_all();
    detail::connect_equal(equal, codes.size(), options.similarity, compare, connected);
  }
  return duplicate_groups(std::move(connected).roots());
}

/// Groups rows of anything, float rows for one, that are connected by pairs whose codes differ in `radius` bits or
/// fewer and whose `similarity(a, b)` is `least` and more. No pair that connects is wrong; a
/// pair whose codes lie farther apart is missed, as seldom as `plan_radius` was asked for where planes are random. Rows
/// of one group already are not compared. Time as of `pairs_within` that streams every pair, those of equal codes, too.
///
///     const auto radius = plan_radius({.bits = codes.bits(), .cosine = .95, .recall = .99});
///     group_duplicates(codes, radius, [&](row_id a, row_id b) { return cosine_of(x[a], x[b]); }, .95, executor);
///
/// @param similarity  of two rows, the smaller first; called by one worker at a time
/// @throws error as `pairs_within` does; errc::not_finite where `least` is NaN; what `similarity` throws.
template <RowSimilarity Similarity, Executor Exec = inline_executor>
duplicate_groups group_duplicates(code_view<> codes, std::uint32_t radius, Similarity&& similarity, double least,
                                  const Exec& executor = {}) {
  detail::require_row_count(codes.size());
  if (least != least) raise(errc::not_finite, "least is NaN");
  detail::connected_rows connected(codes.size());
  pairs_within(
      codes, radius,
      [&](row_id a, row_id b, std::uint32_t) {
        if (connected.root(a) != connected.root(b) && similarity(a, b) >= least) connected.connect(a, b);
      },
      executor);
  return duplicate_groups(std::move(connected).roots());
}

/// Groups sets, held as bits, that are connected by pairs of a Jaccard similarity of `least` and more: exactly. Sets
/// whose sizes rule that out are not compared, equal ones are one. O(distinct sets²) at worst.
/// @throws error errc::argument for codes with bits set beyond their width or 2³² - 1 and more rows; errc::not_finite
/// for a similarity of NaN.
template <Executor Exec = inline_executor>
duplicate_groups group_duplicates(code_view<> codes, jaccard kernel, float least, const Exec& executor = {}) {
  detail::require_row_count(codes.size());
  require_clean_tails(codes, "codes");
  if (least != least) raise(errc::not_finite, "least is NaN");
  detail::connected_rows connected(codes.size());
  if (codes.empty() || least > 1) return duplicate_groups(std::move(connected).roots());
  const detail::equal_codes equal(codes, {}, executor);
  for (const row_id head : equal.heads())
    for (row_id row = equal.next(head); row != detail::equal_codes::none; row = equal.next(row))
      connected.connect(head, row);
  const bool all = !equal.any();
  const auto& heads = equal.heads();
  code_store<> distinct(heads.size(), codes.bits());
  for (std::size_t i = 0; i < heads.size(); ++i)
    std::copy_n(codes[heads[i]].data(), codes.words(), distinct.row(i).data());
  const popcount_store<> store(all ? codes : code_view<>(distinct));
  auto connect = [&](row_id a, row_id b, float) { connected.connect(all ? a : heads[a], all ? b : heads[b]); };
  detail::pair_report<float> report(connect);
  detail::exhaustive_pairs(kernel, store, executor_ref(executor), least, row_choice(), report);
  return duplicate_groups(std::move(connected).roots());
}

}  // namespace embit::inline EMBIT_ABI
