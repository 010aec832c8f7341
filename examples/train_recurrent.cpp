// Learns binary codes of your own embeddings, on a processor, in seconds to a minute: watch it learn, keep the codes
// and the model, search, and see what other codes of as many bits would have found.
//
//   float rows ──fit_recurrent──▶ encoder ──▶ codes ──flat_index──▶ candidates ──float_rerank──▶ results
//
// SPDX-License-Identifier: MIT
#include "support/command_line.hpp"
#include "support/run.hpp"
#include "support/show.hpp"
#include "support/split_rows.hpp"
#include "support/table.hpp"

#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/progress.hpp>
#include <embit/core/random.hpp>
#include <embit/core/results.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/encode/recurrent.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/eval/ground_truth.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/fit/fit_itq.hpp>
#include <embit/fit/fit_rabitq.hpp>
#include <embit/fit/fit_recurrent.hpp>
#include <embit/fit/recurrent_options.hpp>
#include <embit/index/flat.hpp>
#include <embit/io/save.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/kernel/levels.hpp>
#include <embit/retrieve/float_rerank.hpp>
#include <embit/retrieve/retriever.hpp>
#include <embit/store/code_store.hpp>
#include <embit/store/level_store.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>

namespace {

using example::fixed, example::seconds, example::stopwatch;

struct options {
  std::string vectors, queries, codes, model, load;
  embit::recurrent_options training{.steps = 200};
  std::size_t dims = 0, loops = 0;
  std::size_t generated = 5000;
  std::size_t k = 10, candidates = 100, threads = 1;
  std::uint64_t seed = 42;
};

options parse_command_line(int argc, char** argv) {
  options out;
  CLI::App app(
      "Learns binary codes of embeddings (recurrent binarization) and compares what they find with other codes.\n"
      "Without a file it learns from generated rows.",
      "train_recurrent");
  app.footer(
      "Examples:\n"
      "  train_recurrent --vectors embeddings.npy --bits 256 --codes codes.embit --model model.embit\n"
      "  train_recurrent --vectors embeddings.npy --load model.embit");
  const auto path = [&](const std::string& name, std::string& value, const std::string& help) {
    return app.add_option(name, value, help)->option_text("PATH");
  };
  const auto number = [&](const std::string& name, std::size_t& value, std::size_t least, std::size_t most,
                          const std::string& help, std::string shown = "") {
    if (shown.empty()) shown = std::to_string(value);
    return app.add_option(name, value, help)->check(CLI::Range(least, most))->option_text("N (" + shown + ")");
  };
  auto* vectors = path("--vectors", out.vectors, "Rows to learn from and to search: .npy, .fvecs or .bvecs");
  path("--queries", out.queries, "Rows to ask with; some of --vectors are taken out where not given")->needs(vectors);
  path("--codes", out.codes, "Write the codes to this file");
  auto* model = path("--model", out.model, "Write the trained encoder to this file");
  auto* load = path("--load", out.load, "Take the encoder from this file instead of training")->excludes(model);
  number("--generated", out.generated, 200, 1000000, "Rows to generate without --vectors")->excludes(vectors);
  auto* bits = number("--bits", out.training.bits, 1, 65536, "Bits of a code", "one a dimension");
  auto* dims = number("--dims", out.dims, 1, 65536, "Dimensions of a code", "chosen");
  auto* loops = number("--loops", out.loops, 0, 7, "Rounds after the first sign: a dimension has N + 1 bits", "chosen");
  auto* steps = number("--steps", out.training.steps, 0, 1000000, "Batches to learn from");
  number("--hidden", out.training.hidden, 0, 65536, "Width of the hidden layers");
  number("--k", out.k, 1, 1000, "Results of a query");
  number("--candidates", out.candidates, 1, 1000000, "Rows taken by their codes, then ranked by their floats");
  number("--threads", out.threads, 1, 1024, "Threads to use");
  app.add_option("--seed", out.seed, "Seed of everything random")->option_text("N (42)");
  for (auto* of_training : {bits, dims, loops, steps}) load->excludes(of_training);
  example::parse(app, argc, argv);
  if (dims->count() != 0) out.training.dims = out.dims;
  if (loops->count() != 0) out.training.loops = out.loops;
  return out;
}

/// Trains, and says how it goes at every validation: the mean loss since the last one, and the recall of codes of rows
/// that are not learned from.
embit::recurrent train(embit::matrix_view<const float> rows, embit::recurrent_options options, embit::rng& rng,
                       const embit::thread_pool& threads) {
  if (options.bits == 0 && !(options.dims && options.loops)) options.bits = rows.cols();
  std::printf("\n  step   loss    held-out recall@10\n");
  const stopwatch watch;
  double loss = 0;
  std::size_t steps = 0;
  const auto trained = embit::train_recurrent(
      rows, options, rng,
      [&](const embit::progress_report& report) {
        if (report.stage != "held-out") {
          loss += report.objective;
          ++steps;
          return true;
        }
        const auto mean = steps == 0 ? std::string("     ") : fixed(loss / static_cast<double>(steps), 3);
        std::printf("  %4zu   %s   %s\n", report.done, mean.c_str(), fixed(1 - report.objective, 3).c_str());
        std::fflush(stdout);
        loss = 0;
        steps = 0;
        return true;
      },
      threads);
  const auto& encoder = trained.encoder;
  std::printf("\nlearned %zu dimensions of %zu bits in %s, kept the state of step %zu%s\n", encoder.dims(),
              encoder.bits_per_dim(), seconds(watch.elapsed()).c_str(), trained.report.best_step,
              trained.report.end == embit::train_end::diverged ? " (then the loss was no number any more)" : "");
  return trained.encoder;
}

/// Prints what the first queries find, by their codes and then by their floats.
void show_found(const embit::knn_result<float>& found, const example::split_rows& data) {
  for (std::size_t q = 0; q < found.queries(); ++q) {
    std::printf("query %u, row (cosine):", data.query_of[q]);
    for (const auto& hit : found[q]) std::printf("  %u (%.3f)", data.row_of[hit.id], 1 - .5 * double{hit.distance});
    std::printf("\n");
  }
  std::printf("\n");
}

/// Prints the recall of codes of as many bits, as near as each method comes to them.
class comparison {
 public:
  comparison(const example::split_rows& data, const options& options, const embit::thread_pool& threads)
      : data_(&data),
        k_(options.k),
        candidates_(std::max(options.candidates, options.k)),
        threads_(&threads),
        truth_(embit::ground_truth(data.rows, data.queries, k_, {.metric = embit::metric::cosine}, threads)),
        table_{{"recall@" + std::to_string(k_), "bytes each", "by codes", "by floats",
                "and floats of " + std::to_string(candidates_)}} {}

