// Rows on a disk behind codes in memory: 2,000,000 x 256 halves (1 GB; 24 latent dimensions and noise) in a file, codes
// of 64 bytes in a flat index. How many of the true ten are found, what the process keeps in memory, and what the reads
// of a query cost: mapped or by pread, a batch at once, query by query or row by row, warm and with the pages dropped.
//
//   bench_disk [--rows n] [--folder path]     the file is made in that folder (TMPDIR, else /tmp) and removed at the
//   end
//
// Warm times are of the thread; cold ones are on the wall, of a disk that others may use. What is compared runs in
// turn; medians of five rounds.
// SPDX-License-Identifier: MIT
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/eval/ground_truth.hpp>
#include <embit/fit/fit_transform_coder.hpp>
#include <embit/index/flat.hpp>
#include <embit/io/row_file.hpp>
#include <embit/io/row_file_writer.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/retrieve/file_rerank.hpp>
#include <embit/retrieve/retriever.hpp>
#include <embit/search/merge_results.hpp>

#include "support/float_data.hpp"
#include "support/measure.hpp"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::size_t dim = 256, latent = 24, chunk = 20'000, k = 10, query_count = 200;
constexpr float noise = .1f;

/// Rows in `latent` dimensions, put into `dim` of them by a random matrix, and noise.
class row_maker {
 public:
  explicit row_maker(std::uint64_t seed) : rng_{seed} {
    embit::rng fixed{17};
    into_ = bench::detail::bell_rows(dim, latent, 1 / std::sqrt(static_cast<float>(dim)), fixed);
  }
  embit::matrix<float> make(std::size_t rows) {
    auto x = bench::detail::bell_rows(rows, latent, 1, rng_);
    auto out = bench::detail::bell_rows(rows, dim, noise / 4, rng_);
    embit::matrix<float> placed(rows, dim);
    embit::gemm(x, into_, placed);
    for (std::size_t i = 0; i < out.values().size(); ++i) out.values()[i] += placed.values()[i];
    return out;
  }

 private:
  embit::rng rng_;
  embit::matrix<float> into_;
};

/// The file, removed when the program ends.
struct rows_on_disk {
  std::string path;
  rows_on_disk(const std::string& folder, std::size_t rows)
      : path(folder + "/embit_bench_disk_" + std::to_string(::getpid()) + ".npy") {
    row_maker maker(1);
    embit::row_file_writer writer(path, {dim, embit::dtype::f16});
    for (std::size_t done = 0; done < rows; done += chunk) writer.append(maker.make(std::min(chunk, rows - done)));
    writer.finish();
  }
  rows_on_disk(const rows_on_disk&) = delete;
  rows_on_disk& operator=(const rows_on_disk&) = delete;
  ~rows_on_disk() { std::remove(path.c_str()); }

  /// Takes the pages out of memory, but for those that something has mapped.
  void drop() const {
    const int file = ::open(path.c_str(), O_RDONLY);
    ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    ::close(file);
  }
};

/// Bytes in memory that are no pages of files.
double resident() {
  ::malloc_trim(0);
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == "RssAnon:") {
      double kilobytes = 0;
      status >> kilobytes;
      return kilobytes * 1024;
    }
  return 0;
}

embit::knn_result<float> exact(const std::string& path, const embit::matrix<float>& queries) {
  const embit::row_file file(path);
  embit::knn_result<float> best;
  for (std::size_t done = 0; done < file.rows(); done += 10 * chunk) {
    const auto rows = file.read(embit::row_range{done, 10 * chunk});
    const auto some = embit::ground_truth(rows, queries, k, {}, embit::thread_pool(2));
    best = done == 0 ? some : embit::merge_results(best, some, static_cast<embit::row_id>(done));
  }
  return best;
}

double recall(const embit::knn_result<float>& found, const embit::knn_result<float>& truth) {
  std::size_t hits = 0;
  for (std::size_t q = 0; q < truth.queries(); ++q)
    for (const auto& t : truth[q]) hits += std::ranges::any_of(found[q], [&](const auto& f) { return f.id == t.id; });
  return static_cast<double>(hits) / static_cast<double>(truth.queries() * k);
}

/// Candidates of queries, and where their scores go.
struct candidate_set {
  explicit candidate_set(const embit::knn_result<float>& found) {
    for (std::size_t q = 0; q < found.queries(); ++q) {
      std::vector<embit::row_id> list;
      for (const auto& hit : found[q]) list.push_back(hit.id);
      scores.emplace_back(list.size());
      rows.push_back(std::move(list));
    }
    for (std::size_t q = 0; q < rows.size(); ++q) {
      lists.emplace_back(rows[q]);
      out.emplace_back(scores[q]);
    }
  }
  std::vector<std::vector<embit::row_id>> rows;
  std::vector<std::vector<float>> scores;
  std::vector<std::span<const embit::row_id>> lists;
  std::vector<std::span<float>> out;
};

struct way {
  const char* name;
  embit::file_reads reads;
  std::size_t cache_bytes;
  std::function<void(const embit::file_rerank&, const embit::matrix<float>&, candidate_set&)> run;
};

