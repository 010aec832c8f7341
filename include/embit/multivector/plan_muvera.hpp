// Which fixed dimensional encoding, in how many bits: measured on the user's own documents and queries.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/progress.hpp>
#include <embit/core/ragged_view.hpp>
#include <embit/core/random.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/kernel/chamfer.hpp>
#include <embit/multivector/fit_center.hpp>
#include <embit/multivector/muvera.hpp>
#include <embit/multivector/muvera_options.hpp>
#include <embit/search/exhaustive.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/search/top_k.hpp>
#include <embit/store/level_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <optional>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct plan_muvera_options {
  double target_recall = .9;  ///< of the k best by exact MaxSim among the candidates, above 0, at most 1
  std::size_t k = 10;
  std::size_t candidates = 100;           ///< that will be reranked of all documents
  std::size_t bytes_per_document = 5120;  ///< at most
  std::size_t most_documents = 4096;      ///< of those given, drawn to measure on
  std::size_t most_queries = 200;         ///< likewise
};

/// An encoding that was measured.
struct muvera_trial {
  muvera_options options;
  std::size_t bits = 1;   ///< a number
  std::size_t bytes = 0;  ///< a document
  double recall = 0;      ///< on the queries that the choice was made by
};

/// `flat_index{plan.encoder.encode_levels(documents, plan.bits), plan.encoder.estimator(plan.bits)}`.
struct muvera_plan {
  muvera encoder;  ///< with the center of the documents
  std::size_t bits = 1;
  std::size_t bytes_per_document = 0;
  double recall = 0;  ///< on queries that the choice was not made by; below the target where no encoding reached it
  std::vector<muvera_trial> tried;
};

namespace detail {

/// Sets with a copy of their tokens that count.
struct owned_sets {
  matrix<float> tokens;
  std::vector<std::size_t> offsets{0};

  owned_sets(ragged_view<const float> sets, std::span<const row_id> picked) {
    std::size_t count = 0;
    for (const row_id i : picked)
      for (std::size_t t = 0; t < sets[i].rows(); ++t) count += sets[i].counts(t) ? 1u : 0u;
    tokens = matrix<float>::uninitialized(count, sets.cols());
    count = 0;
    for (const row_id i : picked) {
      for (std::size_t t = 0; t < sets[i].rows(); ++t)
        if (sets[i].counts(t)) std::ranges::copy(sets[i][t], tokens[count++].begin());
      offsets.push_back(count);
    }
  }
  ragged_view<const float> view() const& { return {tokens.view(), offsets}; }
  ragged_view<const float> view() const&& = delete;
};

/// The k best documents of each query by exact MaxSim, documents without tokens left out.
template <Executor Exec>
knn_result<float> exact_max_sim(ragged_view<const float> documents, ragged_view<const float> queries, std::size_t k,
                                const Exec& executor) {
  knn_result<float> found;
  found.reset(queries.size(), (std::min)(k, documents.size()));
  const chamfer kernel;
  run_ranges(executor, queries.size(), 1, queries.size(), [&](std::size_t first, std::size_t last, std::size_t) {
    std::vector<neighbor<float>> scores;
    for (std::size_t q = first; q < last; ++q) {
      const auto prepared = kernel.prepare(queries[q]);
      scores.clear();
      for (std::size_t d = 0; d < documents.size(); ++d)
        if (documents[d].rows() != 0) scores.push_back({static_cast<row_id>(d), kernel(prepared, documents[d])});
      found.assign(q, select_top_k<std::greater<>>(scores, found.k()));
    }
  });
  return found;
}

/// Encodings of about so many bytes: many repetitions of few, short partitions find most in a bit a number, and
/// structured planes keep them cheap.
inline std::vector<muvera_trial> encodings_of(std::size_t dim, std::size_t bytes) {
  struct shape {
    std::size_t simhash_bits, columns;
  };
  constexpr std::size_t least_repetitions = 5;
  std::vector<muvera_trial> all;
  for (const shape s : {shape{3, 2}, shape{3, 4}, shape{4, 4}, shape{4, 8}, shape{5, 16}})
    for (const std::size_t bits : {1u, 2u, 4u}) {
      const std::size_t columns = (std::min)(s.columns, dim);
      const std::size_t repetitions = 8 * bytes / (columns * bits << s.simhash_bits);
      if (repetitions < least_repetitions) continue;
      const muvera_options options{.dim = dim,
                                   .repetitions = repetitions,
                                   .simhash_bits = s.simhash_bits,
                                   .projected_dim = columns,
                                   .planes = fde_planes::structured};
      all.push_back({options, bits, ((columns << s.simhash_bits) * repetitions + 7) / 8 * bits, 0});
    }
  return all;
}

/// Measures encodings on some of the documents and queries.
template <Executor Exec>
class muvera_contest {
 public:
  muvera_contest(owned_sets documents, owned_sets queries, std::size_t k, std::size_t candidates, std::uint64_t seed,
                 const Exec& executor)
      : documents_(std::move(documents)),
        queries_(std::move(queries)),
        center_(fit_center(documents_.view())),
        truth_(exact_max_sim(documents_.view(), queries_.view(), k, executor)),
        candidates_(candidates),
        seed_(seed),
        executor_(&executor) {}

  /// The same planes for the same options.
  muvera encoder(const muvera_options& options) const {
    rng draws(seed_);
    return muvera(options, draws).with_centers({.hash = center_});
  }

