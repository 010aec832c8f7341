#include <embit/kernel/asymmetric.hpp>

#include <embit/core/random.hpp>
#include <embit/store/code_store.hpp>
#include <embit/store/level_store.hpp>

#include "support/catch.hpp"
#include "support/codes.hpp"
#include "support/levels.hpp"
#include "support/refusal.hpp"

#include <cmath>
#include <cstddef>
#include <vector>

namespace {

// Queries are in the space of the codes already.
struct same_space {
  embit::level_format codes;
  embit::level_query_terms terms = {.base = 2, .scale = -1};

  std::size_t dim() const { return codes.dims(); }
  const embit::level_format& format() const { return codes; }
  embit::mapped_queries operator()(embit::matrix_view<const float> queries) const {
    return {embit::matrix<float>(queries), std::vector<embit::level_query_terms>(queries.rows(), terms)};
  }
};

using kernel_type = embit::asymmetric<same_space>;
static_assert(embit::Kernel<kernel_type, embit::level_row> && embit::Kernel<kernel_type>);

}  // namespace

TEST_CASE("a float query is scored against codes by the formula", "[asymmetric]") {
  embit::rng rng{1};
  using support::row_factor;
  const auto format =
      support::with_factors(support::uniform_format(100, 4, .1f), {row_factor::offset, row_factor::scale});
  const auto store = support::random_store(format, 50, rng);
  const auto query = support::random_floats(100, -1, 1, rng);
  for (const std::size_t query_bits : {4u, 8u, 14u}) {
    const kernel_type kernel(same_space{format}, query_bits);
    const auto prepared = kernel.prepare(query);
    double squares = 0, reference_squares = 0;
    for (std::size_t row = 0; row < store.size(); ++row) {
      std::vector<float> values(100);
      store[row].decode(values);
      double product = 0;
      for (std::size_t j = 0; j < 100; ++j) product += double{query[j]} * values[j];
      const double expected =
          2. + store[row].factor(row_factor::offset) - store[row].factor(row_factor::scale) * product;
      squares += std::pow(kernel(prepared, store[row]) - expected, 2);
      reference_squares += std::pow(store[row].factor(row_factor::scale) * product, 2);
    }
    const double share = query_bits == 4 ? .15 : query_bits == 8 ? .012 : 1.5e-4;
    CHECK(squares <= share * share * reference_squares);
    CHECK(squares > 0);
  }
}

TEST_CASE("binary codes and levels of 1 bit have one score", "[asymmetric]") {
  embit::rng rng{2};
  for (const std::size_t bits : {1u, 7u, 63u, 64u, 65u, 127u, 1000u}) {
    const auto codes = support::make_codes(40, bits, support::code_kind::uniform, rng);
    const embit::level_store levels{codes.view()};
    const kernel_type kernel(same_space{levels.format()});
    kernel.require_width(bits);
    const auto query = kernel.prepare(support::random_floats(bits, -1, 1, rng));
    for (std::size_t row = 0; row < 40; ++row) CHECK(kernel(query, codes[row]) == kernel(query, levels[row]));
  }
}

TEST_CASE("codes and options that do not fit are refused", "[asymmetric]") {
  const auto format = support::uniform_format(16, 2);
  const kernel_type kernel(same_space{format});
  using support::contains;
  using support::refusal;
  CHECK(contains(refusal([&] { kernel.require_width(16); }), "shape: codes: 16 bits"));
  CHECK(contains(refusal([&] { kernel.require_format(support::uniform_format(16, 3)); }), "shape: codes: 16"));
  CHECK(refusal([&] { kernel.require_format(support::uniform_format(16, 2)); }) == "accepted");
  CHECK(contains(refusal([&] { kernel_type(same_space{format}, 3); }), "argument: query_bits: 3"));
  CHECK(contains(refusal([&] { kernel_type(same_space{format}, 15); }), "argument: query_bits: 15"));
}
