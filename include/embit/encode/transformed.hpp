// An encoder behind a transform of its rows.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/types.hpp>
#include <embit/io/save.hpp>
#include <embit/linalg/transform.hpp>

#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>

namespace embit::inline EMBIT_ABI {

namespace detail {

template <class Encode, class Exec>
using codes_of_encoder = std::remove_cvref_t<decltype(std::declval<const Encode&>().encode(
    std::declval<const matrix<float>&>(), std::declval<const Exec&>()))>;
/// Void where the encoder has no side of queries.
template <class Encode>
struct queries_of_encoder {
  using type = void;
};
template <AsymmetricEncoder Encode>
struct queries_of_encoder<Encode> {
  using type =
      std::remove_cvref_t<decltype(std::declval<const Encode&>().encode_queries(std::declval<const matrix<float>&>()))>;
};

}  // namespace detail

/// Encodes what a transform makes of the rows, so that database and queries cannot but go through the same one:
///
///     const auto prepare = fit_pipeline(x, fit_centering, rotation);
///     const transformed_encoder encoder{prepare, super_bit({.dim = prepare.output_dim(), .bits = 256}, rng)};
///
/// A kernel that takes float queries (`asymmetric`) knows nothing of the transform: its queries are
/// `transform().apply(queries)`.
template <FloatTransform Transform, Encoder Encode>
class transformed_encoder {
 public:
  /// @throws error errc::shape when the encoder does not take what the transform gives.
  transformed_encoder(Transform transform, Encode encoder)
      : transform_(std::move(transform)), encoder_(std::move(encoder)) {
    if (transform_.output_dim() != encoder_.dim())
      raise(errc::shape, "transformed_encoder: the encoder takes ", encoder_.dim(), " dimensions where ",
            transform_.output_dim(), " come");
  }

  std::size_t dim() const noexcept { return transform_.dim(); }
  std::size_t bits() const noexcept requires BinaryEncoder<Encode> { return encoder_.bits(); }
  /// Of the encoder: codes of it behind another transform are not told apart.
  encoder_fingerprint fingerprint() const noexcept { return detail::known_fingerprint(encoder_); }
  const Transform& transform() const& noexcept { return transform_; }
  const Transform& transform() const&& = delete;
  const Encode& encoder() const& noexcept { return encoder_; }
  const Encode& encoder() const&& = delete;

  /// Codes of `rows` (n × dim), in order. @throws error as the transform and the encoder do.
  template <Executor Exec = inline_executor>
  detail::codes_of_encoder<Encode, Exec> encode(matrix_view<const float> rows, const Exec& executor = {}) const {
    return encoder_.encode(transform_.apply(rows, executor), executor);
  }

  /// The code of one row, a batch of one. @throws error as the transform and the encoder do.
  template <detail::SingleRow Row>
  detail::codes_of_encoder<Encode, inline_executor> encode(const Row& row) const {
    const std::span<const float> numbers(row);
    return encode(matrix_view<const float>(numbers.data(), 1, numbers.size()));
  }

  /// The code of one row. @throws error as the transform and the encoder do; `code` is then unchanged.
  void encode_into(std::span<const float> row, std::span<word> code) const requires BinaryEncoder<Encode> {
    const matrix<float> transformed = transform_.apply(matrix_view<const float>(row.data(), 1, row.size()));
    encoder_.encode_into(transformed[0], code);
  }

  /// The encoder's own side of queries. @throws error as the transform and the encoder do.
  typename detail::queries_of_encoder<Encode>::type encode_queries(matrix_view<const float> rows) const requires
      AsymmetricEncoder<Encode> {
    return encoder_.encode_queries(transform_.apply(rows));
  }

  /// How far each row is from changing each bit, n × bits. @throws error as the transform and the encoder do.
  template <Executor Exec = inline_executor>
  matrix<float> margins(matrix_view<const float> rows, const Exec& executor = {}) const requires
      requires(const Encode& e) {
    e.margins(rows, executor);
  }
  { return encoder_.margins(transform_.apply(rows, executor), executor); }

  static constexpr file_kind file{"transformed_encoder", 1};

  /// The sections of the file that `save` writes: those of the transform under "t/", of the encoder under "e/".
  void write_to(const section_writer& out) const requires(Savable<Transform>&& Savable<Encode>) {
    detail::write_part(out, "t", transform_);
    detail::write_part(out, "e", encoder_);
  }
  /// @throws error errc::format, errc::checksum or errc::io; errc::kind for other parts, errc::shape for parts that do
  ///         not fit each other.
  static transformed_encoder read_from(const section_reader& in) requires(Loadable<Transform>&& Loadable<Encode>) {
    auto transform = detail::read_part<Transform>(in, "t");
    auto encoder = detail::read_part<Encode>(in, "e");
    if (transform.output_dim() != encoder.dim())
      raise(errc::shape, in.path(), ": section 'e': an encoder of ", encoder.dim(), " dimensions where ",
            transform.output_dim(), " come");
    return transformed_encoder(std::move(transform), std::move(encoder));
  }

 private:
  Transform transform_;
  Encode encoder_;
};

}  // namespace embit::inline EMBIT_ABI
