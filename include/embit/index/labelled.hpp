// Any index, spoken to in the user's own 64-bit labels.
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
#include <embit/io/save.hpp>
#include <embit/search/encoded_search.hpp>
#include <embit/search/index_frame.hpp>
#include <embit/search/live_rows.hpp>
#include <embit/search/row_list.hpp>
#include <embit/store/id_map.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// What to do with a row whose label is in use already.
enum class duplicate_labels {
  refuse,  ///< an error, and nothing is added
  replace  ///< the row that had the label is removed; of several new ones the last stays
};

/// Has an index with labels filter by row: `index.search(queries, k, by_row{bitset})`. Keeps what it is given; to be
/// made once where that is large.
template <SearchFilter Filter>
struct by_row {
  Filter rows;
};
template <SearchFilter Filter>
by_row(Filter) -> by_row<Filter>;

namespace detail {

template <class F>
inline constexpr bool filters_rows = std::same_as<F, accept_all>;
template <class F>
inline constexpr bool filters_rows<by_row<F>> = true;

template <class F>
concept LabelOfAll = std::predicate<const F&, row_label&> && takes_whole<F, row_label>;
template <class F>
concept LabelOfQuery =
    !LabelOfAll<F> && std::predicate<const F&, std::size_t, row_label&> && takes_whole_second<F, row_label>;

}  // namespace detail

/// A filter of an index with labels: a predicate on labels, whose parameter must have room for all 64 bits; one on
/// (number of the query in the batch, label); or `by_row`.
template <class F>
concept LabelFilter = detail::filters_rows<F> || detail::LabelOfAll<F> || detail::LabelOfQuery<F>;

