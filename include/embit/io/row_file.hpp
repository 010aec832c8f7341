// Rows of a matrix that stays in its file: read one by one, each once a batch, in the order in which they lie.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/reuse_pool.hpp>
#include <embit/core/types.hpp>
#include <embit/io/detail/block_cache.hpp>
#include <embit/io/detail/page_advice.hpp>
#include <embit/io/dtype.hpp>
#include <embit/io/file.hpp>
#include <embit/io/mapped_file.hpp>
#include <embit/io/row_layout.hpp>
#include <embit/io/row_range.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// How rows of a file come into memory.
enum class file_reads {
  mapped,  ///< seen where the system keeps the file: cheapest, but a file cut short while a row is read ends the
           ///< program
  pread    ///< copied, through a cache of its own: a file cut short is an error
};

struct row_file_options {
  file_reads reads = file_reads::mapped;
  std::size_t cache_bytes = std::size_t{16} << 20;  ///< of the cache of `pread`, 0 for none; `mapped` has the system's
  row_source source = {};
};

/// What was read of a file since it was opened, by all copies of a handle.
struct row_file_statistics {
  std::uint64_t rows = 0;    ///< each once a batch
  std::uint64_t pages = 0;   ///< different pages that the rows of a batch lie in
  std::uint64_t cached = 0;  ///< pages that `pread` found in its cache
  std::uint64_t calls = 0;   ///< of the system: for bytes, or for pages to be there soon
};

/// The rows of a .npy, .fvecs, .bvecs, .fbin, .u8bin or .i8bin file, of a matrix in a file of this library, or of raw
/// numbers; float32, float16, int8 or uint8, read as float. Opening reads headers alone.
///
/// The pages of a batch are asked for before the first of its rows is read, so that a disk has all of them to do at
/// once. Mapped, pages asked for before are taken to be there still, until the process waits for one; whether the file
/// has become shorter is looked at before each batch, but a file cut short *during* a batch ends the program (SIGBUS),
/// as with every mapping. `file_reads::pread` has no such danger: adjacent pages are read by one call, and kept in a
/// cache of `cache_bytes` that all threads and all copies of the handle share, each page under a lock of its part of
/// the cache for the time of a copy; two threads that miss the same page at once both read it. Rows that others write
/// anew meanwhile may be seen as they were.
///
/// A cheap handle to copy; the file is closed with the last copy. Safe to read from many threads.
class row_file {
 public:
  /// @throws error what `read_row_layout` throws; errc::io, errc::denied or errc::not_a_file.
  explicit row_file(std::string path, row_file_options options = {})
      : state_(std::make_shared<const state>(input_file(std::move(path)), options)) {}

  const std::string& path() const& noexcept { return state_->file().path(); }
  const std::string& path() const&& = delete;
  std::size_t rows() const noexcept { return layout().rows; }
  std::size_t cols() const noexcept { return layout().cols; }
  dtype type() const noexcept { return layout().type; }
  const row_layout& layout() const& noexcept { return state_->layout; }
  const row_layout& layout() const&& = delete;
  file_reads reads() const noexcept { return state_->mapped ? file_reads::mapped : file_reads::pread; }
  row_file_statistics statistics() const noexcept { return state_->counted.now(); }
  /// Bytes beside those of the file: the cache of `pread`, the marks of pages that were asked for.
  std::size_t memory() const noexcept { return sizeof(state) + state_->cache.memory() + state_->advice.memory(); }

  /// Calls `f(i, numbers, worker)` for rows[i], all rows of a batch: `numbers` are the bytes of the row as the file has
  /// them, aligned to nothing, and valid during the call. In ascending order a worker.
  /// @param rows  ascending; none twice is cheapest
  /// @throws error errc::out_of_range for a row that is not there, errc::changed when the file is shorter than it was,
  /// errc::format for a row of another dimension (.fvecs, .bvecs), errc::io; all with the path and the byte.
  template <class F, Executor Exec = inline_executor>
  void for_each(std::span<const row_id> rows, F&& f, const Exec& executor = {}) const {
    require_rows(rows);
    const bool by_map = state_->mapped;
    const auto waited = by_map ? detail::page_advice::faults() : 0;
    prepare(rows);
    constexpr std::size_t grain = 32;
    const std::size_t workers = executor.concurrency();
    run_ranges(executor, rows.size(), grain, workers == 1 ? 1 : 4 * workers,
               [&](std::size_t first, std::size_t last, std::size_t worker) {
                 if (by_map)
                   read_mapped(rows, first, last, worker, f);
                 else
                   read_copied(rows, first, last, worker, f);
               });
    if (by_map && detail::page_advice::faults() != waited) state_->advice.forget();
  }

