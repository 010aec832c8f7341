// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/store/code_store.hpp>
#include <embit/store/popcount_store.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "../support/catch.hpp"

namespace {

// Codes of all popcounts, from empty to full.
embit::code_store<> random_sets(std::size_t n, std::size_t bits, std::uint64_t seed) {
  embit::rng rng{seed};
  embit::code_store<> codes(n, bits);
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t share = rng() % 11;
    for (std::size_t j = 0; j < bits; ++j)
      if (rng() % 10 < share) codes.row(i)[j / 64] |= embit::word{1} << j % 64;
  }
  return codes;
}

template <class Store>
bool same_rows(const Store& store, embit::code_view<> codes) {
  if (store.size() != codes.size() || store.bits() != codes.bits()) return false;
  std::vector<embit::word> out(codes.words());
  for (std::size_t i = 0; i < codes.size(); ++i) {
    store.copy_row(i, out);
    if (!std::equal(out.begin(), out.end(), codes[i].begin())) return false;
  }
  return true;
}

// Each row lies once, in the lane that the tables say, in blocks of its popcount and of no other row's.
template <class Store>
void check_layout(const Store& store) {
  std::vector<int> seen(store.size(), 0);
  std::vector<embit::word> code(store.words());
  std::size_t next_row = 0;
  for (std::size_t s = 0; s < store.segments(); ++s) {
    const embit::popcount_segment& segment = store.segment(s);
    REQUIRE(segment.first_row() == next_row);
    REQUIRE(segment.size() > 0);
    next_row += segment.size();
    std::vector<std::pair<std::size_t, std::size_t>> blocks;
    for (std::size_t g = 0; g < segment.groups().size(); ++g) {
      const embit::popcount_group& group = segment.groups()[g];
      REQUIRE(group.rows > 0);
      REQUIRE(group.blocks() <= group.room);
      if (g > 0) REQUIRE(segment.groups()[g - 1].popcount <= group.popcount);
      blocks.emplace_back(group.first_block, group.first_block + group.room);
      const auto rows = segment.rows_of(group);
      REQUIRE(std::is_sorted(rows.begin(), rows.end()));
      const embit::block_run run = segment.run(group, 0, group.blocks());
      REQUIRE(run.rows == group.rows);
      for (std::size_t i = 0; i < run.blocks() * embit::block_rows; ++i) {
        std::uint32_t bits = 0;
        for (std::size_t w = 0; w < store.words(); ++w)
          code[w] = run.data[(i / 8 * run.words + w) * 8 + i % 8], bits += std::uint32_t(std::popcount(code[w]));
        if (i >= group.rows) {
          REQUIRE(bits == 0);
          continue;
        }
        REQUIRE(bits == group.popcount);
        std::vector<embit::word> row(store.words());
        store.copy_row(rows[i], row);
        REQUIRE(row == code);
        ++seen[rows[i]];
      }
    }
    std::sort(blocks.begin(), blocks.end());
    for (std::size_t g = 1; g < blocks.size(); ++g) REQUIRE(blocks[g - 1].second == blocks[g].first);
  }
  REQUIRE(next_row == store.size());
  REQUIRE(std::all_of(seen.begin(), seen.end(), [](int n) { return n == 1; }));
}

}  // namespace

TEST_CASE("a popcount store keeps rows in groups of equal popcount") {
  for (const std::size_t bits : {1u, 63u, 64u, 65u, 127u, 1000u})
    for (const std::size_t n : {0u, 1u, 7u, 8u, 513u}) {
      CAPTURE(bits, n);
      const auto codes = random_sets(n, bits, bits + n);
      const embit::popcount_store<> store{codes.view()};
      CHECK(same_rows(store, codes));
      check_layout(store);
      CHECK(store.segments() == (n == 0 ? 0 : 1));
      CHECK((n == 0 || store.memory() >= n * (store.words() * 8 + 8)));
    }
}

TEST_CASE("a popcount store of fixed width") {
  const auto codes = random_sets(100, 127, 5);
  const embit::popcount_store<127> store{embit::code_view<127>(codes.view())};
  CHECK(same_rows(store, codes));
  CHECK(embit::popcount_store<127>{}.size() == 0);
}

TEST_CASE("equal codes make one group, however many") {
  const embit::code_store<> codes(513, 65);
  const embit::popcount_store<> store{codes.view()};
  REQUIRE(store.segments() == 1);
  CHECK(store.segment(0).groups().size() == 1);
  CHECK(store.segment(0).groups()[0].popcount == 0);
  check_layout(store);
}

