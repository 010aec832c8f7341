// Search of documents that are sets of token vectors (late interaction): one MUVERA vector a document in one bit a
// number finds candidates, exact MaxSim over their tokens ranks them.
//
//   tokens ──muvera──▶ 1-bit codes ──flat_index──▶ candidates ──chamfer_rerank──▶ results
//
// SPDX-License-Identifier: MIT
#include "support/command_line.hpp"
#include "support/run.hpp"
#include "support/show.hpp"
#include "support/table.hpp"
#include "support/token_sets.hpp"

#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/index/flat.hpp>
#include <embit/kernel/chamfer.hpp>
#include <embit/kernel/inner_product.hpp>
#include <embit/multivector/fit_center.hpp>
#include <embit/multivector/muvera.hpp>
#include <embit/retrieve/chamfer_rerank.hpp>
#include <embit/retrieve/retriever.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>

namespace {

using example::fixed, example::seconds, example::stopwatch, example::token_sets;

struct options {
  std::string documents, document_offsets, document_ids;
  std::string queries, query_offsets, query_ids, judgements;
  std::size_t generated = 5000;
  std::size_t repetitions = 20, simhash_bits = 4, projected_dim = 8;
  std::size_t k = 10, candidates = 100, threads = 1;
  std::uint64_t seed = 42;
};

options parse_command_line(int argc, char** argv) {
  options out;
  CLI::App app(
      "Finds documents of token vectors by MUVERA in one bit a number and exact MaxSim of the candidates, and "
      "compares that with MaxSim over all documents and with mean vectors.\nWithout files it searches "
      "generated documents.",
      "late_interaction");
  const auto path = [&](const std::string& name, std::string& value, const std::string& help) {
    return app.add_option(name, value, help)->option_text("PATH");
  };
  const auto number = [&](const std::string& name, std::size_t& value, std::size_t least, std::size_t most,
                          const std::string& help) {
    app.add_option(name, value, help)->check(CLI::Range(least, most))->option_text("N (" + std::to_string(value) + ")");
  };
  auto* documents = path("--documents", out.documents, "Tokens of all documents, a row each: .npy, float32 or float16");
  auto* document_offsets = path("--document-offsets", out.document_offsets, "Where each document begins, and the end");
  auto* queries = path("--queries", out.queries, "Tokens of all queries");
  auto* query_offsets = path("--query-offsets", out.query_offsets, "Where each query begins, and the end");
  auto* judgements = path("--judgements", out.judgements, "Lines of a query and a document that answers it, as ids");
  path("--document-ids", out.document_ids, "The ids of the documents (.npy); rows where not given")->needs(judgements);
  path("--query-ids", out.query_ids, "The ids of the queries (.npy); rows where not given")->needs(judgements);
  documents->needs(document_offsets)->needs(queries);
  document_offsets->needs(documents);
  queries->needs(query_offsets)->needs(documents);
  query_offsets->needs(queries);
  judgements->needs(documents);
  number("--generated", out.generated, 1, 1000000, "Documents to generate without files");
  number("--repetitions", out.repetitions, 1, 1000, "Repetitions of the encoding");
  number("--simhash-bits", out.simhash_bits, 0, 16, "Planes a repetition");
  number("--projected-dim", out.projected_dim, 0, 65536, "Numbers a partition; 0 for all of a token");
  number("--k", out.k, 1, 1000, "Results of a query");
  number("--candidates", out.candidates, 1, 1000000, "Documents taken by their codes, then ranked by their tokens");
  number("--threads", out.threads, 1, 1024, "Threads to use");
  app.add_option("--seed", out.seed, "Seed of everything random")->option_text("N (42)");
  example::parse(app, argc, argv);
  return out;
}

void run(const options& options) {
  const embit::thread_pool threads(options.threads);
  token_sets documents, queries;
  example::judgements relevant;
  if (options.documents.empty()) {
    example::generate(options.generated, 50, options.seed, documents, queries, relevant);
  } else {
    documents = example::read_token_sets(options.documents, options.document_offsets);
    queries = example::read_token_sets(options.queries, options.query_offsets);
    if (!options.judgements.empty())
      relevant = example::read_judgements(options.judgements, options.query_ids, queries.view().size(),
                                          options.document_ids, documents.view().size());
  }
  const auto d = documents.view(), q = queries.view();
  if (d.size() == 0 || q.size() == 0) throw std::runtime_error("no documents or no queries, there is nothing to do");
  std::printf("%zu documents of %zu tokens, %zu queries of %zu tokens, dimension %zu\n", d.size(),
              documents.values.rows(), q.size(), queries.values.rows(), d.cols());

  embit::rng rng{options.seed};
  const auto fde = embit::muvera({.dim = d.cols(),
                                  .repetitions = options.repetitions,
                                  .simhash_bits = options.simhash_bits,
                                  .projected_dim = std::min(options.projected_dim, d.cols())},
                                 rng)
                       .with_centers({.hash = embit::fit_center(d)});
  const stopwatch encoding;
  auto codes = fde.encode_levels(d, 1, threads);
  const double encoding_time = encoding.elapsed();
  const std::size_t code_bytes = codes.bytes_per_row();
  std::printf("encoded into %zu numbers of 1 bit in %s, %s a document\n\n", fde.encoded_dim(),
              seconds(encoding_time).c_str(), seconds(encoding_time / static_cast<double>(d.size())).c_str());

  const embit::retriever late{fde, embit::flat_index{std::move(codes), fde.estimator(), threads},
                              embit::chamfer_rerank{d}};
  const embit::flat_index exact{d, embit::chamfer{}, threads};
  const embit::flat_index means{example::mean_vectors(d), embit::inner_product{}, threads};
  const auto mean_queries = example::mean_vectors(q);

  double time = 0;  // of the last search, a query
  const auto timed = [&](auto&& search) {
    const stopwatch watch;
    auto found = search();
    time = watch.elapsed() / static_cast<double>(q.size());
    return found;
  };
  const auto truth = timed([&] { return exact.search(q, options.k); });
  example::table table{{"", "bytes each", "recall@" + std::to_string(options.k), "nDCG@10", "per query"}};
  const auto add = [&](const std::string& name, std::size_t bytes, const auto& found) {
    table.add({name, std::to_string(bytes), fixed(embit::mean_recall(truth, found, options.k, options.k), 3),
               relevant.empty() ? "-" : fixed(example::mean_ndcg(found, relevant), 3), seconds(time)});
  };
  const std::size_t token_bytes = documents.values.rows() / d.size() * d.cols() * sizeof(float);
  add("exact MaxSim", token_bytes, truth);
  add("mean vectors", d.cols() * sizeof(float), timed([&] { return means.search(mean_queries, options.k); }));
  add("MUVERA codes alone", code_bytes,
      timed([&] { return late.index().search(fde.encode_queries(q, threads), options.k); }));
  add("codes, then MaxSim of " + std::to_string(options.candidates), code_bytes + token_bytes,
      timed([&] { return late.search(q, options.k, {.candidates = options.candidates}); }));
  std::printf("%s", table.text().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  return example::run_program("late_interaction", [&] { run(parse_command_line(argc, argv)); });
}
