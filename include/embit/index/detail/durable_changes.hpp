// The changes that a durable index knows: what each says in a log, when it is refused, and what it does.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/logged_rows.hpp>
#include <embit/index/labelled.hpp>
#include <embit/store/block_layout.hpp>
#include <embit/store/version_column.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// The index whose rows an index has: itself, or the one inside.
template <class Index>
const auto& index_of_rows(const Index& index) noexcept {
  if constexpr (requires {
                  index.width();
                  index.rows();
                })
    return index;
  else
    return index_of_rows(index.index());
}

/// @throws error for rows that no index of these could take.
template <class Index, class View>
void check_rows(const Index& index, const View& added) {
  const auto& rows = index_of_rows(index);
  if (added.size() == 0) return;
  logged_rows<View>::check(rows, added);
  require_row_count(rows.rows() + added.size());
  if constexpr (requires { rows.fingerprint(); })
    static_cast<void>(joined_fingerprint(known_fingerprint(added), rows.fingerprint(), rows.rows()));
}

/// The first words of a record that adds rows.
template <class View>
log_record record_of_rows(log_action action, const View& rows) {
  log_record record(action);
  record.put(std::uint64_t{rows.size()}).put(logged_rows<View>::width(rows));
  return record;
}

// Each change has
//   check(index)    throws whatever `apply` would, memory aside: before it is logged, and again before it is replayed
//   matters(index)  whether `apply` does anything
//   apply(index)
//   record()

template <class View>
struct rows_added {
  View rows;

  template <class Index>
  void check(const Index& index) const {
    check_rows(index, rows);
    if constexpr (requires { index.check_add(rows); }) index.check_add(rows);
  }
  template <class Index>
  bool matters(const Index&) const noexcept {
    return rows.size() != 0;
  }
  template <class Index>
  row_id apply(Index& index) const {
    return index.add(rows);
  }
  log_record record() const {
    log_record record = record_of_rows(log_action::add, rows);
    logged_rows<View>::write(record, rows);
    return record;
  }
};

template <class View>
struct labelled_rows_added {
  View rows;
  std::span<const row_label> labels;
  duplicate_labels duplicates;

  template <class Index>
  void check(const Index& index) const {
    check_rows(index, rows);
    index.check_add(rows, labels, duplicates);
  }
  template <class Index>
  bool matters(const Index&) const noexcept {
    return rows.size() != 0;
  }
  template <class Index>
  void apply(Index& index) const {
    index.add(rows, labels, duplicates);
  }
  log_record record() const {
    log_record record = record_of_rows(log_action::add_labelled, rows);
    record.put(std::uint64_t{duplicates == duplicate_labels::replace}).put(labels);
    logged_rows<View>::write(record, rows);
    return record;
  }
};

template <class View>
struct version_added {
  View rows;
  version_column::version version;

  // Versions say who made the rows, not the encoder.
  template <class Index>
  void check(const Index& index) const {
    check_rows(index, of_no_encoder(rows));
    if constexpr (requires { index.check_add(rows); }) index.check_add(rows);
  }
  // Also of no rows: those that come after are of this version.
  template <class Index>
  bool matters(const Index&) const noexcept {
    return true;
  }
  template <class Index>
  row_id apply(Index& index) const {
    return index.add(rows, version);
  }
  log_record record() const {
    log_record record = record_of_rows(log_action::add_version, rows);
    record.put(std::uint64_t{version});
    logged_rows<View>::write(record, rows);
    return record;
  }
};

struct row_removed {
  row_id row;

  template <class Index>
  void check(const Index& index) const {
    if (row >= index.rows()) raise(errc::out_of_range, "row: ", row, ", the index has ", index.rows(), " rows");
  }
  template <class Index>
  bool matters(const Index& index) const {
    return index.contains(row);
  }
  template <class Index>
  bool apply(Index& index) const {
    return index.remove(row);
  }
  log_record record() const {
    log_record record(log_action::remove);
    record.put(std::uint64_t{row});
    return record;
  }
};

struct label_removed {
  row_label label;

  template <class Index>
  void check(const Index&) const noexcept {}
  template <class Index>
  bool matters(const Index& index) const {
    return index.contains(label);
  }
  template <class Index>
  bool apply(Index& index) const {
    return index.remove(label);
  }
  log_record record() const {
    log_record record(log_action::remove_label);
    record.put(std::uint64_t{label});
    return record;
  }
};

/// Whether rows of an index are named by labels.
template <class Index>
inline constexpr bool has_labels = requires(Index& index, typename Index::codes_view rows,
                                            std::span<const row_label> labels) {
  index.add(rows, labels, duplicate_labels::refuse);
};

/// Whether rows of an index are of versions.
template <class Index>
inline constexpr bool has_versions = requires(Index& index, typename Index::codes_view rows,
                                              version_column::version version) {
  { index.versions() } -> std::convertible_to<const version_column&>;
  index.add(rows, version);
};

/// The change that removes what `name` names.
template <bool labels>
using removed = std::conditional_t<labels, label_removed, row_removed>;

/// Calls `change` with what a record says is to be done to an index.
/// @throws error errc::format for what cannot be, or not to such an index.
template <class Index, class Change>
void read_change(log_record_reader in, const Index& index, Change&& change) {
  constexpr bool labels = has_labels<Index>;
  const auto action = static_cast<log_action>(in.get<std::uint32_t>());
  if (in.get<std::uint32_t>() != 0) in.refuse();
  if (action == (labels ? log_action::remove_label : log_action::remove)) {
    const auto name = in.get<std::uint64_t>();
    in.require_end();
    if (!labels && name > (std::numeric_limits<row_id>::max)()) in.refuse();
    return change(removed<labels>{static_cast<std::conditional_t<labels, row_label, row_id>>(name)});
  }
  const bool version = has_versions<Index> && action == log_action::add_version;
  if (action != (labels ? log_action::add_labelled : log_action::add) && !version) in.refuse();
  using logged = logged_rows<typename Index::codes_view>;
  const auto rows = in.get<std::uint64_t>(), width = in.get<std::uint64_t>();
  in.require_shape(rows, width, logged::least(width));
  const std::uint64_t number = labels || version ? in.get<std::uint64_t>() : 0;
  const auto names = in.array<row_label>(labels ? rows : 0);
  const auto held =
      logged::read(in, index_of_rows(index), static_cast<std::size_t>(rows), static_cast<std::size_t>(width));
  in.require_end();
  const typename Index::codes_view added(held);
  if constexpr (labels) {
    if (number > 1) in.refuse();
    const auto duplicates = number == 1 ? duplicate_labels::replace : duplicate_labels::refuse;
    return change(labelled_rows_added<typename Index::codes_view>{added, names, duplicates});
  } else {
    if constexpr (has_versions<Index>)
      if (version) {
        if (number > (std::numeric_limits<version_column::version>::max)()) in.refuse();
        const auto of_all = static_cast<version_column::version>(number);
        return change(version_added<typename Index::codes_view>{added, of_all});
      }
    return change(rows_added<typename Index::codes_view>{added});
  }
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
