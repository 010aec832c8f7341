// Binary codes in interleaved blocks with their bit planes kept beside them: twice the memory, for many queries.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/block_run.hpp>
#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/grow.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/shared_value.hpp>
#include <embit/core/types.hpp>
#include <embit/fwd.hpp>
#include <embit/kernel/hamming_scan.hpp>
#include <embit/store/block_store.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// A block_store that also keeps the bit planes which batches of queries are compared through. Without them they are
/// made on the fly for each batch, which pays from some tens of queries on; with them, from about five.
/// `flat_index{plane_store{codes}}` searches it. Files hold the blocks only.
template <std::size_t Bits>
class plane_store {
 public:
  using code_type = code_span<Bits>;

  /// As block_store.
  explicit plane_store(std::size_t bits) : blocks_(bits) {}
  explicit plane_store(code_view<> codes) : blocks_(codes) { make_planes(); }
  template <CodeStore Store>
  plane_store(const Store& source, std::span<const row_id> rows) : blocks_(source, rows) {
    make_planes();
  }
  /// Takes over blocks that are there already.
  explicit plane_store(block_store<Bits> blocks) : blocks_(std::move(blocks)) { make_planes(); }

  plane_store(const plane_store&) = default;
  plane_store(plane_store&&) = default;
  /// Nothing has changed when it throws.
  plane_store& operator=(const plane_store& other) { return *this = plane_store(other); }
  plane_store& operator=(plane_store&&) = default;
  ~plane_store() = default;

  std::size_t size() const noexcept { return blocks_.size(); }
  std::size_t bits() const noexcept { return blocks_.bits(); }
  std::size_t words() const noexcept { return blocks_.words(); }
  encoder_fingerprint fingerprint() const noexcept { return blocks_.fingerprint(); }
  void copy_row(std::size_t row, std::span<word> out) const noexcept { blocks_.copy_row(row, out); }
  std::size_t blocks() const noexcept { return blocks_.blocks(); }
  const word* block(std::size_t i) const& noexcept { return blocks_.block(i); }
  const word* block(std::size_t) const&& = delete;

  std::size_t runs() const noexcept { return blocks_.runs(); }
  block_run run(std::size_t i) const& noexcept {
    block_run run = blocks_.run(i);
    run.planes = planes_[i]->empty() ? nullptr : planes_[i]->data();
    return run;
  }
  block_run run(std::size_t) const&& = delete;

  /// As block_store.
  row_id append(code_view<> codes) {
    if (codes.bits() != bits()) return blocks_.append(codes);  // which says what is wrong
    const std::size_t changed = first_changed();
    reserve(changed, codes.size());
    const row_id first = blocks_.append(codes);
    update(changed);
    return first;
  }

  /// Bytes allocated for codes and planes.
  std::size_t memory() const noexcept {
    std::size_t planes = 0;
    for (const auto& p : planes_) planes += p->capacity();
    return blocks_.memory() + planes * sizeof(word);
  }

 private:
  void make_planes() {
    reserve(0, 0);
    update(0);
  }

  // The run that appended rows begin in; those before it have their planes.
  std::size_t first_changed() const noexcept { return blocks_.runs() == 0 ? 0 : blocks_.runs() - 1; }

  // Makes sure that `update` cannot fail once `count` more rows have been appended.
  void reserve(std::size_t first, std::size_t count) {
    blocks_.reserve(count);
    const std::size_t rows = size() + count, runs = blocks_.runs_of(rows);
    reserve_more(planes_, runs - (std::min)(runs, planes_.size()));
    while (planes_.size() < runs) planes_.emplace_back(aligned_vector<word>());
    for (std::size_t i = first; i < runs; ++i) {
      const std::size_t whole = hamming_batch::plane_words(blocks_.run_of(i, rows));
      if (whole <= planes_[i]->size()) continue;
      hamming_batch::build_planes({}, nullptr);  // throws here where it would for the run
      reserve_more(planes_[i].own(), whole - planes_[i]->size());
    }
  }

  // Makes the planes of superblocks that have become whole since the last time.
  void update(std::size_t first) {
    for (std::size_t i = first; i < blocks_.runs(); ++i) {
      const block_run run = blocks_.run(i);
      const std::size_t done = planes_[i]->size(), whole = hamming_batch::plane_words(run);
      if (whole == done) continue;
      aligned_vector<word>& planes = planes_[i].owned();
      planes.resize(whole);
      const block_run fresh{
          .data = run.data + done, .words = run.words, .first_row = 0, .rows = (whole - done) / run.words};
      hamming_batch::build_planes(fresh, planes.data() + done);
    }
  }

  block_store<Bits> blocks_;
  std::vector<shared_value<aligned_vector<word>>> planes_;  // one a run, and some that are empty
};

static_assert(BlockStore<plane_store<>>);

template <std::size_t Bits>
plane_store(code_view<Bits>) -> plane_store<Bits>;
template <std::size_t Bits>
plane_store(block_store<Bits>) -> plane_store<Bits>;

}  // namespace embit::inline EMBIT_ABI
