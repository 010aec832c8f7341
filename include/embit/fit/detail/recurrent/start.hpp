// Where the training of a recurrence begins: at the uniform grid of rotated principal components.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/random.hpp>
#include <embit/encode/recurrent.hpp>
#include <embit/fit/detail/recurrent/net.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/learn/skip_block.hpp>
#include <embit/linalg/mean.hpp>
#include <embit/linalg/pca.hpp>
#include <embit/linalg/random_rotation.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// How many dimensions, and how many rounds after the first sign.
struct recurrent_shape {
  std::size_t dims, loops;
};

/// The standard deviation of the components of the first `dims` directions together; 1 where nothing spreads.
inline float spread_of(const principal_components& pca, std::size_t dims) {
  double sum = 0;
  for (std::size_t i = 0; i < dims; ++i) sum += double{pca.variances[i]};
  return sum > 0 ? static_cast<float>(std::sqrt(sum / static_cast<double>(dims))) : 1.f;
}

/// A network whose skip connections map rows of dim to codes by `forward` (dims × dim) and back by `backward`
/// (dim × dims), everything else being zero: before training its codes are the uniform grid of what `forward` gives.
template <class Net>
Net network_of(std::span<const float> mean, float deviation, matrix_view<const float> forward,
               matrix_view<const float> backward, std::size_t loops, std::size_t hidden, rng& engine) {
  const std::size_t dims = forward.rows(), dim = forward.cols();
  Net net;
  net.mean.assign(mean.begin(), mean.end());
  net.deviation = deviation;
  net.log_scale.rate = 10;  // one number, which the loss should not have to wait for
  net.project = skip_block(dim, hidden, dims, engine);
  net.project.set_skip(forward);
  for (std::size_t t = 0; t < loops; ++t) {
    net.rebuild.emplace_back(dims, hidden, dim, engine);
    net.rebuild[t].set_skip(backward);
    net.refine.emplace_back(dim, hidden, dims, engine);
    net.refine[t].set_skip(forward);
  }
  return net;
}

/// The first principal directions, turned at random so that every dimension has the same share of the variance.
template <class Net>
Net grid_start(const principal_components& pca, recurrent_shape shape, std::size_t hidden, rng& engine) {
  const std::size_t dim = pca.mean.size();
  const matrix<float> rotation = random_rotation(shape.dims, engine);
  matrix<float> forward(shape.dims, dim);
  gemm(rotation, row_panels::of_columns(pca.directions.view().middle_rows(0, shape.dims)), forward);
  return network_of<Net>(pca.mean, spread_of(pca, shape.dims), forward, transposed(forward, {}, 0, shape.dims),
                         shape.loops, hidden, engine);
}

/// A block as it encodes, normalizations folded away.
inline packed_block packed(const skip_block& trained) {
  const skip_block b = trained.folded();
  return packed_block(b.hidden.weight.value, b.hidden.bias.value.values(), b.output.weight.value,
                      b.output.bias.value.values());
}

/// The encoder of a network in its present state.
template <class Net>
recurrent_codes codes_of(const Net& net) {
  recurrent_codes codes{net.mean, net.deviation, packed(net.project), {}, {}};
  for (std::size_t t = 0; t < net.loops(); ++t) {
    codes.rebuild.push_back(packed(net.rebuild[t]));
    codes.refine.push_back(packed(net.refine[t]));
  }
  return codes;
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
