// Hamming distances of a batch of queries to interleaved blocks of codes, filtered by a threshold per query.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/block_run.hpp>
#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/error.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/types.hpp>
#include <embit/kernel/detail/dispatch.hpp>
#include <embit/kernel/detail/hamming/ops.hpp>
#include <embit/kernel/detail/hamming/slices.hpp>
#if EMBIT_KERNELS_HERE
#include <embit/kernel/detail/hamming/avx2.hpp>
#include <embit/kernel/detail/hamming/avx512.hpp>
#include <embit/kernel/detail/hamming/neon.hpp>
#include <embit/kernel/detail/hamming/portable.hpp>
#include <embit/kernel/detail/hamming/vpopcnt.hpp>
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

#if EMBIT_KERNELS_HERE
template <>
EMBIT_KERNELS_INLINE const dispatch_table<hamming_ops>& table_of() noexcept {
  static constexpr auto table = [] {
    dispatch_table<hamming_ops> serving(hamming_portable::ops);
#if EMBIT_X86
    serving.add(isa::avx2, hamming_avx2::ops);
    serving.add(isa::avx512, hamming_avx512::ops);
    serving.add(isa::vpopcnt, hamming_vpopcnt::ops);
#endif
#if EMBIT_NEON
    serving.add(isa::neon, hamming_neon::ops);
#endif
    return serving;
  }();
  return table;
}
#else
template <>
const dispatch_table<hamming_ops>& table_of() noexcept;
#endif

}  // namespace detail

/// Queries of one call, prepared for scanning. Immutable, shared by the workers of the call, each with its scratch.
///
/// A few queries are compared word by word, which reads codes as fast as memory gives them; more of them, on machines
/// that count bits by looking nibbles up, share the nibbles of a tile of codes. Many queries go through
/// bit slices (see detail/hamming/slices.hpp), whose work per query is less than one popcount a word.
class hamming_batch {
 public:
  using run_type = block_run;

  /// What one worker writes while it scans; reusable between scans and batches.
  class scratch {
    friend class hamming_batch;
    aligned_vector<detail::hamming_hit> hits_;
    aligned_vector<word> limits_;   // of all queries
    aligned_vector<word> planes_;   // of a superblock
    aligned_vector<word> table_;    // of the carries of a slab
    aligned_vector<word> counts_;   // planes of carry counts of the queries of a tile
    aligned_vector<word> nibbles_;  // of a tile of codes
  };

  /// No queries.
  hamming_batch() = default;

  /// As `assign`.
  hamming_batch(code_view<> queries, std::size_t rows, isa level = active_isa()) { assign(queries, rows, level); }

  /// Copies the queries and chooses the kernel by level, width, and numbers of queries and of `rows` to be scanned;
  /// keeps the memory it has. O(queries · bits).
  /// @throws error errc::unsupported for a level that this machine cannot run.
  void assign(code_view<> queries, std::size_t rows, isa level = active_isa()) {
    detail::require_isa(level, "hamming_batch");
    ops_ = &detail::ops_at<detail::hamming_ops>(level);
    bits_ = queries.bits();
    words_ = queries.words();
    size_ = queries.size();
    queries_.assign(queries.data(), queries.data() + size_ * words_);
    nibbles_.clear();
    if (ops_->nibbles_pay(size_, words_)) write_nibbles();
    programs_.clear();
    if (rows >= superblock_rows && ops_->slices_pay(size_, words_, true)) write_programs();
  }

  std::size_t size() const noexcept { return size_; }

  /// Offers to `sink` every pair of a query and a row of `run` whose distance is below `sink.threshold(query)`.
  ///
  /// `sink.threshold(query)` gives an unsigned number that may fall as offers are made, and exceeds every distance
  /// where all rows are wanted; a query whose threshold is 0 is passed over. It is read from time to time only, so
  /// `sink.offer(query, row, distance)` may be called for rows that are no longer below it. Offers for one query come
  /// in ascending order of rows.
  template <class Sink>
  void scan(const block_run& run, scratch& s, Sink& sink) const {
    scan(run, run.planes, s, sink);
  }

