// A retriever with labels and floats of its own, through additions, removals, replacements, compaction and files, held
// against an exhaustive search of the floats.
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/io/save.hpp>
#include <embit/retrieve/owned_rerank.hpp>
#include <embit/retrieve/retriever.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <span>
#include <vector>

#include <support/catch.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

using namespace support;

namespace {

constexpr std::size_t dim = 12;
using kept =
    embit::retriever<embit::sign_projection, embit::labelled_index<embit::flat_index<>>, embit::owned_float_rerank<>>;

embit::matrix<float> some_rows(std::size_t n, std::uint64_t seed) {
  embit::rng rng{seed};
  embit::matrix<float> rows(n, dim);
  for (float& x : rows.values()) x = embit::normal(rng);
  return rows;
}

template <class Retriever>
constexpr bool grows = requires(Retriever& retriever, const embit::matrix<float>& more) {
  retriever.add(more);
};

// All rows are candidates, so that the nearest by floats is found.
void require_exact(const kept& retriever, const std::map<embit::row_label, std::vector<float>>& expected) {
  const auto queries = some_rows(9, 77);
  CHECK(retriever.size() == expected.size());
  const auto found = retriever.search(queries, 1, {.candidates = 1000});
  for (std::size_t q = 0; q < queries.rows(); ++q) {
    embit::row_label nearest = 0;
    double least = std::numeric_limits<double>::infinity();
    for (const auto& [label, row] : expected) {
      double sum = 0;
      for (std::size_t j = 0; j < dim; ++j) sum += double{row[j] - queries[q][j]} * double{row[j] - queries[q][j]};
      if (sum < least) {
        least = sum;
        nearest = label;
      }
    }
    REQUIRE(found[q].size() == 1);
    CHECK(found[q][0].id == nearest);
    CHECK(double{found[q][0].distance} == Approx(least).epsilon(1e-4));
  }
}

}  // namespace

TEST_CASE("labels, codes and floats grow, shrink and are saved together") {
  embit::rng rng{1};
  const auto encoder = embit::sign_lsh({.dim = dim, .bits = 64}, rng);
  kept retriever{encoder, embit::labelled_index{embit::flat_index{embit::block_store<>{64}}},
                 embit::owned_float_rerank{embit::matrix<float>(0, dim)}};
  std::map<embit::row_label, std::vector<float>> expected;
  const temp_dir dir;
  for (std::uint64_t step = 0; step < 40; ++step) {
    const std::size_t n = embit::uniform_index(rng, 6);
    const auto rows = some_rows(n, 100 + step);
    std::vector<embit::row_label> labels(n);
    for (std::size_t i = 0; i < n; ++i) {
      labels[i] = (embit::row_label{1} << 40) + embit::uniform_index(rng, 60);
      expected[labels[i]] = {rows[i].begin(), rows[i].end()};
    }
    retriever.add(rows, std::span<const embit::row_label>(labels), embit::duplicate_labels::replace);
    if (step % 3 == 0 && !expected.empty()) {
      const embit::row_label gone = expected.begin()->first;
      CHECK(retriever.remove(gone));
      CHECK_FALSE(retriever.remove(gone));
      expected.erase(gone);
    }
    if (step % 7 == 6) {
      retriever.compact();
      CHECK(retriever.reranker().size() == expected.size());
    }
    if (step % 8 == 5) {
      embit::save(dir / "x", retriever);
      retriever = embit::load<kept>(dir / "x");
    }
    if (expected.empty()) continue;
    require_exact(retriever, expected);
  }
}

TEST_CASE("what cannot be added changes neither codes nor floats") {
  embit::rng rng{3};
  const auto encoder = embit::sign_lsh({.dim = dim, .bits = 64}, rng);
  const auto rows = some_rows(5, 4);
  std::vector<embit::row_label> labels{10, 11, 12, 13, 14};
  kept retriever{encoder, embit::labelled_index{embit::flat_index{encoder.encode(rows)}, labels},
                 embit::owned_float_rerank{rows}};
  const auto unchanged = [&] {
    CHECK(retriever.size() == 5);
    CHECK(retriever.reranker().rows() == rows);
  };
  CHECK(contains(refusal([&] { retriever.add(rows, std::span<const embit::row_label>(labels)); }),
                 "argument: label: 10 is in use"));
  unchanged();
  auto bad = some_rows(1, 5);
  bad[0][3] = std::numeric_limits<float>::quiet_NaN();
  const std::vector<embit::row_label> fresh{20};
  CHECK(contains(refusal([&] { retriever.add(bad, std::span<const embit::row_label>(fresh)); }), "not_finite: "));
  unchanged();
  CHECK(contains(
      refusal([&] { retriever.add(embit::matrix<float>(1, dim + 1), std::span<const embit::row_label>(fresh)); }),
      "shape: "));
  unchanged();
  CHECK(contains(refusal([&] {
                   kept(encoder, embit::labelled_index{embit::flat_index{encoder.encode(rows)}, labels},
                        embit::owned_float_rerank{some_rows(6, 9)});
                 }),
                 "shape: reranker: 6 rows of its own, the index has 5"));
}

TEST_CASE("rows without labels come and go with their floats, and numbers are told") {
  embit::rng rng{5};
  const auto encoder = embit::sign_lsh({.dim = dim, .bits = 64}, rng);
  const auto rows = some_rows(8, 6);
  embit::retriever retriever{encoder, embit::flat_index{encoder.encode(rows)}, embit::owned_float_rerank{rows}};
  CHECK(retriever.add(some_rows(3, 7)) == 8);
  CHECK(retriever.remove(2));
  const auto numbers = retriever.compact();
  CHECK(numbers[3] == 2);
  const auto found = retriever.search(rows, 1, {.candidates = 20});
  CHECK(found[3][0].id == 2);
  CHECK(found[3][0].distance == 0);
  // One that views rows of somebody else's does not grow.
  using viewing = embit::retriever<embit::sign_projection, embit::flat_index<>, embit::float_rerank<>>;
  STATIC_REQUIRE(!grows<viewing>);
  STATIC_REQUIRE(grows<decltype(retriever)>);
}
