// An ivf_index in a file, and what is refused there.
// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/index/concurrent.hpp>
#include <embit/index/ivf.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/make_index.hpp>
#include <embit/io/save.hpp>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/container_bytes.hpp>
#include <support/flipped_bytes.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "lists.hpp"

namespace {

using embit::code_store, embit::errc, embit::ivf_index, embit::row_id;
using support::code_kind, support::code_of, support::same;

code_store<> make(std::size_t n, std::size_t bits, std::uint64_t seed) {
  embit::rng rng{seed};
  return support::make_codes(n, bits, code_kind::clustered, rng);
}

ivf_index<> lists_of(const code_store<>& codes, embit::ivf_options options = {}) {
  embit::rng rng{3};
  return ivf_index{codes, options, rng};
}

}  // namespace

TEST_CASE("an ivf_index is in its file what it was") {
  const support::temp_dir dir;
  for (const std::size_t bits : {1u, 64u, 70u, 1000u})
    for (const std::size_t n : {0u, 1u, 7u, 1513u}) {
      CAPTURE(bits, n);
      const auto codes = make(n, bits, 1), queries = make(5, bits, 2);
      auto index = lists_of(codes, {.lists = std::min<std::size_t>(n, 20), .target_recall = .8});
      index.add(make(300, bits, 4));
      for (row_id row = 0; row < index.rows(); row += 11) index.remove(row);
      embit::save(dir / "a", index);
      const auto loaded = embit::load<ivf_index<>>(dir / "a");
      embit::save(dir / "b", loaded);
      REQUIRE(support::slurp(dir / "a") == support::slurp(dir / "b"));
      CHECK(loaded.size() == index.size());
      CHECK(loaded.rows() == index.rows());
      CHECK(loaded.probes() == index.probes());
      CHECK(loaded.list_count() == index.list_count());
      CHECK(loaded.recall_at_probes() == index.recall_at_probes());
      CHECK(loaded.drift() == index.drift());
      REQUIRE(same(loaded.search(queries, 20), index.search(queries, 20)));
      REQUIRE(same(loaded.range_search(queries, 9), index.range_search(queries, 9)));
      // What has dropped rows was made of more than it has.
      for (row_id row = 0; row < index.rows(); row += 2)
        if (index.contains(row)) index.remove(row);
      index.compact();
      embit::save(dir / "a", index);
      CHECK(embit::load<ivf_index<>>(dir / "a").drift() == index.drift());
    }
}

TEST_CASE("an ivf_index is chosen, saved and loaded at run time") {
  const support::temp_dir dir;
  const auto codes = make(2000, 128, 1), queries = make(5, 128, 1);
  embit::rng rng{3}, same_rng{3};
  const auto any = embit::make_index(codes, {.kind = embit::index_kind::ivf}, rng);
  const ivf_index index{codes, embit::ivf_options{}, same_rng};
  CHECK(any.kind() == embit::index_kind::ivf);
  REQUIRE(any.get_if<ivf_index<>>() != nullptr);
  REQUIRE(same(any.search(queries, 10), index.search(queries, 10)));
  embit::save(dir / "a", any);
  const auto loaded = embit::load_index<embit::code_view<>, std::uint32_t>(dir / "a");
  CHECK(loaded.kind() == embit::index_kind::ivf);
  REQUIRE(same(loaded.search(queries, 10), index.search(queries, 10)));
  CHECK(embit::load<ivf_index<>>(dir / "a").size() == 2000);
}

TEST_CASE("labels and snapshots go over an ivf_index") {
  const auto codes = make(500, 64, 1), more = make(100, 64, 2);
  std::vector<embit::row_label> labels(500), new_labels(100);
  std::iota(labels.begin(), labels.end(), 1000u);
  std::iota(new_labels.begin(), new_labels.end(), 5000u);
  embit::labelled_index labelled{lists_of(codes), labels};
  labelled.add(more, new_labels);
  CHECK(labelled.search(more, 1)[7][0].id == 5007);
  CHECK(labelled.remove(5007));
  labelled.compact();
  CHECK(labelled.search(more, 1)[8][0].id == 5008);

  embit::concurrent_index shared{lists_of(codes)};
  const auto before = shared.snapshot();
  for (std::size_t i = 0; i < more.size(); ++i) shared.add(more.view().middle_rows(i, 1));
  CHECK(before->rows() == 500);
  CHECK(shared.search(more, 1)[99][0].distance == 0);
  REQUIRE(same(before->search(codes, 5), lists_of(codes).search(codes, 5)));
}

