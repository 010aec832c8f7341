// Cross-polytope hashing: the nearest axis after a random rotation, a key rather than a bit.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/random.hpp>
#include <embit/core/types.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/kernel/hadamard.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct cross_polytope_options {
  std::size_t dim = 0;     ///< of the input rows, at least 1
  std::size_t tables = 0;  ///< keys a row, 1 to 65536 as an `lsh_table` has
  std::size_t hashes = 1;  ///< joined into a key, at least 1
};

/// Keys of rows by cross-polytope hashing, for the tables of an `lsh_table`: a hash is the vertex ±e_i nearest to the
/// row after a random rotation, and takes log2(2 dim) bits, dim being rounded up to a power of two. Rotations are
/// three rounds of random signs and a Walsh–Hadamard transform. Scaling a row by a positive number hardly changes its
/// keys, and the opposite row has the opposite vertices. Nothing is rounded but one division of each number and sums in
/// a fixed order, so that every platform and every SIMD level has the same keys. Immutable; copies share the signs;
/// safe to use from many threads. Andoni, Indyk, Laarhoven, Razenshteyn and Schmidt, "Practical and optimal LSH for
/// angular distance", NIPS 2015.
class cross_polytope {
 public:
  /// Draws the signs from `engine`, table by table, so that fewer tables have the first keys of more.
  /// @throws error errc::argument when dim, tables or hashes is 0, for more than 65536 tables or a key of more than 32
  /// bits.
  template <std::uniform_random_bit_generator Engine>
  cross_polytope(cross_polytope_options options, Engine& engine) : options_(options) {
    if (options.dim == 0 || options.tables == 0 || options.hashes == 0)
      raise(errc::argument, "cross_polytope: dim ", options.dim, ", tables ", options.tables, " and hashes ",
            options.hashes, " must be at least 1");
    if (options.tables > most_tables)
      raise(errc::argument, "cross_polytope: ", options.tables, " tables where ", most_tables, " are possible");
    if (options.dim > std::size_t{1} << 31 || options.hashes > 32 || bits() > 32)
      raise(errc::argument, "cross_polytope: ", options.hashes, " hashes of ", options.dim,
            " dimensions do not fit a key of 32 bits");
    std::vector<word> signs(sign_words());
    for (word& w : signs) w = random_bits(engine);
    signs_ = std::make_shared<const std::vector<word>>(std::move(signs));
  }

  std::size_t dim() const noexcept { return options_.dim; }
  std::size_t tables() const noexcept { return options_.tables; }
  std::size_t hashes() const noexcept { return options_.hashes; }
  /// Bits of a key.
  std::size_t bits() const noexcept { return options_.hashes * hash_bits(); }

  /// The keys of `rows` (n × dim), n × tables. O(n · tables · hashes · dim · log dim).
  /// @throws error errc::shape for another dimension, errc::not_finite naming the first bad row.
  template <Executor Exec = inline_executor>
  matrix<std::uint32_t> encode(matrix_view<const float> rows, const Exec& executor = {}) const {
    return probes(rows, 1, executor);
  }

  /// The keys of the `count` likeliest buckets of each row in each table, n × (count · tables), those of table t in
  /// columns t, t + tables, … and the row's own first; what an `lsh_table` looks up. A key is likelier the less its
  /// vertices fall short of the nearest ones: by the sum of the squares of what they fall short by (section 4).
  /// @throws error as `encode` does, and errc::argument for a count of 0 or more than a table has keys.
  template <Executor Exec = inline_executor>
  matrix<std::uint32_t> probes(matrix_view<const float> rows, std::size_t count, const Exec& executor = {}) const {
    if (rows.cols() != dim()) raise(errc::shape, "rows: ", rows.cols(), " columns where dim is ", dim());
    if (count == 0 || count > std::size_t{1} << bits())
      raise(errc::argument, "count: ", count, " probes, but a table has ", std::size_t{1} << bits(), " keys");
    detail::require_finite(rows, "rows");
    auto keys = matrix<std::uint32_t>::uninitialized(rows.rows(), count * tables());
    std::vector<scratch> memory(executor.concurrency());
    constexpr std::size_t rows_at_a_time = 16;
    run_ranges(executor, rows.rows(), rows_at_a_time, executor.concurrency() * 4,
               [&](std::size_t first, std::size_t last, std::size_t worker) {
                 for (std::size_t i = first; i < last; ++i) {
                   scale(rows[i], memory[worker].scaled);
                   for (std::size_t t = 0; t < tables(); ++t) write_keys(t, count, keys[i], memory[worker]);
                 }
               });
    return keys;
  }

