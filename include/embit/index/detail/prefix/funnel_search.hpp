// The search for a funnel: the ranks of true neighbours at each width, what funnels cost, and which is the cheapest.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/progress.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/prefix/funnel.hpp>
#include <embit/index/funnel_queries.hpp>
#include <embit/search/prefix_scan.hpp>
#include <embit/search/recall_by_distance.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/search/scan.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Counts the rows that come before each of some rows by the first bits.
struct rank_sink {
  struct asked {
    row_id row;
    std::size_t place;               // among the neighbours of its query
    std::uint32_t distance = 0;      // by the first bits
    std::uint32_t equal_before = 0;  // smaller rows that are as far
  };
  struct list {
    std::vector<std::uint32_t> counts;  // of rows, by their distance
    std::vector<asked> rows;            // ascending
    std::size_t next = 0;
  };

  std::vector<list>& lists;  // one a query
  const row_choice& accepts;
  std::uint32_t beyond;  // all distances
  std::size_t offers = 0;

  std::uint32_t threshold(std::size_t) const noexcept { return beyond; }
  void offer(std::size_t query, row_id row, std::uint32_t distance) {
    if (accepts(row)) keep(query, row, distance);
  }
  void keep(std::size_t query, row_id row, std::uint32_t distance) {
    list& mine = lists[query];
    if (mine.next < mine.rows.size() && mine.rows[mine.next].row == row) {
      mine.rows[mine.next].distance = distance;
      mine.rows[mine.next++].equal_before = mine.counts[distance];
    }
    ++mine.counts[distance];
  }
};

/// What funnels cost, in words that a scan for one query reads: by measurement a candidate costs as much as so many of
/// these when it is kept, and a word of it when it is fetched; and words of several steps cost more side by side.
struct funnel_costs {
  static constexpr double kept = 8, fetched = 40, side_by_side = 1.45;

  double rows;
  const prefix_steps& steps;

  double scan(std::size_t count) const noexcept {
    return rows * static_cast<double>(steps.words_before(count)) * (count > 1 ? side_by_side : 1);
  }
  double of(std::span<const funnel_step> funnel) const noexcept {
    const auto left = [&](const funnel_step& step) { return (std::min)(rows, static_cast<double>(step.keep)); };
    double cost =
        scan(steps.steps_of(funnel[0].width)) + kept * left(funnel[0]) * (1 + std::log(rows / left(funnel[0])));
    for (std::size_t i = 0; i < funnel.size(); ++i) {
      const std::size_t from = steps.steps_of(funnel[i].width);
      const std::size_t to = i + 1 < funnel.size() ? steps.steps_of(funnel[i + 1].width) : steps.size();
      cost += fetched * left(funnel[i]) * static_cast<double>(steps.words_before(to) - steps.words_before(from));
    }
    return cost;
  }
};

/// Judges funnels of some of the widths of an index by queries: each keeps as many rows as the ranks of their true
/// neighbours say. A rank among all rows is no less than that among the rows that are left, so that at least the recall
/// is found for these queries.
template <class Index, class Store = typename Index::store_type>
class funnel_search {
 public:
  /// @param queries  viewed until the end
  funnel_search(const Index& index, code_view<> queries, std::size_t k, double target_recall)
      : index_(index),
        queries_(queries),
        k_(k),
        target_recall_(target_recall),
        truth_(index.search(queries, k)),
        costs_{static_cast<double>(index.rows()), index.store().steps()} {}

  /// The cheapest funnel; no steps where looking at all bits is as cheap.
  std::vector<funnel_step> choose(std::size_t most_steps, const progress_callback& progress) {
    const std::size_t widths = index_.widths().size() - 1;  // the last is that of all bits
    for (std::size_t width = 0; width < widths; ++width) {
      ranks_.push_back(ranks_at(width));
      if (!go_on(progress, {"plan_funnel", width + 1, widths, 0})) break;
    }
    best_cost_ = costs_.scan(index_.widths().size());
    extend(0, most_steps);
    return best_;
  }

 private:
  using ranks = std::vector<std::uint32_t>;  // of all true neighbours, query by query

  /// How many rows come before each true neighbour by the first bits, it itself counted.
  ranks ranks_at(std::size_t width) const {
    const std::size_t bits = index_.widths()[width];
    const prefix_rows<Store> rows(index_.store(), width + 1);
    const prefix_hamming<Store> kernel(index_.store(), width + 1);
    std::vector<word> memory;
    prepared_queries<prefix_hamming<Store>, prefix_rows<Store>> asked;
    asked.assign(kernel, first_bits(queries_, bits, memory), rows.size());
    std::vector<rank_sink::list> lists(queries_.size());
    for (std::size_t q = 0; q < lists.size(); ++q) {
      lists[q].counts.assign(bits + 1, 0);
      for (std::size_t i = 0; i < truth_[q].size(); ++i) lists[q].rows.push_back({truth_[q][i].id, i});
      std::ranges::sort(lists[q].rows, {}, &rank_sink::asked::row);
    }
    const auto live = [&](row_id row) { return index_.contains(row); };
    const row_choice choice(live);
    rank_sink sink{lists, choice, static_cast<std::uint32_t>(bits + 1)};
    scan_scratch<prefix_hamming<Store>, prefix_rows<Store>> scratch;
    asked.scan(rows, 0, rows.size(), nullptr, scratch, sink);

    ranks found;
    for (const rank_sink::list& list : lists) {
      const std::size_t first = found.size();
      found.resize(first + list.rows.size());
      for (const auto& [row, place, distance, equal_before] : list.rows)
        found[first + place] = std::accumulate(list.counts.begin(), list.counts.begin() + distance, equal_before) + 1;
    }
    return found;
  }

