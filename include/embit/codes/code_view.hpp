// Rows of packed bits somewhere in memory, without owning them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/types.hpp>
#include <embit/fwd.hpp>

#include <cstddef>
#include <span>
#include <string_view>

namespace embit::inline EMBIT_ABI {

namespace detail {

template <std::size_t Bits>
inline constexpr std::size_t static_words = Bits == dynamic ? std::dynamic_extent : words_for(Bits);

}  // namespace detail

/// One code: a span of words, of static extent where the width is static.
template <std::size_t Bits = dynamic>
using code_span = std::span<const word, detail::static_words<Bits>>;

/// A batch of codes owned by someone else, one after another, `words()` words each. The bits of the last word beyond
/// `bits()` must be zero (`require_clean_tails` checks foreign codes). Cheap to copy; must not outlive what it views.
template <std::size_t Bits>
class code_view {
 public:
  using code_type = code_span<Bits>;

  constexpr code_view() = default;

  /// @param data  size · words_for(bits) words, row by row.
  /// @throws error errc::shape when `bits` is not the static width, is 0 with rows, or `data` is null with rows.
  /// @param fingerprint  of the encoder that made them, where that is known
  constexpr code_view(const word* data, std::size_t size, std::size_t bits, encoder_fingerprint fingerprint = 0)
      : data_(data), size_(size), bits_(bits), fingerprint_(fingerprint) {
    if (Bits != dynamic && bits != Bits) raise(errc::shape, "code_view: ", bits, " bits where ", Bits, " are fixed");
    if (size != 0 && bits == 0) raise(errc::shape, "code_view: ", size, " codes of 0 bits");
    if (size != 0 && data == nullptr) raise(errc::shape, "code_view: null data for ", size, " codes");
  }

  /// A view of fixed width is a view of run-time width; the other way round is checked.
  template <std::size_t Other>
    requires(Other != Bits)
  constexpr explicit(Bits != dynamic) code_view(code_view<Other> other)
      : code_view(other.data(), other.size(), other.bits(), other.fingerprint()) {}

  constexpr const word* data() const noexcept { return data_; }
  constexpr std::size_t size() const noexcept { return size_; }
  constexpr std::size_t bits() const noexcept { return Bits == dynamic ? bits_ : Bits; }
  constexpr std::size_t words() const noexcept { return words_for(bits()); }
  constexpr bool empty() const noexcept { return size_ == 0; }
  /// Of the encoder that made the codes; 0: not known.
  constexpr encoder_fingerprint fingerprint() const noexcept { return fingerprint_; }

  constexpr code_type operator[](std::size_t row) const noexcept {
    EMBIT_ASSERT(row < size_);
    return code_type{data_ + row * words(), words()};
  }

  /// Codes [first, first + count).
  /// @throws error errc::out_of_range
  constexpr code_view middle_rows(std::size_t first, std::size_t count) const {
    if (first > size_ || count > size_ - first)
      raise(errc::out_of_range, "code_view: rows ", first, " + ", count, " of ", size_);
    code_view part = *this;
    part.data_ = data_ == nullptr ? nullptr : data_ + first * words();
    part.size_ = count;
    return part;
  }

 private:
  const word* data_ = nullptr;
  std::size_t size_ = 0;
  std::size_t bits_ = Bits == dynamic ? 0 : Bits;
  encoder_fingerprint fingerprint_ = 0;
};

namespace detail {

/// The same codes, without a word who made them; of other batches there is nothing to be taken away.
template <class Codes>
const Codes& of_no_encoder(const Codes& codes) noexcept {
  return codes;
}
inline code_view<> of_no_encoder(code_view<> codes) { return {codes.data(), codes.size(), codes.bits()}; }

}  // namespace detail

/// Refuses codes with bits set beyond their width, which every kernel would count as differences.
/// @throws error errc::argument naming `what` and the first such row.
template <std::size_t Bits>
void require_clean_tails(code_view<Bits> codes, std::string_view what) {
  const word beyond = ~tail_mask(codes.bits());
  if (beyond == 0 || codes.empty()) return;
  for (std::size_t i = 0; i < codes.size(); ++i)
    if ((codes[i].back() & beyond) != 0)
      raise(errc::argument, what, ": code ", i, " has bits set beyond its width of ", codes.bits());
}

}  // namespace embit::inline EMBIT_ABI
