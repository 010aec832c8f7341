// SPDX-License-Identifier: MIT
#include <embit/core/matrix.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/catch.hpp"

namespace {

float sum(embit::matrix_view<const float> m) {
  float total = 0;
  for (std::size_t i = 0; i < m.rows(); ++i)
    for (const float x : m[i]) total += x;
  return total;
}

template <class M>
concept Viewable = requires(M&& m) {
  std::forward<M>(m).view();
};
static_assert(Viewable<embit::matrix<float>&> && Viewable<const embit::matrix<float>&>);
static_assert(!Viewable<embit::matrix<float>> && !Viewable<const embit::matrix<float>>);
static_assert(std::is_convertible_v<embit::matrix<float>&, embit::matrix_view<float>>);
static_assert(!std::is_convertible_v<const embit::matrix<float>&, embit::matrix_view<float>>);

}  // namespace

TEST_CASE("a matrix owns its rows and shows them as a view") {
  embit::matrix<float> m(7, 13);
  std::iota(m.values().begin(), m.values().end(), 0.0f);
  CHECK(reinterpret_cast<std::uintptr_t>(m.data()) % embit::buffer_alignment == 0);
  CHECK(m[6][12] == 90.0f);
  CHECK(m.view().rows() == 7);
  CHECK(m.view().cols() == 13);
  CHECK(sum(m) == 91 * 45.0f);
  CHECK(sum(embit::matrix<float>(2, 3, 1.0f)) == 6.0f);

  const embit::matrix<float> middle(std::as_const(m).view().middle_rows(2, 3));
  CHECK(middle.rows() == 3);
  CHECK(middle[0][0] == 26.0f);
  CHECK(middle[2][12] == 64.0f);
}

TEST_CASE("copies are equal and apart, a moved-from matrix is empty") {
  embit::matrix<int> a(2, 2, 5);
  embit::matrix<int> b = a;
  CHECK(a == b);
  b[1][1] = 6;
  CHECK_FALSE(a == b);
  const embit::matrix<int> c = std::move(a);
  CHECK(c[1][1] == 5);
  CHECK(a.rows() == 0);
  CHECK(a.view().empty());
  a = std::move(b);
  CHECK(a[1][1] == 6);
  CHECK(b.cols() == 0);
}

TEST_CASE("a matrix that no memory can hold is refused") {
  const std::size_t huge = std::numeric_limits<std::size_t>::max() / 2;
  CHECK_THROWS_AS(embit::matrix<float>(huge, 3), embit::error);
  CHECK(embit::matrix<float>(huge, 0).rows() == huge);
}

TEST_CASE("a matrix without a fill is zero; one that is not has another name") {
  std::vector<embit::matrix<float>> before(4, embit::matrix<float>(31, 7, 3.f));
  before.clear();  // what its memory holds next is not zero by itself
  for (int i = 0; i < 4; ++i) {
    const embit::matrix<float> m(31, 7);
    for (const float x : m.values()) CHECK(x == 0);
  }
  const auto written_whole = embit::matrix<double>::uninitialized(3, 5);
  CHECK(written_whole.rows() == 3);
  CHECK(written_whole.cols() == 5);
  CHECK_THROWS_AS(embit::matrix<double>::uninitialized(std::size_t(-1), 5), embit::error);
}
