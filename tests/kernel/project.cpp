// SPDX-License-Identifier: MIT
#include <embit/core/isa.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/kernel/project.hpp>

#include <support/catch.hpp>
#include <support/normal_rows.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace {

using support::normal_rows;

}  // namespace

TEST_CASE("project packs the signs of the product, at every level", "[threads]") {
  for (const std::size_t bits : {1u, 15u, 63u, 64u, 65u, 127u, 257u})
    for (const std::size_t n : {0u, 1u, 7u, 50u}) {
      const std::size_t dim = 33, words = embit::words_for(bits);
      const auto rows = normal_rows(n, dim, 1), planes = normal_rows(bits, dim, 2);
      const auto cut = normal_rows(1, bits, 3);
      const embit::projection_planes plain(planes.view()), shifted(planes.view(), cut[0]);
      for (const auto level : embit::supported_isas()) {
        embit::matrix<float> product(n, bits);
        embit::gemm(rows, plain.planes(), product, {}, level);
        std::vector<embit::word> at_zero(n * words, ~embit::word{0}), at_cut(n * words, ~embit::word{0});
        embit::project(rows, plain, at_zero, {}, level);
        embit::project(rows, shifted, at_cut, embit::thread_pool(2), level);
        for (std::size_t i = 0; i < n; ++i) {
          std::vector<embit::word> zero(words), above(words);
          for (std::size_t j = 0; j < bits; ++j) {
            zero[j / 64] |= embit::word{product[i][j] > 0.f} << j % 64;
            above[j / 64] |= embit::word{product[i][j] > cut[0][j]} << j % 64;
          }
          for (std::size_t w = 0; w < words; ++w) {
            REQUIRE(at_zero[i * words + w] == zero[w]);
            REQUIRE(at_cut[i * words + w] == above[w]);
          }
        }
      }
    }
}

TEST_CASE("a code of project does not depend on the batch") {
  // Rows that are orthogonal to planes but for rounding: any change in the order of summation shows here.
  const std::size_t n = 101, dim = 384, bits = 130, words = 3;
  auto planes = normal_rows(bits, dim, 4);
  auto rows = normal_rows(n, dim, 5);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = 0; k < dim; k += 2) {
      rows[i][k] = planes[i % bits][k + 1];
      rows[i][k + 1] = -planes[i % bits][k];
    }
  const embit::projection_planes packed(planes.view());
  for (const auto level : embit::supported_isas()) {
    std::vector<embit::word> all(n * words), some(n * words);
    embit::project(rows, packed, all, {}, level);
    for (const std::size_t step : {1u, 2u, 5u, 6u, 11u}) {
      for (std::size_t i = 0; i < n; i += step) {
        const std::size_t count = std::min(step, n - i);
        embit::project(rows.view().middle_rows(i, count), packed, std::span(some).subspan(i * words, count * words), {},
                       level);
      }
      REQUIRE(some == all);
    }
  }
}

TEST_CASE("project refuses rows that are not finite and sizes that do not fit") {
  const auto planes = normal_rows(70, 12, 6);
  const embit::projection_planes packed(planes.view());
  std::vector<embit::word> codes(40);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const std::size_t row : {0u, 5u, 6u, 19u}) {
      auto rows = normal_rows(20, 12, 7);
      rows[row][11] = bad;
      rows[19][0] = bad;
      try {
        embit::project(rows, packed, codes);
        FAIL("not finite");
      } catch (const embit::error& e) {
        REQUIRE(e.code() == embit::errc::not_finite);
        REQUIRE(std::string(e.what()).find("row " + std::to_string(row) + ",") != std::string::npos);
      }
    }
  }
  embit::matrix<float> huge(20, 12, 3e38f);  // finite, though its products overflow
  REQUIRE_NOTHROW(embit::project(huge, packed, codes));
  REQUIRE_THROWS_AS(embit::project(normal_rows(20, 11, 1), packed, codes), embit::error);
  REQUIRE_THROWS_AS(embit::project(normal_rows(19, 12, 1), packed, codes), embit::error);
  REQUIRE_THROWS_AS(embit::projection_planes(planes.view(), std::vector<float>(69)), embit::error);
}