/// An index whose rows have labels: searches return labels, filters see labels, rows are removed by label. Results are
/// in the order of the index, so that ties go to the row that was added first. Const members may be called from many
/// threads at once where those of the index may; what changes the index needs it to itself.
template <class Rows>
class labelled_index : public detail::encoded_search<labelled_index<Rows>, typename Rows::query_view,
                                                     typename Rows::distance_type, row_label> {
  using encoded =
      detail::encoded_search<labelled_index, typename Rows::query_view, typename Rows::distance_type, row_label>;

  static_assert(MutableIndex<Rows>,
                "labelled_index: rows of its index must be searched, added, removed and renumbered");

 public:
  using encoded::range_search;
  using encoded::search;
  using encoded::search_into;
  using index_type = Rows;
  using id_type = row_label;
  using query_view = typename Rows::query_view;
  using codes_view = typename Rows::codes_view;
  using distance_type = typename Rows::distance_type;
  using compare = typename Rows::compare;
  using bound_type = search_bound<distance_type, compare>;
  using neighbor_type = neighbor<distance_type, row_label>;
  using result_type = knn_result<distance_type, row_label>;

  /// @param index   without removed rows
  /// @param labels  one a row of the index
  /// @throws error errc::shape for another number of labels, errc::argument for a label given twice or an index with
  /// removed rows.
  explicit labelled_index(Rows index, std::span<const row_label> labels = {}) : index_(std::move(index)) {
    if (labels.size() != index_.rows()) raise(errc::shape, "labels: ", labels.size(), " for ", index_.rows(), " rows");
    if (index_.size() != index_.rows())
      raise(errc::argument, "index: ", index_.rows() - index_.size(), " of its rows were removed; compact it first");
    map_.reserve(labels.size());
    for (const row_label label : labels) map_.add(label);
  }

  labelled_index() requires std::default_initializable<Rows>
  = default;

  labelled_index(const labelled_index&) = default;
  labelled_index(labelled_index&&) = default;
  /// Nothing has changed when it throws.
  labelled_index& operator=(const labelled_index& other) { return *this = labelled_index(other); }
  labelled_index& operator=(labelled_index&&) = default;
  ~labelled_index() = default;

  std::size_t size() const noexcept { return index_.size(); }
  bool contains(row_label label) const noexcept { return map_.contains(label); }
  /// The row of the index that has a label.
  std::optional<row_id> row_of(row_label label) const noexcept { return map_.row_of(label); }
  const Rows& index() const& noexcept { return index_; }
  const Rows& index() const&& = delete;
  std::size_t width() const requires requires(const Rows& index) { index.width(); }
  { return index_.width(); }
  /// Of the encoder that made the rows; 0: not known.
  encoder_fingerprint fingerprint() const noexcept { return detail::known_fingerprint(index_); }
  const id_map& labels() const& noexcept { return map_; }
  const id_map& labels() const&& = delete;

  /// The `k` nearest rows of each query, by their labels.
  /// @param filter  a predicate on labels, or `by_row` of a predicate on rows or a `row_bitset`: what it refuses is not
  ///                found
  /// @throws error as the index does.
  template <LabelFilter Filter = accept_all>
  result_type search(query_view queries, neighbor_count k, const Filter& filter = {}) const {
    result_type result;
    with_rows(filter, [&](const auto& rows) { give_labels(index_.search(queries, k, rows), result); });
    return result;
  }
  /// `search` into a result that is reused. @throws error as the index does.
  template <LabelFilter Filter = accept_all>
  void search_into(query_view queries, neighbor_count k, result_type& result, const Filter& filter = {}) const {
    with_rows(filter, [&](const auto& rows) { give_labels(index_.search(queries, k, rows), result); });
  }

  /// A number of neighbours for each query. @throws error as the index does.
  template <LabelFilter Filter = accept_all>
  result_type search(query_view queries, std::span<const std::size_t> k, const Filter& filter = {}) const {
    result_type result;
    with_rows(filter, [&](const auto& rows) { give_labels(index_.search(queries, k, rows), result); });
    return result;
  }
  /// The `k` nearest of one query, a code or a row of floats. @throws error as the index does.
  template <class Query, LabelFilter Filter = accept_all>
    requires(!std::convertible_to<const Query&, query_view> &&
             requires(const Rows& index, const Query& query, std::size_t k) { index.search(query, k); })
  neighbor_list<distance_type, row_label> search(const Query& query, neighbor_count k, const Filter& filter = {})
  const {
    neighbor_list<distance_type, row_label> list;
    with_rows(filter, [&](const auto& rows) { list = label_list(index_.search(query, k, rows)); });
    return list;
  }
  /// Every row within `radius` of one query. @throws error as the index does.
  template <class Query, LabelFilter Filter = accept_all>
    requires(!std::convertible_to<const Query&, query_view> &&
             requires(const Rows& index, const Query& query, bound_type radius) { index.range_search(query, radius); })
  neighbor_list<distance_type, row_label> range_search(const Query& query, bound_type radius, const Filter& filter = {})
  const {
    neighbor_list<distance_type, row_label> list;
    with_rows(filter, [&](const auto& rows) { list = label_list(index_.range_search(query, radius, rows)); });
    return list;
  }
  template <class Filter>
    requires(!LabelFilter<Filter>)
  result_type search(query_view, neighbor_count, const Filter&)
  const = delete;  // labels have 64 bits; see by_row

  /// The rows that have some labels: `search(queries, k, by_row{index.labels_to_rows(allowed)})` finds these alone, few
  /// of them without a look at the others. Labels that no row has are left out. O(labels · log labels).
  row_list labels_to_rows(std::span<const row_label> labels) const {
    std::vector<row_id> rows;
    rows.reserve(labels.size());
    for (const row_label label : labels)
      if (const auto row = map_.row_of(label)) rows.push_back(*row);
    return row_list(std::move(rows));
  }

  /// The `k` nearest of each of some rows of the index, told by their labels, among the other rows.
  /// @throws error errc::out_of_range for a label that no row has; else as `search`.
  template <LabelFilter Filter = accept_all>
  result_type search_labels(std::span<const row_label> of, neighbor_count k, const Filter& filter = {}) const requires
      requires(const Rows& index, std::span<const row_id> rows, std::size_t count) {
    index.search_rows(rows, count);
  }
  {
    std::vector<row_id> asked;
    asked.reserve(of.size());
    for (const row_label label : of) {
      const auto row = map_.row_of(label);
      if (!row) raise(errc::out_of_range, "label: no row has ", label);
      asked.push_back(*row);
    }
    result_type result;
    with_rows(filter, [&](const auto& rows) {
      give_labels(index_.search_rows(std::span<const row_id>(asked), k, rows), result);
    });
    return result;
  }

  /// Every row within `radius` of each query, by label.
  /// @throws error as the index does.
  template <LabelFilter Filter = accept_all>
  range_result<distance_type, row_label> range_search(query_view queries, bound_type radius,
                                                      const Filter& filter = {}) const requires RangeIndex<Rows> {
    return range_by_label(queries, radius, filter);
  }
  /// A radius, or a threshold, for each query. @throws error as the index does.
  template <LabelFilter Filter = accept_all>
  range_result<distance_type, row_label> range_search(query_view queries, std::span<const distance_type> radii,
                                                      const Filter& filter = {}) const requires
      requires(const Rows& index, const query_view& asked, std::span<const distance_type> each) {
    index.range_search(asked, each);
  }
  { return range_by_label(queries, radii, filter); }
  template <class Filter>
    requires(!LabelFilter<Filter>)
  void range_search(query_view, bound_type, const Filter&) const = delete;  // labels have 64 bits; see by_row

  /// Finds every pair of rows within `radius` of each other, by their labels: calls `found(a, b, distance)` once a
  /// pair, the row that was added first first, as the index does. `found` takes labels whole, in 64 bits.
  /// @throws error as the index does.
  template <class Found, LabelFilter Filter = accept_all>
    requires std::invocable<Found&, row_label, row_label, distance_type> && detail::takes_whole<Found, row_label> &&
        requires(const Rows& index, const bound_type& radius, void (*by_row)(row_id, row_id, distance_type)) {
      index.pairs_within(radius, *by_row);
    }
  void pairs_within(bound_type radius, Found&& found, const Filter& filter = {}) const {
    auto by_label = [&](row_id a, row_id b, distance_type distance) {
      return found(map_.label_of(a), map_.label_of(b), distance);
    };
    with_rows(filter, [&](const auto& rows) { index_.pairs_within(radius, by_label, rows); });
  }

  /// Whether these labels could be added: all that `add` has to say about them before the index is asked.
  /// @throws error as `add` does.
  void check_add(codes_view codes, std::span<const row_label> labels,
                 duplicate_labels duplicates = duplicate_labels::refuse) const {
    if (labels.size() != codes.size()) raise(errc::shape, "labels: ", labels.size(), " for ", codes.size(), " rows");
    if constexpr (requires { index_.check_add(codes); }) index_.check_add(codes);
    check_labels(labels, duplicates);
  }

  /// Adds rows under their labels.
  /// @throws error errc::shape for another number of labels than rows, errc::argument for a label in use or given
  /// twice where duplicates are refused, and what the index throws; nothing has changed then.
  void add(codes_view codes, std::span<const row_label> labels,
           duplicate_labels duplicates = duplicate_labels::refuse) {
    check_add(codes, labels, duplicates);
    add_rows(labels, duplicates, [&] { index_.add(codes); });
  }

  /// Adds the rows of another index with their labels, those that can be found, in their order.
  /// @throws error errc::argument for a label in use where duplicates are refused, and what the index throws; nothing
  /// has changed then.
  template <class Other>
    requires requires(Rows& index, const Other& other) { index.append(other); }
  void append(const labelled_index<Other>& other, duplicate_labels duplicates = duplicate_labels::refuse) {
    std::vector<row_label> labels;
    labels.reserve(other.size());
    for (row_id row = 0; row < other.labels().rows(); ++row)
      if (other.index().contains(row)) labels.push_back(other.labels().label_of(row));
    check_labels(labels, duplicates);
    add_rows(labels, duplicates, [&] { index_.append(other.index()); });
  }

  /// Takes a row out of every later search; its label can be used again. False where no row has the label. O(1).
  bool remove(row_label label) {
    const auto row = map_.row_of(label);
    if (!row) return false;
    map_.reserve(std::span<const row_label>(&label, 1));
    index_.remove(*row);
    map_.release(label);
    return true;
  }

  /// Takes out all rows. Nothing has changed when it throws.
  void clear() requires requires(Rows& index) { index.clear(); }
  {
    index_.clear();
    map_ = id_map();
  }

  /// Of all rows that the index keeps, those that were removed or replaced.
  double removed_share() const noexcept requires requires(const Rows& index) { index.removed_share(); }
  { return index_.removed_share(); }
  /// `compact` where more than this share of the rows was removed or replaced; whether it was.
  /// @throws error errc::argument for a share that is not 0 to 1.
  bool compact_if(double share) requires requires(const Rows& index) { index.removed_share(); }
  {
    detail::require_share(share);
    const bool pays = removed_share() > share;
    if (pays) compact();
    return pays;
  }
  /// As `memory` of the index, with the labels among what rows take.
  index_memory memory() const requires requires(const Rows& index) { index.memory(); }
  {
    index_memory bytes = index_.memory();
    bytes.rows += map_.memory();
    return bytes;
  }

  /// Frees the memory of removed rows. O(bytes of the index). Nothing has changed when it throws.
  void compact() {
    std::vector<row_id> survivors;  // in their order, which `compact` keeps
    survivors.reserve(map_.size());
    for (row_id row = 0; row < map_.rows(); ++row)
      if (map_.row_of(map_.label_of(row)) == row) survivors.push_back(row);
    id_map kept = map_.renumbered(survivors);
    index_.compact();
    map_ = std::move(kept);
  }

  static constexpr file_kind file{"labelled_index", 1};
  /// What `load_mapped` leaves in the file: of the index, what that leaves; labels are read.
  static constexpr bool stays_in_file = detail::stays_in_file<Rows>;

  /// The sections of the file that `save` writes: "labels", and those of the index under "index/".
  void write_to(const section_writer& out) const requires Savable<Rows> {
    map_.write_to(out);
    detail::write_part<Rows>(out, "index", index_);
  }

  /// @param parts  what `load` of the index takes again
  /// @throws error errc::format, errc::kind for another index, errc::checksum or errc::io.
  template <class... Parts>
    requires Loadable<Rows, Parts...>
  static labelled_index read_from(const section_reader& in, Parts&&... parts) {
    labelled_index result(detail::read_part<Rows>(in, "index", std::forward<Parts>(parts)...), read_tag{});
    result.map_ = id_map::read_from(in, result.index_.rows(), [&](row_id row) { return result.index_.contains(row); });
    return result;
  }

 private:
  struct read_tag {};
  labelled_index(Rows index, read_tag) : index_(std::move(index)) {}

  neighbor_type labelled(const neighbor<distance_type>& n) const noexcept { return {map_.label_of(n.id), n.distance}; }

  void check_labels(std::span<const row_label> labels, duplicate_labels duplicates) const {
    if (duplicates == duplicate_labels::replace) return;
    id_map fresh;  // of several new rows alone, to find labels given twice
    if (labels.size() > 1) fresh.reserve(labels.size());
    for (const row_label label : labels) {
      if (map_.contains(label)) raise(errc::argument, "label: ", label, " is in use already");
      if (labels.size() > 1) fresh.add(label);
    }
  }

  // From the rows on, which `add` adds, nothing may fail: the labels would be those of other rows.
  template <class Add>
  void add_rows(std::span<const row_label> labels, duplicate_labels duplicates, Add&& add) {
    map_.reserve(labels);
    if (duplicates == duplicate_labels::replace) reserve_removal(labels.size());
    add();
    for (const row_label label : labels) {
      if (const auto old = map_.release(label)) index_.remove(*old);
      map_.add(label);
    }
  }

  // Makes sure that removing rows cannot fail, where the index can promise that.
  void reserve_removal(std::size_t added) {
    if constexpr (requires { index_.reserve_removal(added); }) index_.reserve_removal(added);
  }

  neighbor_list<distance_type, row_label> label_list(const neighbor_list<distance_type>& found) const {
    std::vector<neighbor_type> list;
    list.reserve(found.size());
    for (const auto& n : found) list.push_back(labelled(n));
    return neighbor_list<distance_type, row_label>(std::span<const neighbor_type>(list));
  }
  void give_labels(const knn_result<distance_type>& found, result_type& result) const {
    result.reset(found.queries(), found.k());
    std::vector<neighbor_type> list;
    for (std::size_t q = 0; q < found.queries(); ++q) {
      list.clear();
      for (const auto& n : found[q]) list.push_back(labelled(n));
      result.assign(q, list);
    }
  }

  template <class Radius, class Filter>
  range_result<distance_type, row_label> range_by_label(const query_view& queries, const Radius& radius,
                                                        const Filter& filter) const {
    range_result<distance_type, row_label> result;
    with_rows(filter, [&](const auto& rows) {
      const auto found = index_.range_search(queries, radius, rows);
      std::vector<neighbor_type> list;
      for (std::size_t q = 0; q < found.queries(); ++q) {
        list.clear();
        for (const auto& n : found[q]) list.push_back(labelled(n));
        result.append(list);
      }
    });
    return result;
  }

  template <class Filter, class Search>
  void with_rows(const Filter& filter, Search&& search) const {
    if constexpr (std::same_as<Filter, accept_all>)
      search(filter);
    else if constexpr (detail::filters_rows<Filter>)
      search(filter.rows);
    else if constexpr (detail::LabelOfQuery<Filter>)
      search([&](std::size_t query, row_id row) {
        row_label label = map_.label_of(row);
        return static_cast<bool>(std::invoke(filter, query, label));
      });
    else
      search([&](row_id row) {
        row_label label = map_.label_of(row);
        return static_cast<bool>(std::invoke(filter, label));
      });
  }

  Rows index_;
  id_map map_;
};

template <class Rows>
labelled_index(Rows) -> labelled_index<Rows>;
template <class Rows, class Labels>
labelled_index(Rows, const Labels&) -> labelled_index<Rows>;

}  // namespace embit::inline EMBIT_ABI
