// Binary codes grouped by the number of their bits, for similarities that the number alone bounds.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/bits/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/block_run.hpp>
#include <embit/kernel/set_similarity.hpp>
#include <embit/store/block_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// The codes of one popcount, in whole blocks of their own.
struct popcount_group {
  std::uint32_t popcount;   ///< bits set in each
  row_id rows;              ///< how many codes
  std::size_t first_block;  ///< in the segment
  std::size_t first_rank;   ///< of its rows, among all rows of the segment in the order of popcounts

  constexpr std::size_t blocks() const noexcept { return (std::size_t{rows} + block_rows - 1) / block_rows; }
};

/// Adjacent rows of a `popcount_store`, laid out in groups. Immutable.
class popcount_segment {
 public:
  /// @param read  `read(i)` points to the words of row `first_row + i`, until it is called again
  template <class Read>
  popcount_segment(std::size_t bits, std::size_t first_row, std::size_t rows, Read&& read)
      : words_(words_for(bits)), first_row_(first_row), slots_(rows), rows_(rows) {
    std::vector<std::size_t> next(bits + 1, 0);  // rows of a popcount, then the rank of the next of them
    for (std::size_t i = 0; i < rows; ++i) ++next[slots_[i] = detail::set_size({read(i), words_})];
    const std::vector<std::uint32_t> group_of = lay_out(next);
    for (std::size_t i = 0; i < rows; ++i) {
      const popcount_group& group = groups_[group_of[slots_[i]]];
      const std::size_t rank = next[group.popcount]++;
      rows_[rank] = static_cast<row_id>(first_row + i);
      slots_[i] = static_cast<std::uint32_t>(group.first_block * block_rows + (rank - group.first_rank));
      detail::write_lane(blocks_.data(), words_, slots_[i], read(i));
    }
  }

  std::size_t first_row() const noexcept { return first_row_; }
  std::size_t size() const noexcept { return rows_.size(); }

  /// By ascending popcount; none is empty.
  std::span<const popcount_group> groups() const& noexcept { return groups_; }
  std::span<const popcount_group> groups() const&& = delete;

  /// Blocks [first, last) of a group, counted within it; rows of the run are numbered from 0.
  block_run run(const popcount_group& group, std::size_t first, std::size_t last) const& noexcept {
    return {blocks_.data() + (group.first_block + first) * block_rows * words_, words_, 0,
            std::min(last * block_rows, std::size_t{group.rows}) - first * block_rows};
  }
  block_run run(const popcount_group&, std::size_t, std::size_t) const&& = delete;

  /// The row ids of a group, in the order of its lanes: ascending.
  std::span<const row_id> rows_of(const popcount_group& group) const& noexcept {
    return std::span(rows_).subspan(group.first_rank, group.rows);
  }
  std::span<const row_id> rows_of(const popcount_group&) const&& = delete;

  /// @param row  of the store
  void copy_row(std::size_t row, std::span<word> out) const noexcept {
    detail::copy_lane(blocks_.data(), words_, slots_[row - first_row_], out);
  }

  std::size_t memory() const noexcept {
    return blocks_.capacity() * sizeof(word) + groups_.capacity() * sizeof(popcount_group) +
           slots_.capacity() * sizeof(std::uint32_t) + rows_.capacity() * sizeof(row_id);
  }

 private:
  // Makes the groups from the numbers of rows of each popcount, which become first ranks. Returns where each
  // popcount's group is.
  std::vector<std::uint32_t> lay_out(std::vector<std::size_t>& count) {
    std::vector<std::uint32_t> group_of(count.size(), 0);
    std::size_t block = 0, rank = 0;
    for (std::size_t p = 0; p < count.size(); ++p) {
      if (count[p] == 0) continue;
      group_of[p] = static_cast<std::uint32_t>(groups_.size());
      groups_.push_back({static_cast<std::uint32_t>(p), static_cast<row_id>(count[p]), block, rank});
      block += groups_.back().blocks();
      rank += count[p];
      count[p] = groups_.back().first_rank;
    }
    blocks_.assign(block * block_rows * words_, 0);
    return group_of;
  }

  std::size_t words_;
  std::size_t first_row_;
  aligned_vector<word> blocks_;
  std::vector<popcount_group> groups_;
  std::vector<std::uint32_t> slots_;  // of each row, its place in the blocks, counted in lanes
  std::vector<row_id> rows_;          // in the order of the groups
};

