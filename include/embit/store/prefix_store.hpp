// Nested codes: each step from one width to the next in memory of its own, so that few bits of all rows lie together.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/block_run.hpp>
#include <embit/codes/code_view.hpp>
#include <embit/codes/prefix_steps.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/types.hpp>
#include <embit/io/save.hpp>
#include <embit/store/block_layout.hpp>
#include <embit/store/block_store.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// Files of nested codes: "steps" (u64 fingerprint of the encoder or 0, u32 steps, of each u64 width), and of step i
/// the sections of a store of codes under its number: "0/shape", "0/blocks", "1/shape", ...
inline constexpr file_kind prefix_codes_file{"prefix_codes", 1};

/// Copies what a row has in the first steps of a store, as a code of that width.
template <class Store>
void copy_prefix(const Store& store, std::size_t steps, std::size_t row, std::span<word> out) noexcept {
  if (steps == 0) return;
  std::fill_n(out.begin(), words_for(store.steps().widths()[steps - 1]), word{0});
  for (std::size_t step = 0; step < steps; ++step) {
    const word* lane = store.segment(step).block(row / block_rows) + row % block_rows;
    store.steps().join(
        step, [&](std::size_t w) { return lane[w * block_rows]; }, out);
  }
}

/// @throws error errc::format for widths that cannot be.
inline std::pair<prefix_steps, encoder_fingerprint> read_steps(const section_reader& in) {
  constexpr std::uint64_t most_bits = std::uint64_t{1} << 32;
  metadata_reader values = in.metadata("steps");
  const encoder_fingerprint fingerprint = values.u64();
  std::vector<std::size_t> widths;
  for (std::uint32_t left = values.u32(); left != 0; --left) {
    const std::uint64_t width = values.u64(), before = widths.empty() ? 0 : widths.back();
    if (width <= before || width > most_bits) values.refuse("a width of ", width, " bits after ", before);
    widths.push_back(static_cast<std::size_t>(width));
  }
  const std::size_t bits = widths.empty() ? 0 : widths.back();
  return {prefix_steps(std::move(widths), bits), fingerprint};
}

/// @throws error errc::format for codes of another width or number than the steps have them.
inline void require_segment(const section_reader& in, const prefix_steps& steps, std::size_t step, std::size_t rows,
                            std::size_t bits, std::size_t found) {
  const std::size_t wanted = steps.range(step).length;
  if (bits == wanted && found == rows) return;
  raise(errc::format, in.path(), ": section 'steps': step ", step, " has ", found, " codes of ", bits, " bits where ",
        rows, " of ", wanted, " are to be");
}

}  // namespace detail

/// Owned codes of which any of some widths may be read alone: step i, the bits from the width before it to its own,
/// is a `block_store` of its own. A step takes whole words, so that widths which are multiples of 64 cost no memory. A
/// copy shares the chunks of the segments.
class prefix_store {
 public:
  using code_type = code_span<>;

  /// No codes, of no width.
  prefix_store() = default;

  /// @param widths  as of `prefix_steps`. O(size · words).
  /// @throws error errc::argument for widths as `prefix_steps` has it, and for bits set beyond the width; errc::shape
  /// for codes of 0 bits.
  explicit prefix_store(code_view<> codes, std::vector<std::size_t> widths)
      : prefix_store(prefix_steps(std::move(widths), codes.bits())) {
    if (codes.bits() == 0) raise(errc::shape, "prefix_store: codes of 0 bits");
    append(codes);
    fingerprint_ = codes.fingerprint();
  }

  /// The given rows of another, in the given order.
  prefix_store(const prefix_store& source, std::span<const row_id> rows) : steps_(source.steps_) {
    fingerprint_ = source.fingerprint_;
    for (const block_store<>& segment : source.segments_) segments_.emplace_back(segment, rows);
  }

  std::size_t size() const noexcept { return segments_.empty() ? 0 : segments_[0].size(); }
  std::size_t bits() const noexcept { return steps_.bits(); }
  std::size_t words() const noexcept { return words_for(bits()); }
  /// Of the encoder that made the codes; 0: not known.
  encoder_fingerprint fingerprint() const noexcept { return fingerprint_; }
  const prefix_steps& steps() const& noexcept { return steps_; }
  const prefix_steps& steps() const&& = delete;
  /// The codes of a step.
  const block_store<>& segment(std::size_t step) const& noexcept { return segments_[step]; }
  const block_store<>& segment(std::size_t) const&& = delete;

