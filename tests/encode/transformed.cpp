// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/encode/hadamard_lsh.hpp>
#include <embit/encode/min_hash.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/encode/sim_hash.hpp>
#include <embit/encode/super_bit.hpp>
#include <embit/encode/transformed.hpp>
#include <embit/io/save.hpp>
#include <embit/linalg/all_but_the_top.hpp>
#include <embit/linalg/centering.hpp>
#include <embit/linalg/fht_kac.hpp>
#include <embit/linalg/pipeline.hpp>
#include <embit/linalg/random_rotation.hpp>
#include <embit/linalg/whitening.hpp>

#include <support/anisotropic.hpp>
#include <support/catch.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using support::contains;
using support::refusal;

bool same(const embit::code_store<>& a, const embit::code_store<>& b) {
  return a.size() == b.size() && a.bits() == b.bits() &&
         std::equal(a.data(), a.data() + a.size() * a.words(), b.data());
}

/// What is loaded, after it was saved again as the same bytes.
template <class T>
T through_file(const T& thing) {
  const support::temp_dir dir;
  embit::save(dir / "a", thing);
  auto loaded = embit::load<T>(dir / "a");
  embit::save(dir / "b", loaded);
  REQUIRE(support::slurp(dir / "a") == support::slurp(dir / "b"));
  REQUIRE(contains(refusal([&] { (void)embit::load<embit::code_store<>>(dir / "a"); }), "kind: "));
  return loaded;
}

}  // namespace

TEST_CASE("a transformed encoder encodes what the transform gives", "[threads]") {
  const auto rows = support::anisotropic_rows(200, 20, 1);
  embit::rng rng{2};
  const auto prepare =
      embit::fit_pipeline(rows, embit::fit_centering, [](auto x) { return embit::fit_whitening(x, {.dims = 12}); });
  const auto check = [&](const auto& hasher) {
    const embit::transformed_encoder encoder{prepare, hasher};
    static_assert(embit::BinaryEncoder<std::remove_const_t<decltype(encoder)>>);
    REQUIRE(encoder.dim() == 20);
    REQUIRE(encoder.bits() == 70);
    const auto codes = encoder.encode(rows);
    REQUIRE(same(codes, hasher.encode(prepare.apply(rows))));
    REQUIRE(same(codes, encoder.encode(rows, embit::thread_pool{2})));
    REQUIRE(encoder.margins(rows) == hasher.margins(prepare.apply(rows)));
    std::vector<embit::word> code(2);
    encoder.encode_into(rows[7], code);
    REQUIRE(std::ranges::equal(code, codes[7]));
    REQUIRE(same(through_file(encoder).encode(rows), codes));
    REQUIRE(contains(refusal([&] { (void)encoder.encode(embit::matrix<float>(2, 12, 0.f)); }), "12 columns"));
    REQUIRE(contains(refusal([&] { embit::transformed_encoder(embit::fit_centering(rows), hasher); }),
                     "takes 12 dimensions where 20 come"));
  };
  check(embit::super_bit({.dim = 12, .bits = 70}, rng));
  check(embit::hadamard_lsh({.dim = 12, .bits = 70}, rng));
}

TEST_CASE("transforms survive a file") {
  const auto rows = support::anisotropic_rows(100, 20, 3);
  embit::rng rng{4};
  const auto check = [&](const auto& transform) {
    REQUIRE(through_file(transform).apply(rows) == transform.apply(rows));
  };
  const embit::fht_kac rotation(20, rng);
  check(rotation);
  REQUIRE(through_file(rotation) == rotation);
  check(embit::fit_centering(rows));
  check(embit::fit_all_but_the_top(rows, {.directions = 3}));
  check(embit::fit_whitening(rows, {.dims = 7, .shrinkage = .1f}));
  check(embit::affine_transform(embit::random_rotation(20, rng)));
  const auto prepare = embit::fit_pipeline(rows, embit::fit_centering, rotation);
  check(prepare);
  REQUIRE(through_file(prepare).apply_inverse(rows) == prepare.apply_inverse(rows));

  // Stages of another kind than the type says.
  const support::temp_dir dir;
  embit::save(dir / "a", prepare);
  using other = embit::pipeline<embit::centering, embit::centering>;
  REQUIRE(contains(refusal([&] { (void)embit::load<other>(dir / "a"); }), "kind: "));
}

TEST_CASE("hashers of sets survive a file") {
  embit::rng rng{5};
  const std::vector<std::vector<std::uint64_t>> sets{{1, 2, 3}, {}, {9}};
  const embit::min_hash hash({.hashes = 33, .bits_per_hash = 4}, rng);
  REQUIRE(same(through_file(hash).encode(sets), hash.encode(sets)));
  const std::vector<std::vector<embit::weighted_feature>> features{{{1, 2.f}, {3, -1.f}}, {}};
  const embit::sim_hash sim({.bits = 77}, rng);
  REQUIRE(same(through_file(sim).encode(features), sim.encode(features)));
}
