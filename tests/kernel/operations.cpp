// Every operation of the kernels at every level of this machine, held against its portable functions; an operation that
// is added to the list does not compile here until it is held too.
// SPDX-License-Identifier: MIT
#include <embit/core/isa.hpp>
#include <embit/core/random.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/kernel/operations.hpp>
#include <embit/kernel/project.hpp>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/levels.hpp>
#include <support/normal_rows.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

namespace {

using embit::isa, embit::word;
using support::normal_rows;
namespace ops = embit::detail;

using offers = std::vector<std::tuple<std::size_t, std::size_t, double>>;

// Takes what is offered within one limit, whatever a kernel calls it.
struct sink {
  double most;
  offers taken{};

  std::uint32_t threshold(std::size_t = 0) const { return static_cast<std::uint32_t>(most); }
  std::optional<float> limit(std::size_t) const { return static_cast<float>(most); }
  void offer(std::size_t query, std::size_t row, double distance) {
    if (distance < most) taken.emplace_back(query, row, distance);
  }
  void offer(std::uint32_t position, std::uint32_t distance) { offer(0, position, distance); }
  offers sorted() {
    std::sort(taken.begin(), taken.end());
    return taken;
  }
};

std::vector<word> random_words(std::size_t n, std::uint64_t seed) {
  embit::rng rng{seed};
  std::vector<word> words(n);
  for (word& w : words) w = rng();
  return words;
}

void require_close(std::span<const float> a, std::span<const float> b, float tolerance) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i)
    if (!(std::abs(a[i] - b[i]) <= tolerance)) FAIL(a[i] << " is not " << b[i] << " at " << i);
}
void require_same(std::span<const float> a, std::span<const float> b) {
  REQUIRE(a.size() == b.size());
  REQUIRE(std::memcmp(a.data(), b.data(), a.size_bytes()) == 0);
}

template <class Ops>
using table = ops::dispatch_table<Ops>;

// hold(table, level): what the functions of `level` give is what the portable ones give.

void hold(const table<ops::hamming_ops>&, isa level) {
  for (const std::size_t words : {1u, 2u, 3u, 8u, 17u})
    for (const std::size_t queries : {1u, 3u, 100u}) {  // by words, and by bit slices
      const std::size_t rows = 1000;
      const auto codes = random_words(rows * words, words), asked = random_words(queries * words, 9);
      embit::aligned_vector<word> blocks((rows + 63) / 64 * 64 * words, 0);
      for (std::size_t r = 0; r < rows; ++r)
        for (std::size_t w = 0; w < words; ++w)
          blocks[(r / embit::block_rows * words + w) * embit::block_rows + r % embit::block_rows] =
              codes[r * words + w];
      const auto found = [&](isa at) {
        const embit::hamming_batch batch(embit::code_view<>(asked.data(), queries, 64 * words), rows, at);
        embit::hamming_batch::scratch scratch;
        sink to{static_cast<double>(31 * words)};
        batch.scan(embit::block_run{.data = blocks.data(), .words = words, .rows = rows}, scratch, to);
        return to.sorted();
      };
      REQUIRE(!found(isa::portable).empty());
      REQUIRE(found(level) == found(isa::portable));
    }
}

void hold(const table<ops::level_scan_ops>&, isa level) {
  embit::rng rng{3};
  for (const std::size_t bits : {1u, 2u, 4u, 8u}) {
    const auto format = support::uniform_format(100, bits, .3f);
    const auto store = support::random_store(format, 333, rng);
    const auto asked = support::random_floats(100, -1, 1, rng);
    const auto found = [&](isa at) {
      embit::level_batch batch;
      batch.reset(1, at);
      batch[0].assign(format, asked, 8, {});
      embit::level_batch::scratch scratch;
      sink to{0};
      batch.scan(store.run(0), scratch, to);
      return to.taken;
    };
    REQUIRE(!found(isa::portable).empty());
    REQUIRE(found(level) == found(isa::portable));
  }
}

template <class Scan>
void hold_ranges(isa level, std::initializer_list<std::size_t> widths, Scan&& scan) {
  for (const std::size_t words : widths) {
    const auto random = random_words(1000 * words, words);
    const embit::aligned_vector<word> codes(random.begin(), random.end());
    const auto query = random_words(words, 77);
    const auto found = [&](isa at) {
      sink to{static_cast<double>(30 * words)};
      scan(words, at, codes, query, to);
      return to.sorted();
    };
    REQUIRE(!found(isa::portable).empty());
    REQUIRE(found(level) == found(isa::portable));
  }
}

