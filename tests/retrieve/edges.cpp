// What lies at the edges of real data: documents and queries without tokens, rows that are the centroid, zero rows, and
// rows padded with zeros.
#include <embit/core/random.hpp>
#include <embit/fit/fit_rabitq.hpp>
#include <embit/index/flat.hpp>
#include <embit/kernel/chamfer.hpp>
#include <embit/kernel/inner_product.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/multivector/muvera.hpp>
#include <embit/retrieve/chamfer_rerank.hpp>
#include <embit/retrieve/retriever.hpp>
#include <embit/store/token_store.hpp>

#include <support/catch.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace {

embit::matrix<float> normal_matrix(std::size_t rows, std::size_t cols, float mean, embit::rng& rng) {
  embit::matrix<float> x(rows, cols);
  for (float& v : x.values()) v = embit::normal(rng) + mean;
  return x;
}

}  // namespace

TEST_CASE("documents and queries without tokens come last or find nothing, and similarities may all be negative") {
  embit::rng rng{3};
  const std::size_t dim = 32;
  const auto tokens = normal_matrix(2, dim, 0, rng);
  embit::matrix<float> docs(3, dim);  // document 0 is opposite to the query, 1 empty, 2 one opposite token
  for (std::size_t j = 0; j < dim; ++j) {
    docs[0][j] = -tokens[0][j];
    docs[1][j] = -tokens[1][j];
    docs[2][j] = -tokens[0][j];
  }
  const std::vector<std::size_t> doc_ends{0, 2, 2, 3}, query_ends{0, 2, 2};
  const embit::ragged_view<const float> documents{docs, doc_ends}, queries{tokens, query_ends};
  const embit::muvera fde{{.dim = dim, .repetitions = 4, .simhash_bits = 3, .projected_dim = 8}, rng};
  const auto store = fde.encode(documents);
  CHECK_FALSE(store.is_empty(0));
  CHECK(store.is_empty(1));

  const embit::flat_index exact{embit::token_store<float>(documents), embit::chamfer{}};
  const auto found = exact.search(queries, 3);
  CHECK(found[0][2].id == 1);
  CHECK(found[0][0].distance < 0);
  for (const auto& hit : found[1]) CHECK(hit.distance == 0);

  const embit::retriever late{fde, embit::flat_index{store, embit::inner_product{}}, embit::chamfer_rerank{documents}};
  const auto reranked = late.search(queries, 3, {.candidates = 3});
  CHECK(reranked[0][0].id == found[0][0].id);
  CHECK(reranked[0][2].id == 1);
  CHECK(fde.encode(embit::ragged_view<const float>{}).size() == 0);
}

TEST_CASE("RaBitQ finds as much among rows padded with zeros, and stands rows that are the centroid or zero") {
  embit::rng rng{4};
  const std::size_t rows = 1000, dim = 96, queries = 30;
  const auto x = normal_matrix(rows, dim, .5f, rng), q = normal_matrix(queries, dim, .5f, rng);
  embit::matrix<float> wide(rows, 128), wide_queries(queries, 128), same(20, dim, 2.f), zero(3, dim);
  for (std::size_t i = 0; i < rows; ++i) std::copy(x[i].begin(), x[i].end(), wide[i].begin());
  for (std::size_t i = 0; i < queries; ++i) std::copy(q[i].begin(), q[i].end(), wide_queries[i].begin());
  for (const auto metric : {embit::metric::l2, embit::metric::inner_product, embit::metric::cosine}) {
    const auto coder = embit::fit_rabitq(x, {.bits_per_dim = 4, .metric = metric}, rng);
    const auto wide_coder = embit::fit_rabitq(wide, {.bits_per_dim = 4, .metric = metric}, rng);
    embit::flat_index index{coder.encode(x), coder.estimator()};
    const embit::flat_index wide_index{wide_coder.encode(wide), wide_coder.estimator()};
    const auto found = index.search(q, 10), wide_found = wide_index.search(wide_queries, 10);
    std::size_t common = 0;
    for (std::size_t i = 0; i < queries; ++i)
      for (const auto& a : found[i])
        common += static_cast<std::size_t>(
            std::count_if(wide_found[i].begin(), wide_found[i].end(), [&](const auto& b) { return b.id == a.id; }));
    CHECK(common > 8 * queries);

    const auto centred = embit::fit_rabitq(same, {.bits_per_dim = 1, .metric = metric}, rng);
    const embit::flat_index equal{centred.encode(same), centred.estimator()};
    const auto ties = equal.search(same.view().middle_rows(0, 1), 3);
    for (std::size_t i = 0; i < 3; ++i) CHECK(ties[0][i].id == i);
    index.add(coder.encode(zero));
    for (const auto& hit : index.search(zero, 3)[0]) CHECK(std::isfinite(hit.distance));
  }
}
