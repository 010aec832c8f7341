// SPDX-License-Identifier: MIT
#include <embit/adapt/plaid.hpp>
#include <embit/core/random.hpp>
#include <embit/index/flat.hpp>
#include <embit/io/npy.hpp>
#include <embit/kernel/chamfer.hpp>
#include <embit/multivector/fit_center.hpp>
#include <embit/multivector/muvera.hpp>
#include <embit/retrieve/chamfer_rerank.hpp>
#include <embit/retrieve/retriever.hpp>

#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <support/catch.hpp>
#include <support/normal_rows.hpp>
#include <support/plaid_files.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

namespace {

using support::contains;
using support::plaid_numbers;
using support::refusal;

plaid_numbers random_index(std::size_t dim, std::size_t bits, std::uint64_t seed) {
  embit::rng rng{seed};
  plaid_numbers index{.bits = bits, .centroids = support::normal_rows(5, dim, seed), .weights = {}, .chunks = {}};
  for (float& x : index.centroids.values()) x = float(embit::half(x));
  for (std::size_t b = 0; b < std::size_t{1} << bits; ++b) index.weights.push_back(.2f * embit::normal(rng));
  for (const std::vector<std::size_t>& lengths : {std::vector<std::size_t>{3, 0, 7}, {}, {1}, {12, 2}}) {
    support::plaid_chunk chunk{lengths, {}, {}};
    std::size_t tokens = 0;
    for (const std::size_t length : lengths) tokens += length;
    for (std::size_t t = 0; t < tokens; ++t) chunk.codes.push_back(static_cast<std::int64_t>(rng() % 5));
    chunk.buckets = embit::matrix<std::uint8_t>(tokens, dim);
    for (auto& bucket : chunk.buckets.values()) bucket = static_cast<std::uint8_t>(rng() >> (64 - bits));
    index.chunks.push_back(std::move(chunk));
  }
  return index;
}

// The tokens as the numbers say them, one document after another.
std::vector<embit::matrix<float>> tokens_of(const plaid_numbers& index) {
  std::vector<embit::matrix<float>> documents;
  for (const auto& chunk : index.chunks) {
    std::size_t at = 0;
    for (const std::size_t length : chunk.lengths) {
      embit::matrix<float> tokens(length, index.centroids.cols());
      for (std::size_t t = 0; t < length; ++t, ++at) {
        double square = 0;
        for (std::size_t j = 0; j < tokens.cols(); ++j) {
          tokens[t][j] =
              index.centroids[static_cast<std::size_t>(chunk.codes[at])][j] + index.weights[chunk.buckets[at][j]];
          square += std::pow(double{tokens[t][j]}, 2);
        }
        for (float& x : tokens[t]) x = static_cast<float>(double{x} / std::sqrt(square));
      }
      documents.push_back(std::move(tokens));
    }
  }
  return documents;
}

std::string outcome(const std::string& folder) {
  return refusal([&] { embit::plaid_index{folder}; });
}

}  // namespace

TEST_CASE("tokens of a PLAID index are centroids and residuals of 1, 2, 4 and 8 bits") {
  for (const std::size_t bits : {1u, 2u, 4u, 8u})
    for (const std::size_t dim : {8u, 24u}) {
      const support::temp_dir dir;
      const auto numbers = random_index(dim, bits, bits + dim);
      support::write_plaid(dir / "", numbers);
      const embit::plaid_index index(dir / "");
      const auto expected = tokens_of(numbers);
      REQUIRE(index.size() == expected.size());
      CHECK(index.cols() == dim);
      CHECK(index.bits() == bits);
      CHECK(index.tokens() == 25);
      CHECK(index.centroids() == 5);
      CHECK(index.memory() == 25 * (4 + dim * bits / 8) + 5 * dim * 4);
      const auto whole = index.decompressed();
      const auto all = whole.view();
      const auto some = index.decompressed(2, 2);
      CHECK(some.view()[1].rows() == expected[3].rows());
      CHECK(contains(refusal([&] { (void)index.decompressed(1, index.size()); }), "out_of_range: plaid_index"));
      const auto queries = support::normal_rows(4, dim, 1);
      const embit::chamfer kernel;
      const auto prepared = kernel.prepare(embit::row_set<const float>(queries.view()));
      for (std::size_t d = 0; d < expected.size(); ++d) {
        const auto tokens = index[d];
        REQUIRE(tokens.rows() == expected[d].rows());
        for (std::size_t t = 0; t < tokens.rows(); ++t)
          for (std::size_t j = 0; j < dim; ++j) {
            CHECK(std::abs(tokens.view()[t][j] - expected[d][t][j]) < 1e-6f);
            CHECK(all[d][t][j] == tokens.view()[t][j]);
          }
        if (tokens.rows() != 0)
          CHECK(std::abs(kernel(prepared, tokens) - kernel(prepared, embit::row_set<const float>(expected[d].view()))) <
                1e-4f);
      }
    }
}