void hold(const table<ops::bucket_ops>&, isa level) {
  const std::vector<ops::code_range> ranges{{0, 0}, {990, 10}, {3, 1}, {100, 333}};
  hold_ranges(level, {1, 2, 3, 4, 5, 6, 7, 8},
              [&](std::size_t words, isa at, const auto& codes, const auto& query, sink& to) {
                ops::bucket_scan::scratch hits;
                ops::bucket_scan(words, at)(codes.data(), ranges, query.data(), hits, to);
              });
}

void hold(const table<ops::line_ops>&, isa level) {
  hold_ranges(level, {1, 2, 4}, [](std::size_t words, isa at, const auto& codes, const auto& query, sink& to) {
    std::vector<ops::code_line> lines(1000 + ops::listed_step);
    lines.resize(ops::lines_of(codes.data(), words, {3, 901}, lines.data()));
    ops::bucket_scan::scratch hits;
    ops::line_scan(words, at)(codes.data(), lines, lines, query.data(), hits, to);
  });
}

void hold(const table<ops::gather_ops>&, isa level) {
  for (const std::size_t words : {1u, 2u, 3u, 4u, 16u}) {
    const auto codes = random_words(40 * 8 * words, words), query = random_words(words, 77);
    std::vector<const embit::word*> lanes;
    for (const std::size_t row : {0u, 319u, 7u, 8u, 100u, 100u})
      lanes.push_back(codes.data() + row / 8 * 8 * words + row % 8);
    const auto sums = [&](isa at) {
      std::vector<std::uint32_t> added(lanes.size() + 1, 5);  // nothing is written beyond
      ops::add_gathered(lanes, query, added.data(), at);
      return added;
    };
    std::vector<std::uint32_t> expected(lanes.size() + 1, 5);
    for (std::size_t i = 0; i < lanes.size(); ++i)
      for (std::size_t w = 0; w < words; ++w)
        expected[i] += static_cast<std::uint32_t>(std::popcount(lanes[i][w * 8] ^ query[w]));
    REQUIRE(sums(level) == expected);
  }
}

void hold(const table<ops::pair_ops>&, isa level) {
  for (const std::size_t dim : {0u, 1u, 7u, 64u, 129u, 1000u}) {
    const auto x = normal_rows(2, dim, dim);
    const auto scores = [&](isa at) {
      const embit::inner_product product;
      const embit::l2 distance;
      return std::vector<float>{product(product.prepare(x[0], at), x[1]), distance(distance.prepare(x[0], at), x[1])};
    };
    require_close(scores(level), scores(isa::portable), 1e-6f * static_cast<float>(2 * dim + 1));
  }
}

void hold(const table<ops::product_ops>&, isa level) {
  for (const std::size_t n : {1u, 6u, 13u})
    for (const std::size_t m : {1u, 16u, 70u}) {
      const auto a = normal_rows(n, 100, n), b = normal_rows(m, 100, m);
      const auto product = [&](isa at) {
        embit::matrix<float> c(n, m);
        embit::gemm(a, b, c, {}, at);
        return c;
      };
      const auto own = product(level);
      require_close(own.values(), product(isa::portable).values(), 1e-4f);
      std::vector<word> codes(n * embit::words_for(m)), expected(codes.size());
      embit::project(a, embit::projection_planes(b), codes, {}, level);
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < m; ++j) expected[i * embit::words_for(m) + j / 64] |= word{own[i][j] > 0} << j % 64;
      REQUIRE(codes == expected);
    }
}

