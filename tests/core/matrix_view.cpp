#include <embit/core/matrix_view.hpp>

#include <Eigen/Core>
#include <support/catch.hpp>
#include <support/matchers.hpp>
#include <support/refusal.hpp>

#include <cmath>
#include <limits>
#include <vector>

using embit::errc;
using embit::matrix_view;
using support::code_of;
using row_matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using column_matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic>;

namespace {

template <class M>
concept Viewable = requires(M&& m) {
  embit::view(std::forward<M>(m));
};

row_matrix counting(Eigen::Index rows, Eigen::Index cols) {
  row_matrix m(rows, cols);
  for (Eigen::Index i = 0; i < m.size(); ++i) m.data()[i] = static_cast<float>(i);
  return m;
}

}  // namespace

TEST_CASE("a view shows rows where they lie", "[matrix_view]") {
  std::vector<int> numbers{0, 1, 2, 3, 4, 5, 6, 7};
  const matrix_view<int> m(numbers.data(), 2, 3, 4);
  CHECK(m.rows() == 2);
  CHECK(m.cols() == 3);
  CHECK(m.size() == 2);
  CHECK(m[1].size() == 3);
  CHECK(m[1][2] == 6);
  m[1][2] = 60;
  CHECK(numbers[6] == 60);
  const matrix_view<const int> readable = m;
  CHECK(readable.data() == numbers.data());
  CHECK(readable.stride() == 4);
}

TEST_CASE("an empty view has nothing", "[matrix_view]") {
  const matrix_view<const float> none;
  CHECK(none.empty());
  CHECK(none.middle_rows(0, 0).empty());
  const matrix_view<const float> no_columns(nullptr, 5, 0);
  CHECK(no_columns.rows() == 5);
}

TEST_CASE("shapes that cannot be are refused", "[matrix_view]") {
  float x[4]{};
  CHECK(code_of([&] { matrix_view<float>(x, 2, 3, 2); }) == errc::shape);
  CHECK(code_of([] { matrix_view<float>(nullptr, 2, 3); }) == errc::shape);
  CHECK_THROWS_WITH((matrix_view<float>(x, 2, 3, 2)),
                    Catch::Matchers::ContainsSubstring("stride 2") && Catch::Matchers::ContainsSubstring("cols 3"));
  CHECK_NOTHROW(matrix_view<float>(x, 1, 3, 0));  // one row has no next
}

TEST_CASE("middle_rows takes a part, and only a part that is there", "[matrix_view]") {
  std::vector<float> numbers(513 * 3);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i);
  const matrix_view<const float> all(numbers.data(), 513, 3);
  const auto part = all.middle_rows(100, 413);
  CHECK(part.rows() == 413);
  CHECK(part[0][0] == 300.0f);
  CHECK(all.middle_rows(513, 0).empty());
  CHECK(code_of([&] { all.middle_rows(514, 0); }) == errc::out_of_range);
  CHECK(code_of([&] { all.middle_rows(1, 513); }) == errc::out_of_range);
  CHECK(code_of([&] { all.middle_rows(1, static_cast<std::size_t>(-1)); }) == errc::out_of_range);
}

TEST_CASE("Eigen matrices, maps and blocks are viewed without a copy", "[matrix_view]") {
  row_matrix m = counting(7, 5);
  const auto whole = embit::view(m);
  STATIC_REQUIRE(std::is_same_v<decltype(whole), const matrix_view<float>>);
  CHECK(whole.data() == m.data());
  CHECK(whole[6][4] == 34.0f);

  const row_matrix& constant = m;
  STATIC_REQUIRE(std::is_same_v<decltype(embit::view(constant)), matrix_view<const float>>);

  const auto block = embit::view(m.block(2, 1, 3, 2));
  CHECK(block.rows() == 3);
  CHECK(block.cols() == 2);
  CHECK(block.stride() == 5);
  CHECK(block[2][1] == 22.0f);

  const Eigen::Map<const row_matrix> map(m.data(), 5, 7);
  CHECK(embit::view(map)[4][6] == 34.0f);
}

TEST_CASE("the view of a temporary matrix does not compile", "[matrix_view]") {
  STATIC_REQUIRE(Viewable<row_matrix&>);
  STATIC_REQUIRE(Viewable<const row_matrix&>);
  STATIC_REQUIRE_FALSE(Viewable<row_matrix>);
  STATIC_REQUIRE(Viewable<Eigen::Map<row_matrix>>);
  STATIC_REQUIRE_FALSE(Viewable<int&>);
}

TEST_CASE("a map with gaps inside its rows is refused", "[matrix_view]") {
  std::vector<float> numbers(12);
  using gaps = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  const Eigen::Map<row_matrix, 0, gaps> map(numbers.data(), 2, 3, gaps(6, 2));
  CHECK(code_of([&] { embit::view(map); }) == errc::shape);
}

TEST_CASE("NaN and infinity are found where they are", "[matrix_view]") {
  using embit::detail::require_finite;
  std::vector<float> numbers(7 * 65, 1.0f);
  const matrix_view<const float> m(numbers.data(), 7, 65);
  CHECK_NOTHROW(require_finite(m, "rows"));
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    numbers[5 * 65 + 64] = bad;
    CHECK_THROWS_WITH(require_finite(m, "rows"), Catch::Matchers::StartsWith("rows: row 5, column 64 is "));
  }
  numbers[5 * 65 + 64] = std::numeric_limits<float>::max();  // large is not infinite
  CHECK_NOTHROW(require_finite(m, "rows"));
}
