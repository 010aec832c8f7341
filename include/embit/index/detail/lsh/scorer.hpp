// How the candidates of an lsh_table are scored: by a kernel over the rows, or by a reranker that knows them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/multi/distinct_top_k.hpp>
#include <embit/kernel/bucket_scan.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/search/row_choice.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// The names that a kernel and a reranker give to the same things.
template <class Scorer>
struct scorer_types {
  using distance_type = typename Scorer::distance_type;
};
template <Reranker Scorer>
struct scorer_types<Scorer> {
  using distance_type = typename Scorer::score_type;
};

/// Scores rows that are strewn over a store. One a worker; it keeps the memory it works with.
template <class Store, class Scorer>
class candidate_scorer {
 public:
  using distance_type = typename scorer_types<Scorer>::distance_type;
  using neighbor_type = neighbor<distance_type>;
  using query_view = typename Scorer::query_view;

  /// Each of these scores the accepted rows among `rows`, which are distinct, and returns how many they were.
  /// `scored` gets the `k` nearest at least, in any order.
  std::size_t nearest(const Store& store, const Scorer& scorer, const query_view& queries, std::size_t query,
                      std::span<const row_id> rows, const row_choice& accepts, std::size_t k,
                      std::vector<neighbor_type>& scored) {
    scored.clear();
    if constexpr (gathers)
      if (store.words() <= bucket_scan::max_words) {
        nearest_.reset(k);
        return gather(store, queries[query].data(), rows, accepts, nearest_, scored);
      }
    return each(store, scorer, queries, query, rows, accepts, [&](neighbor_type n) { scored.push_back(n); });
  }

  /// `scored` gets those within `radius`, in any order.
  std::size_t within(const Store& store, const Scorer& scorer, const query_view& queries, std::size_t query,
                     std::span<const row_id> rows, const row_choice& accepts, distance_type radius,
                     std::vector<neighbor_type>& scored) {
    scored.clear();
    if constexpr (gathers)
      if (store.words() <= bucket_scan::max_words) {
        within_.reset(radius);
        return gather(store, queries[query].data(), rows, accepts, within_, scored);
      }
    return each(store, scorer, queries, query, rows, accepts, [&](neighbor_type n) {
      if (is_within<typename Scorer::compare>(n.distance, radius)) scored.push_back(n);
    });
  }

  /// Bytes allocated.
  std::size_t memory() const noexcept {
    return tile_.capacity() * sizeof(word) + nearest_.memory() + within_.memory();
  }

 private:
  static constexpr bool gathers = std::same_as<Scorer, hamming> && requires(const Store& store) {
    { store.data() } -> std::same_as<const word*>;
  };
  static constexpr std::size_t tile_rows = 128, ahead = 16;

  template <class Found>
  std::size_t each(const Store& store, const Scorer& scorer, const query_view& queries, std::size_t query,
                   std::span<const row_id> rows, const row_choice& accepts, Found&& found) {
    if constexpr (requires { scorer.rerank(queries[query], rows, std::span<distance_type>()); }) {
      accepted_.clear();
      for (const row_id row : rows)
        if (accepts(row)) accepted_.push_back(row);
      scores_.resize(accepted_.size());
      scorer.rerank(queries[query], std::span<const row_id>(accepted_), std::span<distance_type>(scores_));
      for (std::size_t i = 0; i < accepted_.size(); ++i) found({accepted_[i], scores_[i]});
      return accepted_.size();
    }
    std::size_t accepted = 0;
    const auto score_all = [&](auto&& score) {
      for (const row_id row : rows) {
        if (!accepts(row)) continue;
        found({row, score(row)});
        ++accepted;
      }
    };
    if constexpr (Reranker<Scorer>) {
      score_all([&](row_id row) { return scorer(queries[query], row); });
    } else {
      const auto prepared = scorer.prepare(queries[query]);
      score_all([&](row_id row) { return scorer(prepared, store[row]); });
    }
    return accepted;
  }

  // Codes are copied together, the next ones on their way from memory, so that a dispatched kernel compares them.
  template <class Collector>
  std::size_t gather(const Store& store, const word* query, std::span<const row_id> rows, const row_choice& accepts,
                     Collector& collector, std::vector<neighbor_type>& scored) {
    struct tile_sink {
      Collector& collector;
      const row_id* ids;
      std::uint32_t threshold() const noexcept { return collector.threshold(); }
      void offer(std::uint32_t position, std::uint32_t distance) { collector.offer(ids[position], distance); }
    };
    const word* const codes = store.data();
    const std::size_t words = store.words();
    tile_.resize(tile_rows * words);
    const bucket_scan scan(words);
    tile_sink sink{collector, ids_.data()};
    std::size_t filled = 0, accepted = 0;
    const auto flush = [&] {
      const code_range all[] = {{0, static_cast<std::uint32_t>(filled)}};
      scan(tile_.data(), all, query, hits_, sink);
      accepted += filled;
      filled = 0;
    };
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (i + ahead < rows.size()) __builtin_prefetch(codes + rows[i + ahead] * words);
      if (!accepts(rows[i])) continue;
      std::copy_n(codes + rows[i] * words, words, tile_.data() + filled * words);
      ids_[filled] = rows[i];
      if (++filled == tile_rows) flush();
    }
    if (filled != 0) flush();
    collector.flush();
    for (const std::uint64_t key : collector.sorted()) scored.push_back(neighbor_of(key));
    return accepted;
  }

  // Used where a reranker scores many rows at once.
  std::vector<row_id> accepted_;
  std::vector<distance_type> scores_;
  // Used where `gathers` alone.
  std::vector<word> tile_;
  std::array<row_id, tile_rows> ids_{};
  bucket_scan::scratch hits_{};
  distinct_top_k nearest_;
  distinct_in_radius within_;
};

}  // namespace embit::inline EMBIT_ABI::detail
