// How a graph is searched: from a few entries to ever nearer vertices, by the estimates that lie beside each.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/types.hpp>
#include <embit/index/detail/graph/space.hpp>
#include <embit/index/detail/graph/vertices.hpp>
#include <embit/kernel/level_run_scan.hpp>
#include <embit/kernel/level_scan.hpp>
#include <embit/kernel/nearest_centroids.hpp>
#include <embit/search/counting_top_k.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// What searches of a graph_index did.
struct graph_statistics {
  std::size_t visits = 0;     ///< vertices whose rows were read
  std::size_t estimates = 0;  ///< neighbours whose distances were estimated
  std::size_t scanned = 0;    ///< rows that were read one after another, where a filter lets few through

  graph_statistics& operator+=(const graph_statistics& other) noexcept {
    visits += other.visits;
    estimates += other.estimates;
    scanned += other.scanned;
    return *this;
  }
};

namespace detail {

/// A set of rows that is emptied by what was put in.
class row_marks {
 public:
  void reset(std::size_t rows) {
    for (const row_id row : set_) words_[row / word_bits] = 0;
    set_.clear();
    if (words_.size() < words_for(rows)) words_.resize(words_for(rows), 0);
  }
  /// Whether it was not yet in.
  bool put(row_id row) {
    word& at = words_[row / word_bits];
    const word bit = word{1} << row % word_bits;
    if ((at & bit) != 0) return false;
    at |= bit;
    set_.push_back(row);
    return true;
  }
  void take(row_id row) noexcept { words_[row / word_bits] &= ~(word{1} << row % word_bits); }
  std::size_t memory() const noexcept { return words_.capacity() * sizeof(word) + set_.capacity() * sizeof(row_id); }

 private:
  std::vector<word> words_;
  std::vector<row_id> set_;
};

/// Vertices to be visited and visited ones, by their estimated distances. All count.
struct plain_candidate {
  float distance;
  row_id vertex;
  bool visited = false;

  static constexpr bool counts = true, counts_all = true;
};
/// Some of which do not count among the `ef` that are kept.
struct counted_candidate {
  float distance;
  row_id vertex;
  bool counts;
  bool visited = false;

  static constexpr bool counts_all = false;
};

/// The nearest candidates: as many as it takes for `ef` of those that count. One that is dropped may come again, since
/// what is estimated of it beside a nearer vertex is more exact.
template <class Candidate>
class candidate_pool {
 public:
  void reset(std::size_t ef) {
    ef_ = ef;
    counted_ = at_ = 0;
    pool_.clear();
  }
  /// Whether all have been visited.
  bool done() const noexcept { return at_ == pool_.size(); }
  /// The nearest that was not visited; it is from now on.
  row_id next() noexcept {
    Candidate& nearest = pool_[at_];
    nearest.visited = true;
    find_next();
    return nearest.vertex;
  }
  /// That which is next, if there is one.
  const Candidate* ahead() const noexcept { return at_ < pool_.size() ? &pool_[at_] : nullptr; }
  bool full() const noexcept { return counted_ >= ef_; }
  /// Beyond it nothing is put in.
  float limit() const noexcept { return full() ? pool_.back().distance : infinity<float>(); }
  std::size_t size() const noexcept { return pool_.size(); }
  std::size_t memory() const noexcept { return pool_.capacity() * sizeof(Candidate); }

  /// @param marked  the candidates, of which those that are dropped are taken out
  void put(const Candidate& added, row_marks& marked) {
    std::size_t i = pool_.size();
    pool_.push_back(added);
    for (; i > 0 && pool_[i - 1].distance > added.distance; --i) pool_[i] = pool_[i - 1];
    pool_[i] = added;
    at_ = (std::min)(at_, i);
    counted_ += added.counts;
    while (counted_ > ef_ || (counted_ == ef_ && !pool_.back().counts)) drop_last(marked);
  }

 private:
  void find_next() noexcept {
    while (at_ < pool_.size() && pool_[at_].visited) ++at_;
  }
  void drop_last(row_marks& marked) noexcept {
    const Candidate& last = pool_.back();
    counted_ -= last.counts;
    if (!last.visited) marked.take(last.vertex);
    pool_.pop_back();
    at_ = (std::min)(at_, pool_.size());
  }

  std::size_t ef_ = 1, counted_ = 0, at_ = 0;  // at_: the first that was not visited
  std::vector<Candidate> pool_;
};

/// What one worker writes while it searches.
struct graph_memory {
  level_query query;
  counting_top_k top;
  nearest_centroids::scratch centroids;
  std::array<level_hit, level_hit_room> hits;
  row_marks seen;
  candidate_pool<plain_candidate> pool;
  candidate_pool<counted_candidate> counted_pool;