  /// Adds a step of each of the widths from `first` on to the funnel that is looked at, and judges it.
  void extend(std::size_t first, std::size_t more) {
    for (std::size_t width = first; width < ranks_.size() && more != 0; ++width) {
      funnel_.push_back(width);
      std::vector<double> shares(1, 1.);
      judge_shares(shares);
      extend(width + 1, more - 1);
      funnel_.pop_back();
    }
  }

  /// Of the neighbours that a funnel may lose each step loses its share: all steps the same, or some of them more.
  void judge_shares(std::vector<double>& shares) {
    if (shares.size() == funnel_.size()) return judge(shares);
    for (const double next : {.25, 1., 4.}) {
      shares.push_back(shares.back() * next);
      judge_shares(shares);
      shares.pop_back();
    }
  }

  void judge(std::span<const double> shares) {
    const double most = *std::ranges::max_element(shares);
    double enough = 0, too_much = 1;  // what the step that loses the most of them may lose
    for (std::size_t i = 0; i < 14; ++i) {
      const double loss = (enough + too_much) / 2;
      (share_left(steps_at(shares, loss / most)) >= target_recall_ ? enough : too_much) = loss;
    }
    const std::vector<funnel_step> steps = steps_at(shares, enough / most);
    const double cost = costs_.of(steps);
    if (cost >= best_cost_ || share_left(steps) < target_recall_) return;
    best_cost_ = cost;
    best_ = steps;
  }

  /// The funnel whose steps would each lose `loss` times its share of all neighbours, were it alone.
  std::vector<funnel_step> steps_at(std::span<const double> shares, double loss) {
    std::vector<funnel_step> steps;
    std::size_t before = index_.rows();
    for (std::size_t i = 0; i < funnel_.size(); ++i) {
      const ranks& sorted = sorted_ranks(funnel_[i]);
      const auto lost = static_cast<std::size_t>(loss * shares[i] * static_cast<double>(sorted.size()));
      const std::size_t wanted = lost >= sorted.size() ? 0 : sorted[sorted.size() - 1 - lost];
      before = (std::max)(k_, (std::min)(before, wanted));
      steps.push_back({index_.widths()[funnel_[i]], before});
    }
    return steps;
  }
  const ranks& sorted_ranks(std::size_t width) {
    sorted_.resize(ranks_.size());
    if (sorted_[width].empty()) {
      sorted_[width] = ranks_[width];
      std::ranges::sort(sorted_[width]);
    }
    return sorted_[width];
  }

  /// The share of the neighbours whose ranks let them through all steps.
  double share_left(const std::vector<funnel_step>& steps) const {
    const std::size_t all = ranks_[0].size();
    std::size_t left = 0;
    for (std::size_t i = 0; i < all; ++i) {
      bool through = true;
      for (std::size_t s = 0; s < steps.size(); ++s) through = through && ranks_[funnel_[s]][i] <= steps[s].keep;
      left += through;
    }
    return static_cast<double>(left) / static_cast<double>(all);
  }

  const Index& index_;
  code_view<> queries_;
  std::size_t k_;
  double target_recall_;
  knn_result<std::uint32_t> truth_;
  funnel_costs costs_;
  std::vector<ranks> ranks_, sorted_;  // by width
  std::vector<std::size_t> funnel_;    // the widths of the one that is looked at, by their numbers
  std::vector<funnel_step> best_;
  double best_cost_ = 0;
};

/// The same funnel with a share of the rows it keeps, or with more of them: as few as find the recall for some queries.
template <class Index>
std::vector<funnel_step> scaled_funnel(const Index& index, code_view<> queries, std::size_t k, double target_recall,
                                       const std::vector<funnel_step>& funnel) {
  if (funnel.empty()) return funnel;
  const auto truth = index.search(queries, k);
  const auto scaled = [&](double by) {
    std::vector<funnel_step> steps = funnel;
    for (funnel_step& step : steps) {
      const double keep = std::ceil(by * static_cast<double>(step.keep));
      step.keep = (std::max)(k, static_cast<std::size_t>((std::min)(keep, static_cast<double>(index.rows()))));
    }
    return steps;
  };
  double too_few = -3, enough = 3;  // factors, as powers of two
  std::vector<funnel_step> best = scaled(std::exp2(enough));
  for (std::size_t i = 0; i < 8; ++i) {
    const double middle = (too_few + enough) / 2;
    std::vector<funnel_step> steps = scaled(std::exp2(middle));
    const bool reached = recall_by_distance(index.search(queries, k, steps), truth) >= target_recall;
    (reached ? enough : too_few) = middle;
    if (reached) best = std::move(steps);
  }
  return best;
}

}  // namespace embit::inline EMBIT_ABI::detail
