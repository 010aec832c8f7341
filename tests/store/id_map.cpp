// Labels and rows, held against std::map.
#include <embit/core/random.hpp>
#include <embit/io/save.hpp>
#include <embit/store/id_map.hpp>

#include "support/catch.hpp"
#include "support/refusal.hpp"

#include <algorithm>
#include <map>
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
