// Sets that hold a share of a query are found whatever their size, by the estimate and by the sets themselves.
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/core/types.hpp>
#include <embit/encode/min_hash.hpp>
#include <embit/index/containment_index.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <vector>

#include <support/catch.hpp>
#include <support/refusal.hpp>

using embit::containment_index;
using embit::min_hash;
using embit::row_id;
using support::refusal;

namespace {

using sets = std::vector<std::vector<std::uint64_t>>;

std::vector<std::size_t> sizes_of(const sets& all) {
  std::vector<std::size_t> sizes;
  for (const auto& set : all) sizes.push_back(set.size());
  return sizes;
}

// Query i of 40 elements, and around it sets of 20 to 400 elements that hold some share of it.
struct planted {
  sets queries, rows;

  explicit planted(std::size_t count, std::uint64_t seed) {
    embit::rng rng{seed};
    for (std::size_t q = 0; q < count; ++q) {
      queries.emplace_back();
      for (std::size_t i = 0; i < 40; ++i) queries.back().push_back(rng());
      for (std::size_t copy = 0; copy < 20; ++copy) {
        const std::size_t held = embit::uniform_index(rng, 41);
        const auto size = static_cast<std::size_t>(20 * std::pow(20., embit::uniform(rng)));
        rows.emplace_back(queries.back().begin(), queries.back().begin() + static_cast<std::ptrdiff_t>(held));
        while (rows.back().size() < size) rows.back().push_back(rng());
      }
    }
    for (auto& row : rows) std::ranges::sort(row);
    for (auto& query : queries) std::ranges::sort(query);
  }

  double holds(std::size_t query, std::size_t row) const {
    std::vector<std::uint64_t> both;
    std::ranges::set_intersection(queries[query], rows[row], std::back_inserter(both));
    return static_cast<double>(both.size()) / static_cast<double>(queries[query].size());
  }
};

void require_shares(const planted& data, const min_hash& hash, double share) {
  const auto signatures = hash.encode(data.queries);
  const auto query_sizes = sizes_of(data.queries);
  const containment_index index{hash.encode(data.rows),
                                sizes_of(data.rows),
                                hash.similarity(),
                                {.bits_per_hash = hash.bits_per_hash(), .partitions = 8}};
  const auto exact = [&](std::size_t query, row_id row) { return data.holds(query, row); };
  const auto found = index.search(signatures, query_sizes, share, exact);
  std::size_t hits = 0, all = 0, looked_at = 0;
  for (std::size_t q = 0; q < data.queries.size(); ++q) {
    for (const auto& row : found[q]) {
      CHECK(data.holds(q, row.id) >= share);  // every set that is found holds the share
      CHECK(row.distance == static_cast<float>(data.holds(q, row.id)));
    }
    CHECK(std::ranges::is_sorted(found[q], std::greater<>{}, [](const auto& row) { return row.distance; }));
    for (std::size_t row = 0; row < data.rows.size(); ++row) all += data.holds(q, row) >= share;
    hits += found[q].size();
    looked_at += index.looked_at(signatures.view().middle_rows(q, 1), query_sizes[q], share);
  }
  REQUIRE(all > 10);
  CHECK(static_cast<double>(hits) >= .95 * static_cast<double>(all));
  CHECK(looked_at < data.queries.size() * data.rows.size() / 2);  // and far from all are compared
}

}  // namespace

TEST_CASE("sets that hold a share of a query are found, small ones and large ones") {
  const planted data(40, 1);
  require_shares(data, min_hash({.hashes = 256, .bits_per_hash = 8}, 7), .5);
  require_shares(data, min_hash({.hashes = 256, .bits_per_hash = 8}, 7), .9);
  require_shares(data, min_hash({.hashes = 128, .bits_per_hash = 16}, 8), 1);
}

TEST_CASE("a share is estimated from signatures and sizes") {
  CHECK(embit::containment_of(1, 10, 10) == 1);
  CHECK(embit::containment_of(.25, 10, 40) == Approx(1));  // 10 of 40
  CHECK(embit::containment_of(.2, 10, 20) == Approx(.5));  // 5 of 25
  CHECK(embit::containment_of(0, 10, 40) == 0);
  CHECK(embit::containment_of(-.1, 10, 40) == 0);
  CHECK(embit::containment_of(.5, 10, 0) == 0);
  CHECK(embit::jaccard_of_containment(1, 10, 40) == Approx(.25));
  CHECK(embit::jaccard_of_containment(.5, 10, 20) == Approx(.2));
  CHECK(embit::jaccard_of_containment(1, 10, 5) == 1);

  const planted data(20, 2);
  const min_hash hash({.hashes = 2048, .bits_per_hash = 8}, 3);
  const containment_index index{hash.encode(data.rows), sizes_of(data.rows), hash.similarity(), {.bits_per_hash = 8}};
  const auto found = index.search(hash.encode(data.queries), sizes_of(data.queries), .3);
  for (std::size_t q = 0; q < data.queries.size(); ++q)
    for (const auto& row : found[q]) {
      const double error = 4 * (1 + static_cast<double>(data.rows[row.id].size()) / 40) / std::sqrt(4. * 2048);
      CHECK(std::abs(static_cast<double>(row.distance) - data.holds(q, row.id)) < error);
    }
  // A set's own beginning: the whole query.
  CHECK(found[0].size() > 1);
}

