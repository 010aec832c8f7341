// Codes of sets whose agreement estimates the Jaccard similarity.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/random.hpp>
#include <embit/core/types.hpp>
#include <embit/encode/shingles.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Sets of 64-bit elements, indexable: a std::vector<std::vector<std::uint64_t>>, for one.
template <class S>
concept SetBatch = requires(const S& sets, std::size_t i) {
  { sets.size() } -> std::convertible_to<std::size_t>;
  { sets[i] } -> std::convertible_to<std::span<const std::uint64_t>>;
};

struct min_hash_options {
  std::size_t hashes = 0;         ///< that are compared, 1 to 2²⁰
  std::size_t bits_per_hash = 1;  ///< that are kept of each: 1, 2, 4, 8 or 16
};

namespace detail {

/// Hashes of a code: each takes 16 bytes while a set is hashed.
inline constexpr std::size_t most_hashes = std::size_t{1} << 20;

}  // namespace detail

/// Scores the codes of a `min_hash` by the Jaccard similarity they estimate, the most similar first.
class min_hash_similarity {
 public:
  using query_view = code_view<>;
  using distance_type = float;
  using compare = std::greater<>;

  /// @throws error errc::argument as `min_hash` does.
  explicit min_hash_similarity(min_hash_options options) : options_(options) {
    const std::size_t b = options.bits_per_hash;
    if (options.hashes == 0 || options.hashes > detail::most_hashes)
      raise(errc::argument, "min_hash: ", options.hashes, " hashes, not 1 to ", detail::most_hashes);
    if (b == 0 || b > 16 || !std::has_single_bit(b))
      raise(errc::argument, "min_hash: ", b, " bits a hash where 1, 2, 4, 8 or 16 are possible");
  }

  std::span<const word> prepare(std::span<const word> query) const noexcept { return query; }

  /// The estimate for two codes, at most 1; unbiased, hence at times a little below 0. O(words).
  float operator()(std::span<const word> a, std::span<const word> b) const noexcept {
    return static_cast<float>(jaccard(a, b));
  }

  /// (p - 2⁻ᵇ) / (1 - 2⁻ᵇ), p being the share of hashes whose b bits agree.
  double jaccard(std::span<const word> a, std::span<const word> b) const noexcept {
    const std::size_t bits = options_.bits_per_hash;
    const word lowest = ~word{0} / ((word{1} << bits) - 1);  // a bit a hash
    std::size_t differing = 0;
    for (std::size_t w = 0; w < a.size(); ++w) {
      word x = a[w] ^ b[w];
      for (std::size_t shift = 1; shift < bits; shift *= 2) x |= x >> shift;
      differing += static_cast<std::size_t>(std::popcount(x & lowest));
    }
    const double share = static_cast<double>(differing) / static_cast<double>(options_.hashes);
    return 1 - share / (1 - 1 / static_cast<double>(word{1} << bits));
  }

 private:
  min_hash_options options_;
};

static_assert(Kernel<min_hash_similarity>);

/// Hashes sets so that two codes agree in a hash with the probability J = |A ∩ B| / |A ∪ B|, and by chance in 2⁻ᵇ of
/// the others, b bits being kept. The estimate of J has a variance of at most p (1 - p) / hashes / (1 - 2⁻ᵇ)², where
/// p = J + (1 - J) 2⁻ᵇ: what independent hash functions have.
///
/// `flat_index{hash.encode(sets), hash.similarity()}` ranks by the estimate. Each differing hash differs in half of its
/// bits, so Hamming distances rank too, and `jaccard_of_distance` reads them: any index of codes will do, best with 1
/// bit a hash. Sets are taken as sets: an element that is there twice counts once. The code of an empty set is zero.
/// Immutable; the same codes on every platform; safe to use from many threads.
///
/// Broder, "On the resemblance and containment of documents", 1997; Li and König, "b-Bit minwise hashing", WWW 2010,
/// equation 4 in the limit of sparse sets. All hashes come from a few passes over the set instead of one pass each:
/// an element is thrown into one bin a round, a bin keeps the least of the round that fills it, and rounds go on until
/// all bins are full (Dahlgaard, Knudsen and Thorup, "Fast similarity sketching", FOCS 2017).
class min_hash {
 public:
  /// @throws error errc::argument for no hashes or more than 2²⁰, or bits a hash other than 1, 2, 4, 8 and 16.
  template <std::uniform_random_bit_generator Engine>
  min_hash(min_hash_options options, Engine& engine) : min_hash(options, random_bits(engine)) {}

  /// The hasher with the `seed()` of another. @throws error as the other constructor does.
  min_hash(min_hash_options options, std::uint64_t seed) : options_(options), seed_(seed), similarity_(options) {}

