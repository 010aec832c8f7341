// PLAID indexes as fast-plaid writes them, from numbers and from documents.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/half.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/ragged_view.hpp>
#include <embit/core/random.hpp>
#include <embit/kernel/gemm.hpp>
#include <embit/linalg/k_means.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

namespace support {

/// What a chunk of an index holds: centroids and buckets of residuals as numbers.
struct plaid_chunk {
  std::vector<std::size_t> lengths;  ///< of documents
  std::vector<std::int64_t> codes;
  embit::matrix<std::uint8_t> buckets;  ///< tokens × dim
};

struct plaid_numbers {
  std::size_t bits = 2;
  embit::matrix<float> centroids;
  std::vector<float> weights;
  std::vector<plaid_chunk> chunks;
};

inline void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

template <class T>
void write_array(const std::string& path, const std::string& type, const std::string& shape,
                 const std::vector<T>& numbers) {
  std::string header = "{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::ofstream out(path, std::ios::binary);
  out << std::string("\x93NUMPY\1\0", 8) << static_cast<char>(header.size()) << '\0' << header;
  out.write(reinterpret_cast<const char*>(numbers.data()), static_cast<std::streamsize>(numbers.size() * sizeof(T)));
}

/// As the writers pack buckets: each becomes its bits from the lowest on, and eight bits in a row a byte, the first the
/// highest.
inline std::vector<std::uint8_t> packed_buckets(const embit::matrix<std::uint8_t>& buckets, std::size_t bits) {
  std::vector<std::uint8_t> bytes;
  std::size_t filled = 8;
  for (const std::uint8_t bucket : buckets.values())
    for (std::size_t b = 0; b < bits; ++b) {
      if (filled == 8) bytes.push_back(0), filled = 0;
      bytes.back() = static_cast<std::uint8_t>(bytes.back() << 1 | (bucket >> b & 1));
      ++filled;
    }
  return bytes;
}

inline void write_plaid(const std::string& folder, const plaid_numbers& index) {
  const auto halves = [](const auto& numbers) {
    std::vector<embit::half> out;
    for (const float x : numbers) out.emplace_back(x);
    return out;
  };
  const auto shape = [](std::size_t rows, std::size_t cols) {
    return "(" + std::to_string(rows) + ", " + std::to_string(cols) + ")";
  };
  const std::size_t dim = index.centroids.cols();
  write_text(folder + "/metadata.json", "{\n  \"num_chunks\": " + std::to_string(index.chunks.size()) +
                                            ",\n  \"nbits\": " + std::to_string(index.bits) +
                                            ",\n  \"num_partitions\": 4,\n  \"avg_doclen\": 2.5e0,\n  \"more\": "
                                            "{\"a\": [1, -2.5, null, true], \"b\\\"\": \"x\"}\n}\n");
  write_array(folder + "/centroids.npy", "<f2", shape(index.centroids.rows(), dim), halves(index.centroids.values()));
  write_array(folder + "/bucket_weights.npy", "<f4", "(" + std::to_string(index.weights.size()) + ",)", index.weights);
  for (std::size_t i = 0; i < index.chunks.size(); ++i) {
    const plaid_chunk& chunk = index.chunks[i];
    const std::string number = std::to_string(i);
    std::string lengths;
    for (const std::size_t length : chunk.lengths) lengths += (lengths.empty() ? "" : ",") + std::to_string(length);
    write_text(folder + "/doclens." + number + ".json", "[" + lengths + "]");
    write_array(folder + "/" + number + ".codes.npy", "<i8", "(" + std::to_string(chunk.codes.size()) + ",)",
                chunk.codes);
    write_array(folder + "/" + number + ".residuals.npy", "|u1", shape(chunk.codes.size(), dim * index.bits / 8),
                packed_buckets(chunk.buckets, index.bits));
  }
}

/// Documents compressed: each token to its nearest centroid and, by quantiles of all residuals, buckets.
inline plaid_numbers make_plaid(embit::ragged_view<const float> documents, std::size_t centroids, std::size_t bits,
                                std::uint64_t seed) {
  embit::rng rng{seed};
  const auto tokens = documents.values();
  const embit::k_means cells = embit::fit_k_means(tokens, {.clusters = centroids, .spherical = true}, rng);
  plaid_numbers made{.bits = bits, .centroids = embit::matrix<float>(cells.centroids()), .weights = {}, .chunks = {}};
  for (float& x : made.centroids.values()) x = float(embit::half(x));
  embit::matrix<float> products(1, made.centroids.rows()), residuals(tokens.rows(), tokens.cols());
  const embit::row_panels panels(made.centroids.view());
  plaid_chunk all;
  for (std::size_t t = 0; t < tokens.rows(); ++t) {
    embit::gemm(tokens.middle_rows(t, 1), panels, products);
    const auto best = std::ranges::max_element(products[0]) - products[0].begin();
    all.codes.push_back(best);
    const auto centroid = made.centroids[static_cast<std::size_t>(best)];
    for (std::size_t j = 0; j < tokens.cols(); ++j) residuals[t][j] = tokens[t][j] - centroid[j];
  }
  std::vector<float> sorted(residuals.values().begin(), residuals.values().end());
  std::ranges::sort(sorted);
  const std::size_t buckets = std::size_t{1} << bits;
  std::vector<float> cutoffs;
  for (std::size_t b = 0; b < buckets; ++b) {
    made.weights.push_back(sorted[(2 * b + 1) * (sorted.size() - 1) / (2 * buckets)]);
    if (b != 0) cutoffs.push_back(sorted[b * (sorted.size() - 1) / buckets]);
  }
  all.buckets = embit::matrix<std::uint8_t>(tokens.rows(), tokens.cols());
  for (std::size_t i = 0; i < residuals.values().size(); ++i)
    all.buckets.values()[i] =
        static_cast<std::uint8_t>(std::ranges::lower_bound(cutoffs, residuals.values()[i]) - cutoffs.begin());
  for (std::size_t d = 0; d < documents.size(); ++d) all.lengths.push_back(documents[d].rows());
  made.chunks.push_back(std::move(all));
  return made;
}

}  // namespace support
