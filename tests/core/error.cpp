#include <embit/core/error.hpp>

#include <support/catch.hpp>

#include <string>

using Catch::Matchers::Equals;
using embit::errc;

TEST_CASE("raise joins text and numbers into one message", "[error]") {
  try {
    embit::raise(errc::shape, "queries: ", std::size_t{3}, " x ", -4, ", weight ", 0.5, std::string("!"));
    FAIL("raise returned");
  } catch (const embit::error& e) {
    CHECK(e.code() == errc::shape);
    CHECK_THAT(e.what(), Equals("queries: 3 x -4, weight 0.5!"));
  }
}

TEST_CASE("the largest numbers fit into a message", "[error]") {
  CHECK_THROWS_WITH(embit::raise(errc::argument, static_cast<std::size_t>(-1)), "18446744073709551615");
  CHECK_THROWS_WITH(embit::raise(errc::argument, -1.7976931348623157e308), "-1.7976931348623157e+308");
}

TEST_CASE("an error is a runtime_error", "[error]") {
  CHECK_THROWS_AS(embit::raise(errc::io, "x"), std::runtime_error);
}

TEST_CASE("the error handler is returned and can be put back", "[error]") {
  const embit::error_handler mine = [](errc, const char*) {};
  const auto standard = embit::set_error_handler(mine);
  CHECK(standard != nullptr);
  CHECK(standard != mine);
  CHECK(embit::set_error_handler(nullptr) == mine);  // null means the standard one
  CHECK(embit::set_error_handler(standard) == standard);
}
