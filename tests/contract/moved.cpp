// What is left behind by a move: an owner without anything, which can be asked, filled and assigned to; a handle that
// is what it was. A new store, index, result or encoder is one more line of a list below.
#include <embit/embit.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <support/catch.hpp>
#include <support/saved_kinds.hpp>
#include <support/temp_dir.hpp>

namespace {

using support::small_codes;
using support::small_rows;

// No rows, whatever is asked.
template <class T>
void require_nothing_in(const T& left) {
  if constexpr (requires { left.size(); }) CHECK(left.size() == 0);
  if constexpr (requires { left.rows() == 0u; }) CHECK(left.rows() == 0);
  if constexpr (requires { left.queries() == 0u; }) CHECK(left.queries() == 0);
  if constexpr (requires { left.tokens() == 0u; }) CHECK(left.tokens() == 0);
  if constexpr (requires { left.total() == 0u; }) CHECK(left.total() == 0);
  if constexpr (requires { left.k() == 0u; }) CHECK(left.k() == 0);
  if constexpr (requires { left.blocks() == 0u; }) CHECK(left.blocks() == 0);
  if constexpr (requires { left.runs() == 0u; }) CHECK(left.runs() == 0);
  if constexpr (requires { left.view().size(); }) CHECK(left.view().size() == 0);
  if constexpr (requires { left.values().size(); }) CHECK(left.values().empty());
  if constexpr (requires { left.count() == 0u; }) CHECK(left.count() == 0);
  if constexpr (requires { left.contains(0); }) {
    CHECK_FALSE(left.contains(0));
    CHECK_FALSE(left.contains(2));
  }
}

// Nothing is found: empty lists, or rows of no width that queries do not fit.
template <class Search>
void require_nothing_found(const Search& search) {
  try {
    const auto found = search();
    for (std::size_t q = 0; q < found.queries(); ++q) CHECK(found[q].empty());
  } catch (const embit::error& e) {
    CHECK(e.code() == embit::errc::shape);
  }
}

template <class T>
void require_owner(T made) {
  const T copy = made;
  T taken = std::move(made);
  const auto size = [](const T& of) {
    if constexpr (requires { of.size(); })
      return of.size();
    else
      return of.queries();
  };
  CHECK(size(taken) == size(copy));
  REQUIRE(size(copy) != 0);
  require_nothing_in(made);
  made = copy;
  CHECK(size(made) == size(copy));
  taken = std::move(made);  // what a move assignment leaves
  require_nothing_in(made);
  made = std::move(taken);
  CHECK(size(made) == size(copy));
  require_nothing_in(taken);
}

template <class Index, class Queries>
void require_index(Index made, const Queries& queries) {
  require_owner(made);
  const auto expected = made.search(queries, 3);
  if constexpr (std::copy_constructible<Index> && requires { made.add(queries); }) {
    Index refilled = made;  // with nothing between the move and the rows
    [[maybe_unused]] const Index gone = std::move(refilled);
    refilled.add(queries);
    CHECK(refilled.search(queries, 1)[1][0].id == 1);
  }
  Index taken = std::move(made);
  require_nothing_found([&] { return made.search(queries, 3); });
  if constexpr (requires { made.range_search(queries, 1); })
    require_nothing_found([&] { return made.range_search(queries, 1); });
  if constexpr (requires { made.pairs_within(60, [](embit::row_id, embit::row_id, std::uint32_t) {}); })
    made.pairs_within(60, [](embit::row_id, embit::row_id, auto) { FAIL("a pair of nothing"); });
  if constexpr (
      requires {
        made.remove(embit::row_id{0});
        made.compact();
      } &&
      requires { made.rows(); }) {
    CHECK_THROWS_AS(made.remove(0), embit::error);
    CHECK(made.compact().empty());
  }
  if constexpr (requires { made.add(queries); }) {
    made.add(queries);
    CHECK(made.size() == queries.size());
    CHECK(made.search(queries, 1)[1][0].id == 1);
  }
  made = std::move(taken);
  const auto found = made.search(queries, 3);
  REQUIRE(found.queries() == expected.queries());
  for (std::size_t q = 0; q < found.queries(); ++q) CHECK(std::ranges::equal(found[q], expected[q]));
}

// What copies share is not taken away.
template <class T>
void require_handle(T made) {
  const T taken = std::move(made);
  if constexpr (requires { made.dim(); }) CHECK(made.dim() == taken.dim());
  if constexpr (requires { made.size(); }) {
    CHECK(made.size() == taken.size());
    CHECK(made.path() == taken.path());
  }
  if constexpr (requires(embit::matrix_view<const float> rows) { made.encode(rows).size(); })
    CHECK(made.encode(small_rows(2, made.dim())).size() == 2);
  if constexpr (requires(embit::matrix_view<const float> rows) { made.apply(rows).size(); })
    CHECK(made.apply(small_rows(2, made.dim())).size() == 2);
  T assigned = taken;
  T third = std::move(assigned);
  assigned = std::move(third);
  if constexpr (requires { made.dim(); }) CHECK(third.dim() == taken.dim());
}

embit::matrix<float> normal_rows(std::size_t n, std::size_t dim) {
  embit::rng rng{11};
  embit::matrix<float> rows(n, dim);
  for (float& x : rows.values()) x = embit::normal(rng);
  return rows;
}

}  // namespace

