// Codes of random bits, quickly.
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/core/random.hpp>
#include <embit/store/code_store.hpp>

#include <cstddef>
#include <cstdint>

namespace support {

inline embit::code_store<> random_codes(std::size_t n, std::size_t bits, std::uint64_t seed) {
  embit::rng rng{seed};
  embit::code_store<> codes(n, bits);
  for (std::size_t i = 0; i < n; ++i) {
    const auto row = codes.row(i);
    for (embit::word& w : row) w = rng();
    row.back() &= embit::tail_mask(bits);
  }
  return codes;
}

}  // namespace support
