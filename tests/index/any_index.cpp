#include <embit/index/any_index.hpp>
#include <embit/index/make_index.hpp>

#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/index/concurrent.hpp>
#include <embit/index/durable.hpp>
#include <embit/index/labelled.hpp>
#include <embit/store/level_store.hpp>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

#include <bit>
#include <vector>

using embit::code_store, embit::code_view, embit::errc, embit::index_kind, embit::row_id;
using support::code_of;
using any_codes = embit::any_index<code_view<>, std::uint32_t>;

namespace {

/// An index of the user's own: what the concept asks for and no more.
struct even_rows {
  using query_view = code_view<>;
  using codes_view = code_view<>;
  using distance_type = std::uint32_t;
  using compare = std::less<>;

  embit::flat_index<> rows;

  std::size_t size() const { return rows.size(); }
  template <class Filter = embit::accept_all>
  embit::knn_result<std::uint32_t> search(code_view<> queries, std::size_t k, const Filter& filter = {}) const {
    return rows.search(queries, k, [&](row_id row) { return row % 2 == 0 && filter(row); });
  }
  void search_into(code_view<> queries, std::size_t k, embit::knn_result<std::uint32_t>& result) const {
    result = search(queries, k);
  }
};
static_assert(embit::Index<even_rows>);
static_assert(embit::Index<any_codes> && embit::RangeIndex<any_codes> && embit::MutableIndex<any_codes>);
static_assert(embit::Savable<any_codes> && embit::Loadable<any_codes>);

struct two_words {  // a kernel of the user's own
  using query_view = code_view<>;
  using distance_type = std::uint32_t;
  using compare = std::less<>;
  auto prepare(std::span<const embit::word> query) const noexcept { return query; }
  std::uint32_t operator()(std::span<const embit::word> a, std::span<const embit::word> b) const noexcept {
    return static_cast<std::uint32_t>(2 * std::popcount(a[0] ^ b[0]) + std::popcount(a[1] ^ b[1]));
  }
};

code_store<> some_codes(std::size_t rows, std::uint64_t seed) {
  embit::rng rng{seed};
  return support::make_codes(rows, 100, support::code_kind::uniform, rng);
}

template <class Result>
auto lists(const Result& result) {
  std::vector<std::vector<typename Result::neighbor_type>> all;
  for (std::size_t q = 0; q < result.queries(); ++q) all.emplace_back(result[q].begin(), result[q].end());
  return all;
}

/// Whatever can be asked of both gives the same.
template <class Held>
void check_same(const any_codes& any, const Held& held, code_view<> queries) {
  embit::row_bitset chosen(held.rows());
  for (std::size_t row = 0; row < held.rows(); row += 3) chosen.set(row);
  const auto odd = [](row_id row) { return row % 2 == 1; };
  CHECK(any.size() == held.size());
  CHECK(any.rows() == held.rows());
  CHECK(any.width() == held.width());
  CHECK(lists(any.search(queries, 7)) == lists(held.search(queries, 7)));
  CHECK(lists(any.search(queries, 7, odd)) == lists(held.search(queries, 7, odd)));
  CHECK(lists(any.search(queries, 7, chosen)) == lists(held.search(queries, 7, chosen)));
  CHECK(lists(any.range_search(queries, 40, odd)) == lists(held.range_search(queries, 40, odd)));
}

template <class Held>
void check_held(const Held& made, index_kind kind) {
  const code_store<> queries = some_codes(5, 77), more = some_codes(70, 78);
  Held held = made;
  any_codes any = made;
  CHECK(any.has_value());
  CHECK(any.kind() == kind);
  CHECK(any.get_if<Held>() != nullptr);
  CHECK(any.get_if<even_rows>() == nullptr);
  check_same(any, held, queries);

  const any_codes before = any;
  CHECK(any.add(more) == held.add(more));
  CHECK(any.remove(3) == held.remove(3));
  CHECK_FALSE(any.contains(3));
  check_same(any, held, queries);
  CHECK(any.compact() == held.compact());
  check_same(any, held, queries);
  check_same(before, made, queries);  // a copy is a copy

  const support::temp_dir folder;
  const std::string path = folder / "index", again = folder / "again";
  embit::save(path, any);
  check_same(embit::load_index<code_view<>, std::uint32_t>(path), held, queries);
  check_same(any_codes(embit::load<Held>(path)), held, queries);
  embit::save(again, held);
  CHECK(embit::load_index<code_view<>, std::uint32_t>(again).kind() == kind);
}

}  // namespace

TEST_CASE("an index chosen at run time does what the index does, and its file is that of the index", "[any_index]") {
  for (const std::size_t rows : {0u, 1u, 7u, 513u}) {
    const code_store<> codes = some_codes(rows, rows);
    check_held(embit::flat_index{codes}, index_kind::flat);
    check_held(embit::multi_index{codes, {.substrings = 8}}, index_kind::multi_index);
    check_held(embit::multi_index<embit::ids_only>{codes, {.substrings = 8}}, index_kind::multi_index);
    check_held(embit::lsh_table{codes, {.tables = 4, .bits = 6, .probes = 3}}, index_kind::lsh_table);
  }
}

