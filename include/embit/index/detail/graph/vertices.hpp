// The vertices of a graph: of each row its numbers, its edges, and the codes of the rows these lead to, side by side.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/half.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/shared_value.hpp>
#include <embit/core/types.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Edges of a vertex, at most: as many as a block of codes has rows.
inline constexpr std::size_t most_edges = level_block_rows;

/// Where a vertex has what: the numbers of its row, one block of codes, a column of offsets and one of scales, the rows
/// that its edges lead to (`no_edge` beyond the last).
struct vertex_layout {
  std::size_t dims = 0;  // numbers of a row
  std::size_t row_bytes = 0;
  bool halves = true;

  static constexpr row_id no_edge = 0xffffffffu;

  std::size_t factor_bytes() const noexcept { return most_edges * (halves ? sizeof(half) : sizeof(float)); }
  std::size_t codes() const noexcept { return whole_lines(dims * sizeof(float)); }
  std::size_t offsets() const noexcept { return codes() + most_edges * row_bytes; }
  std::size_t scales() const noexcept { return offsets() + factor_bytes(); }
  std::size_t edges() const noexcept { return scales() + factor_bytes(); }
  std::size_t bytes() const noexcept { return whole_lines(edges() + most_edges * sizeof(row_id)); }

  friend bool operator==(const vertex_layout&, const vertex_layout&) = default;

 private:
  static constexpr std::size_t whole_lines(std::size_t bytes) noexcept { return (bytes + 63) / 64 * 64; }
};

/// Vertices in chunks that copies share until one of them changes: a change costs a copy of the chunks it reaches.
/// They may lie in a mapped file.
class vertex_store {
 public:
  vertex_store() = default;
  explicit vertex_store(const vertex_layout& layout) : layout_(layout), bytes_(layout.bytes()) {
    const std::size_t rows = std::max<std::size_t>(chunk_bytes / bytes_, 1);
    shift_ = static_cast<std::size_t>(std::bit_width(rows)) - 1;
  }
  /// Vertices as someone keeps them, one behind another.
  vertex_store(const vertex_layout& layout, std::span<const std::uint8_t> kept, std::shared_ptr<const void> keeper)
      : vertex_store(layout) {
    size_ = kept.size() / bytes_;
    keeper_ = std::move(keeper);
    for (std::size_t row = 0; row < size_; row += chunk_rows()) chunks_.push_back({{}, kept.data() + row * bytes_});
  }

  /// Once all vertices are this store's own.
  void forget_keeper() noexcept { keeper_ = nullptr; }

  const vertex_layout& layout() const noexcept { return layout_; }
  std::size_t size() const noexcept { return size_; }
  std::size_t bytes_each() const noexcept { return bytes_; }
  std::size_t memory() const noexcept {
    std::size_t bytes = chunks_.capacity() * sizeof(chunk);
    for (const chunk& c : chunks_)
      if (c.held) bytes += c.held->capacity();
    return bytes;
  }

  const std::uint8_t* operator[](std::size_t vertex) const noexcept {
    return chunks_[vertex >> shift_].data + (vertex & (chunk_rows() - 1)) * bytes_;
  }
  std::span<const float> row(std::size_t vertex) const noexcept {
    return {reinterpret_cast<const float*>((*this)[vertex]), layout_.dims};
  }
  /// The rows that edges lead to, in the order of their codes, up to the first that is none.
  std::span<const row_id> edges(std::size_t vertex) const noexcept {
    const auto* to = reinterpret_cast<const row_id*>((*this)[vertex] + layout_.edges());
    std::size_t count = 0;
    while (count < most_edges && to[count] < size_) ++count;
    return {to, count};
  }

  /// Makes sure that `grow` to this many vertices cannot fail; the last chunk is then this store's own.
  void reserve(std::size_t size) {
    if (size <= size_) return;
    const std::size_t chunks = ((size - 1) >> shift_) + 1;
    if ((size_ & (chunk_rows() - 1)) != 0) make_room(size_ >> shift_, size);
    chunks_.reserve((std::max)(chunks, (std::min)(2 * chunks_.size(), chunks + 64)));
    while (chunks_.size() < chunks) {
      chunks_.push_back({});
      make_room(chunks_.size() - 1, size);
    }
  }
  /// There are so many vertices from now on, each of which was made by `blank` once there was room.
  void grow(std::size_t size) noexcept { size_ = size; }
  /// A vertex of zeros without edges.
  void blank(std::size_t vertex) noexcept {
    std::uint8_t* const at = owned(vertex);
    std::memset(at, 0, layout_.edges());
    std::memset(at + layout_.edges(), 0xff, bytes_ - layout_.edges());
  }

  /// Makes a vertex one to be changed. Nothing has changed when it throws.
  void own(std::size_t vertex) {
    chunk& c = chunks_[vertex >> shift_];
    if (c.held && !c.held.is_shared()) return;
    const std::size_t rows = (std::min)(chunk_rows(), size_ - (vertex & ~(chunk_rows() - 1)));
    aligned_vector<std::uint8_t> mine(c.data, c.data + rows * bytes_);
    c.held = shared_value<aligned_vector<std::uint8_t>>(std::move(mine));
    c.data = c.held->data();
  }
  /// One that `own` or `reserve` gave; different ones may be written by different threads.
  std::uint8_t* owned(std::size_t vertex) noexcept {
    return const_cast<std::uint8_t*>((*this)[vertex]);  // of a chunk that is this store's alone
  }

 private:
  static constexpr std::size_t chunk_bytes = std::size_t{8} << 20;

  struct chunk {
    shared_value<aligned_vector<std::uint8_t>> held;  // none of a mapped file
    const std::uint8_t* data = nullptr;
  };

  std::size_t chunk_rows() const noexcept { return std::size_t{1} << shift_; }

  /// Gives a chunk memory of its own for all its vertices below `size`, twice what it has at least.
  void make_room(std::size_t number, std::size_t size) {
    chunk& c = chunks_[number];
    const std::size_t first = number << shift_,
                      has = (std::min)(chunk_rows(), (std::max)(std::size_t{size_}, first) - first);
    const std::size_t wanted = (std::min)(chunk_rows(), size - first);
    if (c.held && !c.held.is_shared() && c.held->size() >= wanted * bytes_) return;
    const std::size_t rows = (std::min)(chunk_rows(), (std::max)(wanted, 2 * has));
    aligned_vector<std::uint8_t> mine(rows * bytes_);
    if (has != 0) std::memcpy(mine.data(), c.data, has * bytes_);
    c.held = shared_value<aligned_vector<std::uint8_t>>(std::move(mine));
    c.data = c.held->data();
  }

  vertex_layout layout_;
  std::size_t bytes_ = 64, shift_ = 0;
  moved_value<> size_;
  std::vector<chunk> chunks_;
  std::shared_ptr<const void> keeper_;
};

}  // namespace embit::inline EMBIT_ABI::detail
