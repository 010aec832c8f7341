// SPDX-License-Identifier: MIT
#include <embit/core/isa.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/index/flat.hpp>
#include <embit/io/npy.hpp>
#include <embit/kernel/set_similarity.hpp>
#include <embit/store/code_store.hpp>
#include <embit/store/popcount_store.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "../support/catch.hpp"
#include "../support/real_data.hpp"
#include "sets.hpp"

namespace {

using namespace support::sets;

constexpr std::size_t widths[] = {1, 63, 64, 65, 127, 128, 167, 1000, 1024};
constexpr std::size_t sizes[] = {0, 1, 7, 8, 513, 2000};

// The scan itself, at a given level, in `parts` shares.
template <class K>
std::vector<list<K>> search_at(embit::isa level, const K& kernel, const embit::popcount_store<>& store,
                               embit::code_view<> queries, std::size_t k, std::size_t parts) {
  using collector = embit::best_top_k<typename K::distance_type, std::greater<>>;
  embit::detail::prepared_queries<K, embit::popcount_store<>> prepared;
  prepared.assign(kernel, queries, store.size(), level);
  std::vector<list<K>> found(queries.size());
  embit::detail::scan_scratch<K, embit::popcount_store<>> scratch;
  embit::search_statistics done;
  for (std::size_t p = 0; p < parts; ++p) {
    std::vector<collector> tops(queries.size());
    for (auto& top : tops) top.reset(k);
    const embit::row_choice all;
    embit::detail::knn_sink<collector> sink{tops.data(), all};
    const embit::detail::piece part = embit::detail::cut(store.size(), parts, p);
    done += prepared.scan(store, part.first, part.last, nullptr, scratch, sink);
    for (std::size_t q = 0; q < tops.size(); ++q)
      found[q].insert(found[q].end(), tops[q].kept().begin(), tops[q].kept().end());
  }
  CHECK(done.rows_scanned + done.rows_skipped == queries.size() * store.size());
  for (auto& f : found) {
    std::sort(f.begin(), f.end(), embit::neighbor_order<std::greater<>>{});
    f.resize(std::min(k, f.size()));
  }
  return found;
}

template <class K>
void check_levels(const K& kernel) {
  for (const std::size_t bits : widths)
    for (const std::size_t n : sizes)
      for (const kind what : kinds) {
        const code_store<> codes = make_sets(what, n, bits, bits + n);
        const code_store<> queries = make_queries(codes, n);
        embit::popcount_store<> store{codes.view().middle_rows(0, n - n / 10)};
        store.append(codes.view().middle_rows(n - n / 10, n / 10));
        std::vector<list<K>> expected;
        for (std::size_t q = 0; q < queries.size(); ++q) expected.push_back(reference(kernel, queries[q], codes));
        for (const embit::isa level : embit::supported_isas())
          for (const std::size_t k : {1u, 10u, 100u})
            for (const std::size_t parts : {1u, 3u}) {
              const auto found = search_at(level, kernel, store, queries, k, parts);
              for (std::size_t q = 0; q < queries.size(); ++q) {
                if (equal<K>(first<K>(expected[q], k), found[q])) continue;
                CAPTURE(bits, n, static_cast<int>(what), embit::name_of(level), k, parts, q);
                FAIL("found other rows than the reference");
              }
            }
      }
}

}  // namespace

TEST_CASE("every level finds what the scalar reference finds, by Jaccard") { check_levels(embit::jaccard{}); }
TEST_CASE("every level finds what the scalar reference finds, by Tversky") {
  check_levels(embit::tversky{{.alpha = .9f, .beta = .05f}});
}
TEST_CASE("every level finds what the scalar reference finds, by common bits") { check_levels(embit::and_count{}); }

TEST_CASE("many queries at once find what each finds alone", "[threads]") {
  const code_store<> codes = make_sets(kind::spread, 2000, 167, 1);
  const embit::flat_index alone{codes, embit::tanimoto{}};
  const embit::flat_index threaded{codes, embit::tanimoto{}, embit::thread_pool{2}};
  const auto together = alone.search(codes, 10);
  const auto shared = threaded.search(codes, 10);
  for (std::size_t q = 0; q < codes.size(); ++q) {
    REQUIRE(
        equal<embit::jaccard>(first<embit::jaccard>(reference(embit::jaccard{}, codes[q], codes), 10), together[q]));
    REQUIRE(equal<embit::jaccard>(list<embit::jaccard>(together[q].begin(), together[q].end()), shared[q]));
  }
}

