// Files of flat indexes: of which kernel, and with labels or a log for any of them.
#include <embit/index/durable.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>

#include <bit>
#include <concepts>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

using namespace embit;
using support::contains;
using support::refusal;

namespace {

template <class K>
using set_index = flat_index<popcount_store<>, K>;

// A kernel of the user's own, which has no name.
struct first_word {
  using query_view = code_view<>;
  using distance_type = std::uint32_t;
  using compare = std::less<>;
  std::uint32_t factor = 1;
  auto prepare(std::span<const word> query) const noexcept { return query; }
  std::uint32_t operator()(std::span<const word> a, std::span<const word> b) const noexcept {
    return factor * static_cast<std::uint32_t>(std::popcount(a[0] ^ b[0]));
  }
};

code_store<> some_codes() {
  rng generator{1};
  return support::make_codes(300, 130, support::code_kind::uniform, generator);
}

template <class Result>
bool same(const Result& a, const Result& b) {
  bool equal = a.queries() == b.queries();
  for (std::size_t q = 0; equal && q < a.queries(); ++q) equal = std::ranges::equal(a[q], b[q]);
  return equal;
}

// Saved, loaded and saved again.
template <class K>
void check_round_trip(const K& kernel) {
  const support::temp_dir dir;
  const auto codes = some_codes();
  flat_index index{codes.view().middle_rows(0, 250), kernel};
  static_assert(std::same_as<decltype(index), set_index<K>>);
  index.add(codes.view().middle_rows(250, 50));
  for (row_id row = 0; row < 300; row += 7) index.remove(row);
  save(dir / "x", index);
  auto loaded = load<set_index<K>>(dir / "x");
  CHECK(same(loaded.search(codes, 20), index.search(codes, 20)));
  CHECK(same(load<set_index<K>>(dir / "x", kernel).search(codes, 5), index.search(codes, 5)));
  save(dir / "y", loaded);
  CHECK(support::slurp(dir / "x") == support::slurp(dir / "y"));
  loaded.add(codes);
  loaded.compact();
  CHECK(loaded.size() == index.size() + 300);
}

}  // namespace

TEST_CASE("indexes over similarities of sets are files", "[flat]") {
  check_round_trip(jaccard{});
  check_round_trip(and_count{});
  check_round_trip(tversky({.alpha = 0.5f, .beta = 0.125f}));
}

TEST_CASE("an index is not loaded for another kernel than it was saved for", "[flat]") {
  const support::temp_dir dir;
  const auto codes = some_codes();
  const tversky kernel({.alpha = 0.5f, .beta = 2});
  save(dir / "hamming", flat_index{codes});
  save(dir / "jaccard", flat_index{codes, jaccard{}});
  save(dir / "tversky", flat_index{codes, kernel});
  const auto outcome = [&]<class Index>(std::type_identity<Index>, const char* name, auto... parts) {
    return refusal([&] { static_cast<void>(load<Index>(dir / name, parts...)); });
  };
  const auto named = [](const std::string& found, const std::string& a, const std::string& b) {
    return contains(found, "kind: ") && contains(found, "the kernel '" + a + "' where '" + b + "'");
  };
  CHECK(named(outcome(std::type_identity<set_index<and_count>>{}, "jaccard"), "jaccard", "and_count"));
  CHECK(named(outcome(std::type_identity<set_index<tversky>>{}, "jaccard"), "jaccard", "tversky"));
  CHECK(named(outcome(std::type_identity<set_index<jaccard>>{}, "tversky"), "tversky", "jaccard"));
  CHECK(named(outcome(std::type_identity<set_index<jaccard>>{}, "hamming"), "hamming", "jaccard"));
  CHECK(named(outcome(std::type_identity<flat_index<>>{}, "jaccard"), "jaccard", "hamming"));
  CHECK(named(outcome(std::type_identity<flat_index<block_store<>, first_word>>{}, "jaccard", first_word{}), "jaccard",
              "one without a name"));

  CHECK(outcome(std::type_identity<set_index<tversky>>{}, "tversky", kernel) == "accepted");
  CHECK(contains(outcome(std::type_identity<set_index<tversky>>{}, "tversky", tversky{}), "kind: "));
  const auto loaded = load<set_index<tversky>>(dir / "tversky");
  CHECK(loaded.kernel().options().beta == 2);
}

TEST_CASE("a kernel without a name is given again", "[flat]") {
  const support::temp_dir dir;
  const auto codes = some_codes();
  const flat_index index{codes, first_word{3}};
  save(dir / "x", index);
  using own = std::remove_const_t<decltype(index)>;
  CHECK(same(load<own>(dir / "x", first_word{3}).search(codes, 9), index.search(codes, 9)));
}

TEST_CASE("an index over similarities of sets has labels and a log", "[flat][labelled][durable]") {
  const support::temp_dir dir;
  const auto codes = some_codes();
  std::vector<row_label> labels(300);
  std::iota(labels.begin(), labels.end(), row_label{1} << 40);
  using labelled = labelled_index<set_index<jaccard>>;
  const labelled plain(set_index<jaccard>(codes), labels);
  save(dir / "labelled", plain);
  CHECK(same(load<labelled>(dir / "labelled").search(codes, 3), plain.search(codes, 3)));
  {
    auto durable = durable_index<labelled>::create(dir / "durable", labelled(set_index<jaccard>(code_store<>(0, 130))),
                                                   {.sync = false});
    durable.add(codes, labels);
    durable.remove(labels[5]);
    durable.checkpoint();
    durable.remove(labels[6]);
  }
  const auto opened = durable_index<labelled>::open(dir / "durable", {.sync = false});
  CHECK(opened.index().size() == 298);
  CHECK(opened.index().search(codes, 1)[7][0].id == labels[7]);
}
