// PLAID indexes of late interaction in the .npy form of fast-plaid and PyLate: their tokens, scored as they are kept.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/ragged_view.hpp>
#include <embit/core/types.hpp>
#include <embit/io/file.hpp>
#include <embit/io/json_text.hpp>
#include <embit/io/npy.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// The tokens of a document, made of their codes: a matrix that is scored as a set of rows.
class plaid_tokens {
 public:
  explicit plaid_tokens(matrix<float> tokens) : tokens_(std::move(tokens)) {}

  std::size_t rows() const noexcept { return tokens_.rows(); }
  matrix_view<const float> view() const& noexcept { return tokens_.view(); }
  matrix_view<const float> view() const&& = delete;
  /// Valid as long as the tokens are.
  operator row_set<const float>() const noexcept { return row_set<const float>(tokens_.view()); }

 private:
  matrix<float> tokens_;
};

/// The tokens of several documents.
class plaid_documents {
 public:
  plaid_documents(matrix<float> tokens, std::vector<std::size_t> offsets)
      : tokens_(std::move(tokens)), offsets_(std::move(offsets)) {}

  std::size_t size() const noexcept { return offsets_.size() - 1; }
  ragged_view<const float> view() const& { return {tokens_.view(), offsets_}; }
  ragged_view<const float> view() const&& = delete;

 private:
  matrix<float> tokens_;
  std::vector<std::size_t> offsets_;
};

/// An index whose tokens are a centroid each and a residual of 1, 2, 4 or 8 bits a dimension, kept as it was written: a
/// token takes 4 bytes and its residual. Documents are decompressed as they are asked for, so that candidates are
/// reranked by `chamfer_rerank{index}`, and encoded as `decompressed()`. Its inverted lists are not read: this library
/// finds candidates by fixed dimensional encodings. Immutable; copies share the codes; safe to use from many threads.
///
/// Santhanam, Khattab, Potts and Zaharia, "PLAID", CIKM 2022 (arXiv 2205.09707); residuals: Santhanam et al.,
/// "ColBERTv2", NAACL 2022, section 3.3. Files as fast-plaid 1.x writes them (rust/index/create.rs), those of PyLate
/// too. ColBERT's own indexes are pickled (.pt) and not read.
class plaid_index {
 public:
  /// Reads metadata.json ("num_chunks", "nbits"), centroids.npy (centroids × dim), bucket_weights.npy (2^nbits) and, of
  /// each chunk i, doclens.<i>.json, <i>.codes.npy (a centroid a token) and <i>.residuals.npy (tokens × dim · nbits / 8
  /// bytes). O(file sizes).
  /// @throws error errc::io for a file that cannot be opened, errc::format, errc::shape, errc::kind, errc::truncated,
  ///         errc::argument or errc::not_finite for one that is no such file or contradicts the others, all with the
  ///         path.
  explicit plaid_index(std::string folder) : data_(read(std::move(folder))) {}

  /// Documents.
  std::size_t size() const noexcept { return data_->ends.size() - 1; }
  /// Numbers of a token.
  std::size_t cols() const noexcept { return data_->centroids.cols(); }
  std::size_t tokens() const noexcept { return data_->codes.size(); }
  /// Of a residual, a dimension.
  std::size_t bits() const noexcept { return data_->bits; }
  std::size_t centroids() const noexcept { return data_->centroids.rows(); }
  /// Of all tokens in memory.
  std::size_t memory() const noexcept {
    return data_->codes.size() * (sizeof(std::uint32_t) + data_->residual_bytes()) +
           data_->centroids.values().size_bytes();
  }

  /// The tokens of a document: centroid + residual, scaled to unit norm. O(tokens · dim).
  plaid_tokens operator[](std::size_t document) const {
    EMBIT_ASSERT(document < size());
    const std::size_t first = data_->ends[document], count = data_->ends[document + 1] - first;
    auto out = matrix<float>::uninitialized(count, cols());
    for (std::size_t t = 0; t < count; ++t) data_->decompress(first + t, out[t]);
    return plaid_tokens(std::move(out));
  }

