#include <embit/core/thread_pool.hpp>
#include <embit/index/flat.hpp>
#include <embit/kernel/inner_product.hpp>
#include <embit/retrieve/float_rerank.hpp>
#include <embit/retrieve/retriever.hpp>

#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/matchers.hpp>
#include <support/normal_rows.hpp>

namespace {

// The smallest encoder there is: signs. Its queries may be encoded another way: as the signs of the opposite vector.
struct sign_encoder {
  std::size_t width;
  std::size_t dim() const { return width; }
  embit::code_store<> encode(embit::matrix_view<const float> x) const {
    embit::code_store<> codes(x.rows(), width);
    for (std::size_t i = 0; i < x.rows(); ++i)
      for (std::size_t j = 0; j < width; ++j)
        if (x[i][j] > 0) codes.row(i)[j / 64] |= embit::word{1} << j % 64;
    return codes;
  }
};
struct contrary_encoder : sign_encoder {
  embit::code_store<> encode_queries(embit::matrix_view<const float> x) const {
    embit::matrix<float> negated(x);
    for (float& v : negated.values()) v = -v;
    return encode(negated);
  }
};
static_assert(embit::Encoder<sign_encoder> && embit::AsymmetricEncoder<contrary_encoder>);

using support::normal_rows;

double l2(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (double(a[i]) - double(b[i])) * (double(a[i]) - double(b[i]));
  return sum;
}

}  // namespace

TEST_CASE("reranking all candidates is exact search", "[retriever][threads]") {
  const auto x = normal_rows(800, 70, 1), q = normal_rows(12, 70, 2);
  const sign_encoder encoder{70};
  const embit::retriever retriever{
      encoder, embit::flat_index{encoder.encode(x), embit::hamming{}, embit::thread_pool{2}}, embit::float_rerank{x}};
  const auto found = retriever.search(q, 10, {.candidates = 800});
  for (std::size_t i = 0; i < 12; ++i) {
    const auto expected = support::sort_all<float, std::less<>>(
        800, [&](std::size_t row) { return static_cast<float>(l2(q[i], x[row])); }, [](embit::row_id) { return true; });
    REQUIRE(found[i].size() == 10);
    for (std::size_t j = 0; j < 10; ++j) {
      CHECK(found[i][j].id == expected[j].id);
      CHECK(found[i][j].distance == Approx(expected[j].distance).epsilon(1e-4));
    }
  }
}

TEST_CASE("candidates bound what the reranker sees", "[retriever]") {
  const auto x = normal_rows(500, 64, 3), q = normal_rows(5, 64, 4);
  const sign_encoder encoder{64};
  const embit::flat_index index{encoder.encode(x)};
  const embit::retriever retriever{encoder, index, embit::float_rerank{x, embit::inner_product{}}};
  const auto candidates = index.search(encoder.encode(q), 30);
  const auto found = retriever.search(q, 7, {.candidates = 30});
  const auto by_default = retriever.search(q, 3);
  for (std::size_t i = 0; i < 5; ++i) {
    REQUIRE(found[i].size() == 7);
    for (const auto& hit : found[i])
      CHECK(std::ranges::any_of(candidates[i], [&](const auto& c) { return c.id == hit.id; }));
    for (std::size_t j = 0; j < 3; ++j) CHECK(by_default[i][j] == found[i][j]);  // 10 · 3 candidates
    CHECK(retriever.search(q, 40, {.candidates = 2})[i].size() == 40);           // never fewer than k
  }
}

TEST_CASE("without a reranker the order of the index stays", "[retriever]") {
  const auto x = normal_rows(200, 33, 5);
  const sign_encoder encoder{33};
  const embit::flat_index index{encoder.encode(x)};
  const embit::retriever retriever{encoder, index};
  const auto a = retriever.search(x, 4), b = index.search(encoder.encode(x), 4);
  for (std::size_t i = 0; i < 200; ++i) REQUIRE(std::ranges::equal(a[i], b[i]));
}

