#include <embit/codes/plan_bands.hpp>

#include <cmath>
#include <cstddef>

#include <support/catch.hpp>
#include <support/refusal.hpp>

using embit::band_plan;
using embit::plan_bands;

TEST_CASE("bands are the longest that find what is similar enough, and no more of them than that takes",
          "[plan_bands]") {
  for (const std::size_t hashes : {std::size_t{1}, std::size_t{16}, std::size_t{100}, std::size_t{128}})
    for (const std::size_t bits : {std::size_t{1}, std::size_t{8}})
      for (const double similarity : {.3, .5, .8, .95, 1.}) {
        const double recall = .95, agreement = embit::hash_agreement(similarity, bits);
        const band_plan plan = plan_bands({hashes, bits, similarity, recall});
        CAPTURE(hashes, bits, similarity, plan.bands, plan.hashes);
        REQUIRE(plan.bands >= 1);
        REQUIRE(plan.hashes >= 1);
        REQUIRE(plan.bands * plan.hashes <= hashes);
        const std::size_t longer = plan.hashes + 1;
        if (longer <= hashes) CHECK(band_plan{hashes / longer, longer}.chance(agreement) < recall);
        if (plan.chance(agreement) < recall) {
          CHECK(plan == band_plan{hashes, 1});
        } else if (plan.bands > 1 && plan.hashes > 1) {
          CHECK(band_plan{plan.bands - 1, plan.hashes}.chance(agreement) < recall);
        }
      }
  CHECK(plan_bands({.hashes = 128, .bits_per_hash = 8, .similarity = 1}) == band_plan{1, 128});
}

TEST_CASE("the chance of a band in common is what independent hashes have", "[plan_bands]") {
  CHECK(band_plan{1, 1}.chance(.25) == Approx(.25));
  CHECK(band_plan{2, 1}.chance(.5) == Approx(.75));
  CHECK(band_plan{3, 2}.chance(.5) == Approx(1 - .75 * .75 * .75));
  CHECK(band_plan{7, 5}.chance(0) == 0);
  CHECK(band_plan{7, 5}.chance(1) == 1);
  CHECK(embit::hash_agreement(.5, 1) == Approx(.75));
  CHECK(embit::hash_agreement(1, 8) == 1);
}

TEST_CASE("bands of nothing are refused", "[plan_bands]") {
  using support::code_of;
  CHECK(code_of([] { plan_bands({.hashes = 0}); }) == embit::errc::argument);
  CHECK(code_of([] { plan_bands({.hashes = 8, .bits_per_hash = 0}); }) == embit::errc::argument);
  for (const double bad : {0., -1., 1.5, std::nan("")})
    CHECK(code_of([&] { plan_bands({.hashes = 8, .similarity = bad}); }) == embit::errc::argument);
  for (const double bad : {0., 1., std::nan("")})
    CHECK(code_of([&] { plan_bands({.hashes = 8, .recall = bad}); }) == embit::errc::argument);
}
