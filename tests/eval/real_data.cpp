// Known figures of real data, through the whole way from rows to a metric.
// SPDX-License-Identifier: MIT
#include <embit/core/metric.hpp>
#include <embit/encode/sign_projection.hpp>
#include <embit/eval/ground_truth.hpp>
#include <embit/eval/metrics.hpp>
#include <embit/index/flat.hpp>
#include <embit/linalg/mean.hpp>

#include <support/catch.hpp>
#include <support/real_data.hpp>

#include <cmath>
#include <cstdint>
#include <span>
#include <string>

namespace {

// One bit a dimension: sign(x - mean).
embit::sign_projection centered_signs(embit::matrix_view<const float> rows) {
  embit::matrix<float> planes(rows.cols(), rows.cols(), 0.f);
  for (std::size_t k = 0; k < rows.cols(); ++k) planes[k][k] = 1;
  return embit::sign_projection(planes, embit::mean_row(rows));
}

// The Hamming neighbours of every row but itself.
embit::knn_result<std::uint32_t> hamming_neighbors(const embit::code_store<>& codes, std::size_t k) {
  const embit::flat_index index{codes};
  const auto found = index.search(codes, k + 1);
  embit::knn_result<std::uint32_t> others;
  others.reset(found.queries(), k);
  for (std::size_t q = 0; q < found.queries(); ++q) {
    std::vector<embit::neighbor<std::uint32_t>> list;
    for (const auto& n : found[q])
      if (n.id != q && list.size() < k) list.push_back(n);
    others.assign(q, list);
  }
  return others;
}

double share_of_cosine_neighbors(const std::string& file) {
  const auto rows = support::unit_rows(embit::read_npy<float>(support::real_data(file)));
  const auto truth = embit::ground_truth(rows, rows, 10, {.metric = embit::metric::cosine, .exclude_self = true});
  return embit::mean_recall(truth, hamming_neighbors(centered_signs(rows).encode(rows), 50), 10, 50);
}

}  // namespace

TEST_CASE("centered signs keep the cosine neighbours of text embeddings") {
  EMBIT_NEEDS_REAL_DATA();
  const double minilm = share_of_cosine_neighbors("minilm_squad2k/emb_f32.npy");
  const double clip = share_of_cosine_neighbors("clip_text_detic/emb_f16.npy");
  WARN("cosine top 10 in the Hamming top 50: minilm_squad2k " << minilm << ", clip_text_detic " << clip);
  REQUIRE(std::abs(minilm - .969) <= .005);
  REQUIRE(std::abs(clip - .889) <= .005);
}

TEST_CASE("neighbours of handwritten digits share their label") {
  EMBIT_NEEDS_REAL_DATA();
  const auto images = embit::read_npy<float>(support::real_data("usps_11k/images_u8.npy"));
  const auto labels = embit::read_npy<int>(support::real_data("usps_11k/labels_u8.npy"));
  const auto queries = images.view().middle_rows(0, 1000), rows = images.view().middle_rows(1000, 10000);
  const std::span<const int> query_labels = labels.values().first(1000), row_labels = labels.values().subspan(1000);
  const auto precision = [&](const auto& found) { return embit::mean_precision(found, row_labels, query_labels, 10); };
  const double by_l2 = precision(embit::ground_truth(rows, queries, 10));
  const double by_cosine = precision(embit::ground_truth(rows, queries, 10, {.metric = embit::metric::cosine}));
  const auto encoder = centered_signs(rows);
  const embit::flat_index index{encoder.encode(rows)};
  const double by_bits = precision(index.search(encoder.encode(queries), 10));
  WARN("usps_11k P@10: L2 " << by_l2 << ", cosine " << by_cosine << ", 1 bit a dimension " << by_bits);
  REQUIRE(std::abs(by_l2 - .907) <= .005);
  REQUIRE(std::abs(by_cosine - .920) <= .005);
  REQUIRE(by_bits > .8);
}
