// Centroids that are binary codes, and what is nearest to them by Hamming distance.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/results.hpp>
#include <embit/core/types.hpp>
#include <embit/io/save.hpp>
#include <embit/kernel/hamming_scan.hpp>
#include <embit/search/top_k.hpp>
#include <embit/store/block_store.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// The nearest row of each query, of rows met in ascending order: the smaller of equally near ones.
struct nearest_row_sink {
  std::span<neighbor<std::uint32_t>> nearest;  // one a query, farther than any row before the scan

  std::size_t threshold(std::size_t query) const noexcept { return nearest[query].distance; }
  void offer(std::size_t query, row_id row, std::uint32_t distance) noexcept {
    if (distance < nearest[query].distance) nearest[query] = {row, distance};
  }
};

}  // namespace detail

/// Cells of binary codes around centroids that are codes themselves: a code belongs to the centroid in fewest bits from
/// it, of equally near ones to the first. `fit_k_majority` finds centroids. Copies share them. Safe to use from many
/// threads, each with its workspace.
class code_partition {
 public:
  using query_view = code_view<>;
  using distance_type = std::uint32_t;
  using neighbor_type = neighbor<std::uint32_t>;

  /// What one thread works with; reusable for any queries and partitions.
  class workspace {
   public:
    /// Bytes of the lists.
    std::size_t memory() const noexcept {
      std::size_t bytes = top_.memory() + sort_.memory();
      for (const histogram_top_k& top : tops_) bytes += sizeof top + top.memory();
      return bytes;
    }

   private:
    friend class code_partition;
    hamming_batch query_;
    hamming_batch::scratch scratch_;
    histogram_top_k top_;
    std::vector<histogram_top_k> tops_;  // of many queries
    counting_sort sort_;
  };

  /// No cells.
  code_partition() = default;
  /// @throws error errc::argument for bits beyond the width, errc::shape for a width of 0.
  explicit code_partition(code_view<> centroids) : centroids_(centroids) {}

  /// Cells.
  std::size_t size() const noexcept { return centroids_.size(); }
  /// Bits of a code.
  std::size_t width() const noexcept { return centroids_.bits(); }
  const block_store<>& centroids() const& noexcept { return centroids_; }
  const block_store<>& centroids() const&& = delete;
  /// Bytes allocated.
  std::size_t memory() const noexcept { return centroids_.memory(); }

  /// The `n` nearest cells of a query, or all of fewer, ascending by distance, ties by the smaller cell; valid until
  /// the workspace is used again. O(size · words).
  /// @param query  of the width of the partition
  std::span<const neighbor_type> nearest(std::span<const word> query, std::size_t n, workspace& memory) const {
    EMBIT_ASSERT(query.size() == words_for(width()));
    n = (std::min)(n, size());
    if (n == 0) return {};
    memory.query_.assign(code_view<>(query.data(), 1, width()), 0);
    memory.top_.reset(n, static_cast<std::uint32_t>(width()) + 1);
    collecting_sink sink{memory.top_};
    for (std::size_t i = 0; i < centroids_.runs(); ++i) memory.query_.scan(centroids_.run(i), memory.scratch_, sink);
    return memory.sort_.select(memory.top_.kept(), n);
  }

  /// Calls `visit(i, cells)` with the same for each of many queries. O(queries · size · words).
  template <class Visit>
  void nearest(code_view<> queries, std::size_t n, workspace& memory, Visit&& visit) const {
    EMBIT_ASSERT(queries.empty() || queries.bits() == width());
    n = (std::min)(n, size());
    if (queries.empty()) return;
    if (memory.tops_.size() < queries.size()) memory.tops_.resize(queries.size());
    for (std::size_t i = 0; i < queries.size(); ++i)
      memory.tops_[i].reset((std::max)(n, std::size_t{1}), static_cast<std::uint32_t>(width()) + 1);
    memory.query_.assign(queries, size());
    each_sink sink{memory.tops_};
    for (std::size_t i = 0; i < centroids_.runs(); ++i) memory.query_.scan(centroids_.run(i), memory.scratch_, sink);
    for (std::size_t i = 0; i < queries.size(); ++i) visit(i, memory.sort_.select(memory.tops_[i].kept(), n));
  }

