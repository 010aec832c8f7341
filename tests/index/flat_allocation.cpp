// Repeating a search allocates nothing: counted through the global operator new of this test program.
#include <embit/index/flat.hpp>

#include <support/catch.hpp>
#include <support/codes.hpp>

#include "counting_new.hpp"

TEST_CASE("search_into allocates nothing once it is warm", "[flat]") {
  embit::rng rng{1};
  const std::size_t queries = GENERATE(as<std::size_t>{}, 1, 16, 300);
  const auto codes = support::make_codes(4000, 256, support::code_kind::clustered, rng);
  const embit::flat_index index{codes};
  const auto asked = codes.view().middle_rows(0, queries);
  embit::knn_result<std::uint32_t> result;
  for (int warm = 0; warm < 3; ++warm) index.search_into(asked, 10, result);
  const std::size_t before = support::allocations();
  for (int again = 0; again < 5; ++again) index.search_into(asked, 10, result);
  CHECK(support::allocations() == before);
  CHECK(result[0][0].distance == 0);
}
