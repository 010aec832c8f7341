// SPDX-License-Identifier: MIT
#include <embit/core/thread_pool.hpp>
#include <embit/io/save.hpp>
#include <embit/multivector/fit_center.hpp>
#include <embit/multivector/muvera.hpp>

#include <multivector/fde_reference.hpp>
#include <support/catch.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>
#include <support/token_sets.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace {

using embit::fde_order, embit::fde_partitions, embit::fde_planes, embit::fde_projection;
using embit::muvera, embit::muvera_options;
using support::contains, support::random_sets, support::refusal, support::token_sets;

constexpr std::size_t sizes[] = {1, 16, 0, 7, 33, 3, 64, 100};

bool near(std::span<const float> found, std::span<const double> expected) {
  if (found.size() != expected.size()) return false;
  for (std::size_t i = 0; i < found.size(); ++i)
    if (!(std::abs(double{found[i]} - expected[i]) <= 1e-5 * std::max(1., std::abs(expected[i])))) return false;
  return true;
}

// Compares documents and queries with the definition, those apart in which rounding decides on which side of a plane a
// token lies.
void require_as_defined(const muvera& encoder, const token_sets& sets, int& compared) {
  const support::fde_reference reference(encoder);
  const auto documents = encoder.encode(sets.view());
  const auto queries = encoder.encode_queries(sets.view());
  REQUIRE(documents.cols() == encoder.encoded_dim());
  for (std::size_t i = 0; i < sets.view().size(); ++i) {
    if (reference.least_margin(sets.view()[i]) < 1e-6) continue;
    ++compared;
    REQUIRE(near(documents[i], reference.document(sets.view()[i])));
    REQUIRE(near(queries[i], reference.query(sets.view()[i])));
    REQUIRE(documents.is_empty(i) == (sets.view()[i].rows() == 0));
  }
}

double dot(std::span<const float> a, std::span<const float> b) { return support::product(a, b); }

}  // namespace

TEST_CASE("encodings are what the definition says, whatever the options", "[muvera]") {
  embit::rng rng{1};
  int compared = 0, cases = 0;
  for (const std::size_t dim : {1u, 5u, 16u, 48u, 65u})
    for (const std::size_t bits : {0u, 1u, 3u, 6u})
      for (const auto projection : {fde_projection::identity, fde_projection::dense, fde_projection::count_sketch})
        for (const std::size_t variant : {0u, 1u, 2u, 3u, 4u, 5u, 6u, 7u}) {
          const std::size_t columns =
              projection == fde_projection::identity ? 0 : std::min<std::size_t>(dim, 1 + dim / 3);
          const muvera_options options{
              .dim = dim,
              .repetitions = 1 + (bits + variant) % 3,
              .simhash_bits = bits,
              .projected_dim = columns,
              .planes = (variant & 1) != 0 ? fde_planes::structured : fde_planes::gaussian,
              .projection = projection,
              // In one column a unit partition is a sign, which rounding may decide.
              .partitions = (variant & 2) != 0 && columns != 1 && dim > 1 ? fde_partitions::unit : fde_partitions::mean,
              .fill_empty = (variant & 4) == 0,
              .order = variant % 3 == 0 ? fde_order::gray : fde_order::plain};
          const auto sets = random_sets(sizes, dim, 10 + dim, variant == 5 && dim > 1 ? .5f : 0.f);
          muvera encoder(options, rng);
          if (variant % 4 == 1) encoder = encoder.with_centers({.hash = embit::fit_center(sets.view())});
          if (variant == 6) encoder = encoder.with_centers({.document_values = std::vector<float>(dim, .05f)});
          require_as_defined(encoder, sets, compared);
          ++cases;
        }
  CHECK(compared > cases * int(std::size(sizes)) * 9 / 10);
}

