// SPDX-License-Identifier: MIT
#include <embit/core/thread_pool.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/eval/ground_truth.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/io/npy.hpp>
#include <embit/io/row_file_writer.hpp>
#include <embit/kernel/inner_product.hpp>
#include <embit/retrieve/file_rerank.hpp>
#include <embit/retrieve/float_rerank.hpp>
#include <embit/retrieve/retriever.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include <support/catch.hpp>
#include <support/normal_rows.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

using embit::dtype;
using embit::file_reads;
using embit::file_rerank;
using embit::matrix;
using embit::metric;
using support::contains;
using support::normal_rows;
using support::refusal;

namespace {

// Rows in a file under /dev/shm, removed with it, and an index of their signs.
struct rows_in_file {
  explicit rows_in_file(std::size_t n, std::size_t dim, embit::row_file_shape shape = {}, std::string name = "x.npy")
      : path(dir / name),
        x(normal_rows(n, dim, 1)),
        lsh(embit::sign_lsh({.dim = dim, .bits = 128}, rng)),
        index(lsh.encode(x)) {
    shape.cols = dim;
    if (shape.type && !embit::is_float(*shape.type))
      for (float& v : x.values()) v = std::clamp(std::nearbyint(40 * v), -100.f, 100.f);
    embit::row_file_writer writer(path, shape);
    writer.append(x);
    writer.finish();
    if (shape.type == dtype::f16)
      for (float& v : x.values()) v = embit::half(v);
  }

  support::temp_dir dir{support::temp_dir::in_memory()};
  std::string path;
  matrix<float> x;
  embit::rng rng{7};
  embit::sign_projection lsh;
  embit::flat_index<> index;
};

std::vector<embit::row_id> all_rows(std::size_t n) {
  std::vector<embit::row_id> rows(n);
  for (std::size_t i = 0; i < n; ++i) rows[i] = static_cast<embit::row_id>(i);
  return rows;
}

}  // namespace

TEST_CASE("scores of rows in a file are those of rows in memory, to the bit", "[file_rerank]") {
  for (const std::size_t n : {1u, 7u, 513u})
    for (const std::size_t dim : {1u, 3u, 64u, 127u, 1000u})
      for (const auto& [name, type] : {std::pair<std::string, dtype>{"x.npy", dtype::f32},
                                       {"x.fbin", dtype::f32},
                                       {"x.fvecs", dtype::f32},
                                       {"h.npy", dtype::f16},
                                       {"x.i8bin", dtype::i8}}) {
        const rows_in_file data(n, dim, {.type = type}, name);
        const auto q = normal_rows(3, dim, 2);
        const auto rows = all_rows(n);
        std::vector<float> expected(n), found(n);
        for (const auto reads : {file_reads::mapped, file_reads::pread}) {
          CAPTURE(name, n, dim);
          const file_rerank l2(data.path, {.reads = reads}),
              ip(data.path, {.metric = metric::inner_product, .reads = reads});
          const file_rerank cosine(data.path, {.metric = metric::cosine, .cache_bytes = 0, .reads = reads});
          for (std::size_t i = 0; i < 3; ++i) {
            l2.rerank(q[i], rows, found);
            embit::float_rerank(data.x).rerank(q[i], rows, expected);
            REQUIRE(found == expected);
            ip.rerank(q[i], rows, found);
            embit::float_rerank(data.x, embit::inner_product{}).rerank(q[i], rows, expected);
            for (float& score : expected) score = -score;
            REQUIRE(found == expected);
            cosine.rerank(q[i], rows, found);
            const auto truth =
                embit::ground_truth(data.x, matrix<float>(q.view().middle_rows(i, 1)), n, {.metric = metric::cosine});
            for (const auto& hit : truth[0]) REQUIRE(found[hit.id] == 1 - hit.distance);
            REQUIRE(l2(q[i], rows[n / 2]) == embit::float_rerank(data.x)(q[i], rows[n / 2]));
          }
        }
      }
}

TEST_CASE("rows that lie aligned to nothing score the same", "[file_rerank]") {
  const support::temp_dir dir;
  const auto x = normal_rows(40, 33, 1), q = normal_rows(1, 33, 2);
  std::string bytes = "x";
  bytes.append(reinterpret_cast<const char*>(x.data()), x.values().size_bytes());
  support::spill(dir / "raw", bytes);
  std::vector<float> expected(40), found(40);
  embit::float_rerank(x).rerank(q[0], all_rows(40), expected);
  for (const auto reads : {file_reads::mapped, file_reads::pread}) {
    file_rerank(dir / "raw", {.reads = reads, .source = {.raw = embit::raw_rows{dtype::f32, 33, 1}}})
        .rerank(q[0], all_rows(40), found);
    CHECK(found == expected);
  }
}