  /// The tokens of documents [first, first + count), of all where nothing is said: to be encoded by `muvera`, or to be
  /// kept in a `token_store` and reranked faster from more memory. O(tokens · dim).
  /// @throws error errc::out_of_range for documents that are not there.
  plaid_documents decompressed(std::size_t first = 0, std::size_t count = std::size_t(-1)) const {
    if (count == std::size_t(-1) && first <= size()) count = size() - first;
    if (first > size() || count > size() - first)
      raise(errc::out_of_range, "plaid_index: documents ", first, " + ", count, " of ", size());
    const auto ends = std::span(data_->ends).subspan(first, count + 1);
    std::vector<std::size_t> offsets(ends.begin(), ends.end());
    auto tokens = matrix<float>::uninitialized(ends.back() - ends.front(), cols());
    for (std::size_t t = 0; t < tokens.rows(); ++t) data_->decompress(ends.front() + t, tokens[t]);
    for (std::size_t& o : offsets) o -= ends.front();
    return {std::move(tokens), std::move(offsets)};
  }

 private:
  struct data {
    std::size_t bits = 0;
    matrix<float> centroids;
    std::vector<float> weights;        // of the buckets of a residual
    std::vector<std::uint32_t> codes;  // a centroid a token
    std::vector<std::uint8_t> residuals;
    std::vector<std::size_t> ends{0};  // of documents, in tokens

    std::size_t residual_bytes() const noexcept { return centroids.cols() * bits / 8; }

    // The writers put the lowest bit of a bucket first, and what is first into the highest bit of a byte.
    std::size_t bucket(const std::uint8_t* residual, std::size_t j) const noexcept {
      std::size_t found = 0;
      for (std::size_t b = 0; b < bits; ++b) {
        const std::size_t at = j * bits + b;
        found |= std::size_t{residual[at / 8] >> (7 - at % 8) & 1u} << b;
      }
      return found;
    }

    void decompress(std::size_t token, std::span<float> out) const noexcept {
      constexpr double least_norm = 1e-12;
      const auto centroid = centroids[codes[token]];
      const std::uint8_t* residual = residuals.data() + token * residual_bytes();
      double square = 0;
      for (std::size_t j = 0; j < out.size(); ++j) {
        out[j] = centroid[j] + weights[bucket(residual, j)];
        square += double{out[j]} * double{out[j]};
      }
      const double norm = (std::max)(std::sqrt(square), least_norm);
      for (float& x : out) x = static_cast<float>(double{x} / norm);
    }
  };

  static std::shared_ptr<const data> read(std::string folder) {
    if (folder.empty() || folder.back() != '/') folder += '/';
    auto found = std::make_shared<data>();
    const std::uint64_t chunks = read_codec(folder, *found);
    for (std::uint64_t i = 0; i < chunks; ++i) read_chunk(folder, i, *found);
    return found;
  }

