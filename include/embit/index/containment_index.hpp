// Sets that hold most of a query set, whatever their size: signatures in tables by the sizes of sets.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/codes/plan_bands.hpp>
#include <embit/codes/substring.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/search/band_join.hpp>
#include <embit/store/block_layout.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct containment_options {
  std::size_t bits_per_hash = 1;  ///< of a signature, as `min_hash_options` has it: 1 to 32
  std::size_t partitions = 16;    ///< by size, of as many sets each: more of them look at fewer sets, in more tables
  double recall = .95;  ///< how likely a set that holds the asked share is looked at, at least; above 0, below 1
};

/// What share of a query set is in a set, from the Jaccard similarity of the two and their sizes:
/// J (|Q| + |X|) / ((1 + J) |Q|), at most 1; 0 of sets without elements.
inline double containment_of(double jaccard, std::size_t query_size, std::size_t set_size) noexcept {
  if (query_size == 0 || set_size == 0 || jaccard <= 0) return 0;
  const double both = static_cast<double>(query_size) + static_cast<double>(set_size);
  return (std::min)(1., jaccard * both / ((1 + jaccard) * static_cast<double>(query_size)));
}

/// The least Jaccard similarity of a query set with sets of up to `largest` elements that hold such a share of it:
/// t / (u / q + 1 - t). Zhu, Nargesian, Pu and Miller, "LSH Ensemble: internet-scale domain search", VLDB 2016.
inline double jaccard_of_containment(double share, std::size_t query_size, std::size_t largest) noexcept {
  return (std::min)(1., share / (static_cast<double>(largest) / static_cast<double>(query_size) + 1 - share));
}

/// Finds the sets that hold at least some share of a query set: columns to join with, catalogues that list most of an
/// order, documents that quote one. The Jaccard similarity cannot be asked for that, as it is small for every large
/// set. Sets are cut into partitions by their size, since in each of them a share is a Jaccard similarity, and each has
/// tables of bands of the signatures, sorted, of which a query looks up so long a beginning as its size and share need
/// (Bawa, Condie and Ganesan, "LSH forest", WWW 2005). Where sets of a partition are so much larger than the
/// query that no table finds them likely enough, all of them are compared. Memory: the signatures, 8 bytes a set and
/// size, and 8 a set and table; tables of 32 bits, as many as signatures have room for. Neither sets nor sizes change.
/// Safe to use from many threads.
///
///     const min_hash hash({.hashes = 128, .bits_per_hash = 8}, 1);
///     const containment_index index{hash.encode(sets), sizes, hash.similarity(), {.bits_per_hash = 8}};
///     const auto holders = index.search(hash.encode(queries), query_sizes, .8);
///
/// `Similarity` estimates the Jaccard similarity of two signatures; it has no file of its own, being made of what has.
template <CodeSimilarity Similarity>
class containment_index {
 public:
  using distance_type = float;
  using compare = std::greater<>;
  using result_type = range_result<float>;

  /// O(tables · sets · log sets).
  /// @param signatures  of `min_hash`, one a set
  /// @param sizes       how many elements each set has, equal ones counted once
  /// @throws error errc::shape for another number of sizes, or signatures of less than one hash; errc::argument for a
  ///         recall or a number of bits or partitions out of their range, or bits beyond the width.
  template <Executor Exec = inline_executor>
  containment_index(code_view<> signatures, std::span<const std::size_t> sizes, Similarity similarity,
                    const containment_options& options = {}, const Exec& executor = {})
      : codes_(signatures), sizes_(sizes.begin(), sizes.end()), similarity_(std::move(similarity)), options_(options) {
    require_options();
    detail::require_row_count(codes_.size());
    require_clean_tails(signatures, "signatures");
    require_sizes(sizes, codes_.size());
    if (!codes_.empty()) {
      cut_bands();
      partition_rows();
      sort_tables(executor);
    }
  }

  std::size_t size() const noexcept { return codes_.size(); }
  /// Bits of the signatures.
  std::size_t width() const noexcept { return codes_.bits(); }
  std::size_t partitions() const noexcept { return partitions_.size(); }
  std::size_t tables() const noexcept { return tables_; }
  /// Bytes of signatures, sizes and tables.
  std::size_t memory() const noexcept {
    return codes_.size() * words_for(codes_.bits()) * sizeof(word) + sizes_.capacity() * sizeof(std::size_t) +
           entries_.capacity() * sizeof(std::uint64_t);
  }

