// The interface as users write it: deduced types, braces, temporaries, Eigen matrices, a kernel and an executor of
// their own. What compiles here keeps compiling.
#include <embit/embit.hpp>

#include <Eigen/Core>
#include <bit>
#include <cstdio>
#include <functional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <support/catch.hpp>
#include <support/temp_dir.hpp>

using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

namespace mine {  // no base class, no registration

struct weighted_hamming {
  using query_view = embit::code_view<>;
  using distance_type = float;
  using compare = std::less<>;
  std::span<const float> weight;  // one per 64-bit word
  auto prepare(std::span<const embit::word> query) const noexcept { return query; }
  float operator()(std::span<const embit::word> q, std::span<const embit::word> c) const noexcept {
    float d = 0;
    for (std::size_t i = 0; i < q.size(); ++i) d += weight[i] * float(std::popcount(q[i] ^ c[i]));
    return d;
  }
};

struct two_threads {
  std::size_t concurrency() const { return 2; }
  template <class F>
  void bulk(std::size_t items, F&& f) const {
    std::thread other([&] {
      for (std::size_t i = 1; i < items; i += 2) f(i, std::size_t{1});
    });
    for (std::size_t i = 0; i < items; i += 2) f(i, std::size_t{0});
    other.join();
  }
};

static_assert(embit::Kernel<weighted_hamming>);
static_assert(embit::Executor<two_threads>);

}  // namespace mine

static matrix normal_rows(Eigen::Index rows, Eigen::Index cols, embit::rng& rng) {
  matrix m(rows, cols);
  for (Eigen::Index i = 0; i < m.size(); ++i) m.data()[i] = embit::normal(rng);
  return m;
}

