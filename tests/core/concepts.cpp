// The smallest type that satisfies each concept, and types that miss it by one thing.
#include <embit/core/concepts.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/thread_pool.hpp>

#include <support/catch.hpp>

#include <functional>
#include <vector>

namespace {

using embit::row_id;
using embit::word;
using codes = std::span<const word>;
using batch = std::vector<codes>;
using rows = embit::matrix_view<const float>;

struct executor {
  std::size_t concurrency() const { return 1; }
  template <class F>
  void bulk(std::size_t n, F&& f) const {
    for (std::size_t i = 0; i < n; ++i) f(i, std::size_t{0});
  }
};

struct store {
  using code_type = codes;
  std::size_t size() const { return 0; }
  std::size_t bits() const { return 64; }
  void copy_row(std::size_t, std::span<word>) const {}
};
struct row_store : store {
  code_type operator[](std::size_t) const { return {}; }
};
struct block_store : store {
  const word* block(std::size_t) const { return nullptr; }
  std::size_t blocks() const { return 0; }
};

struct kernel {
  using query_view = batch;
  using distance_type = float;
  using compare = std::less<>;
  codes prepare(codes query) const { return query; }
  float operator()(codes, codes) const noexcept { return 0; }
};
struct throwing_kernel : kernel {
  float operator()(codes, codes) const { return 0; }
};
struct levels_kernel {  // over another code than words
  using query_view = std::span<const int>;
  using distance_type = int;
  using compare = std::greater<>;
  int prepare(int query) const { return query; }
  int operator()(int query, const std::vector<int>& code) const noexcept {
    return query + (code.empty() ? 0 : code[0]);
  }
};

struct encoder {
  std::size_t dim() const { return 3; }
  row_store encode(rows) const { return {}; }
};
struct binary_encoder : encoder {
  std::size_t bits() const { return 64; }
  void encode_into(std::span<const float>, std::span<word>) const {}
};
struct asymmetric_encoder : encoder {
  std::vector<float> encode_queries(rows) const { return {}; }
};

struct an_index {
  using query_view = batch;
  using codes_view = batch;
  using distance_type = int;
  std::size_t size() const { return 0; }
  template <class Filter = embit::accept_all>
  embit::knn_result<int> search(const query_view&, std::size_t, Filter = {}) const {
    return {};
  }
  void search_into(const query_view&, std::size_t, embit::knn_result<int>&) const {}
};
struct range_index : an_index {
  embit::range_result<int> range_search(const query_view&, int) const { return {}; }
};
struct mutable_index : an_index {
  row_id add(const codes_view&) { return 0; }
  bool remove(row_id) { return false; }
  std::vector<row_id> compact() { return {}; }
};

struct reranker {
  using query_view = rows;
  using score_type = double;
  using compare = std::greater<>;
  double operator()(std::span<const float>, row_id) const { return 0; }
};

}  // namespace

TEST_CASE("executors", "[concepts]") {
  STATIC_REQUIRE(embit::Executor<executor>);
  STATIC_REQUIRE(embit::Executor<embit::inline_executor>);
  STATIC_REQUIRE(embit::Executor<embit::thread_pool>);
  STATIC_REQUIRE_FALSE(embit::Executor<int>);
  STATIC_REQUIRE_FALSE(embit::Executor<store>);
}

TEST_CASE("stores", "[concepts]") {
  STATIC_REQUIRE(embit::CodeStore<store>);
  STATIC_REQUIRE_FALSE(embit::RowStore<store>);
  STATIC_REQUIRE(embit::RowStore<row_store>);
  STATIC_REQUIRE_FALSE(embit::BlockStore<row_store>);
  STATIC_REQUIRE(embit::BlockStore<block_store>);
  STATIC_REQUIRE_FALSE(embit::CodeStore<std::vector<word>>);
}

TEST_CASE("kernels", "[concepts]") {
  STATIC_REQUIRE(embit::Kernel<kernel>);
  STATIC_REQUIRE_FALSE(embit::Kernel<throwing_kernel>);  // the hot loop must not throw
  STATIC_REQUIRE_FALSE(embit::Kernel<levels_kernel>);
  STATIC_REQUIRE(embit::Kernel<levels_kernel, std::vector<int>>);
}

TEST_CASE("encoders", "[concepts]") {
  STATIC_REQUIRE(embit::Encoder<encoder>);
  STATIC_REQUIRE_FALSE(embit::BinaryEncoder<encoder>);
  STATIC_REQUIRE_FALSE(embit::AsymmetricEncoder<encoder>);
  STATIC_REQUIRE(embit::BinaryEncoder<binary_encoder>);
  STATIC_REQUIRE(embit::AsymmetricEncoder<asymmetric_encoder>);
  STATIC_REQUIRE_FALSE(embit::Encoder<store>);
}

TEST_CASE("indexes and filters", "[concepts]") {
  STATIC_REQUIRE(embit::Index<an_index>);
  STATIC_REQUIRE_FALSE(embit::RangeIndex<an_index>);
  STATIC_REQUIRE_FALSE(embit::MutableIndex<an_index>);
  STATIC_REQUIRE(embit::RangeIndex<range_index>);
  STATIC_REQUIRE(embit::MutableIndex<mutable_index>);
  STATIC_REQUIRE(embit::RowFilter<embit::accept_all>);
  STATIC_REQUIRE(embit::RowFilter<std::function<bool(row_id)>>);
  STATIC_REQUIRE_FALSE(embit::RowFilter<int>);
  STATIC_REQUIRE(embit::accept_all{}(0));
  STATIC_REQUIRE(sizeof(embit::accept_all) == 1);
}

TEST_CASE("rerankers", "[concepts]") {
  STATIC_REQUIRE(embit::Reranker<reranker>);
  STATIC_REQUIRE_FALSE(embit::Reranker<kernel>);
}
