// Which pages of a mapping the system was asked to bring, so that it is not asked again while they stay.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// A bit a page. To ask for a page costs as much as to score several rows, so pages asked for before are taken to be
/// there until the process has waited for one. Only advice depends on it; safe to use from many threads.
class page_advice {
 public:
  explicit page_advice(std::uint64_t file_size)
      : marks_(static_cast<std::size_t>((file_size / page_size() + 1 + 63) / 64)) {}

  static std::size_t page_size() noexcept {
    const long size = ::sysconf(_SC_PAGESIZE);
    return size > 0 ? static_cast<std::size_t>(size) : 4096;
  }

  /// How often the process has waited for a page from a disk.
  static long faults() noexcept {
    struct rusage usage {};
    return ::getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_majflt : 0;
  }

  /// Marks the pages [begin, end); whether one of them had no mark.
  bool mark(std::uint64_t begin, std::uint64_t end) noexcept {
    bool any = false;
    for (; begin < end; ++begin) {
      const std::uint64_t bit = std::uint64_t{1} << begin % 64;
      auto& word = marks_[static_cast<std::size_t>(begin / 64)];
      if ((word.load(std::memory_order_relaxed) & bit) != 0) continue;
      word.fetch_or(bit, std::memory_order_relaxed);
      any = true;
    }
    return any;
  }

  void forget() noexcept {
    for (auto& word : marks_) word.store(0, std::memory_order_relaxed);
  }

  std::size_t memory() const noexcept { return marks_.capacity() * sizeof marks_[0]; }

 private:
  std::vector<std::atomic<std::uint64_t>> marks_;
};

}  // namespace embit::inline EMBIT_ABI::detail
