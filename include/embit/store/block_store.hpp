// Binary codes in interleaved blocks: the layout that is scanned, mapped and written.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/bits/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/types.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/kernel/block_run.hpp>
#include <embit/store/block_layout.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Owned binary codes in interleaved blocks (see `block_run`), in chunks that never move: the first holds what the
/// store was built from, later ones 4096 rows each. A copy shares the chunks; the last one is copied when either
/// side appends to it. Not safe to append to while others read the same object; copies are independent.
template <std::size_t Bits = dynamic>
class block_store {
 public:
  using code_type = code_span<Bits>;

  /// No codes; of width 0 where the width is dynamic.
  block_store() = default;

  /// An empty store of `bits`-bit codes.
  /// @throws error errc::shape when `bits` is 0 or not the static width.
  explicit block_store(std::size_t bits) : bits_(bits) {
    if (bits == 0) raise(errc::shape, "block_store: bits is 0");
    if (Bits != dynamic && bits != Bits) raise(errc::shape, "block_store: ", bits, " bits where ", Bits, " are fixed");
  }

  /// The codes of `codes`, in order. O(size · words).
  /// @throws error errc::argument for bits set beyond the width.
  explicit block_store(code_view<> codes) : block_store(codes.bits()) { append(codes); }

  /// The given rows of any store of codes, in the given order.
  template <CodeStore Store>
  block_store(const Store& source, std::span<const row_id> rows) : block_store(source.bits()) {
    grow(rows.size());
    std::vector<word> code(words());
    for (const row_id row : rows) {
      source.copy_row(row, code);
      put(size_++, code.data());
    }
  }

  std::size_t size() const noexcept { return size_; }
  std::size_t bits() const noexcept { return Bits == dynamic ? bits_ : Bits; }
  std::size_t words() const noexcept { return words_for(bits()); }

  /// Copies a row into `out`, which has `words()` words.
  void copy_row(std::size_t row, std::span<word> out) const noexcept {
    EMBIT_ASSERT(row < size_ && out.size() >= words());
    const place at = locate(row);
    detail::copy_lane(chunks_[at.chunk]->data(), words(), at.row, out);
  }

  std::size_t blocks() const noexcept { return (size_ + block_rows - 1) / block_rows; }

  /// The words of block `i`: rows 8 i to 8 i + 7.
  const word* block(std::size_t i) const& noexcept {
    const place at = locate(i * block_rows);
    return chunks_[at.chunk]->data() + at.row * words();
  }
  const word* block(std::size_t) const&& = delete;

  /// Pieces of adjacent memory, in row order.
  std::size_t runs() const noexcept { return size_ == 0 ? 0 : locate(size_ - 1).chunk + 1; }
  block_run run(std::size_t i) const& noexcept {
    const std::size_t first = i == 0 ? 0 : first_capacity_ + (i - 1) * chunk_rows;
    const std::size_t capacity = i == 0 ? std::size_t{first_capacity_} : chunk_rows;
    return {.data = chunks_[i]->data(),
            .words = words(),
            .first_row = static_cast<row_id>(first),
            .rows = std::min(capacity, size_ - first)};
  }
  block_run run(std::size_t) const&& = delete;

  /// Appends codes; returns the row of the first. Amortized O(size · words).
  /// @throws error errc::shape for another width, errc::argument for bits set beyond the width or too many rows;
  /// the store is unchanged then.
  row_id append(code_view<> codes) {
    if (codes.empty()) return static_cast<row_id>(size_);
    if (codes.bits() != bits()) raise(errc::shape, "codes: ", codes.bits(), " bits, the store holds codes of ", bits());
    require_clean_tails(codes, "codes");
    detail::require_row_count(size_ + codes.size());
    const std::size_t first = size_;
    grow(codes.size());
    for (std::size_t i = 0; i < codes.size(); ++i) put(first + i, codes[i].data());
    size_ = first + codes.size();
    return static_cast<row_id>(first);
  }

