// Rows of a join by the bucket of their key: one table.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/types.hpp>
#include <embit/search/detail/join/bucket_sort.hpp>
#include <embit/search/detail/join/rows.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Rows by the bucket of their key, with some words of their codes.
class sorted_rows {
 public:
  aligned_vector<std::uint32_t> start;  ///< of each bucket, and the end of the last
  aligned_vector<word> codes;
  aligned_vector<row_id> ids;

  std::size_t size(std::size_t bucket) const noexcept { return start[bucket + 1] - start[bucket]; }
  join_rows rows(const join_rows& of, std::size_t bucket) const noexcept {
    return {of.data, of.words, ids.data() + start[bucket], size(bucket)};
  }

  /// By the upper half of the key first, then each part by the lower half within a cache: to write to all buckets at
  /// once takes more lines and pages than a cache holds.
  /// @param kept  which words of the codes to keep, ascending
  void assign(const join_rows& rows, const join_key& key, std::span<const std::size_t> kept,
              const executor_ref& executor) {
    const std::size_t lower = key.length() / 2;
    const bool whole = kept.size() == rows.words;
    codes.resize(rows.size * kept.size());
    ids.resize(rows.size);
    lowers_.resize(whole ? 0 : rows.size);
    key.for_many([&](auto key_of) {
      split(rows, key.length() - lower, lower, kept, executor, key_of);
      start.resize((std::size_t{1} << key.length()) + 1);
      start.back() = static_cast<std::uint32_t>(rows.size);
      const std::uint32_t mask = mask_of(lower);
      if (whole)
        sort_parts(kept.size(), lower, executor, [=](std::size_t, const word* code) { return key_of(code) & mask; });
      else
        sort_parts(kept.size(), lower, executor,
                   [=, all = lowers_.data()](std::size_t i, const word*) { return std::uint32_t{all[i]}; });
    });
  }

 private:
  struct part_copy {
    std::vector<word> codes;
    std::vector<row_id> ids;
    std::vector<std::uint32_t> places;
  };

  static std::uint32_t mask_of(std::size_t bits) noexcept { return (std::uint32_t{1} << bits) - 1; }

  template <class KeyOf>
  void split(const join_rows& rows, std::size_t upper, std::size_t lower, std::span<const std::size_t> kept,
             const executor_ref& executor, const KeyOf& key_of) {
    sort_into_buckets(
        executor, rows.size, std::size_t{1} << upper, part_start_,
        [=](std::size_t i) { return key_of(rows.code(i)) >> lower; },
        [=, count = kept.size(), only = kept[0], all = kept.data(), to = codes.data(), to_id = ids.data(),
         to_lower = lowers_.empty() ? nullptr : lowers_.data(), mask = mask_of(lower)](std::size_t i, std::size_t at) {
          const word* const code = rows.code(i);
          to_id[at] = rows.id(i);
          to[at * count] = code[only];
          for (std::size_t w = 1; w < count; ++w) to[at * count + w] = code[all[w]];
          if (to_lower != nullptr) to_lower[at] = static_cast<std::uint16_t>(key_of(code) & mask);
        });
  }

  /// @param lower_of  the lower half of the key of a row, by its place among the parts and what is kept of its code
  template <class LowerOf>
  void sort_parts(std::size_t count, std::size_t lower, const executor_ref& executor, const LowerOf& lower_of) {
    std::vector<part_copy> copies(executor.concurrency());
    run_bulk(executor, part_start_.size() - 1, [&](std::size_t part, std::size_t worker) {
      sort_part(part_start_[part], part_start_[part + 1], count,
                std::span(start).subspan(part << lower, std::size_t{1} << lower), copies[worker], lower_of);
    });
  }

  template <class LowerOf>
  void sort_part(std::size_t first, std::size_t last, std::size_t count, std::span<std::uint32_t> bucket_start,
                 part_copy& copy, LowerOf lower_of) {
    word* const to = codes.data();
    row_id* const to_id = ids.data();
    copy.codes.assign(to + first * count, to + last * count);
    copy.ids.assign(to_id + first, to_id + last);
    copy.places.assign(bucket_start.size(), 0);
    const word* const from = copy.codes.data();
    const row_id* const from_id = copy.ids.data();
    std::uint32_t* const places = copy.places.data();
    for (std::size_t i = first; i < last; ++i) ++places[lower_of(i, from + (i - first) * count)];
    auto sum = static_cast<std::uint32_t>(first);
    for (std::size_t b = 0; b < bucket_start.size(); ++b) {
      bucket_start[b] = sum;
      sum += places[b];
      places[b] = bucket_start[b];
    }
    for (std::size_t i = first; i < last; ++i) {
      const word* const code = from + (i - first) * count;
      const std::size_t at = places[lower_of(i, code)]++;
      to_id[at] = from_id[i - first];
      to[at * count] = code[0];
      for (std::size_t w = 1; w < count; ++w) to[at * count + w] = code[w];
    }
  }

  aligned_vector<std::uint32_t> part_start_;
  aligned_vector<std::uint16_t> lowers_;  // halves of keys, where a table does not have all of a code
};

}  // namespace embit::inline EMBIT_ABI::detail
