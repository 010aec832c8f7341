// Hamming kernels in plain C++: popcounts for few queries, and for many the bit slices on whatever 16-byte vectors the
// compiler makes of its vector extension.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/block_run.hpp>
#include <embit/config.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/hamming/ops.hpp>
#include <embit/kernel/detail/hamming/slices.hpp>

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace embit::inline EMBIT_ABI::detail::hamming_portable {

inline hamming_stop interleaved(const hamming_interleaved_job& job) {
  std::size_t found = 0;
  std::size_t block = job.first_block;
  for (; block < job.last_block && found + hamming_step_rows <= hamming_interleaved_room; ++block) {
    const word* codes = job.blocks + block * job.words * block_rows;
    std::array<std::uint32_t, block_rows> distance{};
    for (std::size_t w = 0; w < job.words; ++w)
      for (std::size_t lane = 0; lane < block_rows; ++lane)
        distance[lane] += static_cast<std::uint32_t>(std::popcount(codes[w * block_rows + lane] ^ job.query[w]));
    for (std::size_t lane = 0; lane < block_rows; ++lane)
      if (distance[lane] < job.threshold)
        job.hits[found++] = {job.query_number, static_cast<std::uint32_t>(block * block_rows + lane), distance[lane]};
  }
  return {block, found};
}

#if defined(__GNUC__) || defined(__clang__)

#define EMBIT_STAMP_TARGET

struct slice {
  typedef word plane __attribute__((vector_size(16), may_alias));
  static constexpr std::size_t words = 2;

  static EMBIT_ALWAYS_INLINE plane load(const word* p) { return *reinterpret_cast<const plane*>(p); }
  static EMBIT_ALWAYS_INLINE void store(word* p, plane x) { *reinterpret_cast<plane*>(p) = x; }
  static EMBIT_ALWAYS_INLINE plane zero() { return plane{0, 0}; }
  static EMBIT_ALWAYS_INLINE plane broadcast(word x) { return plane{x, x}; }
  static EMBIT_ALWAYS_INLINE bool any(plane x) { return (x[0] | x[1]) != 0; }
  static EMBIT_ALWAYS_INLINE plane bit_not(plane x) { return ~x; }
  static EMBIT_ALWAYS_INLINE plane bit_and(plane a, plane b) { return a & b; }
  static EMBIT_ALWAYS_INLINE plane bit_xor(plane a, plane b) { return a ^ b; }
  static EMBIT_ALWAYS_INLINE plane majority(plane a, plane b, plane c) { return (a & b) | (c & (a | b)); }
  static EMBIT_ALWAYS_INLINE plane less(plane p, plane l, plane t) { return (l & t) | (~p & (l | t)); }
  // The carry is a where a = b, else the old s (or its complement).
  static EMBIT_ALWAYS_INLINE plane add(plane& s, plane a, plane b) {
    const plane differs = a ^ s;
    s = differs ^ b;
    return a ^ ((a ^ b) & differs);
  }
  static EMBIT_ALWAYS_INLINE plane add_inverted(plane& s, plane a, plane b) {
    const plane differs = a ^ s;
    s = differs ^ b;
    return a ^ ((a ^ b) & ~differs);
  }

  template <int Shift>
  static EMBIT_ALWAYS_INLINE void exchange(plane& x, plane& y) {
    constexpr word low = ~word{0} / ((word{1} << Shift) + 1);  // positions with bit `Shift` clear
    const plane moved = ((x >> Shift) ^ y) & low;
    y ^= moved;
    x ^= moved << Shift;
  }

  static EMBIT_ALWAYS_INLINE void load_rows(const word* p, std::size_t stride, plane* r) {
    for (std::size_t lane = 0; lane < block_rows; ++lane) r[lane] = plane{p[lane], p[stride + lane]};
  }
};

#include <embit/kernel/detail/hamming/sliced_body.hpp>
#undef EMBIT_STAMP_TARGET

inline constexpr hamming_ops ops{interleaved, &sliced, 2, 1};
#else
inline constexpr hamming_ops ops{interleaved, nullptr, 0, 0};
#endif

}  // namespace embit::inline EMBIT_ABI::detail::hamming_portable