  static constexpr file_kind file{"cross_polytope", 1};

  /// The sections of the file that `save` writes: "shape" (u64 dim, u64 tables, u64 hashes) and "signs" (a bit a
  /// coordinate: round by round, hash by hash, table by table).
  void write_to(const section_writer& out) const {
    metadata_writer shape;
    shape.u64(dim()).u64(tables()).u64(hashes());
    out.add("shape", std::move(shape));
    out.add("signs", std::span<const word>(*signs_));
  }
  /// @throws error errc::format, errc::checksum or errc::io.
  static cross_polytope read_from(const section_reader& in) {
    metadata_reader shape = in.metadata("shape");
    const std::uint64_t dim = shape.u64(), tables = shape.u64(), hashes = shape.u64();
    if (dim == 0 || dim > std::uint64_t{1} << 31 || tables == 0 || tables > most_tables || hashes == 0 || hashes > 32)
      shape.refuse("dim ", dim, ", tables ", tables, ", hashes ", hashes);
    cross_polytope read({.dim = static_cast<std::size_t>(dim),
                         .tables = static_cast<std::size_t>(tables),
                         .hashes = static_cast<std::size_t>(hashes)});
    if (read.bits() > 32) shape.refuse(hashes, " hashes of ", dim, " dimensions");
    const auto signs = in.array<word>("signs", read.sign_words());
    read.signs_ = std::make_shared<const std::vector<word>>(signs.begin(), signs.end());
    return read;
  }

 private:
  static constexpr std::size_t rounds = 3, most_tables = std::size_t{1} << 16;

  explicit cross_polytope(cross_polytope_options options) : options_(options) {}

  struct vertex {
    double shortfall;  // squared, of the nearest vertex
    std::uint32_t hash;
  };
  // A key by the ranks of its vertices. Later ones raise the rank of `last` or of a hash after it, so that each set of
  // ranks is reached one way.
  struct choice {
    double shortfall;
    std::vector<std::uint32_t> ranks;
    std::size_t last;
  };
  struct scratch {
    aligned_vector<float> scaled, rotated;
    std::vector<std::vector<vertex>> nearest;  // by hash
    std::vector<choice> heap;
  };

  std::size_t padded() const noexcept { return std::bit_ceil(options_.dim); }
  std::size_t sign_words() const noexcept { return tables() * hashes() * rounds * words_for(padded()); }
  std::size_t hash_bits() const noexcept { return static_cast<std::size_t>(std::bit_width(padded())); }

  // The row, padded, its largest number being ±1: sums cannot overflow then.
  void scale(std::span<const float> row, aligned_vector<float>& out) const {
    out.assign(padded(), 0.f);
    float largest = 0;
    for (const float x : row) largest = (std::max)(largest, std::abs(x));
    if (largest != 0) std::transform(row.begin(), row.end(), out.begin(), [=](float x) { return x / largest; });
  }

  // Without the factors that would keep lengths, which no hash depends on.
  void rotate(std::size_t table, std::size_t hash, scratch& memory) const {
    const auto& level = detail::ops_at<detail::hadamard_ops>(active_isa());
    const std::size_t words = words_for(padded());
    const word* signs = signs_->data() + (table * hashes() + hash) * rounds * words;
    memory.rotated.resize(padded());
    float* const out = memory.rotated.data();
    for (std::size_t r = 0; r < rounds; ++r, signs += words) {
      level.flip(r == 0 ? memory.scaled.data() : out, out, signs, padded());
      level.transform(out, padded());
    }
  }