TEST_CASE("any number of sets, of hashes, of partitions and of threads", "[threads]") {
  const planted data(3, 4);
  const auto query_sizes = sizes_of(data.queries);
  for (const std::size_t bits : {1u, 2u, 8u, 16u})
    for (const std::size_t hashes : {1u, 5u, 64u, 127u})
      for (const std::size_t partitions : {1u, 7u, 1000u}) {
        const min_hash hash({.hashes = hashes, .bits_per_hash = bits}, 5);
        const embit::containment_options options{.bits_per_hash = bits, .partitions = partitions};
        const containment_index index{hash.encode(data.rows), sizes_of(data.rows), hash.similarity(), options};
        CHECK(index.partitions() == (std::min)(partitions, data.rows.size()));
        // What is found is what the estimate says of the sets that are looked at, and of itself a set holds all.
        const auto itself = index.search(hash.encode(data.rows), sizes_of(data.rows), 1);
        for (std::size_t row = 0; row < data.rows.size(); ++row)
          CHECK(std::ranges::any_of(itself[row], [&](const auto& found) { return found.id == row; }));
        const embit::thread_pool pool(3);
        const auto alone = index.search(hash.encode(data.queries), query_sizes, .4);
        const auto threads = index.search(hash.encode(data.queries), query_sizes, .4, pool);
        for (std::size_t q = 0; q < query_sizes.size(); ++q)
          CHECK(std::equal(alone[q].begin(), alone[q].end(), threads[q].begin(), threads[q].end()));
      }

  const min_hash hash({.hashes = 64}, 5);
  const sets none;
  const containment_index empty{hash.encode(none), sizes_of(none), hash.similarity()};
  CHECK(empty.search(hash.encode(data.queries), query_sizes, .5)[2].empty());
  CHECK(empty.size() == 0);
  const sets equal(100, {1, 2, 3});
  const containment_index same{hash.encode(equal), sizes_of(equal), hash.similarity()};
  const sets one(1, {1, 2, 3});
  const auto all = same.search(hash.encode(one), sizes_of(one), 1);
  REQUIRE(all[0].size() == 100);
  for (std::size_t i = 0; i < 100; ++i) CHECK(all[0][i].id == i);
  const sets nothing(100);
  const containment_index holds_nothing{hash.encode(nothing), sizes_of(nothing), hash.similarity()};
  CHECK(holds_nothing.search(hash.encode(one), sizes_of(one), .1)[0].empty());
}

TEST_CASE("what a containment index refuses") {
  const min_hash hash({.hashes = 64}, 5);
  const sets some(3, {1, 2, 3});
  const auto codes = hash.encode(some);
  const auto sizes = sizes_of(some);
  const std::vector<std::size_t> two(2, 3), empty_set{3, 0, 3};
  const auto made = [&](const std::vector<std::size_t>& of, embit::containment_options options) {
    return refusal([&] { containment_index{codes, of, hash.similarity(), options}; });
  };
  CHECK(made(two, {}) == "shape: sizes: 2 of 3 sets");
  CHECK(made(sizes, {.bits_per_hash = 33}) == "argument: bits_per_hash: 33, not 1 to 32");
  CHECK(made(sizes, {.partitions = 0}) == "argument: partitions: 0, but at least 1 is needed");
  CHECK(made(sizes, {.recall = 1}) == "argument: recall: 1 is not between 0 and 1");
  const containment_index index{codes, sizes, hash.similarity()};
  CHECK(refusal([&] { index.search(codes, sizes, 0); }) == "argument: share: 0, not above 0 and at most 1");
  CHECK(refusal([&] { index.search(codes, sizes, 1.5); }) == "argument: share: 1.5, not above 0 and at most 1");
  CHECK(refusal([&] { index.search(codes, two, .5); }) == "shape: sizes: 2 of 3 sets");
  CHECK(refusal([&] { index.search(codes, empty_set, .5); }) ==
        "argument: sizes: query 1 has no elements, of which none can hold a share");
  CHECK(refusal([&] { index.search(embit::code_store<>(3, 32), sizes, .5); }) ==
        "shape: signatures: of 32 bits, the index holds some of 64");
  CHECK(refusal([&] { index.looked_at(codes, 3, .5); }) == "shape: signature: 3 of them where one is needed");
}
