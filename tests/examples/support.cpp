// The parts of the examples that are not the library: words, passages, features, snippets, tables, queries.
// SPDX-License-Identifier: MIT
#include "../../examples/support/corpus.hpp"
#include "../../examples/support/sample_lines.hpp"
#include "../../examples/support/snippet.hpp"
#include "../../examples/support/split_rows.hpp"
#include "../../examples/support/table.hpp"
#include "../../examples/support/text_features.hpp"
#include "support/catch.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <random>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

const auto silent = [](std::size_t, std::size_t) {};

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  example::for_each_word(text, [&](std::string_view word) { words.emplace_back(word); });
  return words;
}

using passages = std::vector<std::pair<std::size_t, std::string>>;

passages passages_of(std::string_view text) {
  passages out;
  example::for_each_passage(text, [&](std::size_t line, std::string_view piece) { out.emplace_back(line, piece); });
  return out;
}

std::string lines(std::size_t first, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += "line number " + std::to_string(first + i) + "\n";
  return out;
}

class temporary_tree {
 public:
  temporary_tree() {
    root_ = std::filesystem::temp_directory_path() / ("embit_corpus_" + std::to_string(std::random_device{}()));
    std::filesystem::create_directories(root_);
  }
  temporary_tree(const temporary_tree&) = delete;
  temporary_tree& operator=(const temporary_tree&) = delete;
  ~temporary_tree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  const std::filesystem::path& root() const { return root_; }
  void add(const std::string& name, std::string_view text) const {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name, std::ios::binary) << text;
  }

 private:
  std::filesystem::path root_;
};

float dot(const std::vector<float>& a, const std::vector<float>& b) {
  float sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

}  // namespace

TEST_CASE("words: identifiers fall apart at case, digits and underscores", "[examples]") {
  CHECK(words_of("JacobiSVD<MatrixType>") == std::vector<std::string>{"jacobi", "svd", "matrix", "type"});
  CHECK(words_of("HTMLParser m_diag Matrix3f x 42") ==
        std::vector<std::string>{"html", "parser", "diag", "matrix", "42"});
  CHECK(words_of("Über größe") == std::vector<std::string>{"Über", "größe"});
  CHECK(words_of("a b 1 - ;").empty());
  CHECK(words_of("").empty());
}

TEST_CASE("passages: cut at paragraphs, never lost, counted from line 1", "[examples]") {
  SECTION("one short paragraph is one passage, with or without a last line end") {
    CHECK(passages_of("hello world") == passages{{1, "hello world"}});
    CHECK(passages_of("hello world\n") == passages{{1, "hello world\n"}});
  }
  SECTION("leading blank lines are not part of a passage") {
    CHECK(passages_of("\n  \nhello world\n") == passages{{3, "hello world\n"}});
  }
  SECTION("a blank line ends a passage only from six lines on") {
    const auto got = passages_of(lines(1, 2) + "\n" + lines(4, 6) + "\n" + lines(11, 7));
    REQUIRE(got.size() == 2);
    CHECK(got[0] == std::pair<std::size_t, std::string>{1, lines(1, 2) + "\n" + lines(4, 6) + "\n"});
    CHECK(got[1] == std::pair<std::size_t, std::string>{11, lines(11, 7)});
  }
  SECTION("long text without blank lines is cut at sixteen lines, and a short rest joined on") {
    const auto got = passages_of(lines(1, 35));
    REQUIRE(got.size() == 2);
    CHECK(got[0].second == lines(1, 16));
    CHECK(got[1] == std::pair<std::size_t, std::string>{17, lines(17, 19)});
  }
  SECTION("nothing but signs is no passage") {
    CHECK(passages_of("\n\n}\n---\n").empty());
    CHECK(passages_of("").empty());
  }
}

TEST_CASE("corpus: text files in order of name; hidden, binary and huge ones left out", "[examples]") {
  const temporary_tree tree;
  tree.add("b.txt", "second file\n");
  tree.add("a/one.txt", "first file\n");
  tree.add(".hidden/x.txt", "never read\n");
  tree.add("image.bin", std::string_view("text\0binary", 11));
  tree.add("huge.txt", std::string(example::largest_file + 1, 'x'));

  const auto corpus = example::read_corpus(tree.root(), silent);
  CHECK(corpus.files == std::vector<std::string>{"a/one.txt", "b.txt"});
  CHECK(corpus.skipped == 2);
  REQUIRE(corpus.passages.size() == 2);
  CHECK(corpus.passages[0].text == "first file\n");
  CHECK(corpus.passages[1].file == 1);

  CHECK(example::read_corpus(tree.root() / "b.txt", silent).files == std::vector<std::string>{"b.txt"});
}

TEST_CASE("corpus: nothing to read is an error that names the path", "[examples]") {
  const temporary_tree tree;
  tree.add("signs.txt", "{}\n");
  CHECK_THROWS_AS(example::read_corpus(tree.root(), silent), std::runtime_error);
  CHECK_THROWS_AS(example::read_corpus(tree.root() / "missing", silent), std::runtime_error);
  try {
    example::read_corpus(tree.root() / "missing", silent);
  } catch (const std::runtime_error& e) {
    CHECK(std::string(e.what()).find("missing") != std::string::npos);
  }
}