TEST_CASE("many partitions and wide projections", "[muvera]") {
  embit::rng rng{2};
  const auto sets = random_sets(sizes, 33, 3);
  int compared = 0;
  require_as_defined(muvera({.dim = 33, .repetitions = 1, .simhash_bits = 10, .projected_dim = 17}, rng), sets,
                     compared);
  require_as_defined(muvera({.dim = 33, .repetitions = 30, .simhash_bits = 2, .projected_dim = 32}, rng), sets,
                     compared);
  CHECK(compared >= 10);
  const auto most = muvera({.dim = 33, .repetitions = 1, .simhash_bits = 16, .projected_dim = 2}, rng);
  const auto rows = most.encode(sets.view());
  CHECK(rows.cols() == 131072);
  CHECK(std::ranges::all_of(rows[7], [](float x) { return std::isfinite(x); }));
}

TEST_CASE("tokens of any norm: the hash sees directions, the values scale", "[muvera]") {
  embit::rng rng{4};
  for (const auto partitions : {fde_partitions::unit, fde_partitions::mean}) {
    auto sets = random_sets(sizes, 32, 5, .4f);
    const auto encoder =
        muvera({.dim = 32, .repetitions = 5, .simhash_bits = 4, .projected_dim = 8, .partitions = partitions}, rng)
            .with_centers({.hash = embit::fit_center(sets.view())});
    int compared = 0;
    const auto documents = encoder.encode(sets.view());
    const auto queries = encoder.encode_queries(sets.view());
    for (float& x : sets.values.values()) x *= 4;
    const auto larger = encoder.encode(sets.view());
    const auto larger_queries = encoder.encode_queries(sets.view());
    for (std::size_t i = 0; i < documents.size(); ++i)
      for (std::size_t j = 0; j < documents.cols(); ++j) {
        REQUIRE(larger[i][j] == Approx(4 * documents[i][j]).margin(1e-5));
        REQUIRE(larger_queries[i][j] == Approx(4 * queries[i][j]).margin(1e-5));
      }
    for (std::size_t i = 0; i < sets.values.rows(); ++i)
      for (float& x : sets.values[i]) x *= static_cast<float>(i % 5);
    require_as_defined(encoder, sets, compared);
    CHECK(compared >= 4);
  }
}

TEST_CASE("with identity and fill, in the mean mode, an encoding never exceeds Chamfer similarity", "[muvera]") {
  embit::rng rng{6};
  const auto sets = random_sets(sizes, 24, 7, .2f);
  const auto view = sets.view();
  const muvera encoder(
      {.dim = 24, .repetitions = 4, .simhash_bits = 4, .projected_dim = 0, .partitions = fde_partitions::mean}, rng);
  const auto documents = encoder.encode(view);
  const auto queries = encoder.encode_queries(view);
  for (std::size_t q = 0; q < view.size(); ++q)
    for (std::size_t d = 0; d < view.size(); ++d) {
      if (view[q].empty() || view[d].empty()) continue;
      const double encoded = dot(queries[q], documents[d]) / 4, exact = support::chamfer(view[q], view[d]);
      REQUIRE(encoded <= exact + 1e-5);
      if (view[d].rows() == 1) REQUIRE(encoded == Approx(exact).margin(1e-5));
    }
}

TEST_CASE("a partition that is empty takes a token of least distance, its own token at distance 0", "[muvera]") {
  // Planes along the axes: the partition of a token is the signs of its first dimensions.
  embit::matrix<float> planes(4, 4, 0.f);
  for (std::size_t j = 0; j < 4; ++j) planes[j][j] = 1;
  const muvera encoder(
      {.dim = 4, .repetitions = 1, .simhash_bits = 4, .projected_dim = 0, .partitions = fde_partitions::mean},
      {.planes = planes});
  const auto side = [](std::size_t code, std::size_t bit) { return (code >> bit & 1) != 0 ? .5f : -.5f; };
  for (const std::vector<std::size_t>& codes : {std::vector<std::size_t>{3}, {0, 15}, {9, 6, 12}, {1, 2, 4, 8}}) {
    token_sets sets;
    sets.values = embit::matrix<float>(codes.size(), 4);
    for (std::size_t t = 0; t < codes.size(); ++t)
      for (std::size_t j = 0; j < 4; ++j) sets.values[t][j] = side(codes[t], j);
    sets.offsets.push_back(codes.size());
    const auto rows = encoder.encode(sets.view());
    const auto row = rows[0];
    for (std::size_t partition = 0; partition < 16; ++partition) {
      const auto best =
          *std::ranges::min_element(codes, {}, [&](std::size_t c) { return std::popcount(c ^ partition); });
      for (std::size_t j = 0; j < 4; ++j) REQUIRE(row[partition * 4 + j] == side(best, j));
    }
  }
}

