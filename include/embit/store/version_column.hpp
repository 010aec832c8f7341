// Which model made the code of each row.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/types.hpp>
#include <embit/io/container_layout.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/store/shared_column.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// A number of the caller's choice beside every row of a store or an index, such as which model its code comes from:
/// what tells codes apart that are searched together. 4 bytes a row. A copy takes O(rows / 1024) and
/// shares the numbers until one side changes them. Const members may be called from many threads
/// at once.
class version_column {
 public:
  using version = std::uint32_t;

  version_column() = default;
  /// `rows` rows of one version.
  explicit version_column(std::size_t rows, version of_all = 0) { append(rows, of_all); }

  std::size_t size() const noexcept { return versions_.size(); }
  bool empty() const noexcept { return versions_.empty(); }
  version operator[](std::size_t row) const noexcept {
    EMBIT_ASSERT(row < size());
    return versions_[row];
  }
  /// Of every row, in order.
  const shared_column<version>& versions() const& noexcept { return versions_; }
  const shared_column<version>& versions() const&& = delete;
  /// Rows of a version. O(size).
  std::size_t count(version of) const noexcept { return static_cast<std::size_t>(std::ranges::count(versions_, of)); }

  /// Makes sure that `count` more rows can be added without allocation. Amortized O(1) a row.
  void reserve(std::size_t count) {
    require_room(count);
    versions_.reserve(count);
  }

  /// Adds as many rows as were added to the index beside it. Amortized O(rows).
  /// @throws error errc::argument for more rows than can be numbered; the column is unchanged then.
  void append(std::size_t rows, version of_all) {
    reserve(rows);
    versions_.append(rows, of_all);
  }

  /// Gives a row another version, when its code was replaced.
  /// @throws error errc::out_of_range for a row that is not there.
  void set(std::size_t row, version to) {
    if (row >= size()) raise(errc::out_of_range, "version_column: row ", row, " of ", size());
    versions_.set(row, to);
  }

  /// The same rows under new numbers, as `compact` of the index beside it returned them: row i becomes
  /// `renumbered[i]`, and is forgotten where that is none of the new numbers. O(size).
  /// @throws error errc::shape for another number of rows; the column is unchanged then.
  void renumber(std::span<const row_id> renumbered) {
    if (renumbered.size() != size())
      raise(errc::shape, "renumber: ", renumbered.size(), " numbers for ", size(), " rows");
    constexpr row_id gone = (std::numeric_limits<row_id>::max)();
    const auto kept = size() - static_cast<std::size_t>(std::ranges::count(renumbered, gone));
    std::vector<version> moved(kept);
    for (std::size_t row = 0; row < size(); ++row) {
      if (renumbered[row] == gone) continue;
      if (renumbered[row] >= kept)
        raise(errc::out_of_range, "renumber: row ", row, " becomes ", renumbered[row], " of ", kept);
      moved[renumbered[row]] = versions_[row];
    }
    versions_ = shared_column<version>(std::span<const version>(moved));
  }

  std::size_t memory() const noexcept { return versions_.memory(); }

  static constexpr file_kind file{"version_column", 1};

  /// The section of the file that `save` writes: "versions", that of every row as u32.
  void write_to(const section_writer& out) const {
    out.add_stream("versions", [this](section_sink& sink) {
      versions_.for_each_piece([&](std::span<const version> piece) { sink.write(piece); });
    });
  }

  /// @throws error errc::format, errc::checksum or errc::io.
  static version_column read_from(const section_reader& in) {
    version_column column;
    const std::uint64_t rows = in.count<version>("versions");
    if (rows > most_rows)
      raise(errc::format, in.path(), ": section 'versions' at byte ", in.info("versions").offset, ": ", rows, " rows");
    const auto versions = in.array<version>("versions");
    column.versions_ = shared_column<version>(std::span<const version>(versions));
    return column;
  }

  friend bool operator==(const version_column& a, const version_column& b) {
    return std::ranges::equal(a.versions_, b.versions_);
  }

 private:
  static constexpr std::uint64_t most_rows = (std::numeric_limits<row_id>::max)();

  void require_room(std::size_t count) const {
    if (count > most_rows - size())
      raise(errc::argument, "version_column: ", count, " rows to ", size(), " where ", most_rows, " can be numbered");
  }

  shared_column<version> versions_;
};

/// A filter that lets the rows of versions `first` to `last` through, both included. It views the column, which must
/// outlive it; rows beyond the column are refused.
class version_filter {
 public:
  using version = version_column::version;

  version_filter(const version_column& column, version first, version last) noexcept
      : column_(&column), first_(first), last_(last) {}
  version_filter(const version_column&&, version, version) = delete;

  bool operator()(row_id row) const noexcept {
    return row < column_->size() && (*column_)[row] >= first_ && (*column_)[row] <= last_;
  }

 private:
  const version_column* column_;
  version first_, last_;
};

/// Rows of one version.
inline version_filter only_version(const version_column& column, version_column::version which) noexcept {
  return {column, which, which};
}
version_filter only_version(const version_column&&, version_column::version) = delete;

/// Rows of a version and all later ones.
inline version_filter from_version(const version_column& column, version_column::version first) noexcept {
  return {column, first, (std::numeric_limits<version_column::version>::max)()};
}
version_filter from_version(const version_column&&, version_column::version) = delete;

}  // namespace embit::inline EMBIT_ABI
