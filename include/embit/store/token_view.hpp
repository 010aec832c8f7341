// Documents of several tokens in somebody's memory, in one of four precisions, and how they stand in a file.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/half.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/ragged_view.hpp>
#include <embit/core/types.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/io/matrix_section.hpp>
#include <embit/kernel/chamfer.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// A token kept as the signs of its dimensions.
struct sign_token {};

/// How the tokens of a store are kept: float, half, bytes with a scale a token, or signs.
template <class T>
concept TokenNumber = std::is_same_v<T, float> || std::is_same_v<T, half> || std::is_same_v<T, std::int8_t> ||
    std::is_same_v<T, sign_token>;

/// The kernel that scores documents of such tokens.
template <TokenNumber T>
using chamfer_of = std::conditional_t<std::is_same_v<T, sign_token>, chamfer_signs, chamfer>;

namespace detail {

template <TokenNumber T>
using token_element = std::conditional_t<std::is_same_v<T, sign_token>, word, T>;

/// Elements of one token.
template <TokenNumber T>
constexpr std::size_t token_elements(std::size_t dim) noexcept {
  return std::is_same_v<T, sign_token> ? words_for(dim) : dim;
}

template <TokenNumber T>
inline constexpr std::uint8_t token_type = std::is_same_v<T, float>         ? 0
                                           : std::is_same_v<T, half>        ? 1
                                           : std::is_same_v<T, std::int8_t> ? 2
                                                                            : 3;

/// Whether chamfer has these tokens as floats before it scores them, for which it has room for so many.
template <TokenNumber T>
inline constexpr bool widens_tokens = std::is_same_v<T, half> || std::is_same_v<T, std::int8_t>;

/// The sections of a file of tokens:
///   "shape"    u64 documents, u64 tokens, u64 dim, u8 type (0 float, 1 half, 2 bytes, 3 signs)
///   "offsets"  u64 a document and one more: where its tokens begin
///   "tokens"   token after token: dim numbers, or ⌈dim / 64⌉ words
///   "scales"   f32 a token; bytes only
inline constexpr file_kind tokens_file{"tokens", 1};

}  // namespace detail

/// Documents of tokens that someone else owns. Cheap to copy; it must not outlive them.
template <TokenNumber T>
class token_view {
 public:
  using element = detail::token_element<T>;
  static constexpr bool has_scales = std::is_same_v<T, std::int8_t>;
  /// A document as `chamfer_of<T>` scores it.
  using code_type = std::conditional_t<std::is_same_v<T, sign_token>, code_view<>,
                                       std::conditional_t<has_scales, scaled_rows, row_set<const T>>>;

  token_view() = default;
  /// @param offsets  one more than there are documents, from 0 on, never falling; not checked here
  token_view(const element* tokens, const float* scales, std::span<const std::uint64_t> offsets,
             std::size_t dim) noexcept
      : tokens_(tokens), scales_(scales), offsets_(offsets), dim_(dim) {}

  /// Number of documents.
  std::size_t size() const noexcept { return offsets_.empty() ? 0 : offsets_.size() - 1; }
  /// Of a token.
  std::size_t cols() const noexcept { return dim_; }
  std::size_t tokens() const noexcept { return offsets_.empty() ? 0 : static_cast<std::size_t>(offsets_.back()); }
  std::span<const std::uint64_t> offsets() const noexcept { return offsets_; }

  /// The tokens of a document as `chamfer_of<T>` scores them: rows of floats or halves, `scaled_rows`, or codes.
  code_type operator[](std::size_t document) const noexcept {
    EMBIT_ASSERT(document < size());
    const auto first = static_cast<std::size_t>(offsets_[document]);
    const std::size_t count = static_cast<std::size_t>(offsets_[document + 1]) - first;
    const element* at = tokens_ + first * detail::token_elements<T>(dim_);
    if constexpr (std::is_same_v<T, sign_token>)
      return code_view<>(at, count, dim_);
    else if constexpr (has_scales)
      return scaled_rows{matrix_view<const std::int8_t>(at, count, dim_), {scales_ + first, count}};
    else
      return row_set<const T>(matrix_view<const T>(at, count, dim_));
  }

