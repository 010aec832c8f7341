// What a user may set, and the inline namespace that keeps differently compiled translation units apart.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/version.hpp>

// User macros, each set before the first include (and alike in every translation unit that shares embit types):
//   EMBIT_CHECKED      1 turns the internal assertions of hot loops on, 0 off; on unless NDEBUG by default
//   EMBIT_NO_SIMD      leaves out every hand-written SIMD level; the portable one remains
//   EMBIT_COMPILED     only declares SIMD kernels and decompositions, which one source file of the program compiles for
//                      all: cmake/embit.cpp, by the CMake target embit::compiled, which sets this

#if defined(_WIN32) || !__has_include(<sys/mman.h>)
#error "embit needs a POSIX system, such as Linux or macOS"
#endif

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

// Whether kernels, and other functions that every program has the same of, are compiled in this translation unit, and
// whether others of the program do the same.
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

// After a sum: it is rounded here, in the order it is written, also where flags let the compiler regroup sums. For
// results that are promised to the bit. `where` says where the value may lie, as operands of __asm__ do.
#if (defined(__ASSOCIATIVE_MATH__) || defined(__FAST_MATH__)) && (defined(__GNUC__) || defined(__clang__))
#define EMBIT_ROUNDED(where, sum) __asm__("" : "+" where(sum))
#else
#define EMBIT_ROUNDED(where, sum) static_cast<void>(0)
#endif

#if EMBIT_CHECKED
#include <cassert>
#define EMBIT_ASSERT(condition) assert(condition)
#define EMBIT_FLAG_CHECKED 1
#else
#define EMBIT_ASSERT(condition) static_cast<void>(0)
#endif

// The name of the inline namespace is made of the version and of every flag that changes the code which inline
// functions compile to. Two translation units with different flags then have different symbols: they never share
// an inline function by accident, and passing our types between them fails at link time instead of at run time.
//
// A flag is a macro that the compiler or a user defines as 1 or as nothing, or else as 0 or not at all. EMBIT_FLAG is 1
// or 0 accordingly, since the comma of EMBIT_SET_1 moves the 1 to the second place. Four flags make a digit.
#define EMBIT_SET_ 0,
#define EMBIT_SET_1 0,
#define EMBIT_SECOND_(first, second, ...) second
#define EMBIT_SECOND(...) EMBIT_SECOND_(__VA_ARGS__)
#define EMBIT_FLAG_(value) EMBIT_SECOND(EMBIT_SET_##value 1, 0, )
#define EMBIT_FLAG(macro) EMBIT_FLAG_(macro)
#define EMBIT_PASTE_(first, second, third, fourth) first##second##third##fourth
#define EMBIT_PASTE(first, second, third, fourth) EMBIT_PASTE_(first, second, third, fourth)
#define EMBIT_DIGIT_0000 0
#define EMBIT_DIGIT_0001 1
#define EMBIT_DIGIT_0010 2
#define EMBIT_DIGIT_0011 3
#define EMBIT_DIGIT_0100 4
#define EMBIT_DIGIT_0101 5
#define EMBIT_DIGIT_0110 6
#define EMBIT_DIGIT_0111 7
#define EMBIT_DIGIT_1000 8
#define EMBIT_DIGIT_1001 9
#define EMBIT_DIGIT_1010 a
#define EMBIT_DIGIT_1011 b
#define EMBIT_DIGIT_1100 c
#define EMBIT_DIGIT_1101 d
#define EMBIT_DIGIT_1110 e
#define EMBIT_DIGIT_1111 f
#define EMBIT_DIGIT_(bits) EMBIT_DIGIT_##bits
#define EMBIT_DIGIT_OF(bits) EMBIT_DIGIT_(bits)
#define EMBIT_DIGIT(flag3, flag2, flag1, flag0) \
  EMBIT_DIGIT_OF(EMBIT_PASTE(EMBIT_FLAG(flag3), EMBIT_FLAG(flag2), EMBIT_FLAG(flag1), EMBIT_FLAG(flag0)))

// Macros with other values than those.
#ifdef EMBIT_NO_SIMD
#define EMBIT_FLAG_NO_SIMD 1
#endif
#if defined(EIGEN_MAX_ALIGN_BYTES) || defined(EIGEN_MAX_STATIC_ALIGN_BYTES) || defined(EIGEN_DONT_ALIGN)
#define EMBIT_FLAG_EIGEN_ALIGN 1
#endif
#ifdef EIGEN_DEFAULT_DENSE_INDEX_TYPE
#define EMBIT_FLAG_EIGEN_INDEX 1
#endif
#if defined(EIGEN_USE_BLAS) || defined(EIGEN_USE_LAPACKE) || defined(EIGEN_USE_MKL_ALL) || defined(EIGEN_USE_MKL_VML)
#define EMBIT_FLAG_EIGEN_BLAS 1
#endif
#ifdef __riscv_v
#define EMBIT_FLAG_RISCV_V 1
#endif
#if defined(__riscv_zba) || defined(__riscv_zbb) || defined(__riscv_zbs)
#define EMBIT_FLAG_RISCV_B 1
#endif

