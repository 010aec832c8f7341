// Binary codes in a file, scanned where they lie.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/block_run.hpp>
#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/types.hpp>
#include <embit/fwd.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/store/block_layout.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// The codes of a file that `save` wrote, mapped into memory: opened in microseconds, read from disk when touched,
/// shared between processes. A cheap handle to copy; the mapping ends with the last copy. Safe to read from many
/// threads. See `mapped_file` for what may happen to the file meanwhile.
template <std::size_t Bits>
class mapped_store {
 public:
  using code_type = code_span<Bits>;

  /// Checks the header, the section table and the shape, not the codes: `verify` does that.
  /// @throws error as `container_reader::map` does, with path and offset;
  /// errc::shape when the file's codes are not of the static width.
  explicit mapped_store(std::string path)
      : file_(std::make_shared<container_reader>(container_reader::map(std::move(path), detail::codes_file))),
        shape_(detail::read_shape(file_->sections())),
        blocks_(file_->sections().template view<word>(detail::blocks_section, shape_.block_words()).data()) {
    if (Bits != dynamic && shape_.bits != Bits)
      raise(errc::shape, file_->path(), ": codes of ", shape_.bits, " bits where ", Bits, " are fixed");
  }

  /// Reads all codes and compares their checksum, and that no bit is set where no code has any. O(file size).
  /// @throws error errc::checksum or errc::format, errc::changed when the file has changed its size.
  void verify() const {
    file_->verify();
    detail::require_clean_blocks(blocks_, shape_, file_->path());
  }

  const std::string& path() const& noexcept { return file_->path(); }
  const std::string& path() const&& = delete;
  std::size_t size() const noexcept { return shape_.rows; }
  std::size_t bits() const noexcept { return Bits == dynamic ? shape_.bits : Bits; }
  std::size_t words() const noexcept { return words_for(bits()); }
  /// Of the encoder that made the codes; 0: not known.
  encoder_fingerprint fingerprint() const noexcept { return shape_.fingerprint; }

  /// Copies a row into `out`, which has `words()` words.
  void copy_row(std::size_t row, std::span<word> out) const noexcept {
    EMBIT_ASSERT(row < size() && out.size() >= words());
    detail::copy_lane(blocks_, words(), row, out);
  }

  std::size_t blocks() const noexcept { return (size() + block_rows - 1) / block_rows; }
  const word* block(std::size_t i) const& noexcept { return blocks_ + i * block_rows * words(); }
  const word* block(std::size_t) const&& = delete;

  /// One piece of adjacent memory, or none.
  std::size_t runs() const noexcept { return size() == 0 ? 0 : 1; }
  block_run run(std::size_t) const& noexcept {
    return {.data = blocks_, .words = words(), .first_row = 0, .rows = size()};
  }
  block_run run(std::size_t) const&& = delete;

 private:
  detail::shared_state<const container_reader> file_;
  detail::code_shape shape_;
  const word* blocks_;
};

static_assert(BlockStore<mapped_store<>>);

}  // namespace embit::inline EMBIT_ABI