  /// Of the queries by which the choice is made, and of the others.
  std::pair<double, double> recalls(const muvera_trial& trial) const {
    const muvera fde = encoder(trial.options);
    const level_store codes = fde.encode_levels(documents_.view(), trial.bits, *executor_);
    const fde_queries asked = fde.encode_queries(queries_.view(), *executor_);
    knn_result<float> found;
    found.reset(asked.rows(), (std::min)(candidates_, codes.size()));
    knn_workspace<fde_estimator, level_store> work;
    exhaustive_knn(fde.estimator(trial.bits), codes, executor_ref(*executor_), asked.view(), row_choice(), found, work,
                   nullptr);
    double sums[2] = {0, 0};
    std::size_t counts[2] = {0, 0};
    for (std::size_t q = 0; q < found.queries(); ++q) {
      if (truth_[q].empty()) continue;
      std::size_t hits = 0;
      for (const auto& best : truth_[q])
        hits += std::ranges::any_of(found[q], [&](const auto& hit) { return hit.id == best.id; }) ? 1u : 0u;
      sums[q % 2] += static_cast<double>(hits) / static_cast<double>(truth_[q].size());
      ++counts[q % 2];
    }
    return {sums[0] / static_cast<double>(std::max<std::size_t>(counts[0], 1)),
            sums[1] / static_cast<double>(std::max<std::size_t>(counts[1], 1))};
  }

 private:
  owned_sets documents_, queries_;
  std::vector<float> center_;
  knn_result<float> truth_;
  std::size_t candidates_;
  std::uint64_t seed_;
  const Exec* executor_;
};

inline void require_plan_muvera(ragged_view<const float> documents, ragged_view<const float> queries,
                                const plan_muvera_options& options) {
  constexpr std::size_t least_bytes = 20;
  if (documents.size() == 0 || queries.size() < 2)
    raise(errc::argument, "plan_muvera: ", documents.size(), " documents and ", queries.size(),
          " queries, where 1 and 2 at least are needed");
  if (documents.cols() == 0 || queries.cols() != documents.cols())
    raise(errc::shape, "queries: tokens of dimension ", queries.cols(), " where those of documents have ",
          documents.cols());
  if (!is_positive(options.target_recall) || options.target_recall > 1)
    raise(errc::argument, "plan_muvera: a recall of ", options.target_recall, ", not above 0 and at most 1");
  if (options.k == 0 || options.candidates < options.k)
    raise(errc::argument, "plan_muvera: the best ", options.k, " among ", options.candidates, " candidates");
  if (options.bytes_per_document < least_bytes)
    raise(errc::argument, "plan_muvera: ", options.bytes_per_document, " bytes a document where ", least_bytes,
          " are the least");
  if (options.most_documents == 0 || options.most_queries < 2)
    raise(errc::argument, "plan_muvera: measured on ", options.most_documents, " documents and ", options.most_queries,
          " queries");
  require_finite(documents, "documents");
  require_finite(queries, "queries");
}

}  // namespace detail

/// The encoding of the fewest bytes whose candidates hold `target_recall` of the best documents by exact MaxSim: the
/// number of repetitions, the size of partitions and the bits of a number are chosen, at twice as many bytes each time,
/// on half of the queries, and the recall that is told is of the other half. Where no encoding within the bytes reaches
/// it, the one that found most. Of a sample of documents a like share is reranked as of all, k at least. With 50
/// queries recall is known to some hundredths only. O(encodings · tokens · repetitions · dim).
/// @param documents  token sets, masks counting; some thousand are enough
/// @param queries    at least 2, like those that will come
/// @param progress   told after each encoding; `objective` is 1 − the best recall so far. False stops and keeps the
/// best
/// @throws error errc::argument for no documents, too few queries or options out of range, errc::shape for tokens of
///         other dimensions, errc::not_finite naming document and token.
template <std::uniform_random_bit_generator Engine, Executor Exec = inline_executor>
muvera_plan plan_muvera(ragged_view<const float> documents, ragged_view<const float> queries,
                        const plan_muvera_options& options, Engine& engine, const progress_callback& progress = {},
                        const Exec& executor = {}) {
  detail::require_plan_muvera(documents, queries, options);
  rng draws(random_bits(engine));
  const std::size_t sampled = (std::min)(options.most_documents, documents.size());
  const double share = static_cast<double>(sampled) / static_cast<double>(documents.size());
  const auto candidates =
      (std::max)(options.k, static_cast<std::size_t>(static_cast<double>(options.candidates) * share));
  const detail::muvera_contest contest(
      detail::owned_sets(documents, detail::draw_rows(documents.size(), sampled, draws)),
      detail::owned_sets(queries,
                         detail::draw_rows(queries.size(), (std::min)(options.most_queries, queries.size()), draws)),
      options.k, candidates, random_bits(draws), executor);

  std::vector<muvera_trial> tried;
  std::optional<std::size_t> best;
  double recall = 0;
  constexpr std::size_t first_bytes = 80;
  bool go = true;
  for (std::size_t bytes = (std::min)(first_bytes, options.bytes_per_document); go;) {
    for (const muvera_trial& trial : detail::encodings_of(documents.cols(), bytes)) {
      tried.push_back(trial);
      const auto [chosen_by, other] = contest.recalls(trial);
      tried.back().recall = chosen_by;
      if (!best || chosen_by > tried[*best].recall) {
        best = tried.size() - 1;
        recall = other;
      }
      go = detail::go_on(progress, {"plan_muvera", tried.size(), tried.size(), 1 - tried[*best].recall});
      if (!go) break;
    }
    if (bytes == options.bytes_per_document || (best && tried[*best].recall >= options.target_recall)) break;
    bytes = (std::min)(2 * bytes, options.bytes_per_document);
  }
  const muvera_trial& chosen = tried[*best];
  return {contest.encoder(chosen.options), chosen.bits, chosen.bytes, recall, std::move(tried)};
}

}  // namespace embit::inline EMBIT_ABI
