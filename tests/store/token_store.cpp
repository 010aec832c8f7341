// SPDX-License-Identifier: MIT
#include <embit/index/flat.hpp>
#include <embit/io/save.hpp>
#include <embit/store/mapped_token_store.hpp>
#include <embit/store/token_store.hpp>

#include <support/catch.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>
#include <support/token_sets.hpp>

#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

namespace {

using support::contains, support::random_sets, support::refusal;

constexpr std::size_t sizes[] = {3, 0, 17, 40, 1};

// The tokens as a store of T keeps them.
template <class T>
support::token_sets rounded(support::token_sets sets) {
  for (std::size_t t = 0; t < sets.values.rows(); ++t) {
    float most = 0;
    for (const float x : sets.values[t]) most = std::max(most, std::abs(x));
    for (float& x : sets.values[t]) {
      if constexpr (std::is_same_v<T, embit::half>) x = embit::half(x);
      if constexpr (std::is_same_v<T, std::int8_t>) x = std::round(x * 127 / most) * most / 127;
      if constexpr (std::is_same_v<T, embit::sign_token>)
        x = (x > 0 ? 1.f : -1.f) / std::sqrt(static_cast<float>(sets.values.cols()));
    }
  }
  return sets;
}

template <class T, class Store>
void require_scores(const Store& store, const support::token_sets& kept, double tolerance) {
  const auto view = kept.view();
  REQUIRE(store.size() == view.size());
  REQUIRE(store.cols() == view.cols());
  const embit::chamfer_of<T> kernel;
  for (std::size_t q = 0; q < view.size(); ++q)
    for (std::size_t d = 0; d < view.size(); ++d)
      if (view[d].rows() != 0)
        REQUIRE(std::abs(double{kernel(kernel.prepare(view[q]), store[d])} - support::chamfer(view[q], view[d])) <=
                tolerance);
}

template <class T>
void test_store(double bytes_per_number) {
  for (const std::size_t dim : {1u, 63u, 65u, 128u}) {
    auto sets = random_sets(sizes, dim, dim);
    embit::token_store<T> store(sets.view());
    const auto kept = rounded<T>(sets);
    CHECK(store.tokens() == 61);
    require_scores<T>(store, kept, 1e-4);

    const support::temp_dir dir;
    embit::save(dir / "tokens.embit", store);
    require_scores<T>(embit::load<embit::token_store<T>>(dir / "tokens.embit"), kept, 1e-4);
    const embit::mapped_token_store<T> mapped(dir / "tokens.embit");
    mapped.verify();
    require_scores<T>(mapped, kept, 1e-4);
    using other = std::conditional_t<std::is_same_v<T, float>, embit::half, float>;
    CHECK(contains(refusal([&] { embit::mapped_token_store<other>{dir / "tokens.embit"}; }), "kind: "));

    // A mask leaves tokens out, and more documents may follow.
    sets.mask.assign(sets.values.rows(), 1);
    sets.mask[4] = sets.mask[60] = 0;
    CHECK(store.append(sets.view()) == 5);
    CHECK(store.size() == 10);
    CHECK(store.tokens() == 61 + 59);
    const embit::chamfer_of<T> kernel;
    const auto query = kernel.prepare(kept.view()[3]);
    CHECK(kernel(query, store[8]) == kernel(query, store[3]));
    CHECK(kernel(query, store[9]) == -std::numeric_limits<float>::infinity());
    if (dim == 128)
      CHECK(double(embit::token_store<T>(kept.view()).memory()) < 61 * 128 * bytes_per_number * 2.5 + 500);
  }
}

}  // namespace

TEST_CASE("tokens in every precision, owned, loaded and mapped") {
  test_store<float>(4);
  test_store<embit::half>(2);
  test_store<std::int8_t>(1);
  test_store<embit::sign_token>(1. / 8);
}

TEST_CASE("a store of tokens is searched by a flat index") {
  const auto sets = random_sets(sizes, 100, 9);
  const embit::token_store<embit::sign_token> store(sets.view());
  const embit::flat_index index{store, embit::chamfer_signs{}};
  const auto found = index.search(sets.view(), 5);
  for (const std::size_t q : {0u, 2u, 3u, 4u}) {
    CHECK(found[q][0].id == q);
    CHECK(found[q][4].id == 1);  // without tokens
  }
}

TEST_CASE("documents that cannot be kept are refused, and nothing is added") {
  auto sets = random_sets(sizes, 20, 10);
  embit::token_store<float> store(sets.view());
  const auto other = random_sets(sizes, 21, 11);
  CHECK(contains(refusal([&] { store.append(other.view()); }), "dimension 21"));
  sets.values[30][2] = std::numeric_limits<float>::infinity();
  CHECK(contains(refusal([&] { store.append(sets.view()); }), "not_finite: document 3, token 10"));
  CHECK(store.size() == 5);
  sets.values[30][2] = 1e6f;
  CHECK(contains(refusal([&] { embit::token_store<embit::half>{sets.view()}; }), "token 10"));
  const auto wide = random_sets(std::vector<std::size_t>{1}, 6145, 12);
  CHECK(contains(refusal([&] { embit::token_store<std::int8_t>{wide.view()}; }), "6145"));
  CHECK(embit::token_store<float>().size() == 0);
}

TEST_CASE("files with offsets out of order are refused") {
  const support::temp_dir dir;
  for (const std::vector<std::uint64_t>& offsets :
       {std::vector<std::uint64_t>{0, 3, 2, 4}, {1, 2, 3, 4}, {0, 1, 2, 3}, {0, 1, 5, 4}}) {
    embit::container_writer writer(dir / "tokens.embit", embit::token_store<float>::file);
    embit::metadata_writer shape;
    shape.u64(3).u64(4).u64(2).u8(0);
    const std::vector<float> tokens(8);
    writer.sections().add("shape", shape);
    writer.sections().add("offsets", std::span<const std::uint64_t>(offsets));
    writer.sections().add("tokens", std::span<const float>(tokens));
    writer.finish();
    CHECK(contains(refusal([&] { (void)embit::load<embit::token_store<float>>(dir / "tokens.embit"); }), "begins at"));
    CHECK(contains(refusal([&] { embit::mapped_token_store<float>{dir / "tokens.embit"}; }), "format: "));
  }
}
