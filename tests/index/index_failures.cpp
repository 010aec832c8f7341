// Indexes whose memory runs out at any allocation of any change, or of a search, are what they were before.
#include <embit/core/random.hpp>
#include <embit/index/concurrent.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/index/multi_index.hpp>
#include <embit/index/versioned.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/kernel/levels.hpp>
#include <embit/kernel/set_similarity.hpp>
#include <embit/retrieve/float_rerank.hpp>
#include <embit/retrieve/retriever.hpp>
#include <embit/store/plane_store.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/levels.hpp>
#include <support/normal_rows.hpp>

#include "failing.hpp"

using support::fail_each_allocation, support::text_of;

namespace {

embit::code_store<> codes(std::size_t rows, std::uint64_t seed) {
  embit::rng rng{seed};
  return support::make_codes(rows, 100, support::code_kind::uniform, rng);
}

const embit::code_store<>& queries() {
  static const embit::code_store<> three = codes(3, 9);
  return three;
}

std::vector<embit::row_label> labels(std::size_t count, embit::row_label first) {
  std::vector<embit::row_label> all(count);
  for (std::size_t i = 0; i < count; ++i) all[i] = first + i;
  return all;
}

// All rows, as a search finds them.
const auto look = [](const auto& index) {
  return std::to_string(index.size()) + '\n' + text_of(index.search(queries(), 20000));
};

template <class Index, class... Rows>
std::size_t remove_some(Index& index, Rows... rows) {
  return (std::size_t{index.remove(rows)} + ...);
}

// Every change that an index of rows offers, and searches, which must not change anything.
template <class Make>
std::size_t change_every_way(const char* name, Make&& make) {
  const auto with_gaps = [&] {
    auto index = make();
    remove_some(index, 1u, 3u, 40u);
    return index;
  };
  const auto few = codes(5, 4), many = codes(700, 5);
  const auto searched = make();
  std::size_t points = 0;
  points += fail_each_allocation(
      name, make, [&](auto& index) { index.add(few); }, look);
  points += fail_each_allocation(
      name, with_gaps, [&](auto& index) { index.add(many); }, look);
  points += fail_each_allocation(
      name, make, [](auto& index) { remove_some(index, 2u); }, look);
  points += fail_each_allocation(
      name, with_gaps, [](auto& index) { index.compact(); }, look);
  points += fail_each_allocation(
      name, make, [other = with_gaps()](auto& index) { index = other; }, look);
  points += fail_each_allocation(
      name, with_gaps, [](auto& index) { static_cast<void>(index.search(queries(), 10)); }, look);
  points += fail_each_allocation(
      name, with_gaps,
      [](auto& index) {
        static_cast<void>(
            index.range_search(queries(), typename std::remove_cvref_t<decltype(index)>::distance_type{}));
      },
      look);
  return points;
}

template <class Rows>
std::size_t change_labels(const char* name, const Rows& rows) {
  using embit::duplicate_labels;
  const auto make = [&] { return embit::labelled_index<Rows>(rows, labels(rows.size(), 1000)); };
  const auto with_gaps = [&] {
    auto index = make();
    for (const embit::row_label label : {1001u, 1050u, 1100u}) index.remove(label);
    return index;
  };
  const auto few = codes(5, 4);
  const std::vector<embit::row_label> twice{1003, 7, 7, 1004, 1003};
  std::size_t points = 0;
  points += fail_each_allocation(
      name, make, [&](auto& index) { index.add(few, labels(5, 5000)); }, look);
  points += fail_each_allocation(
      name, make, [&](auto& index) { index.add(few, labels(5, 1003), duplicate_labels::replace); }, look);
  points += fail_each_allocation(
      name, with_gaps, [&](auto& index) { index.add(few, twice, duplicate_labels::replace); }, look);
  points += fail_each_allocation(
      name, make, [](auto& index) { index.remove(1004); }, look);
  points += fail_each_allocation(
      name, with_gaps, [](auto& index) { index.compact(); }, look);
  points += fail_each_allocation(
      name, make, [other = with_gaps()](auto& index) { index = other; }, look);
  return points;
}

}  // namespace

