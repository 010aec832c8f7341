// B-bit codes: what is written is read, whatever the width, and indexes over them agree with the rows one by one.
// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/index/flat.hpp>
#include <embit/kernel/levels.hpp>
#include <embit/store/level_store.hpp>

#include "support/catch.hpp"
#include "support/levels.hpp"
#include "support/refusal.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <utility>
#include <vector>

using embit::level_segment;
using embit::level_store;
using embit::row_factor;

namespace {

std::vector<std::uint8_t> levels_of(const embit::level_row& row) {
  std::vector<std::uint8_t> levels(row.format().dims());
  row.copy_levels(levels);
  return levels;
}

template <class A, class B>
bool same_lists(const A& a, const B& b) {
  if (a.queries() != b.queries()) return false;
  for (std::size_t q = 0; q < a.queries(); ++q)
    if (!std::equal(a[q].begin(), a[q].end(), b[q].begin(), b[q].end())) return false;
  return true;
}

}  // namespace

TEST_CASE("levels of every width are read as they were written, and stand for their values") {
  embit::rng rng{1};
  for (std::size_t bits = 1; bits <= 8; ++bits)
    for (const std::size_t dims : {1u, 7u, 8u, 9u, 65u})
      for (const std::size_t rows : {1u, 31u, 33u, 65u}) {
        const auto format = support::uniform_format(dims, bits, .25f);
        level_store store(format, rows);
        std::vector<std::vector<std::uint8_t>> written;
        for (std::size_t row = 0; row < rows; ++row) {
          written.push_back(support::random_levels(format, rng));
          store.set_levels(row, written.back());
        }
        bool right = true;
        std::vector<float> values(dims);
        const int most = (1 << bits) - 1;
        for (std::size_t row = 0; row < rows; ++row) {
          right = right && levels_of(store[row]) == written[row];
          store[row].decode(values);
          for (std::size_t j = 0; j < dims; ++j)
            right = right && values[j] == .25f * static_cast<float>(2 * written[row][j] - most);
        }
        CHECK(right);
      }
}

TEST_CASE("a code without its low planes is the shorter code") {
  embit::rng rng{2};
  const auto store = support::random_store(support::uniform_format(77, 6, .5f), 40, rng);
  for (std::size_t planes = 1; planes <= 6; ++planes) {
    const auto shorter = store.truncated(planes);
    CHECK(shorter.format().segments[0].bits == planes);
    for (std::size_t row = 0; row < store.size(); ++row) {
      auto levels = levels_of(store[row]);
      for (auto& level : levels) level = static_cast<std::uint8_t>(level >> (6 - planes));
      CHECK(levels_of(shorter[row]) == levels);
    }
  }
  CHECK(support::contains(support::refusal([&] { (void)store.truncated(0); }), "argument: truncated: 0 planes of 6"));
  CHECK(support::contains(support::refusal([&] { (void)store.truncated(7); }), "argument: truncated: 7"));
}

TEST_CASE("rows are appended, those of the store itself too, and gathered") {
  embit::rng rng{3};
  const auto format = support::with_factors({.segments = {level_segment::uniform(10, 4), level_segment::uniform(5, 1)}},
                                            {row_factor::scale}, true);
  const auto more = support::random_store(format, 70, rng);
  auto store = support::random_store(format, 33, rng);
  const auto before = store;
  CHECK(store.append(more) == 33);
  CHECK(store.append(store.view().middle_rows(5, 60)) == 103);
  REQUIRE(store.size() == 163);
  const auto same_row = [](const embit::level_row& a, const embit::level_row& b) {
    return levels_of(a) == levels_of(b) && a.factor(row_factor::scale) == b.factor(row_factor::scale);
  };
  for (std::size_t row = 0; row < 163; ++row)
    CHECK(same_row(store[row], row < 33    ? before[row]
                               : row < 103 ? more[row - 33]
                               : row < 131 ? before[row - 98]
                                           : more[row - 131]));
  const std::vector<embit::row_id> chosen{162, 0, 50};
  const level_store gathered(store, chosen);
  for (std::size_t i = 0; i < 3; ++i) CHECK(same_row(gathered[i], store[chosen[i]]));
  const auto other = support::random_store(support::uniform_format(10, 4), 1, rng);
  CHECK(support::contains(support::refusal([&] { store.append(other); }), "shape: append: codes of 10 dimensions"));
  CHECK(store.size() == 163);
}

