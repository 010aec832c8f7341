// Recurrent binarization: a learned code of several bits a dimension, compared with codes of its own kind.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/moved.hpp>
#include <embit/encode/detail/recurrent/codes.hpp>
#include <embit/encode/detail/recurrent/file.hpp>
#include <embit/encode/detail/recurrent/map.hpp>
#include <embit/io/container_layout.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/kernel/asymmetric.hpp>
#include <embit/kernel/mapped_symmetric.hpp>
#include <embit/store/level_store.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Scores codes of one recurrent encoder, or of those compatible with it, against each other by the cosine of their
/// values: `symmetric`, with codes of other encoders refused.
using recurrent_symmetric = mapped_symmetric<detail::recurrent_code_map>;

static_assert(Kernel<recurrent_symmetric, level_row>);

/// A row of unit length becomes signs, the signs rebuild the row, the signs of what is missing refine it, and so on:
/// each of `loops` rounds adds a bit to every one of `dims` dimensions. A dimension holds a level c in
/// [0, 2^(loops+1) - 1], which stands for the value (2c - (2^(loops+1) - 1)) / 2^loops; the first sign is its highest
/// bit, so that the code of fewer loops is a prefix of the bit planes.
///
/// There is no way back from codes to rows: training makes values rank as rows do, not resemble them (`values` are what
/// codes stand for, which `level_row::decode` has of codes too). Of the encoders of levels, transform coders, RaBitQ
/// and product quantizers decode.
///
/// Shen et al., "Binary embedding-based retrieval at Tencent", KDD 2023, section 3.2, with linear skip connections.
/// Made by `fit_recurrent`, or elsewhere and read by `import_recurrent`. Immutable; copies share the weights; safe to
/// use from many threads.
class recurrent {
 public:
  using estimator_type = asymmetric<detail::recurrent_map>;

  explicit recurrent(detail::recurrent_codes weights) {
    if (weights.fingerprint == 0) weights.fingerprint = weights.hash();
    shared_ = std::make_shared<const detail::recurrent_codes>(std::move(weights));
  }

  /// Of the rows.
  std::size_t dim() const noexcept { return shared_->dim(); }
  /// Of the codes.
  std::size_t dims() const noexcept { return shared_->dims(); }
  std::size_t loops() const noexcept { return shared_->loops(); }
  std::size_t bits_per_dim() const noexcept { return loops() + 1; }
  std::size_t bits() const noexcept { return dims() * bits_per_dim(); }
  static constexpr embit::metric metric() noexcept { return embit::metric::cosine; }
  /// Of a code with what is kept beside it.
  std::size_t bytes_per_row() const {
    const level_format codes = format();
    return codes.row_bytes() + codes.factor_bytes();
  }

  /// Changes with everything that codes depend on; of an encoder that was made to be compatible with another, that of
  /// the other, whose codes it is compared with.
  encoder_fingerprint fingerprint() const noexcept { return shared_->fingerprint; }
  /// The same encoder, whose codes may be compared with those of the one that has this fingerprint.
  recurrent compatible_with(encoder_fingerprint other) const {
    detail::recurrent_codes weights = *shared_;
    weights.fingerprint = other;
    return recurrent(std::move(weights));
  }

  /// How its codes look: one uniform segment, with the inverse norm of every row.
  level_format format() const {
    level_format format{.segments = {level_segment::uniform(dims(), bits_per_dim(), step())}};
    format.factors[static_cast<std::size_t>(row_factor::inverse_norm)] = true;
    format.fingerprint = fingerprint();
    return format;
  }

