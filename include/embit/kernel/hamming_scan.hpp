// Hamming distances of a batch of queries to interleaved blocks of codes, filtered by a threshold per query.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/bits/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/error.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/block_run.hpp>
#include <embit/kernel/detail/hamming_ops.hpp>
#include <embit/kernel/detail/hamming_portable.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace embit::inline EMBIT_ABI {

/// Queries of one call, prepared for scanning. Immutable, shared by the workers of the call, each with its scratch.
class hamming_batch {
 public:
  /// What one worker writes while it scans; reusable between scans and batches.
  class scratch {
    friend class hamming_batch;
    std::array<detail::hamming_hit, detail::hamming_hit_room> hits_;
  };

  /// No queries.
  hamming_batch() = default;

  /// Copies the queries and chooses the kernel by level, width, and numbers of queries and of `rows` to be scanned.
  /// @throws error errc::unsupported for a level that this machine cannot run.
  hamming_batch(code_view<> queries, std::size_t rows, isa level = active_isa())
      : ops_(&detail::hamming_portable), words_(queries.words()), size_(queries.size()) {
    (void)rows;
    if (!supports(level)) raise(errc::unsupported, "hamming_batch: this machine or build cannot run ", name_of(level));
    if (size_ != 0) queries_.assign(queries.data(), queries.data() + size_ * words_);
  }

  std::size_t size() const noexcept { return size_; }

  /// Offers to `sink` every pair of a query and a row of `run` whose distance is below `sink.threshold(query)`.
  ///
  /// `sink.threshold(query)` gives an unsigned number that may fall as offers are made, and exceeds every distance
  /// where all rows are wanted; it is read from time to time only, so `sink.offer(query, row, distance)` may be called
  /// for rows that are no longer below it. Offers for one query come in ascending order of rows.
  template <class Sink>
  void scan(const block_run& run, scratch& s, Sink& sink) const {
    EMBIT_ASSERT(size_ == 0 || run.words == words_);
    const std::size_t tile = size_ == 1 ? std::max<std::size_t>(run.blocks(), 1) : tile_blocks();
    for (std::size_t first = 0; first < run.blocks(); first += tile)
      for (std::size_t query = 0; query < size_; ++query)
        scan_interleaved(run, first, std::min(first + tile, run.blocks()), query, s, sink);
  }

 private:
  /// Codes that stay in the second-level cache while queries pass over them.
  std::size_t tile_blocks() const noexcept {
    constexpr std::size_t tile_bytes = 128 << 10;
    return std::max<std::size_t>(tile_bytes / (words_ * sizeof(word) * block_rows), detail::hamming_step_blocks);
  }

  template <class Sink>
  void scan_interleaved(const block_run& run, std::size_t first, std::size_t last, std::size_t query, scratch& s,
                        Sink& sink) const {
    while (first < last) {
      const auto stop = ops_->interleaved(run.data, words_, first, last, queries_.data() + query * words_,
                                          sink.threshold(query), s.hits_.data());
      for (std::size_t i = 0; i < stop.hits; ++i)
        if (const auto hit = s.hits_[i]; hit.row < run.rows)
          sink.offer(query, static_cast<row_id>(run.first_row + hit.row), hit.distance);
      first = stop.block;
    }
  }

  const detail::hamming_ops* ops_ = nullptr;
  std::size_t words_ = 0;
  std::size_t size_ = 0;
  aligned_vector<word> queries_;
};

}  // namespace embit::inline EMBIT_ABI