TEST_CASE("bits of residuals come in the order of their writers") {
  // torch: bits = buckets >> arange(nbits) & 1, flattened, then eight by eight times 128, 64, …, 1.
  struct sample {
    std::size_t bits;
    std::vector<std::uint8_t> buckets, bytes;
  };
  for (const auto& [bits, buckets, bytes] :
       {sample{1, {1, 0, 0, 0, 0, 0, 1, 1}, {0x83}}, sample{2, {1, 0, 3, 2, 0, 1, 2, 3}, {0x8d, 0x27}},
        sample{4, {1, 8, 2, 12, 15, 0, 7, 3}, {0x81, 0x43, 0xf0, 0xec}},
        sample{8, {1, 2, 4, 200, 255, 0, 128, 3}, {0x80, 0x40, 0x20, 0x13, 0xff, 0, 1, 0xc0}}}) {
    INFO(bits << " bits");
    const support::temp_dir dir;
    plaid_numbers numbers{.bits = bits, .centroids = embit::matrix<float>(1, 8), .weights = {}, .chunks = {}};
    for (std::size_t b = 0; b < std::size_t{1} << bits; ++b) numbers.weights.push_back(1 + static_cast<float>(b));
    numbers.chunks.push_back({{1}, {0}, embit::matrix<std::uint8_t>(1, 8)});
    support::write_plaid(dir / "", numbers);
    support::write_array(dir / "0.residuals.npy", "|u1", "(1, " + std::to_string(bits) + ")", bytes);
    const auto tokens = embit::plaid_index(dir / "")[0];
    double square = 0;
    for (const auto bucket : buckets) square += std::pow(1. + bucket, 2);
    for (std::size_t j = 0; j < 8; ++j)
      CHECK(std::abs(double{tokens.view()[0][j]} - (1. + buckets[j]) / std::sqrt(square)) < 1e-6);
  }
}

TEST_CASE("a PLAID index is searched by encodings and reranked by its tokens") {
  const support::temp_dir dir;
  embit::rng rng{3};
  embit::matrix<float> values = support::normal_rows(600, 32, 2);
  std::vector<std::size_t> offsets{0};
  while (offsets.back() < 600) offsets.push_back(std::min<std::size_t>(offsets.back() + 1 + rng() % 9, 600));
  for (std::size_t t = 0; t < 600; ++t) {
    double square = 0;
    for (const float x : values[t]) square += double{x} * double{x};
    for (float& x : values[t]) x = static_cast<float>(double{x} / std::sqrt(square));
  }
  const embit::ragged_view<const float> documents(values.view(), offsets);
  support::write_plaid(dir / "", support::make_plaid(documents, 16, 4, 1));
  const embit::plaid_index index(dir / "");
  REQUIRE(index.size() == documents.size());
  const auto tokens = index.decompressed();
  const auto fde = embit::muvera({.dim = 32, .simhash_bits = 3}, rng);
  const auto read = tokens.view();
  const embit::retriever late{fde, embit::flat_index{fde.encode_levels(read, 1), fde.estimator()},
                              embit::chamfer_rerank{index}};
  const embit::flat_index exact{read, embit::chamfer{}};
  const embit::ragged_view<const float> queries = documents.middle_rows(0, 20);
  const auto found = late.search(queries, 3, {.candidates = 60}), truth = exact.search(queries, 3);
  for (std::size_t q = 0; q < 20; ++q) {
    CHECK(found[q][0].id == truth[q][0].id);
    CHECK(std::abs(found[q][0].distance - truth[q][0].distance) < 1e-4f);
  }
}

