// Codes of weighted features whose distance estimates the angle between them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/random.hpp>
#include <embit/core/types.hpp>
#include <embit/encode/shingles.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/store/code_store.hpp>

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <random>
#include <span>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// A coordinate of a sparse vector: a hashed feature (`hash_bytes`) and how much of it there is.
struct weighted_feature {
  std::uint64_t id = 0;
  float weight = 1;
};

/// Sets of weighted features, indexable: a std::vector<std::vector<weighted_feature>>, for one.
template <class S>
concept FeatureBatch = requires(const S& sets, std::size_t i) {
  { sets.size() } -> std::convertible_to<std::size_t>;
  { sets[i] } -> std::convertible_to<std::span<const weighted_feature>>;
};

struct sim_hash_options {
  std::size_t bits = 0;  ///< of the codes, 1 to 2²⁴; any number of them
};

/// Signs of random projections of sparse vectors of any dimension, the planes being hashed from the features instead of
/// stored: bit j is set where Σ weight · s(feature, j) > 0, s being +1 or -1. Two vectors at angle θ differ in about
/// θ/π of the bits, the more nearly the more features they have. Features may come in any order and more than once; no
/// feature, or weights that cancel, give zero bits. Immutable; the same codes on every platform for features in the
/// same order; safe to use from many threads.
/// Charikar, "Similarity estimation techniques from rounding algorithms", STOC 2002, section 3; Manku, Jain and
/// Das Sarma, "Detecting near-duplicates for web crawling", WWW 2007, section 2.
class sim_hash {
 public:
  /// @throws error errc::argument for 0 bits or more than 2²⁴.
  template <std::uniform_random_bit_generator Engine>
  sim_hash(sim_hash_options options, Engine& engine) : sim_hash(options, random_bits(engine)) {}

  /// The hasher with the `seed()` of another. @throws error as the other constructor does.
  sim_hash(sim_hash_options options, std::uint64_t seed) : bits_(options.bits), seed_(seed) {
    if (bits_ == 0 || bits_ > most_bits) raise(errc::argument, "sim_hash: of ", bits_, " bits, not 1 to ", most_bits);
  }

  std::size_t bits() const noexcept { return bits_; }
  std::uint64_t seed() const noexcept { return seed_; }
  /// Changes with everything that codes depend on.
  encoder_fingerprint fingerprint() const noexcept {
    return detail::fingerprint_hash().add(bits()).add(seed()).value();
  }

  /// The codes of sets of features, in order. O(features · bits).
  /// @throws error errc::not_finite naming the set and the feature.
  template <FeatureBatch Sets, Executor Exec = inline_executor>
  code_store<> encode(const Sets& sets, const Exec& executor = {}) const {
    code_store<> codes(sets.size(), bits(), fingerprint());
    run_ranges(executor, codes.size(), 1, executor.concurrency() * 4,
               [&](std::size_t first, std::size_t last, std::size_t) {
                 for (std::size_t i = first; i < last; ++i) {
                   const std::span<const weighted_feature> set = sets[i];
                   require_finite(set, i);
                   write_code(set, codes.row(i));
                 }
               });
    return codes;
  }

  /// Writes the code of one set of features into words_for(bits()) words.
  /// @throws error errc::shape for another number of words, errc::not_finite; `code` is then unchanged.
  void encode_into(std::span<const weighted_feature> set, std::span<word> code) const {
    if (code.size() != words_for(bits()))
      raise(errc::shape, "code: ", code.size(), " words for a code of ", bits(), " bits");
    require_finite(set, 0);
    write_code(set, code);
  }

  /// The cosine that a Hamming distance stands for: cos(π · distance / bits).
  double cosine_of_distance(std::size_t distance) const noexcept {
    return std::cos(std::numbers::pi * static_cast<double>(distance) / static_cast<double>(bits()));
  }

  static constexpr file_kind file{"sim_hash", 1};

  /// The section of the file that `save` writes: "shape" (u64 bits, u64 seed).
  void write_to(const section_writer& out) const {
    metadata_writer shape;
    shape.u64(bits()).u64(seed());
    out.add("shape", std::move(shape));
  }
  /// @throws error errc::format, errc::checksum or errc::io.
  static sim_hash read_from(const section_reader& in) {
    metadata_reader shape = in.metadata("shape");
    const std::uint64_t bits = shape.u64(), seed = shape.u64();
    if (bits == 0 || bits > most_bits) shape.refuse(bits, " bits");
    return sim_hash({static_cast<std::size_t>(bits)}, seed);
  }

 private:
  static constexpr std::size_t most_bits = std::size_t{1} << 24;

  static void require_finite(std::span<const weighted_feature> set, std::size_t number) {
    for (std::size_t i = 0; i < set.size(); ++i)
      if (!detail::is_finite(set[i].weight))
        raise(errc::not_finite, "features: set ", number, ", feature ", i, " has the weight ", set[i].weight);
  }

  void write_code(std::span<const weighted_feature> set, std::span<word> code) const noexcept {
    for (std::size_t w = 0; w < code.size(); ++w) {
      const std::uint64_t salt = detail::mix_bits(seed_ + 0x9e3779b97f4a7c15u * (w + 1));
      double sums[word_bits] = {};
      for (const weighted_feature& feature : set) {
        const word signs = detail::mix_bits(feature.id ^ salt);
        const double weights[2] = {-double{feature.weight}, double{feature.weight}};
        for (std::size_t j = 0; j < word_bits; ++j) sums[j] += weights[signs >> j & 1];
      }
      code[w] = 0;
      for (std::size_t j = 0; j < word_bits; ++j) code[w] |= word{sums[j] > 0} << j;
    }
    code.back() &= tail_mask(bits());
  }

  std::size_t bits_;
  std::uint64_t seed_;
};

}  // namespace embit::inline EMBIT_ABI
