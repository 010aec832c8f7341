// Labels of 64 bits for rows, both ways.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/shared_value.hpp>
#include <embit/core/types.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/store/shared_column.hpp>

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
/// label in use. A copy takes O(rows / 1024) and shares what is in it until one side changes it. Const members may be
/// called from many threads at once.
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
    if (groups_.empty()) return std::nullopt;
    const std::uint64_t h = hash(label);
    const group& g = *groups_[group_of(h)];
    const row_id row = g.places[find(g, h, label)];
    return row == free_slot ? std::nullopt : std::optional(row);
  }
  /// The label that a row has, or had when it was released.
  row_label label_of(row_id row) const noexcept {
    EMBIT_ASSERT(row < labels_.size());
    return labels_[row];
  }
  /// The label of every row, in order.
  const shared_column<row_label>& labels() const& noexcept { return labels_; }
  const shared_column<row_label>& labels() const&& = delete;

  /// Makes room for `count` more rows at once. Amortized O(count).
  void reserve(std::size_t count) {
    labels_.reserve(count);
    if (used_ + count > groups_.size() * group_labels) regroup(used_ + count);
  }
  /// Makes sure that rows with these labels can be added, and the labels be released before, without allocation: the
  /// chunks that a copy shares are copied now. Amortized O(labels).
  void reserve(std::span<const row_label> labels) {
    reserve(labels.size());
    if (labels.size() == 1) return make_room(groups_[group_of(hash(labels[0]))], 1);
    std::vector<std::uint32_t> added(groups_.size());
    for (const row_label label : labels) ++added[group_of(hash(label))];
    for (std::size_t i = 0; i < added.size(); ++i)
      if (added[i] != 0) make_room(groups_[i], added[i]);
  }

  /// Gives the next row a label that is not in use. Amortized O(1).
  /// @throws error errc::argument for a label in use; nothing has changed then.
  void add(row_label label) {
    if (contains(label)) raise(errc::argument, "label: ", label, " is in use already");
    reserve(std::span<const row_label>(&label, 1));
    const std::uint64_t h = hash(label);
    group& g = groups_[group_of(h)].owned();
    g.places[find(g, h, label)] = static_cast<row_id>(labels_.size());
    labels_.push_back(label);
    ++g.used;
    ++used_;
  }

  /// Takes a label out of use; returns the row that had it, if any. O(1). Nothing has changed when it throws, which it
  /// does for want of memory alone, and not after `reserve` of the label.
  std::optional<row_id> release(row_label label) {
    const auto row = row_of(label);
    if (!row) return row;
    const std::uint64_t h = hash(label);
    group& g = groups_[group_of(h)].own();
    close_gap(g, find(g, h, label));
    --g.used;
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
    std::size_t bytes = labels_.memory() + groups_.capacity() * sizeof(groups_[0]);
    for (const auto& g : groups_) bytes += sizeof(group) + g->places.capacity() * sizeof(row_id);
    return bytes;
  }

  /// The section that an index saves: "labels", the label of every row as u64.
  void write_to(const section_writer& out) const {
    out.add_stream("labels", [this](section_sink& sink) {
      labels_.for_each_piece([&](std::span<const row_label> piece) { sink.write(piece); });
    });
  }

  /// @param in_use  says of a row whether its label is in use
  /// @throws error errc::format for another number of labels than `rows` or one in use twice, errc::checksum, errc::io.
  template <class InUse>
  static id_map read_from(const section_reader& in, std::size_t rows, InUse&& in_use) {
    id_map map;
    const auto labels = in.array<row_label>("labels", rows);
    map.labels_ = shared_column<row_label>(std::span<const row_label>(labels));
    map.regroup(rows);
    for (std::size_t i = 0; i < rows; ++i) {
      const auto row = static_cast<row_id>(i);
      if (!in_use(row)) continue;
      if (const auto other = map.row_of(labels[i]))
        raise(errc::format, in.path(), ": section 'labels' at byte ", in.info("labels").offset, ": rows ", *other,
              " and ", i, " both have label ", labels[i]);
      map.insert(map.groups_, row);
      ++map.used_;
    }
    return map;
  }

 private:
  static constexpr row_id free_slot = (std::numeric_limits<row_id>::max)();

  // Labels that a group holds on the average, at most.
  static constexpr std::size_t group_labels = 512;

  // A table of its own, by linear probing with half of the places free: what a copy shares.
  struct group {
    std::vector<row_id> places;
    std::size_t used = 0;
  };
  using shared_groups = std::vector<shared_value<group>>;

  // A mixer of all bits: labels are often consecutive, or multiples of a power of two.
  static std::uint64_t hash(row_label label) noexcept {
    std::uint64_t x = label * 0x9E3779B97F4A7C15u;
    x ^= x >> 32;
    return x * 0xD6E8FEB86659FD93u >> 24;
  }
  // The lowest bits of a hash are the place in a group, those above the group.
  std::size_t group_of(std::uint64_t h) const noexcept { return group_of(h, groups_.size()); }
  static std::size_t group_of(std::uint64_t h, std::size_t groups) noexcept {
    return static_cast<std::size_t>(h / (2 * group_labels)) & (groups - 1);
  }

  // Where a label is, or the free slot where it would be.
  std::size_t find(const group& g, std::uint64_t h, row_label label) const noexcept {
    const std::size_t mask = g.places.size() - 1;
    std::size_t at = static_cast<std::size_t>(h) & mask;
    while (g.places[at] != free_slot && labels_[g.places[at]] != label) at = (at + 1) & mask;
    return at;
  }

  void insert(shared_groups& groups, row_id row) const {
    const row_label label = labels_[row];
    const std::uint64_t h = hash(label);
    shared_value<group>& g = groups[group_of(h, groups.size())];
    make_room(g, 1);
    g.owned().places[find(*g, h, label)] = row;
    ++g.owned().used;
  }

  // So that a group that nobody shares takes so many more.
  void make_room(shared_value<group>& shared, std::size_t count) const {
    const group& g = *shared;
    if (2 * (g.used + count) <= g.places.size()) {
      shared.own();
      return;
    }
    group larger{std::vector<row_id>(std::bit_ceil(2 * (g.used + count) + 2), free_slot), g.used};
    for (const row_id row : g.places)
      if (row != free_slot) larger.places[find(larger, hash(labels_[row]), labels_[row])] = row;
    shared = shared_value<group>(std::move(larger));
  }

  void regroup(std::size_t count) {
    const std::size_t wanted = std::bit_ceil((count + group_labels - 1) / group_labels);
    const std::size_t room = (std::min)(2 * group_labels, std::bit_ceil(2 * count + 2));
    shared_groups groups;
    groups.reserve(wanted);
    while (groups.size() < wanted) groups.emplace_back(group{std::vector<row_id>(room, free_slot), 0});
    for (const auto& g : groups_)
      for (const row_id row : g->places)
        if (row != free_slot) insert(groups, row);
    groups_ = std::move(groups);
  }

  // Moves back what had to pass over the slot that is freed.
  void close_gap(group& g, std::size_t gap) noexcept {
    const std::size_t mask = g.places.size() - 1;
    for (std::size_t at = (gap + 1) & mask; g.places[at] != free_slot; at = (at + 1) & mask) {
      const std::size_t wanted = static_cast<std::size_t>(hash(labels_[g.places[at]])) & mask;
      if (((at - wanted) & mask) < ((at - gap) & mask)) continue;
      g.places[gap] = g.places[at];
      gap = at;
    }
    g.places[gap] = free_slot;
  }

  shared_column<row_label> labels_;  // of every row
  shared_groups groups_;             // rows by label
  detail::moved_value<> used_;
};

}  // namespace embit::inline EMBIT_ABI