TEST_CASE("what contradicts itself in a PLAID index is refused with the name of the file") {
  const auto numbers = random_index(8, 2, 7);
  const auto broken = [&](const std::string& name, const std::string& text) {
    const support::temp_dir dir;
    support::write_plaid(dir / "", numbers);
    support::write_text(dir / name, text);
    return outcome(dir / "");
  };
  CHECK(broken("none", "") == "accepted");
  CHECK(contains(broken("metadata.json", "{\"nbits\": 2}"), "metadata.json: does not say \"num_chunks\""));
  CHECK(contains(broken("metadata.json", "{\"num_chunks\": 4, \"nbits\": 3}"), "metadata.json: residuals of 3 bits"));
  CHECK(contains(broken("metadata.json", "{\"num_chunks\": 4, \"nbits\": 4}"), "16"));
  CHECK(contains(broken("metadata.json", "{\"num_chunks\": 5, \"nbits\": 2}"), "doclens.4.json"));
  for (const char* text : {"", "[]", "{", "{\"a\"}", "{\"a\": }", "{\"a\": 1,}", "{} {}", "{\"a\": \"",
                           "{\"a\": nope}x", "{\"num_chunks\": 99999999999999999999}"})
    CHECK(contains(broken("metadata.json", text), "metadata.json: at byte"));
  CHECK(contains(broken("metadata.json", "{\"a\": " + std::string(5000, '[')), "deep"));
  for (const char* text : {"", "{}", "[1", "[1,]", "[1.5]", "[-1]", "[1] 2", "[\"1\"]"})
    CHECK(contains(broken("doclens.0.json", text), "doclens.0.json: at byte"));
  CHECK(contains(broken("doclens.0.json", "[3,0,8]"), "doclens.0.json: documents of more tokens than"));
  CHECK(contains(broken("doclens.0.json", "[3,0,6]"), "doclens.0.json: 1 tokens of"));
  CHECK(contains(broken("doclens.0.json", "[18446744073709551615,11]"), "doclens.0.json"));
  for (const char* name : {"centroids.npy", "bucket_weights.npy", "0.codes.npy", "3.residuals.npy"})
    CHECK(contains(broken(name, "\x93NUMPY"), name));

  const auto replaced = [&](const std::string& name, const auto& array, const char* type, const char* shape) {
    const support::temp_dir dir;
    support::write_plaid(dir / "", numbers);
    support::write_array(dir / name, type, shape, array);
    return outcome(dir / "");
  };
  CHECK(contains(replaced("2.codes.npy", std::vector<std::int64_t>{5}, "<i8", "(1,)"),
                 "2.codes.npy: token 0: centroid 5 of 5"));
  CHECK(contains(replaced("2.codes.npy", std::vector<std::int64_t>{-1}, "<i8", "(1,)"), "centroid -1 of 5"));
  CHECK(contains(replaced("2.codes.npy", std::vector<std::int64_t>{1, 1}, "<i8", "(1, 2)"), "1 x 2 codes"));
  CHECK(contains(replaced("2.codes.npy", std::vector<float>{1}, "<f4", "(1,)"), "2.codes.npy"));
  CHECK(contains(replaced("2.residuals.npy", std::vector<std::uint8_t>{1}, "|u1", "(1, 1)"),
                 "2.residuals.npy: 1 x 1 bytes where 1 tokens have 2 each"));
  CHECK(contains(replaced("bucket_weights.npy", std::vector<float>(3, 1.f), "<f4", "(3,)"), "bucket_weights.npy: 3"));
  CHECK(contains(replaced("bucket_weights.npy", std::vector<float>(4, INFINITY), "<f4", "(4,)"), "bucket_weights.npy"));
  CHECK(contains(replaced("centroids.npy", std::vector<float>(15, 1.f), "<f4", "(5, 3)"),
                 "centroids.npy: 3 dimensions of 2 bits"));
  CHECK(contains(replaced("centroids.npy", std::vector<float>(40, 3e38f), "<f4", "(5, 8)"), "accepted"));
  const support::temp_dir nothing;
  CHECK(contains(outcome(nothing / ""), "metadata.json"));
}

TEST_CASE("a PLAID index of which a byte is changed or that is cut is read or refused") {
  const auto numbers = random_index(8, 2, 9);
  const support::temp_dir dir;
  support::write_plaid(dir / "", numbers);
  for (const char* name :
       {"metadata.json", "centroids.npy", "bucket_weights.npy", "doclens.3.json", "3.codes.npy", "3.residuals.npy"}) {
    std::ifstream in(dir / name, std::ios::binary);
    const std::string whole{std::istreambuf_iterator<char>(in), {}};
    in.close();
    for (std::size_t at = 0; at < whole.size(); at += 1 + whole.size() / 97) {
      support::write_text(dir / name, whole.substr(0, at));
      CHECK(contains(outcome(dir / ""), name));
      for (const int bit : {0, 5, 7}) {
        std::string changed = whole;
        changed[at] = static_cast<char>(changed[at] ^ 1 << bit);
        support::write_text(dir / name, changed);
        const std::string found = outcome(dir / "");
        if (found != "accepted") CHECK((contains(found, ".npy") || contains(found, ".json")));
      }
    }
    support::write_text(dir / name, whole);
  }
  CHECK(outcome(dir / "") == "accepted");
}
