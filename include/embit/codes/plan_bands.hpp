// Bands of a signature: how many, and of how many hashes, so that similar sets agree in one of them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace embit::inline EMBIT_ABI {

/// Adjacent hashes of a signature, compared as one: band i is the hashes [i · hashes, (i + 1) · hashes).
struct band_plan {
  std::size_t bands = 0;   ///< of a signature
  std::size_t hashes = 0;  ///< of a band

  /// How likely two signatures whose hashes agree with probability `agreement`, each by itself, agree in all hashes of
  /// some band: 1 - (1 - agreement^hashes)^bands. Indyk and Motwani, "Approximate nearest neighbors: towards removing
  /// the curse of dimensionality", STOC 1998; Leskovec, Rajaraman and Ullman, "Mining of Massive Datasets", section
  /// 3.4.2.
  double chance(double agreement) const noexcept {
    const double band = std::pow(agreement, static_cast<double>(hashes));
    return 1 - std::pow(1 - band, static_cast<double>(bands));
  }

  friend bool operator==(const band_plan&, const band_plan&) = default;
};

struct band_options {
  std::size_t hashes = 0;         ///< of a signature
  std::size_t bits_per_hash = 1;  ///< that are kept of each: others agree by chance in 2⁻ᵇ
  double similarity = .8;         ///< Jaccard, above 0 and up to 1: sets as similar are to be found
  double recall = .98;            ///< how likely, above 0 and below 1
};

/// The agreement of a hash of which b bits are kept, for sets of a Jaccard similarity: J + (1 - J) 2⁻ᵇ.
inline double hash_agreement(double similarity, std::size_t bits_per_hash) noexcept {
  return similarity + (1 - similarity) * std::exp2(-static_cast<double>(bits_per_hash));
}

/// The longest bands, which have the fewest sets in common that are not similar, and as many of them as find a pair of
/// the given similarity with the given recall; more similar ones are found more often. Where a signature has too few
/// hashes for that, each is a band: `chance` tells what is found. O(hashes).
/// @throws error errc::argument for no hashes, no bits, or a similarity or recall out of its range.
inline band_plan plan_bands(const band_options& options) {
  if (options.hashes == 0 || options.bits_per_hash == 0)
    raise(errc::argument, "plan_bands: ", options.hashes, " hashes of ", options.bits_per_hash, " bits");
  if (!(options.similarity > 0 && options.similarity <= 1))
    raise(errc::argument, "similarity: ", options.similarity, " is not above 0 and up to 1");
  if (!(options.recall > 0 && options.recall < 1))
    raise(errc::argument, "recall: ", options.recall, " is not between 0 and 1");
  const double agreement = hash_agreement(options.similarity, options.bits_per_hash);
  const double missed = std::log1p(-options.recall);
  for (std::size_t hashes = options.hashes; hashes > 1; --hashes) {
    const double band = std::pow(agreement, static_cast<double>(hashes));
    const double bands = band >= 1 ? 1 : std::ceil(missed / std::log1p(-band));
    if (bands <= static_cast<double>(options.hashes / hashes))  // infinite where no such band is likely
      return {(std::max)(static_cast<std::size_t>(bands), std::size_t{1}), hashes};
  }
  return {options.hashes, 1};
}

}  // namespace embit::inline EMBIT_ABI
