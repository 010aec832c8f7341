#include <embit/core/buffer.hpp>

#include <support/catch.hpp>

#include <cstdint>
#include <numeric>

namespace {

template <class T>
std::size_t misalignment(const T* at, std::size_t alignment) {
  return reinterpret_cast<std::uintptr_t>(at) % alignment;
}

}  // namespace

TEST_CASE("every buffer begins on a cache line", "[buffer]") {
  for (const std::size_t n : {1u, 7u, 63u, 64u, 513u, 100000u}) {
    const embit::aligned_vector<std::uint8_t> bytes(n);
    const embit::aligned_vector<double> doubles(n);
    CHECK(misalignment(bytes.data(), embit::buffer_alignment) == 0);
    CHECK(misalignment(doubles.data(), embit::buffer_alignment) == 0);
  }
}

TEST_CASE("large buffers begin on a huge page", "[buffer]") {
  const embit::aligned_vector<std::uint8_t> bytes(std::size_t{5} << 20);
  CHECK(misalignment(bytes.data(), std::size_t{2} << 20) == 0);
}

TEST_CASE("growing keeps the content, filling fills", "[buffer]") {
  embit::aligned_vector<std::uint64_t> numbers(513);
  std::iota(numbers.begin(), numbers.end(), std::uint64_t{0});
  numbers.resize(1 << 20, 7);  // 8 MiB: over the border to huge pages
  for (std::uint64_t i = 0; i < 513; ++i) REQUIRE(numbers[i] == i);
  CHECK(numbers[513] == 7);
  CHECK(numbers.back() == 7);
  numbers.resize(3);
  numbers.shrink_to_fit();
  CHECK(numbers[2] == 2);
  CHECK(misalignment(numbers.data(), embit::buffer_alignment) == 0);
}

TEST_CASE("more elements than memory has bytes are refused", "[buffer]") {
  embit::aligned_allocator<std::uint64_t> allocator;
  CHECK_THROWS_AS(allocator.allocate(static_cast<std::size_t>(-1) / 4), std::bad_alloc);
}
