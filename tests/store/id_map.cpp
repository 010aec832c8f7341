// Labels and rows, held against std::map.
#include <embit/core/random.hpp>
#include <embit/io/save.hpp>
#include <embit/store/id_map.hpp>

#include "support/catch.hpp"
#include "support/refusal.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

TEST_CASE("labels map to rows and back through any history of additions and releases") {
  embit::rng rng{1};
  // Consecutive, spread by a power of two, and extreme labels.
  for (const std::uint64_t stride : {std::uint64_t{1}, std::uint64_t{1} << 40, std::uint64_t{0x9E3779B97F4A7C15}}) {
    embit::id_map map;
    std::map<embit::row_label, embit::row_id> expected;
    for (int step = 0; step < 4000; ++step) {
      const embit::row_label label = embit::uniform_index(rng, 700) * stride;
      if (embit::uniform_index(rng, 3) != 0) {
        const auto next = static_cast<embit::row_id>(map.rows());
        if (expected.contains(label)) {
          CHECK(support::contains(support::refusal([&] { map.add(label); }), "argument: "));
        } else {
          map.add(label);
          expected[label] = next;
          CHECK(map.label_of(next) == label);
        }
      } else {
        const auto released = map.release(label);
        CHECK(released.has_value() == expected.contains(label));
        if (released) CHECK(*released == expected.at(label));
        expected.erase(label);
      }
      CHECK(map.size() == expected.size());
    }
    const auto same = [&] {
      for (std::uint64_t i = 0; i < 700; ++i) {
        const auto row = map.row_of(i * stride);
        const auto at = expected.find(i * stride);
        if (row.has_value() != (at != expected.end()) || (row && *row != at->second)) return false;
      }
      return true;
    };
    CHECK(same());

    std::vector<embit::row_id> survivors;
    for (embit::row_id row = 0; row < map.rows(); ++row)
      if (map.row_of(map.label_of(row)) == row) survivors.push_back(row);
    for (auto& [label, row] : expected)
      row = static_cast<embit::row_id>(std::lower_bound(survivors.begin(), survivors.end(), row) - survivors.begin());
    map.renumber(survivors);
    CHECK(map.rows() == expected.size());
    CHECK(same());
  }
}

TEST_CASE("an empty map has no labels") {
  const embit::id_map map;
  CHECK_FALSE(map.contains(0));
  CHECK_FALSE(map.row_of(~embit::row_label{0}).has_value());
  CHECK(map.size() == 0);
}

namespace {

// A label whose hash, of which the map uses the upper 40 bits, is this: the steps of the hash backwards.
embit::row_label label_of_hash(std::uint64_t product) {
  const auto inverse = [](std::uint64_t odd) {
    std::uint64_t x = odd;
    for (int i = 0; i < 5; ++i) x *= 2 - odd * x;
    return x;
  };
  std::uint64_t x = product * inverse(0xD6E8FEB86659FD93u);
  x ^= x >> 32;
  return x * inverse(0x9E3779B97F4A7C15u);
}

}  // namespace

TEST_CASE("labels that all belong into one place are found, if slowly") {
  embit::id_map map;
  for (embit::row_id i = 0; i < 3000; ++i) map.add(label_of_hash(i));
  for (embit::row_id i = 0; i < 3000; i += 3) CHECK(map.release(label_of_hash(i)) == i);
  for (embit::row_id i = 0; i < 3000; ++i) {
    const auto row = map.row_of(label_of_hash(i));
    CHECK(row.has_value() == (i % 3 != 0));
    if (row) CHECK(*row == i);
  }
}

TEST_CASE("copies of a map go their own ways") {
  using expectation = std::map<embit::row_label, embit::row_id>;
  embit::rng rng{5};
  std::vector<std::pair<embit::id_map, expectation>> maps(1);
  for (int step = 0; step < 6000; ++step) {
    auto& [map, expected] = maps[embit::uniform_index(rng, maps.size())];
    const embit::row_label label = 7 * embit::uniform_index(rng, 3000);
    if (embit::uniform_index(rng, 3) != 0) {
      if (expected.contains(label)) continue;
      expected[label] = static_cast<embit::row_id>(map.rows());
      map.add(label);
    } else {
      map.release(label);
      expected.erase(label);
    }
    if (step % 700 == 0) maps.emplace_back(maps[embit::uniform_index(rng, maps.size())]);
  }
  for (const auto& [map, expected] : maps) {
    CHECK(map.size() == expected.size());
    bool same = true;
    for (embit::row_label label = 0; label < 21000; label += 7) {
      const auto at = expected.find(label);
      const auto row = map.row_of(label);
      same = same && row.has_value() == (at != expected.end()) && (!row || *row == at->second);
    }
    CHECK(same);
  }
}
