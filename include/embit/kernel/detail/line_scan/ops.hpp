// What the line kernels of one SIMD level offer: row-major codes by whole cache lines, fetched long before their turn.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/bucket_scan/ops.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace embit::inline EMBIT_ABI::detail {

inline constexpr std::size_t line_bytes = 64, line_words = line_bytes / sizeof(word);

/// Adjacent codes in one cache line: its address, and in the bits that are zero in it, the first and the last of them.
class code_line {
 public:
  code_line() = default;
  code_line(const word* line, std::size_t first, std::size_t last) noexcept
      : bits_(reinterpret_cast<std::uintptr_t>(line) | first | last << 3) {}

  /// The line so many lines further on.
  code_line after(std::size_t lines) const noexcept { return code_line(bits_ + lines * line_bytes); }
  /// Without the codes before `first`, or after `last`.
  code_line from(std::size_t first) const noexcept { return code_line((bits_ & ~std::uintptr_t{7}) | first); }
  code_line to(std::size_t last) const noexcept { return code_line((bits_ & ~std::uintptr_t{56}) | last << 3); }

  const word* words() const noexcept { return reinterpret_cast<const word*>(bits_ & ~std::uintptr_t{63}); }
  std::uint32_t first() const noexcept { return bits_ & 7; }
  std::uint32_t last() const noexcept { return bits_ >> 3 & 7; }

 private:
  explicit code_line(std::uintptr_t bits) noexcept : bits_(bits) {}

  std::uintptr_t bits_ = 0;
};

/// What a line kernel is to do: compare a query with the codes of `lines`, and fetch line i of `ahead`, which has no
/// more, before it compares line i.
struct line_scan_job {
  const word* codes;  // from which positions count; at the start of a line
  const code_line* lines;
  std::size_t count;
  const code_line* ahead;
  std::size_t ahead_count;
  const word* query;
};

/// Writes the codes from line `at` on that are nearer than `threshold`, and returns how many there are. Stops early,
/// with `at` before the end, when fewer than a line's hits have room.
using line_scan_function = std::size_t (*)(const line_scan_job& job, std::size_t& at, std::uint32_t threshold,
                                           bucket_hit* hits);

/// The kernels of one level by number of words.
struct line_ops {
  static constexpr std::string_view operation = "line_scan";

  line_scan_function one, two, four;
};

}  // namespace embit::inline EMBIT_ABI::detail
