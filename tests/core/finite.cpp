#include <embit/core/finite.hpp>
#include <embit/core/results.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <vector>

namespace {

using namespace embit::detail;

// Numbers with every exponent and the mantissas at which a test of bits could be off by one.
template <class T>
void check_scalars() {
  using bits_type = typename number_bits<T>::type;
  constexpr bits_type exponent = number_bits<T>::exponent;
  constexpr auto place = static_cast<bits_type>(bits_type{1} << std::countr_zero(exponent));  // the lowest bit of it
  constexpr auto minus = static_cast<bits_type>(bits_type{1} << (8 * sizeof(T) - 1));
  std::size_t wrong = 0, finite = 0;
  for (bits_type e = 0;; e = static_cast<bits_type>(e + place)) {
    for (const bits_type mantissa :
         {bits_type{0}, bits_type{1}, static_cast<bits_type>(place >> 1), static_cast<bits_type>(place - 1)})
      for (const bits_type sign : {bits_type{0}, minus}) {
        const auto bits = static_cast<bits_type>(sign | e | mantissa);
        T x;
        std::memcpy(&x, &bits, sizeof x);
        const bool special = e == exponent;
        wrong += is_finite(x) == special;
        wrong += is_nan(x) != (special && mantissa != 0);
        wrong += all_finite(&x, 1) == special;
        finite += is_finite(x);
      }
    if (e == exponent) break;
  }
  CHECK(wrong == 0);
  CHECK(finite == std::size_t{exponent / place} * 8);
}

}  // namespace

TEST_CASE("NaN and infinity are told by their bits, at every exponent") {
  check_scalars<float>();
  check_scalars<double>();
  check_scalars<embit::half>();
}

TEST_CASE("one number that is not finite is found wherever it lies") {
  for (const std::size_t n : {1u, 2u, 63u, 64u, 65u, 128u, 200u}) {
    std::vector<float> x(n, std::numeric_limits<float>::max());
    REQUIRE(all_finite(x.data(), n));
    REQUIRE(first_not_finite(x.data(), n) == n);
    for (std::size_t i = 0; i < n; ++i)
      for (const std::uint32_t bits : {0x7f800000u, 0xff800000u, 0x7fc00000u, 0x7f800001u, 0xffffffffu}) {
        x[i] = number_of<float>(bits);
        REQUIRE_FALSE(all_finite(x.data(), n));
        REQUIRE(first_not_finite(x.data(), n) == i);
        x[i] = 0;
      }
  }
  CHECK(all_finite(static_cast<const float*>(nullptr), 0));
}

TEST_CASE("what arithmetic makes of finite numbers is told as well, and bounds take no NaN") {
  // Read anew each time: a compiler may know that x - x is 0.
  volatile float most = std::numeric_limits<float>::max(), zero = 0, sum = most + most;
  const float above = sum, none = sum - sum, quotient = zero / zero;
  CHECK_FALSE(is_finite(above));
  CHECK_FALSE(is_nan(above));
  CHECK(is_nan(none));
  CHECK(is_nan(quotient));
  CHECK_FALSE(is_finite(infinity<double>()));
  for (const float x : {none, quotient, number_of<float>(0x7f800001u)}) {
    CHECK_FALSE(is_positive(x));
    CHECK_FALSE(is_between(x, 0.f, 1.f));
  }
  CHECK_FALSE(is_positive(infinity<float>()));
  CHECK(is_positive(std::numeric_limits<float>::denorm_min()));
  CHECK(is_between(1.f, 0.f, 1.f));
  CHECK_FALSE(is_between(1.5f, 0.f, 1.f));
}

TEST_CASE("the order of neighbours is total: what is not a number comes last, whatever is compared") {
  const float inf = infinity<float>(), nan = number_of<float>(0x7fc00000u), other = number_of<float>(0xff800001u);
  const std::vector<embit::neighbor<float>> given{{0, nan}, {1, 2},    {2, -inf}, {3, other},
                                                  {4, inf}, {5, -0.f}, {6, 0.f}};
  const auto rows = [](const auto& list) {
    std::vector<embit::row_id> ids;
    for (const auto& n : list) ids.push_back(n.id);
    return ids;
  };
  std::vector<std::size_t> order(given.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  do {
    std::vector<embit::neighbor<float>> list;
    for (const std::size_t i : order) list.push_back(given[i]);
    std::sort(list.begin(), list.end(), embit::neighbor_order<std::less<>>{});
    REQUIRE(rows(list) == std::vector<embit::row_id>{2, 5, 6, 1, 4, 0, 3});
    std::sort(list.begin(), list.end(), embit::neighbor_order<std::greater<>>{});
    REQUIRE(rows(list) == std::vector<embit::row_id>{4, 1, 5, 6, 2, 0, 3});
  } while (std::next_permutation(order.begin(), order.end()));
  CHECK_FALSE(is_within<std::less<>>(nan, inf));
  CHECK_FALSE(is_within<std::greater<>>(nan, -inf));
  CHECK(is_within<std::less<>>(inf, inf));
}
