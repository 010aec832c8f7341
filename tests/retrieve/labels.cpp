// Retrieval from indexes that name their rows: results are those of the rows, under their labels.
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/versioned.hpp>
#include <embit/retrieve/float_rerank.hpp>
#include <embit/retrieve/retriever.hpp>

#include <algorithm>
#include <vector>

#include <support/catch.hpp>
#include <support/normal_rows.hpp>
#include <support/refusal.hpp>

using embit::row_id, embit::row_label;

TEST_CASE("a retriever over labels finds what one over rows does", "[threads]") {
  embit::rng rng{1};
  auto x = support::normal_rows(300, 12, 1);
  std::ranges::copy(x[7], x[200].begin());  // a tie, which goes to the row that was added first
  const auto hasher = embit::sign_lsh({.dim = 12, .bits = 96}, rng);
  const auto queries = x.view().middle_rows(0, 40);
  std::vector<row_label> labels(300);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = (row_label{1} << 40) - 3 * i;
  const embit::flat_index flat{hasher.encode(x), embit::thread_pool{2}};
  const embit::labelled_index labelled{flat, labels};
  const embit::float_rerank exact{x};

  const embit::retriever rows{hasher, flat, exact};
  const embit::retriever plain_rows{hasher, flat};
  const embit::retriever names{hasher, labelled, exact};
  const embit::retriever plain_names{hasher, labelled};
  const embit::retriever deep{hasher, embit::labelled_index{embit::versioned_index{flat}, labels}, exact};
  const auto check = [&](const auto& found, const auto& expected) {
    REQUIRE(found.queries() == expected.queries());
    for (std::size_t q = 0; q < expected.queries(); ++q) {
      REQUIRE(found[q].size() == expected[q].size());
      for (std::size_t i = 0; i < expected[q].size(); ++i) {
        CHECK(found[q][i].id == labels[expected[q][i].id]);
        CHECK(found[q][i].distance == expected[q][i].distance);
      }
    }
  };
  check(names.search(queries, 5, {.candidates = 60}), rows.search(queries, 5, {.candidates = 60}));
  check(deep.search(queries, 5, {.candidates = 60}), rows.search(queries, 5, {.candidates = 60}));
  check(plain_names.search(queries, 5), plain_rows.search(queries, 5));
  CHECK(names.search(queries, 2)[7][0].id == labels[7]);
  CHECK(names.search(queries, 2)[7][1].id == labels[200]);
  const auto by_label = [](row_label label) { return label % 2 == 0; };
  const auto by_rows = [&](row_id row) { return labels[row] % 2 == 0; };
  check(names.search(queries, 5, {}, by_label), rows.search(queries, 5, {}, by_rows));
  check(names.search(queries, 5, {}, embit::by_row{by_rows}), rows.search(queries, 5, {}, by_rows));
  const auto each = [](std::size_t query, row_id row) { return row % 40 != query; };
  check(names.search(queries, 5, {}, embit::by_row{each}), rows.search(queries, 5, {}, each));

  const embit::float_rerank few{x.view().middle_rows(0, 299)};
  CHECK(support::refusal([&] {
          embit::retriever{hasher, labelled, few};
        }) == "shape: reranker: 299 rows, the index has 300");
}
