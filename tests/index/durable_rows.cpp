// Durable indexes of every kind of rows: what was added is there again, bit for bit, and what cannot be added changes
// nothing on disk.
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/index/durable.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/versioned.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/kernel/levels.hpp>
#include <embit/kernel/set_similarity.hpp>
#include <embit/store/level_store.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

using namespace support;

namespace {

embit::matrix<float> some_rows(std::size_t n, std::uint64_t seed) {
  embit::rng rng{seed};
  embit::matrix<float> rows(n, 9);
  for (float& x : rows.values()) x = embit::normal(rng);
  return rows;
}

embit::level_store some_levels(std::size_t n, std::uint64_t seed, bool halves) {
  embit::level_format format{
      .segments = {embit::level_segment::uniform(5, 3, .5f), embit::level_segment::uniform(9, 1)}};
  format.factors[static_cast<std::size_t>(embit::row_factor::inverse_norm)] = true;
  format.half_factors = halves;
  format.units.fill(.3f);
  embit::level_store levels(std::move(format), n);
  embit::rng rng{seed};
  for (std::size_t row = 0; row < n; ++row) {
    std::vector<std::uint8_t> values(14);
    for (std::size_t j = 0; j < 14; ++j)
      values[j] = static_cast<std::uint8_t>(embit::uniform_index(rng, j < 5 ? 8 : 2));
    levels.set_levels(row, values);
    levels.set_factor(row, embit::row_factor::inverse_norm, embit::uniform(rng));
  }
  return levels;
}

// Adds, removes, reopens: the index read back writes the same file as the one that was kept.
template <class Index, class Rows>
void require_same_after(Index index, const Rows& more, embit::row_id gone) {
  const temp_dir dir;
  auto durable = embit::durable_index<Index>::create(dir / "x", index, {.sync = false});
  const auto add = [&](auto& to) {
    to.add(more);
    CHECK(to.remove(gone));
    to.add(more);
  };
  add(durable);
  add(index);
  embit::save(dir / "expected", index);
  embit::save(dir / "kept", durable.index());
  CHECK(slurp(dir / "kept") == slurp(dir / "expected"));
  {
    const auto moved = std::move(durable);  // its log is let go of
  }
  const auto opened = embit::durable_index<Index>::open(dir / "x");
  embit::save(dir / "found", opened.index());
  CHECK(slurp(dir / "found") == slurp(dir / "expected"));
  CHECK(opened.size() == index.size());
}

template <class Durable, class Rows>
void require_refused(Durable& durable, const Rows& rows, const char* what) {
  const std::uint64_t size = durable.log_size();
  CHECK(contains(refusal([&] { durable.add(rows); }), what));
  CHECK(durable.log_size() == size);
}

}  // namespace

TEST_CASE("changes of floats, levels and sets are kept on disk") {
  require_same_after(embit::flat_index{some_rows(5, 1), embit::l2{}}, some_rows(7, 2), 6);
  for (const bool halves : {false, true})
    require_same_after(embit::flat_index{some_levels(5, 3, halves)}, some_levels(40, 4, halves), 6);
  embit::rng rng{5};
  const auto codes = make_codes(30, 70, code_kind::uniform, rng);
  require_same_after(embit::flat_index{codes, embit::jaccard{}}, codes, 31);
}

TEST_CASE("rows that cannot be added are not logged") {
  const temp_dir dir;
  embit::flat_index floats{some_rows(5, 1), embit::l2{}};
  auto durable = embit::durable_index<decltype(floats)>::create(dir / "floats", floats);
  require_refused(durable, embit::matrix<float>(2, 8), "shape: rows: 8 columns, the index holds rows of 9");
  auto bad = some_rows(2, 3);
  bad[1][2] = std::numeric_limits<float>::infinity();
  require_refused(durable, bad, "not_finite: rows");
  embit::flat_index levels{some_levels(5, 3, true)};
  auto of_levels = embit::durable_index<decltype(levels)>::create(dir / "levels", levels);
  require_refused(of_levels, some_levels(2, 4, false), "shape: codes: of another format");
  auto known = some_levels(2, 4, true);
  known.set_fingerprint(8);
  of_levels.add(known);  // nobody knows who made the others
  CHECK(of_levels.index().fingerprint() == 0);
}

TEST_CASE("what encoder made the rows is known after the log was replayed") {
  const temp_dir dir;
  embit::rng rng{7};
  const auto first = embit::sign_lsh({.dim = 9, .bits = 64}, rng),
             second = embit::sign_lsh({.dim = 9, .bits = 64}, rng);
  using flat = embit::flat_index<>;
  const auto a = first.encode(some_rows(4, 8)), b = second.encode(some_rows(4, 9));
  {
    auto durable = embit::durable_index<flat>::create(dir / "x", flat{embit::block_store<>{64}});
    durable.add(a);
    require_refused(durable, b, "argument: codes: of another encoder");
  }
  const auto opened = embit::durable_index<flat>::open(dir / "x");
  CHECK(opened.index().fingerprint() == first.fingerprint());
  CHECK(contains(refusal([&] { opened.search(b, 1); }), "argument: queries: of another encoder"));
}

TEST_CASE("versions that were added are kept on disk") {
  const temp_dir dir;
  embit::rng rng{11};
  const auto codes = make_codes(12, 70, code_kind::uniform, rng);
  using versioned = embit::versioned_index<embit::flat_index<>>;
  versioned expected{embit::flat_index{codes}, 3};
  {
    auto durable = embit::durable_index<versioned>::create(dir / "x", expected);
    const auto add = [&](auto& to) {
      to.add(codes);
      to.add(codes.view().middle_rows(0, 5), embit::version_column::version{70000});
      to.add(codes.view().middle_rows(5, 2));  // of the version that is current now
      to.remove(13);
    };
    add(durable);
    add(expected);
  }
  const auto opened = embit::durable_index<versioned>::open(dir / "x");
  CHECK(opened.index().versions() == expected.versions());
  CHECK(opened.index().current() == 70000);
  CHECK(opened.index().size() == expected.size());
  CHECK(opened.search(codes, 2)[3][0].id == 3);
}