  /// Of each query the sets that are estimated to hold at least `share` of it, most first, equals by their number. One
  /// that does is looked at with the recall of the options; the estimate decides, whose deviation a lower share allows
  /// for: that of J is at most 1 / √(4 · hashes) / (1 - 2⁻ᵇ), and of the share (1 + |X| / |Q|) times as much or less.
  /// @param sizes  of the query sets
  /// @param share  above 0, at most 1
  /// @throws error errc::shape for signatures of another width or another number of sizes, errc::argument for an empty
  ///         query set, another share, or bits beyond the width.
  template <Executor Exec = inline_executor>
  result_type search(code_view<> signatures, std::span<const std::size_t> sizes, double share,
                     const Exec& executor = {}) const {
    return search(
        signatures, sizes, share,
        [&](std::size_t query, row_id row) {
          const double jaccard = static_cast<double>(similarity_(signatures[query], codes_[row]));
          return containment_of(jaccard, sizes[query], sizes_[row]);
        },
        executor);
  }

  /// The same by a share that the caller reckons, of the sets themselves where these are at hand: precision is 1 then.
  /// @param holds  (number of the query, row) → share; called from many threads where the executor has several
  template <class Holds, Executor Exec = inline_executor>
    requires std::invocable<const Holds&, std::size_t, row_id> result_type search(code_view<> signatures,
                                                                                  std::span<const std::size_t> sizes,
                                                                                  double share, const Holds& holds,
                                                                                  const Exec& executor = {})
  const {
    require_search(signatures, sizes, share);
    std::vector<std::vector<neighbor<float>>> lists(signatures.size());
    run_ranges(executor, signatures.size(), 1, executor.concurrency() * 4,
               [&](std::size_t first, std::size_t last, std::size_t) {
                 std::vector<row_id> rows;
                 for (std::size_t q = first; q < last; ++q) {
                   look_up(signatures[q], sizes[q], share, rows);
                   for (const row_id row : rows)
                     if (const auto found = static_cast<double>(holds(q, row)); found >= share)
                       lists[q].push_back({row, static_cast<float>(found)});
                   std::ranges::sort(lists[q], neighbor_order<compare>{});
                 }
               });
    return result_type(lists);
  }

  /// How many sets a query is compared with: what its search costs.
  /// @throws error as `search` does.
  std::size_t looked_at(code_view<> signature, std::size_t size, double share) const {
    if (signature.size() != 1) raise(errc::shape, "signature: ", signature.size(), " of them where one is needed");
    require_search(signature, std::span(&size, 1), share);
    std::vector<row_id> rows;
    look_up(signature[0], size, share, rows);
    return rows.size();
  }

 private:
  /// Sets of similar sizes, [first, first + count) of the rows in the order of their sizes.
  struct partition {
    std::size_t first, count;
    std::size_t largest;  // size of a set
  };

  void require_options() const {
    if (options_.bits_per_hash == 0 || options_.bits_per_hash > 32)
      raise(errc::argument, "bits_per_hash: ", options_.bits_per_hash, ", not 1 to 32");
    if (options_.partitions == 0) raise(errc::argument, "partitions: 0, but at least 1 is needed");
    if (!detail::is_between(options_.recall, 0., 1.) || options_.recall == 0 || options_.recall == 1)
      raise(errc::argument, "recall: ", options_.recall, " is not between 0 and 1");
  }
  static void require_sizes(std::span<const std::size_t> sizes, std::size_t sets) {
    if (sizes.size() != sets) raise(errc::shape, "sizes: ", sizes.size(), " of ", sets, " sets");
  }
  void require_search(code_view<> signatures, std::span<const std::size_t> sizes, double share) const {
    if (!codes_.empty() && !signatures.empty() && signatures.bits() != codes_.bits())
      raise(errc::shape, "signatures: of ", signatures.bits(), " bits, the index holds some of ", codes_.bits());
    require_clean_tails(signatures, "signatures");
    require_sizes(sizes, signatures.size());
    for (std::size_t q = 0; q < sizes.size(); ++q)
      if (sizes[q] == 0) raise(errc::argument, "sizes: query ", q, " has no elements, of which none can hold a share");
    if (!detail::is_positive(share) || share > 1)
      raise(errc::argument, "share: ", share, ", not above 0 and at most 1");
  }