void hold(const table<ops::hadamard_ops>& of, isa level) {
  const ops::hadamard_ops& own = of.at(level);
  for (std::size_t n = 1; n <= 8192; n *= 2) {
    auto a = normal_rows(1, n, n), b = a;
    own.transform(a.data(), n);
    of.at(isa::portable).transform(b.data(), n);
    require_same(a.values(), b.values());
  }
  for (const std::size_t n : {1u, 7u, 16u, 63u, 64u, 65u, 127u, 1000u}) {
    const std::size_t words = embit::words_for(n);
    const auto bits = random_words(words, n);
    const auto x = normal_rows(2, n, n);
    auto flipped = x, turned = x, y = x, z = x;
    for (std::size_t j = 0; j < n; ++j) {
      if ((bits[j / 64] >> j % 64 & 1) != 0) flipped[0][j] = -x[0][j];
      turned[0][j] = .3f * (x[0][j] + x[1][j]);
      turned[1][j] = .3f * (x[0][j] - x[1][j]);
    }
    own.flip(x[0].data(), y[0].data(), bits.data(), n);
    own.turn(z[0].data(), z[1].data(), .3f, n);
    require_same(y.values(), flipped.values());
    require_same(z.values(), turned.values());
    own.scale(y[1].data(), .7f, n);
    for (std::size_t j = 0; j < n; ++j) REQUIRE(y[1][j] == .7f * x[1][j]);
    const auto values = normal_rows(1, 64 * words, n + 1), cut = normal_rows(1, 64 * words, n + 2);
    std::vector<word> packed(words), expected(words);
    own.signs(values.data(), cut.data(), words, packed.data());
    for (std::size_t j = 0; j < 64 * words; ++j) expected[j / 64] |= word{values[0][j] > cut[0][j]} << j % 64;
    REQUIRE(packed == expected);
  }
}

void hold(const table<ops::quantize_ops>& of, isa level) {
  for (const std::size_t dims : {1u, 7u, 8u, 9u, 15u, 16u, 17u, 100u, 1000u})
    for (std::size_t bits = 1; bits <= 8; ++bits) {
      auto x = normal_rows(1, dims, dims);
      x[0][dims / 2] = 0;
      const auto found = [&](isa at) {
        std::vector<std::uint8_t> planes(bits * ((dims + 7) / 8) * 32, 0xcc);
        const auto sums = of.at(at).row(x.data(), dims, 3.5f, bits, planes.data());
        return std::tuple(planes, sums.magnitude, sums.product, sums.energy, of.at(at).square(x.data(), dims));
      };
      REQUIRE((found(level) == found(isa::portable)));
    }
}

void hold(const table<ops::centroid_ops>& of, isa level) {
  for (const std::size_t size : {1u, 16u, 17u, 100u, 520u})
    for (const std::size_t dim : {1u, 4u, 31u, 128u}) {
      const auto rows = normal_rows(size, dim, size), query = normal_rows(1, dim, dim);
      const embit::nearest_centroids centroids(rows);
      const auto found = [&](isa at, std::size_t count) {
        embit::nearest_centroids::scratch scratch;
        const auto all = centroids(query[0], count, scratch, at);
        return std::vector<embit::neighbor<float>>(all.begin(), all.end());
      };
      for (const std::size_t count : {std::size_t{1}, size / 8 + 1, size})
        REQUIRE(found(level, count) == found(isa::portable, count));
      const auto products = normal_rows(1, size, 5), terms = normal_rows(1, size, 6);
      const auto own = of.at(level).least(products[0].data(), terms[0].data(), size);
      const auto plain = of.at(isa::portable).least(products[0].data(), terms[0].data(), size);
      REQUIRE(own.value == plain.value);
      REQUIRE(own.at == plain.at);
      std::vector<double> sums(size, .1), expected(size, .1);
      of.at(level).add(products[0].data(), size, sums.data());
      of.at(isa::portable).add(products[0].data(), size, expected.data());
      REQUIRE(sums == expected);
    }
}

void hold(const table<ops::chamfer_ops>&, isa level) {
  for (const std::size_t dim : {1u, 31u, 128u})
    for (const std::size_t tokens : {1u, 16u, 70u}) {
      const auto query = normal_rows(tokens, dim, tokens), document = normal_rows(13, dim, dim);
      const auto signs = random_words(13 * embit::words_for(dim), dim);
      const auto scores = [&](isa at) {
        const embit::chamfer kernel;
        const embit::chamfer_signs by_signs;
        const embit::row_set<const float> asked(query);
        return std::vector<float>{kernel(kernel.prepare(asked, at), document.view()),
                                  by_signs(by_signs.prepare(asked, at), embit::code_view<>(signs.data(), 13, dim))};
      };
      require_close(scores(level), scores(isa::portable), 1e-5f * static_cast<float>(tokens * dim + 1));
    }
}