TEST_CASE("sample lines: different lines with words enough, the same for the same seed", "[examples]") {
  example::corpus corpus;
  corpus.files = {"a"};
  corpus.passages = {{0, 1, "one two three four five\nshort line\nsix seven eight nine ten\n"},
                     {0, 4, "one two three four five\n"}};
  embit::rng rng{1}, same{1};
  auto lines = example::sample_lines(corpus, 10, rng);
  CHECK(lines == example::sample_lines(corpus, 10, same));
  std::sort(lines.begin(), lines.end());
  CHECK(lines == std::vector<std::string_view>{"one two three four five", "six seven eight nine ten"});
  CHECK(example::sample_lines(corpus, 1, rng).size() == 1);

  corpus.passages = {{0, 1, "short line\n{\n"}};
  CHECK(example::sample_lines(corpus, 10, rng) == std::vector<std::string_view>{"short line"});
}

TEST_CASE("text features: unit vectors; like text is near, rare words weigh most", "[examples]") {
  const std::vector<std::string> texts{"sparse matrix factorization of the matrix", "quaternion rotation of the vector",
                                       "solver of the sparse system", "nothing of the sort"};
  for (const std::size_t dim : {63u, 256u, 1024u}) {
    const example::text_features features(dim, texts, silent);
    REQUIRE(features.dim() == dim);
    std::vector<std::vector<float>> x(texts.size(), std::vector<float>(dim));
    for (std::size_t i = 0; i < x.size(); ++i) {
      REQUIRE(features(texts[i], x[i]));
      CHECK(std::abs(dot(x[i], x[i]) - 1) < 1e-5f);
    }
    std::vector<float> query(dim), again(dim);
    REQUIRE(features("Quaternion rotations", query));
    REQUIRE(features("Quaternion rotations", again));
    CHECK(query == again);
    for (const std::size_t other : {0u, 2u, 3u}) CHECK(dot(query, x[1]) > dot(query, x[other]) + 0.2f);
  }
}

TEST_CASE("text features: what was never seen gives zeros and says so", "[examples]") {
  const std::vector<std::string> texts{"abc", "bcd efg"};
  const example::text_features features(64, texts, silent);
  std::vector<float> row(64, 1.0f);
  CHECK_FALSE(features("zzz qqqq", row));
  CHECK(row == std::vector<float>(64, 0.0f));
  CHECK_FALSE(features("", row));
}

TEST_CASE("snippet: the line that shares most with the query", "[examples]") {
  const std::string text = "/** nothing\n  quaternion thing here\n  Quaternion slerp(t, other)\n*/\n";
  const auto best = example::best_line(text, "slerp quaternions");
  CHECK(best.line == 2);
  CHECK(best.text == "  Quaternion slerp(t, other)");
  CHECK(example::best_line(text, "unrelated").line == 1);  // the one with most words

  CHECK(example::one_line("  a\t\tb \x1b[31mc\n", 80) == "a b [31mc");
  CHECK(example::one_line("abcdef", 6) == "abcdef");
  CHECK(example::one_line("abcdefg", 6) == "abcde…");
  CHECK(example::one_line("äöüß", 4) == "äöüß");
  CHECK(example::one_line("äöüßx", 4) == "äöü…");
}

TEST_CASE("table: columns aligned by what is shown, not by bytes", "[examples]") {
  example::table table{{"what", "time"}};
  table.add({"short", example::seconds(2e-6)});
  table.add({"longer one", example::seconds(0.0123)});
  table.add({"x", example::seconds(1.5)});
  CHECK(table.text() ==
        "  what            time\n"
        "  ----------   -------\n"
        "  short         2.0 µs\n"
        "  longer one   12.3 ms\n"
        "  x             1.50 s\n");
}

TEST_CASE("queries are taken out of the rows, and where each row stood is kept", "[examples]") {
  embit::matrix<float> all(57, 3);
  for (std::size_t i = 0; i < all.values().size(); ++i) all.values()[i] = static_cast<float>(i);
  embit::rng rng{1};
  const auto split = example::take_queries(all, rng);
  REQUIRE(split.queries.rows() == 5);
  REQUIRE(split.rows.rows() == 52);
  std::vector<embit::row_id> seen;
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(std::ranges::equal(split.queries[i], all[split.query_of[i]]));
    seen.push_back(split.query_of[i]);
  }
  for (std::size_t i = 0; i < 52; ++i) {
    CHECK(std::ranges::equal(split.rows[i], all[split.row_of[i]]));
    seen.push_back(split.row_of[i]);
  }
  std::ranges::sort(seen);
  for (std::size_t i = 0; i < 57; ++i) CHECK(seen[i] == i);
  CHECK_THROWS_AS(example::take_queries(embit::matrix<float>(9, 3), rng), std::runtime_error);
}
