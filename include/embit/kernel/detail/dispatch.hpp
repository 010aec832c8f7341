// Which functions serve an operation at each SIMD level: one table an operation, all of one form.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/isa.hpp>

#include <array>
#include <cstddef>

namespace embit::inline EMBIT_ABI::detail {

/// The functions of an operation for every level. `Ops` is a struct of plain functions and what goes with them, and has
/// `operation`, a name. A level that has no functions of its own is served by those of the best level that it includes,
/// which is what `served_by` says; embit/kernel/operations.hpp lists all tables.
template <class Ops>
class dispatch_table {
 public:
  /// Serves every level by the portable functions.
  constexpr explicit dispatch_table(const Ops& portable) {
    for (entry& each : entries_) each = {isa::portable, portable};
  }

  /// Serves `level`, and those above it without functions of their own, by `ops`.
  constexpr void add(isa level, const Ops& ops) {
    for (const isa at : all_isas)
      if (includes(at, level) && includes(level, entries_[index(at)].written_for)) entries_[index(at)] = {level, ops};
  }

  constexpr const Ops& at(isa level) const noexcept { return entries_[index(level)].ops; }

  /// The level that the functions of `level` were written for.
  constexpr isa served_by(isa level) const noexcept { return entries_[index(level)].written_for; }

 private:
  struct entry {
    isa written_for;
    Ops ops;
  };

  static constexpr std::size_t index(isa level) noexcept { return static_cast<std::size_t>(level); }

  std::array<entry, all_isas.size()> entries_{};
};

/// The table of an operation. Every operation specializes it, once a program where kernels are compiled once.
template <class Ops>
const dispatch_table<Ops>& table_of() noexcept;

/// The functions of an operation at a level, which this machine must support to call them.
template <class Ops>
const Ops& ops_at(isa level) noexcept {
  return table_of<Ops>().at(level);
}

}  // namespace embit::inline EMBIT_ABI::detail