TEST_CASE("a store that was moved from is empty, and so is a result", "[contract]") {
  const auto codes = small_codes();
  require_owner(small_rows(3, 4));
  require_owner(codes);
  require_owner(embit::code_store<64>(5, 64));
  require_owner(embit::block_store<>{codes});
  require_owner(embit::plane_store<>{codes});
  require_owner(embit::popcount_store<>{codes.view()});
  require_owner(support::small_levels(true));
  require_owner(support::small_tokens<float>());
  require_owner(support::small_tokens<embit::half>());
  require_owner(support::small_tokens<std::int8_t>());
  require_owner(support::small_tokens<embit::sign_token>());
  require_owner(embit::fde_store(small_rows(3, 4), {0, 0, 1}, 7));
  require_owner(embit::version_column(4, 2));
  require_owner(embit::row_bitset(70, true));
  embit::id_map map;
  map.add(0);
  map.add(2);
  require_owner(map);
  embit::sparse_rows sparse(6, 1);
  sparse.add(2, std::vector<float>{1});
  sparse.end_row();
  require_owner(sparse);
  const embit::flat_index index{codes};
  require_owner(index.search(codes, 3));
  require_owner(index.range_search(codes, 20));
  require_owner(index.search(codes, 3)[1]);
}

TEST_CASE("a store that was moved from can be filled again", "[contract]") {
  const auto codes = small_codes();
  const auto refilled = [&](auto store) {
    auto taken = std::move(store);
    store.append(codes);
    CHECK(store.size() == codes.size());
    std::vector<embit::word> row(2);
    store.copy_row(8, row);
    CHECK(std::ranges::equal(row, codes[8]));
    CHECK(taken.size() == codes.size());
  };
  refilled(codes);
  refilled(embit::block_store<>{codes});
  refilled(embit::plane_store<>{codes});
  refilled(embit::popcount_store<>{codes.view()});

  auto tokens = support::small_tokens<std::int8_t>();
  const auto taken = std::move(tokens);
  const auto rows = small_rows(3, 3);
  const std::vector<std::size_t> offsets{0, 2, 3};
  tokens.append(embit::ragged_view<const float>(rows.view(), offsets));
  CHECK(tokens.size() == 2);
  CHECK(tokens.view()[1].values.rows() == 1);

  auto levels = support::small_levels(false);
  const auto other = std::move(levels);
  levels.append(other);
  CHECK(levels.size() == other.size());

  embit::range_result<int> found;
  found.append(std::vector<embit::neighbor<int>>{{1, 2}});
  const auto kept = std::move(found);
  found.append({});
  found.append(std::vector<embit::neighbor<int>>{{3, 4}});
  CHECK(found.queries() == 2);
  CHECK(found[1][0].id == 3);
  CHECK(kept[0][0].id == 1);
}

