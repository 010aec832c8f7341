// Every allocation of every change of a durable index fails once: what is in memory and on disk stays as it was, and
// goes on working.
#include <embit/index/durable.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>

#include <cstdint>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include <support/catch.hpp>
#include <support/temp_dir.hpp>

#include <support/counting_new.hpp>

namespace {

using flat = embit::flat_index<>;
using labelled = embit::labelled_index<flat>;
constexpr std::size_t bits = 128;

embit::code_store<> codes_of(std::size_t rows, std::uint64_t number) {
  embit::code_store<> codes(rows, bits);
  for (std::size_t i = 0; i < rows; ++i) {
    codes.row(i)[0] = number;
    codes.row(i)[1] = i;
  }
  return codes;
}

template <class Index>
std::string text_of(const Index& index) {
  std::string text;
  const auto found = index.search(codes_of(1, 1), 1000);
  for (const auto& hit : found[0])
    text += std::to_string(hit.id) + ':' + std::to_string(hit.distance) + ' ';
  return text;
}

template <class Durable>
std::string text_of_file(const std::string& path) {
  const auto opened = Durable::open(path);
  return text_of(opened.index());
}

std::vector<embit::row_label> labels_of(std::size_t rows, std::uint64_t first) {
  std::vector<embit::row_label> labels;
  for (std::size_t i = 0; i < rows; ++i) labels.push_back(first + i);
  return labels;
}

/// Calls `change` until no allocation of it fails any more, each time on a new index; returns how many failed.
template <class Index, class Change>
std::size_t fail_each(const Index& rows, Change&& change) {
  using durable = embit::durable_index<Index>;
  std::string after;
  for (std::size_t others = 0;; ++others) {
    const support::temp_dir dir(support::temp_dir::in_memory());
    bool failed = false;
    {
      auto index = durable::create(dir / "x", rows, {.sync = false});
      const std::string before = text_of(index.index());
      support::fail_allocation_after(others);
      bool threw = false;
      try {
        change(index);
      } catch (const std::bad_alloc&) {
        threw = true;
      }
      failed = support::end_failures();
      INFO(others);
      if (threw) {
        REQUIRE(text_of(index.index()) == before);
        REQUIRE_FALSE(index.needs_reopening());
        REQUIRE(dir.entries() == 2);
        // What is on disk is what is in memory, and the change can still be made.
        const std::string file = support::slurp(dir / "x"), log = support::slurp(dir / "x.log");
        support::spill(dir / "y", file);
        support::spill(dir / "y.log", log);
        REQUIRE(text_of_file<durable>(dir / "y") == before);
        change(index);
      }
      if (after.empty()) after = text_of(index.index());
      REQUIRE(text_of(index.index()) == after);
    }
    REQUIRE(text_of_file<durable>(dir / "x") == after);
    if (!failed) return others;
  }
}

}  // namespace

TEST_CASE("memory that runs out in a change of a durable index leaves it as it was, in memory and on disk") {
  flat rows{codes_of(60, 1)};
  rows.remove(7);
  CHECK(fail_each(rows, [](auto& index) { index.add(codes_of(5, 2)); }) > 3);
  CHECK(fail_each(rows, [](auto& index) { index.remove(9); }) > 1);
  CHECK(fail_each(flat{codes_of(60, 1)}, [](auto& index) { index.remove(9); }) > 1);
  CHECK(fail_each(rows, [](auto& index) { index.checkpoint(); }) > 20);
  CHECK(fail_each(rows, [](auto& index) { index.compact(); }) > 20);

  const labelled names{flat{codes_of(60, 1)}, labels_of(60, 100)};
  CHECK(fail_each(names, [](auto& index) { index.add(codes_of(5, 2), labels_of(5, 300)); }) > 3);
  CHECK(fail_each(names, [](auto& index) { index.remove(105u); }) > 1);
  CHECK(fail_each(names, [](auto& index) { index.compact(); }) > 20);
}

TEST_CASE("memory that runs out in a save leaves the old file and nothing else") {
  const support::temp_dir dir(support::temp_dir::in_memory());
  embit::save(dir / "x", flat{codes_of(50, 1)});
  const std::string before = support::slurp(dir / "x");
  const flat other{codes_of(70, 2)};
  std::size_t failures = 0;
  for (;; ++failures) {
    support::fail_allocation_after(failures);
    try {
      embit::save(dir / "x", other);
    } catch (const std::bad_alloc&) {
    }
    if (!support::end_failures()) break;
    CHECK(dir.entries() == 1);
    REQUIRE(support::slurp(dir / "x") == before);
  }
  CHECK(failures > 10);
  CHECK(support::slurp(dir / "x") != before);
}