TEST_CASE("the bound skips rows and changes nothing") {
  const code_store<> codes = make_sets(kind::spread, 2000, 1000, 3);
  const auto queries = codes.view().middle_rows(0, 50);
  const embit::flat_index bounded{codes, embit::jaccard{}};
  const embit::flat_index plain{codes, embit::without_bound<embit::jaccard>{}};
  embit::search_statistics with, without;
  const auto a = bounded.search(queries, 5, {}, &with), b = plain.search(queries, 5, {}, &without);
  for (std::size_t q = 0; q < queries.size(); ++q)
    CHECK(std::equal(a[q].begin(), a[q].end(), b[q].begin(), b[q].end()));
  CHECK(without.rows_skipped == 0);
  CHECK(without.rows_scanned == 50 * 2000);
  CHECK(with.rows_scanned + with.rows_skipped == 50 * 2000);
  CHECK(with.rows_skipped > with.rows_scanned);

  // At a radius, exactly the rows whose bound reaches it are scanned when one query asks.
  const embit::jaccard kernel;
  embit::search_statistics range;
  std::size_t inside = 0;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const counts c = count(queries[7], codes[i]);
    inside += kernel.bound(c.a, c.b) >= .8f;
  }
  (void)bounded.range_search(queries.middle_rows(7, 1), .8f, {}, &range);
  CHECK(range.rows_scanned == inside);
  CHECK(range.rows_skipped == codes.size() - inside);
}

TEST_CASE("pairs of similar sets") {
  const code_store<> codes = make_sets(kind::narrow, 700, 65, 8);
  const embit::flat_index index{codes, embit::jaccard{}};
  for (const float radius : {.5f, 1.f}) {
    std::vector<std::tuple<row_id, row_id, float>> found, expected;
    index.pairs_within(radius, [&](row_id a, row_id b, float score) { found.emplace_back(a, b, score); });
    for (row_id a = 0; a < codes.size(); ++a)
      for (row_id b = a + 1; b < codes.size(); ++b)
        if (const float s = reference_score(embit::jaccard{}, count(codes[a], codes[b])); s >= radius)
          expected.emplace_back(a, b, s);
    std::sort(found.begin(), found.end());
    CHECK(found == expected);
  }
}

TEST_CASE("sets searched in other stores, and distances to given rows") {
  const code_store<> codes = make_sets(kind::spread, 100, 127, 12);
  const embit::flat_index grouped{codes, embit::jaccard{}};
  const embit::flat_index<embit::block_store<>, embit::jaccard> blocks{codes};
  const auto a = grouped.search(codes, 3), b = blocks.search(codes, 3);
  for (std::size_t q = 0; q < codes.size(); ++q) CHECK(std::equal(a[q].begin(), a[q].end(), b[q].begin(), b[q].end()));
  const std::vector<row_id> rows{5, 99, 5};
  const auto scores = grouped.distances_to(codes.view().middle_rows(5, 1), rows);
  CHECK(scores == std::vector<float>{1, reference_score(embit::jaccard{}, count(codes[5], codes[99])), 1});
}

TEST_CASE("Tanimoto neighbours of real molecules") {
  EMBIT_NEEDS_REAL_DATA();
  const auto active = embit::read_npy<std::uint8_t>(support::real_data("hiv_fps/active_u8.npy"));
  const auto check = [&](const char* file, std::size_t bits, double actives_found) {
    const auto bytes = embit::read_npy<std::uint8_t>(support::real_data(file));
    REQUIRE(bytes.rows() == active.rows());
    code_store<> codes(bytes.rows(), bits), queries(0, bits);
    std::vector<row_id> query_rows;
    for (std::size_t i = 0; i < bytes.rows(); ++i) {
      for (std::size_t j = 0; j < bytes.cols(); ++j) codes.row(i)[j / 8] |= embit::word{bytes[i][j]} << j % 8 * 8;
      if (active[i][0] == 0) continue;
      query_rows.push_back(static_cast<row_id>(i));
      queries.append(codes.view().middle_rows(i, 1));
    }
    const embit::flat_index index{codes, embit::tanimoto{}};
    const auto found = index.search(queries, 11);
    std::size_t actives = 0;
    for (std::size_t q = 0; q < queries.size(); ++q) {
      std::size_t counted = 0;
      for (const auto& n : found[q])
        if (n.id != query_rows[q] && counted < 10) ++counted, actives += active[n.id][0] != 0;
      if (q % 40 == 0)
        REQUIRE(
            equal<embit::jaccard>(first<embit::jaccard>(reference(embit::jaccard{}, queries[q], codes), 11), found[q]));
    }
    const double share = static_cast<double>(actives) / (10. * static_cast<double>(queries.size()));
    CAPTURE(file, share);
    CHECK(std::abs(share - actives_found) < .0005);
  };
  // Over all 1487 actives, the molecule itself excluded, ties by row; the base rate is .035.
  check("hiv_fps/morgan2_1024_packed_u8.npy", 1024, .3789);
  check("hiv_fps/maccs167_packed_u8.npy", 167, .3451);
}

#if EMBIT_EXCEPTIONS
TEST_CASE("an index of sets refuses queries of another width and k = 0") {
  const embit::flat_index index{make_sets(kind::spread, 10, 127, 1), embit::jaccard{}};
  try {
    (void)index.search(make_sets(kind::spread, 2, 128, 1), 3);
    FAIL("accepted 128 bits");
  } catch (const embit::error& e) {
    CHECK(e.code() == embit::errc::shape);
    CHECK(std::string(e.what()).find("128") != std::string::npos);
  }
  CHECK_THROWS_AS(index.search(make_sets(kind::spread, 2, 127, 1), 0), embit::error);
}
#endif