  // The nearest vertex; of several, the one of the first axis. Magnitudes are in the order of their bits, which
  // compilers compare many at a time.
  std::uint32_t hash_of(std::span<const float> rotated) const noexcept {
    const auto magnitude = [](float x) { return std::bit_cast<std::int32_t>(x) & 0x7fffffff; };
    std::int32_t most = 0;
    for (const float x : rotated) most = (std::max)(most, magnitude(x));
    std::size_t best = 0;
    while (magnitude(rotated[best]) != most) ++best;
    return vertex_at(best, rotated[best] < 0);
  }
  std::uint32_t vertex_at(std::size_t axis, bool negative) const noexcept {
    return static_cast<std::uint32_t>(axis | std::size_t{negative} << (hash_bits() - 1));
  }

  void write_keys(std::size_t table, std::size_t count, std::span<std::uint32_t> keys, scratch& memory) const {
    if (count == 1) {
      std::uint64_t key = 0;
      for (std::size_t h = 0; h < hashes(); ++h) {
        rotate(table, h, memory);
        key = key << hash_bits() | hash_of(memory.rotated);
      }
      keys[table] = static_cast<std::uint32_t>(key);
      return;
    }
    memory.nearest.resize(hashes());
    for (std::size_t h = 0; h < hashes(); ++h) {
      rotate(table, h, memory);
      rank_vertices(memory.rotated, count, memory.nearest[h]);
    }
    choose_keys(table, count, keys, memory);
  }

  // The `count` nearest vertices, or all.
  void rank_vertices(std::span<const float> rotated, std::size_t count, std::vector<vertex>& nearest) const {
    const double top = std::abs(double{rotated[hash_of(rotated) & (padded() - 1)]});
    nearest.clear();
    for (std::size_t j = 0; j < rotated.size(); ++j)
      for (const bool negative : {false, true}) {
        const double shortfall = top - (negative ? -double{rotated[j]} : double{rotated[j]});
        nearest.push_back({shortfall * shortfall, vertex_at(j, negative)});
      }
    // The row's own vertex stays the first where others are as near.
    const std::uint32_t own = hash_of(rotated);
    const auto before = [own](const vertex& a, const vertex& b) {
      if (a.shortfall != b.shortfall) return a.shortfall < b.shortfall;
      if ((a.hash == own) != (b.hash == own)) return a.hash == own;
      return a.hash < b.hash;
    };
    const auto kept = static_cast<std::ptrdiff_t>((std::min)(count, nearest.size()));
    std::partial_sort(nearest.begin(), nearest.begin() + kept, nearest.end(), before);
    nearest.resize(static_cast<std::size_t>(kept));
  }

  void choose_keys(std::size_t table, std::size_t count, std::span<std::uint32_t> keys, scratch& memory) const {
    const auto later = [](const choice& a, const choice& b) {
      return a.shortfall != b.shortfall ? a.shortfall > b.shortfall : a.ranks > b.ranks;
    };
    auto& heap = memory.heap;
    heap.assign(1, {0, std::vector<std::uint32_t>(hashes(), 0), 0});
    for (std::size_t i = 0; i < count; ++i) {
      std::pop_heap(heap.begin(), heap.end(), later);
      const choice best = std::move(heap.back());
      heap.pop_back();
      std::uint64_t key = 0;
      for (std::size_t h = 0; h < hashes(); ++h) key = key << hash_bits() | memory.nearest[h][best.ranks[h]].hash;
      keys[i * tables() + table] = static_cast<std::uint32_t>(key);
      for (std::size_t h = best.last; h < hashes(); ++h) {
        const auto& nearest = memory.nearest[h];
        const std::size_t rank = best.ranks[h];
        if (rank + 1 == nearest.size()) continue;
        choice next{best.shortfall + (nearest[rank + 1].shortfall - nearest[rank].shortfall), best.ranks, h};
        ++next.ranks[h];
        heap.push_back(std::move(next));
        std::push_heap(heap.begin(), heap.end(), later);
      }
    }
  }

  cross_polytope_options options_;
  detail::shared_state<const std::vector<word>>
      signs_;  // a bit a coordinate: round by round, hash by hash, table by table
};

static_assert(Encoder<cross_polytope>);

}  // namespace embit::inline EMBIT_ABI
