#include <embit/index/flat.hpp>
#include <embit/store/plane_store.hpp>

#include <algorithm>

#include <support/catch.hpp>
#include <support/codes.hpp>

using namespace support;

TEST_CASE("planes say the same as blocks, for whole superblocks, after every append", "[plane_store]") {
  embit::rng rng{1};
  const std::size_t bits = GENERATE(as<std::size_t>{}, 1, 64, 100, 256, 300);
  embit::plane_store<> store(bits);
  for (const std::size_t n : {100u, 500u, 5000u, 1u, 4096u}) {
    store.append(make_codes(n, bits, code_kind::uniform, rng));
    std::vector<embit::word> code(store.words());
    for (std::size_t i = 0; i < store.runs(); ++i) {
      const embit::block_run run = store.run(i);
      for (std::size_t row = 0; row < run.rows / embit::superblock_rows * embit::superblock_rows; row += 37) {
        store.copy_row(run.first_row + row, code);
        const std::size_t in = row % embit::superblock_rows;
        const embit::word* planes = run.planes + (row - in) * store.words();
        for (std::size_t d = 0; d < store.words() * 64; ++d)
          REQUIRE((planes[d * 8 + in / 64] >> in % 64 & 1) == (code[d / 64] >> d % 64 & 1));
      }
    }
  }
}

TEST_CASE("an index over kept planes answers as one without", "[plane_store]") {
  embit::rng rng{2};
  const std::size_t bits = GENERATE(as<std::size_t>{}, 64, 200, 256, 1024);
  const auto codes = make_codes(6000, bits, code_kind::clustered, rng),
             more = make_codes(1500, bits, code_kind::clustered, rng);
  embit::flat_index kept{embit::plane_store{codes.view()}};
  embit::flat_index plain{codes};
  static_assert(std::same_as<decltype(kept)::store_type, embit::plane_store<>>);
  kept.add(more);
  plain.add(more);
  for (const embit::row_id row : {3u, 700u, 6001u}) kept.remove(row), plain.remove(row);
  const auto require_same = [&] {
    for (const std::size_t queries : {1u, 7u, 300u}) {
      const auto a = kept.search(more.view().middle_rows(0, queries), 10),
                 b = plain.search(more.view().middle_rows(0, queries), 10);
      for (std::size_t q = 0; q < queries; ++q) REQUIRE(std::ranges::equal(a[q], b[q]));
    }
  };
  require_same();
  REQUIRE(kept.compact() == plain.compact());
  require_same();
}
