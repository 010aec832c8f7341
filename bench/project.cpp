// Float products and what hashes with them, without flags: the product against the multiply-add limit of the level,
// sign hashing against the same product through Eigen in this build, the structured hasher against the dense one. What
// is compared runs in turn, one thread. EMBIT_ISA forces a level.
//
//   bench_project --benchmark_filter='sign_lsh/128to256'
//
// peers/native/compare_project.sh holds the same against Eigen built with -march=native.
#include <embit/core/isa.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/encode/hadamard_lsh.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/kernel/hadamard.hpp>
#include <embit/linalg/fht_kac.hpp>
#include <embit/linalg/random_rotation.hpp>

#include <benchmark/benchmark.h>

#include <Eigen/Core>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "support/limits.hpp"
#include "support/measure.hpp"

namespace {

embit::matrix<float> normal_rows(std::size_t rows, std::size_t cols, std::uint64_t seed) {
  embit::rng rng{seed};
  embit::matrix<float> m(rows, cols);
  for (auto& x : m.values()) x = embit::normal(rng);
  return m;
}

/// Seconds that so many multiply-adds take at least.
double multiply_limit(double count) {
  const embit::isa level = embit::active_isa();
  const std::size_t rounds = 200000;
  const double seconds = support::seconds_of(support::timer::thread, [&] {
    float sum = limits::multiply(level, rounds);
    benchmark::DoNotOptimize(sum);
  });
  return seconds * count / static_cast<double>(rounds * limits::multiply_floats(level));
}

void set_counters(benchmark::State& state, double rows, double seconds) {
  state.counters["ns_a_row"] = seconds / rows * 1e9;
}

void gemm(benchmark::State& state, std::size_t rows, std::size_t columns, std::size_t dim) {
  const auto a = normal_rows(rows, dim, 1), b = normal_rows(columns, dim, 2);
  const embit::row_panels panels(b.view());
  embit::matrix<float> c(rows, columns, 0.f);
  std::vector<double> limit;
  const double count = static_cast<double>(rows * columns * dim);
  const auto times = support::run_in_turn(
      state, support::timer::thread, [&] { embit::gemm(a, panels, c); },
      [&] { limit.push_back(multiply_limit(count)); });
  state.counters["of_limit"] = support::median(limit) / times.our_median();
  state.counters["GFMA/s"] = count / times.our_median() * 1e-9;
  set_counters(state, static_cast<double>(rows), times.our_median());
}

void sign_lsh(benchmark::State& state, std::size_t rows, std::size_t dim, std::size_t bits) {
  using eigen_matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  embit::rng rng{1};
  const auto x = normal_rows(rows, dim, 2);
  const auto hasher = embit::sign_lsh({.dim = dim, .bits = bits}, rng);
  const auto planes = hasher.planes();
  const auto n = static_cast<Eigen::Index>(rows), d = static_cast<Eigen::Index>(dim);
  const Eigen::Map<const eigen_matrix> eigen_x(x.data(), n, d), eigen_planes(planes.data(), planes.rows(), d);
  eigen_matrix product(n, static_cast<Eigen::Index>(bits));
  std::vector<double> limit;
  const auto times = support::run_in_turn(
      state, support::timer::thread,
      [&] {
        const auto codes = hasher.encode(x);
        benchmark::DoNotOptimize(codes.data());
      },
      [&] {
        product.noalias() = eigen_x * eigen_planes.transpose();
        benchmark::DoNotOptimize(product.data());
      });
  for (int i = 0; i < 5; ++i) limit.push_back(multiply_limit(static_cast<double>(rows * bits * dim)));
  state.counters["speedup_over_eigen"] = times.speedup();
  state.counters["of_limit"] = support::median(limit) / times.our_median();
  set_counters(state, static_cast<double>(rows), times.our_median());
}

void hadamard_lsh(benchmark::State& state, std::size_t rows, std::size_t dim, std::size_t bits, std::size_t rounds) {
  embit::rng rng{1};
  const auto x = normal_rows(rows, dim, 2);
  const auto dense = embit::sign_lsh({.dim = dim, .bits = bits}, rng);
  const auto structured = embit::hadamard_lsh({.dim = dim, .bits = bits, .rounds = rounds}, rng);
  const auto encode = [&](const auto& hasher) {
    const auto codes = hasher.encode(x);
    benchmark::DoNotOptimize(codes.data());
  };
  const auto times = support::run_in_turn(
      state, support::timer::thread, [&] { encode(structured); }, [&] { encode(dense); });
  state.counters["speedup_over_dense"] = times.speedup();
  set_counters(state, static_cast<double>(rows), times.our_median());
}

void fht_kac(benchmark::State& state, std::size_t rows, std::size_t dim) {
  embit::rng rng{1};
  const auto x = normal_rows(rows, dim, 2);
  const embit::fht_kac fast(dim, rng);
  const embit::row_panels dense(embit::random_rotation(dim, rng));
  embit::matrix<float> out(rows, dim, 0.f);
  const auto times = support::run_in_turn(
      state, support::timer::thread,
      [&] {
        const auto turned = fast.apply(x);
        benchmark::DoNotOptimize(turned.data());
      },
      [&] { embit::gemm(x, dense, out); });
  state.counters["speedup_over_dense"] = times.speedup();
  set_counters(state, static_cast<double>(rows), times.our_median());
}

template <class F, class... Sizes>
void add(const std::string& name, F* run, Sizes... sizes) {
  benchmark::RegisterBenchmark(name.c_str(), run, static_cast<std::size_t>(sizes)...)
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond)
      ->Iterations(51);
}

}  // namespace

int main(int argc, char** argv) {
  add("gemm/4096x256x256", gemm, 4096, 256, 256);
  add("gemm/4096x256x128", gemm, 4096, 256, 128);
  add("gemm/1024x1024x1024", gemm, 1024, 1024, 1024);
  add("gemm/4096x100x100", gemm, 4096, 100, 100);
  add("sign_lsh/128to256", sign_lsh, 4096, 128, 256);
  add("sign_lsh/384to384", sign_lsh, 4096, 384, 384);
  add("sign_lsh/1024to1024", sign_lsh, 1024, 1024, 1024);
  add("hadamard_lsh/128to256/3rounds", hadamard_lsh, 4096, 128, 256, 3);
  add("hadamard_lsh/1024to1024/3rounds", hadamard_lsh, 1024, 1024, 1024, 3);
  add("hadamard_lsh/1024to1024/2rounds", hadamard_lsh, 1024, 1024, 1024, 2);
  add("fht_kac/128", fht_kac, 4096, 128);
  add("fht_kac/768", fht_kac, 1024, 768);
  add("fht_kac/1024", fht_kac, 1024, 1024);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