TEST_CASE("what users write works", "[contract][threads]") {
  embit::rng rng{42};
  const matrix X = normal_rows(2000, 96, rng);
  const matrix Q = X.topRows(20);
  const auto x = embit::view(X), q = embit::view(Q);
  const auto lsh = embit::sign_lsh({.dim = 96, .bits = 256}, rng);
  const auto itq = embit::fit_itq(x, {.bits = 64, .iterations = 20}, rng);
  const auto codes = itq.encode(x);
  const embit::flat_index flat{lsh.encode(x)};
  const embit::flat_index scan{codes};
  const auto nearest = scan.search(itq.encode(q), 10);

  SECTION("random sign projections, exhaustive Hamming search") {
    const auto a = flat.search(lsh.encode(q), 10);
    CHECK(a.queries() == 20);
    CHECK(a[3].size() == 10);
    CHECK(a[3][0].id == 3);
    CHECK(a[3][0].distance == 0);
  }
  SECTION("learned signs, range search") {
    CHECK(nearest[5][0].distance == 0);
    CHECK(scan.range_search(itq.encode(q), 8)[0].size() >= 1);
  }
  SECTION("exact multi-index search finds what the scan finds") {
    const embit::multi_index mih{codes};
    const auto b = mih.search(itq.encode(q), 10);
    for (std::size_t i = 0; i < b.queries(); ++i)
      for (std::size_t j = 0; j < 10; ++j) CHECK(b[i][j] == nearest[i][j]);
    CHECK(mih.range_search(itq.encode(q), 8)[0].size() >= 1);
  }
  SECTION("a float query against binary codes") {
    const embit::flat_index asymmetric{lsh.encode(x), lsh.asymmetric()};
    CHECK(asymmetric.search(q, 5)[7][0].id == 7);
  }
  SECTION("RaBitQ, 2 bits a dimension, estimated distances") {
    const auto rabitq = embit::fit_rabitq(x, {.bits_per_dim = 2, .metric = embit::metric::l2}, rng);
    const embit::flat_index estimated{rabitq.encode(x), rabitq.estimator()};
    CHECK(estimated.search(q, 5)[7][0].id == 7);
  }
  SECTION("customised bits per dimension: a byte budget spent where queries look") {
    const auto coder = embit::fit_transform_coder(x, {.bits = 192, .metric = embit::metric::cosine}, rng);
    const embit::flat_index compact{coder.encode(x), coder.estimator()};
    CHECK(compact.search(q, 5)[7][0].id == 7);
  }
  SECTION("recurrent binarization, symmetric distance, float rerank") {
    const auto recurrent = embit::fit_recurrent(x, {.dims = 64, .loops = 1, .hidden = 64, .epochs = 2}, rng);
    const embit::retriever retriever{recurrent, embit::flat_index{recurrent.encode(x)}, embit::float_rerank{x}};
    CHECK(retriever.search(q, 5, {.candidates = 200})[2][0].id == 2);
  }
  SECTION("candidates from codes, reranked with the floats") {
    const embit::retriever retriever{itq, embit::flat_index{itq.encode(x)}, embit::float_rerank{x}};
    CHECK(retriever.search(q, 5, {.candidates = 200})[2][0].id == 2);
  }
  SECTION("codes in memory, rows on a disk") {
    const support::temp_dir dir;
    embit::write_npy(dir / "rows.npy", x);
    const embit::retriever two_stage{lsh, flat, embit::file_rerank{dir / "rows.npy"}};
    CHECK(two_stage.search(q, 5, {.candidates = 100})[8][0].id == 8);
    const embit::retriever staged{lsh, flat,
                                  embit::rerank_stages{embit::code_rerank{itq.encode(x), itq.asymmetric()}, 50,
                                                       embit::file_rerank{dir / "rows.npy",
                                                                          {.metric = embit::metric::cosine,
                                                                           .cache_bytes = 1 << 20,
                                                                           .reads = embit::file_reads::pread}}}};
    CHECK(staged.search(q, 5, {.candidates = 200})[8][0].id == 8);
  }
  SECTION("sets of vectors: MUVERA, inner product, Chamfer rerank") {
    std::vector<std::size_t> offsets;
    for (std::size_t i = 0; i <= 100; ++i) offsets.push_back(i * 20);
    const embit::ragged_view<const float> documents{x, offsets};
    const embit::muvera fde{{.dim = 96, .repetitions = 8, .simhash_bits = 4, .projected_dim = 16}, rng};
    const embit::retriever late{fde, embit::flat_index{fde.encode(documents), embit::inner_product{}},
                                embit::chamfer_rerank{documents}};
    CHECK(late.search(documents, 5, {.candidates = 50})[42][0].id == 42);
  }
  SECTION("saved, loaded, mapped") {
    const support::temp_dir dir;
    embit::save(dir / "codes.embit", codes);
    const embit::flat_index mapped{embit::mapped_store<>{dir / "codes.embit"}};
    CHECK(mapped.search(itq.encode(q), 10)[5][0] == nearest[5][0]);
    const auto loaded = embit::load<embit::code_store<>>(dir / "codes.embit");
    CHECK(embit::flat_index{loaded}.search(itq.encode(q), 10)[5][0] == nearest[5][0]);
    embit::save(dir / "index.embit", embit::multi_index{codes});
    const auto index = embit::load<embit::multi_index<>>(dir / "index.embit");
    CHECK(index.search(itq.encode(q), 10)[5][0] == nearest[5][0]);
  }
  SECTION("own kernel, own threads, a filter") {
    const std::vector<float> weight(4, 1.5f);
    const embit::flat_index custom{lsh.encode(x), mine::weighted_hamming{weight}, mine::two_threads{}};
    const auto even = custom.search(lsh.encode(q), 10, [](embit::row_id id) { return id % 2 == 0; });
    CHECK(even[4].size() == 10);
    for (const auto& hit : even[4]) CHECK(hit.id % 2 == 0);
  }
  SECTION("wrong input is refused with a message") {
    try {
      (void)flat.search(itq.encode(q), 10);  // 64-bit queries against 256-bit codes
      FAIL("64-bit queries were accepted");
    } catch (const embit::error& e) {
      CHECK(std::string(e.what()).find("256") != std::string::npos);
    }
  }
}
