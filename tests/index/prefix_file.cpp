// Nested codes in files: loaded and mapped ones are searched alike, and what does not agree is refused.
// SPDX-License-Identifier: MIT
#include <embit/core/random.hpp>
#include <embit/index/durable.hpp>
#include <embit/index/make_index.hpp>
#include <embit/index/prefix_index.hpp>
#include <embit/io/container.hpp>
#include <embit/io/save.hpp>
#include <embit/store/mapped_prefix_store.hpp>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "lists.hpp"

namespace {

using embit::code_store, embit::errc, embit::funnel_step, embit::prefix_index, embit::row_id;
using support::code_kind, support::code_of, support::contains, support::refusal, support::same;

code_store<> make(std::size_t n, std::size_t bits, std::uint64_t seed) {
  embit::rng rng{seed};
  return support::make_codes(n, bits, code_kind::clustered, rng);
}

/// A file of nested codes with the steps and segments that it is given.
void write(const std::string& path, const std::vector<std::uint64_t>& widths,
           const std::vector<embit::block_store<>>& segments) {
  embit::container_writer writer(path, embit::prefix_store::file);
  embit::metadata_writer steps;
  steps.u64(0).u32(static_cast<std::uint32_t>(widths.size()));
  for (const std::uint64_t width : widths) steps.u64(width);
  writer.sections().add("steps", std::move(steps));
  for (std::size_t i = 0; i < segments.size(); ++i) segments[i].write_to(writer.sections().scope(std::to_string(i)));
  writer.finish();
}

}  // namespace

TEST_CASE("a prefix_index is in its file what it was, and its codes can be mapped", "[prefix]") {
  const support::temp_dir dir;
  for (const std::size_t bits : {1u, 64u, 70u, 1000u})
    for (const std::size_t n : {0u, 1u, 7u, 1513u}) {
      CAPTURE(bits, n);
      const auto codes = make(n, bits, 1), queries = make(80, bits, 2);
      prefix_index index{codes, bits == 1 ? std::vector<std::size_t>() : std::vector{bits / 4 + 1, bits / 2 + 2}};
      index.add(make(300, bits, 4));
      const std::vector<funnel_step> funnel{{index.widths()[0], 40}};
      embit::save(dir / "codes", index.store());
      const embit::mapped_prefix_store store(dir / "codes");
      store.verify();
      const prefix_index mapped{store};
      static_assert(std::is_same_v<decltype(mapped), const prefix_index<embit::mapped_prefix_store>>);
      static_assert(embit::ReadOnlyStore<embit::mapped_prefix_store>);
      REQUIRE(same(mapped.search(queries, 20), index.search(queries, 20)));
      REQUIRE(same(mapped.search(queries, 20, funnel), index.search(queries, 20, funnel)));
      REQUIRE(same(mapped.range_search(queries, 9), index.range_search(queries, 9)));
      REQUIRE(
          std::ranges::equal(mapped.codes_of(std::vector<row_id>{3})[0], index.codes_of(std::vector<row_id>{3})[0]));

      for (row_id row = 0; row < index.rows(); row += 11) index.remove(row);
      embit::save(dir / "a", index);
      auto loaded = embit::load<prefix_index<>>(dir / "a");
      embit::save(dir / "b", loaded);
      REQUIRE(support::slurp(dir / "a") == support::slurp(dir / "b"));
      CHECK(loaded.size() == index.size());
      CHECK(loaded.store().steps() == index.store().steps());
      REQUIRE(same(loaded.search(queries, 20, funnel), index.search(queries, 20, funnel)));
      loaded.add(codes);
      loaded.compact();
      CHECK(loaded.size() == index.size() + n);
    }
}

TEST_CASE("a prefix_index is chosen, saved and loaded at run time, and keeps a log", "[prefix]") {
  const support::temp_dir dir;
  const auto codes = make(2000, 128, 1), queries = make(5, 128, 1);
  embit::rng rng{3};
  const auto any = embit::make_index(codes, {.kind = embit::index_kind::prefix, .widths = {32, 64}}, rng);
  CHECK(any.kind() == embit::index_kind::prefix);
  REQUIRE(any.get_if<prefix_index<>>() != nullptr);
  CHECK(any.get_if<prefix_index<>>()->widths().size() == 3);
  embit::save(dir / "a", any);
  const auto loaded = embit::load_index<embit::code_view<>, std::uint32_t>(dir / "a");
  CHECK(loaded.kind() == embit::index_kind::prefix);
  REQUIRE(same(loaded.search(queries, 10), any.search(queries, 10)));
  {
    auto durable = embit::durable_index<prefix_index<>>::create(dir / "d", prefix_index{codes, {32, 64}});
    durable.add(queries);
    durable.remove(7);
  }
  const auto again = embit::durable_index<prefix_index<>>::open(dir / "d");
  CHECK(again.size() == 2004);
  CHECK(again.search({queries, std::vector<funnel_step>{{32, 50}}}, 1)[4][0].distance == 0);
}

TEST_CASE("codes know their encoder through files of nested codes", "[prefix]") {
  const support::temp_dir dir;
  auto codes = make(20, 96, 1), other = make(3, 96, 2);
  codes.set_fingerprint(7);
  other.set_fingerprint(8);
  embit::save(dir / "a", prefix_index{codes, {32}});
  auto loaded = embit::load<prefix_index<>>(dir / "a");
  CHECK(loaded.fingerprint() == 7);
  CHECK(code_of([&] { loaded.search(other, 3); }) == errc::argument);
  CHECK(code_of([&] { loaded.search(other, 3, {{32, 5}}); }) == errc::argument);
  CHECK(code_of([&] { loaded.add(other); }) == errc::argument);
  CHECK(loaded.rows() == 20);
  CHECK(loaded.search(codes, 1)[19][0].id == 19);
}

TEST_CASE("files whose steps do not agree are refused", "[prefix]") {
  const support::temp_dir dir;
  const std::string path = dir / "x";
  const embit::block_store<> three(make(3, 32, 1)), four(make(4, 32, 1)), wide(make(3, 40, 1));
  const auto refused = [&](const std::string& why) {
    for (const std::string& got : {refusal([&] { embit::load<embit::prefix_store>(path); }),
                                   refusal([&] { embit::mapped_prefix_store{path}; })}) {
      INFO(got);
      CHECK(contains(got, "format: " + path));
      CHECK(contains(got, why));
    }
  };
  write(path, {32, 64}, {three, three});
  CHECK(embit::load<embit::prefix_store>(path).size() == 3);
  write(path, {32, 64}, {three, four});
  refused("step 1 has 4 codes of 32 bits where 3 of 32 are to be");
  write(path, {32, 64}, {three, wide});
  refused("step 1 has 3 codes of 40 bits where 3 of 32 are to be");
  write(path, {32, 96}, {three, three});
  refused("step 1 has 3 codes of 32 bits where 3 of 64 are to be");
  write(path, {32, 32}, {three, three});
  refused("a width of 32 bits after 32");
  write(path, {64, 32}, {three, three});
  refused("a width of 32 bits after 64");
  write(path, {0, 32}, {three, three});
  refused("a width of 0 bits after 0");
  write(path, {32, std::uint64_t{1} << 60}, {three, three});
  refused("a width of");
  write(path, {32, 64}, {three});
  refused("1/shape");
}
