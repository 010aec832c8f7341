// How the rows of an embedding follow their gradients: only those that a step has touched.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/learn/embedding.hpp>
#include <embit/learn/optimizer.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

inline void require_rows(std::size_t rows, std::size_t began_with, const char* what) {
  if (rows != began_with) raise(errc::shape, what, ": ", rows, " rows where it began with ", began_with);
}

}  // namespace detail

/// Adagrad with one number a row, the sum of the mean squares of its gradients: Duchi, Hazan and Singer, "Adaptive
/// subgradient methods for online learning and stochastic optimization", JMLR 2011, with one rate for a row, as
/// recommender systems have it. 4 bytes a row.
class row_adagrad {
 public:
  /// @throws error errc::argument for an epsilon that is not positive and finite.
  explicit row_adagrad(float epsilon = 1e-8f) : epsilon_(epsilon) {
    if (!detail::is_positive(epsilon)) raise(errc::argument, "row_adagrad: epsilon ", epsilon);
  }

  /// Moves the touched rows against their gradients, and forgets these. O(touched · dim).
  /// @throws error errc::shape for a table of another number of rows than at the first step, errc::argument for a rate
  /// that is not finite.
  void step(embedding& table, float rate) {
    detail::require_option("rate", rate);
    if (sums_.empty()) sums_.assign(table.rows(), 0.f);
    detail::require_rows(table.rows(), sums_.size(), "row_adagrad");
    const auto values = table.values();
    for (std::size_t i = 0; i < table.touched().size(); ++i) {
      const row_id row = table.touched()[i];
      const auto gradient = table.gradient(i);
      const float square = detail::row_dot(gradient.data(), gradient.data(), gradient.size());
      sums_[row] += square / static_cast<float>(gradient.size());
      const float each = rate / (std::sqrt(sums_[row]) + epsilon_);
      detail::add_scaled(-each, gradient.data(), values[row].data(), gradient.size());
    }
    table.clear_gradients();
  }

  /// Bytes of what is remembered.
  std::size_t memory() const noexcept { return sums_.capacity() * sizeof(float); }

 private:
  float epsilon_;
  std::vector<float> sums_;  // by row
};

/// Adam (`adam`) of which a row takes part only where it was touched: its averages stand still between. Corrected for
/// their start by the number of steps that the row took. 8 bytes a number and 4 a row.
class lazy_adam {
 public:
  /// @throws error errc::argument for an option that is not finite.
  explicit lazy_adam(adam_options options = {}) : options_(options) { detail::require_adam(options); }

  /// Moves the touched rows against their gradients, and forgets these. O(touched · dim).
  /// @throws error errc::shape for a table of another shape than at the first step, errc::argument for a rate that is
  /// not finite.
  void step(embedding& table, float rate) {
    detail::require_option("rate", rate);
    if (steps_.empty()) {
      steps_.assign(table.rows(), 0);
      first_ = second_ = matrix<float>(table.rows(), table.dim(), 0.f);
    }
    detail::require_rows(table.rows(), steps_.size(), "lazy_adam");
    if (table.dim() != first_.cols())
      raise(errc::shape, "lazy_adam: rows of ", table.dim(), " where it began with ", first_.cols());
    const auto values = table.values();
    for (std::size_t i = 0; i < table.touched().size(); ++i) {
      const row_id row = table.touched()[i];
      detail::adam_move(options_, ++steps_[row])(values[row].data(), table.gradient(i).data(), first_[row].data(),
                                                 second_[row].data(), table.dim(), rate);
    }
    table.clear_gradients();
  }

  /// Bytes of what is remembered.
  std::size_t memory() const noexcept {
    return steps_.capacity() * sizeof(std::uint32_t) + 2 * first_.values().size() * sizeof(float);
  }

 private:
  adam_options options_;
  std::vector<std::uint32_t> steps_;  // by row
  matrix<float> first_, second_;
};

}  // namespace embit::inline EMBIT_ABI