TEST_CASE("queries add up, documents do not notice duplicates", "[muvera]") {
  embit::rng rng{8};
  for (const auto partitions : {fde_partitions::mean, fde_partitions::unit}) {
    const muvera encoder(
        {.dim = 40, .repetitions = 3, .simhash_bits = 3, .projected_dim = 10, .partitions = partitions}, rng);
    const std::size_t parts[] = {20, 13, 33};
    auto sets = random_sets(parts, 40, 9);
    std::copy_n(sets.values.data(), 33 * 40, sets.values.data() + 33 * 40);  // the third set is the first two
    const auto queries = encoder.encode_queries(sets.view());
    for (std::size_t j = 0; j < queries.cols(); ++j)
      REQUIRE(queries[2][j] == Approx(queries[0][j] + queries[1][j]).margin(1e-5));

    token_sets twice{embit::matrix<float>(46, 40), {0, 13, 46 - 7}, {}};
    twice.offsets = {0, 13, 39, 46};
    for (std::size_t t = 0; t < 46; ++t) std::ranges::copy(sets.values[t % 13], twice.values[t].begin());
    const auto documents = encoder.encode(twice.view());
    for (std::size_t j = 0; j < documents.cols(); ++j) REQUIRE(documents[1][j] == Approx(documents[0][j]).margin(1e-5));
  }
}

TEST_CASE("a token of a query takes part in one partition a repetition", "[muvera]") {
  embit::rng rng{10};
  const auto sets = random_sets(sizes, 32, 11);
  const muvera encoder({.dim = 32, .repetitions = 6, .simhash_bits = 5, .projected_dim = 8}, rng);
  const auto queries = encoder.encode_queries(sets.view());
  const auto sparse = encoder.encode_queries_sparse(sets.view());
  REQUIRE(sparse.size() == queries.rows());
  REQUIRE(sparse.cols() == encoder.encoded_dim());
  for (std::size_t i = 0; i < sparse.size(); ++i) {  // a part of a batch shows the same numbers, it does not copy them
    const auto part = sparse.view().middle_rows(i, sparse.size() - i);
    REQUIRE(part.size() == sparse.size() - i);
    REQUIRE(part[0].values.data() == sparse[i].values.data());
    REQUIRE(part[0].values.size() == sparse[i].values.size());
  }
  const auto documents = encoder.encode(sets.view());
  const embit::sparse_inner_product kernel;
  for (std::size_t i = 0; i < sparse.size(); ++i) {
    const auto row = sparse[i];
    CHECK(row.starts.size() <= sets.view()[i].rows() * 6);
    std::vector<float> whole(row.dim, 0.f);
    for (std::size_t s = 0; s < row.starts.size(); ++s)
      std::copy_n(row.values.begin() + static_cast<std::ptrdiff_t>(s * row.run), row.run,
                  whole.begin() + row.starts[s]);
    REQUIRE(std::ranges::equal(whole, queries[i]));
    CHECK(double{kernel(kernel.prepare(row), documents[7])} == Approx(dot(queries[i], documents[7])).margin(1e-4));
  }
}

