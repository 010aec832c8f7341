// The bits of codes in another order: distances stay, prefixes change.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/types.hpp>
#include <embit/io/save.hpp>
#include <embit/store/code_store.hpp>

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Puts bit `order()[i]` of a code at place i. Rows and queries are both put so: distances between them are what they
/// were. What comes out has a fingerprint of its own where the codes have one, so that codes in one order are not
/// compared with codes in another. An immutable value.
class bit_permutation {
 public:
  /// Of codes of no bits.
  bit_permutation() = default;

  /// @throws error errc::argument unless every number below `order.size()` is there once.
  explicit bit_permutation(std::vector<std::uint32_t> order) : order_(std::move(order)) {
    if (const std::size_t at = misplaced(order_); at != order_.size())
      raise(errc::argument, "order: bit ", order_[at], " of ", order_.size(), ", beyond them or there before");
  }

  /// The order in which bits are.
  static bit_permutation identity(std::size_t bits) {
    std::vector<std::uint32_t> order(bits);
    std::iota(order.begin(), order.end(), 0u);
    return bit_permutation(std::move(order));
  }

  std::size_t bits() const noexcept { return order_.size(); }
  std::span<const std::uint32_t> order() const& noexcept { return order_; }
  std::span<const std::uint32_t> order() const&& = delete;

  /// The codes with their bits in this order. O(codes · bits).
  /// @throws error errc::shape for codes of another width.
  code_store<> operator()(code_view<> codes) const {
    if (codes.bits() != bits())
      raise(errc::shape, "codes: ", codes.bits(), " bits, where the order is one of ", bits());
    if (bits() == 0) return code_store<>();
    code_store<> ordered(codes.size(), codes.bits(), fingerprint_of(codes));
    for (std::size_t i = 0; i < codes.size(); ++i) {
      const auto from = codes[i];
      const auto to = ordered.row(i);
      for (std::size_t bit = 0; bit < bits(); ++bit)
        to[bit / word_bits] |= (from[order_[bit] / word_bits] >> order_[bit] % word_bits & 1) << bit % word_bits;
    }
    return ordered;
  }

  static constexpr file_kind file{"bit_permutation", 1};

  /// The section of the file that `save` writes: "order" (u32, the bit at each place).
  void write_to(const section_writer& out) const { out.add("order", std::span<const std::uint32_t>(order_)); }
  /// @throws error errc::format for what is no order, errc::checksum or errc::io.
  static bit_permutation read_from(const section_reader& in) {
    std::vector<std::uint32_t> order(in.count<std::uint32_t>("order"));
    in.read("order", std::span<std::uint32_t>(order));
    if (const std::size_t at = misplaced(order); at != order.size())
      raise(errc::format, in.path(), ": section 'order' at byte ", in.info("order").offset, ": bit ", order[at], " of ",
            order.size(), ", beyond them or there before");
    return bit_permutation(std::move(order));
  }

  friend bool operator==(const bit_permutation&, const bit_permutation&) = default;

 private:
  /// The first place of a bit that is not one of them, or was there before; past the last where there is none.
  static std::size_t misplaced(std::span<const std::uint32_t> order) {
    std::vector<bool> seen(order.size(), false);
    for (std::size_t at = 0; at < order.size(); ++at) {
      if (order[at] >= order.size() || seen[order[at]]) return at;
      seen[order[at]] = true;
    }
    return order.size();
  }

  encoder_fingerprint fingerprint_of(code_view<> codes) const noexcept {
    if (codes.fingerprint() == 0) return 0;
    return detail::fingerprint_hash().add(codes.fingerprint()).add(order_).value();
  }

  std::vector<std::uint32_t> order_;
};

}  // namespace embit::inline EMBIT_ABI
