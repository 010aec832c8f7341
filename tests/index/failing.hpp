// Every allocation of a change fails in turn: afterwards the value is what it was before, and goes on working.
#pragma once

#include <cstddef>
#include <new>
#include <string>

#include <support/catch.hpp>

#include <support/counting_new.hpp>

namespace support {

/// What a search finds, as text.
template <class Result>
std::string text_of(const Result& result) {
  std::string text;
  for (std::size_t q = 0; q < result.queries(); ++q) {
    for (const auto& hit : result[q]) text += std::to_string(hit.id) + ':' + std::to_string(hit.distance) + ' ';
    text += '\n';
  }
  return text;
}

/// Calls `change(value)` on new values of `make()` until no allocation of it fails any more, each time with the next
/// one failing (or the `step`th after the last that did), and compares what `look(value)` says. Returns after how many
/// allocations the last one failed.
template <class Make, class Change, class Look>
std::size_t fail_each_allocation(const char* name, Make&& make, Change&& change, Look&& look, std::size_t step = 1) {
  auto changed = make();
  const auto before = look(changed);
  change(changed);
  const auto after = look(changed);
  for (std::size_t others = 0;; others += step) {
    auto value = make();
    bool threw = false;
    fail_allocation_after(others);
    try {
      change(value);
    } catch (const std::bad_alloc&) {
      threw = true;
    }
    if (!end_failures()) return others;
    INFO(name << ", after " << others << " allocations");
    REQUIRE(look(value) == (threw ? before : after));
    if (threw) change(value);
    REQUIRE(look(value) == after);
  }
}

}  // namespace support
