// Binary codes in interleaved blocks: the layout that is scanned, mapped and written.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/block_run.hpp>
#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/grow.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/shared_array.hpp>
#include <embit/core/types.hpp>
#include <embit/fwd.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/store/block_layout.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Owned binary codes in interleaved blocks (see `block_run`), in chunks that do not move once they are full: the first
/// holds the whole superblocks that the store was built from, later ones 4096 rows each. A copy shares the chunks; the
/// last one, where it is not full, is copied when either side appends to it. Not safe to append to while others read
/// the same object; copies are independent.
template <std::size_t Bits>
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
  explicit block_store(code_view<> codes) : block_store(codes.bits()) {
    fingerprint_ = codes.fingerprint();
    append(codes);
  }

  /// The given rows of any store of codes, in the given order.
  template <CodeStore Store>
  block_store(const Store& source, std::span<const row_id> rows) : block_store(source.bits()) {
    fingerprint_ = detail::known_fingerprint(source);
    reserve(rows.size());
    std::vector<word> code(words());
    for (const row_id row : rows) {
      source.copy_row(row, code);
      put(size_++, code.data());
    }
  }

  std::size_t size() const noexcept { return size_; }
  std::size_t bits() const noexcept { return Bits == dynamic ? bits_ : Bits; }
  std::size_t words() const noexcept { return words_for(bits()); }
  /// Of the encoder that made the codes; 0: not known.
  encoder_fingerprint fingerprint() const noexcept { return fingerprint_; }

  /// Copies a row into `out`, which has `words()` words.
  void copy_row(std::size_t row, std::span<word> out) const noexcept {
    EMBIT_ASSERT(row < size_ && out.size() >= words());
    const place at = locate(row);
    detail::copy_lane(chunks_[at.chunk].data(), words(), at.row, out);
  }

  std::size_t blocks() const noexcept { return (size_ + block_rows - 1) / block_rows; }

  /// The words of block `i`: rows 8 i to 8 i + 7.
  const word* block(std::size_t i) const& noexcept {
    const place at = locate(i * block_rows);
    return chunks_[at.chunk].data() + at.row * words();
  }
  const word* block(std::size_t) const&& = delete;

  /// Pieces of adjacent memory, in row order.
  std::size_t runs() const noexcept { return runs_of(size_); }
  block_run run(std::size_t i) const& noexcept { return run_of(i, size_); }
  block_run run(std::size_t) const&& = delete;

  /// Makes sure that `count` more rows can be appended without allocation. Amortized O(count · words); where a copy
  /// shares the last chunk, O(words) of it are copied.
  void reserve(std::size_t count) {
    if (count == 0) return;
    if (words() == 0) raise(errc::shape, "reserve: a store of no width");
    const std::size_t wanted = size_ + count;
    if (chunks_.empty() && count >= superblock_rows) start_with(count / superblock_rows * superblock_rows);
    for (std::size_t i = locate(size_).chunk; i < chunks_.size(); ++i) chunks_[i].own();
    while (capacity() < wanted) {
      if (last_can_grow())
        grow_last(wanted);
      else
        add_chunk(wanted);
    }
  }

  /// Appends codes; returns the row of the first. Amortized O(size · words).
  /// @throws error errc::shape for another width, errc::argument for bits set beyond the width, codes of another
  /// encoder or too many rows; the store is unchanged then.
  row_id append(code_view<> codes) {
    if (codes.empty()) return static_cast<row_id>(size_);
    if (codes.bits() != bits()) raise(errc::shape, "codes: ", codes.bits(), " bits, the store holds codes of ", bits());
    require_clean_tails(codes, "codes");
    const encoder_fingerprint joined = detail::joined_fingerprint(codes.fingerprint(), fingerprint_, size_);
    detail::require_row_count(size_ + codes.size());
    const std::size_t first = size_;
    reserve(codes.size());
    for (std::size_t i = 0; i < codes.size(); ++i) put(first + i, codes[i].data());
    size_ = first + codes.size();
    fingerprint_ = joined;
    return static_cast<row_id>(first);
  }

  /// Appends `count` codes of zeros, to be overwritten. Amortized O(count · words).
  void append_zeros(std::size_t count) {
    detail::require_row_count(size_ + count);
    reserve(count);
    size_ += count;
  }

  /// Gives a row another code, of `words()` words without bits beyond the width. Where a copy shares the chunk of the
  /// row, that is copied first; nothing has changed when this throws.
  void overwrite(std::size_t row, std::span<const word> code) {
    EMBIT_ASSERT(row < size_ && code.size() == words() && (code.back() & ~tail_mask(bits())) == 0);
    chunks_[locate(row).chunk].own();
    put(row, code.data());
  }

  static constexpr file_kind file = detail::codes_file;
  file_kind saved_as() const noexcept { return detail::codes_file_of(fingerprint_); }

  /// The sections of the file that `save` writes.
  void write_to(const section_writer& out) const {
    detail::write_shape(out, {bits(), size_, fingerprint_});
    out.add_stream(detail::blocks_section, [this](section_sink& sink) {
      for (std::size_t i = 0; i < runs(); ++i)
        sink.write(std::span<const word>(run(i).data, run(i).blocks() * block_rows * words()));
    });
  }

  /// The codes that `load` reads. Of a mapped file they stay there, but for those behind the last whole superblock.
  /// @throws error errc::format, errc::checksum or errc::io; errc::shape for another width than the static one.
  static block_store read_from(const section_reader& in) {
    const detail::code_shape shape = detail::read_shape(in);
    if constexpr (Bits == dynamic)
      if (shape.bits == 0) return block_store();
    block_store store(shape.bits);
    store.fingerprint_ = shape.fingerprint;
    if (shape.rows == 0) return store;
    const std::size_t words = store.words(), first = shape.rows / superblock_rows * superblock_rows;
    chunk blocks = in.shared<word>(detail::blocks_section, shape.block_words());
    if (!in.maps()) detail::require_clean_blocks(blocks.data(), shape, in.path());
    if (first != shape.rows) {
      chunk rest = store.zeros(superblock_rows);
      std::copy(blocks.begin() + first * words, blocks.end(), rest.owned().begin());
      store.chunks_.push_back(std::move(rest));
    }
    if (first != 0) {
      blocks.shorten(first * words);
      store.chunks_.insert(store.chunks_.begin(), std::move(blocks));
      store.first_rows_ = first;
    }
    store.size_ = shape.rows;
    return store;
  }

  /// Bytes allocated for codes.
  std::size_t memory() const noexcept {
    std::size_t bytes = 0;
    for (const chunk& c : chunks_) bytes += c.memory();
    return bytes;
  }

 private:
  using chunk = detail::shared_array<word>;
  static constexpr std::size_t chunk_rows = 8 * superblock_rows;
  template <std::size_t>
  friend class plane_store;

  struct place {
    std::size_t chunk;
    std::size_t row;  // in the chunk
  };

  place locate(std::size_t row) const noexcept {
    if (row < first_rows_) return {0, row};
    return {later_from() + (row - first_rows_) / chunk_rows, (row - first_rows_) % chunk_rows};
  }
  std::size_t later_from() const noexcept { return first_rows_ != 0 ? 1 : 0; }
  // Of a chunk, or where that after the last would begin.
  std::size_t first_row(std::size_t i) const noexcept {
    return i < later_from() ? 0 : first_rows_ + (i - later_from()) * chunk_rows;
  }

  // Runs as they are with so many rows.
  std::size_t runs_of(std::size_t rows) const noexcept { return rows == 0 ? 0 : locate(rows - 1).chunk + 1; }
  block_run run_of(std::size_t i, std::size_t rows) const noexcept {
    const std::size_t first = first_row(i);
    return {.data = chunks_[i].data(),
            .words = words(),
            .first_row = static_cast<row_id>(first),
            .rows = (std::min)(first_row(i + 1), rows) - first};
  }

  std::size_t rows_of(const chunk& c) const noexcept { return c.size() / words(); }
  std::size_t capacity() const noexcept {
    return chunks_.empty() ? 0 : first_row(chunks_.size() - 1) + rows_of(chunks_.back());
  }

  chunk zeros(std::size_t rows) const { return chunk(aligned_vector<word>(rows * words(), word{0})); }

  // Allocation happens in these, before anything visible changes. Chunks that will be written to must not be shared
  // with a copy of this store.
  void start_with(std::size_t rows) {
    chunks_.push_back(zeros(rows));
    first_rows_ = rows;
  }
  bool last_can_grow() const noexcept { return chunks_.size() > later_from() && rows_of(chunks_.back()) < chunk_rows; }
  // So many rows, in whole superblocks, that are `first` to `wanted`, if a chunk has room for them.
  static std::size_t rounded(std::size_t first, std::size_t wanted) noexcept {
    return (std::min)(chunk_rows, (wanted - first + superblock_rows - 1) / superblock_rows * superblock_rows);
  }
  void grow_last(std::size_t wanted) {
    const std::size_t first = first_row(chunks_.size() - 1), rows = rows_of(chunks_.back());
    const std::size_t grown = (std::max)(rounded(first, wanted), (std::min)(chunk_rows, 2 * rows));
    chunk larger = zeros(grown);
    std::copy(chunks_.back().begin(), chunks_.back().end(), larger.owned().begin());
    chunks_.back() = std::move(larger);
  }
  // Only a store of few rows has a chunk smaller than others.
  void add_chunk(std::size_t wanted) {
    const std::size_t rows = chunks_.size() > later_from() ? chunk_rows : rounded(first_row(chunks_.size()), wanted);
    reserve_more(chunks_, 1);
    chunks_.push_back(zeros(rows));
  }

  void put(std::size_t row, const word* code) noexcept {
    const place at = locate(row);
    detail::write_lane(chunks_[at.chunk].owned().data(), words(), at.row, code);
  }

  std::vector<chunk> chunks_;
  detail::moved_value<> first_rows_;  // in the first chunk where that is one of whole superblocks
  detail::moved_value<> size_;
  std::size_t bits_ = Bits == dynamic ? 0 : Bits;
  encoder_fingerprint fingerprint_ = 0;
};

static_assert(BlockStore<block_store<>> && BlockStore<block_store<256>>);

template <std::size_t Bits>
block_store(code_view<Bits>) -> block_store<Bits>;

}  // namespace embit::inline EMBIT_ABI
