// Similarity of sets held as bits: Jaccard (Tanimoto), Tversky, and the plain count of common members.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/types.hpp>
#include <embit/io/metadata.hpp>

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// Members of a set: the bits of its code.
inline std::uint32_t set_size(std::span<const word> code) noexcept {
  std::uint32_t members = 0;
  for (const word w : code) members += static_cast<std::uint32_t>(std::popcount(w));
  return members;
}

/// A query with its members counted.
struct prepared_set {
  std::span<const word> code;
  std::uint32_t size;
};

/// What set kernels have in common. `Derived` scores sets of a and b members, `common` of them shared, by
/// `score(a, b, common)`, and says by `expect(a, b, limit)` about how many shared ones give that score.
template <class Derived, class Score>
class set_kernel {
 public:
  using query_view = code_view<>;
  using distance_type = Score;
  using compare = std::greater<>;

  prepared_set prepare(std::span<const word> query) const noexcept { return {query, set_size(query)}; }

  /// One pair of codes of equal width.
  Score operator()(const prepared_set& query, std::span<const word> code) const noexcept {
    EMBIT_ASSERT(query.code.size() == code.size());
    std::uint32_t size = 0, common = 0;
    for (std::size_t w = 0; w < code.size(); ++w) {
      size += static_cast<std::uint32_t>(std::popcount(code[w]));
      common += static_cast<std::uint32_t>(std::popcount(code[w] & query.code[w]));
    }
    return self().score(query.size, size, common);
  }

  /// The best score that sets of `a` and `b` members can have: that of the smaller within the larger.
  /// Swamidass and Baldi, "Bounds and algorithms for fast exact searches of chemical fingerprints in linear and
  /// sublinear time", J. Chem. Inf. Model. 47 (2007), section 2.
  Score bound(std::uint32_t a, std::uint32_t b) const noexcept { return self().score(a, b, (std::min)(a, b)); }

  /// The fewest common members with which sets of `a` and `b` score no worse than `limit`; more than either has
  /// where they cannot. Exact: decided by `score` itself.
  std::uint32_t least_common(std::uint32_t a, std::uint32_t b, Score limit) const noexcept {
    const std::uint32_t most = (std::min)(a, b);
    const double expected = self().expect(a, b, limit);
    std::uint32_t common = most;
    if (is_finite(expected) && expected < most) common = expected > 0 ? static_cast<std::uint32_t>(expected) : 0;
    if (self().score(a, b, common) < limit) {
      do ++common;
      while (common <= most && self().score(a, b, common) < limit);
    } else {
      while (common > 0 && !(self().score(a, b, common - 1) < limit)) --common;
    }
    return common;
  }

 private:
  const Derived& self() const noexcept { return static_cast<const Derived&>(*this); }
};

}  // namespace detail

/// A kernel whose score depends only on the numbers of members of the query, of the row, and of both: it never falls
/// when there are more common ones, and, as a bound over the members of the row, never rises away from the query's.
template <class K>
concept SetKernel = Kernel<K> && std::same_as<typename K::query_view, code_view<>> &&
    requires(const K& kernel, std::uint32_t n, typename K::distance_type score) {
  { kernel.score(n, n, n) } -> std::same_as<typename K::distance_type>;
  { kernel.bound(n, n) } -> std::same_as<typename K::distance_type>;
  { kernel.least_common(n, n, score) } -> std::same_as<std::uint32_t>;
};

/// Jaccard similarity |a ∧ b| / |a ∨ b|, the largest first; chemistry calls it Tanimoto. Two empty sets have
/// similarity 1, so that every set is most similar to itself and 1 − similarity is a metric (as in OpenEye and SciPy;
/// chemfp and FAISS say 0). The quotient is rounded once to float: equal fractions give equal floats everywhere.
struct jaccard : detail::set_kernel<jaccard, float> {
  static constexpr std::string_view name = "jaccard";  ///< in files