TEST_CASE("queries are encoded as queries, or passed on where the index takes them", "[retriever]") {
  const auto x = normal_rows(300, 64, 6);
  const contrary_encoder encoder{{64}};
  const embit::retriever contrary{encoder, embit::flat_index{encoder.encode(x)}};
  CHECK(contrary.search(x.view().middle_rows(7, 1), 300)[0].back().id == 7);
  CHECK(contrary.search(encoder.encode(x), 1)[7][0].id == 7);
  const embit::retriever floats{encoder, embit::flat_index{x, embit::l2{}}};
  CHECK(floats.search(x, 1)[9][0].id == 9);
}

namespace {

// Notes where it is given the rows to score.
struct noting_rerank {
  using query_view = embit::matrix_view<const float>;
  using score_type = float;
  using compare = std::less<>;
  std::vector<const embit::row_id*>* places;
  float operator()(std::span<const float>, embit::row_id row) const { return static_cast<float>(row); }
  void rerank(std::span<const float>, std::span<const embit::row_id> rows, std::span<float> scores) const {
    places->push_back(rows.data());
    std::copy(rows.begin(), rows.end(), scores.begin());
  }
};

}  // namespace

TEST_CASE("a search into a result is a search, and uses the memory of the last one", "[retriever]") {
  const auto x = normal_rows(300, 64, 11);
  const sign_encoder encoder{64};
  std::vector<const embit::row_id*> places;
  const embit::retriever noting{encoder, embit::flat_index{encoder.encode(x)}, noting_rerank{&places}};
  const embit::retriever plain{encoder, embit::flat_index{encoder.encode(x)}};
  embit::knn_result<float> result;
  embit::knn_result<std::uint32_t> unranked;
  const auto odd = [](embit::row_id row) { return row % 2 == 1; };
  for (int again = 0; again < 3; ++again) {
    noting.search_into(x, 5, result, {.candidates = 20}, odd);
    plain.search_into(x, 5, unranked, {}, odd);
    const auto expected = noting.search(x, 5, {.candidates = 20}, odd);
    const auto in_order = plain.search(x, 5, {}, odd);
    for (std::size_t q = 0; q < x.rows(); ++q) {
      REQUIRE(std::ranges::equal(result[q], expected[q]));
      REQUIRE(std::ranges::equal(unranked[q], in_order[q]));
    }
  }
  REQUIRE(places.size() == 6 * 300);
  CHECK(std::ranges::all_of(places, [&](const embit::row_id* at) { return at == places.front(); }));
  CHECK_THROWS_AS(noting.search_into(x, 0, result), embit::error);
  CHECK(result.queries() == 300);  // unchanged
}

TEST_CASE("filters reach the index", "[retriever]") {
  const auto x = normal_rows(300, 64, 7);
  const sign_encoder encoder{64};
  const embit::retriever retriever{encoder, embit::flat_index{encoder.encode(x)}, embit::float_rerank{x}};
  const auto found = retriever.search(x, 5, {}, [](embit::row_id row) { return row % 3 == 0; });
  for (const auto& hit : found[4]) CHECK(hit.id % 3 == 0);
  CHECK(retriever.search(x, 5, {}, [](embit::row_id) { return false; })[0].empty());
}

TEST_CASE("mismatches are refused", "[retriever]") {
  const auto x = normal_rows(100, 64, 8), fewer = normal_rows(99, 64, 9), narrow = normal_rows(2, 32, 10);
  const sign_encoder encoder{64};
  CHECK_THROWS_WITH((embit::retriever{encoder, embit::flat_index{encoder.encode(x)}, embit::float_rerank{fewer}}),
                    Catch::Matchers::ContainsSubstring("99") && Catch::Matchers::ContainsSubstring("100"));
  const embit::retriever retriever{encoder, embit::flat_index{encoder.encode(x)}, embit::float_rerank{x}};
  CHECK_THROWS_WITH(retriever.search(narrow, 3),
                    Catch::Matchers::ContainsSubstring("32") && Catch::Matchers::ContainsSubstring("64"));
  CHECK_THROWS_AS(retriever.search(x, 0), embit::error);
}