  /// Codes of `rows` (n × dim), in order: the same code for a row alone or in a batch, whatever its length.
  /// O(n · (hidden + min(dim, dims)) · (dim + dims) · (loops + 1)).
  /// @throws error errc::shape for another dimension, errc::not_finite naming the first bad row.
  template <Executor Exec = inline_executor>
  level_store encode(matrix_view<const float> rows, const Exec& executor = {}) const {
    check(rows);
    level_store store(format(), rows.rows());
    shared_->for_each_block(rows, executor, [&](std::size_t first, matrix_view<const float> codes) {
      std::vector<std::uint8_t> levels(dims());
      for (std::size_t i = 0; i < codes.rows(); ++i) {
        const float inverse_length = levels_of(codes[i], levels);
        store.set_levels(first + i, levels);
        store.set_factor(first + i, row_factor::inverse_norm, inverse_length);
      }
    });
    return store;
  }
  /// The code of one row, a batch of one.
  template <detail::SingleRow Row>
  level_store encode(const Row& row) const {
    const std::span<const float> numbers(row);
    return encode(matrix_view<const float>(numbers.data(), 1, numbers.size()));
  }

  /// The values that the codes of `rows` (n × dim) stand for, n × dims, multiples of 2^-loops between -2 and 2. The
  /// length of a row does not matter.
  /// @throws error errc::shape for another dimension, errc::not_finite naming the first bad row.
  template <Executor Exec = inline_executor>
  matrix<float> values(matrix_view<const float> rows, const Exec& executor = {}) const {
    check(rows);
    auto out = matrix<float>::uninitialized(rows.rows(), dims());
    shared_->for_each_block(rows, executor, [&](std::size_t first, matrix_view<const float> codes) {
      for (std::size_t i = 0; i < codes.rows(); ++i) std::ranges::copy(codes[i], out[first + i].begin());
    });
    return out;
  }

  /// The kernel that takes float queries, which it encodes: what codes of queries find without keeping these.
  /// @throws error errc::argument for query bits outside 4 to 14.
  estimator_type estimator(std::size_t query_bits = 8) const {
    return estimator_type(detail::recurrent_map(shared_, format()), query_bits);
  }

  /// The kernel that scores codes by codes.
  recurrent_symmetric symmetric() const { return recurrent_symmetric(detail::recurrent_code_map(format())); }

  /// The encoder of the first `loops` rounds: its codes are the `loops` + 1 highest bit planes of these
  /// (`level_store::truncated`). @throws error errc::argument for more loops than there are.
  recurrent prefix(std::size_t loops) const {
    if (loops > this->loops()) raise(errc::argument, "prefix: ", loops, " loops of ", this->loops());
    detail::recurrent_codes fewer = *shared_;
    fewer.rebuild.resize(loops);
    fewer.refine.resize(loops);
    fewer.fingerprint = 0;
    return recurrent(std::move(fewer));
  }

  const detail::recurrent_codes& weights() const& noexcept { return *shared_; }
  const detail::recurrent_codes& weights() const&& = delete;

  static constexpr file_kind file = detail::recurrent_file;
  /// Version 1 where it has no fingerprint but its own.
  file_kind saved_as() const { return {file.name, detail::is_compatible(*shared_) ? 2u : 1u}; }
  void write_to(const section_writer& out) const { detail::write_recurrent(out, *shared_); }
  /// @throws error errc::format, errc::checksum or errc::io.
  static recurrent read_from(const section_reader& in) { return recurrent(detail::read_recurrent(in)); }

 private:
  /// The value of one step of a level, half the distance of two.
  float step() const noexcept { return std::ldexp(1.f, -static_cast<int>(loops())); }

  /// The levels of the values of a row; returns 1 / their length.
  float levels_of(std::span<const float> values, std::vector<std::uint8_t>& levels) const {
    const auto most = static_cast<float>((1u << bits_per_dim()) - 1);
    const float steps = .5f / step();
    double square = 0;
    for (std::size_t j = 0; j < values.size(); ++j) {
      levels[j] = static_cast<std::uint8_t>(values[j] * steps + .5f * most);
      square += double{values[j]} * double{values[j]};
    }
    return static_cast<float>(1 / std::sqrt(square));
  }

  void check(matrix_view<const float> rows) const {
    if (rows.cols() != dim()) raise(errc::shape, "rows: ", rows.cols(), " columns where the encoder takes ", dim());
    detail::require_finite(rows, "rows");
  }

  detail::shared_state<const detail::recurrent_codes> shared_;
};

static_assert(Encoder<recurrent>);

}  // namespace embit::inline EMBIT_ABI
