// How good a ranking is, with ties treated by a rule that is stated.
//
// Hamming distances tie in masses: a figure without its tie rule says little. A ranking is what a search returns for a
// query, neighbours by distance; equal distances are tied. A rule other than by_row sees only the ties that are in
// the list, so give it a list that does not end inside a tie that matters: all rows, or a range search.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <limits>
#include <span>
#include <unordered_set>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// In which order rows at the same distance are taken to come.
enum class tie_rule {
  by_row,       ///< as listed: the smaller row first
  pessimistic,  ///< the least relevant first: what no order can fall below
  expected      ///< the mean over all orders
};

/// A ranking to its end.
inline constexpr std::size_t whole_ranking = static_cast<std::size_t>(-1);

namespace detail {

/// The end of the tie that begins at `begin`. Where ties are broken by row every rank is a tie of one.
template <class Distance>
std::size_t tie_end(std::span<const neighbor<Distance>> ranking, std::size_t begin, tie_rule ties) {
  std::size_t end = begin + 1;
  if (ties != tie_rule::by_row)
    while (end < ranking.size() && !comes_before<std::less<>>(ranking[begin].distance, ranking[end].distance) &&
           !comes_before<std::less<>>(ranking[end].distance, ranking[begin].distance))
      ++end;
  return end;
}

/// Calls f(begin, end, hits) for every tie that begins before `depth`, hits being the relevant rows in it.
template <class Distance, class Relevant, class F>
void for_each_tie(std::span<const neighbor<Distance>> ranking, std::size_t depth, Relevant& relevant, tie_rule ties,
                  F&& f) {
  for (std::size_t begin = 0, end; begin < (std::min)(depth, ranking.size()); begin = end) {
    end = tie_end(ranking, begin, ties);
    std::size_t hits = 0;
    for (std::size_t i = begin; i < end; ++i)
      if (std::invoke(relevant, ranking[i].id)) ++hits;
    f(begin, end, hits);
  }
}

}  // namespace detail

/// How many of the first r of a ranking are relevant; a fraction where ties are `expected`.
/// @param relevant  row_id → bool.
template <class Distance, class Relevant>
double hits_at(std::span<const neighbor<Distance>> ranking, std::size_t r, Relevant relevant,
               tie_rule ties = tie_rule::by_row) {
  double sum = 0;
  detail::for_each_tie(ranking, r, relevant, ties, [&](std::size_t begin, std::size_t end, std::size_t hits) {
    const std::size_t size = end - begin, room = (std::min)(size, r - begin), misses = size - hits;
    if (ties == tie_rule::expected)
      sum += static_cast<double>(hits) * static_cast<double>(room) / static_cast<double>(size);
    else
      sum += static_cast<double>(room - (std::min)(room, misses));
  });
  return sum;
}

/// Precision at r: the share of the first r that is relevant. A shorter list counts as if irrelevant rows followed.
/// @throws error errc::argument when r is 0.
template <class Distance, class Relevant>
double precision_at(std::span<const neighbor<Distance>> ranking, std::size_t r, Relevant relevant,
                    tie_rule ties = tie_rule::by_row) {
  if (r == 0) raise(errc::argument, "precision_at: r is 0");
  return hits_at(ranking, r, relevant, ties) / static_cast<double>(r);
}

/// Recall at r: the share of all `total` relevant rows that is in the first r; 0 where there are none.
template <class Distance, class Relevant>
double recall_at(std::span<const neighbor<Distance>> ranking, std::size_t r, Relevant relevant, std::size_t total,
                 tie_rule ties = tie_rule::by_row) {
  return total == 0 ? 0. : hits_at(ranking, r, relevant, ties) / static_cast<double>(total);
}

/// Average precision: the mean, over all relevant rows, of the precision at their ranks, 0 for those not in the list;
/// with a depth, over ranks up to it and divided by min(total, depth).
/// Ties: McSherry and Najork, "Computing information retrieval performance measures efficiently in the presence of
/// tied scores", ECIR 2008, section 2.4.
/// @param total  relevant rows there are, in the list or not; 0 gives 0.
template <class Distance, class Relevant>
double average_precision(std::span<const neighbor<Distance>> ranking, Relevant relevant, std::size_t total,
                         tie_rule ties = tie_rule::by_row, std::size_t depth = whole_ranking) {
  double sum = 0, above = 0;  // above: relevant rows before the tie
  detail::for_each_tie(ranking, depth, relevant, ties, [&](std::size_t begin, std::size_t end, std::size_t hits) {
    const double size = static_cast<double>(end - begin), found = static_cast<double>(hits);
    const std::size_t stop = (std::min)(end, depth);
    if (ties == tie_rule::expected) {
      // A rank of the tie is relevant with probability found / size; then those before it hold this share of the rest.
      const double rest = size > 1 ? (found - 1) / (size - 1) : 0;
      for (std::size_t i = begin; i < stop && hits > 0; ++i)
        sum += found / size * (above + 1 + static_cast<double>(i - begin) * rest) / static_cast<double>(i + 1);
    } else {
      double reached = above;
      for (std::size_t i = end - hits; i < stop; ++i) sum += ++reached / static_cast<double>(i + 1);
    }
    above += found;
  });
  const std::size_t most = (std::min)(total, depth);
  return most == 0 ? 0. : sum / static_cast<double>(most);
}

