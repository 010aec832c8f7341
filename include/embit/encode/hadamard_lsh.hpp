// Random hyperplanes that are the rows of randomized Hadamard transforms: O(bits · log dim) instead of O(bits · dim).
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/random.hpp>
#include <embit/core/types.hpp>
#include <embit/io/matrix_section.hpp>
#include <embit/kernel/hadamard.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstddef>
#include <memory>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct hadamard_lsh_options {
  std::size_t dim = 0;     ///< of the input rows, at least 1
  std::size_t bits = 0;    ///< of the codes, at least 1; any number
  std::size_t rounds = 3;  ///< of random signs and a Hadamard transform, from 1 to 8
};

/// Bits are the signs of randomized Hadamard transforms: with d = dim rounded up to a power of two, bits
/// [t · d, (t + 1) · d) are the coordinates of (H D)^rounds x above their thresholds, D being random signs of
/// transform t. The planes of one transform are orthogonal where dim is d. No product is stored but one block of d.
/// Thresholds and margins are in the unit of planes of length 1. The same codes at every SIMD level. Immutable; copies
/// share the signs; safe to use from many threads.
class hadamard_projection {
 public:
  /// Draws the signs from `engine`, transform by transform, so that fewer bits are the first of more.
  /// @throws error errc::argument when dim or bits is 0 or rounds is not 1 to 8.
  template <std::uniform_random_bit_generator Engine>
  hadamard_projection(hadamard_lsh_options options, Engine& engine) : options_(options) {
    if (options.dim == 0 || options.dim > most || options.bits == 0 || options.bits > most)
      raise(errc::argument, "hadamard_lsh: dim ", options.dim, " and bits ", options.bits, " must be 1 to ", most);
    if (options.rounds == 0 || options.rounds > 8)
      raise(errc::argument, "hadamard_lsh: ", options.rounds, " rounds where 1 to 8 are possible");
    std::vector<word> signs(sign_words());
    for (word& w : signs) w = random_bits(engine);
    signs_ = std::make_shared<const std::vector<word>>(std::move(signs));
    set_thresholds(std::vector<float>(options.bits));
  }

  /// The same planes with other thresholds, one a bit.
  /// @throws error errc::shape for another number of them, errc::not_finite.
  hadamard_projection with_thresholds(std::span<const float> thresholds) const {
    if (thresholds.size() != bits()) raise(errc::shape, "thresholds: ", thresholds.size(), " for ", bits(), " bits");
    detail::require_finite(matrix_view<const float>(thresholds.data(), 1, thresholds.size()), "thresholds");
    hadamard_projection other = *this;
    other.set_thresholds({thresholds.begin(), thresholds.end()});
    return other;
  }

  std::size_t dim() const noexcept { return options_.dim; }
  std::size_t bits() const noexcept { return options_.bits; }
  std::size_t rounds() const noexcept { return options_.rounds; }
  /// Changes with everything that codes depend on.
  encoder_fingerprint fingerprint() const noexcept { return limits_->fingerprint; }
  /// The threshold of every bit.
  std::span<const float> thresholds() const& noexcept { return limits_->unit; }
  std::span<const float> thresholds() const&& = delete;

  /// Codes of `rows` (n × dim), in order. O(n · bits · rounds · log dim).
  /// @throws error errc::shape for another dimension, errc::not_finite naming the first bad row.
  template <Executor Exec = inline_executor>
  code_store<> encode(matrix_view<const float> rows, const Exec& executor = {}) const {
    require_columns(rows);
    code_store<> codes(rows.rows(), bits(), fingerprint());
    const auto& level = detail::ops_at<detail::hadamard_ops>(active_isa());
    std::atomic<bool> finite{true};
    run_ranges(executor, rows.rows(), 1, executor.concurrency() * 4,
               [&](std::size_t first, std::size_t last, std::size_t) {
                 aligned_vector<float> block(block_size(), 0.f);
                 for (std::size_t i = first; i < last; ++i)
                   if (!write_code(level, rows[i], block, codes.row(i))) finite.store(false, std::memory_order_relaxed);
               });
    // Finite rows whose sums overflow pass the second look.
    if (!finite.load(std::memory_order_relaxed)) detail::require_finite(rows, "rows");
    return codes;
  }
  /// The code of one row, a batch of one.
  template <detail::SingleRow Row>
  code_store<> encode(const Row& row) const {
    const std::span<const float> numbers(row);
    return encode(matrix_view<const float>(numbers.data(), 1, numbers.size()));
  }

