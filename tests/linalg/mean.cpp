// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/linalg/mean.hpp>

#include <support/catch.hpp>
#include <support/normal_rows.hpp>

#include <cmath>
#include <cstdint>
#include <vector>

namespace {

using support::normal_rows;

}  // namespace

TEST_CASE("mean_row and centered agree with their definitions") {
  for (const std::size_t n : {1u, 7u, 513u}) {
    auto x = normal_rows(n, 5, n);
    for (std::size_t i = 0; i < n; ++i) x[i][2] += 1000.f;
    const auto mean = embit::mean_row(x);
    const auto moved = embit::centered(x, mean);
    for (std::size_t k = 0; k < 5; ++k) {
      double sum = 0;
      for (std::size_t i = 0; i < n; ++i) {
        sum += double{x[i][k]};
        REQUIRE(moved[i][k] == x[i][k] - mean[k]);
      }
      REQUIRE(std::abs(double{mean[k]} - sum / double(n)) <= 1e-7 * std::abs(sum / double(n)) + 1e-9);
    }
  }
  REQUIRE(embit::mean_row(embit::matrix<float>(0, 3)) == std::vector<float>(3));
  REQUIRE_THROWS_AS(embit::centered(normal_rows(2, 3, 1), std::vector<float>(2)), embit::error);
}

TEST_CASE("cross_product and covariance agree with a double reference, on any number of threads", "[threads]") {
  for (const std::size_t n : {0u, 1u, 511u, 512u, 1300u}) {
    const auto x = normal_rows(n, 19, 1), y = normal_rows(n, 33, 2);
    const auto product = embit::cross_product(x, y);
    REQUIRE(product == embit::cross_product(x, y, embit::thread_pool(2)));
    const auto center = normal_rows(1, 19, 3);
    const auto spread = embit::covariance(x, center[0]);
    REQUIRE(spread == embit::covariance(x, center[0], embit::thread_pool(2)));
    for (std::size_t p = 0; p < 19; ++p) {
      for (std::size_t q = 0; q < 33; ++q) {
        double exact = 0;
        for (std::size_t i = 0; i < n; ++i) exact += double{x[i][p]} * double{y[i][q]};
        if (!(std::abs(product[p][q] - exact) <= 1e-6 * double(n))) FAIL("cross_product " << p << ' ' << q);
      }
      for (std::size_t q = 0; q < 19; ++q) {
        double exact = 0;
        for (std::size_t i = 0; i < n; ++i)
          exact += (double{x[i][p]} - double{center[0][p]}) * (double{x[i][q]} - double{center[0][q]});
        if (n != 0) exact /= double(n);
        if (!(std::abs(spread[p][q] - exact) <= 4e-6)) FAIL("covariance " << p << ' ' << q);
        REQUIRE(spread[p][q] == spread[q][p]);
      }
    }
  }
  REQUIRE_THROWS_AS(embit::cross_product(normal_rows(2, 3, 1), normal_rows(3, 3, 1)), embit::error);
  REQUIRE_THROWS_AS(embit::covariance(normal_rows(2, 3, 1), std::vector<float>(2)), embit::error);
}
