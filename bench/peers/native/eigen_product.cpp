// The product through Eigen, compiled with -march=native and without embit: an executable of its own, since two sets of
// flags in one would share inline functions. compare_project.sh runs it in turn with bench_project.
#include <benchmark/benchmark.h>

#include <Eigen/Core>
#include <string>

#include "../../support/measure.hpp"

namespace {

using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

void product(benchmark::State& state, Eigen::Index rows, Eigen::Index dim, Eigen::Index bits) {
  std::srand(1);
  const matrix x = matrix::Random(rows, dim), planes = matrix::Random(bits, dim);
  matrix out(rows, bits);
  const auto times = support::run_in_turn(
      state, support::timer::thread,
      [&] {
        out.noalias() = x * planes.transpose();
        benchmark::DoNotOptimize(out.data());
      },
      [] {});
  state.counters["ns_a_row"] = times.our_median() / static_cast<double>(rows) * 1e9;
}

void add(Eigen::Index rows, Eigen::Index dim, Eigen::Index bits) {
  const std::string name = "eigen_product/" + std::to_string(dim) + "to" + std::to_string(bits);
  benchmark::RegisterBenchmark(name.c_str(), product, rows, dim, bits)
      ->UseManualTime()
      ->Unit(benchmark::kMicrosecond)
      ->Iterations(51);
}

}  // namespace

int main(int argc, char** argv) {
  add(4096, 128, 256);
  add(4096, 384, 384);
  add(1024, 1024, 1024);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
