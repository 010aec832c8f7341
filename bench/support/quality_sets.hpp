// The sets that quality is measured on, split into rows and queries.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/matrix.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/random.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/eval/ground_truth.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "../../tests/support/anisotropic.hpp"
#include "../../tests/support/uneven_sets.hpp"
#include "embedding_sets.hpp"

namespace support {

inline std::vector<std::string> quality_sets() {
  return {"mean", "uneven", "few", "anisotropic", "sift", "sift_l2", "minilm", "clip", "usps", "news20", "movie"};
}

struct data_set {
  std::string name;
  embit::metric metric;
  embit::matrix<float> rows, queries;
  embit::knn_result<float> truth;
};

inline data_set split(std::string name, const embit::matrix<float>& all, embit::metric metric, std::uint64_t seed) {
  embit::rng rng{seed};
  std::vector<embit::row_id> order(all.rows());
  std::iota(order.begin(), order.end(), embit::row_id{0});
  embit::shuffle(std::span(order), rng);
  const std::size_t asked = std::min<std::size_t>(500, all.rows() / 10);
  data_set set{std::move(name),
               metric,
               embit::matrix<float>(all, std::span(order).subspan(asked)),
               embit::matrix<float>(all, std::span(order).first(asked)),
               {}};
  set.truth = embit::ground_truth(set.rows, set.queries, 10, {.metric = metric});
  return set;
}

/// A set by its name, or nothing where its file is not there; other queries for another seed.
inline std::optional<data_set> load_split(const std::string& name, std::uint64_t seed) {
  using embit::metric;
  if (name == "mean") return split(name, strong_mean_rows(10'000, seed), metric::cosine, seed);
  if (name == "uneven") return split(name, uneven_energy_rows(10'000, 128, seed), metric::cosine, seed);
  if (name == "few") return split(name, few_rows(444, 768, seed), metric::cosine, seed);
  if (name == "anisotropic") return split(name, anisotropic_rows(10'000, 128, seed), metric::cosine, seed);
  if (const auto real = load_embeddings(name)) return split(name, real->rows, real->metric, seed);
  return std::nullopt;
}

/// Those of a list with commas.
inline std::vector<double> numbers(const char* text) {
  std::vector<double> found;
  for (char* end = nullptr; *text != '\0'; text = *end == ',' ? end + 1 : end) {
    found.push_back(std::strtod(text, &end));
    if (end == text) break;
  }
  return found;
}

}  // namespace support
