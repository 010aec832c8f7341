// Texts and their labels, held against a map.
#include <embit/core/random.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/io/save.hpp>
#include <embit/store/string_ids.hpp>

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

using namespace support;

TEST_CASE("texts keep the labels that they were given") {
  embit::rng rng{1};
  embit::string_ids ids;
  std::map<std::string, embit::row_label> expected;
  CHECK_FALSE(ids.contains(""));
  for (int step = 0; step < 3000; ++step) {
    std::string text(embit::uniform_index(rng, 5) == 0 ? 100 : embit::uniform_index(rng, 4), ' ');
    for (char& c : text) c = static_cast<char>(embit::uniform_index(rng, 7));  // zeros among them
    const auto known = expected.find(text);
    const embit::row_label label = ids.label(text);
    if (known != expected.end())
      CHECK(label == known->second);
    else
      CHECK(label == expected.size());
    expected.emplace(text, label);
  }
  CHECK(ids.size() == expected.size());
  bool same = true;
  for (const auto& [text, label] : expected) same = same && ids.find(text) == label && ids[label] == text;
  CHECK(same);
  CHECK_FALSE(ids.contains("a text that nobody gave"));

  const temp_dir dir;
  embit::save(dir / "ids", ids);
  CHECK(embit::load<embit::string_ids>(dir / "ids") == ids);
  embit::save(dir / "none", embit::string_ids());
  auto none = embit::load<embit::string_ids>(dir / "none");
  CHECK(none.empty());
  CHECK(none.label("first") == 0);

  const embit::string_ids copy = ids;
  const embit::string_ids moved = std::move(ids);
  CHECK(moved == copy);
  CHECK(ids.empty());
  CHECK(ids.label("again") == 0);
}

TEST_CASE("a piece of a text that is held can be added, and what is not there is refused") {
  embit::string_ids ids;
  ids.label("a long enough text that does not fit into a small string");
  for (std::size_t i = 2; i < 40; ++i) {
    const std::string expected(ids[0].substr(i));
    const embit::row_label label = ids.label(ids[0].substr(i));
    CHECK(ids[label] == expected);
  }
  CHECK(contains(refusal([&] { static_cast<void>(ids.at(39)); }), "out_of_range: label: 39, of 39 texts"));
}

TEST_CASE("rows of an index are found by their texts") {
  embit::rng rng{2};
  const auto codes = make_codes(5, 64, code_kind::uniform, rng);
  const std::vector<std::string> names{"doc/1", "doc/2", "", "doc/3", "doc/1#b"};
  embit::string_ids ids;
  embit::labelled_index index{embit::flat_index{codes}, ids.labels(names)};
  for (std::size_t i = 0; i < names.size(); ++i)
    CHECK(ids[index.search(codes.view().middle_rows(i, 1), 1)[0][0].id] == names[i]);
  CHECK(index.remove(*ids.find("doc/2")));
  CHECK(ids.label("doc/2") == 1);  // it keeps its label
  index.add(codes.view().middle_rows(1, 1), std::vector<embit::row_label>{ids.label("doc/2")});
  CHECK(index.size() == 5);
}
