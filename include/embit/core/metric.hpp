// The ways float vectors are compared.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

namespace embit::inline EMBIT_ABI {

/// How float vectors are compared.
enum class metric {
  l2,             ///< squared Euclidean distance, smaller is nearer
  inner_product,  ///< larger is nearer
  cosine          ///< inner product of the vectors scaled to unit norm, larger is nearer
};

}  // namespace embit::inline EMBIT_ABI
