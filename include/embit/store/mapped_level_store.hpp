// B-bit codes in a file, scanned where they lie.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/types.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/store/level_layout.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// The levels and factors of a file that `save` wrote from a `level_store`, mapped into memory: opened in microseconds,
/// read from disk when touched, shared between processes. A cheap handle to copy; the mapping ends with the last copy.
/// Safe to read from many threads. See `mapped_file` for what may happen to the file meanwhile.
class mapped_level_store {
 public:
  using code_type = level_row;

  /// Checks the header, the section table and the shape, not the codes and factors: `verify` does that.
  /// @throws error errc::io, errc::format, errc::version, errc::kind or errc::checksum with path and offset.
  explicit mapped_level_store(std::string path)
      : file_(std::make_shared<container_reader>(container_reader::map(std::move(path), detail::levels_file))) {
    const section_reader in = file_->sections();
    auto shape = detail::read_level_shape(in);
    format_ = std::make_shared<const level_format>(std::move(shape.format));
    run_ = detail::view_levels(in, *format_, shape.rows);
  }

  /// Reads all codes and factors and compares their checksums, that no bit is set where no code has any, and that
  /// factors are finite. O(file size).
  /// @throws error errc::checksum or errc::format, errc::io when the file has changed its size.
  void verify() const {
    file_->verify();
    detail::require_clean_levels(run_, file_->path());
    detail::require_finite_factors(run_, file_->path());
  }

  const std::string& path() const& noexcept { return file_->path(); }
  const std::string& path() const&& = delete;
  std::size_t size() const noexcept { return run_.rows; }
  const level_format& format() const& noexcept { return *format_; }
  const level_format& format() const&& = delete;
  /// Of the encoder that made the codes; 0: not known.
  encoder_fingerprint fingerprint() const noexcept { return format_->fingerprint; }
  std::size_t dims() const noexcept { return format_->dims(); }
  /// Bits of a row as it is stored: every plane is padded to whole bytes.
  std::size_t bits() const noexcept { return 8 * run_.row_bytes; }

  level_row operator[](std::size_t row) const& noexcept {
    EMBIT_ASSERT(row < size());
    return {run_, row};
  }
  level_row operator[](std::size_t) const&& = delete;

  /// The bytes of a row, zeros after them, into words_for(bits()) words.
  void copy_row(std::size_t row, std::span<word> out) const noexcept { (*this)[row].copy_bytes(out); }

  level_view view() const& noexcept { return level_view(run_); }
  level_view view() const&& = delete;
  operator level_view() const noexcept { return level_view(run_); }

  /// One piece of adjacent memory, or none.
  std::size_t runs() const noexcept { return size() == 0 ? 0 : 1; }
  level_run run(std::size_t) const& noexcept { return run_; }
  level_run run(std::size_t) const&& = delete;

 private:
  detail::shared_state<const container_reader> file_;
  detail::shared_state<const level_format> format_;
  level_run run_;
};

static_assert(RowStore<mapped_level_store>);

}  // namespace embit::inline EMBIT_ABI
