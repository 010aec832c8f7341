// SPDX-License-Identifier: MIT
#include <embit/io/mapped_file.hpp>

#include <unistd.h>

#include <cstdint>
#include <string>
#include <utility>

#include "support/catch.hpp"
#include "support/refusal.hpp"
#include "support/temp_dir.hpp"

using support::contains;
using support::refusal;
using support::spill;

TEST_CASE("a mapping shows the bytes of its file and keeps its place when it moves") {
  const support::temp_dir dir;
  spill(dir / "a", "0123456789");
  embit::mapped_file map(dir / "a");
  for (const auto pattern : {embit::access_pattern::normal, embit::access_pattern::sequential,
                             embit::access_pattern::random, embit::access_pattern::soon})
    map.advise(pattern);
  const std::byte* where = map.bytes().data();
  CHECK(reinterpret_cast<std::uintptr_t>(where) % 64 == 0);
  embit::mapped_file moved = std::move(map);
  CHECK(map.bytes().empty());
  REQUIRE(moved.size() == 10);
  CHECK(moved.bytes().data() == where);
  CHECK(moved.bytes()[5] == std::byte{'5'});
  CHECK(moved.path() == dir / "a");

  spill(dir / "b", "other");
  moved = embit::mapped_file(dir / "b");
  CHECK(moved.size() == 5);
  CHECK(moved.path() == dir / "b");
}

TEST_CASE("an empty file maps to no bytes") {
  const support::temp_dir dir;
  spill(dir / "empty", "");
  const embit::mapped_file map(dir / "empty");
  CHECK(map.bytes().empty());
  map.advise(embit::access_pattern::soon);
  map.require_unchanged_size();
  embit::mapped_file().require_unchanged_size();
}

TEST_CASE("a mapped file may be removed, and one that changes its size is noticed") {
  const support::temp_dir dir;
  spill(dir / "a", "0123456789");
  const embit::mapped_file map(dir / "a");
  REQUIRE(::truncate((dir / "a").c_str(), 11) == 0);
  CHECK(contains(refusal([&] { map.require_unchanged_size(); }),
                 "changed: " + (dir / "a") + ": had 10 bytes when it was mapped and has 11 now"));
  REQUIRE(::truncate((dir / "a").c_str(), 10) == 0);
  map.require_unchanged_size();
  REQUIRE(::unlink((dir / "a").c_str()) == 0);
  map.require_unchanged_size();
  CHECK(map.bytes()[9] == std::byte{'9'});
}

TEST_CASE("what cannot be mapped is refused by name") {
  const support::temp_dir dir;
  CHECK(contains(refusal([&] { embit::mapped_file{dir.path()}; }), "not_a_file: " + dir.path() + ": is a directory"));
  CHECK(contains(refusal([&] { embit::mapped_file{dir / "none"}; }), "No such file"));
}