  /// Codes ask, and codes find what the floats rank again.
  template <class Encoder, class Symmetric>
  void add(const std::string& name, const Encoder& encoder, const Symmetric& symmetric) {
    const auto codes = encoder.encode(data_->rows, *threads_);
    const auto queries = encoder.encode(data_->queries, *threads_);
    const embit::flat_index index{codes, symmetric, *threads_};
    table_.add({name, bytes(codes), share(index, queries, k_), "-", share(index, queries, candidates_)});
  }

  /// Codes ask; then floats do, and find what they rank again.
  template <class Encoder, class Symmetric, class Asymmetric>
  void add(const std::string& name, const Encoder& encoder, const Symmetric& symmetric, const Asymmetric& asymmetric) {
    const auto codes = encoder.encode(data_->rows, *threads_);
    const embit::flat_index by_codes{codes, symmetric, *threads_};
    const embit::flat_index by_floats{codes, asymmetric, *threads_};
    table_.add({name, bytes(codes), share(by_codes, encoder.encode(data_->queries, *threads_), k_),
                share(by_floats, data_->queries, k_), share(by_floats, data_->queries, candidates_)});
  }

  std::string text() const { return table_.text(); }

 private:
  /// The share of the true neighbours among the first `depth` found.
  template <class Index, class Queries>
  std::string share(const Index& index, const Queries& queries, std::size_t depth) const {
    return fixed(embit::mean_recall(truth_, index.search(queries, depth), k_, depth), 3);
  }

  static std::string bytes(const embit::level_store& codes) { return std::to_string(codes.bytes_per_row()); }
  static std::string bytes(const embit::code_store<>& codes) { return std::to_string((codes.bits() + 7) / 8); }

  const example::split_rows* data_;
  std::size_t k_, candidates_;
  const embit::thread_pool* threads_;
  embit::knn_result<float> truth_;
  example::table table_;
};

void run(const options& options) {
  embit::rng rng{options.seed};
  const embit::thread_pool threads(options.threads);
  example::split_rows data;
  if (options.vectors.empty())
    data = example::take_queries(example::curved_rows(options.generated, 64, rng), rng);
  else if (options.queries.empty())
    data = example::take_queries(example::read_vectors(options.vectors), rng);
  else
    data = example::read_both(options.vectors, options.queries);
  example::normalize(data.rows);
  example::normalize(data.queries);
  const std::size_t dim = data.rows.cols();
  std::printf("%zu rows of dimension %zu, %zu queries\n", data.rows.rows(), dim, data.queries.rows());

  const auto encoder = options.load.empty() ? train(data.rows, options.training, rng, threads)
                                            : embit::load<embit::recurrent>(options.load);
  if (!options.model.empty()) embit::save(options.model, encoder);
  const stopwatch watch;
  const auto codes = encoder.encode(data.rows, threads);
  std::printf("encoded into %zu bits in %s\n", encoder.bits(), seconds(watch.elapsed()).c_str());
  if (!options.codes.empty()) embit::save(options.codes, codes);
  std::printf("\n");

  const embit::retriever retriever{encoder, embit::flat_index{codes, embit::symmetric{}, threads},
                                   embit::float_rerank{data.rows}};
  const auto first = data.queries.view().middle_rows(0, std::min<std::size_t>(3, data.queries.rows()));
  show_found(retriever.search(first, std::min<std::size_t>(3, options.k), {.candidates = options.candidates}), data);

  comparison table(data, options, threads);
  const std::size_t bits = encoder.bits(), signs = std::min(bits, dim),
                    levels = std::clamp<std::size_t>((bits + dim / 2) / dim, 1, 8);
  table.add("recurrent", encoder, embit::symmetric{});
  const auto lsh = embit::sign_lsh({.dim = dim, .bits = bits}, rng);
  table.add("sign LSH", lsh, embit::hamming{}, lsh.asymmetric());
  const auto itq = embit::fit_itq(data.rows, {.bits = signs}, rng);
  table.add("ITQ, " + std::to_string(signs) + " bits", itq, embit::hamming{}, itq.asymmetric());
  const auto rabitq = embit::fit_rabitq(data.rows, {.bits_per_dim = levels, .metric = embit::metric::cosine}, rng);
  table.add("RaBitQ, " + std::to_string(levels * dim) + " bits", rabitq, rabitq.symmetric(), rabitq.estimator());
  std::printf("%s", table.text().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  return example::run_program("train_recurrent", [&] { run(parse_command_line(argc, argv)); });
}