/// Finds what is to be scored again, and prints how well and in how much memory. Nothing has the file open afterwards.
candidate_set search(const rows_on_disk& file, const embit::matrix<float>& queries) {
  const auto truth = exact(file.path, queries);
  embit::rng rng{3};
  const embit::row_file halves(file.path);
  const std::size_t rows = halves.rows();
  const auto coder = embit::fit_transform_coder(halves.read(embit::row_range{0, 50'000}), {.bytes_per_row = 64}, rng);
  const double before = resident();
  embit::flat_index index{embit::level_store(coder.format()), coder.estimator()};
  for (std::size_t done = 0; done < rows; done += chunk)
    index.add(coder.encode(halves.read(embit::row_range{done, chunk})));
  const embit::retriever two{coder, std::move(index), embit::file_rerank{halves}};

  std::printf("%zu x %zu halves, %zu bytes a code\n", rows, dim, coder.bytes_per_row());
  std::printf("%10s %9s\n", "candidates", "recall@10");
  for (const std::size_t candidates : {10u, 20u, 30u, 50u, 100u})
    std::printf("%10zu %9.4f\n", candidates, recall(two.search(queries, k, {.candidates = candidates}), truth));
  const double codes = static_cast<double>(rows * coder.bytes_per_row()), now = resident();
  std::printf("resident, files aside: %.1f MB, %.2f of the codes' %.1f MB (before them: %.1f MB)\n", now / 1e6,
              now / codes, codes / 1e6, before / 1e6);
  return candidate_set(two.index().search(queries, 50));
}

void print_reads(const rows_on_disk& file, const embit::matrix<float>& queries, candidate_set& candidates) {
  const auto batch = [](const embit::file_rerank& r, const embit::matrix<float>& q, candidate_set& c) {
    r.rerank_batch(q, c.lists, c.out);
  };
  const auto query = [](const embit::file_rerank& r, const embit::matrix<float>& q, candidate_set& c) {
    for (std::size_t i = 0; i < q.rows(); ++i) r.rerank(q[i], c.lists[i], c.out[i]);
  };
  const auto row = [](const embit::file_rerank& r, const embit::matrix<float>& q, candidate_set& c) {
    for (std::size_t i = 0; i < q.rows(); ++i)
      for (std::size_t j = 0; j < c.lists[i].size(); ++j) c.out[i][j] = r(q[i], c.lists[i][j]);
  };
  constexpr std::size_t all = std::size_t{1} << 30;
  using enum embit::file_reads;
  const std::vector<way> ways = {{"mapped, a batch", mapped, 0, batch},
                                 {"mapped, by query", mapped, 0, query},
                                 {"mapped, by row", mapped, 0, row},
                                 {"pread, a batch", pread, 0, batch},
                                 {"pread, by query", pread, 0, query},
                                 {"pread, by row", pread, 0, row},
                                 {"pread, by query, cached", pread, all, query}};
  std::vector<std::vector<double>> cold(ways.size()), warm(ways.size());
  std::vector<embit::row_file_statistics> counted(ways.size());
  const auto n = static_cast<double>(queries.rows());
  for (int round = 0; round < 5; ++round)
    for (std::size_t w = 0; w < ways.size(); ++w) {
      file.drop();  // while nothing has it mapped
      const embit::file_rerank reranker(file.path, {.cache_bytes = ways[w].cache_bytes, .reads = ways[w].reads});
      const auto run = [&] { ways[w].run(reranker, queries, candidates); };
      cold[w].push_back(1e6 / n * support::seconds_of(support::timer::wall, run));
      counted[w] = reranker.statistics();
      for (int again = 0; again < 8; ++again) {
        const double seconds = support::seconds_of(support::timer::thread, run);
        if (again >= 3) warm[w].push_back(1e6 / n * seconds);  // page tables and caches are what they will be
      }
    }
  std::printf("%-24s %8s %8s %8s %10s %10s\n", "reads", "rows", "pages", "calls", "cold us", "warm us");
  for (std::size_t w = 0; w < ways.size(); ++w)
    std::printf("%-24s %8.1f %8.1f %8.1f %10.0f %10.2f\n", ways[w].name, static_cast<double>(counted[w].rows) / n,
                static_cast<double>(counted[w].pages) / n, static_cast<double>(counted[w].calls) / n,
                support::median(cold[w]), support::median(warm[w]));
}

}  // namespace

int main(int count, char** arguments) {
  std::size_t rows = 2'000'000;
  std::string folder = std::getenv("TMPDIR") != nullptr ? std::getenv("TMPDIR") : "/tmp";
  for (int i = 1; i + 1 < count; i += 2) {
    if (std::string_view(arguments[i]) == "--rows") rows = std::strtoull(arguments[i + 1], nullptr, 10);
    if (std::string_view(arguments[i]) == "--folder") folder = arguments[i + 1];
  }
  if (std::filesystem::space(folder).available < 3 * rows * dim * 2) {
    std::printf("%s: not enough room for %zu rows\n", folder.c_str(), rows);
    return 1;
  }
  const rows_on_disk file(folder, rows);
  const auto queries = row_maker(2).make(query_count);
  auto candidates = search(file, queries);
  print_reads(file, queries, candidates);
}