/// Owned binary codes in interleaved blocks, grouped by popcount, so that every block has one popcount and a search
/// by set similarity passes over the groups that cannot score well enough. Rows are numbered as they come. Appended
/// rows form a segment of groups of their own, joined with the segments before it once these are not much larger;
/// there are O(log rows) segments. A copy shares the segments.
template <std::size_t Bits = dynamic>
class popcount_store {
 public:
  using code_type = code_span<Bits>;
  static constexpr bool in_row_order = false;  ///< a scan meets rows in the order of the groups

  popcount_store() requires(Bits != dynamic) = default;

  /// An empty store of `bits`-bit codes.
  /// @throws error errc::shape when `bits` is 0 or not the static width.
  explicit popcount_store(std::size_t bits) : bits_(bits) {
    if (bits == 0) raise(errc::shape, "popcount_store: bits is 0");
    if (Bits != dynamic && bits != Bits)
      raise(errc::shape, "popcount_store: ", bits, " bits where ", Bits, " are fixed");
  }

  /// The codes of `codes`. O(size · words).
  /// @throws error errc::argument for bits set beyond the width.
  template <std::size_t Other>
  explicit popcount_store(code_view<Other> codes) : popcount_store(codes.bits()) {
    append(code_view<>(codes));
  }

  /// The given rows of any store of codes, in the given order.
  template <CodeStore Store>
  popcount_store(const Store& source, std::span<const row_id> rows) : popcount_store(source.bits()) {
    if (rows.empty()) return;
    require_rows(rows.size());
    std::vector<word> code(words());
    segments_.push_back(std::make_shared<popcount_segment>(bits(), 0, rows.size(), [&](std::size_t i) {
      source.copy_row(rows[i], code);
      return std::as_const(code).data();
    }));
  }

  std::size_t size() const noexcept {
    return segments_.empty() ? 0 : segments_.back()->first_row() + segments_.back()->size();
  }
  std::size_t bits() const noexcept { return Bits == dynamic ? bits_ : Bits; }
  std::size_t words() const noexcept { return words_for(bits()); }

  /// Copies a row into `out`, which has `words()` words. O(words + log segments).
  void copy_row(std::size_t row, std::span<word> out) const noexcept {
    EMBIT_ASSERT(row < size() && out.size() >= words());
    const auto after = std::partition_point(segments_.begin(), segments_.end(),
                                            [row](const auto& s) { return s->first_row() <= row; });
    (*std::prev(after))->copy_row(row, out);
  }

  std::size_t segments() const noexcept { return segments_.size(); }
  /// Segments hold adjacent rows, in ascending order; the first is the largest.
  const popcount_segment& segment(std::size_t i) const& noexcept { return *segments_[i]; }
  const popcount_segment& segment(std::size_t) const&& = delete;

  /// Appends codes; returns the row of the first. O(log rows · words) a code, amortized.
  /// @throws error errc::shape for another width, errc::argument for bits set beyond the width or too many rows;
  /// the store is unchanged then.
  row_id append(code_view<> codes) {
    const std::size_t added_first = size();
    if (codes.empty()) return static_cast<row_id>(added_first);
    if (codes.bits() != bits()) raise(errc::shape, "codes: ", codes.bits(), " bits, the store holds codes of ", bits());
    require_clean_tails(codes, "codes");
    require_rows(added_first + codes.size());

    std::size_t kept = segments_.size(), first = added_first;
    const std::size_t last = added_first + codes.size();
    while (kept != 0 && segments_[kept - 1]->size() <= joined_ratio * (last - first))
      first = segments_[--kept]->first_row();
    std::vector<word> code(words());
    auto joined = std::make_shared<popcount_segment>(bits(), first, last - first, [&](std::size_t i) {
      if (first + i >= added_first) return codes[first + i - added_first].data();
      copy_row(first + i, code);
      return std::as_const(code).data();
    });
    segments_.reserve(kept + 1);
    segments_.resize(kept);
    segments_.push_back(std::move(joined));
    return static_cast<row_id>(added_first);
  }

  /// Bytes allocated, padding of the groups and tables of the rows included.
  std::size_t memory() const noexcept {
    std::size_t bytes = 0;
    for (const auto& s : segments_) bytes += s->memory();
    return bytes;
  }

 private:
  static constexpr std::size_t joined_ratio = 4;

  // Row ids number lanes too, those that pad the groups among them.
  void require_rows(std::size_t rows) const { detail::require_row_count(rows + (block_rows - 1) * (bits() + 1)); }

  std::vector<std::shared_ptr<const popcount_segment>> segments_;
  std::size_t bits_ = Bits == dynamic ? 0 : Bits;
};

static_assert(CodeStore<popcount_store<>> && CodeStore<popcount_store<256>>);

template <std::size_t Bits>
popcount_store(code_view<Bits>) -> popcount_store<Bits>;

}  // namespace embit::inline EMBIT_ABI