void hold(const table<ops::token_ops>& of, isa level) {
  const std::size_t dim = 32, tokens = 29;
  ops::token_plan plan;
  plan.dim = plan.columns = dim;
  plan.repetitions = 3;
  plan.bits = 4;
  plan.planes = ops::product_rows(normal_rows(plan.repetitions * plan.bits, dim, 1).values(), dim);
  plan.thresholds.assign(plan.planes.padded(), 0.f);
  const auto rows = normal_rows(tokens, dim, 2);
  std::vector<const float*> pointers;
  for (std::size_t i = 0; i < tokens; ++i) pointers.push_back(rows[i].data());
  const auto encoded = [&](isa at) {
    ops::token_scratch scratch;
    ops::token_sums sums;
    scratch.fit(plan);
    sums.clear(plan, true);
    REQUIRE(of.at(at).add(plan, scratch, sums, pointers.data(), tokens) == tokens);
    std::vector<float> out(plan.repetitions * plan.partitions() * dim);
    of.at(at).finish_document(plan, {}, scratch, sums, out.data());
    return out;
  };
  require_close(encoded(level), encoded(isa::portable), 1e-4f);
}

void hold(const table<ops::widen_ops>& of, isa level) {
  for (const std::size_t n : {0u, 1u, 7u, 8u, 9u, 100u}) {
    std::vector<embit::half> halves(n);
    std::vector<std::int8_t> bytes(n);
    const auto x = normal_rows(1, n, n);
    for (std::size_t i = 0; i < n; ++i) {
      halves[i] = embit::half(x[0][i]);
      bytes[i] = static_cast<std::int8_t>(i * 37 % 256 - 128);
    }
    const auto wide = [&](isa at) {
      std::vector<float> out(2 * n + 2, 7.f);  // nothing is written beyond
      of.at(at).halves(halves.data(), n, out.data());
      of.at(at).bytes(bytes.data(), n, .37f, out.data() + n + 1);
      return out;
    };
    require_same(wide(level), wide(isa::portable));
  }
}

}  // namespace

TEST_CASE("every operation gives at every level what its portable functions give", "[operations]") {
  ops::for_each_table([]<class Ops>(const table<Ops>& of) {
    for (const isa level : embit::supported_isas()) {
      INFO(Ops::operation << " at " << embit::name_of(level));
      hold(of, level);
    }
  });
}

TEST_CASE("it is known what serves a level that has no functions of its own", "[operations]") {
  using serves = std::vector<isa>;
  const isa p = isa::portable, two = isa::avx2, five = isa::avx512, v = isa::vpopcnt, neon = isa::neon;
  const std::map<std::string, serves> expected{
      {"bucket_scan", {p, two, two, v, neon}},    {"centroids", {p, two, five, v, neon}},
      {"chamfer", {p, two, five, five, p}},       {"gather", {p, two, two, two, p}},
      {"hadamard", {p, two, five, five, neon}},   {"hamming", {p, two, five, v, neon}},
      {"level_scan", {p, two, five, five, neon}}, {"line_scan", {p, two, two, v, neon}},
      {"pair", {p, two, five, five, p}},          {"product", {p, two, five, five, neon}},
      {"quantize", {p, two, five, five, neon}},   {"token_sums", {p, two, five, five, p}},
      {"widen", {p, two, two, two, neon}}};
  const auto all = embit::operations();
  REQUIRE(all.size() == expected.size());
  for (const embit::operation& each : all) {
    const serves& wanted = expected.at(std::string(each.name));
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      INFO(each.name << " at " << embit::name_of(embit::all_isas[i]));
      REQUIRE(each.served_by(embit::all_isas[i]) == each.written_for[i]);
      if (embit::supports(embit::all_isas[i])) CHECK(each.written_for[i] == wanted[i]);
    }
  }
}

TEST_CASE("a table serves a level by the best functions that it includes", "[operations]") {
  constexpr auto some = [] {
    ops::dispatch_table<int> made(1);
    made.add(isa::vpopcnt, 4);
    made.add(isa::avx512, 2);  // in any order
    made.add(isa::neon, 3);
    return made;
  }();
  static_assert(some.at(isa::portable) == 1 && some.at(isa::avx2) == 1 && some.at(isa::avx512) == 2 &&
                some.at(isa::vpopcnt) == 4 && some.at(isa::neon) == 3);
  constexpr auto one = [] {
    ops::dispatch_table<int> made(1);
    made.add(isa::avx2, 2);
    return made;
  }();
  static_assert(one.at(isa::vpopcnt) == 2 && one.at(isa::neon) == 1);
  static_assert(one.served_by(isa::portable) == isa::portable && one.served_by(isa::vpopcnt) == isa::avx2 &&
                one.served_by(isa::neon) == isa::portable);
  REQUIRE(embit::includes(isa::vpopcnt, isa::avx2));
  REQUIRE_FALSE(embit::includes(isa::neon, isa::avx2));
}
