// Labels of 64 bits for rows, both ways.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/error.hpp>
#include <embit/core/grow.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/types.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// The label of every row, and the row of every label in use: rows are numbered from 0, labels are any 64-bit numbers.
/// A row whose label was released keeps it to itself until the rows are numbered anew. 8 bytes a row and 8 to 16 a
/// label in use. Const members may be called from many threads at once.
class id_map {
 public:
  id_map() = default;

  id_map(const id_map&) = default;
  id_map(id_map&&) = default;
  /// Nothing has changed when it throws.
  id_map& operator=(const id_map& other) { return *this = id_map(other); }
  id_map& operator=(id_map&&) = default;
  ~id_map() = default;

  /// Rows, released ones included.
  std::size_t rows() const noexcept { return labels_.size(); }
  /// Labels in use.
  std::size_t size() const noexcept { return used_; }

  bool contains(row_label label) const noexcept { return row_of(label).has_value(); }
  /// The row that has a label. O(1).
  std::optional<row_id> row_of(row_label label) const noexcept {
    if (slots_.empty()) return std::nullopt;
    const row_id row = slots_[find(label)];
    return row == free_slot ? std::nullopt : std::optional(row);
  }
  /// The label that a row has, or had when it was released.
  row_label label_of(row_id row) const noexcept {
    EMBIT_ASSERT(row < labels_.size());
    return labels_[row];
  }
  /// The label of every row, in order.
  std::span<const row_label> labels() const& noexcept { return labels_; }
  std::span<const row_label> labels() const&& = delete;

  /// Makes sure that `count` more rows can be added without allocation. Amortized O(count).
  void reserve(std::size_t count) {
    reserve_more(labels_, count);
    if (2 * (used_ + count) > slots_.size()) rehash(used_ + count);
  }

  /// Gives the next row a label that is not in use. Amortized O(1).
  /// @throws error errc::argument for a label in use; nothing has changed then.
  void add(row_label label) {
    if (contains(label)) raise(errc::argument, "label: ", label, " is in use already");
    reserve(1);
    slots_[find(label)] = static_cast<row_id>(labels_.size());
    labels_.push_back(label);
    ++used_;
  }

  /// Takes a label out of use; returns the row that had it, if any. O(1).
  std::optional<row_id> release(row_label label) noexcept {
    const auto row = row_of(label);
    if (!row) return row;
    close_gap(find(label));
    --used_;
    return row;
  }

  /// The same rows under new numbers: `survivors[i]` becomes row i, in whose order labels then come; the others, which
  /// must have been released, are forgotten.
  void renumber(std::span<const row_id> survivors) { *this = renumbered(survivors); }
  /// The same as a map beside this one.
  id_map renumbered(std::span<const row_id> survivors) const {
    id_map map;
    map.reserve(survivors.size());
    for (const row_id row : survivors) map.add(labels_[row]);
    return map;
  }

  std::size_t memory() const noexcept {
    return labels_.capacity() * sizeof(row_label) + slots_.capacity() * sizeof(row_id);
  }

  /// The section that an index saves: "labels", the label of every row as u64.
  void write_to(const section_writer& out) const { out.add("labels", labels()); }

  /// @param in_use  says of a row whether its label is in use
  /// @throws error errc::format for another number of labels than `rows` or one in use twice, errc::checksum, errc::io.
  template <class InUse>
  static id_map read_from(const section_reader& in, std::size_t rows, InUse&& in_use) {
    id_map map;
    map.labels_ = in.array<row_label>("labels", rows);
    map.rehash(rows);
    for (std::size_t i = 0; i < rows; ++i) {
      const auto row = static_cast<row_id>(i);
      if (!in_use(row)) continue;
      row_id& slot = map.slots_[map.find(map.labels_[i])];
      if (slot != free_slot)
        raise(errc::format, in.path(), ": section 'labels' at byte ", in.info("labels").offset, ": rows ", slot,
              " and ", i, " both have label ", map.labels_[i]);
      slot = row;
      ++map.used_;
    }
    return map;
  }

 private:
  static constexpr row_id free_slot = (std::numeric_limits<row_id>::max)();

  // A mixer of all bits: labels are often consecutive, or multiples of a power of two.
  std::size_t home(row_label label) const noexcept {
    std::uint64_t x = label * 0x9E3779B97F4A7C15u;
    x ^= x >> 32;
    return static_cast<std::size_t>(x * 0xD6E8FEB86659FD93u >> 24) & (slots_.size() - 1);
  }

  // Where a label is, or the free slot where it would be: linear probing, half of the slots free.
  std::size_t find(row_label label) const noexcept {
    std::size_t at = home(label);
    while (slots_[at] != free_slot && labels_[slots_[at]] != label) at = (at + 1) & (slots_.size() - 1);
    return at;
  }

  void rehash(std::size_t count) {
    std::vector<row_id> old(std::bit_ceil(2 * count + 2), free_slot);
    old.swap(slots_);
    for (const row_id row : old)
      if (row != free_slot) slots_[find(labels_[row])] = row;
  }

  // Moves back what had to pass over the slot that is freed.
  void close_gap(std::size_t gap) noexcept {
    const std::size_t mask = slots_.size() - 1;
    for (std::size_t at = (gap + 1) & mask; slots_[at] != free_slot; at = (at + 1) & mask) {
      const std::size_t wanted = home(labels_[slots_[at]]);
      if (((at - wanted) & mask) < ((at - gap) & mask)) continue;
      slots_[gap] = slots_[at];
      gap = at;
    }
    slots_[gap] = free_slot;
  }

  aligned_vector<row_label> labels_;  // of every row
  std::vector<row_id> slots_;         // rows by label
  detail::moved_value<> used_;
};

}  // namespace embit::inline EMBIT_ABI
