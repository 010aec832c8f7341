// What a user may set, and the inline namespace that keeps differently compiled translation units apart.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/version.hpp>

// User macros, each set before the first include (and alike in every translation unit that shares embit types):
//   EMBIT_CHECKED      1 turns the internal assertions of hot loops on, 0 off; on unless NDEBUG by default
//   EMBIT_NO_SIMD      leaves out every hand-written SIMD level; the portable one remains
//   EMBIT_COMPILED     only declares SIMD kernels and decompositions, which one source file of the program compiles for
//                      all: cmake/embit.cpp, by the CMake target embit::compiled, which sets this

#ifndef EMBIT_CHECKED
#ifdef NDEBUG
#define EMBIT_CHECKED 0
#else
#define EMBIT_CHECKED 1
#endif
#endif

#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define EMBIT_EXCEPTIONS 1
#else
#define EMBIT_EXCEPTIONS 0
#endif

// Whether kernels are compiled in this translation unit, and whether others of the program do the same.
#if !defined(EMBIT_COMPILED)
#define EMBIT_KERNELS_HERE 1
#define EMBIT_KERNELS_INLINE inline
#elif defined(EMBIT_COMPILED_SOURCE)
#define EMBIT_KERNELS_HERE 1
#define EMBIT_KERNELS_INLINE
#else
#define EMBIT_KERNELS_HERE 0
#endif

#if defined(__GNUC__) || defined(__clang__)
#define EMBIT_COLD __attribute__((cold, noinline))
#define EMBIT_ALWAYS_INLINE inline __attribute__((always_inline))
#define EMBIT_RESTRICT __restrict__
#else
#define EMBIT_COLD
#define EMBIT_ALWAYS_INLINE inline
#define EMBIT_RESTRICT
#endif

#if EMBIT_CHECKED
#include <cassert>
#define EMBIT_ASSERT(condition) assert(condition)
#else
#define EMBIT_ASSERT(condition) static_cast<void>(0)
#endif

// The name of the inline namespace is made of the version and of every flag that changes the code which inline
// functions compile to. Two translation units with different flags then have different symbols: they never share
// an inline function by accident, and passing our types between them fails at link time instead of at run time.
#ifdef __SSE4_2__
#define EMBIT_ABI_SSE42 _sse42
#else
#define EMBIT_ABI_SSE42
#endif
#ifdef __POPCNT__
#define EMBIT_ABI_POPCNT _popcnt
#else
#define EMBIT_ABI_POPCNT
#endif
#ifdef __AVX__
#define EMBIT_ABI_AVX _avx
#else
#define EMBIT_ABI_AVX
#endif
#ifdef __AVX2__
#define EMBIT_ABI_AVX2 _avx2
#else
#define EMBIT_ABI_AVX2
#endif
#ifdef __FMA__
#define EMBIT_ABI_FMA _fma
#else
#define EMBIT_ABI_FMA
#endif
#ifdef __AVX512F__
#define EMBIT_ABI_AVX512 _avx512
#else
#define EMBIT_ABI_AVX512
#endif
#ifdef __AVX512VPOPCNTDQ__
#define EMBIT_ABI_VPOPCNT _vpopcnt
#else
#define EMBIT_ABI_VPOPCNT
#endif
#ifdef __ARM_FEATURE_SVE
#define EMBIT_ABI_SVE _sve
#else
#define EMBIT_ABI_SVE
#endif
#if EMBIT_EXCEPTIONS
#define EMBIT_ABI_EXCEPTIONS
#else
#define EMBIT_ABI_EXCEPTIONS _noexcept
#endif
#if EMBIT_CHECKED
#define EMBIT_ABI_CHECKED _checked
#else
#define EMBIT_ABI_CHECKED
#endif
#ifdef EMBIT_NO_SIMD
#define EMBIT_ABI_SIMD _nosimd
#else
#define EMBIT_ABI_SIMD
#endif

#define EMBIT_JOIN_(major, minor, a, b, c, d, e, f, g, h, i, j, k) v##major##_##minor##a##b##c##d##e##f##g##h##i##j##k
#define EMBIT_JOIN(...) EMBIT_JOIN_(__VA_ARGS__)
#define EMBIT_ABI                                                                                                     \
  EMBIT_JOIN(EMBIT_VERSION_MAJOR, EMBIT_VERSION_MINOR, EMBIT_ABI_SSE42, EMBIT_ABI_POPCNT, EMBIT_ABI_AVX,              \
             EMBIT_ABI_AVX2, EMBIT_ABI_FMA, EMBIT_ABI_AVX512, EMBIT_ABI_VPOPCNT, EMBIT_ABI_SVE, EMBIT_ABI_EXCEPTIONS, \
             EMBIT_ABI_CHECKED, EMBIT_ABI_SIMD)
