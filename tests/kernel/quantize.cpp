// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/kernel/quantize.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace {

using embit::detail::ops_at, embit::detail::quantize_ops;

std::vector<float> row_of(std::size_t dims, std::uint64_t seed) {
  embit::rng rng{seed};
  std::vector<float> x(dims);
  for (float& v : x) v = embit::normal(rng);
  if (dims > 3) x[3] = 0;
  if (dims > 5) x[5] = -40;
  return x;
}

// The planes of one row of a block, 32 bytes apart; 0xcc marks bytes of other rows.
std::vector<std::uint8_t> planes_of(const quantize_ops& level, const std::vector<float>& x, float inverse_step,
                                    std::size_t bits, embit::grid_sums& sums) {
  std::vector<std::uint8_t> out(bits * ((x.size() + 7) / 8) * 32, 0xcc);
  sums = level.row(x.data(), x.size(), inverse_step, bits, out.data());
  return out;
}

std::uint32_t level_at(const std::vector<std::uint8_t>& planes, std::size_t dims, std::size_t bits, std::size_t j) {
  std::uint32_t level = 0;
  for (std::size_t p = 0; p < bits; ++p)
    level = level << 1 | (planes[(p * ((dims + 7) / 8) + j / 8) * 32] >> j % 8 & 1);
  return level;
}

}  // namespace

TEST_CASE("a row on the grid has the levels and sums of their definition, the same at every SIMD level") {
  for (const std::size_t dims : {1u, 7u, 8u, 9u, 15u, 16u, 17u, 100u, 127u, 128u, 1000u})
    for (std::size_t bits = 1; bits <= 8; ++bits) {
      const auto x = row_of(dims, dims);
      const float inverse_step = .3f * static_cast<float>(1u << (bits - 1));
      embit::grid_sums expected;
      const auto planes = planes_of(ops_at<quantize_ops>(embit::isa::portable), x, inverse_step, bits, expected);
      double magnitude = 0, product = 0;
      std::uint64_t energy = 0;
      for (std::size_t j = 0; j < dims; ++j) {
        const auto u = static_cast<int>(
            std::min(std::floor(double{inverse_step * std::abs(x[j])}), static_cast<double>((1 << (bits - 1)) - 1)));
        const int y = x[j] > 0 ? 2 * u + 1 : -2 * u - 1;
        REQUIRE(2 * static_cast<int>(level_at(planes, dims, bits, j)) - (1 << bits) + 1 == y);
        magnitude += std::abs(double{x[j]});
        product += double{x[j]} * (x[j] == 0 ? 0 : y);
        energy += static_cast<std::uint64_t>(y * y);
      }
      REQUIRE(expected.magnitude == Approx(magnitude));
      REQUIRE(expected.product == Approx(product));
      REQUIRE(expected.energy == energy);
      for (std::size_t i = 0; i < planes.size(); ++i)
        if (i % 32 != 0) REQUIRE(planes[i] == 0xcc);
      for (const embit::isa level : embit::supported_isas()) {
        embit::grid_sums sums;
        const auto& functions = ops_at<quantize_ops>(level);
        REQUIRE(planes_of(functions, x, inverse_step, bits, sums) == planes);
        REQUIRE(sums.magnitude == expected.magnitude);
        REQUIRE(sums.product == expected.product);
        REQUIRE(sums.energy == expected.energy);
        REQUIRE(functions.square(x.data(), dims) == ops_at<quantize_ops>(embit::isa::portable).square(x.data(), dims));
      }
    }
}

TEST_CASE("padding bits stay clear, and steps beyond all bounds give the outermost levels") {
  for (const std::size_t dims : {1u, 9u, 20u})
    for (const embit::isa level : embit::supported_isas())
      for (const float inverse_step : {0.f, std::numeric_limits<float>::infinity()}) {
        const std::vector<float> x(dims, -2.f);
        embit::grid_sums sums;
        const auto planes = planes_of(ops_at<quantize_ops>(level), x, inverse_step, 3, sums);
        for (std::size_t j = 0; j < (dims + 7) / 8 * 8; ++j)
          REQUIRE(level_at(planes, dims, 3, j) == (j < dims && inverse_step == 0 ? 3u : 0u));
        REQUIRE(sums.energy == dims * (inverse_step == 0 ? 1 : 49));
      }
}

TEST_CASE("dropping low planes of a code on a uniform grid gives the code of the coarser grid") {
  for (const std::size_t dims : {7u, 64u, 100u}) {
    const auto x = row_of(dims, 7);
    embit::grid_sums sums;
    const auto& functions = ops_at<quantize_ops>(embit::active_isa());
    const auto longest = planes_of(functions, x, 37.f, 8, sums);
    for (std::size_t bits = 1; bits < 8; ++bits) {
      const auto planes = planes_of(functions, x, 37.f / static_cast<float>(1u << (8 - bits)), bits, sums);
      REQUIRE(std::equal(planes.begin(), planes.end(), longest.begin()));
    }
  }
}
