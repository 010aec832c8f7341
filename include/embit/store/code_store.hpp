// Packed codes that are owned, row after row.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/block_run.hpp>
#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/owned_list.hpp>
#include <embit/core/types.hpp>
#include <embit/fwd.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/store/block_layout.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// Codes of `bits()` bits, `words()` words a row, in one aligned piece of memory: what encoders return and indexes
/// are built from. Bits of the last word beyond the width are zero; whoever writes through `row` keeps them so. A
/// moved-from store has no codes.
/// The width is a run-time number by default, a template argument where it is known.
template <std::size_t Bits>
class code_store {
 public:
  using code_type = code_span<Bits>;

  /// No codes; of width 0 where the width is dynamic.
  code_store() = default;

  /// `size` codes of `bits` bits, all zero.
  /// @param fingerprint  of the encoder that will make them, where that is known
  /// @throws error errc::shape when `bits` is not the static width, 0 or 2³² and more, errc::argument when the size
  /// overflows.
  code_store(std::size_t size, std::size_t bits, encoder_fingerprint fingerprint = 0)
      : size_(size), bits_(bits), fingerprint_(fingerprint) {
    if (Bits != dynamic && bits != Bits) raise(errc::shape, "code_store: ", bits, " bits where ", Bits, " are fixed");
    if (bits == 0 || bits > (std::numeric_limits<std::uint32_t>::max)())
      raise(errc::shape, "code_store: codes of ", bits, " bits");
    if (size > words_.max_size() / words()) raise(errc::argument, "code_store: ", size, " codes do not fit in memory");
    words_.assign(size * words(), 0);
  }

  /// A copy of someone else's codes.
  /// @throws error errc::argument when a code has bits set beyond its width.
  explicit code_store(code_view<Bits> codes)
      : size_(codes.size()), bits_(codes.bits()), fingerprint_(codes.fingerprint()) {
    require_clean_tails(codes, "code_store");
    words_.assign(codes.data(), codes.data() + codes.size() * codes.words());
  }

  /// The given codes, in the given order.
  code_store(code_view<Bits> codes, std::span<const row_id> rows)
      : code_store(rows.size(), codes.bits(), codes.fingerprint()) {
    for (std::size_t i = 0; i < rows.size(); ++i) std::ranges::copy(codes[rows[i]], row(i).begin());
  }
  /// The given rows of any store of codes, in the given order.
  template <CodeStore Store>
  code_store(const Store& source, std::span<const row_id> rows)
      : code_store(rows.size(), source.bits(), detail::known_fingerprint(source)) {
    for (std::size_t i = 0; i < rows.size(); ++i) source.copy_row(rows[i], row(i));
  }

  std::size_t size() const noexcept { return size_; }
  std::size_t bits() const noexcept { return Bits == dynamic ? bits_ : Bits; }
  std::size_t words() const noexcept { return words_for(bits()); }
  bool empty() const noexcept { return size_ == 0; }
  /// Of the encoder that made the codes; 0: not known.
  encoder_fingerprint fingerprint() const noexcept { return fingerprint_; }
  /// For codes that are written from elsewhere, or to be compared with those of another encoder all the same: 0.
  void set_fingerprint(encoder_fingerprint fingerprint) noexcept { fingerprint_ = fingerprint; }

  /// Bytes allocated.
  std::size_t memory() const noexcept { return words_.capacity() * sizeof(word); }

  /// The size() · words() words, row after row.
  word* data() & noexcept { return words_.data(); }
  const word* data() const& noexcept { return words_.data(); }
  const word* data() const&& = delete;

  /// One code, where it lies.
  code_type operator[](std::size_t row) const& noexcept {
    EMBIT_ASSERT(row < size_);
    return code_type{words_.data() + row * words(), words()};
  }
  owned_list<word> operator[](std::size_t row) const&& { return owned_list<word>((*this)[row]); }

  /// One code, to be written.
  std::span<word, detail::static_words<Bits>> row(std::size_t row) & noexcept {
    EMBIT_ASSERT(row < size_);
    return std::span<word, detail::static_words<Bits>>{words_.data() + row * words(), words()};
  }

  /// Copies one code into the first `words()` words of `out`.
  void copy_row(std::size_t row, std::span<word> out) const noexcept {
    EMBIT_ASSERT(row < size_ && out.size() >= words());
    std::copy_n(words_.data() + row * words(), words(), out.data());
  }

  /// Adds codes at the end, which may be codes of this store. Amortized O(words added).
  /// @throws error errc::shape when the widths differ, errc::argument when a code has bits set beyond its width or for
  /// codes of another encoder.
  void append(code_view<> codes) {
    if (codes.bits() != bits())
      raise(errc::shape, "append: codes of ", codes.bits(), " bits to a store of ", bits(), " bits");
    require_clean_tails(codes, "append");
    const encoder_fingerprint joined = detail::joined_fingerprint(codes.fingerprint(), fingerprint_, size_);
    const std::size_t count = codes.size() * words(), before = words_.size();
    const word* source = codes.data();
    const std::less<> less;
    const bool own = count != 0 && !less(source, words_.data()) && less(source, words_.data() + before);
    const std::size_t offset = own ? static_cast<std::size_t>(source - words_.data()) : 0;
    words_.resize(before + count);
    std::copy_n(own ? words_.data() + offset : source, count, words_.data() + before);
    size_ += codes.size();
    fingerprint_ = joined;
  }

  /// All codes. Valid until the store changes or ends, which is why a temporary store has none to give.
  code_view<Bits> view() const& { return {words_.data(), size_, bits(), fingerprint_}; }
  code_view<Bits> view() const&& = delete;

  /// A store is accepted where a view is, a temporary one for the length of the full expression.
  operator code_view<Bits>() const { return {words_.data(), size_, bits(), fingerprint_}; }
  operator code_view<>() const requires(Bits != dynamic) { return {words_.data(), size_, bits(), fingerprint_}; }

  static constexpr file_kind file = detail::codes_file;
  file_kind saved_as() const noexcept { return detail::codes_file_of(fingerprint_); }

  /// The sections of the file that `save` writes: interleaved blocks, as every store of codes writes them.
  void write_to(const section_writer& out) const { detail::write_codes(out, *this); }

  /// The codes that `load` reads.
  /// @throws error errc::format, errc::checksum or errc::io; errc::shape for another width than the static one.
  static code_store read_from(const section_reader& in) {
    const detail::code_shape shape = detail::read_shape(in);
    if constexpr (Bits == dynamic)
      if (shape.bits == 0) return code_store();
    code_store store(shape.rows, shape.bits, shape.fingerprint);
    const auto blocks = in.array<word>(detail::blocks_section, shape.block_words());
    detail::require_clean_blocks(blocks.data(), shape, in.path());
    for (std::size_t i = 0; i < shape.rows; ++i) detail::copy_lane(blocks.data(), store.words(), i, store.row(i));
    return store;
  }

 private:
  aligned_vector<word> words_;
  detail::moved_value<> size_;
  std::size_t bits_ = Bits == dynamic ? 0 : Bits;
  encoder_fingerprint fingerprint_ = 0;
};

template <std::size_t Bits>
code_store(code_view<Bits>) -> code_store<Bits>;
code_store(std::size_t, std::size_t)->code_store<>;

static_assert(RowStore<code_store<>> && RowStore<code_store<256>>);

}  // namespace embit::inline EMBIT_ABI