  /// Rows in any order, each as often as it is asked for, as floats: out[i] is row rows[i].
  /// @throws error as `for_each`, errc::shape for an `out` of another shape.
  void read(std::span<const row_id> rows, matrix_view<float> out) const {
    if (out.rows() != rows.size() || (out.cols() != cols() && !rows.empty()))
      raise(errc::shape, "out: ", out.rows(), " x ", out.cols(), " for ", rows.size(), " rows of ", cols());
    std::vector<std::uint64_t> places(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) places[i] = std::uint64_t{rows[i]} << 32 | i;
    std::ranges::sort(places);
    std::vector<row_id> ascending(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) ascending[i] = static_cast<row_id>(places[i] >> 32);
    for_each(ascending, [&](std::size_t i, const std::byte* numbers, std::size_t) {
      convert(numbers, out[places[i] & 0xffffffffu]);
    });
  }

  /// All rows, or some, as floats.
  /// @throws error as `for_each`, errc::out_of_range when the range begins past the end.
  matrix<float> read(row_range range = {}) const {
    auto out = matrix<float>::uninitialized(detail::rows_within(range, rows(), path()), cols());
    std::vector<row_id> some;
    for (std::size_t done = 0; done < out.rows(); done += some.size()) {
      some.resize((std::min)(std::size_t{1} << 16, out.rows() - done));
      for (std::size_t i = 0; i < some.size(); ++i) some[i] = static_cast<row_id>(range.first + done + i);
      for_each(some, [&](std::size_t i, const std::byte* numbers, std::size_t) { convert(numbers, out[done + i]); });
    }
    return out;
  }

  /// The numbers of a row as floats.
  void convert(const std::byte* numbers, std::span<float> out) const noexcept {
    switch (type()) {
      case dtype::f16: detail::convert_numbers<half>(numbers, out); return;
      case dtype::i8: detail::convert_numbers<std::int8_t>(numbers, out); return;
      case dtype::u8: detail::convert_numbers<std::uint8_t>(numbers, out); return;
      default: detail::convert_numbers<float>(numbers, out);
    }
  }

 private:
  static constexpr std::uint64_t most_bytes = ~std::uint64_t{0};

  struct counters {
    mutable std::atomic<std::uint64_t> rows{0}, pages{0}, cached{0}, calls{0};
    static void add(std::atomic<std::uint64_t>& to, std::uint64_t n) noexcept {
      to.fetch_add(n, std::memory_order_relaxed);
    }
    row_file_statistics now() const noexcept {
      return {rows.load(std::memory_order_relaxed), pages.load(std::memory_order_relaxed),
              cached.load(std::memory_order_relaxed), calls.load(std::memory_order_relaxed)};
    }
  };

  struct state {
    state(input_file opened, const row_file_options& options)
        : layout(read_row_layout(opened, options.source)),
          mapped(options.reads == file_reads::mapped),
          page(detail::page_advice::page_size()),
          cache(page, mapped ? 0 : (std::min)(options.cache_bytes, enough_for(opened.size()))),
          advice(mapped ? opened.size() : 0) {
      if (layout.rows > std::uint64_t{1} << 32)
        raise(errc::unsupported, opened.path(), ": ", layout.rows, " rows are more than row numbers tell apart");
      if (mapped)
        map = mapped_file(std::move(opened));
      else
        plain = std::move(opened);
      map.advise(access_pattern::random);
    }
    const input_file& file() const noexcept { return mapped ? map.file() : plain; }
    /// For all pages of a file, although sets are not filled evenly.
    std::size_t enough_for(std::uint64_t size) const noexcept { return 2 * static_cast<std::size_t>(size) + 64 * page; }

    row_layout layout;
    bool mapped;
    std::size_t page;
    mapped_file map;
    input_file plain;
    mutable detail::block_cache cache;
    mutable detail::page_advice advice;
    mutable reuse_pool<aligned_vector<std::byte>> buffers;
    counters counted;
  };

  void require_rows(std::span<const row_id> rows) const {
    EMBIT_ASSERT(std::ranges::is_sorted(rows));
    if (!rows.empty() && rows.back() >= layout().rows)
      raise(errc::out_of_range, path(), ": row ", rows.back(), " at byte ", layout().at(rows.back()), ", of ",
            layout().rows, " rows");
    if (rows.empty() || !state_->mapped) return;
    if (const std::uint64_t now = state_->file().current_size(); now < layout().end())
      raise(errc::changed, path(), ": has ", now, " bytes and had ", state_->file().size(), "; ", layout().rows,
            " rows end at byte ", layout().end());
  }

  std::uint64_t first_byte(row_id row) const noexcept { return layout().at(row) - (layout().counted ? 4 : 0); }
  std::uint64_t first_page(row_id row) const noexcept { return first_byte(row) / state_->page; }
  /// The last page that a row has bytes in.
  std::uint64_t last_page(row_id row) const noexcept {
    return (layout().at(row) + layout().row_bytes() - 1) / state_->page;
  }

  /// Calls `f(first, last, end)` for runs of rows [first, last) whose pages, up to `end`, adjoin; a run has no more
  /// bytes than `most`, or one row.
  template <class F>
  void for_each_run(std::span<const row_id> rows, std::size_t first, std::size_t last, std::uint64_t most,
                    F&& f) const {
    while (first < last) {
      const std::uint64_t begin = first_page(rows[first]);
      std::uint64_t end = last_page(rows[first]) + 1;
      std::size_t next = first + 1;
      for (; next < last && first_page(rows[next]) <= end; ++next) {
        const std::uint64_t further = last_page(rows[next]) + 1;
        if ((further - begin) * state_->page > most) break;
        end = (std::max)(end, further);
      }
      f(first, next, begin, end);
      first = next;
    }
  }

