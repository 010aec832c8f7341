// The SIMD kernels of embit, its common searches, joins, files and eigenvalues, compiled once for a program whose other
// sources define EMBIT_COMPILED: the CMake target embit::compiled is this and that definition. Whoever has no CMake
// compiles this file, with the flags of the others.
#ifndef EMBIT_COMPILED
#define EMBIT_COMPILED
#endif
#define EMBIT_COMPILED_SOURCE
#include <embit/index/multi_index.hpp>
#include <embit/io/save.hpp>
#include <embit/kernel/operations.hpp>
#include <embit/linalg/symmetric_eigen.hpp>
#include <embit/search/compiled.hpp>
#include <embit/search/join.hpp>

namespace embit::inline EMBIT_ABI {

template eigen_pairs<float> symmetric_eigen(matrix_view<float> symmetric);
template eigen_pairs<float> symmetric_eigen(matrix_view<const float> symmetric);
template eigen_pairs<double> symmetric_eigen(matrix_view<double> symmetric);
template eigen_pairs<double> symmetric_eigen(matrix_view<const double> symmetric);

}  // namespace embit::inline EMBIT_ABI
