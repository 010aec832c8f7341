// Binary codes grouped by the number of their bits, for similarities that the number alone bounds.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/block_run.hpp>
#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/grow.hpp>
#include <embit/core/shared_value.hpp>
#include <embit/core/types.hpp>
#include <embit/fwd.hpp>
#include <embit/kernel/set_similarity.hpp>
#include <embit/store/block_store.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Codes of one popcount, in whole blocks of their own.
struct popcount_group {
  std::uint32_t popcount;   ///< bits set in each
  row_id rows;              ///< how many codes
  std::size_t first_block;  ///< in the segment
  std::size_t room;         ///< blocks that it may fill

  constexpr std::size_t blocks() const noexcept { return (std::size_t{rows} + block_rows - 1) / block_rows; }
};

/// Adjacent rows of a `popcount_store`, laid out in groups: one for each popcount, and more where rows were added that
/// it had no room for.
class popcount_segment {
 public:
  /// @param read  `read(i)` points to the words of row `first_row + i`, until it is called again
  template <class Read>
  popcount_segment(std::size_t bits, std::size_t first_row, std::size_t rows, Read&& read)
      : words_(words_for(bits)), first_row_(first_row), slots_(rows) {
    std::vector<std::size_t> next(bits + 1, 0);  // rows of a popcount, then the lane of the next of them
    for (std::size_t i = 0; i < rows; ++i) ++next[slots_[i] = size_of(read(i))];
    lay_out(next);
    for (std::size_t i = 0; i < rows; ++i) {
      const std::size_t lane = next[slots_[i]]++;
      put(i, lane, read(i));
    }
  }

  std::size_t first_row() const noexcept { return first_row_; }
  std::size_t size() const noexcept { return slots_.size(); }

  /// By ascending popcount.
  std::span<const popcount_group> groups() const& noexcept { return groups_; }
  std::span<const popcount_group> groups() const&& = delete;

  /// Blocks [first, last) of a group, counted within it; rows of the run are numbered from 0.
  block_run run(const popcount_group& group, std::size_t first, std::size_t last) const& noexcept {
    return {blocks_.data() + (group.first_block + first) * block_rows * words_, words_, 0,
            (std::min)(last * block_rows, std::size_t{group.rows}) - first * block_rows};
  }
  block_run run(const popcount_group&, std::size_t, std::size_t) const&& = delete;

  /// The row ids of a group, in the order of its lanes: ascending.
  std::span<const row_id> rows_of(const popcount_group& group) const& noexcept {
    return std::span(rows_).subspan(group.first_block * block_rows, group.rows);
  }
  std::span<const row_id> rows_of(const popcount_group&) const&& = delete;

  /// @param row  of the store
  void copy_row(std::size_t row, std::span<word> out) const noexcept {
    detail::copy_lane(blocks_.data(), words_, slots_[row - first_row_], out);
  }

  /// Adds a row at the end, in the last group of its popcount or in a new one; nothing moves but what growing vectors
  /// move. Amortized O(words + log groups).
  void append(const word* code) {
    const std::uint32_t popcount = size_of(code);
    const auto after = std::partition_point(groups_.begin(), groups_.end(),
                                            [&](const popcount_group& g) { return g.popcount <= popcount; });
    auto at = static_cast<std::size_t>(after - groups_.begin());
    const bool known = at != 0 && groups_[at - 1].popcount == popcount;
    reserve_more(slots_, 1);
    if (known && groups_[at - 1].rows < groups_[at - 1].room * block_rows)
      --at;
    else
      add_group(at, popcount, known ? (std::min)(2 * groups_[at - 1].room, most_room) : 1);
    slots_.push_back(0);
    popcount_group& group = groups_[at];
    put(slots_.size() - 1, group.first_block * block_rows + group.rows++, code);
  }

  std::size_t memory() const noexcept {
    return blocks_.capacity() * sizeof(word) + groups_.capacity() * sizeof(popcount_group) +
           slots_.capacity() * sizeof(std::uint32_t) + rows_.capacity() * sizeof(row_id);
  }

