// The changes that a durable index knows: what each says in a log, when it is refused, and what it does.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/types.hpp>
#include <embit/index/labelled.hpp>
#include <embit/io/metadata.hpp>
#include <embit/store/block_layout.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// What a record of the log of an index says.
enum class log_action : std::uint32_t { add = 1, remove = 2, add_labelled = 3, remove_label = 4 };

/// A record: u32 action, u32 0, then what the action takes.
///   add            u64 rows, u64 bits, the words of the codes
///   remove         u64 row
///   add_labelled   u64 rows, u64 bits, u64 0 to refuse duplicates or 1 to replace them, u64 × rows labels, the words
///   remove_label   u64 label
class log_record {
 public:
  explicit log_record(log_action action) { put(static_cast<std::uint32_t>(action)).put(std::uint32_t{0}); }
  template <class T>
  log_record& put(T value) {
    return put(std::span<const T>(&value, 1));
  }
  template <class T>
  log_record& put(std::span<const T> values) {
    append_bytes(bytes_, std::as_bytes(values));
    return *this;
  }
  log_record& shape(code_view<> codes) { return put(std::uint64_t{codes.size()}).put(std::uint64_t{codes.bits()}); }
  log_record& words(code_view<> codes) { return put(std::span(codes.data(), codes.size() * codes.words())); }
  std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

/// Takes a record apart. Its checksum was right, so that what does not fit was written by someone else.
class log_record_reader {
 public:
  log_record_reader(std::span<const std::byte> bytes, const std::string& path) : bytes_(bytes), path_(path) {}

  template <class T>
  T get() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }
  template <class T>
  std::vector<T> array(std::uint64_t count) {
    if (count > bytes_.size() / sizeof(T)) refuse();
    std::vector<T> values(static_cast<std::size_t>(count));
    const auto from = take(values.size() * sizeof(T));
    if (!values.empty()) std::memcpy(values.data(), from.data(), from.size());
    return values;
  }
  void require_end() const {
    if (!bytes_.empty()) refuse();
  }
  [[noreturn]] EMBIT_COLD void refuse() const { raise(errc::format, path_, ": a record that makes no sense"); }

 private:
  std::span<const std::byte> take(std::size_t size) {
    if (size > bytes_.size()) refuse();
    const auto part = bytes_.first(size);
    bytes_ = bytes_.subspan(size);
    return part;
  }

  std::span<const std::byte> bytes_;
  const std::string& path_;
};

/// The index whose rows an index has: itself, or the one inside.
template <class Index>
const auto& index_of_rows(const Index& index) noexcept {
  if constexpr (requires { index.width(); })
    return index;
  else
    return index_of_rows(index.index());
}

/// @throws error for codes that no index of these rows could take.
template <class Index>
void check_codes(const Index& index, code_view<> codes) {
  const auto& rows = index_of_rows(index);
  if (codes.empty()) return;
  if (codes.bits() != rows.width())
    raise(errc::shape, "codes: ", codes.bits(), " bits, the index holds codes of ", rows.width());
  require_clean_tails(codes, "codes");
  require_row_count(rows.rows() + codes.size());
}

// Each change has
//   check(index)    throws whatever `apply` would, memory aside: before it is logged, and again before it is replayed
//   matters(index)  whether `apply` does anything
//   apply(index)
//   record()

struct rows_added {
  code_view<> codes;

  template <class Index>
  void check(const Index& index) const {
    check_codes(index, codes);
    if constexpr (requires { index.check_add(codes); }) index.check_add(codes);
  }
  template <class Index>
  bool matters(const Index&) const noexcept {
    return !codes.empty();
  }
  template <class Index>
  row_id apply(Index& index) const {
    return index.add(codes);
  }
  log_record record() const {
    log_record record(log_action::add);
    record.shape(codes).words(codes);
    return record;
  }
};

struct labelled_rows_added {
  code_view<> codes;
  std::span<const row_label> labels;
  duplicate_labels duplicates;

  template <class Index>
  void check(const Index& index) const {
    check_codes(index, codes);
    index.check_add(codes, labels, duplicates);
  }
  template <class Index>
  bool matters(const Index&) const noexcept {
    return !codes.empty();
  }
  template <class Index>
  void apply(Index& index) const {
    index.add(codes, labels, duplicates);
  }
  log_record record() const {
    log_record record(log_action::add_labelled);
    record.shape(codes).put(std::uint64_t{duplicates == duplicate_labels::replace}).put(labels).words(codes);
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
inline constexpr bool has_labels = requires(Index& index, code_view<> codes, std::span<const row_label> labels) {
  index.add(codes, labels, duplicate_labels::refuse);
};

/// The change that removes what `name` names.
template <bool labels>
using removed = std::conditional_t<labels, label_removed, row_removed>;

/// Calls `change` with what a record says is to be done to an `Index`.
/// @throws error errc::format for what cannot be, or not to such an index.
template <class Index, class Change>
void read_change(log_record_reader in, Change&& change) {
  constexpr bool labels = has_labels<Index>;
  const auto action = static_cast<log_action>(in.get<std::uint32_t>());
  if (in.get<std::uint32_t>() != 0) in.refuse();
  if (action == (labels ? log_action::remove_label : log_action::remove)) {
    const auto name = in.get<std::uint64_t>();
    in.require_end();
    if (!labels && name > (std::numeric_limits<row_id>::max)()) in.refuse();
    return change(removed<labels>{static_cast<std::conditional_t<labels, row_label, row_id>>(name)});
  }
  if (action != (labels ? log_action::add_labelled : log_action::add)) in.refuse();
  const auto rows = in.get<std::uint64_t>(), bits = in.get<std::uint64_t>();
  if ((bits == 0 && rows != 0) || bits > (std::numeric_limits<std::uint32_t>::max)() ||
      rows > (std::numeric_limits<row_id>::max)())
    in.refuse();
  const std::uint64_t replace = labels ? in.get<std::uint64_t>() : 0;
  const auto names = in.array<row_label>(labels ? rows : 0);
  const auto words = in.array<word>(rows * words_for(static_cast<std::size_t>(bits)));
  in.require_end();
  if (replace > 1) in.refuse();
  const code_view<> codes(words.data(), static_cast<std::size_t>(rows), static_cast<std::size_t>(bits));
  if constexpr (labels)
    change(labelled_rows_added{codes, names, replace == 1 ? duplicate_labels::replace : duplicate_labels::refuse});
  else
    change(rows_added{codes});
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