  /// Of sets of `a` and `b` members, `common` of them shared.
  static float score(std::uint32_t a, std::uint32_t b, std::uint32_t common) noexcept {
    const double either = double{1} * a + b - common;
    return either == 0 ? 1.f : static_cast<float>(common / either);
  }

 private:
  friend detail::set_kernel<jaccard, float>;
  static double expect(std::uint32_t a, std::uint32_t b, float limit) noexcept {
    return double{limit} * (double{1} * a + b) / (1 + double{limit});
  }
};

using tanimoto = jaccard;

struct tversky_options {
  float alpha = 1;  ///< what a member of the query alone weighs
  float beta = 1;   ///< what a member of the row alone weighs
};

/// Tversky's index c / (c + α (a − c) + β (b − c)) of a query of a members and a row of b, c of them common; the
/// largest first, 0/0 is 1. α = β = 1 is Jaccard, α = β = ½ is Dice; α = 1, β = 0 is the share of the query that the
/// row contains. Tversky, "Features of similarity", Psychological Review 84 (1977), ratio model.
class tversky : public detail::set_kernel<tversky, float> {
 public:
  static constexpr std::string_view name = "tversky";  ///< in files

  tversky() = default;
  /// @throws error errc::argument for a weight that is negative or not finite.
  explicit tversky(tversky_options options) : alpha_(options.alpha), beta_(options.beta) {
    require_weight("alpha", options.alpha);
    require_weight("beta", options.beta);
  }

  tversky_options options() const noexcept { return {static_cast<float>(alpha_), static_cast<float>(beta_)}; }

  /// In files: f32 alpha, f32 beta.
  void write_parameters(metadata_writer& out) const { out.f32(options().alpha).f32(options().beta); }
  /// @throws error errc::format for weights that no tversky has.
  static tversky read_parameters(metadata_reader& in) {
    tversky_options options;
    options.alpha = in.f32();
    options.beta = in.f32();
    if (!is_weight(options.alpha) || !is_weight(options.beta))
      in.refuse("weights ", options.alpha, " and ", options.beta);
    return tversky(options);
  }

  /// Of a query of `a` members and a row of `b`, `common` of them shared.
  float score(std::uint32_t a, std::uint32_t b, std::uint32_t common) const noexcept {
    // A float times such a count is exact in double, so the sum does not depend on whether the compiler fuses it.
    // Every step rounds monotonically: more common members never give a smaller score.
    const double missing = alpha_ * (a - common) + beta_ * (b - common);
    if (common == 0) return missing == 0 ? 1.f : 0.f;
    return static_cast<float>(1 / (1 + missing / common));
  }

 private:
  friend detail::set_kernel<tversky, float>;
  double expect(std::uint32_t a, std::uint32_t b, float limit) const noexcept {
    return limit * (alpha_ * a + beta_ * b) / (1 - limit + limit * (alpha_ + beta_));
  }
  static bool is_weight(float weight) noexcept { return detail::is_finite(weight) && weight >= 0; }
  static void require_weight(const char* which, float weight) {
    if (!is_weight(weight))
      raise(errc::argument, "tversky: ", which, " is ", weight, ", but weights are finite and not negative");
  }

  double alpha_ = 1, beta_ = 1;
};

/// The number of common members |a ∧ b|, the largest first; divided by the width it is the Russell–Rao similarity.
struct and_count : detail::set_kernel<and_count, std::uint32_t> {
  static constexpr std::string_view name = "and_count";  ///< in files

  static std::uint32_t score(std::uint32_t, std::uint32_t, std::uint32_t common) noexcept { return common; }

 private:
  friend detail::set_kernel<and_count, std::uint32_t>;
  static double expect(std::uint32_t, std::uint32_t, std::uint32_t limit) noexcept { return limit; }
};

/// The same scores, with no row skipped for its popcount: to measure what the bound gains.
template <SetKernel K>
struct without_bound : K {
  using K::K;
  static constexpr bool skips_by_popcount = false;
};

static_assert(SetKernel<jaccard> && SetKernel<tversky> && SetKernel<and_count> && SetKernel<without_bound<jaccard>>);

}  // namespace embit::inline EMBIT_ABI