/// Normalized discounted cumulative gain at r: Σ gain / log2(rank + 1) over the first r, divided by what the best
/// order of `all_gains` would give; 0 where that is 0. Gains are used as they are (give 2^grade - 1 for that form).
/// Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS 2002.
/// @throws error errc::not_finite for a gain.
/// @param gain       row_id → number, at least 0.
/// @param all_gains  of all rows that have any, in any order.
template <class Distance, class Gain>
double ndcg_at(std::span<const neighbor<Distance>> ranking, std::size_t r, Gain gain, std::span<const double> all_gains,
               tie_rule ties = tie_rule::by_row) {
  const auto discount = [](std::size_t i) { return 1 / std::log2(static_cast<double>(i) + 2); };
  std::vector<double> gains;
  double sum = 0;
  for (std::size_t begin = 0, end; begin < (std::min)(r, ranking.size()); begin = end) {
    end = detail::tie_end(ranking, begin, ties);
    gains.clear();
    double mean = 0;
    for (std::size_t i = begin; i < end; ++i) {
      gains.push_back(static_cast<double>(std::invoke(gain, ranking[i].id)));
      if (!detail::is_finite(gains.back())) raise(errc::not_finite, "ndcg_at: the gain of row ", ranking[i].id);
      mean += gains.back() / static_cast<double>(end - begin);
    }
    std::ranges::sort(gains);
    for (std::size_t i = begin; i < (std::min)(end, r); ++i)
      sum += discount(i) * (ties == tie_rule::expected ? mean : gains[i - begin]);
  }
  if (!detail::all_finite(all_gains.data(), all_gains.size())) raise(errc::not_finite, "ndcg_at: all_gains");
  gains.assign(all_gains.begin(), all_gains.end());
  std::ranges::sort(gains, std::greater<>{});
  double best = 0;
  for (std::size_t i = 0; i < (std::min)(r, gains.size()); ++i) best += discount(i) * gains[i];
  return best > 0 ? sum / best : 0.;
}

/// Recall of one search against another that is exact: the mean over the queries of the share of the first k of
/// `truth` that is among the first r of `found`. Queries without true neighbours count as 1.
/// @throws error errc::shape when the queries are not as many, errc::argument when there are none or k is 0.
template <class Exact, class Distance>
double mean_recall(const knn_result<Exact>& truth, const knn_result<Distance>& found, std::size_t k, std::size_t r,
                   tie_rule ties = tie_rule::by_row) {
  if (truth.queries() != found.queries())
    raise(errc::shape, "mean_recall: ", truth.queries(), " true lists for ", found.queries(), " found ones");
  if (truth.queries() == 0 || k == 0) raise(errc::argument, "mean_recall: ", truth.queries(), " queries, k ", k);
  double sum = 0;
  std::unordered_set<row_id> wanted;
  for (std::size_t i = 0; i < truth.queries(); ++i) {
    const auto list = truth[i].first((std::min)(k, truth[i].size()));
    wanted.clear();
    for (const auto& n : list) wanted.insert(n.id);
    sum += list.empty() ? 1.
                        : recall_at(
                              found[i], r, [&](row_id id) { return wanted.contains(id); }, list.size(), ties);
  }
  return sum / static_cast<double>(truth.queries());
}

namespace detail {

template <class Distance, class Label, class Score>
double mean_over_labels(const knn_result<Distance>& found, std::span<const Label> row_labels,
                        std::span<const Label> query_labels, Score&& score) {
  if (found.queries() != query_labels.size())
    raise(errc::shape, "query labels: ", query_labels.size(), " for ", found.queries(), " queries");
  if (found.queries() == 0) raise(errc::argument, "no queries to take the mean of");
  double sum = 0;
  for (std::size_t i = 0; i < found.queries(); ++i) {
    for (const auto& n : found[i])
      if (n.id >= row_labels.size())
        raise(errc::out_of_range, "row labels: ", row_labels.size(), " where row ", n.id, " was found");
    const auto relevant = [&](row_id id) { return row_labels[id] == query_labels[i]; };
    sum += score(found[i], relevant, query_labels[i]);
  }
  return sum / static_cast<double>(found.queries());
}

}  // namespace detail

/// The mean over the queries of the precision at r, where rows with the query's label are relevant.
/// @throws error errc::shape, errc::argument for no queries or r = 0, errc::out_of_range for a row without a label.
template <class Distance, class Label>
double mean_precision(const knn_result<Distance>& found, std::span<const Label> row_labels,
                      std::span<const Label> query_labels, std::size_t r, tie_rule ties = tie_rule::by_row) {
  return detail::mean_over_labels(found, row_labels, query_labels, [&](auto list, const auto& relevant, const Label&) {
    return precision_at(list, r, relevant, ties);
  });
}

/// MAP: the mean over the queries of the average precision, where rows with the query's label are relevant. All of
/// `row_labels` count as rows that could be found.
/// @throws error errc::shape, errc::argument for no queries, errc::out_of_range for a row without a label.
template <class Distance, class Label>
double mean_average_precision(const knn_result<Distance>& found, std::span<const Label> row_labels,
                              std::span<const Label> query_labels, tie_rule ties = tie_rule::by_row,
                              std::size_t depth = whole_ranking) {
  return detail::mean_over_labels(found, row_labels, query_labels,
                                  [&](auto list, const auto& relevant, const Label& label) {
                                    const auto total = static_cast<std::size_t>(std::ranges::count(row_labels, label));
                                    return average_precision(list, relevant, total, ties, depth);
                                  });
}

}  // namespace embit::inline EMBIT_ABI
