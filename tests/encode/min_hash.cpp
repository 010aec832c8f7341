// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/encode/min_hash.hpp>
#include <embit/encode/shingles.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/multi_index.hpp>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/real_data.hpp>
#include <support/records.hpp>
#include <support/refusal.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <set>
#include <string>
#include <vector>

namespace {

using support::contains;
using support::refusal;
using id_set = std::vector<std::uint64_t>;

double exact_jaccard(const id_set& a, const id_set& b) {  // both sorted
  id_set both;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
  const auto shared = static_cast<double>(both.size());
  return shared / (static_cast<double>(a.size() + b.size()) - shared);
}

/// What the class promises of the estimate.
double sigma(double jaccard, const embit::min_hash& hash) {
  const double chance = std::pow(2., -static_cast<double>(hash.bits_per_hash()));
  const double p = jaccard + (1 - jaccard) * chance;
  return std::sqrt(p * (1 - p) / static_cast<double>(hash.hashes())) / (1 - chance);
}

/// Sets of the sizes given that share so many elements.
std::vector<id_set> overlapping(std::size_t a, std::size_t b, std::size_t shared) {
  std::vector<id_set> sets(2);
  for (std::size_t i = 0; i < a; ++i) sets[0].push_back(i);
  for (std::size_t i = 0; i < b; ++i) sets[1].push_back(i < shared ? i : 1000000 + i);
  return sets;
}

}  // namespace

TEST_CASE("hash_bytes is golden and tells bytes apart") {
  REQUIRE(embit::hash_bytes("") == 0x48218226ff3cd4bfu);
  REQUIRE(embit::hash_bytes("embit") == 0xa3a2e7e03e568218u);
  REQUIRE(embit::hash_bytes("a longer text than eight bytes") == 0xc3ce836ca2e5f08fu);
  static_assert(embit::hash_bytes("a") != embit::hash_bytes("a", 1));
  std::set<std::uint64_t> seen;
  std::string zeros;
  for (int i = 0; i < 40; ++i, zeros += '\0') seen.insert(embit::hash_bytes(zeros));
  for (int a = 0; a < 256; ++a)
    for (int b = 0; b < 256; ++b) {
      const char text[] = {static_cast<char>(a), static_cast<char>(b)};
      seen.insert(embit::hash_bytes({text, 2}));
    }
  REQUIRE(seen.size() == 40 + 65536 - 1);  // two zeros came twice
}

TEST_CASE("char_shingles are the distinct pieces of a text") {
  const auto pieces = embit::char_shingles("banana", 3);  // ban ana nan
  REQUIRE(pieces.size() == 3);
  REQUIRE(std::ranges::is_sorted(pieces));
  REQUIRE(std::ranges::count(pieces, embit::hash_bytes("nan")) == 1);
  REQUIRE(embit::char_shingles("banana", 6) == id_set{embit::hash_bytes("banana")});
  REQUIRE(embit::char_shingles("ba", 3) == id_set{embit::hash_bytes("ba")});
  REQUIRE(embit::char_shingles("", 3).empty());
  REQUIRE(contains(refusal([] { (void)embit::char_shingles("banana", 0); }), "argument"));
}

TEST_CASE("estimates are unbiased and vary no more than promised, for any sizes") {
  struct shape {
    std::size_t a, b, shared;
  };
  for (const shape s :
       {shape{1, 1, 1}, {1, 1, 0}, {2, 1, 1}, {5, 8, 4}, {50, 80, 20}, {300, 300, 290}, {2000, 700, 600}})
    for (const std::size_t bits : {1u, 2u, 8u}) {
      const auto sets = overlapping(s.a, s.b, s.shared);
      const double exact = exact_jaccard(sets[0], sets[1]);
      const int draws = 400;
      double mean = 0, square = 0, promised = 0;
      for (int draw = 0; draw < draws; ++draw) {
        const embit::min_hash hash({.hashes = 64, .bits_per_hash = bits}, static_cast<std::uint64_t>(draw));
        const auto codes = hash.encode(sets);
        const double estimate = hash.jaccard(codes[0], codes[1]);
        mean += estimate / draws;
        square += (estimate - exact) * (estimate - exact) / draws;
        promised = sigma(exact, hash);
      }
      CAPTURE(s.a, s.b, s.shared, bits, exact, mean, square, promised * promised);
      CHECK(std::abs(mean - exact) <= 4 * promised / std::sqrt(double(draws)) + 1e-12);
      CHECK(square <= promised * promised * (1 + 5 / std::sqrt(double(draws))) + 1e-12);
    }
}