  std::size_t memory() const noexcept { return top.memory() + seen.memory() + pool.memory() + counted_pool.memory(); }
};

/// Asks for a vertex ahead of its visit: of wide ones as much as is read before the processor sees where it goes.
inline void prefetch_vertex(const std::uint8_t* vertex, std::size_t bytes) noexcept {
  constexpr std::size_t most = 24 * 64;
  prefetch_bytes(vertex, bytes, most);
}

/// One walk over a graph.
struct graph_walk {
  const vertex_store& vertices;
  const level_format& format;
  const factor_units& units;
  const point_query& query;
  float constant;                   // of estimated distances
  std::span<const row_id> entries;  // of all lists; one of no list is no vertex
  std::size_t ef;
  std::size_t most;  // candidates; where there are more, the walk is given up
  row_id without;    // a vertex that is passed by, or none

  /// Visits vertices until none of the `ef` nearest candidates is left, `ef` of those that `counts(vertex, distance)`.
  /// Calls `visit(vertex, distance)` for each, once. False where it was given up.
  template <class Candidate, class Counts, class Visit>
  bool operator()(std::span<const neighbor<float>> nearest_entries, candidate_pool<Candidate>& pool,
                  graph_memory& memory, const Counts& counts, const Visit& visit, graph_statistics& did) const {
    const auto scan = ops_at<level_scan_ops>(active_isa()).scan;
    const vertex_layout& layout = vertices.layout();
    const std::size_t bytes = vertices.bytes_each(), rows = vertices.size();
    const std::size_t codes_at = layout.codes(), offsets_at = layout.offsets(), scales_at = layout.scales(),
                      edges_at = layout.edges();
    level_run run{
        .format = &format, .codes = nullptr, .row_bytes = layout.row_bytes, .first_row = 0, .rows = most_edges};
    level_scan_job job = memory.query.job_for(run);
    const float base = job.score.base + constant;
    job.offset.unit = layout.halves ? units.offset : 1.f;
    job.scale.unit = layout.halves ? units.scale : 1.f;
    job.hits = memory.hits.data();
    job.last_block = 1;
    pool.reset(ef);
    memory.seen.reset(rows);
    if (without < rows) memory.seen.put(without);
    const auto offer = [&](row_id vertex, float distance) {
      if constexpr (Candidate::counts_all)
        pool.put({distance, vertex}, memory.seen);
      else
        pool.put({distance, vertex, counts(vertex, distance)}, memory.seen);
    };
    for (const auto& entry : nearest_entries)
      if (entries[entry.id] < rows && memory.seen.put(entries[entry.id])) offer(entries[entry.id], entry.distance);
    std::size_t next_entry = 0;
    for (;;) {
      if (pool.done() && !pool.full())  // what is reached ends before enough was found: other entries
        for (; next_entry < entries.size() && pool.done(); ++next_entry)
          if (entries[next_entry] < rows && memory.seen.put(entries[next_entry])) offer(entries[next_entry], 0);
      if (pool.done()) return true;
      const row_id vertex = pool.next();
      const std::uint8_t* const at = vertices[vertex];
      const Candidate* ahead = pool.ahead();
      const row_id expected = ahead == nullptr ? vertex : ahead->vertex;
      if (ahead != nullptr) prefetch_vertex(vertices[expected], bytes);
      const point_query::distance own = query(reinterpret_cast<const float*>(at));
      visit(vertex, own.reported);
      job.run.codes = at + codes_at;
      job.offset.data = at + offsets_at;
      job.scale.data = at + scales_at;
      job.score.base = base + own.squared;
      job.limit = pool.limit();
      const auto* const edges = reinterpret_cast<const row_id*>(at + edges_at);
      const level_stop stop = scan(job);
      ++did.visits;
      did.estimates += most_edges;
      for (std::size_t h = 0; h < stop.hits; ++h) {
        const row_id to = edges[memory.hits[h].row];
        float distance = memory.hits[h].distance;
        if (is_nan(distance)) distance = infinity<float>();
        if (to >= rows || (pool.full() && distance >= pool.limit()) || !memory.seen.put(to)) continue;
        offer(to, distance);
      }
      if (pool.size() > most) return false;
      if (const Candidate* now = pool.ahead(); now != nullptr && now->vertex != expected)
        prefetch_vertex(vertices[now->vertex], bytes);
    }
  }
};

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