TEST_CASE("all rows as candidates make an exact search", "[file_rerank]") {
  const rows_in_file data(600, 40);
  const auto q = normal_rows(9, 40, 2);
  for (const auto by : {metric::l2, metric::inner_product, metric::cosine}) {
    const embit::retriever two{data.lsh, data.index, file_rerank{data.path, {.metric = by}}};
    const auto found = two.search(q, 10, {.candidates = 600});
    const auto truth = embit::ground_truth(data.x, q, 10, {.metric = by});
    for (std::size_t i = 0; i < q.rows(); ++i) {
      REQUIRE(found[i].size() == 10);
      for (std::size_t j = 0; j < 10; ++j) {
        CHECK(found[i][j].id == truth[i][j].id);
        const float score = truth[i][j].distance;
        CHECK(found[i][j].distance == (by == metric::l2 ? score : by == metric::cosine ? 1 - score : -score));
      }
    }
  }
}

TEST_CASE("a retriever finds the same in a file as in memory, by batches, one by one and by threads",
          "[file_rerank][threads]") {
  const rows_in_file data(800, 70);
  const auto q = normal_rows(25, 70, 2);
  const embit::retriever memory{data.lsh, data.index, embit::float_rerank{data.x}};
  const auto expected = memory.search(q, 7, {.candidates = 60});
  const auto odd = [](embit::row_id row) { return row % 2 == 1; };
  const auto filtered = memory.search(q, 7, {.candidates = 60}, odd);
  const auto same = [&](const auto& found, const auto& other) {
    for (std::size_t i = 0; i < q.rows(); ++i)
      if (!std::ranges::equal(found[i], other[i])) return false;
    return true;
  };
  for (const auto reads : {file_reads::mapped, file_reads::pread}) {
    const embit::retriever file{data.lsh, data.index,
                                file_rerank{data.path, {.cache_bytes = 1u << 15, .reads = reads}}};
    CHECK(same(file.search(q, 7, {.candidates = 60}), expected));
    CHECK(same(file.search(q, 7, {.candidates = 60}, odd), filtered));
    for (std::size_t i = 0; i < q.rows(); ++i)
      CHECK(std::ranges::equal(file.search(q.view().middle_rows(i, 1), 7, {.candidates = 60})[0], expected[i]));
    const embit::retriever pool{
        data.lsh, embit::flat_index{data.lsh.encode(data.x), embit::hamming{}, embit::thread_pool{2}}, file.reranker()};
    CHECK(same(pool.search(q, 7, {.candidates = 60}), expected));
    std::vector<std::thread> threads;
    std::vector<int> good(3);
    for (int& counted : good)
      threads.emplace_back([&] {
        for (int again = 0; again < 10; ++again) counted += same(file.search(q, 7, {.candidates = 60}), expected);
      });
    for (auto& thread : threads) thread.join();
    CHECK(good == std::vector<int>(3, 10));
  }
  const embit::retriever empty{data.lsh, data.index, file_rerank{data.path}};
  CHECK(empty.search(matrix<float>(0, 70), 3).queries() == 0);
  CHECK(empty.search(q, 3, {}, [](embit::row_id) { return false; })[4].empty());
}

TEST_CASE("a row that several queries want is read once", "[file_rerank]") {
  const rows_in_file data(300, 64);
  matrix<float> same(20, 64);
  for (std::size_t i = 0; i < 20; ++i) std::ranges::copy(data.x[5], same[i].begin());
  for (const auto reads : {file_reads::mapped, file_reads::pread}) {
    const embit::retriever two{data.lsh, data.index, file_rerank{data.path, {.reads = reads}}};
    CHECK(two.search(same, 5, {.candidates = 50})[19][0].id == 5);
    CHECK(two.reranker().statistics().rows == 50);
    CHECK(two.reranker().statistics().pages <= 300 * 256 / 4096 + 1);
    for (std::size_t i = 0; i < 20; ++i) two.search(same.view().middle_rows(i, 1), 5, {.candidates = 50});
    CHECK(two.reranker().statistics().rows == 50 + 20 * 50);
  }
}

