// An index whose type is known at run time only.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/erased.hpp>
#include <embit/core/error.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/results.hpp>
#include <embit/core/search_arguments.hpp>
#include <embit/core/types.hpp>
#include <embit/fwd.hpp>
#include <embit/index/index_kind.hpp>
#include <embit/index/index_memory.hpp>
#include <embit/io/save.hpp>
#include <embit/search/encoded_search.hpp>
#include <embit/search/index_frame.hpp>
#include <embit/search/pair_report.hpp>
#include <embit/search/row_choice.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// What an `any_index` asks of the index that it holds: a call a batch of queries.
template <class QueryView, class Distance, class CodesView>
struct erased_index {
  virtual ~erased_index() = default;
  virtual std::unique_ptr<erased_index> copy() const = 0;
  virtual const void* type() const noexcept = 0;
  virtual const void* held() const noexcept = 0;
  virtual file_kind file() const = 0;  // without a name where it has no file
  virtual std::size_t size() const = 0;
  virtual std::size_t rows() const = 0;
  virtual std::size_t width() const = 0;
  virtual encoder_fingerprint fingerprint() const noexcept = 0;
  virtual std::uint64_t generation() const noexcept = 0;
  virtual void forget_encoder() noexcept = 0;
  virtual index_memory memory() const = 0;
  virtual bool contains(row_id row) const = 0;
  virtual void search_into(const QueryView& queries, std::size_t k, knn_result<Distance>& result,
                           const row_choice& choice) const = 0;
  virtual range_result<Distance> range_search(const QueryView& queries, Distance radius,
                                              const row_choice& choice) const = 0;
  virtual range_result<Distance> range_search_each(const QueryView& queries, std::span<const Distance> radii,
                                                   const row_choice& choice) const = 0;
  virtual void pairs_within(Distance radius, const std::function<bool(row_id, row_id, Distance)>& found,
                            const row_choice& choice) const = 0;
  virtual row_id add(const CodesView& codes) = 0;
  virtual void check_add(const CodesView& codes) const = 0;
  virtual bool remove(row_id row) = 0;
  virtual void reserve_removal(std::size_t added) = 0;
  virtual std::vector<row_id> compact() = 0;
  virtual void write_to(const section_writer& out) const = 0;
};

/// How an index of type T does that. What it cannot do is `errc::unsupported`.
template <class T, class QueryView, class Distance, class CodesView>
class erased_index_of final : public erased_index<QueryView, Distance, CodesView> {
 public:
  using base = erased_index<QueryView, Distance, CodesView>;

  explicit erased_index_of(T index) : index_(std::move(index)) {}

  std::unique_ptr<base> copy() const override { return std::make_unique<erased_index_of>(index_); }
  const void* type() const noexcept override { return &type_mark<T>; }
  const void* held() const noexcept override { return std::addressof(index_); }
  file_kind file() const override {
    if constexpr (Savable<T>)
      return kind_in_file(index_);
    else
      return {};
  }

  std::size_t size() const override { return index_.size(); }
  std::size_t rows() const override {
    if constexpr (requires { index_.rows(); })
      return index_.rows();
    else
      return index_.size();
  }
  std::size_t width() const override {
    if constexpr (requires { index_.width(); })
      return index_.width();
    else
      refuse("width");
  }
  encoder_fingerprint fingerprint() const noexcept override { return known_fingerprint(index_); }
  std::uint64_t generation() const noexcept override {
    if constexpr (requires { index_.generation(); }) return index_.generation();
    return 0;
  }
  void forget_encoder() noexcept override {
    if constexpr (requires { index_.forget_encoder(); }) index_.forget_encoder();
  }
  index_memory memory() const override {
    if constexpr (requires { index_.memory(); })
      return index_.memory();
    else if constexpr (requires { index_.store().memory(); })
      return {.codes = index_.store().memory()};
    else
      refuse("memory");
  }
  bool contains(row_id row) const override {
    if constexpr (requires { index_.contains(row); })
      return index_.contains(row);
    else
      refuse("contains");
  }

  void search_into(const QueryView& queries, std::size_t k, knn_result<Distance>& result,
                   const row_choice& choice) const override {
    if (choice.all())
      index_.search_into(queries, k, result);
    else if constexpr (requires { index_.search_into(queries, k, result, choice); })
      index_.search_into(queries, k, result, choice);
    else
      result = index_.search(queries, k, choice);
  }
  range_result<Distance> range_search(const QueryView& queries, Distance radius,
                                      const row_choice& choice) const override {
    if constexpr (requires { index_.range_search(queries, radius, choice); })
      return index_.range_search(queries, radius, choice);
    else
      refuse("range_search");
  }

