// Text to vectors without a model: hashed words and character trigrams, weighted by how rare they are.
// SPDX-License-Identifier: MIT
#pragma once

#include "words.hpp"

#include <embit/core/matrix.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace example {

namespace detail {

/// A feature is the bucket its text falls into. Words have even numbers, trigrams odd ones.
using feature = std::uint32_t;
inline constexpr std::uint64_t feature_buckets = std::uint64_t{1} << 18;

constexpr std::uint64_t mix(std::uint64_t z) {  // the finalizer of SplitMix64
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

constexpr feature word_feature(std::string_view word) {
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (const char c : word) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return static_cast<feature>(mix(hash) % feature_buckets & ~std::uint64_t{1});
}

constexpr feature trigram_feature(char a, char b, char c) {
  const auto byte = [](char x) { return std::uint64_t{static_cast<unsigned char>(x)}; };
  return static_cast<feature>(mix(byte(a) << 16 | byte(b) << 8 | byte(c)) % feature_buckets | 1);
}

/// All features of `text`, sorted, each as often as it occurs.
inline void collect_features(std::string_view text, std::vector<feature>& out) {
  out.clear();
  for_each_word(text, [&](std::string_view word) {
    out.push_back(word_feature(word));
    const auto letter = [&](std::size_t i) { return i == 0 || i > word.size() ? ' ' : word[i - 1]; };
    for (std::size_t i = 0; i < word.size(); ++i)  // of the word with a space on both sides
      out.push_back(trigram_feature(letter(i), letter(i + 1), letter(i + 2)));
  });
  std::sort(out.begin(), out.end());
}

/// Calls `f(feature, count)` for each different feature.
template <class F>
void for_each_run(std::span<const feature> sorted, F&& f) {
  for (std::size_t i = 0, end; i < sorted.size(); i = end) {
    for (end = i + 1; end < sorted.size() && sorted[end] == sorted[i];) ++end;
    f(sorted[i], end - i);
  }
}

}  // namespace detail

/// Maps text to unit vectors: TF-IDF weights of words and trigrams, each added with random signs to four of `dim`
/// places (Kane and Nelson, "Sparser Johnson-Lindenstrauss transforms", JACM 2014). The inner product of two vectors
/// is close to the cosine of the two weighted bags. Immutable once it has learned from the texts.
class text_features {
 public:
  /// @param texts     any range of things that convert to std::string_view; it learns how rare their features are.
  /// @param progress  called with (texts seen, texts in all)
  template <class Texts, class Progress>
  text_features(std::size_t dim, const Texts& texts, Progress&& progress)
      : dim_(dim), weight_(detail::feature_buckets) {
    std::vector<detail::feature> features;
    std::size_t seen = 0;
    for (const std::string_view text : texts) {
      progress(seen++, texts.size());
      detail::collect_features(text, features);
      detail::for_each_run(features, [&](detail::feature f, std::size_t) { weight_[f] += 1; });
    }
    for (std::size_t f = 0; f < weight_.size(); ++f) weight_[f] = rarity(weight_[f], seen) * (f % 2 == 0 ? 1 : trigram);
  }

  std::size_t dim() const noexcept { return dim_; }

  /// Writes the vector of `text` to `row` (dim numbers). False, and all zeros, when nothing in the text was ever seen.
  bool operator()(std::string_view text, std::span<float> row) const {
    std::vector<detail::feature> features;
    detail::collect_features(text, features);
    std::fill(row.begin(), row.end(), 0.0f);
    detail::for_each_run(features, [&](detail::feature f, std::size_t count) {
      const float weight = weight_[f] * (1 + std::log(static_cast<float>(count)));
      // Four places of 15 bits, four signs. Were it one place, two rare features that share it would look alike.
      for (std::uint64_t hash = detail::mix(f + 1), i = 0; i < 4; ++i, hash >>= 16)
        row[(hash >> 1 & 0x7fff) % dim_] += (hash & 1) != 0 ? weight : -weight;
    });
    float square = 0;
    for (const float x : row) square += x * x;
    if (square == 0) return false;
    for (float& x : row) x /= std::sqrt(square);
    return true;
  }

 private:
  static constexpr float trigram = 0.4f;  // a word has many; together they weigh about as much as the word

  /// What no text has can match nothing and weighs nothing.
  static float rarity(float texts_with, std::size_t texts) {
    return texts_with == 0 ? 0 : std::log((1 + static_cast<float>(texts)) / texts_with);
  }

  std::size_t dim_;
  std::vector<float> weight_;
};

/// The vectors of `texts`, one a row.
template <class Texts, class Progress>
embit::matrix<float> featurize(const text_features& features, const Texts& texts, Progress&& progress) {
  embit::matrix<float> x(texts.size(), features.dim());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    progress(i, texts.size());
    features(texts[i], x[i]);
  }
  return x;
}

/// The vector of what a person asks for.
/// @throws std::runtime_error when nothing in the query occurs in the texts.
inline embit::matrix<float> featurize_query(const text_features& features, const std::string& query) {
  embit::matrix<float> x(1, features.dim());
  if (!features(query, x[0])) throw std::runtime_error("query: no part of '" + query + "' occurs in the text");
  return x;
}

}  // namespace example