  /// The same with `planes` that `build_planes` wrote for this run, from which smaller batches gain already.
  template <class Sink>
  void scan(const block_run& run, const word* planes, scratch& s, Sink& sink) const {
    EMBIT_ASSERT(size_ == 0 || run.words == words_);
    if (size_ == 0) return;
    s.hits_.resize(detail::hamming_sliced_room);
    std::size_t sliced = 0;
    if (!programs_.empty() && ops_->slices_pay(size_, words_, planes != nullptr)) sliced = run.rows / superblock_rows;
    if (sliced != 0) scan_superblocks(run, planes, sliced, s, sink);
    scan_interleaved(run, sliced * superblock_blocks, s, sink);
  }

  /// Words that `build_planes` writes for a run: those of its whole superblocks. The rest is scanned without planes.
  static constexpr std::size_t plane_words(const block_run& run) noexcept {
    return run.rows / superblock_rows * superblock_rows * run.words;
  }

  /// Writes the bit planes of the whole superblocks of a run, 64-byte aligned: plane d of superblock s is the 8 words
  /// from `out[(s · words · 64 + d) · 8]`, where bit r % 64 of word r / 64 is dimension d of row r of the superblock.
  static void build_planes(const block_run& run, word* out, isa level = active_isa()) {
    const auto* sliced = detail::ops_at<detail::hamming_ops>(level).sliced;
    if (sliced == nullptr) raise(errc::unsupported, "build_planes: no bit slices at level ", name_of(level));
    for (std::size_t at = 0; at < plane_words(run); at += superblock_rows * run.words)
      sliced->transpose(run.data + at, run.words, out + at);
  }

 private:
  static constexpr std::size_t superblock_blocks = superblock_rows / block_rows;

  void write_nibbles() {
    nibbles_.reserve(2 * queries_.size());
    for (const word x : queries_) {
      nibbles_.push_back(detail::hamming_nibble_ops::low(x));
      nibbles_.push_back(detail::hamming_nibble_ops::high(x));
    }
  }

  void write_programs() {
    const std::size_t plane_bytes = ops_->sliced->rows / 8;
    program_size_ = 0;
    for (std::size_t slab = 0; slab < slabs(); ++slab) program_size_ += shape(slab).program_size();
    programs_.resize(size_ * program_size_);
    std::uint16_t* program = programs_.data();
    parity_.assign(size_, false);
    for (std::size_t slab = 0; slab < slabs(); ++slab)
      for (std::size_t q = 0; q < size_; ++q, program += shape(slab).program_size())
        parity_[q] = detail::write_slice_program(shape(slab), queries_.data() + q * words_ + slab * detail::slab_words,
                                                 parity_[q], plane_bytes, program);
  }

  std::size_t slabs() const noexcept { return detail::slabs_for(words_); }
  detail::slab_shape shape(std::size_t slab) const noexcept { return detail::shape_of_slab(words_, slab); }

  std::size_t limit_words() const noexcept { return detail::limit_words(detail::count_planes_for(words_)); }

  template <class Sink>
  void read_threshold(std::size_t query, scratch& s, const Sink& sink) const {
    detail::write_limit(s.limits_.data() + query * limit_words(), detail::count_planes_for(words_), parity_[query],
                        threshold(sink, query));
  }

  /// A threshold that no distance reaches is lowered to one that fits the planes of a count.
  template <class Sink>
  std::uint32_t threshold(const Sink& sink, std::size_t query) const {
    return static_cast<std::uint32_t>(std::min<std::size_t>(sink.threshold(query), bits_ + 1));
  }

