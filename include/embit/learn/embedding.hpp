// Rows looked up by number, trained where they were looked up.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/random.hpp>
#include <embit/core/types.hpp>
#include <embit/learn/detail/elementwise.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <random>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// A table of rows of which a step of training sees few: gradients are kept of those alone, so that a step costs what
/// the batch has, not what the table has. Optimizers of rows (`row_adagrad`, `lazy_adam`) move them.
class embedding {
 public:
  embedding() = default;
  /// All zeros.
  embedding(std::size_t rows, std::size_t dim) : values_(rows, dim, 0.f), place_(rows, untouched) {}

  std::size_t rows() const noexcept { return values_.rows(); }
  std::size_t dim() const noexcept { return values_.cols(); }
  /// rows × dim
  matrix_view<const float> values() const& noexcept { return values_.view(); }
  matrix_view<const float> values() const&& = delete;
  matrix_view<float> values() & noexcept { return values_.view(); }

  /// Draws all numbers with variance 1 / dim.
  template <std::uniform_random_bit_generator Engine>
  void draw(Engine& engine) {
    const float deviation = 1 / std::sqrt(static_cast<float>(std::max<std::size_t>(dim(), 1)));
    for (float& x : values_.values()) x = deviation * normal(engine);
  }

  /// The rows of these numbers. @param out ids × dim, overwritten.
  /// @throws error errc::out_of_range naming the number, errc::shape; nothing is written then.
  void gather(std::span<const row_id> ids, matrix_view<float> out) const {
    require(ids, out);
    for (std::size_t i = 0; i < ids.size(); ++i) std::ranges::copy(values_[ids[i]], out[i].begin());
  }

  /// Adds derivatives to the gradients of rows; those of a number that comes twice add up.
  /// @param slope  ids × dim: ∂loss by what `gather` gave
  /// @throws error errc::out_of_range naming the number, errc::shape; nothing has changed then.
  void accumulate(std::span<const row_id> ids, matrix_view<const float> slope) {
    require(ids, slope);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      if (place_[ids[i]] == untouched) {
        touched_.push_back(ids[i]);
        place_[ids[i]] = static_cast<row_id>(touched_.size() - 1);
        gradients_.resize(touched_.size() * dim(), 0.f);
      }
      detail::add_scaled(1, slope[i].data(), gradients_.data() + std::size_t{place_[ids[i]]} * dim(), dim());
    }
  }

  /// Rows with a gradient, in the order in which they came.
  std::span<const row_id> touched() const& noexcept { return touched_; }
  std::span<const row_id> touched() const&& = delete;
  /// Of the i-th touched row.
  std::span<const float> gradient(std::size_t i) const& noexcept {
    EMBIT_ASSERT(i < touched_.size());
    return {gradients_.data() + i * dim(), dim()};
  }
  std::span<const float> gradient(std::size_t) const&& = delete;

  /// Forgets all gradients, as optimizers do after a step. O(touched).
  void clear_gradients() noexcept {
    for (const row_id row : touched_) place_[row] = untouched;
    touched_.clear();
    gradients_.clear();
  }

 private:
  static constexpr row_id untouched = (std::numeric_limits<row_id>::max)();

  void require(std::span<const row_id> ids, matrix_view<const float> of_each) const {
    if (of_each.rows() != ids.size() || of_each.cols() != dim())
      raise(errc::shape, "embedding: ", of_each.rows(), " x ", of_each.cols(), " numbers for ", ids.size(), " rows of ",
            dim());
    for (std::size_t i = 0; i < ids.size(); ++i)
      if (ids[i] >= rows()) raise(errc::out_of_range, "embedding: ids[", i, "] is ", ids[i], " of ", rows(), " rows");
  }

  matrix<float> values_;
  std::vector<row_id> place_;  // of each row, among those touched
  std::vector<row_id> touched_;
  std::vector<float> gradients_;
};

}  // namespace embit::inline EMBIT_ABI