#define EMBIT_ABI_OPTIONS                                                                                            \
  EMBIT_PASTE(                                                                                                       \
      EMBIT_DIGIT(EMBIT_FLAG_CHECKED, EMBIT_FLAG_NO_SIMD, EMBIT_EXCEPTIONS, _GLIBCXX_DEBUG),                         \
      EMBIT_DIGIT(EIGEN_DEFAULT_TO_ROW_MAJOR, EMBIT_FLAG_EIGEN_ALIGN, EMBIT_FLAG_EIGEN_INDEX, EIGEN_DONT_VECTORIZE), \
      EMBIT_DIGIT(EMBIT_FLAG_EIGEN_BLAS, __FAST_MATH__, __FINITE_MATH_ONLY__, __ROUNDING_MATH__),                    \
      EMBIT_DIGIT(__ASSOCIATIVE_MATH__, __RECIPROCAL_MATH__, __NO_SIGNED_ZEROS__, __CHAR_UNSIGNED__))

#ifdef __AVX512F__
#define EMBIT_ABI_AVX512                                                                          \
  EMBIT_PASTE(EMBIT_DIGIT(__AVX512F__, __AVX512BW__, __AVX512DQ__, __AVX512VL__),                 \
              EMBIT_DIGIT(__AVX512CD__, __AVX512IFMA__, __AVX512VBMI__, __AVX512VBMI2__),         \
              EMBIT_DIGIT(__AVX512VNNI__, __AVX512BITALG__, __AVX512VPOPCNTDQ__, __AVX512BF16__), \
              EMBIT_DIGIT(__AVX512FP16__, __AVXVNNI__, __GFNI__, __APX_F__))
#else
#define EMBIT_ABI_AVX512 EMBIT_DIGIT(__AVXVNNI__, __GFNI__, __XOP__, __FMA4__)
#endif
#if defined(__x86_64__) || defined(__i386__)
#define EMBIT_ABI_PROCESSOR                                           \
  EMBIT_PASTE(EMBIT_DIGIT(__SSE2__, __SSE3__, __SSSE3__, __SSE4_1__), \
              EMBIT_DIGIT(__SSE4_2__, __POPCNT__, __AVX__, __AVX2__), \
              EMBIT_DIGIT(__FMA__, __F16C__, __BMI__, __BMI2__),      \
              EMBIT_PASTE(EMBIT_DIGIT(__LZCNT__, __MOVBE__, __PCLMUL__, __SSE4A__), EMBIT_ABI_AVX512, , ))
#elif defined(__aarch64__) || defined(__arm__)
#define EMBIT_ABI_PROCESSOR                                                                                        \
  EMBIT_PASTE(EMBIT_DIGIT(__ARM_NEON, __ARM_FEATURE_FMA, __ARM_FEATURE_UNALIGNED, __ARM_FEATURE_ATOMICS),          \
              EMBIT_DIGIT(__ARM_FEATURE_CRC32, __ARM_FEATURE_DOTPROD, __ARM_FEATURE_FP16_SCALAR_ARITHMETIC,        \
                          __ARM_FEATURE_FP16_VECTOR_ARITHMETIC),                                                   \
              EMBIT_DIGIT(__ARM_FEATURE_FP16_FML, __ARM_FEATURE_BF16_VECTOR_ARITHMETIC, __ARM_FEATURE_MATMUL_INT8, \
                          __ARM_FEATURE_JCVT),                                                                     \
              EMBIT_DIGIT(__ARM_FEATURE_SVE, __ARM_FEATURE_SVE2, __ARM_FEATURE_SHA3, __ARM_FEATURE_IDIV))
#else
#define EMBIT_ABI_PROCESSOR                                                         \
  EMBIT_PASTE(EMBIT_DIGIT(EMBIT_FLAG_RISCV_V, EMBIT_FLAG_RISCV_B, __VX__, __VSX__), \
              EMBIT_DIGIT(_ARCH_PWR8, _ARCH_PWR9, _ARCH_PWR10, __wasm_simd128__), , )
#endif

#define EMBIT_ABI                                                          \
  EMBIT_PASTE(EMBIT_PASTE(v, EMBIT_VERSION_MAJOR, _, EMBIT_VERSION_MINOR), \
              EMBIT_PASTE(_, EMBIT_ABI_OPTIONS, _, EMBIT_ABI_PROCESSOR), , )