TEST_CASE("a document is the same alone, in a batch, masked, appended to, and on any number of threads",
          "[muvera][threads]") {
  embit::rng rng{12};
  for (const std::size_t dim : {48u, 50u})
    for (const auto planes : {fde_planes::gaussian, fde_planes::structured}) {
      auto sets = random_sets(sizes, dim, 13);
      const auto view = sets.view();
      const muvera encoder({.dim = dim, .repetitions = 4, .simhash_bits = 4, .projected_dim = 12, .planes = planes},
                           rng);
      const auto all = encoder.encode(view);
      const auto threaded = encoder.encode(view, embit::thread_pool{3});
      for (std::size_t i = 0; i < view.size(); ++i) {
        REQUIRE(std::ranges::equal(all[i], threaded[i]));
        REQUIRE(std::ranges::equal(all[i], encoder.encode(view.middle_rows(i, 1))[0]));

        auto document = encoder.begin_document();
        const embit::matrix_view<const float> tokens = view[i];
        for (std::size_t first = 0; first < tokens.rows(); first += 5)
          encoder.append(document, tokens.middle_rows(first, std::min<std::size_t>(5, tokens.rows() - first)));
        std::vector<float> row(encoder.encoded_dim(), 7.f);
        encoder.finish(document, row);
        REQUIRE(document.tokens() == tokens.rows());
        REQUIRE(std::ranges::equal(all[i], row));
      }

      token_sets kept;
      std::vector<float> values;
      sets.mask.assign(sets.values.rows(), 1);
      for (std::size_t i = 0; i < sets.view().size(); ++i) {
        for (std::size_t t = sets.offsets[i]; t < sets.offsets[i + 1]; ++t) {
          sets.mask[t] = t % 3 != 0;
          if (sets.mask[t] != 0) values.insert(values.end(), sets.values[t].begin(), sets.values[t].end());
        }
        kept.offsets.push_back(values.size() / dim);
      }
      kept.values = embit::matrix<float>(values.size() / dim, dim);
      std::ranges::copy(values, kept.values.values().begin());
      const auto masked = encoder.encode(sets.view()), removed = encoder.encode(kept.view());
      REQUIRE(std::ranges::equal(masked.view()[7], removed.view()[7]));
      const auto masked_queries = encoder.encode_queries(sets.view()), queries = encoder.encode_queries(kept.view());
      REQUIRE(masked_queries == queries);
      for (std::size_t i = 0; i < masked.size(); ++i) {
        REQUIRE(std::ranges::equal(masked[i], removed[i]));
        REQUIRE(masked.is_empty(i) == (kept.offsets[i] == kept.offsets[i + 1]));
      }
    }
}

TEST_CASE("halves and bytes encode as the floats that they are", "[muvera]") {
  embit::rng rng{14};
  for (const std::size_t dim : {48u, 21u}) {
    const auto sets = random_sets(sizes, dim, 15);
    const muvera encoder({.dim = dim, .repetitions = 4, .simhash_bits = 4, .projected_dim = 12}, rng);
    embit::matrix<embit::half> halves(sets.values.rows(), dim);
    embit::matrix<std::int8_t> bytes(sets.values.rows(), dim);
    token_sets from_halves{sets.values, sets.offsets, {}}, from_bytes{sets.values, sets.offsets, {}};
    for (std::size_t i = 0; i < sets.values.values().size(); ++i) {
      halves.values()[i] = embit::half(sets.values.values()[i]);
      from_halves.values.values()[i] = halves.values()[i];
      bytes.values()[i] = static_cast<std::int8_t>(std::lround(sets.values.values()[i] * 127));
      from_bytes.values.values()[i] = bytes.values()[i];
    }
    const embit::ragged_view<const embit::half> half_view(halves.view(), sets.offsets);
    const embit::ragged_view<const std::int8_t> byte_view(bytes.view(), sets.offsets);
    const auto a = encoder.encode(half_view), b = encoder.encode(from_halves.view());
    const auto c = encoder.encode(byte_view), d = encoder.encode(from_bytes.view());
    for (std::size_t i = 0; i < a.size(); ++i) {
      REQUIRE(std::ranges::equal(a[i], b[i]));
      REQUIRE(std::ranges::equal(c[i], d[i]));
    }
    REQUIRE(encoder.encode_queries(half_view) == encoder.encode_queries(from_halves.view()));
    REQUIRE(encoder.encode_queries(byte_view) == encoder.encode_queries(from_bytes.view()));
  }
}