TEST_CASE("a set has one code: in any order, with repeats, alone and on threads", "[threads]") {
  embit::rng rng{1};
  for (const std::size_t hashes : {1u, 63u, 64u, 65u, 127u})
    for (const std::size_t bits : {1u, 2u, 4u, 8u, 16u}) {
      const embit::min_hash hash({.hashes = hashes, .bits_per_hash = bits}, rng);
      REQUIRE(hash.bits() == hashes * bits);
      std::vector<id_set> sets;
      for (std::size_t n : {0u, 1u, 7u, 200u}) {
        id_set set(n);
        for (auto& x : set) x = rng();
        sets.push_back(set);
        std::reverse(set.begin(), set.end());
        set.insert(set.end(), sets.back().begin(), sets.back().end());
        sets.push_back(set);
      }
      const auto codes = hash.encode(sets), threaded = hash.encode(sets, embit::thread_pool{2});
      REQUIRE_NOTHROW(embit::require_clean_tails(codes.view(), "codes"));
      std::vector<embit::word> code(codes.words());
      const embit::min_hash again({.hashes = hashes, .bits_per_hash = bits}, hash.seed());
      for (std::size_t i = 0; i < sets.size(); ++i) {
        again.encode_into(sets[i], code);
        REQUIRE(std::ranges::equal(code, codes[i]));
        REQUIRE(std::ranges::equal(code, threaded[i]));
        REQUIRE(std::ranges::equal(codes[i], codes[i / 2 * 2]));
        REQUIRE(hash.jaccard(codes[i], codes[i / 2 * 2]) == 1);
      }
      for (const embit::word w : codes[0]) REQUIRE(w == 0);
      // By hand, hash by hash.
      std::size_t agreeing = 0;
      for (std::size_t h = 0; h < hashes; ++h) {
        bool same = true;
        for (std::size_t b = h * bits; b < (h + 1) * bits; ++b)
          same &= (codes[2][b / 64] >> b % 64 & 1) == (codes[6][b / 64] >> b % 64 & 1);
        agreeing += same;
      }
      const double p = static_cast<double>(agreeing) / static_cast<double>(hashes), c = std::pow(2., -double(bits));
      REQUIRE(hash.jaccard(codes[2], codes[6]) == Approx((p - c) / (1 - c)).margin(1e-12));
      if (bits == 1)
        REQUIRE(hash.jaccard_of_distance(support::hamming_distance(codes[2], codes[6])) ==
                Approx(hash.jaccard(codes[2], codes[6])).margin(1e-12));
    }
}

TEST_CASE("codes of min_hash are golden") {
  const embit::min_hash hash({.hashes = 128, .bits_per_hash = 2}, std::uint64_t{42});
  const std::vector<id_set> sets{embit::char_shingles("codes of min_hash are golden", 3), {7}};
  const auto codes = hash.encode(sets);
  std::uint64_t all = 0xcbf29ce484222325u;
  for (std::size_t i = 0; i < codes.size() * codes.words(); ++i) all = (all ^ codes.data()[i]) * 0x100000001b3u;
  REQUIRE(all == 0x5a128b3a85c5965cu);
}

TEST_CASE("min_hash refuses what it cannot do") {
  embit::rng rng{1};
  const auto build = [&](embit::min_hash_options o) { return refusal([&] { embit::min_hash(o, rng); }); };
  REQUIRE(contains(build({.hashes = 0}), "argument: min_hash: 0 hashes"));
  for (const std::size_t bits : {0u, 3u, 17u, 32u, 64u})
    REQUIRE(contains(build({.hashes = 4, .bits_per_hash = bits}), std::to_string(bits) + " bits a hash"));
  const embit::min_hash hash({.hashes = 65}, rng);
  std::vector<embit::word> code(1);
  REQUIRE(contains(refusal([&] { hash.encode_into({}, code); }), "1 words for a code of 65 bits"));
}

