// An encoder of levels whose type is known at run time only.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/erased.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/moved.hpp>
#include <embit/encode/product_quantizer.hpp>
#include <embit/encode/rabitq.hpp>
#include <embit/encode/recurrent.hpp>
#include <embit/encode/transform_coder.hpp>
#include <embit/io/save.hpp>
#include <embit/kernel/any_code_kernel.hpp>
#include <embit/store/level_store.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// A kernel that is made anew of its map and bits of queries.
template <class K>
concept RemadeKernel = CodeKernel<K, matrix_view<const float>> && requires(const K& kernel) {
  K(kernel.map(), std::size_t{8});
};

}  // namespace detail

/// An encoder whose codes are rows of a `level_store`, with a kernel for float queries and one for codes: `rabitq`,
/// `transform_coder`, `recurrent`, `product_quantizer`.
template <class E>
concept LevelEncoder = Encoder<E> && std::copy_constructible<E> &&
    requires(const E& encoder, matrix_view<const float> rows) {
  { encoder.encode(rows) } -> std::same_as<level_store>;
  { encoder.metric() } -> std::same_as<embit::metric>;
  { encoder.format() } -> std::convertible_to<const level_format&>;
  requires detail::RemadeKernel<decltype(encoder.estimator())>;
  requires CodeKernel<decltype(encoder.symmetric()), level_view>;
};

/// An encoder that `choose_encoder` has tried.
struct encoder_trial {
  std::string encoder;            ///< its name, and what tells it from others of its kind
  std::size_t bytes_per_row = 0;  ///< of its codes and what is kept with them
  /// The share of the ten nearest rows among the first ten that queries found which it was not fitted to; none where
  /// there were too few rows to tell.
  std::optional<double> recall;
};

/// Any encoder of levels as one value, with kernels of one type: what `choose_encoder` gives, or a file that holds one
/// of `rabitq`, `transform_coder`, `recurrent` and `product_quantizer`. Each call costs one virtual call a batch. Its
/// file is that of the encoder it holds, which `load` reads as either; the table of what was tried is not in it.
/// Immutable; copies share the encoder; safe to use from many threads.
class chosen_encoder {
 public:
  using estimator_type = any_asymmetric;

  template <class E>
    requires(!std::same_as<E, chosen_encoder> && LevelEncoder<E>)
  explicit chosen_encoder(E encoder, std::vector<encoder_trial> tried = {})
      : held_(std::make_shared<const held<E>>(std::move(encoder))),
        tried_(std::make_shared<const std::vector<encoder_trial>>(std::move(tried))) {}

  /// The same encoder with another table.
  chosen_encoder(const chosen_encoder& encoder, std::vector<encoder_trial> tried)
      : held_(encoder.held_), tried_(std::make_shared<const std::vector<encoder_trial>>(std::move(tried))) {}

  /// What was compared, in the order in which it was; none where it was read from a file.
  std::span<const encoder_trial> tried() const& noexcept { return *tried_; }
  std::span<const encoder_trial> tried() const&& = delete;
  /// The encoder, or null where it is not an E.
  template <LevelEncoder E>
  const E* get_if() const& noexcept {
    return held_->type() == &detail::type_mark<E> ? &static_cast<const held<E>&>(*held_).encoder : nullptr;
  }
  template <LevelEncoder E>
  const E* get_if() const&& = delete;

  std::size_t dim() const noexcept { return held_->dim(); }
  embit::metric metric() const noexcept { return held_->metric(); }
  /// Changes with everything that codes depend on.
  encoder_fingerprint fingerprint() const noexcept { return format().fingerprint; }
  /// Of a code with what is kept beside it.
  std::size_t bytes_per_row() const noexcept { return format().row_bytes() + format().factor_bytes(); }
  /// Of the codes.
  const level_format& format() const& noexcept { return held_->format; }
  const level_format& format() const&& = delete;

  /// Codes of `rows` (n × dim), in order. @throws error as the encoder does.
  template <Executor Exec = inline_executor>
  level_store encode(matrix_view<const float> rows, const Exec& executor = {}) const {
    return held_->encode(rows, executor_ref(executor));
  }
  /// The code of one row, a batch of one.
  template <detail::SingleRow Row>
  level_store encode(const Row& row) const {
    const std::span<const float> numbers(row);
    return encode(matrix_view<const float>(numbers.data(), 1, numbers.size()));
  }

