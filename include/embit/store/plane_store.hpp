// Binary codes in interleaved blocks with their bit planes kept beside them: twice the memory, for many queries.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/bits/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/block_run.hpp>
#include <embit/kernel/hamming_scan.hpp>
#include <embit/store/block_store.hpp>

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// A block_store that also keeps the bit planes which batches of queries are compared through. Without them they are
/// made on the fly for each batch, which pays from some tens of queries on; with them, from about five.
/// `flat_index{plane_store{codes}}` searches it. Files hold the blocks only.
template <std::size_t Bits = dynamic>
class plane_store {
 public:
  using code_type = code_span<Bits>;

  /// As block_store.
  explicit plane_store(std::size_t bits) : blocks_(bits) {}
  explicit plane_store(code_view<> codes) : blocks_(codes) { update(); }
  template <CodeStore Store>
  plane_store(const Store& source, std::span<const row_id> rows) : blocks_(source, rows) {
    update();
  }
  /// Takes over blocks that are there already.
  explicit plane_store(block_store<Bits> blocks) : blocks_(std::move(blocks)) { update(); }

  std::size_t size() const noexcept { return blocks_.size(); }
  std::size_t bits() const noexcept { return blocks_.bits(); }
  std::size_t words() const noexcept { return blocks_.words(); }
  void copy_row(std::size_t row, std::span<word> out) const noexcept { blocks_.copy_row(row, out); }
  std::size_t blocks() const noexcept { return blocks_.blocks(); }
  const word* block(std::size_t i) const& noexcept { return blocks_.block(i); }
  const word* block(std::size_t) const&& = delete;

  std::size_t runs() const noexcept { return blocks_.runs(); }
  block_run run(std::size_t i) const& noexcept {
    block_run run = blocks_.run(i);
    run.planes = planes_[i].empty() ? nullptr : planes_[i].data();
    return run;
  }
  block_run run(std::size_t) const&& = delete;

  /// As block_store.
  row_id append(code_view<> codes) {
    const row_id first = blocks_.append(codes);
    update();
    return first;
  }

  /// Bytes allocated for codes and planes.
  std::size_t memory() const noexcept {
    std::size_t planes = 0;
    for (const auto& p : planes_) planes += p.capacity();
    return blocks_.memory() + planes * sizeof(word);
  }

 private:
  // Makes the planes of superblocks that have become whole since the last time.
  void update() {
    planes_.resize(blocks_.runs());
    for (std::size_t i = 0; i < planes_.size(); ++i) {
      const block_run run = blocks_.run(i);
      const std::size_t done = planes_[i].size(), whole = hamming_batch::plane_words(run);
      if (whole == done) continue;
      planes_[i].resize(whole);
      const block_run fresh{
          .data = run.data + done, .words = run.words, .first_row = 0, .rows = (whole - done) / run.words};
      hamming_batch::build_planes(fresh, planes_[i].data() + done);
    }
  }

  block_store<Bits> blocks_;
  std::vector<aligned_vector<word>> planes_;  // one a run
};

static_assert(BlockStore<plane_store<>>);

template <std::size_t Bits>
plane_store(code_view<Bits>) -> plane_store<Bits>;
template <std::size_t Bits>
plane_store(block_store<Bits>) -> plane_store<Bits>;

}  // namespace embit::inline EMBIT_ABI
