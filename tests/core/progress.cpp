#include <embit/core/progress.hpp>

#include <support/catch.hpp>

TEST_CASE("an empty callback means go on, a callback decides", "[progress]") {
  using embit::detail::go_on;
  CHECK(go_on({}, {.stage = "itq"}));
  std::size_t seen = 0;
  const embit::progress_callback until_two = [&](const embit::progress_report& report) {
    seen = report.done;
    return report.done < 2;
  };
  CHECK(go_on(until_two, {.stage = "itq", .done = 1, .total = 5}));
  CHECK_FALSE(go_on(until_two, {.stage = "itq", .done = 2, .total = 5}));
  CHECK(seen == 2);
}
