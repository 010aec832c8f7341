#include <embit/core/isa.hpp>

#include <support/catch.hpp>
#include <support/matchers.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>

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

#if EMBIT_X86
// A feature without a question to the processor would count as missing everywhere, and its level would never run.
TEST_CASE("each feature that a target names is asked for by a name that is known", "[isa]") {
  using embit::detail::processor_has, embit::detail::processor_has_all;
  std::ifstream file("/proc/cpuinfo");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto listed = [&](const char* name) { return text.find(' ' + std::string(name) + ' ') != std::string::npos; };
  const std::pair<const char*, const char*> names[] = {{"avx2", "avx2"},
                                                       {"fma", "fma"},
                                                       {"f16c", "f16c"},
                                                       {"bmi", "bmi1"},
                                                       {"bmi2", "bmi2"},
                                                       {"popcnt", "popcnt"},
                                                       {"lzcnt", "abm"},
                                                       {"avx512f", "avx512f"},
                                                       {"avx512bw", "avx512bw"},
                                                       {"avx512dq", "avx512dq"},
                                                       {"avx512vl", "avx512vl"},
                                                       {"avx512vpopcntdq", "avx512_vpopcntdq"},
                                                       {"sse4.2", "sse4_2"},
                                                       {"pclmul", "pclmulqdq"},
                                                       {"vpclmulqdq", "vpclmulqdq"},
                                                       {"avx512vnni", "avx512_vnni"}};
  std::string known = ",";
  for (const auto& [name, of_linux] : names) {
    known += std::string(name) + ',';
    INFO(name);
    if (!text.empty()) CHECK(processor_has(name) == listed(of_linux));
  }
  std::string_view features(EMBIT_FEATURES_VPOPCNT);
  for (std::size_t comma = 0; comma != std::string_view::npos; features.remove_prefix(comma + 1)) {
    comma = features.find(',');
    CHECK(known.find(',' + std::string(features.substr(0, comma)) + ',') != std::string::npos);
    if (comma == std::string_view::npos) break;
  }
  CHECK_FALSE(processor_has("avx1024"));
  CHECK_FALSE(processor_has_all("popcnt,avx1024"));
}
#endif

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
