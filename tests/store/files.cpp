#include <embit/index/flat.hpp>
#include <embit/io/metadata.hpp>
#include <embit/io/save.hpp>
#include <embit/store/block_store.hpp>
#include <embit/store/code_store.hpp>
#include <embit/store/mapped_store.hpp>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/matchers.hpp>
#include <support/temp_dir.hpp>

using namespace support;

namespace {

template <class Store>
void require_rows(const Store& store, embit::code_view<> codes) {
  REQUIRE(store.size() == codes.size());
  REQUIRE(store.bits() == codes.bits());
  std::vector<embit::word> row(codes.words());
  for (std::size_t i = 0; i < codes.size(); ++i) {
    store.copy_row(i, row);
    REQUIRE(std::ranges::equal(row, codes[i]));
  }
}

// A file whose 7 codes of 60 bits are zero but for one word.
struct dirty {
  static constexpr embit::file_kind file = embit::code_store<>::file;
  std::size_t row;
  embit::word bits;
  void write_to(const embit::section_writer& out) const {
    embit::metadata_writer shape;
    shape.u64(60).u64(7);
    out.add("shape", std::move(shape));
    out.add_stream("blocks", [this](embit::section_sink& sink) {
      std::vector<embit::word> blocks(8, 0);
      blocks[row] = bits;
      sink.write(std::span<const embit::word>(blocks));
    });
  }
};

}  // namespace

static_assert(embit::Loadable<embit::code_store<>> && embit::Loadable<embit::block_store<>>);

TEST_CASE("codes come back from their file, whatever store wrote and reads it", "[files]") {
  const temp_dir dir;
  embit::rng rng{1};
  const std::size_t bits = GENERATE(as<std::size_t>{}, 1, 63, 64, 65, 127, 1000);
  const std::size_t n = GENERATE(as<std::size_t>{}, 0, 1, 7, 513, 9000);
  const auto codes = make_codes(n, bits, code_kind::uniform, rng);
  embit::block_store<> pieces(bits);
  for (std::size_t at = 0; at < n; at += 700)
    pieces.append(codes.view().middle_rows(at, std::min<std::size_t>(700, n - at)));
  const std::string a = dir / "a.embit", b = dir / "b.embit", c = dir / "c.embit";
  embit::save(a, codes);
  embit::save(b, pieces);
  CHECK(slurp(a) == slurp(b));
  require_rows(embit::load<embit::code_store<>>(b), codes);
  require_rows(embit::load<embit::block_store<>>(a), codes);
  const embit::mapped_store<> mapped(a);
  mapped.verify();
  require_rows(mapped, codes);
  embit::save(c, embit::load<embit::block_store<>>(a));
  CHECK(slurp(a) == slurp(c));
}

TEST_CASE("a mapped file is searched as owned codes are, filters and added rows included", "[files]") {
  const temp_dir dir;
  embit::rng rng{2};
  const auto codes = make_codes(3000, 192, code_kind::clustered, rng),
             queries = make_codes(50, 192, code_kind::clustered, rng);
  embit::save(dir / "codes.embit", codes);
  const embit::flat_index mapped{embit::mapped_store<>{dir / "codes.embit"}};
  const embit::flat_index owned{codes};
  const embit::flat_index loaded{embit::load<embit::block_store<>>(dir / "codes.embit")};
  std::remove((dir / "codes.embit").c_str());
  const auto even = [](embit::row_id row) { return row % 2 == 0; };
  const auto a = mapped.search(queries, 10), b = owned.search(queries, 10), c = loaded.search(queries, 10);
  const auto d = mapped.search(queries, 10, even), e = owned.search(queries, 10, even);
  for (std::size_t q = 0; q < 50; ++q) {
    REQUIRE(std::ranges::equal(a[q], b[q]));
    REQUIRE(std::ranges::equal(a[q], c[q]));
    REQUIRE(std::ranges::equal(d[q], e[q]));
  }
}

TEST_CASE("static widths are held against the file", "[files]") {
  const temp_dir dir;
  embit::rng rng{3};
  embit::save(dir / "x", make_codes(10, 128, code_kind::uniform, rng));
  CHECK(embit::mapped_store<128>(dir / "x").size() == 10);
  CHECK(embit::load<embit::code_store<128>>(dir / "x").size() == 10);
  CHECK_THROWS_WITH(embit::mapped_store<64>(dir / "x"), Catch::Matchers::ContainsSubstring("128"));
  CHECK_THROWS_AS(embit::load<embit::code_store<64>>(dir / "x"), embit::error);
  CHECK_THROWS_AS(embit::load<embit::block_store<64>>(dir / "x"), embit::error);
}

TEST_CASE("every truncation and every flipped byte of a file of codes is refused or harmless", "[files]") {
  const temp_dir dir;
  embit::rng rng{4};
  const std::string path = dir / "codes.embit", bad = dir / "bad.embit";
  const auto codes = make_codes(9, 70, code_kind::uniform, rng);
  embit::save(path, codes);
  const std::string good = slurp(path);
  std::size_t refused = 0, harmless = 0;
  const auto try_to_load = [&] {
    try {
      require_rows(embit::load<embit::code_store<>>(bad), codes);
      ++harmless;
    } catch (const embit::error& e) {
      CHECK(std::string(e.what()).find(bad) != std::string::npos);
      ++refused;
    }
    try {
      embit::mapped_store<> mapped(bad);
      mapped.verify();
      require_rows(mapped, codes);
    } catch (const embit::error&) {
    }
  };
  for (std::size_t size = 0; size < good.size(); ++size) {
    spill(bad, good.substr(0, size));
    try_to_load();
  }
  CHECK(harmless == 0);
  CHECK(refused == good.size());
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string flipped = good;
    flipped[at] = static_cast<char>(flipped[at] ^ (1 << at % 8));
    spill(bad, flipped);
    try_to_load();
  }
  CHECK(refused + harmless == 2 * good.size());
  CHECK(refused > good.size() + 200);  // what is harmless is the padding between sections
}

TEST_CASE("bits where no code has any are refused even under a valid checksum", "[files]") {
  const temp_dir dir;
  const std::string path = dir / "x";
  embit::save(path, dirty{3, embit::word{1} << 59});
  CHECK(embit::load<embit::code_store<>>(path).size() == 7);
  for (const dirty d : {dirty{3, embit::word{1} << 60}, dirty{7, 1}}) {
    embit::save(path, d);
    CHECK_THROWS_AS(embit::load<embit::code_store<>>(path), embit::error);
    CHECK_THROWS_AS(embit::load<embit::block_store<>>(path), embit::error);
    CHECK_THROWS_AS(embit::mapped_store<>(path).verify(), embit::error);
  }
}
