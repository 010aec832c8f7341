// The SIMD kernels of embit, compiled once for a program whose other sources define EMBIT_COMPILED: the CMake target
// embit::compiled is this and that definition. Whoever has no CMake compiles this file, with the flags of the others.
#ifndef EMBIT_COMPILED
#define EMBIT_COMPILED
#endif
#define EMBIT_COMPILED_SOURCE
#include <embit/kernel/bucket_scan.hpp>
#include <embit/kernel/chamfer.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/kernel/hadamard.hpp>
#include <embit/kernel/hamming_scan.hpp>
#include <embit/kernel/level_scan.hpp>
#include <embit/kernel/quantize.hpp>
#include <embit/kernel/token_sums.hpp>
