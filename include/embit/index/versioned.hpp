// Any index, with the version of the model that made the code of each row.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/results.hpp>
#include <embit/core/search_arguments.hpp>
#include <embit/core/types.hpp>
#include <embit/fwd.hpp>
#include <embit/index/index_memory.hpp>
#include <embit/io/metadata.hpp>
#include <embit/io/save.hpp>
#include <embit/search/encoded_search.hpp>
#include <embit/search/index_frame.hpp>
#include <embit/store/version_column.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// An index and a `version_column` that stay in step as rows are added, removed and numbered anew, and are one file:
/// where codes of an old and of a new model live together until all rows are encoded again. Whether queries of one mean
/// anything to rows of the other is for the caller to know: binary codes of any encoder are taken. Const members may be
/// called from many threads at once where those of the index may; what changes the index needs it to itself.
template <class Rows>
class versioned_index
    : public detail::encoded_search<versioned_index<Rows>, typename Rows::query_view, typename Rows::distance_type> {
  using encoded = detail::encoded_search<versioned_index, typename Rows::query_view, typename Rows::distance_type>;

  static_assert(MutableIndex<Rows>,
                "versioned_index: rows of its index must be searched, added, removed and renumbered");

 public:
  using encoded::range_search;
  using encoded::search;
  using encoded::search_into;
  using index_type = Rows;
  using query_view = typename Rows::query_view;
  using codes_view = typename Rows::codes_view;
  using distance_type = typename Rows::distance_type;
  using compare = typename Rows::compare;
  using bound_type = search_bound<distance_type, compare>;
  using version = version_column::version;

  /// @param current  of all rows that there are, and of those that `add` adds without a word.
  /// @throws error errc::argument for more rows than can be numbered.
  explicit versioned_index(Rows index, version current = 0)
      : index_(std::move(index)), versions_(index_.rows(), current), current_(current) {
    forget_encoder();
  }

  versioned_index() requires std::default_initializable<Rows>
  = default;

  versioned_index(const versioned_index&) = default;
  versioned_index(versioned_index&&) = default;
  /// Nothing has changed when it throws.
  versioned_index& operator=(const versioned_index& other) { return *this = versioned_index(other); }
  versioned_index& operator=(versioned_index&&) = default;
  ~versioned_index() = default;

  /// Rows that can be found.
  std::size_t size() const noexcept { return index_.size(); }
  /// Those and the removed ones.
  std::size_t rows() const noexcept { return index_.rows(); }
  bool contains(row_id row) const noexcept { return index_.contains(row); }
  const Rows& index() const& noexcept { return index_; }
  const Rows& index() const&& = delete;
  const version_column& versions() const& noexcept { return versions_; }
  const version_column& versions() const&& = delete;
  version current() const noexcept { return current_; }

  /// Filters of searches, as long as the index lives and stays where it is: rows of one version, and of it or later.
  version_filter only(version which) const& noexcept { return only_version(versions_, which); }
  version_filter only(version) const&& = delete;
  version_filter from(version first) const& noexcept { return from_version(versions_, first); }
  version_filter from(version) const&& = delete;

  /// Of the encoder that made the rows; 0: not known.
  encoder_fingerprint fingerprint() const noexcept { return detail::known_fingerprint(index_); }
  /// As `search` of the index, for as many neighbours or a number for each query. @throws error as the index does.
  template <class Count, class... Options>
  auto search(query_view queries, const Count& k, const Options&... options) const
      -> decltype(std::declval<const Rows&>().search(queries, k, options...)) {
    return index_.search(queries, k, options...);
  }
  /// As `search_into` of the index. @throws error as the index does.
  template <class... Options>
  void search_into(query_view queries, neighbor_count k, knn_result<distance_type>& result,
                   const Options&... options) const {
    index_.search_into(queries, k, result, options...);
  }
  /// As `pairs_within` of the index. @throws error as the index does.
  template <class Found, class... Options>
    requires requires(const Rows& index, const bound_type& radius, Found& found, const Options&... options) {
      index.pairs_within(radius, found, options...);
    }
  void pairs_within(bound_type radius, Found&& found, const Options&... options) const {
    index_.pairs_within(radius, found, options...);
  }
  /// As `range_search` of the index, within a radius or one for each query. @throws error as the index does.
  template <class Radius, class... Options>
  auto range_search(query_view queries, const Radius& radius, const Options&... options) const
      -> decltype(std::declval<const Rows&>().range_search(queries, radius, options...)) {
    return index_.range_search(queries, radius, options...);
  }

  /// Whether the index takes these rows.
  /// @throws error as `add` does.
  void check_add(codes_view codes) const requires requires(const Rows& index, codes_view rows) {
    index.check_add(rows);
  }
  { index_.check_add(detail::of_no_encoder(codes)); }

  /// Adds rows of a version, which becomes the current one; returns the id of the first.
  /// @throws error as the index does; nothing has changed then.
  row_id add(codes_view codes, version of_all) {
    versions_.reserve(codes.size());
    const row_id first = index_.add(detail::of_no_encoder(codes));
    versions_.append(codes.size(), of_all);
    current_ = of_all;
    return first;
  }
  /// Adds rows of the current version.
  row_id add(codes_view codes) { return add(codes, current_); }

  /// As `reserve_removal` of the index.
  void reserve_removal(std::size_t added = 0) requires requires(Rows& index) { index.reserve_removal(added); }
  { index_.reserve_removal(added); }
  /// As `remove` of the index.
  bool remove(row_id row) { return index_.remove(row); }

  /// As `clear` of the index.
  void clear() requires requires(Rows& index) { index.clear(); }
  {
    index_.clear();
    versions_ = version_column();
  }
  /// As `removed_share` and `compact_if` of the index.
  double removed_share() const noexcept requires requires(const Rows& index) { index.removed_share(); }
  { return index_.removed_share(); }
  std::vector<row_id> compact_if(double share) requires requires(const Rows& index) { index.removed_share(); }
  {
    detail::require_share(share);
    return removed_share() > share ? compact() : std::vector<row_id>();
  }
  /// As `width` and `memory` of the index.
  std::size_t width() const requires requires(const Rows& index) { index.width(); }
  { return index_.width(); }
  index_memory memory() const requires requires(const Rows& index) { index.memory(); }
  {
    index_memory bytes = index_.memory();
    bytes.rows += versions_.memory();
    return bytes;
  }
  /// As `compact` of the index: returns the new id of every old row. Nothing has changed when it throws.
  std::vector<row_id> compact() {
    version_column kept;  // in the order of the rows, which `compact` keeps
    kept.reserve(index_.size());
    for (std::size_t row = 0; row < rows(); ++row)
      if (contains(static_cast<row_id>(row))) kept.append(1, versions_[row]);
    auto renumbered = index_.compact();
    versions_ = std::move(kept);
    return renumbered;
  }

  static constexpr file_kind file{"versioned_index", 1};
  /// What `load_mapped` leaves in the file: of the index, what that leaves; versions are read.
  static constexpr bool stays_in_file = detail::stays_in_file<Rows>;

  /// The sections of the file that `save` writes: "current", the column under "versions/", the index under "index/".
  void write_to(const section_writer& out) const requires Savable<Rows> {
    metadata_writer current;
    current.u32(current_);
    out.add("current", std::move(current));
    detail::write_part<version_column>(out, "versions", versions_);
    detail::write_part<Rows>(out, "index", index_);
  }

  /// @param parts  what `load` of the index takes again
  /// @throws error errc::format, errc::kind for another index, errc::checksum or errc::io.
  template <class... Parts>
    requires Loadable<Rows, Parts...>
  static versioned_index read_from(const section_reader& in, Parts&&... parts) {
    const version current = in.metadata("current").u32();
    auto versions = detail::read_part<version_column>(in, "versions");
    versioned_index result(detail::read_part<Rows>(in, "index", std::forward<Parts>(parts)...), current);
    if (versions.size() != result.rows())
      raise(errc::format, in.path(), ": byte ", in.info("current").offset, ": ", versions.size(), " versions of ",
            result.rows(), " rows");
    result.versions_ = std::move(versions);
    return result;
  }

 private:
  // Versions say who made the rows.
  void forget_encoder() noexcept {
    if constexpr (requires { index_.forget_encoder(); }) index_.forget_encoder();
  }

  Rows index_;
  version_column versions_;
  version current_ = 0;
};

}  // namespace embit::inline EMBIT_ABI
