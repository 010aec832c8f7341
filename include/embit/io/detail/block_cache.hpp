// Pages of a file that were read lately, in memory of a fixed size that many threads share.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Keeps copies of pages of a file by their numbers, at most as many as its memory has room for: sets of eight places,
/// of which a new page takes that of the page which was not asked for the longest. Pages are copied in and out under
/// the lock of their set, which is never held while a file is read; safe to use from many threads.
class block_cache {
 public:
  /// @param page  bytes of one; @param most  bytes of all, rounded down to whole sets; 0 keeps nothing
  block_cache(std::size_t page, std::size_t most) : page_(page), sets_(most / page / ways) {
    if (sets_ == 0) return;
    memory_ = std::make_unique_for_overwrite<std::byte[]>(sets_ * ways * page_);
    entries_.resize(sets_ * ways);
    guards_ = std::make_unique<std::array<std::mutex, locks>>();
  }

  bool contains(std::uint64_t number) noexcept { return get(number, {}); }

  /// Copies the first bytes of a page to `out`; false where the page is not there, or was shorter when it was put.
  bool get(std::uint64_t number, std::span<std::byte> out) noexcept {
    if (sets_ == 0) return false;
    const std::size_t set = set_of(number);
    const std::lock_guard lock(guard_of(set));
    for (std::size_t i = set * ways; i < (set + 1) * ways; ++i) {
      entry& e = entries_[i];
      if (e.page != number + 1 || e.size < out.size()) continue;
      e.used = ++clock_of(set);
      if (!out.empty()) std::memcpy(out.data(), memory_.get() + i * page_, out.size());
      return true;
    }
    return false;
  }

  /// Keeps a copy of a page, the last of a file being shorter.
  void put(std::uint64_t number, std::span<const std::byte> bytes) noexcept {
    if (sets_ == 0) return;
    const std::size_t set = set_of(number);
    const std::lock_guard lock(guard_of(set));
    std::size_t place = set * ways;
    for (std::size_t i = place; i < (set + 1) * ways; ++i) {
      if (entries_[i].page == number + 1) {
        place = i;
        break;
      }
      if (entries_[i].used < entries_[place].used) place = i;
    }
    entries_[place] = {number + 1, ++clock_of(set), static_cast<std::uint32_t>(bytes.size())};
    std::memcpy(memory_.get() + place * page_, bytes.data(), bytes.size());
  }

  /// Bytes allocated; those that were never put are not touched.
  std::size_t memory() const noexcept { return entries_.size() * (page_ + sizeof(entry)); }

 private:
  static constexpr std::size_t ways = 8, locks = 64;

  struct entry {
    std::uint64_t page = 0;  // its number and 1; 0 for none
    std::uint64_t used = 0;
    std::uint32_t size = 0;
  };

  std::size_t set_of(std::uint64_t number) const noexcept {
    return static_cast<std::size_t>((number * 0x9E3779B97F4A7C15u >> 20) % sets_);
  }
  std::mutex& guard_of(std::size_t set) const noexcept { return (*guards_)[set % locks]; }
  std::uint64_t& clock_of(std::size_t set) noexcept { return clocks_[set % locks]; }

  std::size_t page_, sets_;
  std::unique_ptr<std::byte[]> memory_;  // of small pages: few of a large cache may ever be touched
  std::vector<entry> entries_;
  std::unique_ptr<std::array<std::mutex, locks>> guards_;
  std::array<std::uint64_t, locks> clocks_{};  // each under its lock
};

}  // namespace embit::inline EMBIT_ABI::detail
