// Which store an index keeps for a kernel: what the library's kernels get, and kernels and stores of the user's own,
// which nothing in the library knows of.
// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/index/flat.hpp>
#include <embit/kernel/inner_product.hpp>
#include <embit/search/scan_store.hpp>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

using embit::code_store, embit::code_view, embit::scan_store_t;
using support::code_kind, support::make_codes;

template <class Source, class K, class Store>
inline constexpr bool keeps = std::same_as<scan_store_t<Source, K>, Store>;

// ---- what the library's kernels keep ----
static_assert(keeps<code_store<>, embit::hamming, embit::block_store<>>);
static_assert(keeps<code_store<256>, embit::hamming, embit::block_store<256>>);
static_assert(keeps<code_view<>, embit::hamming, embit::block_store<>>);
static_assert(keeps<embit::block_store<>, embit::hamming, embit::block_store<>>);
static_assert(keeps<code_store<64>, embit::jaccard, embit::popcount_store<64>>);
static_assert(keeps<code_view<>, embit::tversky, embit::popcount_store<>>);
static_assert(keeps<code_view<>, embit::symmetric, embit::level_store>);
static_assert(keeps<code_store<>, embit::symmetric, embit::level_store>);
static_assert(keeps<embit::level_view, embit::symmetric, embit::level_store>);
static_assert(keeps<embit::level_store, embit::symmetric, embit::level_store>);
static_assert(keeps<embit::matrix<float>, embit::inner_product, embit::matrix<float>>);

// A kernel that tells nothing gets the rows, and one that is made of another what that gets.
struct silent {
  using query_view = code_view<>;
  using distance_type = std::uint32_t;
  using compare = std::less<>;
  std::span<const embit::word> prepare(std::span<const embit::word> query) const { return query; }
  std::uint32_t operator()(std::span<const embit::word> query, std::span<const embit::word> code) const noexcept {
    return embit::hamming{}(query, code);
  }
};
static_assert(keeps<code_store<>, silent, code_store<>> && keeps<code_view<128>, silent, code_store<128>>);
struct made_of_hamming : embit::hamming {};
static_assert(keeps<code_store<>, made_of_hamming, embit::block_store<>>);

// ---- a layout of codes of the user's own ----

// Codes column by column: word w of row r is words[w · size + r].
struct column_row {
  const std::vector<embit::word>* words;
  std::size_t rows, row;
};
class column_store {
 public:
  using code_type = column_row;

  explicit column_store(code_view<> codes) : size_(codes.size()), bits_(codes.bits()) {
    for (std::size_t w = 0; w < codes.words(); ++w)
      for (std::size_t r = 0; r < size_; ++r) words_.push_back(codes[r][w]);
  }
  std::size_t size() const { return size_; }
  std::size_t bits() const { return bits_; }
  column_row operator[](std::size_t row) const { return {&words_, size_, row}; }
  void copy_row(std::size_t row, std::span<embit::word> out) const {
    for (std::size_t w = 0; w < embit::words_for(bits_); ++w) out[w] = words_[w * size_ + row];
  }

 private:
  std::size_t size_, bits_;
  std::vector<embit::word> words_;
};

// Names its store, and takes queries of half the rows' width too, which no other kernel does.
struct by_columns {
  using query_view = code_view<>;
  using distance_type = std::uint32_t;
  using compare = std::less<>;
  template <class Source>
  using store_for = column_store;

  std::span<const embit::word> prepare(std::span<const embit::word> query) const { return query; }
  std::uint32_t operator()(std::span<const embit::word> query, const column_row& row) const noexcept {
    std::uint32_t distance = 0;
    for (std::size_t w = 0; w < query.size(); ++w)
      distance += static_cast<std::uint32_t>(std::popcount(query[w] ^ (*row.words)[w * row.rows + row.row]));
    return distance;
  }
  void require_queries(const code_view<>& queries, const column_store& store) const {
    if (queries.bits() != store.bits() && 2 * queries.bits() != store.bits())
      embit::raise(embit::errc::shape, "queries: ", queries.bits(), " bits against columns of ", store.bits());
  }
};

// ---- rows that are no numbers at all ----

