// Codes to measure on: uniform, clustered in Hamming space, and hashed from clusters of real vectors; and the sets of
// them that benchmarks of indexes share.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/random.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bench {

enum class code_data { uniform, clustered, hashed };

inline std::string_view name_of(code_data data) {
  return data == code_data::uniform ? "uniform" : data == code_data::clustered ? "clustered" : "hashed";
}

namespace detail {

inline void fill(std::span<embit::word> row, embit::rng& rng) {
  for (auto& w : row) w = rng();
}

/// Around n/1000 random centres, each bit flipped with probability 1/8.
inline void cluster(embit::code_store<>& codes, std::size_t n, embit::rng& rng) {
  embit::code_store<> centres(std::max<std::size_t>(n / 1000, 1), codes.bits());
  for (std::size_t i = 0; i < centres.size(); ++i) fill(centres.row(i), rng);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const auto centre = centres[embit::uniform_index(rng, centres.size())];
    for (std::size_t w = 0; w < centre.size(); ++w) codes.row(i)[w] = centre[w] ^ (rng() & rng() & rng());
  }
}

/// Roughly normal, as a sum of uniforms: millions of these are drawn.
inline float bell(embit::rng& rng) {
  const std::uint64_t r = rng();
  float sum = 0;
  for (int i = 0; i < 4; ++i) sum += static_cast<float>(r >> 16 * i & 0xffff);
  return sum / 65536.f - 2.f;
}

/// Signs of random projections of 32-d points around n/1000 centres that share a few strong directions, as real
/// embeddings do.
inline void hash(embit::code_store<>& codes, std::size_t n, embit::rng& rng) {
  constexpr std::size_t dim = 32;
  std::vector<float> centres(std::max<std::size_t>(n / 1000, 1) * dim), planes(codes.bits() * dim);
  for (std::size_t i = 0; i < centres.size(); ++i)
    centres[i] = bell(rng) * 2.f / (1.f + 0.15f * static_cast<float>(i % dim));
  for (auto& x : planes) x = bell(rng);
  std::vector<float> point(dim);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const float* centre = centres.data() + embit::uniform_index(rng, centres.size() / dim) * dim;
    for (std::size_t j = 0; j < dim; ++j) point[j] = centre[j] + 0.5f * bell(rng);
    for (std::size_t b = 0; b < codes.bits(); ++b) {
      float dot = 0;
      for (std::size_t j = 0; j < dim; ++j) dot += point[j] * planes[b * dim + j];
      codes.row(i)[b / 64] |= embit::word{dot > 0} << b % 64;
    }
  }
}

}  // namespace detail

/// `n` codes and, of the same making, `queries` more.
inline std::pair<embit::code_store<>, embit::code_store<>> make_codes(code_data data, std::size_t n,
                                                                      std::size_t queries, std::size_t bits) {
  embit::rng rng{42};
  embit::code_store<> all(n + queries, bits);
  switch (data) {
    case code_data::uniform:
      for (std::size_t i = 0; i < all.size(); ++i) detail::fill(all.row(i), rng);
      break;
    case code_data::clustered: detail::cluster(all, n, rng); break;
    case code_data::hashed: detail::hash(all, n, rng); break;
  }
  return {embit::code_store<>(all.view().middle_rows(0, n)), embit::code_store<>(all.view().middle_rows(n, queries))};
}

/// A set of codes, the same in every benchmark that names it.
struct code_set {
  code_data data;
  std::size_t bits, size;

  std::string name() const {
    return std::string(name_of(data)) + '/' + std::to_string(bits) + '/' + std::to_string(size / 1'000'000) + 'M';
  }
  /// The codes, and queries of the same making.
  auto make(std::size_t queries) const { return make_codes(data, size, queries, bits); }

  friend bool operator==(const code_set&, const code_set&) = default;
};

/// A million codes of each kind, and ten million where EMBIT_BENCH_LARGE is set.
inline std::vector<code_set> code_sets() {
  std::vector<code_set> sets;
  for (const std::size_t size : {1'000'000u, 10'000'000u})
    for (const code_data data : {code_data::uniform, code_data::clustered, code_data::hashed})
      for (const std::size_t bits : {64u, 128u})
        if (size == 1'000'000 || std::getenv("EMBIT_BENCH_LARGE") != nullptr) sets.push_back({data, bits, size});
  return sets;
}

}  // namespace bench
