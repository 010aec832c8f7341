// An index kept on disk: a file, and a log of what was done to it since.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/bits/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/types.hpp>
#include <embit/index/labelled.hpp>
#include <embit/io/append_log.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/metadata.hpp>
#include <embit/io/save.hpp>

#include <unistd.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct durable_options {
  /// Whether every change waits for the disk. Without, changes survive the end of the process, kill -9 included, but
  /// not that of the machine.
  bool sync = true;
};

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
  log_record& codes(code_view<> codes) { return put(std::span(codes.data(), codes.size() * codes.words())); }
  std::span<const std::byte> bytes() const& noexcept { return bytes_; }
  std::span<const std::byte> bytes() const&& = delete;

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

/// The file that a log continues.
template <class Index>
struct durable_base {
  static constexpr file_kind file{"durable_index", 1};

  const Index& index;
  std::uint64_t generation;

  void write_to(const section_writer& out) const {
    metadata_writer values;
    values.u64(generation);
    out.add("generation", std::move(values));
    write_part<Index>(out, "index", index);
  }
};

}  // namespace detail

/// An index of binary codes, with labels or without, whose every change is on disk when the call returns: `path` holds
/// it as it was at the last checkpoint, `path`.log the changes since, each a record with a checksum. After a crash at
/// any point `open` finds every change that had returned. One process writes at a time; the log is locked while it
/// does. Const members may be called from many threads at once; what changes the index needs it to itself.
template <Savable Index>
  requires std::same_as<typename Index::codes_view, code_view<>>
class durable_index {
 public:
  /// Writes `index` to a new file, with an empty log.
  /// @throws error errc::io also where there is a file at `path` already, or another process holds its log.
  static durable_index create(std::string path, Index index, durable_options options = {}) {
    if (::access(path.c_str(), F_OK) == 0) raise(errc::io, path, ": is there already");
    durable_index created(std::move(path), std::move(index), 1);
    created.log_.emplace(append_log::create(created.path_ + ".log", 1, options.sync));
    save(created.path_, detail::durable_base<Index>{created.index_, 1});
    return created;
  }

  /// Reads the file at `path` and does again what its log says.
  /// @param parts  what `load` of the index takes again, if anything
  /// @throws error errc::io, errc::format, errc::version, errc::kind or errc::checksum, with path and offset; errc::io
  /// also when another process holds the log.
  template <class... Parts>
    requires Loadable<Index, Parts...>
  static durable_index open(std::string path, durable_options options = {}, Parts&&... parts) {
    const auto reader = container_reader::open(path, detail::durable_base<Index>::file);
    const auto sections = reader.sections();
    const std::uint64_t generation = sections.metadata("generation").u64();
    durable_index opened(std::move(path), detail::read_part<Index>(sections, "index", std::forward<Parts>(parts)...),
                         generation);
    opened.log_.emplace(append_log::open(opened.path_ + ".log", generation, options.sync,
                                         [&](std::span<const std::byte> record) { opened.apply(record); }));
    return opened;
  }

  const Index& index() const& noexcept { return index_; }
  const Index& index() const&& = delete;
  const std::string& path() const& noexcept { return path_; }
  const std::string& path() const&& = delete;
  /// Bytes of the log: what `open` will have to do again. A checkpoint empties it.
  std::uint64_t log_size() const noexcept { return log_->size(); }

  /// As `add` of the index.
  /// @throws error as it does, and errc::io; the index and its files are unchanged then.
  row_id add(code_view<> codes) requires requires(Index& any, code_view<> rows) { any.add(rows); }
  {
    require_codes(codes);
    detail::log_record record(detail::log_action::add);
    record.put(std::uint64_t{codes.size()}).put(std::uint64_t{codes.bits()}).codes(codes);
    return logged(record, [&] { return index_.add(codes); });
  }

  /// As `add` of a labelled index.
  /// @throws error as it does, and errc::io; the index and its files are unchanged then.
  void add(code_view<> codes, std::span<const row_label> labels,
           duplicate_labels duplicates = duplicate_labels::refuse) requires
      requires(Index& any, code_view<> rows, std::span<const row_label> names) {
    any.add(rows, names);
  }
  {
    require_codes(codes);
    if (labels.size() != codes.size()) raise(errc::shape, "labels: ", labels.size(), " for ", codes.size(), " rows");
    detail::log_record record(detail::log_action::add_labelled);
    record.put(std::uint64_t{codes.size()}).put(std::uint64_t{codes.bits()});
    record.put(std::uint64_t{duplicates == duplicate_labels::replace}).put(labels).codes(codes);
    logged(record, [&] { index_.add(codes, labels, duplicates); });
  }