struct common_prefix;
struct names_view {
  using default_kernel = common_prefix;
  std::span<const std::string> names;

  std::size_t size() const { return names.size(); }
  const std::string& operator[](std::size_t i) const { return names[i]; }
  names_view middle_rows(std::size_t first, std::size_t count) const { return {names.subspan(first, count)}; }
};
struct name_store {
  using rows_view = names_view;
  std::vector<std::string> names;

  explicit name_store(names_view rows) { append(rows); }
  std::size_t size() const { return names.size(); }
  const std::string& operator[](std::size_t row) const { return names[row]; }
  void append(names_view rows) { names.insert(names.end(), rows.names.begin(), rows.names.end()); }
};

struct common_prefix {
  using query_view = names_view;
  using distance_type = std::uint32_t;
  using compare = std::greater<>;
  template <class Source>
  using store_for = name_store;

  std::string_view prepare(const std::string& query) const { return query; }
  std::uint32_t operator()(std::string_view query, const std::string& name) const noexcept {
    const auto end = std::mismatch(query.begin(), query.end(), name.begin(), name.end()).first;
    return static_cast<std::uint32_t>(end - query.begin());
  }
  void require_queries(query_view queries, const name_store&) const {
    for (const std::string& q : queries.names)
      if (q.empty()) embit::raise(embit::errc::argument, "queries: a name without letters");
  }
};

}  // namespace

TEST_CASE("a kernel of the user's own names a store of the user's own and says which queries fit", "[scan_store]") {
  embit::rng rng{1};
  const auto codes = make_codes(300, 256, code_kind::uniform, rng),
             queries = make_codes(5, 256, code_kind::uniform, rng);
  const embit::flat_index index{codes, by_columns{}};
  static_assert(std::same_as<decltype(index)::store_type, column_store>);
  const auto expected = embit::flat_index{codes}.search(queries, 7);
  const auto found = index.search(queries, 7);
  for (std::size_t q = 0; q < 5; ++q) REQUIRE(std::ranges::equal(found[q], expected[q]));

  const auto halves = make_codes(3, 128, code_kind::uniform, rng);
  REQUIRE(index.search(halves, 2).queries() == 3);
  const auto thirds = make_codes(3, 80, code_kind::uniform, rng);
  REQUIRE(support::refusal([&] { static_cast<void>(index.search(thirds, 2)); }) ==
          "shape: queries: 80 bits against columns of 256");
  // What is asked of codes in themselves is asked whatever the kernel says.
  const embit::flat_index narrow{make_codes(9, 100, code_kind::uniform, rng), by_columns{}};
  const std::vector<embit::word> dirty{0, ~embit::word{0}};
  REQUIRE(support::contains(
      support::refusal([&] { static_cast<void>(narrow.search(code_view<>(dirty.data(), 1, 100), 2)); }),
      "bits set beyond its width of 100"));
}

TEST_CASE("a store tells what rows it takes, which need not be numbers", "[scan_store]") {
  const std::vector<std::string> names{"ada", "alan", "alonzo", "grace"}, more{"alma"}, queries{"alo", "gr"}, none{""};
  embit::flat_index index{names_view{names}, common_prefix{}};
  static_assert(std::same_as<decltype(index)::store_type, name_store>);
  static_assert(std::same_as<decltype(index)::codes_view, names_view>);
  const embit::flat_index by_default{names_view{names}};
  static_assert(std::same_as<decltype(by_default)::kernel_type, common_prefix>);
  REQUIRE(by_default.search({queries}, 1)[0][0].id == 2);
  REQUIRE(index.add({more}) == 4);
  const auto found = index.search({queries}, 3);
  REQUIRE(found[0].size() == 3);
  CHECK(found[0][0] == embit::neighbor<std::uint32_t>{2, 3});
  CHECK(found[0][1] == embit::neighbor<std::uint32_t>{1, 2});
  CHECK(found[0][2] == embit::neighbor<std::uint32_t>{4, 2});
  CHECK(found[1][0] == embit::neighbor<std::uint32_t>{3, 2});
  REQUIRE(support::refusal([&] { static_cast<void>(index.search({none}, 1)); }) ==
          "argument: queries: a name without letters");
}
