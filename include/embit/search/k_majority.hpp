// Centroids of binary codes: k-means where a mean is a majority of bits.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/grouped_rows.hpp>
#include <embit/core/progress.hpp>
#include <embit/core/random.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/search/code_partition.hpp>
#include <embit/search/detail/k_majority/rounds.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <random>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct k_majority_options {
  std::size_t clusters = 0;           ///< 1 to as many as there are codes
  std::size_t rows_per_cluster = 50;  ///< codes of a sample that the centroids are found from, for each; 0: all codes
  std::size_t iterations = 6;
  progress_callback progress = {};  ///< told the mean distance to the centroids; stopping keeps those there are
};

namespace detail {

/// From so many clusters on they are found by two levels.
inline constexpr std::size_t worth_two_majorities = 256;
/// Rounds over the clusters of two levels together.
inline constexpr std::size_t majority_refinements = 2;

/// `clusters` centroids of two levels: √clusters of the codes, then of the codes of each of these its share, then
/// rounds over all.
/// @param codes  in random order
inline code_store<> train_majority_tree(const code_store<>& codes, std::size_t clusters, std::size_t rounds, rng draws,
                                        const executor_ref& executor, const majority_watch& watch) {
  constexpr std::size_t codes_of_top = 256;
  bool stopped = false;
  const majority_watch watched = [&](double distance) { return !(stopped = stopped || (watch && !watch(distance))); };
  const auto groups = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(clusters))));
  code_store<> tops(codes.view().middle_rows(0, groups));
  const code_store<> some(codes.view().middle_rows(0, (std::min)(groups * codes_of_top, codes.size())));
  majority_rounds(some, tops, rounds, draws, executor, watched);
  const grouped_rows members = rows_by_cell(code_partition(tops).assign(codes, executor), groups);
  const auto share = shares_of(members, groups, clusters);
  std::vector<std::size_t> first(groups);
  std::exclusive_scan(share.begin(), share.end(), first.begin(), std::size_t{0});

  code_store<> centroids(clusters, codes.bits());
  const std::size_t lower_rounds = stopped ? 0 : rounds;
  run_bulk(executor, groups, [&](std::size_t g, std::size_t) {
    if (share[g] == 0) return;
    const inline_executor here;
    const code_store<> own(codes, members.of(g));
    code_store<> leaves(own.view().middle_rows(0, share[g]));
    rng own_draws = draws.split(g);
    majority_rounds(own, leaves, lower_rounds, own_draws, executor_ref(here), {});
    std::copy_n(leaves.data(), leaves.size() * leaves.words(), centroids.row(first[g]).data());
  });
  if (!stopped) majority_rounds(codes, centroids, majority_refinements, draws, executor, watched);
  return centroids;
}

}  // namespace detail

/// Centroids of binary codes, each the bitwise majority of the codes that are nearest to it (of a bit that is set in
/// half of them, what it was), found by Lloyd's rounds from codes drawn at random: k-means by Hamming distance, where
/// the majority is what minimizes the sum of distances. Codes that are equal end in one cell, however many they are.
/// The same for every SIMD level and number of threads.
/// Grana et al., "A fast approach for integrating ORB descriptors in the bag of words model", SPIE 2013 (k-majority).
/// O(iterations · clusters² · rows_per_cluster · words).
/// @throws error errc::argument for no clusters, or more than there are codes; errc::argument for bits beyond the
/// width.
template <std::uniform_random_bit_generator Rng>
code_partition fit_k_majority(code_view<> codes, const k_majority_options& options, Rng& rng,
                              const executor_ref& executor = inline_executor{}) {
  const std::size_t clusters = options.clusters, per = options.rows_per_cluster;
  if (clusters == 0 || clusters > codes.size())
    raise(errc::argument, "clusters: ", clusters, ", not 1 to the ", codes.size(), " codes there are");
  require_clean_tails(codes, "codes");
  const std::size_t wanted = per == 0 || per > codes.size() / clusters ? codes.size() : per * clusters;
  const code_store<> sample(codes, detail::draw_rows(codes.size(), wanted, rng));
  const bool two_levels = clusters >= detail::worth_two_majorities;
  const std::size_t total = options.iterations + (two_levels ? detail::majority_refinements : 0);
  std::size_t done = 0;
  const detail::majority_watch watch = [&](double distance) {
    return detail::go_on(options.progress, {"k_majority", ++done, total, distance});
  };
  if (two_levels) {
    const embit::rng draws(random_bits(rng));
    return code_partition(detail::train_majority_tree(sample, clusters, options.iterations, draws, executor, watch));
  }
  code_store<> centroids(sample.view().middle_rows(0, clusters));
  detail::majority_rounds(sample, centroids, options.iterations, rng, executor, watch);
  return code_partition(centroids);
}

}  // namespace embit::inline EMBIT_ABI
