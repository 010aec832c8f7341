// An index kept on disk: a file, and a log of what was done to it since.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/search_arguments.hpp>
#include <embit/core/types.hpp>
#include <embit/fwd.hpp>
#include <embit/index/detail/durable_changes.hpp>
#include <embit/index/detail/logged_rows.hpp>
#include <embit/index/labelled.hpp>
#include <embit/io/append_log.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/io/file.hpp>
#include <embit/io/metadata.hpp>
#include <embit/io/save.hpp>
#include <embit/search/compacted.hpp>
#include <embit/search/encoded_search.hpp>
#include <embit/store/version_column.hpp>

#include <unistd.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

namespace embit::inline EMBIT_ABI {

struct durable_options {
  /// Whether every change waits for the disk. Without, changes survive the end of the process, kill -9 included, but
  /// not that of the machine, after which the log may even have to be refused.
  bool sync = true;
};

namespace detail {

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

/// An index of codes or of floats, with labels, with versions or without, whose every change is on disk when the call
/// returns: `path` holds it as it was at the last checkpoint, `path`.log the changes since, each a record with a
/// checksum. After a crash at any point `open` finds every change that had returned, and none that was refused. One
/// process writes at a time; the log is locked while it does. Const members may be called from many threads at once;
/// what changes the index needs it to itself.
///
/// A call that throws has changed nothing, in memory or on disk. Where the system does not let that be known, since a
/// sync failed or a file was put into its place and what had to follow was not possible, every later change is refused:
/// `open` finds out.
template <class Index>
class durable_index : public detail::encoded_search<durable_index<Index>, typename Index::query_view,
                                                    typename Index::distance_type, index_id_t<Index>> {
  using encoded = detail::encoded_search<durable_index, typename Index::query_view, typename Index::distance_type,
                                         index_id_t<Index>>;

  static_assert(Savable<Index>, "durable_index: its index has no file");
  static_assert(detail::LoggedRows<typename Index::codes_view>, "durable_index: no log holds rows of this kind");

 public:
  using encoded::range_search;
  using encoded::search;
  using encoded::search_into;
  using index_type = Index;
  using id_type = index_id_t<Index>;
  using query_view = typename Index::query_view;
  using codes_view = typename Index::codes_view;
  using distance_type = typename Index::distance_type;
  using compare = typename Index::compare;
  using bound_type = search_bound<distance_type, compare>;

  /// Writes `index` to a new file, with an empty log.
  /// @throws error errc::io where there is a file at `path` already, or another writer holds its log; errc::format or
  /// errc::argument where `path`.log is some other file, or a log with records, which are left as they are; errc::io,
  /// errc::denied or errc::no_space when the system refuses.
  static durable_index create(std::string path, Index index, durable_options options = {}) {
    require_absent(path);
    append_log log(path + ".log", options.sync);
    require_absent(path);  // again: from here on nobody else can come first
    log.begin(1);
    save(path, detail::durable_base<Index>{index, 1});
    return durable_index(std::move(path), std::move(index), 1, std::move(log));
  }

  /// Reads the file at `path` and does again what its log says.
  /// @param parts  what `load` of the index takes again, if anything
  /// @throws error errc::io, errc::format, errc::version, errc::kind or errc::checksum, with path and offset; errc::io
  /// also when another writer holds the log.
  template <class... Parts>
    requires Loadable<Index, Parts...>
  static durable_index open(std::string path, durable_options options = {}, Parts&&... parts) {
    static_cast<void>(input_file(path));  // before a log is made for a file that is not there
    append_log log(path + ".log", options.sync);
    const auto reader = container_reader::open(path, detail::durable_base<Index>::file);
    const auto sections = reader.sections();
    const std::uint64_t generation = sections.metadata("generation").u64();
    durable_index opened(std::move(path), detail::read_part<Index>(sections, "index", std::forward<Parts>(parts)...),
                         generation, std::move(log));
    opened.log_.replay(generation, [&](std::span<const std::byte> record) { opened.replay(record); });
    if (opened.log_.outdated()) opened.checkpoint();
    return opened;
  }

  const Index& index() const& noexcept { return index_; }
  const Index& index() const&& = delete;
  const std::string& path() const& noexcept { return path_; }
  const std::string& path() const&& = delete;
  /// Bytes of the log: what `open` will have to do again. A checkpoint empties it.
  std::uint64_t log_size() const noexcept { return log_.size(); }

  /// Whether an earlier failure left it unknown what is on disk: all changes are refused until `open` has found out.
  bool needs_reopening() const noexcept { return !log_.usable(); }

  /// Rows that can be found.
  std::size_t size() const noexcept { return index_.size(); }
  /// Of the encoder that made the rows; 0: not known.
  encoder_fingerprint fingerprint() const noexcept { return detail::known_fingerprint(index_); }
  /// As `search` of the index, for as many neighbours or a number for each query.
  template <class Count, class... Options>
  auto search(query_view queries, const Count& k, const Options&... options) const
      -> decltype(std::declval<const Index&>().search(queries, k, options...)) {
    return index_.search(queries, k, options...);
  }
  /// As `search_into` of the index.
  template <class Result, class... Options>
    requires requires(const Index& index, const query_view& queries, std::size_t k, Result& result,
                      const Options&... options) {
      index.search_into(queries, k, result, options...);
    }
  void search_into(query_view queries, neighbor_count k, Result& result, const Options&... options) const {
    index_.search_into(queries, k, result, options...);
  }
  /// As `range_search` of the index, within a radius or one for each query.
  template <class Radius, class... Options>
  auto range_search(query_view queries, const Radius& radius, const Options&... options) const
      -> decltype(std::declval<const Index&>().range_search(queries, radius, options...)) {
    return index_.range_search(queries, radius, options...);
  }
  /// As `pairs_within` of the index.
  template <class Found, class... Options>
    requires requires(const Index& index, const bound_type& radius, Found& found, const Options&... options) {
      index.pairs_within(radius, found, options...);
    }
  void pairs_within(bound_type radius, Found&& found, const Options&... options) const {
    index_.pairs_within(radius, found, options...);
  }

  /// As `add` of the index.
  /// @throws error as it does, and errc::io or errc::no_space; the index and its files are unchanged then.
  row_id add(codes_view codes) requires requires(Index& any, codes_view rows) { any.add(rows); }
  { return change(detail::rows_added<codes_view>{codes}); }

  /// As `add` of a versioned index: rows of a version, which becomes the current one.
  /// @throws error as it does, and errc::io or errc::no_space; the index and its files are unchanged then.
  row_id add(codes_view codes, version_column::version of_all) requires detail::has_versions<Index> {
    return change(detail::version_added<codes_view>{codes, of_all});
  }

  /// As `add` of a labelled index.
  /// @throws error as it does, and errc::io or errc::no_space; the index and its files are unchanged then.
  void add(codes_view codes, std::span<const row_label> labels,
           duplicate_labels duplicates = duplicate_labels::refuse) requires detail::has_labels<Index> {
    change(detail::labelled_rows_added<codes_view>{codes, labels, duplicates});
  }

  /// As `remove` of the index: of a row, or of a label where the index has labels.
  /// @throws error errc::out_of_range for a row that is not there, or a number that no row or label can be; errc::io,
  /// errc::no_space.
  template <std::integral Name>
    requires(!std::same_as<Name, bool>)
  bool remove(Name name) {
    using id = std::conditional_t<detail::has_labels<Index>, row_label, row_id>;
    if (!std::in_range<id>(name))
      raise(errc::out_of_range, detail::has_labels<Index> ? "label: " : "row: ", name, ", which can be none");
    return change(detail::removed<detail::has_labels<Index>>{static_cast<id>(name)});
  }

  /// Writes the index as it is to its file and empties the log. A crash on the way leaves the old file with the whole
  /// log, or the new one. O(bytes of the index).
  /// @throws error errc::io, errc::no_space
  void checkpoint() {
    write(index_, [] {});
  }

  /// As `compact` of the index, and a checkpoint. Takes the memory of a second index while it works.
  /// @throws error errc::io, errc::no_space; rows have the numbers that they had then.
  detail::compacted_t<Index> compact() requires std::copy_constructible<Index> {
    log_.require_usable();
    Index compacted = index_;
    const auto put_in_place = [&] { index_ = std::move(compacted); };
    if constexpr (std::is_void_v<decltype(compacted.compact())>) {
      compacted.compact();
      write(compacted, put_in_place);
    } else {
      auto renumbered = compacted.compact();
      write(compacted, put_in_place);
      return renumbered;
    }
  }

 private:
  durable_index(std::string path, Index index, std::uint64_t generation, append_log log)
      : path_(std::move(path)), index_(std::move(index)), generation_(generation), log_(std::move(log)) {}

  static void require_absent(const std::string& path) {
    if (::access(path.c_str(), F_OK) == 0) raise(errc::io, path, ": is there already");
  }

  // Decided first, so that what is logged can be done; logged next, since what was seen must not be lost; done at last.
  // Only for want of memory can that fail: the record is taken back then.
  template <class Change>
  auto change(const Change& wanted) -> decltype(wanted.apply(std::declval<Index&>())) {
    wanted.check(index_);
    if (!wanted.matters(index_)) return wanted.apply(index_);
    const detail::log_record record = wanted.record();
    log_.append(record.bytes());
    struct undo {
      append_log* log;
      ~undo() {
        if (log != nullptr) log->take_back();
      }
    } guard{&log_};
    if constexpr (std::is_void_v<decltype(wanted.apply(index_))>) {
      wanted.apply(index_);
      guard.log = nullptr;
    } else {
      const auto result = wanted.apply(index_);
      guard.log = nullptr;
      return result;
    }
  }

  void replay(std::span<const std::byte> record) {
    detail::read_change<Index>(detail::log_record_reader(record, log_.path()), index_, [&](const auto& change) {
      change.check(index_);
      change.apply(index_);
    });
  }

  // Makes `index` what the file holds, and then calls `done`. Once the file has its name, there is no way back.
  template <class Done>
  void write(const Index& index, Done&& done) {
    log_.require_usable();
    container_writer writer(path_, detail::durable_base<Index>::file);
    const detail::durable_base<Index> base{index, generation_ + 1};
    base.write_to(writer.sections());
    atomic_file file = writer.write();
    struct halfway {
      append_log& log;
      const atomic_file& file;
      bool over = false;
      ~halfway() {
        if (!over && file.in_place()) log.refuse_changes();
      }
    } guard{log_, file};
    file.commit();
    log_.reset(generation_ + 1);
    ++generation_;
    done();
    guard.over = true;
  }

  std::string path_;
  Index index_;
  std::uint64_t generation_;
  append_log log_;
};

}  // namespace embit::inline EMBIT_ABI
