#include <embit/store/block_store.hpp>

#include <algorithm>
#include <array>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/matchers.hpp>

using namespace support;

namespace {

std::vector<embit::word> row_of(const embit::block_store<>& store, std::size_t row) {
  std::vector<embit::word> code(store.words());
  store.copy_row(row, code);
  return code;
}

void require_same(const embit::block_store<>& store, embit::code_view<> codes) {
  REQUIRE(store.size() == codes.size());
  for (std::size_t i = 0; i < codes.size(); ++i) REQUIRE(std::ranges::equal(row_of(store, i), codes[i]));
}

}  // namespace

TEST_CASE("a block store holds the rows it was built from", "[block_store]") {
  embit::rng rng{1};
  const std::size_t bits = GENERATE(as<std::size_t>{}, 1, 63, 64, 65, 127, 256, 1000);
  const std::size_t n = GENERATE(as<std::size_t>{}, 0, 1, 7, 8, 513, 5000);
  const auto codes = make_codes(n, bits, code_kind::uniform, rng);
  const embit::block_store<> store(codes.view());
  CHECK(store.bits() == bits);
  CHECK(store.blocks() == (n + 7) / 8);
  require_same(store, codes);
}

TEST_CASE("runs cover all rows in order, lanes beyond the end are zero", "[block_store]") {
  embit::rng rng{2};
  embit::block_store<> store(100);
  for (const std::size_t n : {3u, 600u, 9000u, 1u, 4096u}) store.append(make_codes(n, 100, code_kind::uniform, rng));
  std::size_t next = 0;
  for (std::size_t i = 0; i < store.runs(); ++i) {
    const embit::block_run run = store.run(i);
    CHECK(run.first_row == next);
    CHECK(run.first_row % embit::superblock_rows == 0);
    CHECK(run.words == 2);
    next += run.rows;
    for (std::size_t row = 0; row < run.blocks() * 8; ++row)
      for (std::size_t w = 0; w < 2; ++w) {
        const embit::word at = run.data[(row / 8 * 2 + w) * 8 + row % 8];
        if (row < run.rows)
          REQUIRE(at == row_of(store, run.first_row + row)[w]);
        else
          REQUIRE(at == 0);
      }
  }
  CHECK(next == store.size());
  for (std::size_t b = 0; b < store.blocks(); ++b) REQUIRE(store.block(b)[0] == row_of(store, b * 8)[0]);
}

TEST_CASE("appending piece by piece equals building at once", "[block_store]") {
  embit::rng rng{3};
  const auto codes = make_codes(10000, 130, code_kind::uniform, rng);
  embit::block_store<> store(130);
  for (std::size_t at = 0; at < codes.size();) {
    const std::size_t count = std::min<std::size_t>(codes.size() - at, embit::uniform_index(rng, 1500));
    CHECK(store.append(codes.view().middle_rows(at, count)) == at);
    at += count;
  }
  require_same(store, codes);
}

TEST_CASE("copies do not see what is appended to the other", "[block_store]") {
  embit::rng rng{4};
  const auto codes = make_codes(700, 64, code_kind::uniform, rng);
  embit::block_store<> a(codes.view().middle_rows(0, 500));
  embit::block_store<> b = a;
  b.append(codes.view().middle_rows(500, 100));
  a.append(codes.view().middle_rows(600, 100));
  for (std::size_t i = 0; i < 100; ++i) {
    REQUIRE(std::ranges::equal(row_of(a, 500 + i), codes[600 + i]));
    REQUIRE(std::ranges::equal(row_of(b, 500 + i), codes[500 + i]));
  }
}

TEST_CASE("chosen rows of a store make a store", "[block_store]") {
  embit::rng rng{5};
  const auto codes = make_codes(300, 77, code_kind::uniform, rng);
  const std::array<embit::row_id, 4> rows{299, 0, 17, 17};
  const embit::block_store<> some(codes, std::span<const embit::row_id>(rows));
  REQUIRE(some.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) CHECK(std::ranges::equal(row_of(some, i), codes[rows[i]]));
}

TEST_CASE("a block store refuses what does not fit and stays as it was", "[block_store]") {
  embit::rng rng{6};
  embit::block_store<> store(65);
  store.append(make_codes(10, 65, code_kind::uniform, rng));
  const auto before = row_of(store, 9);
  CHECK_THROWS_WITH(store.append(make_codes(1, 64, code_kind::uniform, rng)),
                    Catch::Matchers::ContainsSubstring("64") && Catch::Matchers::ContainsSubstring("65"));
  const std::array<embit::word, 2> dirty{0, 2};
  CHECK_THROWS_AS(store.append({dirty.data(), 1, 65}), embit::error);
  CHECK(store.size() == 10);
  CHECK(row_of(store, 9) == before);
  CHECK_THROWS_AS(embit::block_store<>(0), embit::error);
  CHECK_THROWS_AS(embit::block_store<128>(64), embit::error);
}
