// Indexes over binary codes behind one interface, so that each kind is compiled once and not for every test.
#pragma once

#include <embit/core/concepts.hpp>
#include <embit/core/results.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/core/types.hpp>
#include <embit/search/row_bitset.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace support {

/// What a multi_index did; nothing of other indexes.
struct index_effort {
  std::size_t lookups = 0, candidates = 0, survivors = 0, probed = 0, scanned = 0, bailed_out = 0;
};

/// What the tests ask of an index.
class code_index {
 public:
  using knn = embit::knn_result<std::uint32_t>;
  using range = embit::range_result<std::uint32_t>;
  using row_filter = std::function<bool(embit::row_id)>;
  using pair_list = std::vector<std::tuple<embit::row_id, embit::row_id, std::uint32_t>>;

  code_index() = default;
  code_index(const code_index&) = delete;
  code_index& operator=(const code_index&) = delete;
  virtual ~code_index() = default;

  virtual std::size_t size() const = 0;
  virtual std::size_t rows() const = 0;
  virtual std::size_t width() const = 0;
  virtual std::size_t substrings() const = 0;  ///< 0 where there are none
  virtual std::size_t table_bytes() const = 0;

  virtual knn search(embit::code_view<> queries, std::size_t k, index_effort* effort = nullptr) const = 0;
  virtual knn search(embit::code_view<> queries, std::size_t k, const row_filter& filter) const = 0;
  virtual knn search(embit::code_view<> queries, std::size_t k, const embit::row_bitset& members) const = 0;
  virtual range range_search(embit::code_view<> queries, std::uint32_t radius) const = 0;
  virtual range range_search(embit::code_view<> queries, std::uint32_t radius, const row_filter& filter) const = 0;
  virtual range range_search(embit::code_view<> queries, std::uint32_t radius,
                             const embit::row_bitset& members) const = 0;
  /// The pairs within a radius that come before there are `most`, sorted.
  virtual pair_list pairs_within(std::uint32_t radius, std::size_t most = ~std::size_t{0}) const = 0;

  virtual embit::row_id add(embit::code_view<> codes) = 0;
  virtual bool remove(embit::row_id row) = 0;
  virtual bool contains(embit::row_id row) const = 0;
  virtual std::vector<embit::row_id> compact() = 0;
};

template <class Index, class Statistics>
class code_index_of final : public code_index {
 public:
  explicit code_index_of(Index index) : index_(std::move(index)) {}

  std::size_t size() const override { return index_.size(); }
  std::size_t rows() const override { return index_.rows(); }
  std::size_t width() const override { return index_.width(); }
  std::size_t substrings() const override {
    if constexpr (requires { index_.substrings(); }) return index_.substrings();
    return 0;
  }
  std::size_t table_bytes() const override {
    if constexpr (requires { index_.memory(); }) return index_.memory().tables;
    return 0;
  }

  knn search(embit::code_view<> queries, std::size_t k, index_effort* effort) const override {
    Statistics did;
    knn found = index_.search(queries, k, embit::accept_all{}, &did);
    if constexpr (requires { did.lookups; })
      if (effort != nullptr) {
        effort->lookups += did.lookups;
        effort->candidates += did.candidates;
        effort->survivors += did.survivors;
        effort->probed += did.probed;
        effort->scanned += did.scanned;
        effort->bailed_out += did.bailed_out;
      }
    return found;
  }
  knn search(embit::code_view<> queries, std::size_t k, const row_filter& filter) const override {
    return index_.search(queries, k, filter);
  }
  knn search(embit::code_view<> queries, std::size_t k, const embit::row_bitset& members) const override {
    return index_.search(queries, k, members);
  }
  range range_search(embit::code_view<> queries, std::uint32_t radius) const override {
    return index_.range_search(queries, radius);
  }
  range range_search(embit::code_view<> queries, std::uint32_t radius, const row_filter& filter) const override {
    return index_.range_search(queries, radius, filter);
  }
  range range_search(embit::code_view<> queries, std::uint32_t radius,
                     const embit::row_bitset& members) const override {
    return index_.range_search(queries, radius, members);
  }
  pair_list pairs_within(std::uint32_t radius, std::size_t most) const override {
    pair_list pairs;
    index_.pairs_within(radius, [&](embit::row_id a, embit::row_id b, std::uint32_t d) {
      pairs.emplace_back(a, b, d);
      return pairs.size() < most;
    });
    std::sort(pairs.begin(), pairs.end());
    return pairs;
  }

  embit::row_id add(embit::code_view<> codes) override { return index_.add(codes); }
  bool remove(embit::row_id row) override { return index_.remove(row); }
  bool contains(embit::row_id row) const override { return index_.contains(row); }
  std::vector<embit::row_id> compact() override { return index_.compact(); }

 private:
  Index index_;
};

enum class table_layout { inlined, ids };

inline const char* name_of(table_layout layout) { return layout == table_layout::ids ? "ids_only" : "inlined_codes"; }

/// `multi_index_options`, without the header that it is in.
struct multi_options {
  std::size_t substrings = 0;
  bool reorder_bits = false;
  bool bail_out = true;
};

/// Each is compiled in a file of its own. Without threads of their own the pool has the calling one.
std::unique_ptr<code_index> make_flat(embit::code_view<> codes);
std::unique_ptr<code_index> make_inlined(embit::code_view<> codes, multi_options options, embit::thread_pool pool);
std::unique_ptr<code_index> make_ids_only(embit::code_view<> codes, multi_options options, embit::thread_pool pool);

inline std::unique_ptr<code_index> make_multi(table_layout layout, embit::code_view<> codes, multi_options options = {},
                                              std::size_t threads = 1) {
  const auto make = layout == table_layout::ids ? make_ids_only : make_inlined;
  return make(codes, options, embit::thread_pool{threads});
}

}  // namespace support