  static constexpr file_kind file = detail::codes_file;

  /// The sections of the file that `save` writes.
  void write_to(const section_writer& out) const {
    detail::write_shape(out, {bits(), size_});
    out.add_stream(detail::blocks_section, [this](section_sink& sink) {
      for (std::size_t i = 0; i < runs(); ++i)
        sink.write(std::span<const word>(run(i).data, run(i).blocks() * block_rows * words()));
    });
  }

  /// The codes that `load` reads.
  /// @throws error errc::format, errc::checksum or errc::io; errc::shape for another width than the static one.
  static block_store read_from(const section_reader& in) {
    const detail::code_shape shape = detail::read_shape(in);
    if constexpr (Bits == dynamic)
      if (shape.bits == 0) return block_store();
    block_store store(shape.bits);
    if (shape.rows != 0) {
      // Not by `grow`: to write zeros first would take as long as reading.
      store.first_capacity_ = (shape.rows + superblock_rows - 1) / superblock_rows * superblock_rows;
      store.chunks_.push_back(std::make_shared<chunk>(store.first_capacity_ * store.words()));
      word* blocks = store.chunks_[0]->data();
      in.read(detail::blocks_section, std::span<word>(blocks, shape.block_words()));
      std::fill(blocks + shape.block_words(), blocks + store.chunks_[0]->size(), word{0});
      detail::require_clean_blocks(blocks, shape, in.path());
    }
    store.size_ = shape.rows;
    return store;
  }

  /// Bytes allocated for codes.
  std::size_t memory() const noexcept {
    std::size_t words = 0;
    for (const auto& c : chunks_) words += c->size();
    return words * sizeof(word);
  }

 private:
  using chunk = aligned_vector<word>;
  static constexpr std::size_t chunk_rows = 8 * superblock_rows;

  struct place {
    std::size_t chunk;
    std::size_t row;  // in the chunk
  };

  place locate(std::size_t row) const noexcept {
    if (row < first_capacity_) return {0, row};
    return {1 + (row - first_capacity_) / chunk_rows, (row - first_capacity_) % chunk_rows};
  }

  std::size_t capacity() const noexcept {
    return chunks_.empty() ? 0 : first_capacity_ + (chunks_.size() - 1) * chunk_rows;
  }

  // Makes room for `count` more rows. All allocation happens here, before anything visible changes.
  void grow(std::size_t count) {
    if (size_ % superblock_rows != 0 || capacity() > size_) own_last_chunks();
    if (chunks_.empty()) {
      const std::size_t rows = (count + superblock_rows - 1) / superblock_rows * superblock_rows;
      chunks_.push_back(std::make_shared<chunk>(rows * words(), word{0}));
      first_capacity_ = rows;
    }
    while (capacity() < size_ + count) chunks_.push_back(std::make_shared<chunk>(chunk_rows * words(), word{0}));
  }

  // Chunks that will be written to must not be shared with a copy of this store.
  void own_last_chunks() {
    for (std::size_t i = size_ == 0 ? 0 : locate(size_ - 1).chunk; i < chunks_.size(); ++i)
      if (chunks_[i].use_count() != 1) chunks_[i] = std::make_shared<chunk>(*chunks_[i]);
  }

  void put(std::size_t row, const word* code) noexcept {
    const place at = locate(row);
    detail::write_lane(chunks_[at.chunk]->data(), words(), at.row, code);
  }

  std::vector<std::shared_ptr<chunk>> chunks_;
  detail::moved_value<> first_capacity_;
  detail::moved_value<> size_;
  std::size_t bits_ = Bits == dynamic ? 0 : Bits;
};

static_assert(BlockStore<block_store<>> && BlockStore<block_store<256>>);

template <std::size_t Bits>
block_store(code_view<Bits>) -> block_store<Bits>;

}  // namespace embit::inline EMBIT_ABI