TEST_CASE("make_index makes the kind that is named, and what tune found best", "[any_index][threads]") {
  embit::rng rng{1};
  const code_store<> codes = some_codes(600, 5), queries = some_codes(30, 6);
  any_codes index;
  index = embit::make_index(codes, {.kind = index_kind::flat}, rng);
  const auto expected = lists(index.search(queries, 5));
  index = embit::make_index(codes, {.kind = index_kind::multi_index}, rng, embit::thread_pool{2});
  CHECK(lists(index.search(queries, 5)) == expected);
  index = embit::make_index(codes, {.kind = index_kind::lsh_table, .lsh = {.tables = 1, .bits = 2, .probes = 4}}, rng);
  CHECK(index.kind() == index_kind::lsh_table);
  CHECK(lists(index.search(queries, 5)) == expected);
  CHECK(code_of([&] { (void)embit::make_index(codes, {.kind = index_kind::lsh_table}, rng); }) == errc::argument);
  CHECK(code_of([&] { (void)embit::make_index(codes, {.kind = index_kind::other}, rng); }) == errc::argument);
  const auto report = embit::tune(codes, queries, {.k = 5, .seconds = 0});
  CHECK(embit::make_index(codes, report.best(), rng).kind() == report.best().kind);
}

TEST_CASE("an index of the user's own, and one with a kernel of the user's own, are held too", "[any_index]") {
  const code_store<> codes = some_codes(300, 8), queries = some_codes(4, 9);
  any_codes index = even_rows{embit::flat_index{codes}};
  CHECK(index.kind() == index_kind::other);
  CHECK(lists(index.search(queries, 5)) == lists(even_rows{embit::flat_index{codes}}.search(queries, 5)));
  const auto thirds = [](row_id row) { return row % 3 == 0; };
  for (const auto& hit : index.search(queries, 5, thirds)[2]) CHECK(hit.id % 6 == 0);
  CHECK(code_of([&] { index.add(codes); }) == errc::unsupported);
  CHECK(code_of([&] { index.remove(1); }) == errc::unsupported);
  CHECK(code_of([&] { index.compact(); }) == errc::unsupported);
  CHECK(code_of([&] { (void)index.range_search(queries, 3); }) == errc::unsupported);
  CHECK(code_of([&] { (void)index.memory(); }) == errc::unsupported);
  CHECK(code_of([&] { embit::save("nowhere", index); }) == errc::unsupported);
  CHECK(index.size() == 300);

  const embit::flat_index custom{codes, two_words{}};
  index = custom;
  check_same(index, custom, queries);
  const support::temp_dir folder;
  embit::save(folder / "custom", index);
  check_same(embit::load_index<code_view<>, std::uint32_t>(folder / "custom", two_words{}), custom, queries);
}

TEST_CASE("without an index, and with wrong arguments, errors are those of the index and nothing changes",
          "[any_index]") {
  const code_store<> codes = some_codes(20, 1), narrow(2, 64);
  any_codes empty, index = embit::flat_index{codes};
  CHECK_FALSE(empty.has_value());
  CHECK(empty.size() == 0);
  CHECK(code_of([&] { (void)empty.search(codes, 1); }) == errc::unsupported);
  CHECK(code_of([&] { (void)empty.kind(); }) == errc::unsupported);
  CHECK(code_of([&] { empty.add(codes); }) == errc::unsupported);
  CHECK(code_of([&] { (void)index.search(narrow, 1); }) == errc::shape);
  CHECK(code_of([&] { (void)index.search(codes, 0); }) == errc::argument);
  CHECK(code_of([&] { (void)index.search(codes, 1, embit::row_bitset(19)); }) == errc::shape);
  CHECK(code_of([&] { index.add(narrow); }) == errc::shape);
  CHECK(code_of([&] { index.remove(20); }) == errc::out_of_range);
  CHECK(index.size() == 20);
  any_codes moved = std::move(index);
  CHECK(moved.size() == 20);
  CHECK(index.size() == 0);  // NOLINT: moved from, and said to hold nothing
  index = moved;
  CHECK(index.size() == 20);
}

TEST_CASE("load_index refuses files of what it does not know", "[any_index]") {
  const support::temp_dir folder;
  const code_store<> codes = some_codes(20, 1);
  embit::save(folder / "codes", codes);
  CHECK(code_of([&] { (void)embit::load_index<code_view<>, std::uint32_t>(folder / "codes"); }) == errc::kind);
  embit::save(folder / "flat", embit::flat_index{codes});
  CHECK(code_of([&] { (void)embit::load_index<embit::level_view, float>(folder / "flat"); }) == errc::kind);
}

TEST_CASE("labels, logs and snapshots stand on an index chosen at run time", "[any_index]") {
  embit::rng rng{1};
  const code_store<> codes = some_codes(300, 3), queries = some_codes(4, 4);
  std::vector<embit::row_label> labels(300);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = i + 1'000'000;
  const auto expected = lists(embit::labelled_index{embit::flat_index{codes}, labels}.search(queries, 6));
  const support::temp_dir folder;
  for (const auto kind : {index_kind::flat, index_kind::multi_index}) {
    const embit::labelled_index labelled{embit::make_index(codes, {.kind = kind}, rng), labels};
    CHECK(lists(labelled.search(queries, 6)) == expected);
    const std::string path = folder / "labelled", log = folder / (kind == index_kind::flat ? "flat" : "multi");
    embit::save(path, labelled);
    CHECK(lists(embit::load<embit::labelled_index<any_codes>>(path).search(queries, 6)) == expected);

    using durable = embit::durable_index<embit::labelled_index<any_codes>>;
    {
      auto index = durable::create(log, labelled, {.sync = false});
      index.remove(embit::row_label{1'000'007});
    }
    const auto opened = durable::open(log, {.sync = false});
    CHECK(opened.index().size() == 299);
    CHECK(opened.index().index().kind() == kind);

    embit::concurrent_index shared{embit::make_index(codes, {.kind = kind}, rng)};
    shared.add(queries);
    CHECK(shared.search(queries, 1)[2][0].distance == 0);
  }
}