  /// The rows that codes stand for, of unit rows for the cosine.
  /// @throws error errc::shape for codes of another format, errc::unsupported of an encoder that cannot say.
  template <Executor Exec = inline_executor>
  matrix<float> decode(const level_view& codes, const Exec& executor = {}) const {
    return held_->decode(codes, executor_ref(executor));
  }

  /// The kernel for float queries. @throws error errc::argument for query bits outside 4 to 14.
  estimator_type estimator(std::size_t query_bits = 8) const { return held_->estimator(query_bits); }

  /// The kernel that scores codes by codes.
  any_symmetric symmetric() const { return held_->symmetric(); }

  /// What its file says it holds. @throws error errc::unsupported where the encoder has no file.
  file_kind saved_as() const {
    const file_kind kind = held_->file();
    if (kind.name.empty()) raise(errc::unsupported, "save: an encoder of a type that has no file");
    return kind;
  }
  void write_to(const section_writer& out) const { held_->write_to(out); }
  /// @throws error errc::kind for a file that holds none of the encoders above; errc::format, errc::version,
  ///         errc::checksum or errc::io.
  static chosen_encoder read_as(file_kind found, const section_reader& in) {
    if (found.name == rabitq::file.name) return chosen_encoder(detail::read_found<rabitq>(found, in));
    if (found.name == transform_coder::file.name) return chosen_encoder(detail::read_found<transform_coder>(found, in));
    if (found.name == recurrent::file.name) return chosen_encoder(detail::read_found<recurrent>(found, in));
    if (found.name == product_quantizer::file.name)
      return chosen_encoder(detail::read_found<product_quantizer>(found, in));
    raise(errc::kind, in.path(), ": holds '", found.name, "', which is no encoder of levels that can be read");
  }

 private:
  struct erased {
    explicit erased(level_format codes) : format(std::move(codes)) {}
    virtual ~erased() = default;
    virtual const void* type() const noexcept = 0;
    virtual std::size_t dim() const noexcept = 0;
    virtual embit::metric metric() const noexcept = 0;
    virtual level_store encode(matrix_view<const float> rows, const executor_ref& executor) const = 0;
    virtual matrix<float> decode(const level_view& codes, const executor_ref& executor) const = 0;
    virtual any_asymmetric estimator(std::size_t query_bits) const = 0;
    virtual any_symmetric symmetric() const = 0;
    virtual file_kind file() const = 0;  // without a name where it has no file
    virtual void write_to(const section_writer& out) const = 0;
    const level_format format;
  };

  template <class E>
  struct held final : erased {
    explicit held(E of) : erased(of.format()), encoder(std::move(of)) {}

    const void* type() const noexcept override { return &detail::type_mark<E>; }
    std::size_t dim() const noexcept override { return encoder.dim(); }
    embit::metric metric() const noexcept override { return encoder.metric(); }
    level_store encode(matrix_view<const float> rows, const executor_ref& executor) const override {
      if constexpr (requires { encoder.encode(rows, executor); })
        return encoder.encode(rows, executor);
      else
        return encoder.encode(rows);
    }
    matrix<float> decode(const level_view& codes, const executor_ref& executor) const override {
      if constexpr (requires { matrix<float>(encoder.decode(codes, executor)); })
        return encoder.decode(codes, executor);
      else if constexpr (requires { matrix<float>(encoder.decode(codes)); })
        return encoder.decode(codes);
      else
        raise(errc::unsupported, "decode: not among what this encoder can do");
    }
    any_asymmetric estimator(std::size_t query_bits) const override {
      const auto kernel = encoder.estimator();
      return any_asymmetric(std::remove_cv_t<decltype(kernel)>(kernel.map(), query_bits));
    }
    any_symmetric symmetric() const override { return any_symmetric(encoder.symmetric()); }
    file_kind file() const override {
      if constexpr (Savable<E>)
        return detail::kind_in_file(encoder);
      else
        return {};
    }
    void write_to([[maybe_unused]] const section_writer& out) const override {
      if constexpr (Savable<E>)
        encoder.write_to(out);
      else
        raise(errc::unsupported, "save: an encoder of a type that has no file");
    }

    const E encoder;
  };

  detail::shared_state<const erased> held_;
  detail::shared_state<const std::vector<encoder_trial>> tried_;
};

static_assert(LevelEncoder<rabitq> && LevelEncoder<transform_coder> && LevelEncoder<recurrent> &&
              LevelEncoder<product_quantizer>);
static_assert(Encoder<chosen_encoder>);

}  // namespace embit::inline EMBIT_ABI
