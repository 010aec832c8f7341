// Float rows that are mostly zero, and their inner product with whole rows.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/moved.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// The runs of adjacent numbers of one row that are not all zero.
struct sparse_row {
  std::size_t dim;                        ///< of the whole row
  std::size_t run;                        ///< numbers in a run
  std::span<const std::uint32_t> starts;  ///< of the runs
  std::span<const float> values;          ///< run after run
};

/// A batch of sparse rows in runs of one length. A value.
class sparse_rows {
 public:
  sparse_rows() = default;
  sparse_rows(std::size_t dim, std::size_t run) : dim_(dim), run_(run) {}

  std::size_t size() const noexcept { return count_; }
  std::size_t cols() const noexcept { return dim_; }

  sparse_row operator[](std::size_t row) const& noexcept {
    EMBIT_ASSERT(row < size());
    const std::size_t first = ends_[first_ + row], last = ends_[first_ + row + 1];
    return {dim_, run_, std::span(starts_).subspan(first, last - first),
            std::span(values_).subspan(first * run_, (last - first) * run_)};
  }
  sparse_row operator[](std::size_t) const&& = delete;

  /// Adds a run to the row that is being written; `end_row` ends that.
  void add(std::uint32_t start, std::span<const float> values) {
    EMBIT_ASSERT(values.size() == run_ && start + run_ <= dim_);
    starts_.push_back(start);
    values_.insert(values_.end(), values.begin(), values.end());
  }
  void end_row() {
    if (ends_.empty()) ends_.push_back(0);
    ends_.push_back(starts_.size());
    ++count_;
  }

  /// Rows [first, first + count). O(numbers in all rows).
  sparse_rows middle_rows(std::size_t first, std::size_t count) const {
    if (first > count_ || count > count_ - first)
      raise(errc::out_of_range, "sparse_rows: rows ", first, " + ", count, " of ", size());
    sparse_rows part = *this;
    part.first_ = first_ + first;
    part.count_ = count;
    return part;
  }

 private:
  std::size_t dim_ = 0, run_ = 0;
  detail::moved_value<> first_, count_;
  std::vector<std::size_t> ends_;  // where each row ends, after a 0
  std::vector<std::uint32_t> starts_;
  std::vector<float> values_;
};

/// q · x of a sparse query and a whole row, the largest first.
struct sparse_inner_product {
  using query_view = sparse_rows;
  using distance_type = float;
  using compare = std::greater<>;

  sparse_row prepare(const sparse_row& query) const noexcept { return query; }

  float operator()(const sparse_row& query, std::span<const float> row) const noexcept {
    EMBIT_ASSERT(query.dim == row.size());
    float sum = 0;
    const float* value = query.values.data();
    for (const std::uint32_t start : query.starts)
      for (std::size_t i = 0; i < query.run; ++i) sum += *value++ * row[start + i];
    return sum;
  }
};

}  // namespace embit::inline EMBIT_ABI
