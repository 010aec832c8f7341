// Float rows to measure on: real ones moved towards their neighbours, and a curved manifold, each with queries of the
// same making and the true neighbours of these.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/eval/ground_truth.hpp>
#include <embit/io/npy.hpp>
#include <embit/kernel/gemm.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace bench {

/// Rows, queries of the same making that are none of them, and the true nearest of these.
struct float_set {
  std::string name;
  embit::matrix<float> rows, queries;
  embit::metric metric = embit::metric::l2;

  embit::knn_result<float> truth(std::size_t k) const {
    return embit::ground_truth(rows, queries, k, {.metric = metric}, embit::thread_pool(2));
  }
};

/// The last `queries` rows, cut off for queries.
inline float_set make_set(std::string name, const embit::matrix<float>& all, std::size_t queries,
                          embit::metric metric = embit::metric::l2) {
  const std::size_t n = all.rows() - queries;
  return {std::move(name), embit::matrix<float>(all.view().middle_rows(0, n)),
          embit::matrix<float>(all.view().middle_rows(n, queries)), metric};
}

namespace detail {

/// Roughly normal, of variance 1, as a sum of uniforms: millions of these are drawn.
inline float bell_curve(embit::rng& rng) {
  const std::uint64_t r = rng();
  float sum = 0;
  for (int i = 0; i < 4; ++i) sum += static_cast<float>(r >> 16 * i & 0xffff);
  return (sum / 65536.f - 2.f) * 1.7320508f;
}

inline embit::matrix<float> bell_rows(std::size_t n, std::size_t dim, float scale, embit::rng& rng) {
  embit::matrix<float> rows(n, dim);
  for (float& x : rows.values()) x = scale * bell_curve(rng);
  return rows;
}

}  // namespace detail

/// Where the real data is, or nothing.
inline std::string real_data(const std::string& file) {
  const char* const folder = std::getenv("EMBIT_DATA_DIR");
  return folder == nullptr ? std::string() : std::string(folder) + '/' + file;
}

/// Real rows in a random order, the last of which are queries. Needs EMBIT_DATA_DIR.
inline float_set real_rows(std::string name, const std::string& file, embit::metric metric = embit::metric::l2,
                           std::size_t queries = 1000) {
  const auto real = embit::read_npy<float>(real_data(file));
  embit::rng rng{9};
  std::vector<std::size_t> order(real.rows());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  embit::shuffle(std::span(order), rng);
  embit::matrix<float> rows(real.rows(), real.cols());
  for (std::size_t i = 0; i < order.size(); ++i) std::ranges::copy(real[order[i]], rows[i].begin());
  return make_set(std::move(name), rows, queries, metric);
}

/// n rows of 128 dimensions that lie between real SIFT descriptors and two of their 15 nearest, with a little noise:
/// clustered as real ones are. Needs EMBIT_DATA_DIR.
inline float_set sift_made(std::size_t n, std::size_t queries = 1000) {
  const auto real = embit::read_npy<float>(real_data("sift5k/base_u8.npy"));
  const auto nearest = embit::ground_truth(real, real, 15, {.exclude_self = true});
  embit::rng rng{3};
  embit::matrix<float> rows(n + queries, real.cols());
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    const auto a = static_cast<std::size_t>(embit::uniform_index(rng, real.rows()));
    const auto b = nearest[a][static_cast<std::size_t>(embit::uniform_index(rng, 15))].id;
    const auto c = nearest[a][static_cast<std::size_t>(embit::uniform_index(rng, 15))].id;
    const float t = .5f * embit::uniform(rng), v = .5f * embit::uniform(rng);
    for (std::size_t j = 0; j < real.cols(); ++j) {
      const float x = real[a][j] + t * (real[b][j] - real[a][j]) + v * (real[c][j] - real[a][j]);
      rows[i][j] = std::clamp(std::round(x + 8 * detail::bell_curve(rng)), 0.f, 255.f);
    }
  }
  return make_set("sift_made/" + std::to_string(n), rows, queries);
}

/// n unit rows on a curved manifold: a mixture in `latent` dimensions, a random network of two layers, a little noise.
/// Hard: it takes 5 of 100 rows to hold 95 of 100 neighbours.
inline float_set manifold(std::size_t n, std::size_t dim = 96, std::size_t latent = 12, std::size_t centers = 4000,
                          float spread = .5f, float noise = .01f, std::size_t queries = 1000) {
  constexpr std::size_t hidden = 256, block = 8192;
  embit::rng rng{7};
  const auto middle = detail::bell_rows(centers, latent, 1.f, rng);
  const auto first = detail::bell_rows(hidden, latent, 1 / std::sqrt(static_cast<float>(latent)), rng);
  auto second = detail::bell_rows(dim, hidden, 1 / 16.f, rng);
  for (std::size_t j = 0; j < dim; ++j)
    for (float& x : second[j]) x *= std::pow(static_cast<float>(j + 1), -.35f);
  const embit::row_panels to_hidden{first.view()}, to_rows{second.view()};
  embit::matrix<float> rows(n + queries, dim), point(block, latent), inner(block, hidden);
  for (std::size_t begin = 0; begin < rows.rows(); begin += block) {
    const std::size_t count = std::min(block, rows.rows() - begin);
    for (std::size_t i = 0; i < count; ++i) {
      const auto k = static_cast<std::size_t>(embit::uniform_index(rng, centers));
      for (std::size_t j = 0; j < latent; ++j) point[i][j] = middle[k][j] + spread * detail::bell_curve(rng);
    }
    const auto hidden_rows = inner.view().middle_rows(0, count), out = rows.view().middle_rows(begin, count);
    embit::gemm(point.view().middle_rows(0, count), to_hidden, hidden_rows);
    for (std::size_t i = 0; i < count; ++i)
      for (float& x : hidden_rows[i]) x = std::sin(2 * x);
    embit::gemm(hidden_rows, to_rows, out);
    for (std::size_t i = 0; i < count; ++i) {
      double square = 0;
      for (float& x : out[i]) {
        x += noise * detail::bell_curve(rng);
        square += double{x} * double{x};
      }
      for (float& x : out[i]) x = static_cast<float>(double{x} / std::sqrt(square));
    }
  }
  return make_set("manifold/" + std::to_string(n), rows, queries);
}

}  // namespace bench
