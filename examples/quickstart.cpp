// Search through binary codes, from text (or embeddings) to results: embit in one small program.
//
//   text ──text_features──▶ float rows ──sign_lsh──▶ codes ──flat_index──▶ candidates ──float_rerank──▶ results
//
// SPDX-License-Identifier: MIT
#include "support/corpus.hpp"
#include "support/options.hpp"
#include "support/run.hpp"
#include "support/sample_lines.hpp"
#include "support/saved_codes.hpp"
#include "support/show.hpp"
#include "support/table.hpp"
#include "support/terminal.hpp"
#include "support/text_features.hpp"
#include "support/vectors.hpp"

#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/index/flat.hpp>
#include <embit/io/save.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/linalg/mean.hpp>
#include <embit/retrieve/float_rerank.hpp>
#include <embit/retrieve/retriever.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using example::options, example::seconds, example::stopwatch;
using float_rows = embit::matrix_view<const float>;

constexpr std::size_t text_dim = 1024;
constexpr std::size_t shown_queries = 3, shown_results = 3, measured_lines = 200, measured_vectors = 1000;
constexpr const char* eigen_queries[] = {"sparse matrix cholesky factorization", "quaternion slerp interpolation",
                                         "jacobi svd preconditioner"};

/// Joins the three parts of a search: the encoder that hashes the queries, the index over the codes of the rows, and
/// the floats `x` that rank again what the codes find. It views `x`.
auto make_retriever(float_rows x, const options& options, const embit::thread_pool& threads) {
  embit::code_store<> codes;
  if (!options.load.empty()) codes = example::load_codes(options.load, x);

  embit::rng rng{options.seed};
  const auto encoder = embit::sign_lsh({.dim = x.cols(), .bits = codes.empty() ? options.bits : codes.bits()}, rng);
  if (codes.empty())
    codes = encoder.encode(x, threads);
  else
    example::require_codes_of(codes, encoder, x, options.load);
  if (!options.save.empty()) embit::save(options.save, codes);

  return embit::retriever{encoder, embit::flat_index{codes, embit::hamming{}, threads}, embit::float_rerank{x}};
}

/// Prints what the codes cost and find, next to exact search among the floats.
template <class Retriever>
void compare_with_exact(const Retriever& retriever, float_rows x, float_rows queries, const options& options) {
  const std::size_t k = options.k;
  const auto& index = retriever.index();
  double time = 0;  // of the last search, a query
  const auto timed = [&](auto&& search) {
    const stopwatch watch;
    auto result = search();
    time = watch.elapsed() / static_cast<double>(queries.rows());
    return result;
  };
  const auto code_bytes = std::to_string((index.width() + 7) / 8), float_bytes = std::to_string(4 * x.cols());
  example::table table{{"", "bytes each", "recall@" + std::to_string(k), "per query"}};

  const embit::flat_index floats{x, embit::l2{}, index.executor()};
  const auto truth = timed([&] { return floats.search(queries, k); });
  table.add({"exact float search", float_bytes, "1.000", seconds(time)});

  const auto by_code = timed([&] { return index.search(retriever.encoder().encode(queries, index.executor()), k); });
  const double code_recall = embit::mean_recall(truth, by_code, k, k);
  table.add({"codes alone", code_bytes, example::fixed(code_recall, 3), seconds(time)});

  const auto reranked = timed([&] { return retriever.search(queries, k, {.candidates = options.candidates}); });
  const double recall = embit::mean_recall(truth, reranked, k, k);
  table.add({"codes, then floats of " + std::to_string(options.candidates), code_bytes + " + " + float_bytes,
             example::fixed(recall, 3), seconds(time)});
  std::printf("%s", table.text().c_str());
}

/// Says what was done with the codes besides making them.
std::string file_note(const options& options) {
  if (!options.load.empty()) return " (loaded from " + options.load + ")";
  return options.save.empty() ? "" : " (saved to " + options.save + ")";
}

struct question {
  std::string text;
  std::size_t k;
  embit::matrix<float> vector;
};