TEST_CASE("formats and factors that cannot be are refused") {
  const auto refused = [](embit::level_format format) {
    return support::refusal([&] { level_store store(std::move(format)); });
  };
  CHECK(support::contains(refused(support::uniform_format(5, 0)), "argument: format: segment 0 has 0 bits"));
  CHECK(support::contains(refused(support::uniform_format(5, 9)), "argument: format: segment 0 has 9 bits"));
  CHECK(support::contains(refused(support::uniform_format(0, 1)), "argument: format: segment 0 has 0 dimensions"));
  CHECK(support::contains(refused(support::uniform_format(5, 2, std::numeric_limits<float>::quiet_NaN())),
                          "argument: format: segment 0 has a step"));
  level_store store(support::with_factors(support::uniform_format(5, 2), {row_factor::scale}, true), 2);
  CHECK(support::contains(support::refusal([&] { store.set_factor(1, row_factor::offset, 1); }), "argument: "));
  CHECK(support::contains(
      support::refusal([&] { store.set_factor(1, row_factor::scale, std::numeric_limits<float>::infinity()); }),
      "not_finite: "));
  CHECK(support::contains(support::refusal([&] { store.set_factor(1, row_factor::scale, 1e9f); }),
                          "not_finite: set_factor: row 1"));
}

TEST_CASE("symmetric search is 1 - cos of the values, ties by row, the same for batches, threads and filters",
          "[threads]") {
  embit::rng rng{4};
  const auto format = support::with_factors(support::uniform_format(33, 3), {row_factor::inverse_norm});
  auto store = support::random_store(format, 1200, rng);
  for (std::size_t row = 600; row < 700; ++row) store.set_levels(row, levels_of(store[row - 600]));  // duplicates
  store.set_inverse_norms();
  const embit::flat_index index{store};
  const embit::thread_pool pool(3);
  const embit::flat_index threaded{store, embit::symmetric{}, pool};
  const auto queries = store.view().middle_rows(0, 20);
  const auto odd = [](embit::row_id row) { return row % 2 == 1; };
  const auto found = index.search(queries, 50), filtered = index.search(queries, 50, odd);
  CHECK(same_lists(found, threaded.search(queries, 50)));
  CHECK(same_lists(filtered, threaded.search(queries, 50, odd)));

  std::vector<float> a(33), b(33);
  for (std::size_t q = 0; q < queries.size(); ++q) {
    CHECK(same_lists(index.search(queries.middle_rows(q, 1), 50), [&] {
      embit::knn_result<float> one;
      one.reset(1, 50);
      one.assign(0, found[q]);
      return one;
    }()));
    CHECK(found[q][0].id == q);
    CHECK(found[q][1].id == q + 600);
    queries[q].decode(a);
    bool right = true;
    for (const auto& hit : filtered[q]) {
      store[hit.id].decode(b);
      double product = 0, aa = 0, bb = 0;
      for (std::size_t j = 0; j < a.size(); ++j) {
        product += double{a[j]} * b[j];
        aa += double{a[j]} * a[j];
        bb += double{b[j]} * b[j];
      }
      right = right && hit.id % 2 == 1 && std::abs(hit.distance - (1 - product / std::sqrt(aa * bb))) < 1e-5;
    }
    CHECK(right);
  }
}

TEST_CASE("an index of levels is changed, compacted and asked for pairs like any other") {
  embit::rng rng{5};
  const auto format = support::with_factors(support::uniform_format(20, 2), {row_factor::inverse_norm});
  auto store = support::random_store(format, 600, rng);
  for (std::size_t row = 590; row < 600; ++row) store.set_levels(row, levels_of(store[row - 590]));
  store.set_inverse_norms();
  embit::flat_index index{store};
  std::map<std::pair<embit::row_id, embit::row_id>, float> pairs;
  index.pairs_within(1e-4f, [&](embit::row_id a, embit::row_id b, float d) { pairs[{a, b}] = d; });
  for (embit::row_id row = 0; row < 10; ++row) CHECK(pairs.contains({row, row + 590}));
  for (const auto& [rows, distance] : pairs) CHECK(rows.first < rows.second);

  CHECK(index.remove(0));
  CHECK(index.search(store.view().middle_rows(0, 1), 1)[0][0].id == 590);
  CHECK(index.add(store.view().middle_rows(0, 2)) == 600);
  const auto renumbered = index.compact();
  CHECK(renumbered[0] == embit::no_row);
  CHECK(index.rows() == 601);
  CHECK(index.search(store.view().middle_rows(0, 1), 2)[0][1].id == renumbered[600]);
  const auto narrow =
      support::random_store(support::with_factors(support::uniform_format(20, 1), {row_factor::inverse_norm}), 1, rng);
  CHECK(support::contains(support::refusal([&] { (void)index.search(narrow, 1); }), "shape: queries"));
  CHECK(index.search(store.view().middle_rows(3, 1), 10'000)[0].size() == 601);
}
