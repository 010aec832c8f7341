// SPDX-License-Identifier: MIT
#include <embit/core/isa.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/kernel/gemm.hpp>

#include <support/catch.hpp>
#include <support/normal_rows.hpp>

#include <cmath>
#include <cstdint>
#include <string>

namespace {

using support::normal_rows;

// Compared by == on floats: the product promises the same float, not a near one.
bool same(embit::matrix_view<const float> a, embit::matrix_view<const float> b) {
  for (std::size_t i = 0; i < a.rows(); ++i)
    for (std::size_t j = 0; j < a.cols(); ++j)
      if (a[i][j] != b[i][j]) return false;
  return true;
}

}  // namespace

TEST_CASE("gemm agrees with a double reference at every level and any size") {
  for (const std::size_t n : {0u, 1u, 5u, 6u, 7u, 13u})
    for (const std::size_t m : {1u, 15u, 16u, 17u, 48u, 63u, 64u, 65u, 130u})
      for (const std::size_t dim : {0u, 1u, 2u, 31u, 200u}) {
        const auto a = normal_rows(n, dim, 1), b = normal_rows(m, dim, 2);
        const embit::row_panels panels(b.view());
        embit::matrix<float> first_fused;
        for (const auto level : embit::supported_isas()) {
          embit::matrix<float> c(n, m, -1.f);
          embit::gemm(a, panels, c, {}, level);
          for (std::size_t i = 0; i < n; ++i)
            for (std::size_t j = 0; j < m; ++j) {
              double exact = 0, size = 0;
              for (std::size_t k = 0; k < dim; ++k) {
                exact += double{a[i][k]} * double{b[j][k]};
                size += std::abs(double{a[i][k]} * double{b[j][k]});
              }
              if (!(std::abs(double{c[i][j]} - exact) <= 2e-6 * size)) {
                CAPTURE(n, m, dim, i, j, embit::name_of(level));
                FAIL("differs from the reference");
              }
            }
          if (level == embit::isa::portable) continue;
          if (first_fused.rows() == 0) first_fused = c;
          REQUIRE(same(c, first_fused));
        }
      }
}

TEST_CASE("an element of gemm does not depend on the batch, the threads or the strides", "[threads]") {
  const std::size_t n = 513, m = 65, dim = 300;
  const auto wide = normal_rows(n, dim + 9, 3), b = normal_rows(m, dim, 4);
  const embit::matrix_view<const float> a(wide.data() + 5, n, dim, dim + 9);
  const embit::row_panels panels(b.view());
  for (const auto level : embit::supported_isas()) {
    embit::matrix<float> all(n, m), threaded(n, m), alone(1, m), padded(n, m + 3, 7.f);
    embit::gemm(a, panels, all, {}, level);
    embit::gemm(a, panels, threaded, embit::thread_pool(3), level);
    REQUIRE(all == threaded);
    const embit::matrix_view<float> inside(padded.data() + 1, n, m, m + 3);
    embit::gemm(a, panels, inside, {}, level);
    REQUIRE(same(inside, all));
    for (std::size_t i = 0; i < n; ++i) {
      REQUIRE(padded[i][0] == 7.f);
      REQUIRE(padded[i][m + 1] == 7.f);
      embit::gemm(a.middle_rows(i, 1), panels, alone, {}, level);
      REQUIRE(same(alone, all.view().middle_rows(i, 1)));
    }
  }
}

TEST_CASE("gemm by default runs at the active level and refuses sizes that do not fit") {
  const auto a = normal_rows(9, 20, 5), b = normal_rows(17, 20, 6);
  embit::matrix<float> c(9, 17), d(9, 17);
  embit::gemm(a, b, c);
  embit::gemm(a, embit::row_panels(b.view()), d, {}, embit::active_isa());
  REQUIRE(c == d);
  embit::matrix<float> wrong(17, 9);
  REQUIRE_THROWS_AS(embit::gemm(a, b, wrong), embit::error);
  for (const auto level : embit::all_isas)
    if (!embit::supports(level)) REQUIRE_THROWS_AS(embit::gemm(a, b, c, {}, level), embit::error);
  try {
    embit::gemm(a, normal_rows(17, 21, 7), c);
    FAIL("dimensions differ");
  } catch (const embit::error& e) {
    REQUIRE(std::string(e.what()).find("20") != std::string::npos);
    REQUIRE(std::string(e.what()).find("21") != std::string::npos);
  }
}

TEST_CASE("row_panels give their rows back") {
  for (const std::size_t m : {1u, 16u, 33u}) {
    const auto b = normal_rows(m, 7, m);
    const embit::row_panels panels(b.view());
    REQUIRE(panels.rows() == m);
    REQUIRE(panels.dim() == 7);
    embit::matrix<float> back(m, 7);
    for (std::size_t j = 0; j < m; ++j) panels.copy_row(j, back[j]);
    REQUIRE(back == b);
  }
}

TEST_CASE("row_panels of columns are those of the transpose") {
  for (const std::size_t m : {0u, 1u, 15u, 16u, 33u, 64u})
    for (const std::size_t dim : {0u, 1u, 7u, 50u}) {
      const auto wide = normal_rows(dim, m + 3, m + dim);
      const embit::matrix_view<const float> values(wide.data() + 2, dim, m, m + 3);
      const auto panels = embit::row_panels::of_columns(values);
      REQUIRE(panels.rows() == m);
      REQUIRE(panels.dim() == dim);
      embit::matrix<float> turned(m, dim), c(5, m), expected(5, m);
      for (std::size_t j = 0; j < m; ++j)
        for (std::size_t k = 0; k < dim; ++k) turned[j][k] = values[k][j];
      const auto a = normal_rows(5, dim, 9);
      embit::gemm(a, panels, c);
      embit::gemm(a, turned, expected);
      REQUIRE(c == expected);
    }
}