TEST_CASE("flat indexes survive every allocation that fails", "[failures]") {
  const auto rows = codes(150, 1);
  CHECK(change_every_way("flat_index", [&] { return embit::flat_index{rows}; }) > 20);
  CHECK(change_every_way("flat_index of planes", [&] { return embit::flat_index{embit::plane_store{rows.view()}}; }) >
        20);
  CHECK(change_every_way("flat_index of sets", [&] { return embit::flat_index{rows, embit::jaccard{}}; }) > 20);
  CHECK(change_every_way("flat_index row by row",
                         [&] { return embit::flat_index<embit::code_store<>, embit::hamming>(rows); }) > 20);
}

TEST_CASE("an index of levels and one of floats survive every allocation that fails", "[failures]") {
  const auto format = support::uniform_format(100, 2);
  const auto some = [&](std::size_t count, std::uint64_t seed) {
    embit::rng rng{seed};
    embit::level_store store(format, count);
    for (std::size_t row = 0; row < count; ++row) store.set_levels(row, support::random_levels(format, rng));
    return store;
  };
  const auto rows = some(70, 1), more = some(90, 2), asked = some(3, 3);
  const auto seen = [&](const auto& index) { return text_of(index.search(asked, 1000)); };
  const auto make = [&] { return embit::flat_index{rows}; };
  std::size_t points = fail_each_allocation(
      "levels add", make, [&](auto& index) { index.add(more); }, seen);
  const auto with_gaps = [&] {
    auto index = make();
    index.remove(4);
    return index;
  };
  points += fail_each_allocation(
      "levels add after a removal", with_gaps, [&](auto& index) { index.add(more); }, seen);
  points += fail_each_allocation(
      "levels compact", with_gaps, [](auto& index) { index.compact(); }, seen);

  const auto x = support::normal_rows(60, 20, 1), q = support::normal_rows(3, 20, 2);
  const auto found = [&](const auto& index) { return text_of(index.search(q, 100)); };
  const auto floats = [&] { return embit::flat_index{x, embit::l2{}}; };
  points += fail_each_allocation(
      "floats remove", floats, [](auto& index) { index.remove(7); }, found);
  auto other = floats();
  other.remove(3);
  points += fail_each_allocation(
      "floats assignment", floats, [&](auto& index) { index = other; }, found);
  CHECK(points > 10);
}

TEST_CASE("indexes with tables survive every allocation that fails", "[failures]") {
  const auto rows = codes(150, 1);
  CHECK(change_every_way("lsh_table", [&] {
          return embit::lsh_table{rows, {.tables = 3, .bits = 6, .probes = 64}};
        }) > 50);
  CHECK(change_every_way("multi_index", [&] {
          return embit::multi_index{rows, {.substrings = 10, .bail_out = false}};
        }) > 50);

  const embit::matrix<std::uint32_t> keys(150, 2, 1u), more_keys(5, 2, 0u);
  const embit::lsh_table_options options{.tables = 2, .bits = 1, .probes = 2};
  const embit::matrix<std::uint32_t> asked(3, 2, 1u);
  CHECK(fail_each_allocation(
            "lsh_table with keys",
            [&] {
              return embit::lsh_table{rows, keys, options};
            },
            [few = codes(5, 4), &more_keys](auto& index) { index.add(few, more_keys); },
            [&](const auto& index) {
              return text_of(index.search({queries().view(), asked.view()}, 1000));
            }) > 5);
}