TEST_CASE("min_hash estimates the similarity of records, and finds the near duplicates") {
  EMBIT_NEEDS_REAL_DATA();
  const auto left = support::records(support::real_data("er_dblp_acm/dblp.tsv.gz"));
  const auto right = support::records(support::real_data("er_dblp_acm/acm.tsv.gz"));
  const auto pairs = support::matches(support::real_data("er_dblp_acm/gt.tsv"));
  REQUIRE(left.size() == 2616);
  REQUIRE(right.size() == 2294);
  REQUIRE(pairs.size() > 2000);
  const auto shingled = [](const std::vector<std::string>& texts) {
    std::vector<id_set> sets;
    for (const auto& text : texts) sets.push_back(embit::char_shingles(text, 3));
    return sets;
  };
  const auto a = shingled(left), b = shingled(right);

  embit::rng rng{1};
  for (const std::size_t bits : {1u, 4u, 16u}) {
    const embit::min_hash hash({.hashes = 256, .bits_per_hash = bits}, rng);
    const auto codes_a = hash.encode(a), codes_b = hash.encode(b);
    double worst = 0, mean = 0, square = 0;
    std::size_t count = 0;
    const auto look = [&](std::size_t i, std::size_t j) {
      const double exact = exact_jaccard(a[i], b[j]);
      const double off = (hash.jaccard(codes_a[i], codes_b[j]) - exact) / std::max(sigma(exact, hash), 1e-9);
      worst = std::max(worst, std::abs(off));
      mean += off;
      square += off * off;
      ++count;
    };
    for (const auto& [i, j] : pairs) look(i, j);
    for (std::size_t i = 0; i < 2000; ++i)
      look(embit::uniform_index(rng, a.size()), embit::uniform_index(rng, b.size()));
    CAPTURE(bits, worst, mean / double(count), square / double(count));
    CHECK(worst < 4);
    CHECK(std::abs(mean / double(count)) < .5);  // the pairs share pieces, and so errors
    CHECK(square / double(count) < 1.1);
  }

  // Who is nearest: by the estimate, by Hamming distance, and through a multi-index.
  const embit::min_hash hash({.hashes = 256}, rng);
  const auto codes = hash.encode(a), queries = hash.encode(b);
  const auto by_estimate = embit::flat_index{codes, hash.similarity()}.search(queries, 10);
  const auto by_distance = embit::flat_index{codes}.search(queries, 10);
  std::size_t first = 0, found = 0, near = 0, near_found = 0;
  for (const auto& [i, j] : pairs) {
    const auto hits = by_distance[j];
    const bool hit = std::ranges::any_of(hits, [&, id = i](const auto& h) { return h.id == id; });
    first += hits[0].id == i;
    found += hit;
    if (exact_jaccard(a[i], b[j]) >= .7) {
      ++near;
      near_found += hit;
    }
  }
  for (std::size_t q = 0; q < queries.size(); ++q)
    for (std::size_t k = 0; k < 10; ++k) {
      REQUIRE(by_estimate[q][k].id == by_distance[q][k].id);
      REQUIRE(double{by_estimate[q][k].distance} ==
              Approx(hash.jaccard_of_distance(by_distance[q][k].distance)).margin(1e-6));
    }
  CAPTURE(pairs.size(), first, found, near, near_found);
  CHECK(near > 500);
  CHECK(near_found == near);
  CHECK(found >= pairs.size() * 95 / 100);
  const embit::multi_index index{codes};
  const auto some = index.search(queries.view().middle_rows(0, 50), 3);
  for (std::size_t q = 0; q < 50; ++q)
    for (std::size_t k = 0; k < 3; ++k) REQUIRE(some[q][k] == by_distance[q][k]);
}