  /// As many bands as there are, of as many whole hashes as 32 bits hold.
  void cut_bands() {
    const std::size_t bits = options_.bits_per_hash;
    hashes_ = (std::min)(32 / bits, codes_.bits() / bits);
    if (hashes_ == 0) raise(errc::shape, "signatures: of ", codes_.bits(), " bits where a hash has ", bits);
    tables_ = codes_.bits() / band_bits();
  }
  std::size_t band_bits() const noexcept { return hashes_ * options_.bits_per_hash; }
  /// Its last hashes are its first digits: a query that looks for fewer hashes looks for these.
  std::uint64_t band(code_span<> code, std::size_t table) const noexcept {
    return substring(code, {table * band_bits(), band_bits()});
  }

  void partition_rows() {
    order_.resize(size());
    std::iota(order_.begin(), order_.end(), row_id{0});
    std::ranges::stable_sort(order_, {}, [&](row_id row) { return sizes_[row]; });
    const std::size_t parts = (std::min)(options_.partitions, size());
    for (std::size_t i = 0; i < parts; ++i) {
      const std::size_t first = i * size() / parts, last = (i + 1) * size() / parts;
      partitions_.push_back({first, last - first, sizes_[order_[last - 1]]});
    }
  }

  /// A band and a row are one number, so that sorting them brings equal beginnings together.
  template <Executor Exec>
  void sort_tables(const Exec& executor) {
    entries_.resize(tables_ * size());
    run_bulk(executor, tables_ * partitions_.size(), [&](std::size_t i, std::size_t) {
      const partition& part = partitions_[i % partitions_.size()];
      const std::size_t table = i / partitions_.size();
      const auto into = entries_of(table, part);
      for (std::size_t j = 0; j < part.count; ++j) {
        const row_id row = order_[part.first + j];
        into[j] = band(codes_[row], table) << 32 | row;
      }
      std::ranges::sort(into);
    });
  }
  std::span<std::uint64_t> entries_of(std::size_t table, const partition& part) noexcept {
    return std::span(entries_).subspan(table * size() + part.first, part.count);
  }
  std::span<const std::uint64_t> entries_of(std::size_t table, const partition& part) const noexcept {
    return std::span(entries_).subspan(table * size() + part.first, part.count);
  }

  /// The most hashes of a band with which all tables together find such sets; 0 where not even one hash does.
  std::size_t depth(double jaccard) const noexcept {
    const double agreement = hash_agreement(jaccard, options_.bits_per_hash);
    std::size_t hashes = hashes_;
    while (hashes > 0 && band_plan{tables_, hashes}.chance(agreement) < options_.recall) --hashes;
    return hashes;
  }

  /// The rows that a query is compared with, each once, ascending.
  void look_up(code_span<> code, std::size_t size, double share, std::vector<row_id>& rows) const {
    rows.clear();
    for (const partition& part : partitions_) {
      if (static_cast<double>(part.largest) < share * static_cast<double>(size)) continue;  // too small for the share
      const std::size_t hashes = depth(jaccard_of_containment(share, size, part.largest));
      if (hashes == 0) {
        const auto all = std::span(order_).subspan(part.first, part.count);
        rows.insert(rows.end(), all.begin(), all.end());
        continue;
      }
      for (std::size_t table = 0; table < tables_; ++table) take_equal(code, table, hashes, part, rows);
    }
    std::ranges::sort(rows);
    rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  }

  void take_equal(code_span<> code, std::size_t table, std::size_t hashes, const partition& part,
                  std::vector<row_id>& rows) const {
    const auto entries = entries_of(table, part);
    const std::size_t open = band_bits() - hashes * options_.bits_per_hash;  // bits that may be anything
    const std::uint64_t wanted = band(code, table) >> open;
    const auto beginning = [&](std::uint64_t entry) { return entry >> (32 + open); };
    const auto end = std::ranges::upper_bound(entries, wanted, {}, beginning);
    for (auto entry = std::ranges::lower_bound(entries, wanted, {}, beginning); entry != end; ++entry)
      rows.push_back(static_cast<row_id>(*entry & 0xffffffffu));
  }

  code_store<> codes_;
  std::vector<std::size_t> sizes_;
  Similarity similarity_;
  containment_options options_;
  std::size_t hashes_ = 0;  // of a band
  std::size_t tables_ = 0;
  std::vector<row_id> order_;  // rows, the smallest set first
  std::vector<partition> partitions_;
  std::vector<std::uint64_t> entries_;  // table after table, in each partition after partition
};

template <class Signatures, class Sizes, class Similarity, class... Rest>
containment_index(const Signatures&, const Sizes&, Similarity, const Rest&...) -> containment_index<Similarity>;

}  // namespace embit::inline EMBIT_ABI