 private:
  static constexpr std::size_t most_room = 512;  // blocks of a group that is made for rows to come

  std::uint32_t size_of(const word* code) const noexcept { return detail::set_size({code, words_}); }

  // Makes the groups from the numbers of rows of each popcount, which become first lanes.
  void lay_out(std::vector<std::size_t>& count) {
    std::size_t block = 0;
    for (std::size_t p = 0; p < count.size(); ++p) {
      if (count[p] == 0) continue;
      const popcount_group group{static_cast<std::uint32_t>(p), static_cast<row_id>(count[p]), block, 0};
      groups_.push_back(group);
      groups_.back().room = group.blocks();
      count[p] = block * block_rows;
      block += group.blocks();
    }
    add_blocks(block);
  }

  void add_group(std::size_t at, std::uint32_t popcount, std::size_t room) {
    reserve_more(groups_, 1);
    const std::size_t block = rows_.size() / block_rows;
    add_blocks(room);
    groups_.insert(groups_.begin() + static_cast<std::ptrdiff_t>(at), popcount_group{popcount, 0, block, room});
  }

  void add_blocks(std::size_t count) {
    reserve_more(blocks_, count * block_rows * words_);
    reserve_more(rows_, count * block_rows);
    blocks_.resize(blocks_.size() + count * block_rows * words_, 0);
    rows_.resize(rows_.size() + count * block_rows, 0);
  }

  void put(std::size_t i, std::size_t lane, const word* code) noexcept {
    rows_[lane] = static_cast<row_id>(first_row_ + i);
    slots_[i] = static_cast<std::uint32_t>(lane);
    detail::write_lane(blocks_.data(), words_, lane, code);
  }

  std::size_t words_;
  std::size_t first_row_;
  aligned_vector<word> blocks_;
  std::vector<popcount_group> groups_;
  std::vector<std::uint32_t> slots_;  // of each row, its place in the blocks, counted in lanes
  std::vector<row_id> rows_;          // of each lane
};