  /// Counts, and asks for the pages.
  void prepare(std::span<const row_id> rows) const {
    std::uint64_t different = 0, pages = 0, calls = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) different += i == 0 || rows[i] != rows[i - 1];
    for_each_run(rows, 0, rows.size(), most_bytes,
                 [&](std::size_t first, std::size_t, std::uint64_t begin, std::uint64_t end) {
                   pages += end - begin;
                   calls += ask_for(first, begin, end);
                 });
    counters::add(state_->counted.rows, different);
    counters::add(state_->counted.pages, pages);
    counters::add(state_->counted.calls, calls);
  }

  /// The pages [begin, end), which begin with those of rows[first]; whether there was a reason to ask.
  bool ask_for(std::size_t first, std::uint64_t begin, std::uint64_t end) const noexcept {
    const std::uint64_t from = begin * state_->page, count = (std::min)(end * state_->page, layout().end()) - from;
    if (state_->mapped) {
      if (!state_->advice.mark(begin, end)) return false;
      state_->map.advise(access_pattern::soon, static_cast<std::size_t>(from), static_cast<std::size_t>(count));
    } else {
      if (first == 0 || state_->cache.contains(begin)) return false;  // the first is read at once
      state_->plain.expect(from, count);
    }
    return true;
  }

  /// @param numbers  of the row, after its dimension where the file tells it
  void require_dimension(row_id row, const std::byte* numbers) const {
    if (!layout().counted) return;
    std::int32_t dim = 0;
    std::memcpy(&dim, numbers - 4, 4);
    if (dim < 0 || static_cast<std::size_t>(dim) != cols())
      raise(errc::format, path(), ": row ", row, " at byte ", first_byte(row), ": dimension ", dim,
            " where the first row has ", cols());
  }

  template <class F>
  void read_mapped(std::span<const row_id> rows, std::size_t first, std::size_t last, std::size_t worker, F& f) const {
    const std::byte* const bytes = state_->map.bytes().data();
    for (std::size_t i = first; i < last; ++i) {
      constexpr std::size_t ahead = 4;
      if (i + ahead < last) prefetch(bytes + layout().at(rows[i + ahead]));
      const std::byte* const numbers = bytes + layout().at(rows[i]);
      require_dimension(rows[i], numbers);
      f(i, numbers, worker);
    }
  }

  /// The first lines of a row that will be read soon.
  void prefetch(const std::byte* row) const noexcept {
#if defined(__GNUC__) || defined(__clang__)
    constexpr std::size_t line = 64, most = 16;
    for (std::size_t j = 0; j < (std::min)(layout().row_bytes(), most * line); j += line) __builtin_prefetch(row + j);
#else
    static_cast<void>(row);
#endif
  }

  template <class F>
  void read_copied(std::span<const row_id> rows, std::size_t first, std::size_t last, std::size_t worker, F& f) const {
    constexpr std::uint64_t most = std::uint64_t{1} << 18;  // stays in the cache of the processor
    const auto buffer = state_->buffers.take();
    for_each_run(rows, first, last, most, [&](std::size_t i, std::size_t end, std::uint64_t page, std::uint64_t after) {
      const std::uint64_t from = page * state_->page;
      const std::uint64_t to = (std::min)(after * state_->page, layout().end());
      buffer->resize(static_cast<std::size_t>(to - from));
      fill(page, *buffer);
      for (; i < end; ++i) {
        const std::byte* const numbers = buffer->data() + (layout().at(rows[i]) - from);
        require_dimension(rows[i], numbers);
        f(i, numbers, worker);
      }
    });
  }

  /// Adjacent pages from `page` on: those of the cache copied, the others between them read by one call a stretch.
  void fill(std::uint64_t page, std::span<std::byte> out) const {
    const std::size_t step = state_->page;
    std::uint64_t cached = 0, calls = 0;
    const auto piece = [&](std::size_t at) { return out.subspan(at, (std::min)(step, out.size() - at)); };
    for (std::size_t at = 0; at < out.size();) {
      std::size_t missing = at;
      while (missing < out.size() && !state_->cache.get(page + missing / step, piece(missing))) missing += step;
      if (missing < out.size()) ++cached;
      const std::size_t end = (std::min)(missing, out.size());
      if (at < end) {
        ++calls;
        state_->plain.read(page * step + at, out.subspan(at, end - at));
        for (; at < end; at += step) state_->cache.put(page + at / step, piece(at));
      }
      at = missing + step;
    }
    counters::add(state_->counted.cached, cached);
    counters::add(state_->counted.calls, calls);
  }

  detail::shared_state<const state> state_;
};

}  // namespace embit::inline EMBIT_ABI
