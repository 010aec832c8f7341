// The encoder of levels that finds most for a budget in bytes, chosen on the user's own rows.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/progress.hpp>
#include <embit/core/random.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/encode/chosen_encoder.hpp>
#include <embit/eval/held_out.hpp>
#include <embit/fit/detail/choose/candidates.hpp>
#include <embit/fit/fit_recurrent.hpp>
#include <embit/fit/fit_transform_coder.hpp>
#include <embit/search/exhaustive.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/store/level_store.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct choose_encoder_options {
  embit::metric metric = embit::metric::l2;
  std::size_t bytes_per_row = 0;  ///< of codes with what is kept beside them, at most
  bool symmetric = false;         ///< codes will be compared with codes, by `symmetric()`: the choice is made for that
  bool recurrent = false;         ///< try learned codes too, which takes minutes; for the cosine only
  /// Try product codes of 256 codewords a byte too, at up to a bit a dimension: they often find most, and take several
  /// times as long to scan as all others
  bool wide_product = true;
  std::size_t held_out = 1000;  ///< queries to choose by, a fifth of the rows at most
};

namespace detail {

/// The least that a row takes: a byte of codes, for l2 with the norm of the row.
inline std::size_t least_level_bytes(std::size_t dim, const choose_encoder_options& options) {
  if (options.metric != metric::l2) return 1;
  return 1 + transform_factor_bytes(dim, {.bytes_per_row = options.bytes_per_row});
}

inline void require_choose_options(matrix_view<const float> rows, const choose_encoder_options& options) {
  if (rows.rows() == 0 || rows.cols() == 0)
    raise(errc::argument, "choose_encoder: ", rows.rows(), " x ", rows.cols(), " rows");
  const std::size_t least = least_level_bytes(rows.cols(), options);
  if (options.bytes_per_row < least)
    raise(errc::argument, "choose_encoder: ", options.bytes_per_row, " bytes a row where ", least, " are the least",
          least > 1 ? ", all but one of them for the norm" : "");
  if (options.recurrent && options.metric != metric::cosine)
    raise(errc::argument, "choose_encoder: recurrent codes are for the cosine alone");
  require_finite(rows, "rows");
}

template <Executor Exec>
std::vector<encoder_candidate> encoder_candidates(std::size_t dim, const choose_encoder_options& options,
                                                  const Exec& executor) {
  const std::size_t bytes = options.bytes_per_row;
  const transform_coder_options within{
      .bytes_per_row = bytes, .metric = options.metric, .symmetric = options.symmetric};
  std::vector<encoder_candidate> all;
  all.push_back({"transform_coder", [=](auto rows, rng draws, const auto& progress) {
                   return std::optional(chosen_encoder(fit_transform_coder(rows, within, draws, progress, executor)));
                 }});
  add_rabitq(dim, options.metric, bytes, all);
  if (bytes < (dim + 7) / 8 + least_level_bytes(dim, options))  // at more than a bit a dimension signs waste bytes
    all.push_back({"sign codes", [=](auto rows, rng draws, const auto& progress) {
                     return std::optional(chosen_encoder(fit_sign_levels(rows, within, draws, progress, executor)));
                   }});
  add_product(dim, options.metric, bytes, options.wide_product, executor, all);
  constexpr std::size_t norm_bytes = sizeof(float);
  if (options.recurrent && bytes > norm_bytes)
    all.push_back({"recurrent", [=](auto rows, rng draws, const auto& progress) {
                     auto found = fit_recurrent(rows, {.bits = 8 * (bytes - norm_bytes)}, draws, progress, executor);
                     return found.bytes_per_row() <= bytes ? std::optional(chosen_encoder(std::move(found)))
                                                           : std::nullopt;  // planes are padded to whole bytes
                   }});
  return all;
}

/// What a kernel finds, by a scan as an index does it.
template <class K>
knn_result<float> nearest_codes(const K& kernel, const level_store& codes, const typename K::query_view& queries,
                                std::size_t k, const executor_ref& executor) {
  knn_result<float> found;
  found.reset(queries.size(), (std::min)(k, codes.size()));
  knn_workspace<K, level_store> work;
  exhaustive_knn(kernel, codes, executor, queries, row_choice(), found, work, nullptr);
  return found;
}

template <Executor Exec>
double recall_of(const chosen_encoder& encoder, const held_out& held, bool symmetric, const Exec& executor) {
  const level_store codes = encoder.encode(held.rows(), executor);
  const std::size_t k = held.truth().k();
  if (!symmetric) return held.recall(nearest_codes(encoder.estimator(), codes, held.queries(), k, executor));
  const level_store asked = encoder.encode(held.queries(), executor);
  return held.recall(nearest_codes(encoder.symmetric(), codes, asked.view(), k, executor));
}

/// Some rows ask for their nearest ten among others, to which encoders are fitted; nothing where rows are too few to
/// tell encoders apart.
template <Executor Exec>
std::optional<held_out> held_out_to_choose(matrix_view<const float> rows, const choose_encoder_options& options,
                                           rng& draws, const Exec& executor) {
  constexpr std::size_t least_rows = 80, most_rows = 16384, neighbors = 10;
  if (rows.rows() < least_rows || options.held_out == 0) return {};
  const std::size_t asked = (std::min)(options.held_out, rows.rows() / 5);
  const std::size_t base = (std::min)(most_rows, rows.rows() - asked);
  const std::vector<row_id> drawn = draw_rows(rows.rows(), asked + base, draws);
  return held_out(matrix<float>(rows, std::span(drawn).subspan(asked)),
                  matrix<float>(rows, std::span(drawn).first(asked)), options.metric, neighbors, executor);
}

/// The candidates one after another, and the best so far.
template <Executor Exec>
class encoder_contest {
 public:
  encoder_contest(std::vector<encoder_candidate> all, const choose_encoder_options& options, std::uint64_t seed,
                  const progress_callback& progress, const Exec& executor)
      : all_(std::move(all)),
        options_(&options),
        seed_(seed),
        progress_([this, &progress](const progress_report& report) {
          stopped_ = stopped_ || !go_on(progress, report);
          return !stopped_;
        }),
        executor_(&executor) {}
  encoder_contest(const encoder_contest&) = delete;
  encoder_contest& operator=(const encoder_contest&) = delete;