/// Owned binary codes in interleaved blocks, grouped by popcount, so that every block has one popcount and a search
/// by set similarity passes over the groups that cannot score well enough. Rows are numbered as they come. Appended
/// rows form a segment of groups of their own, which later ones are added to. A copy shares the segments; what is
/// appended then is a new segment, joined with those before it that are not much larger: there are O(log rows) of them.
template <std::size_t Bits>
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
    fingerprint_ = codes.fingerprint();
    append(code_view<>(codes));
    grows_ = false;
  }

  /// The given rows of any store of codes, in the given order.
  template <CodeStore Store>
  popcount_store(const Store& source, std::span<const row_id> rows) : popcount_store(source.bits()) {
    fingerprint_ = detail::known_fingerprint(source);
    if (rows.empty()) return;
    require_rows(rows.size());
    std::vector<word> code(words());
    segments_.emplace_back(popcount_segment(bits(), 0, rows.size(), [&](std::size_t i) {
      source.copy_row(rows[i], code);
      return std::as_const(code).data();
    }));
  }

  std::size_t size() const noexcept {
    return segments_.empty() ? 0 : segments_.back()->first_row() + segments_.back()->size();
  }
  std::size_t bits() const noexcept { return Bits == dynamic ? bits_ : Bits; }
  std::size_t words() const noexcept { return words_for(bits()); }
  /// Of the encoder that made the codes; 0: not known.
  encoder_fingerprint fingerprint() const noexcept { return fingerprint_; }

  /// Copies a row into `out`, which has `words()` words. O(words + log segments).
  void copy_row(std::size_t row, std::span<word> out) const noexcept {
    EMBIT_ASSERT(row < size() && out.size() >= words());
    const auto after = std::partition_point(segments_.begin(), segments_.end(),
                                            [row](const auto& s) { return s->first_row() <= row; });
    (*std::prev(after))->copy_row(row, out);
  }

  std::size_t segments() const noexcept { return segments_.size(); }
  /// Segments hold adjacent rows, in ascending order.
  const popcount_segment& segment(std::size_t i) const& noexcept { return *segments_[i]; }
  const popcount_segment& segment(std::size_t) const&& = delete;

  /// Appends codes; returns the row of the first. Amortized O(words) a code, or O(log rows · words) where every code is
  /// appended to a store whose segments a copy shares.
  /// @throws error errc::shape for another width, errc::argument for bits set beyond the width or too many rows;
  /// the store is unchanged then.
  row_id append(code_view<> codes) {
    const std::size_t added_first = size();
    check_append(codes);
    if (codes.empty()) return static_cast<row_id>(added_first);
    const encoder_fingerprint joined = detail::joined_fingerprint(codes.fingerprint(), fingerprint_, added_first);

    if (codes.size() == 1 && last_grows())
      segments_.back().owned().append(codes[0].data());
    else
      join(codes);
    fingerprint_ = joined;
    return static_cast<row_id>(added_first);
  }

  /// Whether codes can be appended.
  /// @throws error as `append` does.
  void check_append(code_view<> codes) const {
    if (codes.empty()) return;
    if (codes.bits() != bits()) raise(errc::shape, "codes: ", codes.bits(), " bits, the store holds codes of ", bits());
    require_clean_tails(codes, "codes");
    static_cast<void>(detail::joined_fingerprint(codes.fingerprint(), fingerprint_, size()));
    require_rows(size() + codes.size());
  }

  /// Bytes allocated, padding of the groups and tables of the rows included.
  std::size_t memory() const noexcept {
    std::size_t bytes = 0;
    for (const auto& s : segments_) bytes += s->memory();
    return bytes;
  }

  /// Files are those of any store of codes: in the order of the rows.
  static constexpr file_kind file = detail::codes_file;
  file_kind saved_as() const noexcept { return detail::codes_file_of(fingerprint_); }
  void write_to(const section_writer& out) const { detail::write_codes(out, *this); }
  /// @throws error errc::format, errc::checksum or errc::io.
  static popcount_store read_from(const section_reader& in) {
    const auto codes = code_store<Bits>::read_from(in);
    return popcount_store(codes.view());
  }

 private:
  static constexpr std::size_t joined_ratio = 4;

  // Row ids number lanes too, those that pad the groups among them.
  void require_rows(std::size_t rows) const { detail::require_row_count(rows + (block_rows - 1) * (bits() + 1)); }

  bool last_grows() const noexcept {
    constexpr std::size_t most = std::size_t{1} << 29;  // so that lanes, too, have numbers of 32 bits
    return grows_ && !segments_.empty() && !segments_.back().is_shared() && segments_.back()->size() < most;
  }

  // Makes a segment of new codes and of the segments before them that are not much larger.
  void join(code_view<> codes) {
    const std::size_t added_first = size(), last = added_first + codes.size();
    std::size_t kept = segments_.size(), first = added_first;
    while (kept != 0 && segments_[kept - 1]->size() <= joined_ratio * (last - first))
      first = segments_[--kept]->first_row();
    std::vector<word> code(words());
    shared_value<popcount_segment> joined(popcount_segment(bits(), first, last - first, [&](std::size_t i) {
      if (first + i >= added_first) return codes[first + i - added_first].data();
      copy_row(first + i, code);
      return std::as_const(code).data();
    }));
    reserve_more(segments_, 1);
    segments_.resize(kept);
    segments_.push_back(std::move(joined));
    grows_ = true;
  }

  std::vector<shared_value<popcount_segment>> segments_;
  std::size_t bits_ = Bits == dynamic ? 0 : Bits;
  encoder_fingerprint fingerprint_ = 0;
  bool grows_ = false;  // the last segment takes in rows one by one; not that which the store was built from
};

static_assert(CodeStore<popcount_store<>> && CodeStore<popcount_store<256>>);

template <std::size_t Bits>
popcount_store(code_view<Bits>) -> popcount_store<Bits>;

}  // namespace embit::inline EMBIT_ABI
