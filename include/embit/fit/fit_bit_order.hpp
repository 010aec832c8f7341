// An order of the bits of codes in which short prefixes find the most: for funnels over nested codes.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/codes/prefix_steps.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/progress.hpp>
#include <embit/core/random.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/encode/bit_permutation.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/fit/detail/bit_order/orders.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/search/exhaustive.hpp>
#include <embit/search/row_choice.hpp>
#include <embit/store/block_store.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct fit_bit_order_options {
  std::vector<std::size_t> widths =
      {};                           ///< that prefixes are to be good at; none: an eighth, a quarter, half of the bits
  std::size_t k = 10;               ///< neighbours by all bits that prefixes are to find
  std::size_t queries = 600;        ///< codes that ask for them: a third each to learn, to choose and to report
  std::size_t rows = 10'000;        ///< codes among which they are
  progress_callback progress = {};  ///< stopping it gives the best order there is
};

/// An order of bits, and what it is worth: the share of the k nearest codes by all bits that are among the 4 k nearest
/// by a prefix, a mean over the widths, of codes that neither order nor choice was learned from.
struct fitted_bit_order {
  bit_permutation order;
  double recall = 0;           ///< in this order
  double recall_as_given = 0;  ///< in the order in which the bits were
};

namespace detail {

/// Codes that ask, codes that are asked for, and which of these are the neighbours.
class prefix_trial {
 public:
  prefix_trial(code_store<> rows, code_store<> queries, std::size_t k)
      : rows_(std::move(rows)), queries_(std::move(queries)), k_((std::min)(k, rows_.size())) {
    truth_ = nearest(rows_, queries_, k_);
  }

  /// Of the neighbours, the share that prefixes in an order find.
  double recall(const bit_permutation& order, std::span<const std::size_t> widths) const {
    const code_store<> rows = order(rows_.view()), queries = order(queries_.view());
    std::vector<word> of_rows, of_queries;
    double sum = 0;
    for (const std::size_t width : widths) {
      const std::size_t most = (std::min)(4 * k_, rows.size());
      sum += mean_recall(
          truth_, nearest(first_bits(rows, width, of_rows), first_bits(queries, width, of_queries), most), k_, most);
    }
    return sum / static_cast<double>(widths.size());
  }

  /// Where queries differ from their neighbours, and from as many other rows.
  std::pair<code_store<>, code_store<>> differences(rng& draws) const {
    const std::size_t words = rows_.words();
    code_store<> near_by(queries_.size() * k_, rows_.bits()), apart(queries_.size() * k_, rows_.bits());
    for (std::size_t q = 0; q < queries_.size(); ++q)
      for (std::size_t i = 0; i < k_; ++i)
        for (std::size_t w = 0; w < words; ++w) near_by.row(q * k_ + i)[w] = queries_[q][w] ^ rows_[truth_[q][i].id][w];
    for (std::size_t i = 0; i < apart.size(); ++i) {
      const std::size_t row = uniform_index(draws, rows_.size());
      for (std::size_t w = 0; w < words; ++w) apart.row(i)[w] = queries_[i / k_][w] ^ rows_[row][w];
    }
    return {std::move(near_by), std::move(apart)};
  }

  code_view<> rows() const noexcept { return rows_; }

 private:
  static knn_result<std::uint32_t> nearest(code_view<> rows, code_view<> queries, std::size_t k) {
    const block_store<> store(rows);
    knn_workspace<hamming, block_store<>> work;
    knn_result<std::uint32_t> found;
    found.reset(queries.size(), k);
    const inline_executor here;
    exhaustive_knn(hamming{}, store, here, queries, row_choice(), found, work, nullptr);
    return found;
  }

  code_store<> rows_, queries_;
  std::size_t k_;
  knn_result<std::uint32_t> truth_;
};

}  // namespace detail

/// Fits an order of bits whose prefixes tell near codes from others, for `prefix_index`: rows and queries then go
/// through `order`. Two are tried, one that takes bits by how well distances by those taken tell neighbours from other
/// codes, and one by their variance beside those taken, as principal components are ordered; which of them, or the
/// order as given, finds the most is decided on other codes. Codes whose bits are alike, such as random hyperplanes
/// make, have little to gain. The same seed gives the same order. O(bits² · (pairs + rows) / 64 + bits³).
/// @param codes  a sample of the rows will do; fewer than 30 keep their order
/// @throws error errc::argument for widths that are 0 or beyond the codes, for k, queries or rows of 0 and for bits set
/// beyond the width.
template <std::uniform_random_bit_generator Rng>
fitted_bit_order fit_bit_order(code_view<> codes, const fit_bit_order_options& options, Rng& rng_of_user) {
  constexpr std::size_t fewest = 30;
  const std::size_t bits = codes.bits();
  if (options.k == 0 || options.queries == 0 || options.rows == 0)
    raise(errc::argument, "fit_bit_order: k ", options.k, ", queries ", options.queries, ", rows ", options.rows,
          ", each of which must be at least 1");
  for (const std::size_t width : options.widths)
    if (width == 0 || width > bits) raise(errc::argument, "widths: ", width, ", not 1 to the ", bits, " bits of codes");
  require_clean_tails(codes, "codes");
  fitted_bit_order best{bit_permutation::identity(bits), 1, 1};
  if (codes.size() < fewest) return best;
  std::vector<std::size_t> widths = options.widths;
  if (widths.empty())
    for (const std::size_t part : {8u, 4u, 2u}) widths.push_back((std::max)(bits / part, std::size_t{1}));

  rng draws{rng_of_user()};
  const std::size_t asking = (std::max)((std::min)(options.queries, codes.size() / 2) / 3, std::size_t{1});
  const std::size_t rows = (std::min)(options.rows, codes.size() - 3 * asking);
  const std::vector<row_id> drawn = detail::draw_rows(codes.size(), 3 * asking + rows, draws);
  const auto trial = [&](std::size_t third) {
    const std::span<const row_id> all(drawn);
    return detail::prefix_trial(code_store<>(codes, all.last(rows)),
                                code_store<>(codes, all.subspan(third * asking, asking)), options.k);
  };

  const detail::prefix_trial learned = trial(0), choosing = trial(1), reporting = trial(2);
  const bit_permutation as_given = best.order;
  double most = choosing.recall(as_given, widths);
  const auto judge = [&](std::vector<std::uint32_t> order, std::size_t done) {
    bit_permutation one(std::move(order));
    const double found = choosing.recall(one, widths);
    if (found > most) best.order = std::move(one);
    most = (std::max)(most, found);
    return detail::go_on(options.progress, {"fit_bit_order", done, 2, most});
  };
  const auto [near_by, apart] = learned.differences(draws);
  if (judge(detail::telling_order(near_by, apart), 1)) judge(detail::variance_order(learned.rows()), 2);
  best.recall = reporting.recall(best.order, widths);
  best.recall_as_given = reporting.recall(as_given, widths);
  return best;
}

}  // namespace embit::inline EMBIT_ABI