TEST_CASE("given matrices, Gray order and a last sketch give the layout of other libraries", "[muvera]") {
  // Two planes and two tokens, by hand. Signs (first plane, second plane): token 0 (1, 0), token 1 (0, 1). The rank of
  // the Gray code 10 is 3, that of 01 is 1.
  const float planes[] = {1, 0, 0, 1};
  const float tokens[] = {2, -1, -3, 5};
  const std::size_t offsets[] = {0, 2};
  const std::uint32_t columns[] = {0, 0};
  const float signs[] = {1, -1};
  const embit::ragged_view<const float> set(embit::matrix_view<const float>(tokens, 2, 2), offsets);
  muvera_options options{.dim = 2,
                         .repetitions = 1,
                         .simhash_bits = 2,
                         .projected_dim = 1,
                         .partitions = fde_partitions::mean,
                         .fill_empty = false,
                         .order = fde_order::gray};
  embit::muvera_matrices matrices{.planes = {planes, 2, 2}, .sketch_columns = columns, .sketch_signs = signs};
  const muvera encoder(options, matrices);
  CHECK(std::ranges::equal(encoder.encode(set)[0], std::vector<float>{0, -8, 0, 3}));
  options.fill_empty = true;  // 00 (place 0) and 11 (place 2) are one bit from both tokens: the first one wins
  const muvera filled(options, matrices);
  CHECK(std::ranges::equal(filled.encode(set)[0], std::vector<float>{3, -8, 3, 3}));
  CHECK(std::ranges::equal(filled.encode_queries(set)[0], std::vector<float>{0, -8, 0, 3}));

  const std::uint32_t last_columns[] = {1, 0, 1, 1};
  const float last_signs[] = {1, 1, -1, 1};
  options.final_dim = 2;
  matrices.final_columns = last_columns;
  matrices.final_signs = last_signs;
  const muvera shorter(options, matrices);
  CHECK(shorter.encoded_dim() == 2);
  CHECK(std::ranges::equal(shorter.encode(set)[0], std::vector<float>{-8, 3}));

  // Plain order: the first plane is the lowest bit.
  options.final_dim = 0;
  options.order = fde_order::plain;
  options.fill_empty = false;
  CHECK(std::ranges::equal(muvera(options, matrices).encode(set)[0], std::vector<float>{0, 3, -8, 0}));
}

TEST_CASE("a last sketch keeps inner products", "[muvera]") {
  embit::rng rng{16};
  const auto sets = random_sets(sizes, 32, 17, .5f);
  const muvera_options options{.dim = 32, .repetitions = 10, .simhash_bits = 4, .projected_dim = 16, .final_dim = 1200};
  const muvera encoder(options, rng);
  REQUIRE(encoder.encoded_dim() == 1200);
  muvera_options whole = options;
  whole.final_dim = 0;
  embit::rng same{16};
  const muvera before(whole, same);
  const auto q = encoder.encode_queries(sets.view()), q_before = before.encode_queries(sets.view());
  const auto d = encoder.encode(sets.view()), d_before = before.encode(sets.view());
  for (std::size_t i = 0; i < d.size(); ++i)
    if (i != 2) CHECK(dot(q[7], d[i]) == Approx(dot(q_before[7], d_before[i])).epsilon(.15));
}