TEST_CASE("an ivf_index is searched, changed and saved where its file lies") {
  const support::temp_dir dir;
  for (const std::size_t bits : {1u, 64u, 70u, 1000u})
    for (const std::size_t n : {0u, 1u, 7u, 1513u}) {
      CAPTURE(bits, n);
      const auto codes = make(n, bits, 1), queries = make(5, bits, 2), more = make(300, bits, 4);
      auto index = lists_of(codes, {.lists = std::min<std::size_t>(n, 20), .target_recall = .8});
      index.add(more);
      for (row_id row = 0; row < index.rows(); row += 11) index.remove(row);
      embit::save(dir / "a", index);
      const std::string written = support::slurp(dir / "a");
      auto mapped = embit::load_mapped<ivf_index<>>(dir / "a");
      const auto same_everywhere = [&] {
        REQUIRE(same(mapped.search(queries, 20), index.search(queries, 20)));
        REQUIRE(same(mapped.range_search(queries, 9), index.range_search(queries, 9)));
        const auto few = [](row_id row) { return row % 97 == 3; };
        REQUIRE(same(mapped.search(queries, 20, few), index.search(queries, 20, few)));
        embit::save(dir / "b", mapped);
        embit::save(dir / "c", index);
        REQUIRE(support::slurp(dir / "b") == support::slurp(dir / "c"));
      };
      CHECK(mapped.memory().codes == 0);
      same_everywhere();
      for (const auto& changed : {make(3, bits, 5), make(600, bits, 6)}) {
        mapped.add(changed);
        index.add(changed);
        same_everywhere();
      }
      const auto copy = mapped;
      mapped.remove(1);
      index.remove(1);
      CHECK(mapped.compact() == index.compact());
      same_everywhere();
      CHECK(copy.rows() > mapped.rows());
      CHECK(support::slurp(dir / "a") == written);
    }
}

TEST_CASE("labels over an ivf_index that stays in its file") {
  static_assert(embit::Mappable<embit::labelled_index<ivf_index<>>> && !embit::Mappable<embit::code_store<>>);
  const support::temp_dir dir;
  const auto codes = make(700, 64, 1), more = make(9, 64, 2);
  std::vector<embit::row_label> labels(700), others(9);
  std::iota(labels.begin(), labels.end(), 1000u);
  std::iota(others.begin(), others.end(), 5000u);
  embit::save(dir / "a", embit::labelled_index{lists_of(codes), labels});
  auto mapped = embit::load_mapped<embit::labelled_index<ivf_index<>>>(dir / "a");
  CHECK(mapped.memory().codes == 0);
  REQUIRE(same(mapped.search(codes, 4), embit::labelled_index{lists_of(codes), labels}.search(codes, 4)));
  mapped.add(more, others);
  CHECK(mapped.search(more, 1)[8][0].distance == 0);
}

TEST_CASE("an ivf_index outlives the name of the file that it is searched in") {
  const support::temp_dir dir;
  const auto codes = make(2000, 128, 1);
  const auto index = lists_of(codes);
  embit::save(dir / "a", index);
  const auto mapped = embit::load_mapped<ivf_index<>>(dir / "a");
  std::filesystem::remove(dir / "a");
  REQUIRE(same(mapped.search(codes, 3), index.search(codes, 3)));
}

TEST_CASE("a damaged file that is mapped is refused or searched within bounds") {
  const support::temp_dir dir(support::temp_dir::in_memory());
  const auto codes = make(100, 70, 1);
  auto index = lists_of(codes, {.lists = 5});
  index.remove(3);
  embit::save(dir / "a", index);
  support::use_flipped(dir / "a", dir / "b", [&] {
    auto mapped = embit::load_mapped<ivf_index<>>(dir / "b");
    for (const auto& n : mapped.search(codes.view().middle_rows(0, 3), 5)[0]) REQUIRE(n.id < 100);
    mapped.range_search(codes.view().middle_rows(0, 1), 20);
    mapped.search(codes.view().middle_rows(0, 1), 5, [](row_id row) { return row == 7; });
    mapped.add(codes);
    mapped.compact();
  });
}
