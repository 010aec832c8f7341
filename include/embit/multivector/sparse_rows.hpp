// Float rows that are mostly zero, and their inner product with whole rows.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/grow.hpp>
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

/// A batch of sparse rows that someone else owns. Cheap to copy; it must not outlive them.
class sparse_view {
 public:
  sparse_view() = default;
  /// @param ends  where the runs of a row end, after where those of the first begin
  sparse_view(std::size_t dim, std::size_t run, std::span<const std::size_t> ends, const std::uint32_t* starts,
              const float* values) noexcept
      : dim_(dim), run_(run), ends_(ends), starts_(starts), values_(values) {}

  std::size_t size() const noexcept { return ends_.empty() ? 0 : ends_.size() - 1; }
  std::size_t cols() const noexcept { return dim_; }

  sparse_row operator[](std::size_t row) const noexcept {
    EMBIT_ASSERT(row < size());
    const std::size_t first = ends_[row], runs = ends_[row + 1] - first;
    return {dim_, run_, {starts_ + first, runs}, {values_ + first * run_, runs * run_}};
  }

  /// Rows [first, first + count). O(1).
  /// @throws error errc::out_of_range for rows that are not there.
  sparse_view middle_rows(std::size_t first, std::size_t count) const {
    if (first > size() || count > size() - first)
      raise(errc::out_of_range, "sparse_rows: rows ", first, " + ", count, " of ", size());
    sparse_view part = *this;
    part.ends_ = ends_.empty() ? ends_ : ends_.subspan(first, count + 1);
    return part;
  }

 private:
  std::size_t dim_ = 0, run_ = 0;
  std::span<const std::size_t> ends_;
  const std::uint32_t* starts_ = nullptr;
  const float* values_ = nullptr;
};

/// A batch of sparse rows in runs of one length. A value.
class sparse_rows {
 public:
  sparse_rows() = default;
  sparse_rows(std::size_t dim, std::size_t run) : dim_(dim), run_(run) {}

  sparse_rows(const sparse_rows&) = default;
  sparse_rows(sparse_rows&&) = default;
  /// Nothing has changed when it throws.
  sparse_rows& operator=(const sparse_rows& other) { return *this = sparse_rows(other); }
  sparse_rows& operator=(sparse_rows&&) = default;
  ~sparse_rows() = default;

  std::size_t size() const noexcept { return view().size(); }
  std::size_t cols() const noexcept { return dim_; }

  sparse_row operator[](std::size_t row) const& noexcept { return view()[row]; }
  sparse_row operator[](std::size_t) const&& = delete;

  /// All rows. Valid until the batch changes or ends, which is why a temporary one has none to give.
  sparse_view view() const& noexcept { return {dim_, run_, ends_, starts_.data(), values_.data()}; }
  sparse_view view() const&& = delete;
  operator sparse_view() const noexcept { return {dim_, run_, ends_, starts_.data(), values_.data()}; }

  /// Adds a run to the row that is being written; `end_row` ends that.
  void add(std::uint32_t start, std::span<const float> values) {
    EMBIT_ASSERT(values.size() == run_ && start + run_ <= dim_);
    reserve_more(starts_, 1);
    reserve_more(values_, values.size());
    starts_.push_back(start);
    values_.insert(values_.end(), values.begin(), values.end());
  }
  void end_row() {
    if (ends_.empty()) ends_.push_back(0);
    ends_.push_back(starts_.size());
  }

 private:
  std::size_t dim_ = 0, run_ = 0;
  std::vector<std::size_t> ends_;  // where each row ends, after a 0
  std::vector<std::uint32_t> starts_;
  std::vector<float> values_;
};

/// q · x of a sparse query and a whole row, the largest first.
struct sparse_inner_product {
  using query_view = sparse_view;
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