  /// All blocks from `first` on. Tiles of codes stay in the first-level cache while queries pass over them, each of
  /// which asks for a share of the next tile; one query passes once, and its kernel looks ahead by itself. Where it
  /// pays the bytes of a tile are taken apart for all queries at once.
  template <class Sink>
  void scan_interleaved(const block_run& run, std::size_t first, scratch& s, Sink& sink) const {
    const std::size_t tile_bytes = nibbles_.empty() ? 12 << 10 : 8 << 10;
    const std::size_t block_words = words_ * block_rows;
    const std::size_t tile =
        size_ == 1 ? run.blocks() : std::max<std::size_t>(tile_bytes / sizeof(word) / block_words, 8);
    const std::size_t tile_lines = tile * words_;
    const std::size_t lines = size_ == 1 ? 0 : (tile_lines + size_ - 1) / size_;
    if (!nibbles_.empty()) s.nibbles_.resize(2 * tile * block_words);
    for (; first < run.blocks(); first += tile) {
      const std::size_t last = (std::min)(first + tile, run.blocks());
      const word* next = run.data + (first + tile) * block_words;
      const block_form form = nibbles_.empty() ? as_stored(run) : in_nibbles(run, first, last, s);
      for (std::size_t query = 0; query < size_; ++query) {
        for (std::size_t i = 0; i < lines; ++i) __builtin_prefetch(next + (query * lines + i) * block_rows);
        scan_tile(run, form, first, last, query, s, sink);
      }
    }
  }

  /// Blocks as a kernel takes them, from block `first` of the run on, and the queries that go with them.
  struct block_form {
    detail::hamming_interleaved_scan kernel;
    const word* blocks;
    const word* queries;
    std::size_t words;  // of a code
    std::size_t first;
  };
  block_form as_stored(const block_run& run) const { return {ops_->interleaved, run.data, queries_.data(), words_, 0}; }
  block_form in_nibbles(const block_run& run, std::size_t first, std::size_t last, scratch& s) const {
    const std::size_t block_words = words_ * block_rows;
    ops_->nibbles.split(run.data + first * block_words, (last - first) * block_words, s.nibbles_.data());
    return {ops_->nibbles.scan, s.nibbles_.data(), nibbles_.data(), 2 * words_, first};
  }

  /// One query and blocks [first, last) of the run.
  template <class Sink>
  void scan_tile(const block_run& run, const block_form& form, std::size_t first, std::size_t last, std::size_t query,
                 scratch& s, Sink& sink) const {
    detail::hamming_interleaved_job job{.blocks = form.blocks,
                                        .words = form.words,
                                        .query = form.queries + query * form.words,
                                        .query_number = static_cast<std::uint32_t>(query),
                                        .threshold = 0,
                                        .first_block = first - form.first,
                                        .last_block = last - form.first,
                                        .prefetch = size_ == 1,
                                        .hits = s.hits_.data()};
    while (job.first_block < job.last_block) {
      job.threshold = threshold(sink, query);
      if (job.threshold == 0) return;
      const auto stop = form.kernel(job);
      for (std::size_t i = 0; i < stop.hits; ++i)
        if (const std::size_t row = job.hits[i].row + form.first * block_rows; row < run.rows)
          sink.offer(query, static_cast<row_id>(run.first_row + row), job.hits[i].distance);
      job.first_block = stop.at;
    }
  }

  /// Whole superblocks, for tiles of queries whose programs and counts stay in the second-level cache.
  template <class Sink>
  void scan_superblocks(const block_run& run, const word* planes, std::size_t superblocks, scratch& s,
                        Sink& sink) const {
    constexpr std::size_t tile_bytes = 512 << 10;
    const std::size_t count_words = detail::count_planes_for(words_) * ops_->sliced->rows / word_bits;
    const std::size_t query_bytes =
        program_size_ * sizeof(std::uint16_t) + (slabs() > 1 ? count_words * sizeof(word) : 0);
    const std::size_t tile = (std::min)(size_, std::max<std::size_t>(tile_bytes / query_bytes, 32));
    s.limits_.resize(size_ * limit_words());
    s.table_.resize(detail::slab_shape{detail::slab_words}.table_planes() * ops_->sliced->rows / word_bits);
    s.counts_.resize(tile * count_words);
    if (planes == nullptr) s.planes_.resize(superblock_rows * words_);
    for (std::size_t first = 0; first < size_; first += tile) {
      const std::size_t last = (std::min)(first + tile, size_);
      for (std::size_t i = open_thresholds(run, first, last, s, sink); i < superblocks; ++i) {
        const word* stored = (planes == nullptr ? run.data : planes) + i * superblock_rows * words_;
        if (planes == nullptr) ops_->sliced->transpose(stored, words_, s.planes_.data());
        const word* superblock = planes == nullptr ? s.planes_.data() : stored;
        const word* next = stored + superblock_rows * words_;
        for (std::size_t row = 0; row < superblock_rows; row += ops_->sliced->rows)
          scan_slices(run, superblock, next, i * superblock_rows + row, first, last, s, sink);
      }
    }
  }

