// Indexes where programs keep them: members, containers, variants, assigned later; sets without members; labels that
// are replaced for ever.
#include <embit/core/random.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/index/multi_index.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <any>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace {

embit::code_store<> some_codes(std::size_t rows, std::uint64_t seed) {
  embit::rng rng{seed};
  embit::code_store<> codes(rows, 64);
  for (std::size_t i = 0; i < rows; ++i) codes.row(i)[0] = rng();
  return codes;
}

std::vector<embit::row_label> labels_from(embit::row_label first, std::size_t count) {
  std::vector<embit::row_label> labels(count);
  std::iota(labels.begin(), labels.end(), first);
  return labels;
}

struct service {
  embit::flat_index<> index;
  embit::labelled_index<embit::multi_index<>> labelled;
  std::optional<embit::flat_index<>> later;
  explicit service(embit::code_view<> codes)
      : index(codes), labelled(embit::multi_index<>(codes), labels_from(0, codes.size())) {}
};

}  // namespace

TEST_CASE("indexes are members, elements, alternatives, and assigned later") {
  const auto codes = some_codes(100, 1), others = some_codes(5, 2);
  const auto query = codes.view().middle_rows(3, 1);
  service first(codes);
  first.later.emplace(codes);
  const service copy = first;
  const service moved = std::move(first);
  CHECK(copy.index.search(query, 1)[0][0].id == 3);
  CHECK(moved.later->search(query, 1)[0][0].id == 3);
  CHECK(moved.labelled.search(query, 1)[0][0].id == 3);

  std::vector<embit::flat_index<>> many;
  many.emplace_back(codes);
  many.push_back(embit::flat_index{others});
  many.push_back(many[0]);
  CHECK(many[2].search(query, 1)[0][0].id == 3);
  std::map<std::string, embit::flat_index<>> named;
  named.try_emplace("a", codes);
  named.insert_or_assign("a", embit::flat_index{others});
  CHECK(named.at("a").size() == 5);
  const auto pointer = std::make_unique<embit::flat_index<>>(codes);
  CHECK(pointer->size() == 100);
  const std::any any = embit::flat_index<>(codes);
  CHECK(std::any_cast<const embit::flat_index<>&>(any).size() == 100);

  std::variant<embit::flat_index<>, embit::multi_index<>, embit::lsh_table<>> chosen{
      std::in_place_type<embit::multi_index<>>, codes};
  const auto nearest = [&] { return std::visit([&](const auto& index) { return index.search(query, 1); }, chosen); };
  CHECK(nearest()[0][0].id == 3);
  chosen = embit::flat_index<>(codes);
  CHECK(nearest()[0][0].id == 3);
  chosen.emplace<embit::lsh_table<>>(codes, embit::lsh_table_options{.tables = 2, .bits = 10});
  CHECK(nearest()[0][0].id == 3);

  embit::flat_index a{codes}, b{others};
  std::swap(a, b);
  CHECK(a.size() == 5);
  a = b;
  CHECK(a.search(query, 1)[0][0].id == 3);
}

TEST_CASE("empty sets are alike, and unlike all others") {
  embit::code_store<> sets(6, 70);  // rows 0 and 3 are empty, 2 and 4 equal, 5 has everything
  sets.row(1)[0] = 1;
  sets.row(2)[0] = 7;
  sets.row(4)[0] = 7;
  sets.row(5)[0] = ~embit::word{0};
  sets.row(5)[1] = embit::tail_mask(70);
  const embit::flat_index index{sets, embit::jaccard{}};
  const auto found = index.search(sets, 6);
  CHECK(found[0][0] == embit::neighbor<float>{0, 1.f});
  CHECK(found[0][1] == embit::neighbor<float>{3, 1.f});
  for (std::size_t i = 2; i < 6; ++i) CHECK(found[0][i].distance == 0);
  CHECK(found[2][1] == embit::neighbor<float>{4, 1.f});
  std::vector<std::pair<embit::row_id, embit::row_id>> pairs;
  index.pairs_within(1.f, [&](embit::row_id a, embit::row_id b, float) { pairs.emplace_back(a, b); });
  std::sort(pairs.begin(), pairs.end());
  CHECK(pairs == std::vector<std::pair<embit::row_id, embit::row_id>>{{0, 3}, {2, 4}});
  CHECK(index.range_search(sets, 0.f)[0].size() == 6);
}

TEST_CASE("labels that are replaced again and again stay as many, and compact gives the old rows back") {
  const auto codes = some_codes(100, 3);
  const auto labels = labels_from(7, 100);
  embit::labelled_index index{embit::flat_index{codes}, labels};
  for (int round = 0; round < 50; ++round) index.add(codes, labels, embit::duplicate_labels::replace);
  CHECK(index.size() == 100);
  CHECK(index.search(codes.view().middle_rows(9, 1), 2)[0][0].id == 16);
  index.compact();
  CHECK(index.index().rows() == 100);
  CHECK(index.search(codes.view().middle_rows(9, 1), 2)[0][0].id == 16);
}