  std::size_t hashes() const noexcept { return options_.hashes; }
  std::size_t bits_per_hash() const noexcept { return options_.bits_per_hash; }
  /// Of a code. Hash i is bits [i · bits_per_hash, (i + 1) · bits_per_hash).
  std::size_t bits() const noexcept { return options_.hashes * options_.bits_per_hash; }
  std::uint64_t seed() const noexcept { return seed_; }
  /// Changes with everything that codes depend on.
  encoder_fingerprint fingerprint() const noexcept {
    return detail::fingerprint_hash().add(hashes()).add(bits_per_hash()).add(seed()).value();
  }

  /// The codes of sets, in order. O(elements + hashes · log hashes) a set.
  template <SetBatch Sets, Executor Exec = inline_executor>
  code_store<> encode(const Sets& sets, const Exec& executor = {}) const {
    code_store<> codes(sets.size(), bits(), fingerprint());
    run_ranges(executor, codes.size(), 1, executor.concurrency() * 4,
               [&](std::size_t first, std::size_t last, std::size_t) {
                 bins memory(hashes());
                 for (std::size_t i = first; i < last; ++i) write_code(sets[i], memory, codes.row(i));
               });
    return codes;
  }

  /// Writes the code of one set into words_for(bits()) words.
  /// @throws error errc::shape for another number of words.
  void encode_into(std::span<const std::uint64_t> set, std::span<word> code) const {
    if (code.size() != words_for(bits()))
      raise(errc::shape, "code: ", code.size(), " words for a code of ", bits(), " bits");
    bins memory(hashes());
    write_code(set, memory, code);
  }

  /// The kernel that ranks codes by their estimated similarity.
  min_hash_similarity similarity() const noexcept { return similarity_; }

  /// The estimate for two codes, of words_for(bits()) words each.
  double jaccard(std::span<const word> a, std::span<const word> b) const noexcept { return similarity_.jaccard(a, b); }

  /// The estimate from a Hamming distance; the same as `jaccard` where one bit a hash is kept, else of more variance.
  double jaccard_of_distance(std::size_t distance) const noexcept {
    return 1 - 2 * static_cast<double>(distance) / static_cast<double>(bits());
  }

  static constexpr file_kind file{"min_hash", 1};

  /// The section of the file that `save` writes: "shape" (u64 hashes, u64 bits a hash, u64 seed).
  void write_to(const section_writer& out) const {
    metadata_writer shape;
    shape.u64(hashes()).u64(bits_per_hash()).u64(seed());
    out.add("shape", std::move(shape));
  }
  /// @throws error errc::format, errc::checksum or errc::io.
  static min_hash read_from(const section_reader& in) {
    metadata_reader shape = in.metadata("shape");
    const std::uint64_t hashes = shape.u64(), bits = shape.u64(), seed = shape.u64();
    if (hashes == 0 || hashes > detail::most_hashes || bits == 0 || bits > 16 || !std::has_single_bit(bits))
      shape.refuse(hashes, " hashes of ", bits, " bits");
    return min_hash({static_cast<std::size_t>(hashes), static_cast<std::size_t>(bits)}, seed);
  }

 private:
  struct bin {
    std::uint64_t least;
    std::uint64_t round;  // that filled it, from 1; 0 for none
  };
  using bins = std::vector<bin>;

  static void offer(bin& into, std::uint64_t hash, std::uint64_t round, std::size_t& filled) noexcept {
    if (into.round == 0) {
      into = {hash, round};
      ++filled;
    } else if (into.round == round && hash < into.least) {
      into.least = hash;
    }
  }

  void write_code(std::span<const std::uint64_t> set, bins& memory, std::span<word> code) const noexcept {
    std::fill(code.begin(), code.end(), word{0});
    if (set.empty()) return;
    std::fill(memory.begin(), memory.end(), bin{0, 0});
    std::size_t filled = 0;
    for (std::uint64_t round = 1; filled < hashes(); ++round) {
      const std::uint64_t salt = detail::mix_bits(seed_ + 0x9e3779b97f4a7c15u * round);
      // After as many rounds as bins the rest is filled one by one.
      const bool anywhere = round <= hashes();
      for (const std::uint64_t element : set) {
        const std::uint64_t hash = detail::mix_bits(element ^ salt);
        const std::uint64_t at = anywhere ? (hash >> 32) * hashes() >> 32 : round - hashes() - 1;
        offer(memory[static_cast<std::size_t>(at)], hash, round, filled);
      }
    }
    // The high bits chose the bin and the least; the low ones know nothing of that.
    const word kept = (word{1} << bits_per_hash()) - 1;
    for (std::size_t i = 0; i < hashes(); ++i) {
      const std::size_t at = i * bits_per_hash();
      code[at / word_bits] |= (memory[i].least & kept) << at % word_bits;
    }
  }

  min_hash_options options_;
  std::uint64_t seed_;
  min_hash_similarity similarity_;
};

}  // namespace embit::inline EMBIT_ABI