  /// Copies a row into `out`, which has `words()` words.
  void copy_row(std::size_t row, std::span<word> out) const noexcept {
    EMBIT_ASSERT(row < size() && out.size() >= words());
    detail::copy_prefix(*this, steps_.size(), row, out);
  }

  /// Whether codes can be appended.
  /// @throws error as `append` does.
  void check_append(code_view<> codes) const {
    if (codes.empty()) return;
    if (codes.bits() != bits()) raise(errc::shape, "codes: ", codes.bits(), " bits, the store holds codes of ", bits());
    require_clean_tails(codes, "codes");
    static_cast<void>(detail::joined_fingerprint(codes.fingerprint(), fingerprint_, size()));
    detail::require_row_count(size() + codes.size());
  }

  /// Appends codes; returns the row of the first. Amortized O(size · words).
  /// @throws error errc::shape for another width, errc::argument for bits set beyond the width, codes of another
  /// encoder or too many rows; the store is unchanged then.
  row_id append(code_view<> codes) {
    constexpr std::size_t at_a_time = superblock_rows;
    check_append(codes);
    const auto first = static_cast<row_id>(size());
    if (codes.empty()) return first;
    const encoder_fingerprint joined = detail::joined_fingerprint(codes.fingerprint(), fingerprint_, size());
    std::vector<word> cut((std::min)(at_a_time, codes.size()) * widest());
    for (block_store<>& segment : segments_) segment.reserve(codes.size());
    for (std::size_t done = 0; done < codes.size(); done += at_a_time) {
      const code_view<> part = codes.middle_rows(done, (std::min)(at_a_time, codes.size() - done));
      for (std::size_t step = 0; step < steps_.size(); ++step) {
        const std::size_t words = steps_.words(step);
        for (std::size_t i = 0; i < part.size(); ++i) steps_.cut(part[i], step, cut.data() + i * words);
        segments_[step].append({cut.data(), part.size(), steps_.range(step).length});
      }
    }
    fingerprint_ = joined;
    return first;
  }

  /// Bytes allocated for codes.
  std::size_t memory() const noexcept {
    std::size_t bytes = 0;
    for (const block_store<>& segment : segments_) bytes += segment.memory();
    return bytes;
  }

  static constexpr file_kind file = detail::prefix_codes_file;

  /// The sections of the file that `save` writes: see `detail::prefix_codes_file`.
  void write_to(const section_writer& out) const {
    metadata_writer values;
    values.u64(fingerprint_).u32(static_cast<std::uint32_t>(steps_.size()));
    for (const std::size_t width : steps_.widths()) values.u64(width);
    out.add("steps", std::move(values));
    for (std::size_t step = 0; step < steps_.size(); ++step) segments_[step].write_to(out.scope(std::to_string(step)));
  }

  /// @throws error errc::format, errc::kind, errc::checksum or errc::io.
  static prefix_store read_from(const section_reader& in) {
    prefix_store store;
    std::tie(store.steps_, store.fingerprint_) = detail::read_steps(in);
    for (std::size_t step = 0; step < store.steps_.size(); ++step) {
      store.segments_.push_back(block_store<>::read_from(in.scope(std::to_string(step))));
      const block_store<>& read = store.segments_.back();
      detail::require_segment(in, store.steps_, step, store.size(), read.bits(), read.size());
    }
    return store;
  }

 private:
  explicit prefix_store(prefix_steps steps) : steps_(std::move(steps)) {
    for (std::size_t step = 0; step < steps_.size(); ++step) segments_.emplace_back(steps_.range(step).length);
  }

  std::size_t widest() const noexcept {
    std::size_t words = 0;
    for (std::size_t step = 0; step < steps_.size(); ++step) words = (std::max)(words, steps_.words(step));
    return words;
  }

  prefix_steps steps_;
  std::vector<block_store<>> segments_;  // one a step
  encoder_fingerprint fingerprint_ = 0;
};

static_assert(CodeStore<prefix_store>);

}  // namespace embit::inline EMBIT_ABI