/// A few examples, which are lines of the text itself where it is the user's own, and what the user asks.
std::vector<question> questions(const example::text_features& features, const std::vector<std::string_view>& lines,
                                const options& options) {
  std::vector<question> asked;
  const auto ask = [&](std::string text, std::size_t k) {
    auto vector = example::featurize_query(features, text);
    asked.push_back({std::move(text), k, std::move(vector)});
  };
  if (!options.own_corpus)
    for (const char* text : eigen_queries) ask(text, shown_results);
  else if (options.query.empty())
    for (std::size_t i = 0; i < std::min(shown_queries, lines.size()); ++i) ask(std::string(lines[i]), shown_results);
  if (!options.query.empty()) ask(options.query, options.k);
  return asked;
}

void search_text(const options& options) {
  const embit::thread_pool threads(options.threads);
  example::progress_bar bar;
  const auto stage = [&](const char* name) {
    return [&bar, name](std::size_t done, std::size_t total) { bar(name, done, total); };
  };

  const stopwatch watch;
  const auto corpus = example::read_corpus(options.corpus, stage("reading"));
  std::vector<std::string_view> texts;
  for (const auto& passage : corpus.passages) texts.push_back(passage.text);
  const example::text_features features(text_dim, texts, stage("counting"));
  embit::rng rng{options.seed};
  const auto lines = example::sample_lines(corpus, measured_lines, rng);
  const auto asked = questions(features, lines, options);  // before the long part, as it may refuse
  const auto x = example::featurize(features, texts, stage("weighting"));
  const double text_time = watch.elapsed();
  bar("hashing", 0, 1);
  const auto retriever = make_retriever(x, options, threads);
  const double code_time = watch.elapsed() - text_time;
  bar.clear();

  std::printf("%zu passages of %zu files in %s\nmade into vectors in %s, into codes of %zu bits in %s%s\n\n",
              texts.size(), corpus.files.size(), options.corpus.c_str(), seconds(text_time).c_str(),
              retriever.encoder().bits(), seconds(code_time).c_str(), file_note(options).c_str());
  for (const auto& question : asked) {
    const stopwatch search;
    const auto found = retriever.search(question.vector, question.k, {.candidates = options.candidates});
    example::show_passages(question.text, found[0], corpus, search.elapsed());
  }
  std::printf("lines of the text as queries: %zu\n", lines.size());
  compare_with_exact(retriever, x, example::featurize(features, lines, stage("measuring")), options);
}

void search_vectors(const options& options) {
  const embit::thread_pool threads(options.threads);
  const stopwatch watch;
  auto x = example::read_vectors(options.base);
  auto queries = example::read_vectors(options.queries);
  if (queries.cols() != x.cols())
    throw std::runtime_error(options.queries + ": queries of dimension " + std::to_string(queries.cols()) + ", but " +
                             options.base + " has " + std::to_string(x.cols()));
  // The planes go through the origin: once the mean is there, they cut through the middle of the rows.
  const auto mean = embit::mean_row(x);
  x = embit::centered(x, mean);
  queries = embit::centered(queries, mean);
  const double read_time = watch.elapsed();
  const auto retriever = make_retriever(x, options, threads);
  const double code_time = watch.elapsed() - read_time;

  std::printf("%zu rows and %zu queries of dimension %zu\nread in %s, made into codes of %zu bits in %s%s\n\n",
              x.rows(), queries.rows(), x.cols(), seconds(read_time).c_str(), retriever.encoder().bits(),
              seconds(code_time).c_str(), file_note(options).c_str());
  const auto shown = queries.view().middle_rows(0, std::min(shown_queries, queries.rows()));
  example::show_rows(retriever.search(shown, options.k, {.candidates = options.candidates}));
  const auto measured = queries.view().middle_rows(0, std::min(measured_vectors, queries.rows()));
  std::printf("queries measured: %zu\n", measured.rows());
  compare_with_exact(retriever, x, measured, options);
}

}  // namespace

int main(int argc, char** argv) {
  return example::run_program("quickstart", [&] {
    const auto options = example::parse_command_line(argc, argv);
    if (options.base.empty())
      search_text(options);
    else
      search_vectors(options);
  });
}
