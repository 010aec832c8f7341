// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/index/tune.hpp>
#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace {

using support::code_kind;
using support::refusal;

embit::code_store<> make(std::size_t n, std::size_t bits, code_kind kind, std::uint64_t seed) {
  embit::rng rng{seed};
  return support::make_codes(n, bits, kind, rng);
}

void require_sound(const embit::tune_report& report, const embit::tune_options& options) {
  REQUIRE_FALSE(report.figures.empty());
  REQUIRE(report.figures[0].kind == embit::index_kind::flat);
  REQUIRE(report.fastest < report.figures.size());
  for (const auto& f : report.figures) {
    REQUIRE(f.microseconds > 0);
    REQUIRE(f.recall <= 1);
    REQUIRE(f.memory.codes > 0);
    if (f.kind == embit::index_kind::lsh_table) {
      REQUIRE(f.lsh.tables <= options.max_tables);
      if (f.recall < options.target_recall) continue;
    } else if (f.kind == embit::index_kind::ivf) {
      REQUIRE(f.ivf.probes >= 1);
      REQUIRE(f.ivf.probes <= f.ivf.lists);
      REQUIRE(f.recall >= options.target_recall);
    } else {
      REQUIRE(f.recall == 1);
    }
    REQUIRE(report.best().microseconds <= f.microseconds);
  }
  REQUIRE(report.best().recall >= options.target_recall);
}

}  // namespace

TEST_CASE("tune measures every kind of index on clustered codes", "[threads]") {
  // The queries are rows, so that they have near neighbours.
  const auto codes = make(5000, 64, code_kind::clustered, 1);
  const auto queries = codes.view().middle_rows(0, 50);
  const embit::tune_options options{.k = 5, .seconds = 0};
  const auto report = embit::tune(codes, queries, options);
  require_sound(report, options);
  const auto count = [&](embit::index_kind kind) {
    return std::count_if(report.figures.begin(), report.figures.end(), [&](const auto& f) { return f.kind == kind; });
  };
  REQUIRE(count(embit::index_kind::flat) == 1);
  REQUIRE(count(embit::index_kind::multi_index) >= 2);
  REQUIRE(count(embit::index_kind::lsh_table) >= 3);
  REQUIRE(count(embit::index_kind::ivf) >= 1);

  // What is reported can be built, and is what was measured.
  const embit::flat_index flat{codes};
  const auto truth = flat.search(queries, 5);
  for (const auto& f : report.figures) {
    if (f.kind == embit::index_kind::multi_index)
      REQUIRE(embit::multi_index{codes, f.multi}.memory().tables == f.memory.tables);
    if (f.kind != embit::index_kind::lsh_table) continue;
    const embit::lsh_table table{codes, f.lsh};
    REQUIRE(table.memory().tables == f.memory.tables);
    const auto found = table.search(queries, 5);
    std::size_t good = 0;
    for (std::size_t q = 0; q < 50; ++q)
      for (const auto& n : found[q]) good += n.distance <= truth[q][4].distance;
    REQUIRE(f.recall == static_cast<double>(good) / 250);
  }

  // All but the times is the same again, and on threads.
  const auto same = [&](const embit::tune_report& again) {
    REQUIRE(again.figures.size() == report.figures.size());
    for (std::size_t i = 0; i < again.figures.size(); ++i) {
      const auto &a = again.figures[i], &b = report.figures[i];
      REQUIRE(a.kind == b.kind);
      REQUIRE(a.recall == b.recall);
      REQUIRE(a.memory.total() == b.memory.total());
      REQUIRE(a.multi.substrings == b.multi.substrings);
      REQUIRE(a.lsh.tables == b.lsh.tables);
      REQUIRE(a.lsh.bits == b.lsh.bits);
      REQUIRE(a.lsh.probes == b.lsh.probes);
    }
  };
  same(embit::tune(codes, queries, options));
  auto batched = options;
  batched.batch = 7;
  same(embit::tune(codes, queries, batched, embit::thread_pool{2}));
}

TEST_CASE("tune takes codes of every width and number") {
  for (const std::size_t bits : {1u, 31u, 63u, 65u, 127u, 1000u})
    for (const std::size_t n : {1u, 7u, 513u})
      for (const code_kind kind : {code_kind::uniform, code_kind::all_equal}) {
        CAPTURE(bits, n);
        const auto codes = make(n, bits, kind, 2), queries = make(3, bits, kind, 3);
        const embit::tune_options options{.k = 4, .target_recall = 1, .seconds = 0};
        require_sound(embit::tune(codes, queries, options), options);
      }
  const auto codes = make(300, 64, code_kind::uniform, 4);
  const embit::tune_options exact{.max_tables = 0, .seconds = 0};
  const auto report = embit::tune(codes, codes, exact);
  for (const auto& f : report.figures) REQUIRE(f.kind != embit::index_kind::lsh_table);
}

TEST_CASE("tune tells how far it is, and stops when it is told to") {
  const auto codes = make(300, 64, code_kind::uniform, 5);
  std::vector<std::string> stages;
  std::size_t done = 0, total = 0;
  embit::tune_options options{.seconds = 0};
  options.progress = [&](const embit::progress_report& r) {
    stages.emplace_back(r.stage);
    REQUIRE(r.done == ++done);
    REQUIRE((total == 0 || total == r.total));
    total = r.total;
    return true;
  };
  const auto all = embit::tune(codes, codes, options);
  REQUIRE(done == total);
  REQUIRE(all.figures.size() == total);
  REQUIRE(stages.front() == "flat_index");
  REQUIRE(stages.back() == "lsh_table");
  options.progress = [](const embit::progress_report& r) { return r.done < 2; };
  REQUIRE(embit::tune(codes, codes, options).figures.size() == 2);
}

TEST_CASE("tune refuses what it cannot measure") {
  const auto codes = make(30, 64, code_kind::uniform, 6);
  const auto with = [&](embit::tune_options options) {
    return refusal([&] { (void)embit::tune(codes, codes, options); });
  };
  CHECK(support::contains(with({.k = 0}), "argument: k: 0"));
  CHECK(support::contains(with({.target_recall = 0}), "argument: target_recall: 0"));
  CHECK(support::contains(with({.target_recall = 1.5}), "argument: target_recall: 1.5"));
  CHECK(support::contains(with({.batch = 0}), "argument: batch: 0"));
  CHECK(support::contains(with({.seconds = -1}), "argument: seconds: -1"));
  const auto wide = make(3, 65, code_kind::uniform, 7);
  CHECK(support::contains(refusal([&] { (void)embit::tune(codes, wide); }), "shape: queries: width 65"));
  const embit::code_store<> none(0, 64);
  CHECK(support::contains(refusal([&] { (void)embit::tune(codes, none); }), "argument: tune: 30 codes and 0 queries"));
  CHECK(support::contains(refusal([&] { (void)embit::tune(none, codes); }), "argument: tune: 0 codes"));
}
