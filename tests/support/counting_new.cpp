// The global operator new, counted. In a file of its own, where the compiler cannot see both ends of an allocation and
// take malloc and free for a mismatch.
#include "counting_new.hpp"

#include <atomic>
#include <cstdlib>
#include <limits>
#include <new>

namespace {

std::atomic<std::size_t> count{0}, bytes{0};

// Allocations until one fails, once that has been asked for.
std::atomic<long long> left{-1};
std::atomic<bool> failed{false};

bool fails_now() noexcept {
  if (left.load() < 0 || left.fetch_sub(1) != 0) return false;
  failed = true;
  return true;
}

constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();
thread_local std::size_t allowed = no_limit;

bool exceeds_limit(std::size_t size) noexcept {
  if (allowed == no_limit) return false;
  if (size > allowed) return true;
  allowed -= size;
  return false;
}

void* try_to_allocate(std::size_t size, std::size_t alignment) noexcept {
  if (fails_now() || exceeds_limit(size)) return nullptr;
  ++count;
  bytes += size;
  return alignment == 0 ? std::malloc(size == 0 ? 1 : size)
                        : std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

void* allocate(std::size_t size, std::size_t alignment) {
  void* memory = try_to_allocate(size, alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

std::size_t support::allocations() { return count; }
std::size_t support::allocated_bytes() { return bytes; }
void support::fail_allocation_after(std::size_t others) {
  failed = false;
  left = static_cast<long long>(others);
}
bool support::end_failures() {
  left = -1;
  return failed;
}

support::memory_limit::memory_limit(std::size_t most) { allowed = most; }
support::memory_limit::~memory_limit() { allowed = no_limit; }

void* operator new(std::size_t size) { return allocate(size, 0); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return try_to_allocate(size, 0); }
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return try_to_allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
