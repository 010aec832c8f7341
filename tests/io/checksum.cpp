// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/io/checksum.hpp>
#include <embit/io/detail/crc32c.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/temp_dir.hpp"

namespace {

/// One bit at a time, from the definition.
std::uint32_t by_definition(std::span<const std::byte> bytes) {
  std::uint32_t state = ~0u;
  for (const std::byte b : bytes) {
    state ^= static_cast<std::uint32_t>(b);
    for (int bit = 0; bit < 8; ++bit) state = (state >> 1) ^ ((state & 1u) != 0 ? 0x82f63b78u : 0u);
  }
  return ~state;
}

std::vector<std::byte> random_bytes(std::size_t size) {
  embit::rng rng{7};
  std::vector<std::byte> bytes(size);
  for (auto& b : bytes) b = static_cast<std::byte>(rng() >> 56);
  return bytes;
}

}  // namespace

TEST_CASE("known values of CRC-32C") {
  // The vectors of RFC 3720, appendix B.4, and the customary check value.
  CHECK(embit::crc32c(support::bytes_of("123456789")) == 0xe3069283u);
  CHECK(embit::crc32c({}) == 0u);
  CHECK(embit::crc32c(support::bytes_of(std::string(32, '\0'))) == 0x8a9136aau);
  CHECK(embit::crc32c(support::bytes_of(std::string(32, '\xff'))) == 0x62a8ab43u);
  std::string rising(32, '\0');
  for (std::size_t i = 0; i < 32; ++i) rising[i] = static_cast<char>(i);
  CHECK(embit::crc32c(support::bytes_of(rising)) == 0x46dd794eu);
}

TEST_CASE("every path gives the value of the definition at odd sizes and alignments") {
  if (!embit::detail::crc32c_supported()) WARN("no CRC-32C instruction here: only the portable path is compared");
  const auto bytes = random_bytes(250000);
  for (const std::size_t size : {0u,    1u,     7u,     8u,     9u,      63u,     64u,     65u,     255u,   256u,
                                 511u,  512u,   513u,   767u,   768u,    1100u,   1535u,   1536u,   1537u,  3071u,
                                 3079u, 12287u, 12288u, 13831u, 196607u, 196608u, 196609u, 210431u, 249991u})
    for (std::size_t offset = 0; offset < 9; ++offset) {
      const auto part = std::span(bytes).subspan(offset, size);
      const std::uint32_t expected = by_definition(part);
      const bool portable = ~embit::detail::crc32c_portable(~0u, part.data(), size) == expected;
      const bool hardware =
          !embit::detail::crc32c_supported() || ~embit::detail::crc32c_hardware(~0u, part.data(), size) == expected;
      const bool folded =
          !embit::detail::crc32c_fold_supported() || ~embit::detail::crc32c_fold(~0u, part.data(), size) == expected;
      INFO(size << " bytes at " << offset);
      CHECK((portable && hardware && folded && embit::crc32c(part) == expected));
    }
}

TEST_CASE("a checksum continues over pieces cut anywhere") {
  const auto bytes = random_bytes(5000);
  const std::span all(bytes);
  const std::uint32_t whole = embit::crc32c(all);
  std::size_t wrong = 0;
  for (std::size_t cut = 0; cut <= bytes.size(); cut += 13)
    wrong += embit::crc32c(all.subspan(cut), embit::crc32c(all.first(cut))) != whole;
  CHECK(wrong == 0);
}
