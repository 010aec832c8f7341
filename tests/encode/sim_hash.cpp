// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/encode/sim_hash.hpp>
#include <embit/index/flat.hpp>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/real_data.hpp>
#include <support/records.hpp>
#include <support/refusal.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <numbers>
#include <string>
#include <vector>

namespace {

using support::contains;
using support::refusal;
using features = std::vector<embit::weighted_feature>;

features random_features(std::size_t n, std::uint64_t first, embit::rng& rng) {
  features set;
  for (std::size_t i = 0; i < n; ++i) set.push_back({first + i, embit::normal(rng)});
  return set;
}

}  // namespace

TEST_CASE("sim_hash differs in about theta / pi of the bits") {
  embit::rng rng{1};
  const std::size_t bits = 8192;
  const embit::sim_hash hash({.bits = bits}, rng);
  for (const float mixing : {.0f, .2f, 1.f, 5.f}) {
    const auto base = random_features(200, 0, rng), other = random_features(200, 1000, rng);
    features mixed = base;
    for (auto f : other) mixed.push_back({f.id, mixing * f.weight});
    double aa = 0, bb = 0;
    for (const auto& f : base) aa += double{f.weight} * double{f.weight};
    for (const auto& f : mixed) bb += double{f.weight} * double{f.weight};
    const double theta = std::acos(std::min(1., std::sqrt(aa / bb))), p = theta / std::numbers::pi;
    const auto codes = hash.encode(std::vector<features>{base, mixed});
    const auto distance = support::hamming_distance(codes[0], codes[1]);
    CAPTURE(mixing, theta, distance);
    CHECK(std::abs(distance / double{bits} - p) <= 4 * std::sqrt(p * (1 - p) / double{bits}) + .005 * p);
    CHECK(hash.cosine_of_distance(distance) == Approx(std::cos(theta)).margin(.08));
  }
}

TEST_CASE("a set of features has one code, whatever its scale", "[threads]") {
  embit::rng rng{2};
  for (const std::size_t bits : {1u, 63u, 64u, 65u, 127u, 1000u}) {
    const embit::sim_hash hash({.bits = bits}, rng), again({.bits = bits}, hash.seed());
    std::vector<features> sets;
    for (const std::size_t n : {0u, 1u, 7u, 50u}) sets.push_back(random_features(n, 10, rng));
    features scaled = sets[3], doubled = sets[3], negative = sets[3], cancelled = sets[3];
    for (auto& f : scaled) f.weight *= 0x1p40f;
    for (const auto& f : sets[3]) doubled.push_back(f);
    for (auto& f : negative) f.weight = -f.weight;
    for (auto f : negative) cancelled.push_back(f);
    sets.insert(sets.end(), {scaled, doubled, negative, cancelled});
    const auto codes = hash.encode(sets), threaded = hash.encode(sets, embit::thread_pool{2});
    REQUIRE_NOTHROW(embit::require_clean_tails(codes.view(), "codes"));
    std::vector<embit::word> code(codes.words());
    for (std::size_t i = 0; i < sets.size(); ++i) {
      again.encode_into(sets[i], code);
      REQUIRE(std::ranges::equal(code, codes[i]));
      REQUIRE(std::ranges::equal(code, threaded[i]));
    }
    REQUIRE(std::ranges::equal(codes[4], codes[3]));
    REQUIRE(support::hamming_distance(codes[6], codes[3]) == bits);
    for (const embit::word w : codes[0]) REQUIRE(w == 0);
  }
}

TEST_CASE("codes of sim_hash are golden") {
  const embit::sim_hash hash({.bits = 100}, std::uint64_t{42});
  features set;
  for (std::uint64_t i = 0; i < 20; ++i) set.push_back({i * i, static_cast<float>(i % 7) - 2.5f});
  const auto codes = hash.encode(std::vector<features>{set});
  REQUIRE(codes[0][0] == 0x8b4827b71b703c15u);
  REQUIRE(codes[0][1] == 0x2721a641du);
}

TEST_CASE("sim_hash refuses what it cannot use") {
  embit::rng rng{1};
  REQUIRE(contains(refusal([&] { embit::sim_hash({.bits = 0}, rng); }), "argument: sim_hash"));
  const embit::sim_hash hash({.bits = 65}, rng);
  std::vector<embit::word> code{42}, right{42, 43};
  REQUIRE(contains(refusal([&] { hash.encode_into({}, code); }), "1 words for a code of 65 bits"));
  std::vector<features> sets(3, features(4));
  sets[2][3].weight = INFINITY;
  REQUIRE(contains(refusal([&] { (void)hash.encode(sets); }), "not_finite: features: set 2, feature 3"));
  REQUIRE(contains(refusal([&] { hash.encode_into(sets[2], right); }), "not_finite"));
  REQUIRE(right[0] == 42);
}

TEST_CASE("sim_hash of TF-IDF features finds the matches of records") {
  EMBIT_NEEDS_REAL_DATA();
  const auto left = support::records(support::real_data("er_dblp_acm/dblp.tsv.gz"));
  const auto right = support::records(support::real_data("er_dblp_acm/acm.tsv.gz"));
  const auto pairs = support::matches(support::real_data("er_dblp_acm/gt.tsv"));
  std::map<std::uint64_t, double> documents;
  for (const auto* texts : {&left, &right})
    for (const auto& text : *texts)
      for (const std::uint64_t piece : embit::char_shingles(text, 3)) ++documents[piece];
  const auto weighted = [&](const std::vector<std::string>& texts) {
    std::vector<features> sets;
    for (const auto& text : texts) {
      features set;
      for (const std::uint64_t piece : embit::char_shingles(text, 3))
        set.push_back({piece, static_cast<float>(std::log(double(left.size() + right.size()) / documents[piece]))});
      sets.push_back(std::move(set));
    }
    return sets;
  };
  embit::rng rng{3};
  const embit::sim_hash hash({.bits = 256}, rng);
  const auto found = embit::flat_index{hash.encode(weighted(left))}.search(hash.encode(weighted(right)), 10);
  std::size_t hits = 0;
  for (const auto& [i, j] : pairs)
    hits += std::ranges::any_of(found[j], [id = i](const auto& h) { return h.id == id; });
  CAPTURE(hits, pairs.size());
  CHECK(hits >= pairs.size() * 97 / 100);
}