  /// As `remove` of the index: of a row, or of a label where the index has labels.
  template <class Name>
  bool remove(Name name) requires requires(Index& index) {
    index.remove(name);
  }
  {
    constexpr bool labels =
        std::same_as<typename Index::neighbor_type, neighbor<typename Index::distance_type, row_label>>;
    detail::log_record record(labels ? detail::log_action::remove_label : detail::log_action::remove);
    record.put(std::uint64_t{name});
    return logged(record, [&] { return index_.remove(name); });
  }

  /// Writes the index as it is to its file and empties the log. A crash on the way leaves the old file with the whole
  /// log, or the new one. O(bytes of the index).
  /// @throws error errc::io
  void checkpoint() {
    save(path_, detail::durable_base<Index>{index_, generation_ + 1});
    log_->reset(++generation_);
  }

  /// As `compact` of the index, and a checkpoint.
  auto compact() {
    if constexpr (std::is_void_v<decltype(index_.compact())>) {
      index_.compact();
      checkpoint();
    } else {
      auto renumbered = index_.compact();
      checkpoint();
      return renumbered;
    }
  }

 private:
  durable_index(std::string path, Index index, std::uint64_t generation)
      : path_(std::move(path)), index_(std::move(index)), generation_(generation) {}

  // What the index would refuse need not get into the log first.
  void require_codes(code_view<> codes) const {
    const std::size_t width = [this] {
      if constexpr (requires { index_.width(); })
        return index_.width();
      else
        return index_.index().width();
    }();
    if (codes.size() != 0 && codes.bits() != width)
      raise(errc::shape, "codes: ", codes.bits(), " bits, the index holds codes of ", width);
    require_clean_tails(codes, "codes");
  }

  // The record goes first: a change that was seen must not be lost. One that fails is taken back.
  template <class Change>
  auto logged(const detail::log_record& record, Change&& change) {
    log_->append(record.bytes());
    struct undo {
      append_log* log;
      ~undo() {
        if (log != nullptr) log->take_back();
      }
    } guard{&*log_};
    if constexpr (std::is_void_v<decltype(change())>) {
      change();
      guard.log = nullptr;
    } else {
      auto result = change();
      guard.log = nullptr;
      return result;
    }
  }

  void apply(std::span<const std::byte> bytes) {
    detail::log_record_reader in(bytes, path_);
    const auto action = static_cast<detail::log_action>(in.get<std::uint32_t>());
    if (in.get<std::uint32_t>() != 0) in.refuse();
    switch (action) {
      case detail::log_action::add:
      case detail::log_action::add_labelled: return apply_add(in, action == detail::log_action::add_labelled);
      case detail::log_action::remove:
      case detail::log_action::remove_label: return apply_remove(in, action == detail::log_action::remove_label);
    }
    in.refuse();
  }

  void apply_add(detail::log_record_reader& in, bool labelled) {
    const auto rows = in.get<std::uint64_t>(), bits = in.get<std::uint64_t>();
    if (bits == 0 || bits > std::numeric_limits<std::uint32_t>::max() || rows > std::numeric_limits<row_id>::max())
      in.refuse();
    const std::uint64_t replace = labelled ? in.get<std::uint64_t>() : 0;
    const auto labels = in.array<row_label>(labelled ? rows : 0);
    const auto words = in.array<word>(rows * words_for(static_cast<std::size_t>(bits)));
    in.require_end();
    const code_view<> codes(words.data(), static_cast<std::size_t>(rows), static_cast<std::size_t>(bits));
    if constexpr (requires { index_.add(codes, labels); }) {
      if (!labelled || replace > 1) in.refuse();
      index_.add(codes, labels, replace == 1 ? duplicate_labels::replace : duplicate_labels::refuse);
    } else {
      if (labelled) in.refuse();
      index_.add(codes);
    }
  }

  void apply_remove(detail::log_record_reader& in, bool labelled) {
    const auto name = in.get<std::uint64_t>();
    in.require_end();
    if constexpr (requires { index_.labels(); }) {
      if (!labelled) in.refuse();
      index_.remove(name);
    } else {
      if (labelled || name > std::numeric_limits<row_id>::max()) in.refuse();
      index_.remove(static_cast<row_id>(name));
    }
  }

  std::string path_;
  Index index_;
  std::uint64_t generation_ = 1;
  std::optional<append_log> log_;
};

}  // namespace embit::inline EMBIT_ABI
