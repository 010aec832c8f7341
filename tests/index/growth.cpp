// Rows that are added one by one: what is allocated on the way stays a small multiple of what is there in the end.
#include <embit/core/random.hpp>
#include <embit/core/results.hpp>
#include <embit/index/concurrent.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/index/multi_index.hpp>
#include <embit/index/versioned.hpp>
#include <embit/kernel/set_similarity.hpp>
#include <embit/multivector/sparse_rows.hpp>
#include <embit/search/row_bitset.hpp>
#include <embit/store/block_store.hpp>
#include <embit/store/code_store.hpp>
#include <embit/store/id_map.hpp>
#include <embit/store/level_store.hpp>
#include <embit/store/plane_store.hpp>
#include <embit/store/popcount_store.hpp>
#include <embit/store/token_store.hpp>
#include <embit/store/version_column.hpp>

#include <cstdint>
#include <span>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/levels.hpp>

#include <support/counting_new.hpp>

namespace {

constexpr std::size_t rows = 300'000;

const embit::code_store<>& codes() {
  static const embit::code_store<> all = [] {
    embit::rng rng{1};
    return support::make_codes(rows, 64, support::code_kind::clustered, rng);
  }();
  return all;
}
embit::code_view<> code(std::size_t row) { return codes().view().middle_rows(row, 1); }

// How many times the bytes that are kept were allocated in all while `add(thing, row)` was called for every row.
template <class Thing, class Add, class Kept>
double allocated_for_kept(Thing& thing, Add&& add, Kept&& kept) {
  const std::size_t before = support::allocated_bytes();
  for (std::size_t row = 0; row < rows; ++row) add(thing, row);
  return static_cast<double>(support::allocated_bytes() - before) / static_cast<double>(kept(thing));
}
constexpr auto memory = [](const auto& thing) { return thing.memory(); };

}  // namespace

TEST_CASE("stores and maps grow row by row without being copied for each", "[growth]") {
  const auto append = [](auto& store, std::size_t row) { store.append(code(row)); };
  embit::block_store<> blocks(64);
  CHECK(allocated_for_kept(blocks, append, memory) < 4);
  embit::code_store<> plain(0, 64);
  CHECK(allocated_for_kept(plain, append, memory) < 4);
  embit::plane_store<> planes(64);
  CHECK(allocated_for_kept(planes, append, memory) < 4);
  embit::popcount_store<> sets(64);
  CHECK(allocated_for_kept(sets, append, memory) < 4);

  auto format = support::with_factors(support::uniform_format(16, 2), {embit::row_factor::scale});
  const embit::level_store level(format, 1);
  embit::level_store levels(format);
  CHECK(allocated_for_kept(
            levels, [&](auto& store, std::size_t) { store.append(level.view()); }, memory) < 4);

  const std::vector<float> numbers(8, .5f);
  const std::vector<std::size_t> offsets{0, 1};
  const embit::ragged_view<const float> document(embit::matrix_view<const float>(numbers.data(), 1, 8), offsets);
  embit::token_store<std::int8_t> tokens;
  CHECK(allocated_for_kept(
            tokens, [&](auto& store, std::size_t) { store.append(document); }, memory) < 4);

  embit::id_map labels;
  CHECK(allocated_for_kept(
            labels, [](auto& map, std::size_t row) { map.add(7 * row); }, memory) < 4);
  embit::version_column versions;
  CHECK(allocated_for_kept(
            versions, [](auto& column, std::size_t) { column.append(1, 3); }, memory) < 4);
  embit::row_bitset bits;
  CHECK(allocated_for_kept(
            bits, [](auto& set, std::size_t row) { set.resize(row + 1, true); }, memory) < 4);

  const std::vector<embit::neighbor<float>> hit(1, {1, 2.f});
  embit::range_result<float> hits;
  CHECK(allocated_for_kept(
            hits, [&](auto& result, std::size_t) { result.append(hit); },
            [](const auto& result) { return 16 * result.total(); }) < 5);
  embit::sparse_rows runs(64, 4);
  CHECK(allocated_for_kept(
            runs, [&](auto& batch, std::size_t) { batch.add(8, std::span(numbers).first(4)), batch.end_row(); },
            [](const auto& batch) { return 28 * batch.size(); }) < 5);
}

TEST_CASE("flat indexes grow row by row without being copied for each", "[growth]") {
  const auto add = [](auto& index, std::size_t row) { index.add(code(row)); };
  const auto of_store = [](const auto& index) { return index.store().memory() + rows / 8; };
  const embit::code_store<> none(0, 64);
  embit::flat_index flat{none};
  CHECK(allocated_for_kept(flat, add, of_store) < 4);
  embit::flat_index gaps{none};
  CHECK(allocated_for_kept(
            gaps,
            [](auto& index, std::size_t row) {
              index.add(code(row));
              if (row % 10 == 0) index.remove(static_cast<embit::row_id>(row));
            },
            of_store) < 4);
  embit::flat_index sets{none, embit::jaccard{}};
  CHECK(allocated_for_kept(sets, add, of_store) < 4);
  embit::flat_index row_by_row = embit::flat_index<embit::code_store<>, embit::hamming>(none);
  CHECK(allocated_for_kept(row_by_row, add, of_store) < 4);

  embit::versioned_index versioned{embit::flat_index{none}, 1};
  CHECK(allocated_for_kept(versioned, add, [](const auto& index) {
          return index.index().store().memory() + index.versions().memory();
        }) < 4);
  embit::labelled_index labelled{embit::flat_index{none}};
  const auto kept = [](const auto& index) { return index.index().store().memory() + index.labels().memory(); };
  CHECK(allocated_for_kept(
            labelled,
            [](auto& index, std::size_t row) {
              const embit::row_label label = 7 * row;
              index.add(code(row), std::span(&label, 1));
            },
            kept) < 4);
  // The same few labels again and again.
  embit::labelled_index replaced{embit::flat_index{none}};
  CHECK(allocated_for_kept(
            replaced,
            [](auto& index, std::size_t row) {
              const embit::row_label label = row % 100;
              index.add(code(row), std::span(&label, 1), embit::duplicate_labels::replace);
            },
            kept) < 4);
}

TEST_CASE("indexes with tables grow row by row without being sorted for each", "[growth]") {
  const auto add = [](auto& index, std::size_t row) { index.add(code(row)); };
  const auto total = [](const auto& index) { return index.memory().total(); };
  const embit::code_store<> none(0, 64);
  embit::lsh_table lsh{none, {.tables = 4, .bits = 16}};
  CHECK(allocated_for_kept(lsh, add, total) < 4);
  // What each of 16 builds works with to foresee costs does not grow with the rows, and is given back.
  constexpr double foresight = 16 * 3e6;
  const auto multi = [&](embit::multi_index_options options) {
    embit::multi_index index{none, options};
    const double times = allocated_for_kept(index, add, total), kept = static_cast<double>(total(index));
    CHECK(times * kept < 4 * kept + foresight);
  };
  multi({.substrings = 4, .bail_out = false});
  multi({});
}

TEST_CASE("an add to a concurrent index copies chunks, not rows", "[growth][threads]") {
  embit::concurrent_index index{embit::flat_index{codes()}};
  const auto row = code(7);
  index.add(row);
  const std::size_t before = support::allocated_bytes();
  constexpr std::size_t adds = 100, chunk = 4096 * 8;
  for (std::size_t i = 0; i < adds; ++i) index.add(row);
  CHECK(support::allocated_bytes() - before < adds * 2 * chunk);
  CHECK(index.size() == rows + adds + 1);
}
