// At which widths nested codes may be read: how a code is cut into segments, and joined again.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/codes/substring.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// The widths that codes may be compared at, ascending; the last is that of the whole code. Step i has the bits from
/// the width before it to its own, in whole words of its own, the first bit lowest. An immutable value.
class prefix_steps {
 public:
  /// None: of codes of no bits.
  prefix_steps() = default;

  /// @param widths  ascending; that of the whole code, `bits`, need not be among them
  /// @throws error errc::argument for a width of 0, one that is not above the one before it, or one beyond `bits`.
  prefix_steps(std::vector<std::size_t> widths, std::size_t bits) : widths_(std::move(widths)) {
    std::size_t before = 0;
    for (const std::size_t width : widths_) {
      if (width == 0) raise(errc::argument, "widths: 0, but a step has at least 1 bit");
      if (width <= before) raise(errc::argument, "widths: ", width, " after ", before, ", but they must ascend");
      if (width > bits) raise(errc::argument, "widths: ", width, ", beyond the ", bits, " bits of the codes");
      before = width;
    }
    if (before != bits) widths_.push_back(bits);
    first_words_.reserve(size() + 1);
    for (std::size_t step = 0; step < size(); ++step) first_words_.push_back(first_words_[step] + words(step));
  }

  std::size_t size() const noexcept { return widths_.size(); }
  std::span<const std::size_t> widths() const& noexcept { return widths_; }
  std::span<const std::size_t> widths() const&& = delete;
  /// Of the whole code.
  std::size_t bits() const noexcept { return widths_.empty() ? 0 : widths_.back(); }
  /// The bits that a step adds.
  bit_range range(std::size_t step) const noexcept {
    const std::size_t first = step == 0 ? 0 : widths_[step - 1];
    return {first, widths_[step] - first};
  }
  /// Of the segment of a step.
  std::size_t words(std::size_t step) const noexcept { return words_for(range(step).length); }
  /// Words of the segments before a step; of all of them for `size()`.
  std::size_t words_before(std::size_t step) const noexcept { return first_words_[step]; }
  /// How many steps have this width together; 0 where no step ends there.
  std::size_t steps_of(std::size_t width) const noexcept {
    const auto at = std::lower_bound(widths_.begin(), widths_.end(), width);
    return at == widths_.end() || *at != width ? 0 : static_cast<std::size_t>(at - widths_.begin()) + 1;
  }

  /// Writes the `words(step)` words that a code has in a step.
  void cut(std::span<const word> code, std::size_t step, word* out) const noexcept {
    const bit_range bits = range(step);
    for (std::size_t done = 0; done < bits.length; done += word_bits)
      *out++ = substring(code, {bits.first + done, (std::min)(word_bits, bits.length - done)});
  }
  /// Adds a word of a step, of which `at(w)` is word w, to a code that has zeros there.
  template <class At>
  void join(std::size_t step, At&& at, std::span<word> code) const noexcept {
    const std::size_t first = range(step).first / word_bits, shift = range(step).first % word_bits;
    for (std::size_t w = 0; w < words(step); ++w) {
      const word bits = at(w);
      code[first + w] |= bits << shift;
      if (shift != 0 && first + w + 1 < code.size()) code[first + w + 1] |= bits >> (word_bits - shift);
    }
  }

  friend bool operator==(const prefix_steps& a, const prefix_steps& b) { return a.widths_ == b.widths_; }

 private:
  std::vector<std::size_t> widths_;
  std::vector<std::size_t> first_words_{0};
};

namespace detail {

/// The first `width` bits of codes, in memory that is given.
inline code_view<> first_bits(code_view<> codes, std::size_t width, std::vector<word>& memory) {
  const std::size_t words = words_for(width);
  memory.resize(codes.size() * words);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    std::copy_n(codes[i].data(), words, memory.data() + i * words);
    memory[(i + 1) * words - 1] &= tail_mask(width);
  }
  return {memory.data(), codes.size(), width};
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
