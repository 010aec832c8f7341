#include <embit/core/types.hpp>

#include <support/catch.hpp>

TEST_CASE("words hold bits without waste", "[types]") {
  CHECK(embit::words_for(0) == 0);
  CHECK(embit::words_for(1) == 1);
  CHECK(embit::words_for(63) == 1);
  CHECK(embit::words_for(64) == 1);
  CHECK(embit::words_for(65) == 2);
  CHECK(embit::words_for(1000) == 16);
  CHECK(embit::words_for(static_cast<std::size_t>(-1)) == (std::size_t{1} << 58));  // no overflow on the way
}

TEST_CASE("the tail mask covers the used bits of the last word", "[types]") {
  CHECK(embit::tail_mask(1) == 1);
  CHECK(embit::tail_mask(63) == ~embit::word{0} >> 1);
  CHECK(embit::tail_mask(64) == ~embit::word{0});
  CHECK(embit::tail_mask(65) == 1);
  CHECK(embit::tail_mask(1000) == (embit::word{1} << 40) - 1);
}