TEST_CASE("an index that puts its rows into tables survives every allocation that fails", "[failures]") {
  // As many rows as make an index build its tables anew; that takes a while, so that one allocation of seven fails.
  const auto rows = codes(20, 1), many = codes(4100, 2);
  CHECK(fail_each_allocation(
            "multi_index built anew",
            [&] {
              return embit::multi_index<embit::ids_only>{rows, {.substrings = 10, .bail_out = false}};
            },
            [&](auto& index) { index.add(many); },
            [](const auto& index) { return text_of(index.search(queries(), 10)); }, 7) > 20);
}

TEST_CASE("indexes with labels and versions survive every allocation that fails", "[failures]") {
  const auto rows = codes(150, 1);
  const embit::flat_index flat{rows};
  CHECK(change_labels("labelled flat_index", flat) > 20);
  CHECK(change_labels("labelled lsh_table", embit::lsh_table{rows, {.tables = 3, .bits = 6, .probes = 64}}) > 50);
  CHECK(change_labels("labelled and versioned", embit::versioned_index{flat, 1}) > 20);
  CHECK(change_every_way("versioned flat_index", [&] { return embit::versioned_index{flat, 1}; }) > 20);

  const auto with_gaps = [&] {
    embit::versioned_index index{flat, 1};
    index.add(rows.view().middle_rows(0, 9), 2);
    remove_some(index, 5u, 150u);
    return index;
  };
  CHECK(fail_each_allocation(
            "versions after compact", with_gaps, [](auto& index) { index.compact(); },
            [](const auto& index) {
              std::string text = look(index);
              for (std::size_t row = 0; row < index.rows(); ++row) text += std::to_string(index.versions()[row]);
              return text;
            }) > 5);
}

TEST_CASE("a concurrent index survives every allocation that fails", "[failures][threads]") {
  using labelled = embit::labelled_index<embit::flat_index<>>;
  const labelled start(embit::flat_index{codes(150, 1)}, labels(150, 1000));
  const auto few = codes(5, 4);
  const auto make = [&] {
    auto index = std::make_unique<embit::concurrent_index<labelled>>(start);
    index->remove(1001u);
    return index;
  };
  const auto seen = [](const auto& index) { return look(*index); };
  std::size_t points = fail_each_allocation(
      "concurrent add", make, [&](auto& index) { index->add(few, labels(5, 1003), embit::duplicate_labels::replace); },
      seen);
  points += fail_each_allocation(
      "concurrent remove", make, [](auto& index) { index->remove(1004u); }, seen);
  points += fail_each_allocation(
      "concurrent compact", make, [](auto& index) { index->compact(); }, seen);
  CHECK(points > 20);
  CHECK(look(start) == look(labelled(embit::flat_index{codes(150, 1)}, labels(150, 1000))));
}

TEST_CASE("a retriever survives every allocation that fails", "[failures]") {
  struct signs {
    std::size_t dim() const { return 20; }
    embit::code_store<> encode(embit::matrix_view<const float> x) const {
      embit::code_store<> out(x.rows(), 20);
      for (std::size_t i = 0; i < x.rows(); ++i)
        for (std::size_t j = 0; j < 20; ++j) out.row(i)[0] |= embit::word{x[i][j] > 0} << j;
      return out;
    }
  };
  const auto x = support::normal_rows(60, 20, 1), y = support::normal_rows(50, 20, 3);
  const auto q = support::normal_rows(3, 20, 2);
  const auto make = [](const embit::matrix<float>& rows) {
    return embit::retriever{signs{}, embit::flat_index{signs{}.encode(rows)}, embit::float_rerank{rows}};
  };
  const auto found = [&](const auto& retriever) { return text_of(retriever.search(q, 60)); };
  const auto other = make(y);
  std::size_t points = fail_each_allocation(
      "retriever search", [&] { return make(x); }, [&](auto& retriever) { static_cast<void>(found(retriever)); },
      found);
  points += fail_each_allocation(
      "retriever assignment", [&] { return make(x); }, [&](auto& retriever) { retriever = other; }, found);
  CHECK(points > 10);
}
