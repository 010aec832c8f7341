// Scans of nested codes by the bits of their first steps.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/block_run.hpp>
#include <embit/codes/code_view.hpp>
#include <embit/codes/prefix_steps.hpp>
#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/kernel/hamming_scan.hpp>
#include <embit/search/rows.hpp>
#include <embit/store/prefix_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace embit::inline EMBIT_ABI::detail {

/// A store of nested codes: owned or mapped segments, one a step.
template <class Store>
concept NestedCodes = CodeStore<Store> && requires(const Store& store, std::size_t i) {
  { store.steps() } -> std::convertible_to<const prefix_steps&>;
  { store.segment(i).block(i) } -> std::convertible_to<const word*>;
  { store.segment(i).run(i) } -> std::convertible_to<block_run>;
};

/// Adjacent rows of nested codes, of which the first `steps` are looked at.
template <class Store>
struct prefix_run {
  const Store* store;
  std::size_t steps;
  std::size_t first_row;
  std::size_t rows;
};

template <class Store>
prefix_run<Store> part_of(const prefix_run<Store>& run, std::size_t first, std::size_t last) noexcept {
  return {run.store, run.steps, run.first_row + first, last - first};
}

/// Nested codes as codes of the width of their first steps: a store to scans. It views the codes.
template <NestedCodes Store>
class prefix_rows {
 public:
  using code_type = code_span<>;

  prefix_rows(const Store& store, std::size_t steps) noexcept : store_(&store), steps_(steps) {}

  std::size_t size() const noexcept { return store_->size(); }
  std::size_t bits() const noexcept { return steps_ == 0 ? 0 : store_->steps().widths()[steps_ - 1]; }
  void copy_row(std::size_t row, std::span<word> out) const noexcept { copy_prefix(*store_, steps_, row, out); }
  std::size_t runs() const noexcept { return size() == 0 ? 0 : 1; }
  prefix_run<Store> run(std::size_t) const noexcept { return {store_, steps_, 0, size()}; }

 private:
  const Store* store_;
  std::size_t steps_;
};

/// Queries to the first steps of nested codes. One step is scanned where it lies. Of several the words are laid side by
/// side, a superblock at a time, in the first-level cache; zeros that fill the words of a step stand in queries, too.
template <class Store>
class prefix_batch {
 public:
  using run_type = prefix_run<Store>;

  class scratch {
    friend class prefix_batch;
    hamming_batch::scratch scan_;
    aligned_vector<word> tile_;
  };

  /// @param queries  of the width of `steps` steps
  void assign(code_view<> queries, const prefix_steps& steps, std::size_t count, std::size_t rows) {
    words_ = steps.words_before(count);
    cut_.resize(queries.size() * words_);
    for (std::size_t q = 0; q < queries.size(); ++q)
      for (std::size_t step = 0; step < count; ++step)
        steps.cut(queries[q], step, cut_.data() + q * words_ + steps.words_before(step));
    batch_.assign({cut_.data(), queries.size(), count == 1 ? steps.widths()[0] : words_ * word_bits}, rows);
  }

  /// As `scan` of a `hamming_batch`.
  template <class Sink>
  void scan(const run_type& run, scratch& s, Sink& sink) const {
    const std::size_t last = run.first_row + run.rows;
    if (run.steps == 1)
      for_each_run(run.store->segment(0), run.first_row, last, nullptr,
                   [&](const block_run& piece) { batch_.scan(piece, s.scan_, sink); });
    else
      for (std::size_t first = run.first_row; first < last; first += superblock_rows)
        batch_.scan(side_by_side(run, first, (std::min)(first + superblock_rows, last), s), s.scan_, sink);
  }

 private:
  block_run side_by_side(const run_type& run, std::size_t first, std::size_t last, scratch& s) const {
    const std::size_t blocks = (last - first + block_rows - 1) / block_rows;
    s.tile_.resize(superblock_rows * words_);
    const prefix_steps& steps = run.store->steps();
    for (std::size_t step = 0; step < run.steps; ++step) {
      const std::size_t count = steps.words(step) * block_rows;
      const word* from = run.store->segment(step).block(first / block_rows);
      word* to = s.tile_.data() + steps.words_before(step) * block_rows;
      for (std::size_t b = 0; b < blocks; ++b, from += count, to += words_ * block_rows) std::copy_n(from, count, to);
    }
    return {.data = s.tile_.data(), .words = words_, .first_row = static_cast<row_id>(first), .rows = last - first};
  }

  hamming_batch batch_;
  aligned_vector<word> cut_;  // the queries, step by step
  std::size_t words_ = 0;
};

/// Hamming distance by the bits of the first steps of nested codes.
template <NestedCodes Store>
struct prefix_hamming : hamming {
  using batch = prefix_batch<Store>;

  const prefix_steps* steps = nullptr;
  std::size_t count = 0;  ///< of the steps

  prefix_hamming(const Store& store, std::size_t first_steps) noexcept : steps(&store.steps()), count(first_steps) {}
  void prepare_batch(code_view<> queries, std::size_t rows, batch& into) const {
    into.assign(queries, *steps, count, rows);
  }
};

}  // namespace embit::inline EMBIT_ABI::detail
