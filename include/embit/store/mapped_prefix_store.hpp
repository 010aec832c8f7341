// Nested codes in a file, searched where they lie.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/block_run.hpp>
#include <embit/codes/code_view.hpp>
#include <embit/codes/prefix_steps.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/types.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/store/block_layout.hpp>
#include <embit/store/prefix_store.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// The codes of a step that lie in a file.
class mapped_segment {
 public:
  mapped_segment(const word* blocks, code_shape shape) noexcept : blocks_(blocks), shape_(shape) {}

  std::size_t size() const noexcept { return shape_.rows; }
  std::size_t bits() const noexcept { return shape_.bits; }
  const code_shape& shape() const noexcept { return shape_; }
  const word* block(std::size_t i) const noexcept { return blocks_ + i * block_rows * shape_.words(); }
  std::size_t runs() const noexcept { return size() == 0 ? 0 : 1; }
  block_run run(std::size_t) const noexcept {
    return {.data = blocks_, .words = shape_.words(), .first_row = 0, .rows = size()};
  }
  void copy_row(std::size_t row, std::span<word> out) const noexcept { copy_lane(blocks_, shape_.words(), row, out); }
  using code_type = code_span<>;

 private:
  const word* blocks_;
  code_shape shape_;
};

}  // namespace detail

/// The nested codes of a file that `save` wrote of a `prefix_store`, mapped into memory: opened in microseconds, and
/// where a funnel reads few bits of most rows, so much of the file is read from disk. A cheap handle to copy; the
/// mapping ends with the last copy. Safe to read from many threads. See `mapped_file` for what may happen to the file
/// meanwhile.
class mapped_prefix_store {
 public:
  using code_type = code_span<>;

  /// Checks the header, the section table and the shapes, not the codes: `verify` does that.
  /// @throws error as `container_reader::map` does, with path and offset; errc::format for steps that do not agree.
  explicit mapped_prefix_store(std::string path)
      : file_(std::make_shared<container_reader>(container_reader::map(std::move(path), detail::prefix_codes_file))) {
    const section_reader in = file_->sections();
    std::tie(steps_, fingerprint_) = detail::read_steps(in);
    for (std::size_t step = 0; step < steps_.size(); ++step) {
      const section_reader scope = in.scope(std::to_string(step));
      const detail::code_shape shape = detail::read_shape(scope);
      segments_.emplace_back(scope.view<word>(detail::blocks_section, shape.block_words()).data(), shape);
      detail::require_segment(in, steps_, step, size(), shape.bits, shape.rows);
    }
  }

  /// Reads all codes and compares their checksums, and that no bit is set where no code has any. O(file size).
  /// @throws error errc::checksum or errc::format, errc::changed when the file has changed its size.
  void verify() const {
    file_->verify();
    for (const detail::mapped_segment& segment : segments_)
      if (segment.size() != 0) detail::require_clean_blocks(segment.block(0), segment.shape(), file_->path());
  }

  const std::string& path() const& noexcept { return file_->path(); }
  const std::string& path() const&& = delete;
  std::size_t size() const noexcept { return segments_.empty() ? 0 : segments_[0].size(); }
  std::size_t bits() const noexcept { return steps_.bits(); }
  std::size_t words() const noexcept { return words_for(bits()); }
  /// Of the encoder that made the codes; 0: not known.
  encoder_fingerprint fingerprint() const noexcept { return fingerprint_; }
  const prefix_steps& steps() const& noexcept { return steps_; }
  const prefix_steps& steps() const&& = delete;
  /// The codes of a step.
  const detail::mapped_segment& segment(std::size_t step) const& noexcept { return segments_[step]; }
  const detail::mapped_segment& segment(std::size_t) const&& = delete;

  /// Copies a row into `out`, which has `words()` words.
  void copy_row(std::size_t row, std::span<word> out) const noexcept {
    EMBIT_ASSERT(row < size() && out.size() >= words());
    detail::copy_prefix(*this, steps_.size(), row, out);
  }

 private:
  detail::shared_state<const container_reader> file_;
  prefix_steps steps_;
  std::vector<detail::mapped_segment> segments_;  // one a step
  encoder_fingerprint fingerprint_ = 0;
};

static_assert(CodeStore<mapped_prefix_store>);

}  // namespace embit::inline EMBIT_ABI
