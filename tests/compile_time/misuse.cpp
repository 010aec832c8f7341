// What a compiler says of programs that put together what does not fit: compile_time/misuse.cmake compiles one case at a
// time and holds its first error against the line that follows the case.
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/store/mapped_store.hpp>

#include <cstdint>
#include <functional>
#include <span>
#include <utility>
#include <vector>

struct throwing_kernel {
  using query_view = embit::code_view<>;
  using distance_type = std::uint32_t;
  using compare = std::less<>;
  std::span<const embit::word> prepare(std::span<const embit::word> query) const { return query; }
  std::uint32_t operator()(std::span<const embit::word> a, std::span<const embit::word> b) const {
    return a[0] == b[0] ? 0 : 1;
  }
};

int main() {
  const embit::code_store<> codes(3, 64);
#if MISUSE == 1
  const embit::flat_index index{codes, embit::l2{}};
  // EXPECT 1: this kernel does not score rows of this store
#elif MISUSE == 2
  const embit::flat_index index{codes, throwing_kernel{}};
  // EXPECT 2: the operator.. of this kernel must be noexcept
#elif MISUSE == 3
  const embit::flat_index index{std::vector<std::uint8_t>(100)};
  // EXPECT 3: its first argument holds no rows
#elif MISUSE == 4
  embit::flat_index index{embit::mapped_store("codes.embit")};
  index.add(codes);
  // EXPECT 4: deleted (member )?function .*add
#elif MISUSE == 5
  const embit::flat_index index{codes};
  index.search(codes, 2.5);
  // EXPECT 5: deleted (member )?function .*search
#elif MISUSE == 6
  const embit::lsh_table index{codes, {.tables = 2, .bits = 8}, embit::l2{}};
  // EXPECT 6: this scorer does not score rows of this store
#elif MISUSE == 7
  const embit::flat_index index{codes};
  index.range_search(codes, 3.9);
  // EXPECT 7: deleted (member )?function .*range_search
#elif MISUSE == 8
  const embit::labelled_index index{embit::flat_index{codes}, std::vector<embit::row_label>(3)};
  index.search(codes, 1, [](std::uint32_t) { return true; });
  // EXPECT 8: deleted (member )?function .*search
#elif MISUSE == 9
  const embit::flat_index index{codes, embit::hamming{}, 4};
  // EXPECT 9: its last argument runs no work
#elif MISUSE == 10
  const embit::labelled_index index{embit::flat_index{embit::mapped_store("codes.embit")}};
  // EXPECT 10: rows of its index must be searched, added, removed and renumbered
#endif
}
