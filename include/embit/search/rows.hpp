// Reading any store the same way: how wide it is, one row at a time, or run by run.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/block_run.hpp>
#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/ragged_view.hpp>
#include <embit/core/types.hpp>
#include <embit/search/row_bitset.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Rows that all have as many bits, or numbers.
template <class Rows>
concept RowsOfWidth = requires(const Rows& rows) {
  rows.bits();
}
|| requires(const Rows& rows) { rows.cols(); };

/// Bits of the codes, or numbers of the float rows, of a store or a batch of queries.
template <RowsOfWidth Rows>
std::size_t width_of(const Rows& rows) {
  if constexpr (requires { rows.bits(); })
    return rows.bits();
  else
    return rows.cols();
}

/// Refuses NaN and infinity in rows of floats and in sets of them. Codes have none; stores that saw to it when they
/// were filled, and mapped files, which are not to be read, offer nothing to look at.
/// @throws error errc::not_finite naming `what` and the row.
template <class Rows>
void require_finite_rows([[maybe_unused]] const Rows& rows, [[maybe_unused]] std::string_view what = "rows") {
  if constexpr (std::convertible_to<const Rows&, matrix_view<const float>>)
    require_finite(static_cast<matrix_view<const float>>(rows), what);
  else if constexpr (requires { rows.require_finite(what); })
    rows.require_finite(what);
  else if constexpr (requires { require_finite(rows, what); })
    require_finite(rows, what);
  else if constexpr (requires { std::span<const float>(rows[std::size_t{}]); })
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (const std::span<const float> row(rows[i]); !all_finite(row.data(), row.size()))
        raise(errc::not_finite, what, ": row ", i, " has a number that is not finite");
}

/// A row as a store shows it, or as a copy of it is scored.
template <class Store>
struct row_code {
  using type = typename Store::code_type;
};
template <class Store>
  requires requires(const Store& store, std::size_t row) { store[row]; }
struct row_code<Store> {
  using type = std::remove_cvref_t<decltype(std::declval<const Store&>()[std::size_t{}])>;
};
template <class Store>
using row_code_t = typename row_code<Store>::type;

/// Up to `Capacity` rows of a store at hand: in place where the store can show them, else copied.
template <class Store, std::size_t Capacity>
class row_tile {
 public:
  using code_type = row_code_t<Store>;

  explicit row_tile(const Store& store) : store_(store) {
    if constexpr (!in_place) codes_.resize(Capacity * words_for(store.bits()));
  }

  std::size_t size() const noexcept { return size_; }
  void clear() noexcept { size_ = 0; }

  void add(std::size_t row) {
    EMBIT_ASSERT(size_ < Capacity);
    if constexpr (!in_place) store_.copy_row(row, copied(size_));
    ids_[size_++] = static_cast<row_id>(row);
  }

  row_id id(std::size_t i) const noexcept { return ids_[i]; }
  code_type operator[](std::size_t i) noexcept {
    if constexpr (in_place)
      return store_[ids_[i]];
    else
      return code_type{copied(i)};
  }

 private:
  static constexpr bool in_place = requires(const Store& store, std::size_t row) { store[row]; };

  std::span<word> copied(std::size_t i) noexcept {
    const std::size_t words = words_for(store_.bits());
    return {codes_.data() + i * words, words};
  }

  const Store& store_;
  std::size_t size_ = 0;
  std::array<row_id, Capacity> ids_;
  std::vector<word> codes_;
};

/// Whether a store is scanned in the order of its rows. A store that groups rows otherwise says so.
template <class Store>
inline constexpr bool in_row_order = [] {
  if constexpr (requires { Store::in_row_order; })
    return Store::in_row_order;
  else
    return true;
}();

/// The rows [first, last) of a run, counted within the run; `first` is a multiple of a superblock.
inline block_run part_of(const block_run& run, std::size_t first, std::size_t last) noexcept {
  const std::size_t offset = first * run.words;
  return {.data = run.data + offset,
          .words = run.words,
          .first_row = static_cast<row_id>(run.first_row + first),
          .rows = last - first,
          .planes = run.planes == nullptr ? nullptr : run.planes + offset};
}

inline level_run part_of(const level_run& run, std::size_t first, std::size_t last) noexcept {
  return run.part(first, last);
}

/// A store of interleaved blocks that tells its runs: those of `block_run` or of `level_run`.
template <class Store>
concept RunStore = CodeStore<Store> && requires(const Store& store, std::size_t i) {
  { store.runs() } -> std::convertible_to<std::size_t>;
  store.run(i).first_row;
  store.run(i).rows;
  part_of(store.run(i), i, i);
};

/// Calls `f(run)` for the runs of rows [first, last), cut where a superblock has no member (all are members where
/// `members` is null). `first` is a multiple of a superblock. Returns the number of rows in those runs.
template <RunStore Store, class F>
std::size_t for_each_run(const Store& store, std::size_t first, std::size_t last, const row_bitset* members, F&& f) {
  std::size_t rows = 0;
  const auto pass_on = [&](const auto& run, std::size_t from, std::size_t to) {
    if (from == to) return;
    f(part_of(run, from, to));
    rows += to - from;
  };
  for (std::size_t i = 0; i < store.runs(); ++i) {
    const auto run = store.run(i);
    const std::size_t run_first = run.first_row, run_last = run_first + run.rows;
    if (run_last <= first || run_first >= last) continue;
    const std::size_t from = (std::max)(first, run_first) - run_first, to = (std::min)(last, run_last) - run_first;
    if (members == nullptr) {
      pass_on(run, from, to);
      continue;
    }
    std::size_t open = from;  // start of the piece that is being extended
    for (std::size_t at = from; at < to; at += superblock_rows) {
      const std::size_t end = (std::min)(at + superblock_rows, to);
      if (members->any(run_first + at, run_first + end)) continue;
      pass_on(run, open, at);
      open = end;
    }
    pass_on(run, open, to);
  }
  return rows;
}

}  // namespace embit::inline EMBIT_ABI::detail