TEST_CASE("an index that was moved from is empty, however it is kept", "[contract]") {
  const auto codes = small_codes();
  const auto rows = normal_rows(40, 16);
  const support::temp_dir dir;
  embit::save(dir / "codes", codes);
  embit::rng rng{5};
  const auto fitted = embit::fit_rabitq(rows, {.bits_per_dim = 2}, rng);
  const auto hasher = embit::sign_lsh({.dim = 16, .bits = 64}, rng);

  require_index(embit::flat_index{codes}, codes);
  require_index(embit::flat_index{embit::plane_store<>{codes}}, codes);
  require_index(embit::flat_index{codes, embit::jaccard{}}, codes);
  require_index(embit::flat_index{rows, embit::l2{}}, rows);
  require_index(embit::flat_index{rows.view(), embit::l2{}}, rows);  // the rows are somebody else's, and still there
  require_index(embit::flat_index{embit::mapped_store<>{dir / "codes"}}, codes);
  require_index(embit::flat_index{fitted.encode(rows), fitted.estimator()}, rows);
  require_index(embit::multi_index{codes}, codes);
  require_index(embit::multi_index{codes, {.substrings = 5, .bail_out = false}}, codes);
  require_index(embit::lsh_table{codes, {.tables = 3, .bits = 4, .probes = 16}}, codes);
  require_index(embit::versioned_index{embit::flat_index{codes}}, codes);
  require_index(
      embit::labelled_index{embit::flat_index{codes}, std::vector<embit::row_label>{0, 1, 2, 3, 4, 5, 6, 7, 8}}, codes);
  require_index(embit::retriever{hasher, embit::flat_index{hasher.encode(rows)}, embit::float_rerank{rows}}, rows);
}

TEST_CASE("an encoder that was moved from is what it was, as every handle is", "[contract]") {
  const auto rows = normal_rows(60, 16);
  const support::temp_dir dir;
  embit::save(dir / "codes", small_codes());
  embit::save(dir / "levels", support::small_levels(true));
  embit::save(dir / "tokens", support::small_tokens<float>());
  embit::rng rng{6};
  require_handle(support::small_projection());
  require_handle(support::small_projection().asymmetric());
  require_handle(embit::hadamard_lsh({.dim = 16, .bits = 32}, rng));
  require_handle(embit::cross_polytope({.dim = 16, .tables = 2, .hashes = 1}, rng));
  require_handle(embit::fit_rabitq(rows, {.bits_per_dim = 2}, rng));
  require_handle(embit::fit_transform_coder(rows, {.bits = 32, .metric = embit::metric::l2}, rng));
  require_handle(embit::fit_product_quantizer(rows, {.bytes_per_row = 4}, rng));
  require_handle(embit::choose_encoder(rows, {.bytes_per_row = 8}, rng));
  require_handle(support::small_recurrent());
  require_handle(support::small_muvera());
  require_handle(embit::fht_kac(16, rng));
  require_handle(embit::affine_transform(small_rows(4, 3)));
  require_handle(embit::fit_all_but_the_top(rows, {.directions = 1}));
  require_handle(embit::mapped_store<>{dir / "codes"});
  require_handle(embit::mapped_level_store{dir / "levels"});
  require_handle(embit::mapped_token_store<float>{dir / "tokens"});
  embit::thread_pool pool(2);
  const embit::thread_pool taken = std::move(pool);
  std::vector<int> done(4);
  pool.bulk(4, [&](std::size_t item, std::size_t) { done[item] = 1; });
  CHECK(done == std::vector<int>(4, 1));
}