  /// Calls `take(json_text)` for the one value of a file.
  template <class Take>
  static void read_json(const std::string& path, Take&& take) {
    const auto bytes = read_file(path);
    detail::json_text text({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path + ": at byte ");
    take(text);
    if (!text.ended()) text.refuse("text after the end");
  }

  /// @return  how many chunks there are
  static std::uint64_t read_codec(const std::string& folder, data& into) {
    const std::string path = folder + "metadata.json";
    std::optional<std::uint64_t> chunks;
    std::uint64_t bits = 0;
    read_json(path, [&](detail::json_text& metadata) {
      metadata.members([&](const std::string& key) {
        const auto value = metadata.whole_number();
        if (!value) return metadata.skip_value();
        if (key == "num_chunks") chunks = value;
        if (key == "nbits") bits = *value;
      });
    });
    if (!chunks) raise(errc::format, path, ": does not say \"num_chunks\"");
    if (bits != 1 && bits != 2 && bits != 4 && bits != 8)
      raise(errc::format, path, ": residuals of ", bits, " bits where 1, 2, 4 or 8 are possible");
    into.bits = static_cast<std::size_t>(bits);
    into.centroids = read_finite(folder + "centroids.npy");
    if (into.centroids.cols() * bits % 8 != 0)
      raise(errc::format, folder, "centroids.npy: ", into.centroids.cols(), " dimensions of ", bits,
            " bits do not fill bytes");
    const matrix<float> weights = read_finite(folder + "bucket_weights.npy");
    if (weights.values().size() != std::size_t{1} << bits)
      raise(errc::shape, folder, "bucket_weights.npy: ", weights.rows(), " x ", weights.cols(), " weights where ", bits,
            " bits have ", std::size_t{1} << bits);
    into.weights.assign(weights.values().begin(), weights.values().end());
    const auto largest = [](const matrix<float>& numbers) {
      float most = 0;
      for (const float x : numbers.values()) most = (std::max)(most, std::abs(x));
      return most;
    };
    if (const float most = largest(into.centroids) + largest(weights); !detail::is_finite(most))
      raise(errc::not_finite, folder, "centroids.npy: with the weights of residuals numbers may reach ", most);
    return *chunks;
  }

  static matrix<float> read_finite(const std::string& path) {
    matrix<float> numbers = read_npy<float>(path);
    detail::require_finite(numbers.view(), path);
    return numbers;
  }

  static void read_chunk(const std::string& folder, std::uint64_t chunk, data& into) {
    const std::string number = std::to_string(chunk);
    const std::string lengths_path = folder + "doclens." + number + ".json";
    const std::string codes_path = folder + number + ".codes.npy", residuals_path = folder + number + ".residuals.npy";
    std::vector<std::uint64_t> lengths;
    read_json(lengths_path, [&](detail::json_text& text) { lengths = text.numbers(); });
    const matrix<std::int64_t> codes = read_npy<std::int64_t>(codes_path);
    const matrix<std::uint8_t> residuals = read_npy<std::uint8_t>(residuals_path);
    if (codes.cols() != 1)
      raise(errc::shape, codes_path, ": ", codes.rows(), " x ", codes.cols(), " codes, not a column");
    if (residuals.rows() != codes.rows() || (residuals.rows() != 0 && residuals.cols() != into.residual_bytes()))
      raise(errc::shape, residuals_path, ": ", residuals.rows(), " x ", residuals.cols(), " bytes where ", codes.rows(),
            " tokens have ", into.residual_bytes(), " each");
    if (into.ends.size() - 1 + lengths.size() > (std::numeric_limits<row_id>::max)())
      raise(errc::format, lengths_path, ": more documents than row ids can number");
    std::uint64_t left = codes.rows();
    for (const std::uint64_t length : lengths) {
      if (length > left)
        raise(errc::format, lengths_path, ": documents of more tokens than ", codes_path, " has, ", codes.rows());
      left -= length;
      into.ends.push_back(into.ends.back() + static_cast<std::size_t>(length));
    }
    if (left != 0) raise(errc::format, lengths_path, ": ", left, " tokens of ", codes_path, " are of no document");
    for (std::size_t i = 0; i < codes.rows(); ++i) {
      const std::int64_t code = codes[i][0];
      if (code < 0 || static_cast<std::uint64_t>(code) >= into.centroids.rows() ||
          static_cast<std::uint64_t>(code) > (std::numeric_limits<std::uint32_t>::max)())
        raise(errc::format, codes_path, ": token ", i, ": centroid ", code, " of ", into.centroids.rows());
      into.codes.push_back(static_cast<std::uint32_t>(code));
    }
    into.residuals.insert(into.residuals.end(), residuals.values().begin(), residuals.values().end());
  }

  detail::shared_state<const data> data_;
};

}  // namespace embit::inline EMBIT_ABI
