// Collections of token vectors with relevance judgements, and what is measured on them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/matrix.hpp>
#include <embit/core/ragged_view.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/index/flat.hpp>
#include <embit/io/npy.hpp>
#include <embit/kernel/chamfer.hpp>

#include <cstddef>
#include <cstdio>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

namespace support {

/// Sets of token vectors from files.
struct token_file {
  embit::matrix<float> values;
  std::vector<std::size_t> offsets;
  embit::ragged_view<const float> view() const { return {values.view(), offsets}; }
};

inline token_file read_token_file(const std::string& tokens, const std::string& offsets) {
  const auto ends = embit::read_npy<std::size_t>(offsets);
  return {embit::read_npy<float>(tokens), {ends.values().begin(), ends.values().end()}};
}

/// Documents and queries, and for every query the rows of the documents that are relevant to it.
struct collection {
  token_file documents, queries;
  std::vector<std::set<embit::row_id>> relevant;
};

/// Lines of two ids, whatever follows them; `command` prints them.
inline std::vector<std::set<embit::row_id>> read_judgements(const std::string& command, const std::string& query_ids,
                                                            const std::string& document_ids) {
  const auto queries = embit::read_npy<long long>(query_ids), documents = embit::read_npy<long long>(document_ids);
  std::map<long long, std::size_t> query_row, document_row;
  for (std::size_t i = 0; i < queries.rows(); ++i) query_row[queries[i][0]] = i;
  for (std::size_t i = 0; i < documents.rows(); ++i) document_row[documents[i][0]] = i;
  std::vector<std::set<embit::row_id>> relevant(queries.rows());
  std::FILE* const lines = popen(command.c_str(), "r");
  if (lines == nullptr) throw std::runtime_error(command);
  long long query = 0, document = 0;
  while (std::fscanf(lines, "%lld %lld%*[^\n]", &query, &document) == 2)
    if (query_row.contains(query) && document_row.contains(document))
      relevant[query_row[query]].insert(static_cast<embit::row_id>(document_row[document]));
  pclose(lines);
  return relevant;
}

/// 35 documents and 5 queries of ColBERTv2.
inline collection colbert_nanofiqa(const std::string& folder) {
  return {read_token_file(folder + "/documents_tokens_f32.npy", folder + "/documents_offsets_i32.npy"),
          read_token_file(folder + "/queries_tokens_f32.npy", folder + "/queries_offsets_i32.npy"),
          read_judgements("cat '" + folder + "/qrels.tsv'", folder + "/queries_ids_i32.npy",
                          folder + "/documents_ids_i32.npy")};
}

/// 3204 abstracts as word vectors; query tokens weighted by their rarity.
inline collection mv_cacm(const std::string& folder, const std::string& judgements) {
  collection c{
      read_token_file(folder + "/docs_tokens_f16.npy", folder + "/docs_offsets_i32.npy"),
      read_token_file(folder + "/queries_tokens_f16.npy", folder + "/queries_offsets_i32.npy"),
      read_judgements("gzip -dc '" + judgements + "'", folder + "/queries_ids_i32.npy", folder + "/docs_ids_i32.npy")};
  const auto weights = embit::read_npy<float>(folder + "/queries_idf_f32.npy");
  for (std::size_t t = 0; t < c.queries.values.rows(); ++t)
    for (float& x : c.queries.values[t]) x *= weights[t][0];
  return c;
}

/// The mean of nDCG@10 over the queries that have relevant documents.
template <class Distance>
double mean_ndcg(const embit::knn_result<Distance>& found, const collection& c) {
  double sum = 0;
  std::size_t judged = 0;
  for (std::size_t q = 0; q < found.queries(); ++q) {
    if (c.relevant[q].empty()) continue;
    ++judged;
    const std::vector<double> gains(c.relevant[q].size(), 1.);
    sum += embit::ndcg_at(
        found[q], 10, [&](embit::row_id row) { return c.relevant[q].contains(row) ? 1. : 0.; }, gains);
  }
  return sum / static_cast<double>(judged);
}

/// The mean of the tokens of every set, scaled to unit norm.
inline embit::matrix<float> mean_vectors(embit::ragged_view<const float> sets) {
  embit::matrix<float> means(sets.size(), sets.cols(), 0.f);
  for (std::size_t i = 0; i < sets.size(); ++i) {
    double squares = 0;
    for (std::size_t t = 0; t < sets[i].rows(); ++t)
      for (std::size_t j = 0; j < sets.cols(); ++j) means[i][j] += sets[i][t][j];
    for (const float x : means[i]) squares += double{x} * double{x};
    for (float& x : means[i]) x = squares > 0 ? static_cast<float>(double{x} / std::sqrt(squares)) : 0.f;
  }
  return means;
}

}  // namespace support