  /// Writes the code of one row of dim floats into words_for(bits) words. O(bits · rounds · log dim).
  /// @throws error errc::shape for another dimension or number of words, errc::not_finite; `code` is then unchanged.
  void encode_into(std::span<const float> row, std::span<word> code) const {
    const matrix_view<const float> rows(row.data(), 1, row.size());
    require_columns(rows);
    if (code.size() != words_for(bits()))
      raise(errc::shape, "code: ", code.size(), " words for a code of ", bits(), " bits");
    detail::require_finite(rows, "row");
    aligned_vector<float> block(block_size(), 0.f);
    write_code(detail::ops_at<detail::hadamard_ops>(active_isa()), row, block, code);
  }

  /// The product of each row with each plane, the planes being of length 1: n × bits. O(n · bits · rounds · log dim).
  /// @throws error errc::shape for another dimension, errc::not_finite for NaN or infinity, also in the result.
  template <Executor Exec = inline_executor>
  matrix<float> projections(matrix_view<const float> rows, const Exec& executor = {}) const {
    require_columns(rows);
    detail::require_finite(rows, "rows");
    auto out = matrix<float>::uninitialized(rows.rows(), bits());
    const auto& level = detail::ops_at<detail::hadamard_ops>(active_isa());
    run_ranges(executor, rows.rows(), 1, executor.concurrency() * 4,
               [&](std::size_t first, std::size_t last, std::size_t) {
                 aligned_vector<float> block(padded());
                 for (std::size_t i = first; i < last; ++i)
                   for (std::size_t t = 0; t < transforms(); ++t) {
                     transform(level, rows[i], t, block.data());
                     const std::size_t count = (std::min)(padded(), bits() - t * padded());
                     std::transform(block.data(), block.data() + count, out[i].data() + t * padded(),
                                    [f = length()](float x) { return static_cast<float>(double{x} / f); });
                   }
               });
    detail::require_finite(out.view(), "projections");
    return out;
  }

  /// How far each row is from changing each bit: |projection - threshold|, n × bits. The smaller the margin, the
  /// likelier a near row has the other bit. O(n · bits · rounds · log dim).
  /// @throws error as `projections` does.
  template <Executor Exec = inline_executor>
  matrix<float> margins(matrix_view<const float> rows, const Exec& executor = {}) const {
    matrix<float> out = projections(rows, executor);
    for (std::size_t i = 0; i < out.rows(); ++i)
      for (std::size_t j = 0; j < bits(); ++j) out[i][j] = std::abs(out[i][j] - thresholds()[j]);
    return out;
  }

  /// The planes as a matrix, bits × dim: a `sign_projection` of them has the same codes but for rounding.
  /// O(dim · bits · rounds · log dim).
  matrix<float> planes() const {
    matrix<float> axis(1, dim(), 0.f), out(bits(), dim());
    for (std::size_t k = 0; k < dim(); ++k) {
      axis[0][k] = 1;
      const auto column = projections(axis);
      for (std::size_t j = 0; j < bits(); ++j) out[j][k] = column[0][j];
      axis[0][k] = 0;
    }
    return out;
  }

  static constexpr file_kind file{"hadamard_projection", 1};

  /// The sections of the file that `save` writes: "shape" (u64 dim, u64 bits, u64 rounds), "signs" (a bit a coordinate:
  /// round by round, transform by transform) and "thresholds", one a bit.
  void write_to(const section_writer& out) const {
    metadata_writer shape;
    shape.u64(dim()).u64(bits()).u64(rounds());
    out.add("shape", std::move(shape));
    out.add("signs", std::span<const word>(*signs_));
    detail::add_matrix(out, "thresholds", thresholds());
  }
  /// @throws error errc::format, errc::checksum or errc::io.
  static hadamard_projection read_from(const section_reader& in) {
    metadata_reader shape = in.metadata("shape");
    const std::uint64_t dim = shape.u64(), bits = shape.u64(), rounds = shape.u64();
    if (dim == 0 || dim > most || bits == 0 || bits > most || rounds == 0 || rounds > 8)
      shape.refuse("dim ", dim, ", bits ", bits, ", rounds ", rounds);
    hadamard_projection read({.dim = static_cast<std::size_t>(dim),
                              .bits = static_cast<std::size_t>(bits),
                              .rounds = static_cast<std::size_t>(rounds)});
    const auto signs = in.array<word>("signs", read.sign_words());
    read.signs_ = std::make_shared<const std::vector<word>>(signs.begin(), signs.end());
    const matrix<float> thresholds = detail::take_matrix(in, "thresholds");
    if (thresholds.rows() * thresholds.cols() != bits)
      raise(errc::format, in.path(), ": section 'thresholds': ", thresholds.cols(), " thresholds for ", bits, " bits");
    read.set_thresholds({thresholds.values().begin(), thresholds.values().end()});
    return read;
  }