  range_result<Distance> range_search_each(const QueryView& queries, std::span<const Distance> radii,
                                           const row_choice& choice) const override {
    if constexpr (requires { index_.range_search(queries, radii, choice); })
      return index_.range_search(queries, radii, choice);
    else
      refuse("range_search with a radius for each query");
  }
  void pairs_within(Distance radius, const std::function<bool(row_id, row_id, Distance)>& found,
                    const row_choice& choice) const override {
    if constexpr (requires { index_.pairs_within(radius, found, choice); })
      index_.pairs_within(radius, found, choice);
    else
      refuse("pairs_within");
  }

  row_id add(const CodesView& codes) override {
    if constexpr (requires { row_id{index_.add(codes)}; })
      return index_.add(codes);
    else
      refuse("add");
  }
  void check_add(const CodesView& codes) const override {
    if constexpr (requires { index_.check_add(codes); }) index_.check_add(codes);
  }
  void reserve_removal(std::size_t added) override {
    if constexpr (requires { index_.reserve_removal(added); }) index_.reserve_removal(added);
  }
  bool remove(row_id row) override {
    if constexpr (requires { index_.remove(row); })
      return index_.remove(row);
    else
      refuse("remove");
  }
  std::vector<row_id> compact() override {
    if constexpr (requires { std::vector<row_id>(index_.compact()); })
      return index_.compact();
    else
      refuse("compact");
  }
  void write_to(const section_writer& out) const override {
    if constexpr (Savable<T>)
      index_.write_to(out);
    else
      refuse("save");
  }

 private:
  [[noreturn]] EMBIT_COLD static void refuse(std::string_view what) {
    const std::string_view name = [] {
      if constexpr (Savable<T>)
        return std::string_view(T::file.name);
      else
        return std::string_view("one that has no file");
    }();
    raise(errc::unsupported, what, ": not among what this index can do (", name, ")");
  }

  T index_;
};

/// Reads an `any_index` from sections; make_index.hpp knows how.
template <class Any>
struct index_files;

}  // namespace detail