  /// The nearest cell of each code. O(codes · size · words).
  /// @throws error errc::shape for codes of another width.
  std::vector<neighbor_type> assign(code_view<> codes, const executor_ref& executor = inline_executor{}) const {
    if (!codes.empty() && codes.bits() != width())
      raise(errc::shape, "codes: width ", codes.bits(), ", the partition has cells of width ", width());
    constexpr std::size_t at_a_time = 1024;
    std::vector<neighbor_type> all(codes.size());
    std::vector<assigner> workers(executor.concurrency());
    run_ranges(executor, codes.size(), at_a_time, codes.size(),
               [&](std::size_t first, std::size_t last, std::size_t w) {
                 workers[w].assign(centroids_, codes.middle_rows(first, last - first),
                                   std::span(all).subspan(first, last - first));
               });
    return all;
  }

  static constexpr file_kind file{"code_partition", 1};

  /// The sections of the file that `save` writes: those of the centroids, which are codes, under "centroids/".
  void write_to(const section_writer& out) const { detail::write_part<block_store<>>(out, "centroids", centroids_); }
  /// @throws error errc::format, errc::kind, errc::checksum or errc::io.
  static code_partition read_from(const section_reader& in) {
    code_partition cells;
    cells.centroids_ = detail::read_part<block_store<>>(in, "centroids");
    return cells;
  }

 private:
  struct collecting_sink {
    histogram_top_k& top;
    std::size_t threshold(std::size_t) const noexcept { return top.threshold(); }
    void offer(std::size_t, row_id cell, std::uint32_t distance) { top.offer(cell, distance); }
  };

  struct each_sink {
    std::span<histogram_top_k> tops;
    std::size_t threshold(std::size_t query) const noexcept { return tops[query].threshold(); }
    void offer(std::size_t query, row_id cell, std::uint32_t distance) { tops[query].offer(cell, distance); }
  };

  /// Assigns codes, some at a time. A first limit, which nearly all codes before had a centroid within, spares it rows
  /// that are near to nothing; those few that have none within it are looked at again without.
  class assigner {
   public:
    void assign(const block_store<>& centroids, code_view<> codes, std::span<neighbor_type> out) {
      const auto beyond = static_cast<std::uint32_t>(centroids.bits()) + 1;
      scan(centroids, codes, (std::min)(limit_, beyond), out);
      again_.clear();
      for (std::size_t i = 0; i < out.size(); ++i)
        if (out[i].distance == (std::min)(limit_, beyond)) again_.push_back(static_cast<row_id>(i));
      if (!again_.empty() && limit_ < beyond) {
        found_.resize(again_.size());
        scan(centroids, code_store<>(codes, again_), beyond, found_);
        for (std::size_t i = 0; i < again_.size(); ++i) out[again_[i]] = found_[i];
      }
      learn(out);
    }

   private:
    void scan(const block_store<>& centroids, code_view<> codes, std::uint32_t limit, std::span<neighbor_type> out) {
      std::ranges::fill(out, neighbor_type{0, limit});
      batch_.assign(codes, centroids.size());
      detail::nearest_row_sink sink{out};
      for (std::size_t i = 0; i < centroids.runs(); ++i) batch_.scan(centroids.run(i), scratch_, sink);
    }
    void learn(std::span<const neighbor_type> out) {
      distances_.clear();
      for (const auto& n : out) distances_.push_back(n.distance);
      const auto most =
          distances_.begin() + static_cast<std::ptrdiff_t>(distances_.size() - 1 - distances_.size() / 64);
      std::ranges::nth_element(distances_, most);
      limit_ = *most + 1;
    }

    std::uint32_t limit_ = (std::numeric_limits<std::uint32_t>::max)();
    hamming_batch batch_;
    hamming_batch::scratch scratch_;
    std::vector<row_id> again_;
    std::vector<neighbor_type> found_;
    std::vector<std::uint32_t> distances_;
  };

  block_store<> centroids_;
};

static_assert(Partition<code_partition>);

}  // namespace embit::inline EMBIT_ABI