TEST_CASE("more candidates than are sorted at once are all scored", "[file_rerank]") {
  const rows_in_file data(700, 4);
  const auto q = normal_rows(500, 4, 2);
  const auto rows = all_rows(700);
  const std::vector<std::span<const embit::row_id>> lists(500, rows);
  matrix<float> found(500, 700, -1);
  std::vector<std::span<float>> scores;
  for (std::size_t i = 0; i < 500; ++i) scores.push_back(found[i]);
  file_rerank(data.path).rerank_batch(q, lists, scores);
  std::vector<float> expected(700);
  for (std::size_t i = 0; i < 500; ++i) {
    embit::float_rerank(data.x).rerank(q[i], rows, expected);
    REQUIRE(std::ranges::equal(found[i], expected));
  }
}

TEST_CASE("rows under labels are scored by their places in the file", "[file_rerank]") {
  const rows_in_file data(200, 32);
  std::vector<embit::row_label> labels(200);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = 1000 + i;
  const embit::retriever two{data.lsh, embit::labelled_index{data.index, labels}, file_rerank{data.path}};
  CHECK(two.search(data.x, 3)[17][0].id == 1017);
}

TEST_CASE("a file that is not the index's, or not what it was, is refused", "[file_rerank]") {
  const rows_in_file data(300, 64), fewer(299, 64), more(301, 64);
  const auto retrieve = [&](const std::string& path) {
    return refusal([&] { embit::retriever(data.lsh, data.index, file_rerank{path}).size(); });
  };
  CHECK(retrieve(data.path) == "accepted");
  CHECK(retrieve(fewer.path) == "shape: reranker: " + fewer.path + " has 299 rows, the index has 300");
  CHECK(retrieve(more.path) == "shape: reranker: " + more.path + " has 301 rows, the index has 300");

  const rows_in_file narrow(300, 63);
  const embit::retriever other{data.lsh, data.index, file_rerank{narrow.path}};
  CHECK(contains(refusal([&] { other.search(data.x, 3); }), "shape: queries: dimension 64"));
  CHECK(contains(refusal([&] { file_rerank(narrow.path)(data.x[0], 3); }),
                 "shape: queries: dimension 64, the rows of " + narrow.path + " have 63"));
  CHECK(contains(refusal([&] { file_rerank(data.path)(data.x[0], 300); }), "out_of_range: " + data.path + ": row 300"));
  matrix<float> bad(data.x);
  bad[2][3] = std::numeric_limits<float>::quiet_NaN();
  CHECK(contains(refusal([&] { file_rerank(data.path)(bad[2], 3); }), "not_finite: query"));

  for (const auto reads : {file_reads::mapped, file_reads::pread}) {
    const embit::retriever two{data.lsh, data.index, file_rerank{data.path, {.cache_bytes = 0, .reads = reads}}};
    embit::knn_result<float> result = two.search(data.x, 3);
    std::filesystem::resize_file(data.path, 20'000);
    CHECK(contains(refusal([&] { two.search_into(data.x, 4, result); }), "changed: " + data.path + ": "));
    CHECK(result[299].size() == 3);  // unchanged
    std::filesystem::remove(data.path);
    embit::write_npy(data.path, data.x);
  }
}

TEST_CASE("rows that are not finite are refused where they are met", "[file_rerank]") {
  const support::temp_dir dir;
  matrix<embit::half> x(50, 8, embit::half(1.f));
  x[31][5] = embit::half(1e6f);
  embit::write_npy(dir / "x.npy", x);
  const std::vector<float> query(8, 1.f);
  const file_rerank reranker(dir / "x.npy");
  CHECK(reranker(query, 30) == 0);
  CHECK(refusal([&] { reranker(query, 31); }) ==
        "not_finite: " + dir / "x.npy" +
            ": row 31, column 5 at byte 634 is inf; numbers beyond 65504 overflow float16");
}

TEST_CASE("a file in the order of an earlier numbering is refused until it says so", "[file_rerank]") {
  rows_in_file data(100, 16);
  data.index.remove(3);
  data.index.compact();
  matrix<float> kept(99, 16);
  for (std::size_t i = 0; i < 99; ++i) std::ranges::copy(data.x[i + (i >= 3)], kept[i].begin());
  embit::write_npy(data.dir / "kept.npy", kept);
  const file_rerank reranker(data.dir / "kept.npy");
  CHECK(contains(refusal([&] { embit::retriever(data.lsh, data.index, reranker).size(); }), "argument: reranker"));
  const embit::retriever two{data.lsh, data.index, reranker.at_generation(data.index.generation())};
  CHECK(two.search(kept, 1)[50][0].id == 50);
}