TEST_CASE("an encoder is drawn once: streams, copies, files and fingerprints", "[muvera]") {
  embit::rng a{18}, b{18}, c{19};
  const muvera_options options{.dim = 20, .repetitions = 4, .simhash_bits = 3, .projected_dim = 5};
  const muvera first(options, a), same(options, b), other(options, c);
  CHECK(first.fingerprint() == same.fingerprint());
  CHECK(first.fingerprint() != other.fingerprint());
  CHECK(first.planes() == same.planes());
  // Fewer repetitions are the first ones of more.
  embit::rng d{18};
  muvera_options fewer = options;
  fewer.repetitions = 2;
  const muvera start(fewer, d);
  const auto all_planes = first.planes(), all_projections = first.projections();
  CHECK(std::ranges::equal(start.planes().values(), all_planes.values().first(2 * 3 * 20)));
  CHECK(std::ranges::equal(start.projections().values(), all_projections.values().first(2 * 5 * 20)));

  const auto sets = random_sets(sizes, 20, 20);
  const support::temp_dir dir;
  const auto encodings = first.encode(sets.view());
  embit::save(dir / "encodings.embit", encodings);
  const auto loaded = first.load_encodings(dir / "encodings.embit");
  CHECK(loaded.is_empty(2));
  CHECK(loaded.empty_documents() == 1);
  CHECK(std::ranges::equal(loaded[7], encodings[7]));
  CHECK(contains(refusal([&] { (void)other.load_encodings(dir / "encodings.embit"); }),
                 "argument: encodings of another"));
  CHECK(contains(refusal([&] { other.require_encodings(encodings); }), std::to_string(first.fingerprint())));

  for (const auto planes : {fde_planes::gaussian, fde_planes::structured})
    for (const auto projection : {fde_projection::identity, fde_projection::dense, fde_projection::count_sketch}) {
      const auto encoder = muvera({.dim = 20,
                                   .repetitions = 4,
                                   .simhash_bits = 3,
                                   .projected_dim = 5,
                                   .planes = planes,
                                   .projection = projection,
                                   .final_dim = 33},
                                  a)
                               .with_centers({.hash = embit::fit_center(sets.view())});
      embit::save(dir / "encoder.embit", encoder);
      const auto read = embit::load<muvera>(dir / "encoder.embit");
      CHECK(read.fingerprint() == encoder.fingerprint());
      CHECK(std::ranges::equal(read.encode(sets.view())[7], encoder.encode(sets.view())[7]));
    }
  const auto centered = first.with_centers({.hash = embit::fit_center(sets.view())});
  CHECK(centered.fingerprint() != first.fingerprint());
}

TEST_CASE("bad input is refused with what is wrong and where", "[muvera]") {
  embit::rng rng{21};
  const auto make = [&](muvera_options options) { return refusal([&] { (void)muvera(options, rng); }); };
  CHECK(contains(make({}), "argument: muvera: dim 0"));
  CHECK(contains(make({.dim = 16, .repetitions = 0}), "0 repetitions"));
  CHECK(contains(make({.dim = 16, .simhash_bits = 17}), "simhash_bits 17"));
  CHECK(contains(make({.dim = 16, .projected_dim = 17}), "projected_dim 17"));
  CHECK(contains(make({.dim = 128, .repetitions = 10000, .simhash_bits = 16}), "10000 repetitions"));
  CHECK(contains(make({.dim = 16, .repetitions = 1, .simhash_bits = 0, .final_dim = 17}), "final_dim 17"));
  const embit::matrix<float> planes(3, 16, 1.f);
  CHECK(contains(refusal([&] { (void)muvera({.dim = 16, .repetitions = 1, .simhash_bits = 2}, {.planes = planes}); }),
                 "shape: muvera: planes of 3 x 16"));

  const muvera encoder({.dim = 16, .repetitions = 2, .simhash_bits = 2, .projected_dim = 4}, rng);
  CHECK(contains(refusal([&] { (void)encoder.with_centers({.hash = std::vector<float>(15)}); }), "15"));
  auto sets = random_sets(sizes, 16, 22);
  sets.values[20][3] = std::numeric_limits<float>::quiet_NaN();  // document 3 begins at row 17
  CHECK(contains(refusal([&] { (void)encoder.encode(sets.view()); }), "not_finite: document 3, token 3: dimension 3"));
  CHECK(contains(refusal([&] { (void)encoder.encode_queries(sets.view()); }), "query 3, token 3"));
  auto document = encoder.begin_document();
  CHECK(contains(refusal([&] { encoder.append(document, sets.values); }), "row 20"));
  CHECK(document.tokens() == 0);
  const auto narrow = random_sets(sizes, 15, 23);
  CHECK(contains(refusal([&] { (void)encoder.encode(narrow.view()); }), "shape: documents: tokens of dimension 15"));
  std::vector<float> row(15);
  CHECK(contains(refusal([&] { encoder.finish(document, row); }), "15 floats"));
  embit::fde_document foreign;
  CHECK(contains(refusal([&] { encoder.append(foreign, sets.values); }), "another encoder"));
  CHECK(encoder.encode(embit::ragged_view<const float>()).size() == 0);
}
