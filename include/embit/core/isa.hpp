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
// function of a kernel carries the mark, lambdas included, since neither compiler inlines across levels. What a target
// names is also what the processor is asked for before its functions run.
#if EMBIT_X86
#define EMBIT_FEATURES_AVX2 "avx2,fma,f16c,bmi,bmi2,popcnt,lzcnt"
#define EMBIT_FEATURES_AVX512 "avx512f,avx512bw,avx512dq,avx512vl," EMBIT_FEATURES_AVX2
#define EMBIT_FEATURES_VPOPCNT "avx512vpopcntdq,avx512vnni," EMBIT_FEATURES_AVX512
#define EMBIT_TARGET_AVX2 __attribute__((target(EMBIT_FEATURES_AVX2)))
#define EMBIT_TARGET_AVX512 __attribute__((target(EMBIT_FEATURES_AVX512)))
#define EMBIT_TARGET_VPOPCNT __attribute__((target(EMBIT_FEATURES_VPOPCNT)))
#include <cpuid.h>
#endif

namespace embit::inline EMBIT_ABI {

/// SIMD levels. All of them give the same integers; float results agree within rounding.
enum class isa {
  portable,  ///< plain C++ and xsimd, for whatever the user's flags allow
  avx2,      ///< AVX2, FMA, F16C, BMI 1 and 2, POPCNT, LZCNT
  avx512,    ///< AVX-512 F, BW, DQ, VL
  vpopcnt,   ///< the above and AVX-512 VPOPCNTDQ and VNNI
  neon       ///< AArch64 Advanced SIMD
};

/// Every level there is; those of one processor slowest first.
inline constexpr std::array<isa, 5> all_isas{isa::portable, isa::avx2, isa::avx512, isa::vpopcnt, isa::neon};

constexpr std::string_view name_of(isa level) noexcept {
  constexpr std::array<std::string_view, all_isas.size()> names{"portable", "avx2", "avx512", "vpopcnt", "neon"};
  return names[static_cast<std::size_t>(level)];
}

/// Whether code that was written for `other` runs wherever `level` does.
constexpr bool includes(isa level, isa other) noexcept {
  return level == other || other == isa::portable || (level != isa::neon && other < level);
}

#if EMBIT_X86
namespace detail {

/// Whether CPUID says so in bit `bit` of ECX: for what not every compiler's __builtin_cpu_supports knows by name.
inline bool processor_says(unsigned leaf, unsigned bit) noexcept {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(leaf, &a, &b, &c, &d) != 0 && (c >> bit & 1u) != 0;
}

/// Whether the processor and its system have one feature, by the name that a target attribute gives it; false for a
/// name that is not known here.
inline bool processor_has(std::string_view feature) noexcept {
  if (feature == "sse4.2") return __builtin_cpu_supports("sse4.2");
  if (feature == "popcnt") return __builtin_cpu_supports("popcnt");
  if (feature == "pclmul") return __builtin_cpu_supports("pclmul");
  if (feature == "avx2") return __builtin_cpu_supports("avx2");
  if (feature == "fma") return __builtin_cpu_supports("fma");
  if (feature == "f16c") return processor_says(1, 29) && __builtin_cpu_supports("avx");
  if (feature == "bmi") return __builtin_cpu_supports("bmi");
  if (feature == "bmi2") return __builtin_cpu_supports("bmi2");
  if (feature == "lzcnt") return processor_says(0x80000001u, 5);
  if (feature == "avx512f") return __builtin_cpu_supports("avx512f");
  if (feature == "avx512bw") return __builtin_cpu_supports("avx512bw");
  if (feature == "avx512dq") return __builtin_cpu_supports("avx512dq");
  if (feature == "avx512vl") return __builtin_cpu_supports("avx512vl");
  if (feature == "avx512vpopcntdq") return __builtin_cpu_supports("avx512vpopcntdq");
  if (feature == "avx512vnni") return __builtin_cpu_supports("avx512vnni");
  if (feature == "vpclmulqdq") return __builtin_cpu_supports("vpclmulqdq");
  return false;
}

/// Whether the processor has all features of a target, separated by commas.
inline bool processor_has_all(std::string_view target) noexcept {
  for (;;) {
    const std::size_t comma = target.find(',');
    if (!processor_has(target.substr(0, comma))) return false;
    if (comma == std::string_view::npos) return true;
    target.remove_prefix(comma + 1);
  }
}

}  // namespace detail
#endif

namespace detail {

inline bool can_run(isa level) noexcept {
  switch (level) {
    case isa::portable: return true;
#if EMBIT_X86
    case isa::avx2: return processor_has_all(EMBIT_FEATURES_AVX2);
    case isa::avx512: return processor_has_all(EMBIT_FEATURES_AVX512);
    case isa::vpopcnt: return processor_has_all(EMBIT_FEATURES_VPOPCNT);
#endif
#if EMBIT_NEON
    case isa::neon: return true;
#endif
    default: return false;
  }
}

}  // namespace detail

/// Whether this processor, and this build, can run `level`. The processor is asked once: searches ask this, and in a
/// virtual machine CPUID takes tens of microseconds.
inline bool supports(isa level) noexcept {
  static const unsigned levels = [] {
    unsigned found = 0;
    for (const isa known : all_isas)
      if (detail::can_run(known)) found |= 1u << static_cast<unsigned>(known);
    return found;
  }();
  const auto bit = static_cast<unsigned>(level);
  return bit < 32 && (levels >> bit & 1u) != 0;
}

namespace detail {

/// @throws error errc::unsupported for a level that this machine cannot run; `what` was asked to run there.
inline void require_isa(isa level, const char* what) {
  if (!supports(level)) raise(errc::unsupported, what, ": this machine or build cannot run ", name_of(level));
}

}  // namespace detail

/// The supported levels, slowest first.
inline std::span<const isa> supported_isas() {
  static const auto levels = [] {
    struct {
      std::array<isa, all_isas.size()> level{};
      std::size_t count = 0;
    } found;
    for (const isa level : all_isas)
      if (supports(level)) found.level[found.count++] = level;
    return found;
  }();
  return {levels.level.data(), levels.count};
}

namespace detail {

inline isa choose_isa(const char* forced) {
  if (forced == nullptr || *forced == '\0') return supported_isas().back();
  for (const isa level : all_isas) {
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
