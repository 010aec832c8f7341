// Which rows of an index can still be found.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/types.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/search/row_bitset.hpp>
#include <embit/search/row_choice.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Stands for a removed row in the table that `compact` returns.
inline constexpr row_id no_row = (std::numeric_limits<row_id>::max)();

namespace detail {

/// The rows of an index but for those removed: nothing to keep until the first is.
class live_rows {
 public:
  live_rows() = default;
  explicit live_rows(std::size_t rows) noexcept : rows_(rows), live_(rows) {}

  /// Those that can be found.
  std::size_t size() const noexcept { return live_; }
  /// Those and the removed ones.
  std::size_t rows() const noexcept { return rows_; }
  bool contains(row_id row) const noexcept { return row < rows_ && (flags_.size() == 0 || flags_.test(row)); }
  std::size_t memory() const noexcept { return flags_.memory(); }
  /// How often rows got other numbers.
  std::uint64_t generation() const noexcept { return generation_; }
  /// These rows without those removed.
  live_rows renumbered(std::size_t survivors) const noexcept {
    live_rows left(survivors);
    left.generation_ = generation_ + (survivors != rows_ ? 1 : 0);
    return left;
  }

  /// Makes sure that `grow` to this many rows cannot fail. Amortized O(rows / 64) for the rows added.
  void reserve(std::size_t rows) {
    if (flags_.size() != 0) flags_.reserve(rows);
  }
  /// Makes sure that neither `grow` to this many rows nor `remove` of any of them can fail.
  void reserve_removal(std::size_t rows) { flags_.reserve(rows); }
  /// There are `rows` rows from now on, the new ones live.
  void grow(std::size_t rows) {
    if (flags_.size() != 0) flags_.resize(rows, true);
    live_ += rows - rows_;
    rows_ = rows;
  }

  /// False if the row was already removed.
  /// @throws error errc::out_of_range for a row that is not there.
  bool remove(row_id row) {
    require(row);
    if (flags_.size() == 0) flags_.resize(rows_, true);
    if (!flags_.test(row)) return false;
    flags_.set(row, false);
    --live_;
    return true;
  }

  /// Removes every row.
  void remove_all() {
    flags_ = row_bitset(rows_);
    live_ = 0;
  }

  /// The sections that an index saves: "live", a bit a row, where any row was removed, and "generation", u64, where
  /// rows were numbered anew.
  void write_to(const section_writer& out) const {
    if (generation_ != 0) {
      metadata_writer generation;
      generation.u64(generation_);
      out.add("generation", std::move(generation));
    }
    if (flags_.size() != 0) out.add("live", flags_.data());
  }
  /// @throws error errc::format for flags that are not those of `rows` rows, errc::checksum, errc::io.
  static live_rows read_from(const section_reader& in, std::size_t rows) {
    live_rows all(rows);
    if (in.contains("generation")) all.generation_ = in.metadata("generation").u64();
    if (!in.contains("live")) return all;
    const auto words = in.array<word>("live", words_for(rows));
    if (rows != 0 && (words.back() & ~tail_mask(rows)) != 0)
      raise(errc::format, in.path(), ": section 'live' at byte ", in.info("live").offset, ": bits beyond ", rows,
            " rows");
    all.flags_ = row_bitset(rows);
    for (std::size_t row = 0; row < rows; ++row)
      if ((words[row / word_bits] >> row % word_bits & 1) != 0) all.flags_.set(row);
    all.live_ = all.flags_.count();
    return all;
  }

  /// The rows that can be found, in order, and for every row its place among them or `no_row`.
  struct numbering {
    std::vector<row_id> survivors, renumbered;
  };
  numbering number() const {
    numbering n;
    n.survivors.reserve(live_);
    n.renumbered.assign(rows_, no_row);
    for (std::size_t row = 0; row < rows_; ++row) {
      if (!contains(static_cast<row_id>(row))) continue;
      n.renumbered[row] = static_cast<row_id>(n.survivors.size());
      n.survivors.push_back(static_cast<row_id>(row));
    }
    return n;
  }

  /// @throws error errc::out_of_range for a row that is not there.
  void require(row_id row) const {
    if (row >= rows_) raise(errc::out_of_range, "row: ", row, ", the index has ", rows(), " rows");
  }
  /// The rows that a search with this filter may find. It views the filter and these rows.
  /// @throws error errc::shape for a bitset of another size, errc::out_of_range for a list with a row that is not
  /// there.
  template <SearchFilter Filter>
  row_choice choose(const Filter& filter) const {
    const row_choice choice(filter, flags_.size() != 0 ? &flags_ : nullptr);
    if (const row_bitset* chosen = choice.bitset(); chosen != nullptr && chosen->size() != rows_)
      raise(errc::shape, "filter: a bitset of ", chosen->size(), " rows, the index has ", rows());
    if (const row_list* list = choice.list(); list != nullptr && !list->empty() && list->rows().back() >= rows_)
      raise(errc::out_of_range, "filter: row ", list->rows().back(), ", the index has ", rows(), " rows");
    return choice;
  }

 private:
  row_bitset flags_;  // empty until a row is removed
  moved_value<> rows_;
  moved_value<> live_;
  std::uint64_t generation_ = 0;
};

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
