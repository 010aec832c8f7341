// Sign hashers with other thresholds: where their bits change.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/encode/hadamard_lsh.hpp>
#include <embit/encode/sign_projection.hpp>

#include <span>

namespace embit::inline EMBIT_ABI {

/// The hasher with the planes of `hasher` and other thresholds, one a bit.
/// @throws error errc::shape for another number of them, errc::not_finite.
inline sign_projection with_thresholds(const sign_projection& hasher, std::span<const float> thresholds) {
  if (thresholds.size() != hasher.bits())
    raise(errc::shape, "thresholds: ", thresholds.size(), " for ", hasher.bits(), " bits");
  return sign_projection(hasher.planes(), thresholds);
}
inline hadamard_projection with_thresholds(const hadamard_projection& hasher, std::span<const float> thresholds) {
  return hasher.with_thresholds(thresholds);
}

}  // namespace embit::inline EMBIT_ABI
