// Documents of several tokens that are owned, in floats or in a half, a quarter or a 32nd of their memory.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/grow.hpp>
#include <embit/core/ragged_view.hpp>
#include <embit/core/types.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/store/token_view.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// The tokens of documents, one after another, as T keeps them: `float`, `half`, `std::int8_t` with the scale
/// max |x| / 127 for each token, or `sign_token`. `flat_index{store, chamfer_of<T>{}}` searches them all, and
/// `chamfer_rerank{store}` scores candidates.
template <TokenNumber T>
class token_store {
 public:
  using element = detail::token_element<T>;
  using code_type = decltype(std::declval<const token_view<T>&>()[0]);

  /// No documents.
  token_store() = default;

  /// The tokens that count of all sets, rounded as T needs. O(numbers).
  /// @throws error as `append` does.
  explicit token_store(ragged_view<const float> documents) { append(documents); }

  token_store(const token_store&) = default;
  token_store(token_store&&) = default;
  /// Nothing has changed when it throws.
  token_store& operator=(const token_store& other) { return *this = token_store(other); }
  token_store& operator=(token_store&&) = default;
  ~token_store() = default;

  std::size_t size() const noexcept { return view().size(); }
  std::size_t cols() const noexcept { return dim_; }
  std::size_t tokens() const noexcept { return view().tokens(); }
  code_type operator[](std::size_t document) const& noexcept { return view()[document]; }
  code_type operator[](std::size_t) const&& = delete;
  /// Bytes allocated.
  std::size_t memory() const noexcept {
    return tokens_.capacity() * sizeof(element) + scales_.capacity() * sizeof(float) +
           offsets_.capacity() * sizeof(std::uint64_t);
  }

  /// Adds documents; returns the number of the first.
  /// @throws error errc::shape for tokens of another dimension, errc::argument where chamfer has no room for them,
  ///         errc::not_finite naming document and token. The store is unchanged then.
  row_id append(ragged_view<const float> documents) {
    const auto first = static_cast<row_id>(size());
    if (documents.size() == 0) return first;
    require(documents);
    reserve(documents);
    dim_ = documents.cols();
    if (offsets_.empty()) offsets_.push_back(0);
    for (std::size_t i = 0; i < documents.size(); ++i) {
      const auto tokens = documents[i];
      std::uint64_t count = 0;
      for (std::size_t t = 0; t < tokens.rows(); ++t) {
        if (!tokens.counts(t)) continue;
        add_token(tokens[t]);
        ++count;
      }
      offsets_.push_back(offsets_.back() + count);
    }
    return first;
  }

  /// All documents. Valid until the store changes or ends, which is why a temporary store has none to give.
  token_view<T> view() const& noexcept { return {tokens_.data(), scales_.data(), offsets(), dim_}; }
  token_view<T> view() const&& = delete;

  static constexpr file_kind file = detail::tokens_file;
  void write_to(const section_writer& out) const { detail::write_tokens(out, view()); }

  /// @throws error errc::kind for tokens of another type, errc::not_finite for NaN or infinity, errc::format,
  ///         errc::checksum or errc::io.
  static token_store read_from(const section_reader& in) {
    const auto shape = detail::read_token_shape<T>(in);
    token_store store;
    store.dim_ = shape.dim;
    store.offsets_.resize(shape.documents + 1);
    in.read("offsets", std::span<std::uint64_t>(store.offsets_));
    detail::require_offsets(store.offsets_, shape.tokens, in.path());
    store.tokens_.resize(shape.tokens * detail::token_elements<T>(shape.dim));
    in.read("tokens", std::span<element>(store.tokens_));
    if constexpr (token_view<T>::has_scales) {
      store.scales_.resize(shape.tokens);
      in.read("scales", std::span<float>(store.scales_));
    }
    detail::require_numbers(in, store.view());
    return store;
  }

 private:
  void require(ragged_view<const float> documents) const {
    const std::size_t dim = documents.cols();
    if (dim_ != 0 && dim != dim_)
      raise(errc::shape, "documents: tokens of dimension ", dim, " where ", dim_, " are kept");
    if (dim == 0) raise(errc::shape, "documents: tokens of dimension 0");
    if (detail::widens_tokens<T> && dim > chamfer::widened_floats)
      raise(errc::argument, "documents: tokens of dimension ", dim, " where ", chamfer::widened_floats,
            " are possible");
    for (std::size_t i = 0; i < documents.size(); ++i)
      for (std::size_t t = 0; t < documents[i].rows(); ++t)
        if (documents[i].counts(t))
          for (const float x : documents[i][t])
            if (!detail::is_finite(x) || (std::is_same_v<T, half> && !detail::is_finite(half(x))))
              raise(errc::not_finite, "document ", i, ", token ", t, ": ", x, " cannot be kept");
  }

  // Makes sure that these documents can be added without allocation.
  void reserve(ragged_view<const float> documents) {
    std::size_t tokens = 0;
    for (std::size_t i = 0; i < documents.size(); ++i)
      for (std::size_t t = 0; t < documents[i].rows(); ++t) tokens += documents[i].counts(t) ? 1u : 0u;
    reserve_more(tokens_, tokens * detail::token_elements<T>(documents.cols()));
    if constexpr (token_view<T>::has_scales) reserve_more(scales_, tokens);
    reserve_more(offsets_, documents.size() + 1);
  }

  std::span<const std::uint64_t> offsets() const noexcept {
    static constexpr std::uint64_t none[] = {0};
    return offsets_.empty() ? std::span(none) : std::span(offsets_);
  }

  void add_token(std::span<const float> token) {
    const std::size_t first = tokens_.size();
    tokens_.resize(first + detail::token_elements<T>(dim_), element{});
    element* const out = tokens_.data() + first;
    if constexpr (std::is_same_v<T, sign_token>) {
      for (std::size_t j = 0; j < token.size(); ++j) out[j / word_bits] |= word{token[j] > 0} << j % word_bits;
    } else if constexpr (token_view<T>::has_scales) {
      float most = 0;
      for (const float x : token) most = (std::max)(most, std::abs(x));
      scales_.push_back(most / 127);
      const float inverse = most > 0 ? 127 / most : 0.f;
      for (std::size_t j = 0; j < token.size(); ++j)
        out[j] = static_cast<std::int8_t>(std::clamp(std::lround(token[j] * inverse), -127l, 127l));
    } else {
      for (std::size_t j = 0; j < token.size(); ++j) out[j] = T(token[j]);
    }
  }

  aligned_vector<element> tokens_;
  aligned_vector<float> scales_;
  std::vector<std::uint64_t> offsets_;  // none without documents
  std::size_t dim_ = 0;
};

}  // namespace embit::inline EMBIT_ABI