  /// Reads the thresholds of a tile of queries. Where one of them is open, every row is a hit, which is cheaper found
  /// by the other kernel: then the first superblock is done here. Returns the superblock to go on from.
  template <class Sink>
  std::size_t open_thresholds(const block_run& run, std::size_t first, std::size_t last, scratch& s, Sink& sink) const {
    bool open = false;
    for (std::size_t q = first; q < last; ++q) open = open || sink.threshold(q) > bits_;
    for (std::size_t q = first; q < last; ++q) {
      if (open) scan_tile(run, as_stored(run), 0, superblock_blocks, q, s, sink);
      read_threshold(q, s, sink);
    }
    return open ? 1 : 0;
  }

  /// Queries [first, last) against the rows of one register width from `row` on, slab by slab. What is stored at
  /// `next` is asked for on the way, a share at each query.
  template <class Sink>
  void scan_slices(const block_run& run, const word* superblock, const word* next, std::size_t row, std::size_t first,
                   std::size_t last, scratch& s, Sink& sink) const {
    const std::size_t passes = slabs() * superblock_rows / ops_->sliced->rows;
    const std::size_t pass_lines = superblock_rows / block_rows * words_ / passes;
    const std::uint16_t* programs = programs_.data();
    for (std::size_t slab = 0; slab < slabs(); ++slab) {
      const std::size_t kind = shape(slab).words - 1;
      const std::size_t pass = row % superblock_rows / ops_->sliced->rows * slabs() + slab;
      const word* planes = superblock + slab * detail::slab_words * superblock_rows + row % superblock_rows / word_bits;
      ops_->sliced->tabulate[kind](planes, slab == 0, s.table_.data());
      detail::hamming_sliced_job job{.table = s.table_.data(),
                                     .programs = programs,
                                     .limits = s.limits_.data(),
                                     .counts = s.counts_.data(),
                                     .first_counted = first,
                                     .first_query = first,
                                     .last_query = last,
                                     .count_planes = detail::count_planes_for(words_),
                                     .first_row = static_cast<std::uint32_t>(row),
                                     .first_slab = slab == 0,
                                     .last_slab = slab + 1 == slabs(),
                                     .soon = next + pass * pass_lines * block_rows,
                                     .lines_per_query = (pass_lines + last - first - 1) / (last - first),
                                     .hits = s.hits_.data()};
      while (job.first_query < last) {
        const auto stop = ops_->sliced->scan[kind](job);
        for (std::size_t i = 0; i < stop.hits; ++i) {
          const auto& hit = job.hits[i];
          sink.offer(hit.query, static_cast<row_id>(run.first_row + hit.row), hit.distance);
          if (i + 1 == stop.hits || job.hits[i + 1].query != hit.query) read_threshold(hit.query, s, sink);
        }
        job.first_query = stop.at;
      }
      programs += size_ * shape(slab).program_size();
    }
  }

  const detail::hamming_ops* ops_ = nullptr;
  std::size_t bits_ = 0;
  std::size_t words_ = 0;
  std::size_t size_ = 0;
  std::size_t program_size_ = 0;
  aligned_vector<word> queries_;
  aligned_vector<word> nibbles_;            // of the queries; empty where they never pay
  aligned_vector<std::uint16_t> programs_;  // by slab, then by query; empty where slices never pay
  std::vector<bool> parity_;                // of each query
};

}  // namespace embit::inline EMBIT_ABI