/// Any index that takes these queries and gives these distances in this order, chosen at run time: `flat_index`,
/// `multi_index`, `lsh_table`, `ivf_index`, whatever their layouts, kernels and executors, or one of the user's own. A
/// value: a copy is a copy of the index. Each call costs one virtual call a batch of queries. Its file is that of the
/// index it holds. Default-constructed or moved from it holds none: `size` is 0 then, and whatever needs an index is
/// refused.
/// Const members may be called from many threads at once where those of the index may.
/// @tparam CodesView  what rows are added as
template <class QueryView, class Distance, class Compare, class CodesView>
class any_index
    : public detail::encoded_search<any_index<QueryView, Distance, Compare, CodesView>, QueryView, Distance> {
  using encoded = detail::encoded_search<any_index, QueryView, Distance>;

 public:
  using encoded::range_search;
  using encoded::search;
  using encoded::search_into;
  using query_view = QueryView;
  using codes_view = CodesView;
  using distance_type = Distance;
  using compare = Compare;
  using bound_type = search_bound<Distance, Compare>;
  using neighbor_type = neighbor<Distance>;

  any_index() = default;

  template <class T>
    requires(!std::same_as<T, any_index> && Index<T> && std::copy_constructible<T> &&
             std::convertible_to<const QueryView&, typename T::query_view> &&
             std::same_as<typename T::distance_type, Distance> && std::same_as<typename T::compare, Compare>)
  any_index(T index)
      : index_(std::make_unique<detail::erased_index_of<T, QueryView, Distance, CodesView>>(std::move(index))) {}

  any_index(const any_index& other) : index_(other.index_ ? other.index_->copy() : nullptr) {}
  any_index(any_index&&) noexcept = default;
  any_index& operator=(const any_index& other) {
    if (this != &other) *this = any_index(other);
    return *this;
  }
  any_index& operator=(any_index&&) noexcept = default;
  ~any_index() = default;

  /// Whether it holds an index.
  bool has_value() const noexcept { return index_ != nullptr; }
  index_kind kind() const { return detail::index_kind_of(held().file().name); }
  /// The index that it holds, or null where that is not a T.
  template <class T>
  const T* get_if() const noexcept {
    return index_ && index_->type() == &detail::type_mark<T> ? static_cast<const T*>(index_->held()) : nullptr;
  }

  std::size_t size() const { return index_ ? index_->size() : 0; }
  std::size_t rows() const { return index_ ? index_->rows() : 0; }
  std::size_t width() const { return held().width(); }
  /// How often rows were numbered anew.
  std::uint64_t generation() const noexcept { return index_ ? index_->generation() : 0; }
  /// Of the encoder that made the rows; 0: not known.
  encoder_fingerprint fingerprint() const noexcept { return index_ ? index_->fingerprint() : 0; }
  void forget_encoder() noexcept {
    if (index_) index_->forget_encoder();
  }
  index_memory memory() const { return held().memory(); }
  bool contains(row_id row) const { return index_ && index_->contains(row); }

  /// As `search` of the index.
  /// @throws error as it does, and errc::unsupported where there is none.
  template <SearchFilter Filter = accept_all>
  knn_result<Distance> search(const QueryView& queries, neighbor_count k, const Filter& filter = {}) const {
    knn_result<Distance> result;
    search_into(queries, k, result, filter);
    return result;
  }
  template <SearchFilter Filter = accept_all>
  void search_into(const QueryView& queries, neighbor_count k, knn_result<Distance>& result,
                   const Filter& filter = {}) const {
    held().search_into(queries, k, result, row_choice(filter));
  }
  /// A number of neighbours for each query: the first of what a search for the largest of them finds.
  /// @throws error as above, and errc::shape for another number of numbers than of queries.
  template <SearchFilter Filter = accept_all>
  knn_result<Distance> search(const QueryView& queries, std::span<const std::size_t> k,
                              const Filter& filter = {}) const {
    return detail::first_of_each(k, queries.size(), [&](std::size_t most) { return search(queries, most, filter); });
  }
  /// A radius, or a threshold, for each query.
  /// @throws error as `range_search` of the index does, and errc::unsupported where it has none.
  template <SearchFilter Filter = accept_all>
  range_result<Distance> range_search(const QueryView& queries, std::span<const Distance> radii,
                                      const Filter& filter = {}) const {
    return held().range_search_each(queries, radii, row_choice(filter));
  }
  /// As `pairs_within` of the index.
  /// @throws error as it does, and errc::unsupported where it has none.
  template <class Found, SearchFilter Filter = accept_all>
    requires std::invocable<Found&, row_id, row_id, Distance>
  void pairs_within(bound_type radius, Found&& found, const Filter& filter = {}) const {
    held().pairs_within(
        radius, [&](row_id a, row_id b, Distance distance) { return detail::wants_more(found, a, b, distance); },
        row_choice(filter));
  }

  /// As `range_search` of the index.
  /// @throws error as it does, and errc::unsupported where it has none.
  template <SearchFilter Filter = accept_all>
  range_result<Distance> range_search(const QueryView& queries, bound_type radius, const Filter& filter = {}) const {
    return held().range_search(queries, radius, row_choice(filter));
  }

  /// These as those of the index.
  /// @throws error as they do, and errc::unsupported where it has none.
  row_id add(const CodesView& codes) { return held().add(codes); }
  void check_add(const CodesView& codes) const { held().check_add(codes); }
  void reserve_removal(std::size_t added = 0) { held().reserve_removal(added); }
  bool remove(row_id row) { return held().remove(row); }
  std::vector<row_id> compact() { return held().compact(); }

  /// What its file says it holds.
  /// @throws error errc::unsupported where the index cannot be saved.
  file_kind saved_as() const {
    const file_kind kind = held().file();
    if (kind.name.empty()) raise(errc::unsupported, "save: an index of a type that has no file");
    return kind;
  }
  void write_to(const section_writer& out) const { held().write_to(out); }
  /// @param found   the kind of index that the file holds
  /// @param kernel  of the index where it is not the default one of the queries
  /// @throws error errc::kind for an index of other queries, distances or order, or one that is not known;
  /// errc::format, errc::version, errc::checksum or errc::io.
  template <class... Kernel>
  static any_index read_as(file_kind found, const section_reader& in, const Kernel&... kernel) {
    return detail::index_files<any_index>::read(found, in, kernel...);
  }

 private:
  using erased = detail::erased_index<QueryView, Distance, CodesView>;

  const erased& held() const {
    require_value();
    return *index_;
  }
  erased& held() {
    require_value();
    return *index_;
  }
  void require_value() const {
    if (!index_) raise(errc::unsupported, "any_index: holds no index");
  }

  std::unique_ptr<erased> index_;
};

template <class T>
any_index(T)
    -> any_index<typename T::query_view, typename T::distance_type, typename T::compare, typename T::codes_view>;

}  // namespace embit::inline EMBIT_ABI
