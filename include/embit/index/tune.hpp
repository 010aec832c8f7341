// Which index is fastest for the user's own codes and queries, by measuring.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/progress.hpp>
#include <embit/core/random.hpp>
#include <embit/core/results.hpp>
#include <embit/index/detail/multi/key_split.hpp>
#include <embit/index/detail/multi/table_choice.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/index_kind.hpp>
#include <embit/index/index_memory.hpp>
#include <embit/index/ivf.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/index/multi_index.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/search/index_frame.hpp>
#include <embit/search/recall_by_distance.hpp>
#include <embit/store/block_store.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct tune_options {
  std::size_t k = 10;               ///< neighbours a query asks for
  double target_recall = 0.9;       ///< that approximate tables must reach, above 0, at most 1
  std::size_t batch = 1;            ///< queries that are searched at a time
  std::size_t max_tables = 16;      ///< of an lsh_table; 0 tries none
  bool inverted_lists = true;       ///< whether ivf_index is tried
  double seconds = 0.05;            ///< at least this long is each index measured
  progress_callback progress = {};  ///< stopping it gives the figures there are
};

/// What was measured of one index.
struct tune_figure {
  index_kind kind = index_kind::flat;
  multi_index_options multi = {};  ///< where `kind` says so
  lsh_table_options lsh = {};      ///< where `kind` says so
  ivf_options ivf = {};            ///< where `kind` says so: its lists and probes
  double microseconds = 0;         ///< a query, in the fastest of several passes over all of them
  double recall = 0;               ///< share of the k nearest that were found, others as near counted
  index_memory memory = {};
};

struct tune_report {
  std::vector<tune_figure> figures;  ///< the scan first
  std::size_t fastest = 0;           ///< of the figures that reach the recall
  const tune_figure& best() const& noexcept { return figures[fastest]; }
  const tune_figure& best() const&& = delete;
};

namespace detail {

/// The time of one query, in microseconds: the fastest pass of at least three.
template <class Searched>
double time_of_query(const Searched& index, code_view<> queries, const tune_options& options) {
  using clock = std::chrono::steady_clock;
  knn_result<std::uint32_t> result;
  double best = infinity<double>(), total = 0;
  for (std::size_t passes = 0; passes < 3 || total < options.seconds; ++passes) {
    const auto start = clock::now();
    for (std::size_t first = 0; first < queries.size(); first += options.batch)
      index.search_into(queries.middle_rows(first, (std::min)(options.batch, queries.size() - first)), options.k,
                        result);
    const double seconds = std::chrono::duration<double>(clock::now() - start).count();
    best = (std::min)(best, seconds);
    total += seconds;
  }
  return best * 1e6 / static_cast<double>(queries.size());
}

/// What `tune` tries, and what it has seen so far.
template <class Exec>
class tuning {
 public:
  tuning(code_view<> codes, code_view<> queries, const tune_options& options, const Exec& executor)
      : codes_(codes), queries_(queries), options_(options), executor_(executor) {}

  tune_report run() {
    const auto substrings = substring_counts();
    const auto tables = table_shapes();
    const auto lists = list_counts();
    total_ = 1 + substrings.size() + tables.size() + lists.size();
    bool go_on = try_flat();
    for (std::size_t i = 0; go_on && i < substrings.size(); ++i) go_on = try_multi({.substrings = substrings[i]});
    for (std::size_t i = 0; go_on && i < lists.size(); ++i) go_on = try_lists(lists[i]);
    for (std::size_t i = 0; go_on && i < tables.size(); ++i) go_on = try_tables(tables[i]);
    return std::move(report_);
  }

 private:
  // A key that tells about as many values as there are rows.
  std::size_t key_bits() const noexcept {
    return static_cast<std::size_t>(std::bit_width(std::max<std::size_t>(codes_.size(), 2) - 1));
  }

  // Those whose keys are as long as that, and somewhat shorter.
  std::vector<std::size_t> substring_counts() const {
    using multi = multi_index<inlined_codes, Exec>;
    std::vector<std::size_t> counts;
    const std::size_t bits = codes_.bits();
    if (bits < multi::min_width || bits > multi::max_width) return counts;
    const std::size_t longest = std::clamp(key_bits(), shortest_key, longest_key);
    for (std::size_t shorter = 0; shorter <= 6; shorter += 2) {
      const std::size_t length = (std::max)(longest, shortest_key + shorter) - shorter;
      const std::size_t count = (bits + length - 1) / length;
      if (counts.empty() || counts.back() != count) counts.push_back((std::min)(count, bits / shortest_key));
    }
    return counts;
  }

  // Few long keys to many short ones, as many tables as fit, and half of them.
  std::vector<lsh_table_options> table_shapes() const {
    std::vector<lsh_table_options> shapes;
    const auto add = [&](std::size_t tables, std::size_t bits) {
      for (const auto& s : shapes)
        if (s.tables == tables && s.bits == bits) return;
      if (tables != 0) shapes.push_back({.tables = tables, .bits = bits});
    };
    const std::size_t longest = std::min<std::size_t>(codes_.bits(), 32);
    for (const std::size_t eighths : {8u, 10u, 6u}) {
      const std::size_t bits = std::clamp<std::size_t>(key_bits() * eighths / 8, 1, longest);
      const std::size_t tables = (std::min)(options_.max_tables, codes_.bits() / bits);
      add(tables, bits);
      add(tables / 2, bits);
    }
    return shapes;
  }

