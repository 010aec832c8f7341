// Late interaction on real tokens: fixed dimensional encodings find candidates, tokens of a PLAID index, residuals of 1
// to 8 bits, rerank them. Of each set: the share of the exact MaxSim top 10 among the candidates, and of the reranked
// first 10 and 20, nDCG@10 where there are judgements, and bytes a document.
//
//   EMBIT_DATA_DIR=<folder> bench_late_interaction [--recall=.9] [mv_cacm|colbert_passages|colbert_nanofiqa...]
//
// SPDX-License-Identifier: MIT
#include <embit/adapt/plaid.hpp>
#include <embit/core/random.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/index/flat.hpp>
#include <embit/kernel/chamfer.hpp>
#include <embit/multivector/fit_center.hpp>
#include <embit/multivector/muvera.hpp>
#include <embit/multivector/plan_muvera.hpp>
#include <embit/retrieve/chamfer_rerank.hpp>
#include <embit/retrieve/retriever.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "../tests/support/late_interaction.hpp"
#include "../tests/support/plaid_files.hpp"
#include "../tests/support/temp_dir.hpp"

namespace {

constexpr std::size_t seeds = 4;

struct token_set {
  std::string name;
  support::collection sets;
  std::size_t candidates;
};

token_set load(const std::string& folder, const std::string& name) {
  if (name == "mv_cacm") return {name, support::mv_cacm(folder + "/mv_cacm", folder + "/ir_cacm/qrels.tsv.gz"), 100};
  if (name == "colbert_nanofiqa") return {name, support::colbert_nanofiqa(folder + "/colbert_nanofiqa"), 20};
  const std::string at = folder + "/colbert_passages/";
  return {name,
          {support::read_token_file(at + "documents_tokens_f16.npy", at + "documents_offsets_i32.npy"),
           support::read_token_file(at + "queries_tokens_f16.npy", at + "queries_offsets_i32.npy"),
           {}},
          20};
}

double ndcg(const embit::knn_result<float>& found, const token_set& set) {
  return set.sets.relevant.empty() ? 0 : mean_ndcg(found, set.sets);
}

/// What encodings of one shape find, in one bit a number: means of seeds.
void table_of_encodings(const token_set& set, const embit::knn_result<float>& truth) {
  struct shape {
    std::size_t repetitions, simhash_bits, columns;
    embit::fde_planes planes = embit::fde_planes::gaussian;
  };
  const auto documents = set.sets.documents.view();
  const auto center = embit::fit_center(documents);
  for (const shape s :
       {shape{20, 4, 8}, shape{80, 3, 4}, shape{160, 2, 4}, shape{160, 3, 2, embit::fde_planes::structured},
        shape{20, 5, 16}, shape{160, 4, 4}, shape{80, 4, 8}}) {
    double share = 0;
    for (std::size_t seed = 1; seed <= seeds; ++seed) {
      embit::rng rng{seed};
      const auto fde = embit::muvera({.dim = documents.cols(),
                                      .repetitions = s.repetitions,
                                      .simhash_bits = s.simhash_bits,
                                      .projected_dim = s.columns,
                                      .planes = s.planes},
                                     rng)
                           .with_centers({.hash = center});
      const embit::flat_index index{fde.encode_levels(documents, 1), fde.estimator()};
      const auto found = index.search(fde.encode_queries(set.sets.queries.view()), set.candidates);
      share += embit::mean_recall(truth, found, 10, set.candidates) / seeds;
    }
    std::printf("%-18s (%zu,%zu,%zu)%s, 1 bit: %zu bytes, R10@%zu %.3f\n", set.name.c_str(), s.repetitions,
                s.simhash_bits, s.columns, s.planes == embit::fde_planes::structured ? " structured" : "",
                (s.columns << s.simhash_bits) * s.repetitions / 8, set.candidates, share);
    std::fflush(stdout);
  }
}

void table_of_residuals(const token_set& set, const embit::knn_result<float>& truth, double target) {
  const auto documents = set.sets.documents.view();
  const auto queries = set.sets.queries.view();
  embit::rng rng{1};
  const auto plan = embit::plan_muvera(
      documents, queries, {.target_recall = target, .candidates = set.candidates, .bytes_per_document = 1280}, rng);
  std::printf("%-18s planned for %.2f: %zu bytes, (%zu,%zu,%zu), bits %zu, R10@%zu %.3f\n", set.name.c_str(), target,
              plan.bytes_per_document, plan.encoder.options().repetitions, plan.encoder.options().simhash_bits,
              plan.encoder.options().projected_dim, plan.bits, set.candidates, plan.recall);
  std::printf(
      "%-18s exact: nDCG %.3f, %.0f bytes a document\n", set.name.c_str(), ndcg(truth, set),
      2. * static_cast<double>(documents.values().rows() * documents.cols()) / static_cast<double>(documents.size()));
  for (const std::size_t bits : {1u, 2u, 4u, 8u}) {
    const support::temp_dir dir;
    const std::size_t centroids = documents.values().rows() / 16;
    support::write_plaid(dir / "", support::make_plaid(documents, centroids, bits, 1));
    const embit::plaid_index index(dir / "");
    const auto decompressed = index.decompressed();
    const embit::retriever late{plan.encoder,
                                embit::flat_index{plan.encoder.encode_levels(decompressed.view(), plan.bits),
                                                  plan.encoder.estimator(plan.bits)},
                                embit::chamfer_rerank{index}};
    const auto found = late.search(queries, 20, {.candidates = set.candidates});
    const double tokens = static_cast<double>(index.memory()) / static_cast<double>(index.size());
    std::printf("%-18s residuals of %zu bits: %.0f bytes a document, R10@10 %.3f, R10@20 %.3f, nDCG %.3f\n",
                set.name.c_str(), bits, tokens + static_cast<double>(plan.bytes_per_document),
                embit::mean_recall(truth, found, 10, 10), embit::mean_recall(truth, found, 10, 20), ndcg(found, set));
    std::fflush(stdout);
  }
}

}  // namespace

int main(int count, char** arguments) {
  const char* const folder = std::getenv("EMBIT_DATA_DIR");
  if (folder == nullptr) {
    std::puts("EMBIT_DATA_DIR is not set: no real token vectors");
    return 0;
  }
  double target = .9;
  std::vector<std::string> names;
  for (int i = 1; i < count; ++i) {
    const std::string word = arguments[i];
    if (word.starts_with("--recall="))
      target = std::strtod(word.c_str() + 9, nullptr);
    else
      names.push_back(word);
  }
  if (names.empty()) names = {"colbert_nanofiqa", "colbert_passages", "mv_cacm"};
  for (const std::string& name : names) {
    const token_set set = load(folder, name);
    const auto truth =
        embit::flat_index{set.sets.documents.view(), embit::chamfer{}}.search(set.sets.queries.view(), 10);
    table_of_encodings(set, truth);
    table_of_residuals(set, truth, target);
  }
}