  /// Reads all numbers. @throws error errc::not_finite naming `what` and the document with NaN or infinity.
  void require_finite(std::string_view what) const {
    for (std::size_t i = 0; i < size(); ++i) {
      const auto document = (*this)[i];
      bool finite = true;
      if constexpr (has_scales)
        finite = detail::all_finite(document.scales.data(), document.scales.size());
      else if constexpr (detail::FloatNumber<T>)
        finite = detail::all_finite(document.data(), document.rows() * document.cols());
      if (!finite) raise(errc::not_finite, what, ": document ", i, " has a number that is not finite");
    }
  }

  const element* data() const noexcept { return tokens_; }
  const float* scales() const noexcept { return scales_; }

 private:
  const element* tokens_ = nullptr;
  const float* scales_ = nullptr;
  std::span<const std::uint64_t> offsets_;
  std::size_t dim_ = 0;
};

namespace detail {

struct token_shape {
  std::size_t documents = 0, tokens = 0, dim = 0;
};

template <TokenNumber T>
void write_tokens(const section_writer& out, const token_view<T>& view) {
  metadata_writer shape;
  shape.u64(view.size()).u64(view.tokens()).u64(view.cols()).u8(token_type<T>);
  out.add("shape", std::move(shape));
  out.add("offsets", view.offsets());
  out.add("tokens", std::span(view.data(), view.tokens() * token_elements<T>(view.cols())));
  if constexpr (token_view<T>::has_scales) out.add("scales", std::span(view.scales(), view.tokens()));
}

/// @throws error errc::kind for tokens of another type, errc::format for a shape that does not fit the sections.
template <TokenNumber T>
token_shape read_token_shape(const section_reader& in) {
  auto meta = in.metadata("shape");
  const std::uint64_t documents = meta.u64(), tokens = meta.u64(), dim = meta.u64();
  if (const std::uint8_t type = meta.u8(); type != token_type<T>)
    raise(errc::kind, in.path(), ": section 'shape': tokens of type ", int{type}, " where type ", int{token_type<T>},
          " is expected");
  if (widens_tokens<T> && dim > chamfer::widened_floats)
    meta.refuse("tokens of dimension ", dim, " where ", chamfer::widened_floats, " are possible");
  constexpr std::uint64_t most = (std::numeric_limits<std::size_t>::max)() / 64;
  if (dim > most || (dim != 0 && tokens > most / dim) || documents > most || (dim == 0 && tokens != 0))
    meta.refuse(documents, " documents of ", tokens, " tokens of ", dim, " dimensions");
  const token_shape shape{static_cast<std::size_t>(documents), static_cast<std::size_t>(tokens),
                          static_cast<std::size_t>(dim)};
  if (in.count<std::uint64_t>("offsets") != shape.documents + 1) meta.refuse("not one offset a document and one more");
  if (in.count<token_element<T>>("tokens") != shape.tokens * token_elements<T>(shape.dim))
    meta.refuse(tokens, " tokens of ", dim, " dimensions are not what is there");
  if (token_view<T>::has_scales && in.count<float>("scales") != shape.tokens) meta.refuse("not one scale a token");
  return shape;
}

/// @throws error errc::format naming the document whose offset breaks the rule.
inline void require_offsets(std::span<const std::uint64_t> offsets, std::size_t tokens, std::string_view path) {
  for (std::size_t i = 0; i < offsets.size(); ++i)
    if (offsets[i] > tokens || (i == 0 ? offsets[i] != 0 : offsets[i] < offsets[i - 1]) ||
        (i + 1 == offsets.size() && offsets[i] != tokens))
      raise(errc::format, path, ": section 'offsets': document ", i, " begins at token ", offsets[i], " of ", tokens,
            ", out of order with its neighbours");
}

/// @throws error errc::format for tokens or scales that are not finite, and for bits of signs beyond the dimensions.
template <TokenNumber T>
void require_numbers(const section_reader& in, const token_view<T>& view) {
  const std::span elements(view.data(), view.tokens() * token_elements<T>(view.cols()));
  if constexpr (std::is_same_v<T, float> || std::is_same_v<T, half>) {
    require_finite_section(in, "tokens", elements);
  } else if constexpr (token_view<T>::has_scales) {
    require_finite_section(in, "scales", std::span(view.scales(), view.tokens()));
  } else {
    const std::size_t words = token_elements<T>(view.cols());
    for (std::size_t t = 0; t < view.tokens(); ++t)
      if ((elements[(t + 1) * words - 1] & ~tail_mask(view.cols())) != 0)
        raise(errc::format, in.path(), ": section 'tokens' at byte ", in.info("tokens").offset, ": token ", t,
              " has bits beyond its ", view.cols(), " dimensions");
  }
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