  // Those that are planned for low and for high recalls, unless one list is all that is.
  std::vector<std::size_t> list_counts() const {
    std::vector<std::size_t> counts;
    if (!options_.inverted_lists) return counts;
    for (const double recall : {.9, 1.})
      if (const std::size_t lists = planned_lists(codes_.size(), recall);
          lists > 1 && (counts.empty() || counts.back() != lists))
        counts.push_back(lists);
    return counts;
  }

  bool try_flat() {
    const flat_index<block_store<>, hamming, Exec> index{codes_, hamming{}, executor_};
    truth_ = index.search(queries_, options_.k);
    tune_figure figure;
    figure.memory.codes = index.store().memory();
    return measured(index, figure, "flat_index");
  }

  bool try_multi(multi_index_options options) {
    options.typical_k = options_.k;
    const multi_index<inlined_codes, Exec> index{codes_, options, executor_};
    tune_figure figure{.kind = index_kind::multi_index, .multi = options};
    figure.memory = index.memory();
    return measured(index, figure, "multi_index");
  }

  // As many probes as have the recall on the queries themselves.
  bool try_lists(std::size_t lists) {
    rng rng{lists};
    tune_figure figure{.kind = index_kind::ivf, .ivf = {.lists = lists, .target_recall = options_.target_recall}};
    figure.ivf.typical_k = options_.k;
    ivf_index<Exec> index{codes_, figure.ivf, rng, executor_};
    index.calibrate(queries_, options_.target_recall, options_.k);
    figure.ivf.probes = index.probes();
    figure.memory = index.memory();
    return measured(index, figure, "ivf_index");
  }

  // Doubles the probes until the recall is there, or every second row is a candidate.
  bool try_tables(lsh_table_options options) {
    lsh_table<code_store<>, hamming, Exec> index{codes_, options, hamming{}, executor_};
    const std::size_t all = std::size_t{1} << options.bits;
    for (;; options.probes = (std::min)(2 * options.probes, all)) {
      index.set_probes(options.probes);
      lsh_statistics did;
      const auto found = index.search(queries_, options_.k, accept_all{}, &did);
      const bool reached = recall_by_distance(found, truth_) >= options_.target_recall;
      if (!reached && options.probes < all && 2 * did.candidates < codes_.size() * queries_.size()) continue;
      tune_figure figure{.kind = index_kind::lsh_table, .lsh = options};
      figure.memory = index.memory();
      return measured(index, figure, "lsh_table");
    }
  }

  template <class Searched>
  bool measured(const Searched& index, tune_figure figure, std::string_view stage) {
    figure.recall = recall_by_distance(index.search(queries_, options_.k), truth_);
    figure.microseconds = time_of_query(index, queries_, options_);
    figure.memory.lists = 0;  // what searches keep depends on their threads
    auto& figures = report_.figures;
    figures.push_back(figure);
    const bool exact = figure.kind == index_kind::flat || figure.kind == index_kind::multi_index;
    const bool good = exact || figure.recall >= options_.target_recall;
    if (good && figure.microseconds < report_.best().microseconds) report_.fastest = figures.size() - 1;
    return detail::go_on(options_.progress, {stage, figures.size(), total_, figure.microseconds});
  }

  code_view<> codes_, queries_;
  const tune_options& options_;
  const Exec& executor_;
  knn_result<std::uint32_t> truth_;
  tune_report report_;
  std::size_t total_ = 0;
};

}  // namespace detail

/// Searches `codes` for a sample of the user's `queries` with a scan, with a multi_index of several numbers of
/// substrings, with an ivf_index of few and of many lists, and with lsh_tables of several shapes at the fewest probes,
/// a power of two, that reach the recall, and says what each costs. All but the times, and which is fastest by them, is
/// the same every time. Holds one index at a time beside the codes. Measure on an idle machine, with at least a hundred
/// queries or so.
/// @throws error errc::shape for queries of another width, errc::argument for no codes, no queries, bits beyond the
/// width, k or batch of 0, or a recall that is not above 0 and at most 1.
template <Executor Exec = inline_executor>
tune_report tune(code_view<> codes, code_view<> queries, const tune_options& options = {}, const Exec& executor = {}) {
  if (codes.empty() || queries.empty())
    raise(errc::argument, "tune: ", codes.size(), " codes and ", queries.size(), " queries, at least 1 of each needed");
  if (queries.bits() != codes.bits())
    raise(errc::shape, "queries: width ", queries.bits(), ", the codes have ", codes.bits());
  detail::require_neighbors(options.k);
  if (options.batch == 0) raise(errc::argument, "batch: 0, but at least 1 query must be searched at a time");
  if (!detail::is_positive(options.target_recall) || options.target_recall > 1)
    raise(errc::argument, "target_recall: ", options.target_recall, ", not above 0 and at most 1");
  if (!detail::is_between(options.seconds, 0., 3600.))
    raise(errc::argument, "seconds: ", options.seconds, ", not 0 to 3600");
  return detail::tuning<Exec>(codes, queries, options, executor).run();
}

}  // namespace embit::inline EMBIT_ABI
