// Which SIMD level runs: found once from the processor, or forced by the environment variable EMBIT_ISA.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <span>
#include <string_view>

#if !defined(EMBIT_NO_SIMD) && (defined(__GNUC__) || defined(__clang__))
#if defined(__x86_64__)
#define EMBIT_X86 1
#elif defined(__aarch64__) && defined(__ARM_NEON)
#define EMBIT_NEON 1
#endif
#endif
#ifndef EMBIT_X86
#define EMBIT_X86 0
#endif
#ifndef EMBIT_NEON
#define EMBIT_NEON 0
#endif

// Function-level targets: a function so marked is compiled for its level whatever flags the user passes. Every
// function of a kernel carries the mark, lambdas included, since neither compiler inlines across levels.
#if EMBIT_X86
#define EMBIT_TARGET_AVX2 __attribute__((target("avx2,fma,f16c,bmi,bmi2,popcnt,lzcnt")))
#define EMBIT_TARGET_AVX512 \
  __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi,bmi2,popcnt,lzcnt")))
#define EMBIT_TARGET_VPOPCNT \
  __attribute__((target("avx512vpopcntdq,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c,bmi,bmi2,popcnt,lzcnt")))
#endif

namespace embit::inline EMBIT_ABI {

/// SIMD levels. All of them give the same integers; float results agree within rounding.
enum class isa {
  portable,  ///< plain C++ and xsimd, for whatever the user's flags allow
  avx2,      ///< AVX2, FMA, F16C, BMI, POPCNT
  avx512,    ///< AVX-512 F, BW, DQ, VL
  vpopcnt,   ///< the above and AVX-512 VPOPCNTDQ
  neon       ///< AArch64 Advanced SIMD
};

constexpr std::string_view name_of(isa level) noexcept {
  constexpr std::array<std::string_view, 5> names{"portable", "avx2", "avx512", "vpopcnt", "neon"};
  return names[static_cast<std::size_t>(level)];
}

/// Whether this processor, and this build, can run `level`.
inline bool supports(isa level) noexcept {
  switch (level) {
    case isa::portable: return true;
#if EMBIT_X86
    case isa::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
             __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
    case isa::avx512:
      return supports(isa::avx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    case isa::vpopcnt: return supports(isa::avx512) && __builtin_cpu_supports("avx512vpopcntdq");
#endif
#if EMBIT_NEON
    case isa::neon: return true;
#endif
    default: return false;
  }
}

/// The supported levels, slowest first.
inline std::span<const isa> supported_isas() {
  static const auto levels = [] {
    struct {
      std::array<isa, 5> level{};
      std::size_t count = 0;
    } found;
    for (const isa level : {isa::portable, isa::avx2, isa::avx512, isa::vpopcnt, isa::neon})
      if (supports(level)) found.level[found.count++] = level;
    return found;
  }();
  return {levels.level.data(), levels.count};
}

namespace detail {

inline isa choose_isa(const char* forced) {
  if (forced == nullptr || *forced == '\0') return supported_isas().back();
  for (const isa level : {isa::portable, isa::avx2, isa::avx512, isa::vpopcnt, isa::neon}) {
    if (name_of(level) != forced) continue;
    if (!supports(level)) raise(errc::unsupported, "EMBIT_ISA=", forced, ": this machine or build cannot run it");
    return level;
  }
  raise(errc::argument, "EMBIT_ISA=", forced, ": not one of portable, avx2, avx512, vpopcnt, neon");
}

}  // namespace detail

/// The level that kernels run at: the best this machine has, or what EMBIT_ISA says when it is first asked for.
/// @throws error errc::argument for an unknown EMBIT_ISA, errc::unsupported for one that cannot run here.
inline isa active_isa() {
  static const isa level = detail::choose_isa(std::getenv("EMBIT_ISA"));
  return level;
}

}  // namespace embit::inline EMBIT_ABI
