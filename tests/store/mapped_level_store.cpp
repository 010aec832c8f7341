// B-bit codes from a file: mapped, loaded and owned ones are searched alike.
#include <embit/core/random.hpp>
#include <embit/index/flat.hpp>
#include <embit/io/save.hpp>
#include <embit/kernel/asymmetric.hpp>
#include <embit/store/level_store.hpp>
#include <embit/store/mapped_level_store.hpp>

#include "support/catch.hpp"
#include "support/refusal.hpp"
#include "support/temp_dir.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace {

embit::level_store random_levels(std::size_t rows, bool halves, embit::rng& rng) {
  embit::level_format format{
      .segments = {embit::level_segment::uniform(33, 3, .5f), embit::level_segment::uniform(7, 1, 2.f)}};
  format.factors = {true, true, false, false, true};
  format.half_factors = halves;
  embit::level_store store(format, rows);
  std::vector<std::uint8_t> levels(store.dims());
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t j = 0; j < levels.size(); ++j)
      levels[j] = static_cast<std::uint8_t>(embit::uniform_index(rng, j < 33 ? 8 : 2));
    store.set_levels(row, levels);
    store.set_factor(row, embit::row_factor::offset, embit::normal(rng));
    store.set_factor(row, embit::row_factor::scale, embit::normal(rng));
  }
  store.set_inverse_norms();
  return store;
}

/// Queries that are already in the space of the codes.
struct same_space {
  embit::level_format codes;
  std::size_t dim() const { return codes.dims(); }
  const embit::level_format& format() const { return codes; }
  embit::mapped_queries operator()(embit::matrix_view<const float> queries) const {
    return {embit::matrix<float>(queries), std::vector<embit::level_query_terms>(queries.size())};
  }
};

template <class A, class B>
bool same(const A& a, const B& b) {
  if (a.queries() != b.queries()) return false;
  for (std::size_t q = 0; q < a.queries(); ++q)
    if (!std::equal(a[q].begin(), a[q].end(), b[q].begin(), b[q].end())) return false;
  return true;
}

}  // namespace

TEST_CASE("mapped levels equal loaded and owned ones, with and without a filter, for both kinds of query") {
  embit::rng rng{1};
  const support::temp_dir dir;
  for (const std::size_t rows : {0u, 1u, 31u, 32u, 33u, 513u})
    for (const bool halves : {false, true}) {
      const auto owned = random_levels(rows, halves, rng);
      embit::save(dir / "a", owned);
      const auto loaded = embit::load<embit::level_store>(dir / "a");
      embit::save(dir / "b", loaded);
      CHECK(support::slurp(dir / "a") == support::slurp(dir / "b"));
      const embit::mapped_level_store mapped(dir / "a");
      mapped.verify();
      REQUIRE(mapped.size() == rows);
      CHECK(mapped.format() == owned.format());

      embit::matrix<float> queries(3, owned.dims());
      for (float& x : queries.values()) x = embit::normal(rng);
      const auto codes = random_levels(3, halves, rng);
      const auto odd = [](embit::row_id row) { return row % 2 == 1; };
      const embit::flat_index a{owned}, b{loaded};
      const embit::flat_index c{mapped};
      CHECK(same(a.search(codes, 9), b.search(codes, 9)));
      CHECK(same(a.search(codes, 9), c.search(codes, 9)));
      CHECK(same(a.search(codes, 9, odd), c.search(codes, 9, odd)));
      const embit::asymmetric kernel{same_space{owned.format()}};
      const embit::flat_index d{owned, kernel};
      const embit::flat_index e{mapped, kernel};
      CHECK(same(d.search(queries, 9), e.search(queries, 9)));
      CHECK(same(d.search(queries, 9, odd), e.search(queries, 9, odd)));
    }
}

TEST_CASE("damaged levels are refused or found by verifying, whatever byte it is") {
  embit::rng rng{2};
  const support::temp_dir dir;
  embit::save(dir / "a", random_levels(33, true, rng));
  const std::string bytes = support::slurp(dir / "a");
  std::size_t harmless = 0;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    support::spill(dir / "b", damaged);
    const std::string said = support::refusal([&] { embit::mapped_level_store(dir / "b").verify(); });
    if (said == "accepted")
      ++harmless;  // padding between sections
    else
      CHECK(support::contains(said, "/b: "));
  }
  CHECK(harmless < bytes.size() / 4);
}
