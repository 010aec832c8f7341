// The executor of programs that use OpenMP. Whoever includes this compiles with OpenMP (-fopenmp).
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <omp.h>

#include <algorithm>
#include <cstddef>

#ifndef _OPENMP
#error "embit/adapt/openmp_executor.hpp: compile with OpenMP (-fopenmp, or CMake's OpenMP::OpenMP_CXX)"
#endif

namespace embit::inline EMBIT_ABI {

/// Runs work in OpenMP's threads. Inside a parallel region it has the threads that OpenMP gives a nested one, which by
/// default is the calling thread alone.
class openmp_executor {
 public:
  /// @param threads  workers at most; 0 takes as many as OpenMP would (OMP_NUM_THREADS)
  explicit openmp_executor(std::size_t threads = 0)
      : threads_(threads != 0 ? threads : static_cast<std::size_t>((std::max)(omp_get_max_threads(), 1))) {}

  std::size_t concurrency() const noexcept { return threads_; }

  template <class F>
  void bulk(std::size_t items, F&& f) const {
    const int team = static_cast<int>((std::min)(threads_, std::max<std::size_t>(items, 1)));
#pragma omp parallel for schedule(dynamic, 1) num_threads(team)
    for (std::size_t item = 0; item < items; ++item) f(item, static_cast<std::size_t>(omp_get_thread_num()));
  }

 private:
  std::size_t threads_;
};

}  // namespace embit::inline EMBIT_ABI
