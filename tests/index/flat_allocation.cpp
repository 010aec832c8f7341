// Repeating a search allocates nothing: counted through the global operator new of this test program.
#include <embit/index/flat.hpp>

#include <atomic>
#include <cstdlib>
#include <new>

#include <support/catch.hpp>
#include <support/codes.hpp>

static std::atomic<std::size_t> allocations{0};

void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  ++allocations;
  const auto a = static_cast<std::size_t>(alignment);
  if (void* memory = std::aligned_alloc(a, (size + a - 1) / a * a)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

TEST_CASE("search_into allocates nothing once it is warm", "[flat]") {
  embit::rng rng{1};
  const std::size_t queries = GENERATE(as<std::size_t>{}, 1, 16, 300);
  const auto codes = support::make_codes(4000, 256, support::code_kind::clustered, rng);
  const embit::flat_index index{codes};
  const auto asked = codes.view().middle_rows(0, queries);
  embit::knn_result<std::uint32_t> result;
  for (int warm = 0; warm < 3; ++warm) index.search_into(asked, 10, result);
  const std::size_t before = allocations;
  for (int again = 0; again < 5; ++again) index.search_into(asked, 10, result);
  CHECK(allocations == before);
  CHECK(result[0][0].distance == 0);
}