TEST_CASE("appended rows join few segments") {
  const auto codes = random_sets(700, 127, 9);
  for (const std::size_t step : {1u, 3u, 100u, 333u}) {
    CAPTURE(step);
    embit::popcount_store<> store(127);
    std::size_t most = 0;
    for (std::size_t first = 0; first < codes.size(); first += step) {
      const std::size_t count = std::min(step, codes.size() - first);
      CHECK(store.append(codes.view().middle_rows(first, count)) == first);
      most = std::max(most, store.segments());
    }
    CHECK(same_rows(store, codes));
    check_layout(store);
    CHECK(most <= 5);
    CHECK(store.append(embit::code_view<>()) == codes.size());
  }
}

TEST_CASE("a large first segment is left alone by small additions") {
  const auto codes = random_sets(520, 64, 11);
  embit::popcount_store<> store{codes.view().middle_rows(0, 500)};
  const auto* first = &store.segment(0);
  for (std::size_t i = 500; i < 520; ++i) store.append(codes.view().middle_rows(i, 1));
  CHECK(&store.segment(0) == first);
  CHECK(same_rows(store, codes));
  check_layout(store);
}

TEST_CASE("rows appended one by one make groups with room for more, in few segments") {
  const auto codes = random_sets(20000, 64, 13);
  embit::popcount_store<> store{codes.view().middle_rows(0, 300)};
  for (std::size_t i = 300; i < codes.size(); ++i) store.append(codes.view().middle_rows(i, 1));
  CHECK(store.segments() <= 2);
  CHECK(same_rows(store, codes));
  check_layout(store);
}

TEST_CASE("copies that append in turn stay apart") {
  const auto codes = random_sets(3000, 64, 14);
  embit::popcount_store<> store(64);
  std::vector<embit::popcount_store<>> kept;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    store.append(codes.view().middle_rows(i, 1));
    if (i % 500 == 0) kept.push_back(store);
  }
  CHECK(same_rows(store, codes));
  for (std::size_t i = 0; i < kept.size(); ++i) CHECK(same_rows(kept[i], codes.view().middle_rows(0, 500 * i + 1)));
  CHECK(store.segments() <= 8);
  check_layout(store);
}

TEST_CASE("copies of a popcount store are independent") {
  const auto codes = random_sets(200, 100, 2);
  embit::popcount_store<> store{codes.view().middle_rows(0, 150)};
  const embit::popcount_store<> copy = store;
  store.append(codes.view().middle_rows(150, 50));
  CHECK(same_rows(copy, codes.view().middle_rows(0, 150)));
  CHECK(same_rows(store, codes));
}

TEST_CASE("a popcount store is gathered from rows of another store") {
  const auto codes = random_sets(300, 100, 4);
  const embit::popcount_store<> store{codes.view()};
  std::vector<embit::row_id> rows;
  for (embit::row_id i = 0; i < 300; i += 3) rows.push_back(299 - i);
  embit::code_store<> expected(rows.size(), 100);
  for (std::size_t i = 0; i < rows.size(); ++i) codes.copy_row(rows[i], expected.row(i));
  CHECK(same_rows(embit::popcount_store<>(store, rows), expected));
  CHECK(same_rows(embit::popcount_store<>(codes, rows), expected));
  const embit::popcount_store<> none(store, std::span<const embit::row_id>());
  CHECK(none.size() == 0);
  CHECK(none.bits() == 100);
}

#if EMBIT_EXCEPTIONS
TEST_CASE("a popcount store refuses what does not fit and stays as it is") {
  const auto codes = random_sets(20, 65, 6);
  embit::popcount_store<> store{codes.view()};
  const auto refuses = [&](embit::code_view<> bad, embit::errc code, const char* text) {
    try {
      store.append(bad);
      FAIL("accepted " << text);
    } catch (const embit::error& e) {
      CHECK(e.code() == code);
      CHECK(std::string(e.what()).find(text) != std::string::npos);
    }
    CHECK(same_rows(store, codes));
  };
  refuses(random_sets(3, 64, 1), embit::errc::shape, "64");
  auto dirty = random_sets(3, 65, 1);
  dirty.row(2)[1] |= 2;
  refuses(dirty, embit::errc::argument, "code 2");
  CHECK_THROWS_AS(embit::popcount_store<>(0), embit::error);
  CHECK_THROWS_AS(embit::popcount_store<64>(65), embit::error);
}
#endif
