// A random rotation in O(d log d): Hadamard transforms and Kac's walk.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
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
#include <embit/linalg/transform.hpp>

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numbers>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// A random rotation of any dimension that is kept in 4 · dim bits and applied in O(dim · log dim): four rounds of
/// random signs, a Hadamard transform of the first (in every other round the last) 2^⌊log2 dim⌋ coordinates, and,
/// where those are not all, a turn by π/4 of the first half of the coordinates against the second.
///
/// Orthogonal to rounding and the same floats at every SIMD level. Not every rotation is among them, so it is no
/// `random_rotation`; for hashing and quantization it does as well. Immutable; copies share the signs; safe to use
/// from many threads. The transforms are those of Ailon and Chazelle, "The fast Johnson–Lindenstrauss transform",
/// SIAM J. Comput. 2009; the turns are Kac's walk, all coordinates at once.
class fht_kac {
 public:
  /// Draws the signs from `engine`. @throws error errc::argument when dim is 0.
  template <std::uniform_random_bit_generator Engine>
  fht_kac(std::size_t dim, Engine& engine) : dim_(dim) {
    require_dim();
    std::vector<word> signs(rounds * words_for(dim));
    for (word& w : signs) w = random_bits(engine);
    for (std::size_t r = 1; r <= rounds; ++r) signs[r * words_for(dim) - 1] &= tail_mask(dim);
    signs_ = std::make_shared<const std::vector<word>>(std::move(signs));
  }

  /// The rotation with the `signs()` of another.
  /// @throws error errc::argument when dim is 0, errc::shape when there are not 4 · words_for(dim) words.
  fht_kac(std::size_t dim, std::span<const word> signs) : dim_(dim) {
    require_dim();
    if (signs.size() != rounds * words_for(dim))
      raise(errc::shape, "signs: ", signs.size(), " words for 4 rounds of ", dim, " dimensions");
    signs_ = std::make_shared<const std::vector<word>>(signs.begin(), signs.end());
  }

  std::size_t dim() const noexcept { return dim_; }
  std::size_t output_dim() const noexcept { return dim_; }
  /// A bit a coordinate, round by round, words_for(dim) words each; what rebuilds this rotation.
  std::span<const word> signs() const& noexcept { return *signs_; }
  std::span<const word> signs() const&& = delete;

  /// The rotated rows (n × dim). O(n · dim · log dim).
  /// @throws error errc::shape for another dimension, errc::not_finite naming a row with NaN, infinity or a norm that
  ///         is more than half of the largest float.
  template <Executor Exec = inline_executor>
  matrix<float> apply(matrix_view<const float> rows, const Exec& executor = {}) const {
    detail::require_rotatable(rows, dim_);
    matrix<float> out(rows);
    for_rows(out, executor, [this](const auto& level, float* row) { rotate(level, row); });
    return out;
  }

  /// The rows that `apply` would turn into `rows`: its inverse, up to rounding.
  /// @throws error as `apply` does.
  template <Executor Exec = inline_executor>
  matrix<float> apply_inverse(matrix_view<const float> rows, const Exec& executor = {}) const {
    detail::require_rotatable(rows, dim_);
    matrix<float> out(rows);
    for_rows(out, executor, [this](const auto& level, float* row) { rotate_back(level, row); });
    return out;
  }

  /// `apply` that writes the rows over those it is given. @throws error as `apply` does; the rows are then unchanged.
  template <Executor Exec = inline_executor>
  void apply_in_place(matrix_view<float> rows, const Exec& executor = {}) const {
    detail::require_rotatable(rows, dim_);
    for_rows(rows, executor, [this](const auto& level, float* row) { rotate(level, row); });
  }

  static constexpr file_kind file{"fht_kac", 1};

  /// The sections of the file that `save` writes: "shape" (u64 dim) and "signs" (as `signs()` has them).
  void write_to(const section_writer& out) const {
    metadata_writer shape;
    shape.u64(dim_);
    out.add("shape", std::move(shape));
    out.add("signs", signs());
  }
  /// @throws error errc::format, errc::checksum or errc::io.
  static fht_kac read_from(const section_reader& in) {
    metadata_reader shape = in.metadata("shape");
    const std::uint64_t dim = shape.u64();
    if (dim == 0 || dim > most) shape.refuse("dim ", dim);
    const auto size = static_cast<std::size_t>(dim);
    return fht_kac(size, in.array<word>("signs", rounds * words_for(size)));
  }

  friend bool operator==(const fht_kac& a, const fht_kac& b) { return a.dim_ == b.dim_ && *a.signs_ == *b.signs_; }

 private:
  static constexpr std::size_t rounds = 4;
  static constexpr std::uint64_t most = std::uint64_t{1} << 32;

  void require_dim() const {
    if (dim_ == 0 || dim_ > most) raise(errc::argument, "fht_kac: of ", dim_, " dimensions, not 1 to ", most);
  }

  template <Executor Exec, class Work>
  static void for_rows(matrix_view<float> rows, const Exec& executor, const Work& work) {
    const auto& level = detail::ops_at<detail::hadamard_ops>(active_isa());
    run_ranges(executor, rows.rows(), 1, executor.concurrency() * 4,
               [&](std::size_t first, std::size_t last, std::size_t) {
                 for (std::size_t i = first; i < last; ++i) work(level, rows[i].data());
               });
  }

  void rotate(const detail::hadamard_ops& level, float* row) const noexcept {
    for (std::size_t r = 0; r < rounds; ++r) {
      flip(level, row, r);
      transform(level, row, r);
      turn(level, row);
    }
  }

  // Each of the three is its own inverse.
  void rotate_back(const detail::hadamard_ops& level, float* row) const noexcept {
    for (std::size_t r = rounds; r-- > 0;) {
      turn(level, row);
      transform(level, row, r);
      flip(level, row, r);
    }
  }

  void flip(const detail::hadamard_ops& level, float* row, std::size_t round) const noexcept {
    level.flip(row, row, signs_->data() + round * words_for(dim_), dim_);
  }

  void transform(const detail::hadamard_ops& level, float* row, std::size_t round) const noexcept {
    const std::size_t part = std::bit_floor(dim_);
    float* const first = round % 2 == 0 ? row : row + (dim_ - part);
    // Scaled before, so that nothing in between is larger than the row is long.
    level.scale(first, static_cast<float>(1 / std::sqrt(static_cast<double>(part))), part);
    level.transform(first, part);
  }

  void turn(const detail::hadamard_ops& level, float* row) const noexcept {
    if (std::has_single_bit(dim_)) return;
    level.turn(row, row + (dim_ - dim_ / 2), std::numbers::sqrt2_v<float> / 2, dim_ / 2);
  }

  std::size_t dim_;
  detail::shared_state<const std::vector<word>> signs_;
};

static_assert(InvertibleTransform<fht_kac> && InPlaceTransform<fht_kac>);

}  // namespace embit::inline EMBIT_ABI