  chosen_encoder run(matrix_view<const float> rows, const std::optional<held_out>& held) {
    if (held)
      for (std::size_t i = 0; i < all_.size() && !stopped_; ++i) judge(i, *held);
    if (best_ && (stopped_ || held->rows().rows() == rows.rows())) return {*best_, std::move(tried_)};
    const std::size_t chosen = best_ ? best_number_ : 0;
    const auto refitted = fit(chosen, rows);
    if (!refitted) return {*best_, std::move(tried_)};
    if (!best_) tried_.push_back({all_[chosen].name, refitted->bytes_per_row(), {}});
    return {*refitted, std::move(tried_)};
  }

 private:
  std::optional<chosen_encoder> fit(std::size_t i, matrix_view<const float> rows) const {
    return all_[i].fit(rows, rng(seed_).split(i), progress_);
  }

  void judge(std::size_t i, const held_out& held) {
    auto encoder = fit(i, held.rows());
    if (!encoder) return;
    const double recall = recall_of(*encoder, held, options_->symmetric, *executor_);
    const std::size_t bytes = encoder->bytes_per_row();
    tried_.push_back({all_[i].name, bytes, recall});
    if (!best_ || recall > best_recall_ || (recall == best_recall_ && bytes < best_->bytes_per_row())) {
      best_ = std::move(encoder);
      best_recall_ = recall;
      best_number_ = i;
    }
    progress_({"choose_encoder", i + 1, all_.size(), 1 - best_recall_});
  }

  std::vector<encoder_candidate> all_;
  const choose_encoder_options* options_;
  std::uint64_t seed_;
  bool stopped_ = false;
  progress_callback progress_;
  const Exec* executor_;
  std::optional<chosen_encoder> best_;
  double best_recall_ = 0;
  std::size_t best_number_ = 0;
  std::vector<encoder_trial> tried_;
};

}  // namespace detail

/// The encoder for rows like these that finds most of the nearest ten with so many bytes a row: transform codes, RaBitQ
/// of the bits that fit, at up to a bit a dimension signs of rotated principal directions as levels of 1 bit and
/// product codes of 16 and of 256 codewords, and recurrent codes where they are asked for. Each is fitted to up to
/// 16384 of the rows and judged by what float queries find in a scan, or codes of queries with `symmetric`, of rows
/// held out; the best is fitted again to all rows. `tried()` of what is returned has the whole table. Takes as long as
/// the encoders take together. The rows that are found are those that it was fitted to: where they are few, codewords
/// come close to being the rows themselves, and rows that are added later are found less often; `wide_product = false`
/// then.
/// @param rows      n × dim. Fewer than 80 are too few to choose by: they get transform codes. Zero rows and constant
///                  columns are no errors; rows need not be of length 1 for the cosine. What 8 bits a dimension do not
///                  take of the bytes is left.
/// @param progress  told of what each encoder tells of, and after each ("choose_encoder", 1 − the best recall). False
///                  stops and keeps the best so far, as it was fitted to rows that were not held out.
/// @throws error errc::argument for no rows or columns, for fewer bytes than a code with its norm takes, for recurrent
///         codes of another metric than the cosine; errc::not_finite naming the row.
template <std::uniform_random_bit_generator Engine, Executor Exec = inline_executor>
chosen_encoder choose_encoder(matrix_view<const float> rows, choose_encoder_options options, Engine& engine,
                              const progress_callback& progress = {}, const Exec& executor = {}) {
  detail::require_choose_options(rows, options);
  rng draws(random_bits(engine));
  const auto held = detail::held_out_to_choose(rows, options, draws, executor);
  detail::encoder_contest contest(detail::encoder_candidates(rows.cols(), options, executor), options,
                                  random_bits(draws), progress, executor);
  return contest.run(rows, held);
}

}  // namespace embit::inline EMBIT_ABI