 private:
  static constexpr std::uint64_t most = std::uint64_t{1} << 32;  // of which products of two do not overflow

  explicit hadamard_projection(hadamard_lsh_options options) : options_(options) {}

  struct limits {
    std::vector<float> unit;       // as given
    aligned_vector<float> scaled;  // to the length of the planes as they are; to whole blocks with +infinity
    encoder_fingerprint fingerprint = 0;
  };

  std::size_t padded() const noexcept { return std::bit_ceil(dim()); }
  std::size_t transforms() const noexcept { return (bits() - 1) / padded() + 1; }
  std::size_t sign_words() const noexcept { return transforms() * rounds() * words_for(padded()); }
  /// Floats that are packed at once: a transform, or as many small ones as make a word.
  std::size_t block_size() const noexcept { return (std::max)(padded(), word_bits); }
  /// Of the planes before they are scaled to 1.
  double length() const noexcept {
    return std::sqrt(std::ldexp(1., static_cast<int>(rounds()) * std::countr_zero(padded())));
  }

  void set_thresholds(std::vector<float> unit) {
    limits made;
    made.scaled.assign(((bits() - 1) / block_size() + 1) * block_size(), detail::infinity<float>());
    std::ranges::transform(unit, made.scaled.begin(),
                           [f = length()](float x) { return static_cast<float>(f * double{x}); });
    made.fingerprint = detail::fingerprint_hash().add(dim()).add(bits()).add(rounds()).add(*signs_).add(unit).value();
    made.unit = std::move(unit);
    limits_ = std::make_shared<const limits>(std::move(made));
  }

  void require_columns(matrix_view<const float> rows) const {
    if (rows.cols() != dim()) raise(errc::shape, "rows: ", rows.cols(), " columns where the planes have ", dim());
  }

  void transform(const detail::hadamard_ops& level, std::span<const float> row, std::size_t number,
                 float* out) const noexcept {
    const std::size_t size = padded();
    const word* signs = signs_->data() + number * rounds() * words_for(size);
    level.flip(row.data(), out, signs, row.size());
    std::fill(out + row.size(), out + size, 0.f);
    level.transform(out, size);
    for (std::size_t r = 1; r < rounds(); ++r) {
      level.flip(out, out, signs + r * words_for(size), size);
      level.transform(out, size);
    }
  }

  /// Whether the row is finite: one NaN or infinity makes every sum so.
  bool write_code(const detail::hadamard_ops& level, std::span<const float> row, std::span<float> block,
                  std::span<word> code) const noexcept {
    const std::size_t size = padded(), together = block.size() / size, words = block.size() / word_bits;
    for (std::size_t t = 0, at = 0; t < transforms(); t += together, at += words) {
      for (std::size_t i = 0; i < (std::min)(together, transforms() - t); ++i)
        transform(level, row, t + i, block.data() + i * size);
      level.signs(block.data(), limits_->scaled.data() + at * word_bits, (std::min)(words, code.size() - at),
                  code.data() + at);
    }
    return detail::is_finite(block[0]);
  }

  hadamard_lsh_options options_;
  detail::shared_state<const std::vector<word>> signs_;  // a bit a coordinate: round by round, transform by transform
  detail::shared_state<const limits> limits_;
};

static_assert(BinaryEncoder<hadamard_projection>);

/// Structured random hyperplanes through the origin: what `sign_lsh` does at a fraction of its cost, P[bit differs]
/// being θ/π only nearly (closer with more rounds; two are enough where the rows are not sparse).
/// Andoni, Indyk, Laarhoven, Razenshteyn and Schmidt, "Practical and optimal LSH for angular distance", NIPS 2015,
/// section 3.1, for the transforms.
/// @throws error as the constructor of `hadamard_projection` does.
template <std::uniform_random_bit_generator Engine>
hadamard_projection hadamard_lsh(hadamard_lsh_options options, Engine& engine) {
  return hadamard_projection(options, engine);
}

}  // namespace embit::inline EMBIT_ABI
