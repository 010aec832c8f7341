#include <embit/core/isa.hpp>

#include <support/catch.hpp>
#include <support/matchers.hpp>

#include <algorithm>
#include <cstdlib>
#include <string>

using embit::isa;
using embit::detail::choose_isa;

TEST_CASE("the portable level runs everywhere and is the slowest", "[isa]") {
  const auto levels = embit::supported_isas();
  REQUIRE_FALSE(levels.empty());
  CHECK(levels.front() == isa::portable);
  CHECK(std::is_sorted(levels.begin(), levels.end()));
  for (const isa level : levels) CHECK(embit::supports(level));
}

TEST_CASE("a level that builds on another is supported only with it", "[isa]") {
  if (embit::supports(isa::vpopcnt)) CHECK(embit::supports(isa::avx512));
  if (embit::supports(isa::avx512)) CHECK(embit::supports(isa::avx2));
  CHECK_FALSE((embit::supports(isa::neon) && embit::supports(isa::avx2)));
}

TEST_CASE("nothing forced gives the best level", "[isa]") {
  CHECK(choose_isa(nullptr) == embit::supported_isas().back());
  CHECK(choose_isa("") == embit::supported_isas().back());
}

TEST_CASE("a name forces its level, or says why not", "[isa]") {
  for (const isa level : {isa::portable, isa::avx2, isa::avx512, isa::vpopcnt, isa::neon}) {
    const std::string name(embit::name_of(level));
    if (embit::supports(level)) {
      CHECK(choose_isa(name.c_str()) == level);
    } else {
      CHECK_THROWS_WITH(choose_isa(name.c_str()), "EMBIT_ISA=" + name + ": this machine or build cannot run it");
    }
  }
  CHECK_THROWS_WITH(choose_isa("sse9"), Catch::Matchers::StartsWith("EMBIT_ISA=sse9: not one of portable"));
  CHECK_THROWS_WITH(choose_isa("AVX2"), Catch::Matchers::ContainsSubstring("not one of"));
}

TEST_CASE("the active level is the chosen one", "[isa]") {
  CHECK(embit::active_isa() == choose_isa(std::getenv("EMBIT_ISA")));
}
