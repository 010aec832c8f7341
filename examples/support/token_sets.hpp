// Token vectors of documents and queries, and which documents answer which query.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/matrix.hpp>
#include <embit/core/ragged_view.hpp>
#include <embit/core/random.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/io/npy.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

namespace example {

/// Sets of token vectors, viewed where a `ragged_view` is taken.
struct token_sets {
  embit::matrix<float> values;
  std::vector<std::size_t> offsets;
  embit::ragged_view<const float> view() const { return {values.view(), offsets}; }
};

/// Tokens of all sets, a row each (float32 or float16), and where each set begins, with the end of the last one.
inline token_sets read_token_sets(const std::string& tokens, const std::string& offsets) {
  const auto begins = embit::read_npy<std::size_t>(offsets);
  token_sets sets{embit::read_npy<float>(tokens), {begins.values().begin(), begins.values().end()}};
  try {
    static_cast<void>(sets.view());
  } catch (const std::exception& wrong) {
    throw std::runtime_error(offsets + ": " + wrong.what());
  }
  return sets;
}

/// The documents that answer each query.
using judgements = std::vector<std::set<embit::row_id>>;

/// Lines of a query and a document, by the numbers in the id files, or by row where there are none. What else stands
/// in a line is passed over.
inline judgements read_judgements(const std::string& path, const std::string& query_ids, std::size_t queries,
                                  const std::string& document_ids, std::size_t documents) {
  const auto rows_of = [](const std::string& ids, std::size_t count) {
    std::unordered_map<std::int64_t, std::size_t> rows;
    if (ids.empty()) {
      for (std::size_t i = 0; i < count; ++i) rows[static_cast<std::int64_t>(i)] = i;
      return rows;
    }
    const auto numbers = embit::read_npy<std::int64_t>(ids);
    if (numbers.rows() != count)
      throw std::runtime_error(ids + ": " + std::to_string(numbers.rows()) + " ids for " + std::to_string(count));
    for (std::size_t i = 0; i < count; ++i) rows[numbers[i][0]] = i;
    return rows;
  };
  const auto query_rows = rows_of(query_ids, queries), document_rows = rows_of(document_ids, documents);
  std::ifstream in(path);
  if (!in) throw std::runtime_error(path + ": cannot be read");
  judgements relevant(queries);
  std::int64_t query = 0, document = 0;
  for (std::string rest; in >> query >> document; std::getline(in, rest)) {
    const auto q = query_rows.find(query), d = document_rows.find(document);
    if (q != query_rows.end() && d != document_rows.end())
      relevant[q->second].insert(static_cast<embit::row_id>(d->second));
  }
  if (!in.eof()) throw std::runtime_error(path + ": not lines of two numbers");
  return relevant;
}

/// Something to search where the user has nothing at hand: documents around topics that some of them share, and
/// queries that are a part of one document each, disturbed.
inline void generate(std::size_t documents, std::size_t queries, std::uint64_t seed, token_sets& document_tokens,
                     token_sets& query_tokens, judgements& relevant) {
  constexpr std::size_t dim = 128, most_tokens = 100, asked = 16, documents_a_topic = 25;
  embit::rng rng{seed};
  document_tokens.offsets = query_tokens.offsets = {0};
  for (std::size_t i = 0; i < documents; ++i)
    document_tokens.offsets.push_back(document_tokens.offsets.back() + asked +
                                      static_cast<std::size_t>(embit::uniform_index(rng, most_tokens - asked)));
  document_tokens.values = embit::matrix<float>(document_tokens.offsets.back(), dim);
  const auto unit = [](std::span<float> row) {
    float squares = 0;
    for (const float x : row) squares += x * x;
    for (float& x : row) x /= std::sqrt(squares);
  };
  embit::matrix<float> topics(documents / documents_a_topic + 1, dim);
  for (float& x : topics.values()) x = embit::normal(rng);
  std::vector<float> subject(dim);
  for (std::size_t i = 0; i < documents; ++i) {
    const auto topic = topics[static_cast<std::size_t>(embit::uniform_index(rng, topics.rows()))];
    for (std::size_t j = 0; j < dim; ++j) subject[j] = .6f * topic[j] + .5f * embit::normal(rng);
    for (std::size_t t = document_tokens.offsets[i]; t < document_tokens.offsets[i + 1]; ++t) {
      for (std::size_t j = 0; j < dim; ++j) document_tokens.values[t][j] = subject[j] + embit::normal(rng);
      unit(document_tokens.values[t]);
    }
  }
  query_tokens.values = embit::matrix<float>(queries * asked, dim);
  for (std::size_t q = 0; q < queries; ++q) {
    const auto source = static_cast<std::size_t>(embit::uniform_index(rng, documents));
    relevant.push_back({static_cast<embit::row_id>(source)});
    for (std::size_t t = 0; t < asked; ++t) {
      const auto row = query_tokens.values[q * asked + t];
      for (std::size_t j = 0; j < dim; ++j)
        row[j] = document_tokens.values[document_tokens.offsets[source] + t][j] + .12f * embit::normal(rng);
      unit(row);
    }
    query_tokens.offsets.push_back((q + 1) * asked);
  }
}

/// The mean direction of every set.
inline embit::matrix<float> mean_vectors(embit::ragged_view<const float> sets) {
  embit::matrix<float> means(sets.size(), sets.cols(), 0.f);
  for (std::size_t i = 0; i < sets.size(); ++i) {
    float squares = 0;
    for (std::size_t t = 0; t < sets[i].rows(); ++t)
      for (std::size_t j = 0; j < sets.cols(); ++j) means[i][j] += sets[i][t][j];
    for (const float x : means[i]) squares += x * x;
    for (float& x : means[i]) x = squares > 0 ? x / std::sqrt(squares) : 0.f;
  }
  return means;
}

/// The mean of nDCG at 10 over the queries that are judged.
template <class Distance>
double mean_ndcg(const embit::knn_result<Distance>& found, const judgements& relevant) {
  double sum = 0;
  std::size_t judged = 0;
  for (std::size_t q = 0; q < found.queries(); ++q) {
    if (relevant[q].empty()) continue;
    ++judged;
    const std::vector<double> gains(relevant[q].size(), 1.);
    sum += embit::ndcg_at(
        found[q], 10, [&](embit::row_id row) { return relevant[q].contains(row) ? 1. : 0.; }, gains);
  }
  return judged == 0 ? 0. : sum / static_cast<double>(judged);
}

}  // namespace example
