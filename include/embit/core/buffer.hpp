// Memory that SIMD loads and memory mapping agree on: 64-byte aligned, on huge pages where it is large.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <cstddef>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace embit::inline EMBIT_ABI {

/// Bytes every buffer of this library is aligned to: one cache line, one AVX-512 register.
inline constexpr std::size_t buffer_alignment = 64;

/// Allocates 64-byte aligned memory; from 4 MiB on it is aligned to, and asks for, 2 MiB pages, because a scan of
/// codes is limited by address translation otherwise. Elements are default-initialized: `resize(n)` leaves
/// numbers indeterminate, `resize(n, 0)` fills them.
template <class T>
struct aligned_allocator {
  using value_type = T;
  using is_always_equal = std::true_type;

  aligned_allocator() = default;
  template <class U>
  aligned_allocator(const aligned_allocator<U>&) noexcept {}

  T* allocate(std::size_t n) {
    if (n > (std::numeric_limits<std::size_t>::max)() / sizeof(T)) throw_length();
    const std::size_t bytes = n * sizeof(T);
    void* memory = ::operator new (bytes, std::align_val_t{alignment(bytes)});
#ifdef MADV_HUGEPAGE
    if (bytes >= huge_from) madvise(memory, bytes, MADV_HUGEPAGE);  // advice only: a refusal changes nothing
#endif
    return static_cast<T*>(memory);
  }

  void deallocate(T* memory, std::size_t n) noexcept {
    ::operator delete (memory, std::align_val_t{alignment(n * sizeof(T))});
  }

  template <class U, class... Args>
  void construct(U* at, Args&&... args) {
    if constexpr (sizeof...(Args) == 0)
      ::new (static_cast<void*>(at)) U;
    else
      ::new (static_cast<void*>(at)) U(std::forward<Args>(args)...);
  }

  friend bool operator==(const aligned_allocator&, const aligned_allocator&) noexcept { return true; }

 private:
  static constexpr std::size_t huge_page = std::size_t{2} << 20;
  static constexpr std::size_t huge_from = 2 * huge_page;

  static constexpr std::size_t alignment(std::size_t bytes) noexcept {
    return bytes >= huge_from ? huge_page : buffer_alignment;
  }
  [[noreturn]] static void throw_length() {
#if EMBIT_EXCEPTIONS
    throw std::bad_array_new_length();
#else
    std::abort();
#endif
  }
};

/// A vector of trivially copyable elements in aligned memory.
template <class T>
using aligned_vector = std::vector<T, aligned_allocator<T>>;

}  // namespace embit::inline EMBIT_ABI
