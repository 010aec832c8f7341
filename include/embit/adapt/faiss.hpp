// FAISS's files: binary codes both ways, float vectors, the encoders of LSH indexes and transforms. Needs no FAISS.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/adapt/detail/faiss_file.hpp>
#include <embit/adapt/detail/faiss_index.hpp>
#include <embit/adapt/detail/faiss_transform.hpp>
#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/metric.hpp>
#include <embit/core/types.hpp>
#include <embit/encode/sign_projection.hpp>
#include <embit/store/code_store.hpp>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

// The formats are those of FAISS 1.7 to 1.9 (faiss/impl/index_write.cpp) on a little-endian machine. FAISS packs bits
// as this library does, dimension 0 lowest in the first byte, into whole bytes a code where we have whole words. It
// sets a bit where a number is >= 0, we where it is > 0: the encoders read here carry thresholds one float below, so
// that they agree with FAISS on exact zeros too.
//
// Every reader throws error errc::io for what cannot be opened, errc::kind for another index or transform,
// errc::truncated, errc::format for what contradicts itself or goes on after its end, errc::not_finite for such
// weights, all with the path and the byte. Memory is taken only after the sizes agree with the file.

namespace embit::inline EMBIT_ABI {

/// The codes of a binary index.
struct faiss_codes {
  code_store<> codes;
  std::vector<row_label> labels;  ///< one a row; none where FAISS calls them 0, 1, 2 and so on. Its signed ids as
                                  ///< unsigned numbers of the same bits
};

/// Reads a file that `faiss::write_index_binary` wrote of an IndexBinaryFlat, IndexBinaryHNSW or IndexBinaryIVF, or of
/// one in an IndexBinaryIDMap or IndexBinaryIDMap2. Codes of inverted lists come in the order of their ids. O(file
/// size), and n log n for lists.
inline faiss_codes read_faiss_codes(std::string path) {
  detail::faiss_reader in(std::move(path));
  auto index = detail::read_faiss_index<detail::faiss_bits>(in);
  in.finish();
  return {std::move(index.rows), std::move(index.ids)};
}

/// The vectors of a float index.
struct faiss_vectors {
  matrix<float> rows;
  std::vector<row_label> labels;        ///< as in `faiss_codes`
  std::optional<embit::metric> metric;  ///< what the index compares by; none for a metric that is not here
};

/// Reads a file that `faiss::write_index` wrote of an IndexFlat (IndexFlatL2, IndexFlatIP), IndexHNSWFlat or
/// IndexIVFFlat, or of one in an IndexIDMap or IndexIDMap2. Vectors of inverted lists come in the order of their ids.
/// The numbers are not looked at. O(file size), and n log n for lists.
inline faiss_vectors read_faiss_vectors(std::string path) {
  detail::faiss_reader in(std::move(path));
  auto index = detail::read_faiss_index<detail::faiss_floats>(in);
  in.finish();
  faiss_vectors found{std::move(index.rows), std::move(index.ids), {}};
  if (index.header.metric == 0) found.metric = metric::inner_product;
  if (index.header.metric == 1) found.metric = metric::l2;
  return found;
}

/// Writes a file that `faiss::read_index_binary` reads: an IndexBinaryFlat, or where there are labels an
/// IndexBinaryIDMap2 around one. Codes of a width that is no multiple of 8 get zeros up to the next one, which changes
/// no Hamming distance. The file appears when it is complete. O(bytes).
/// @param labels  one a row, or none. FAISS's ids are signed: labels from 2^63 on are negative there.
/// @throws error errc::shape for another number of labels than codes or codes of 0 bits, errc::argument for codes of
/// 2^31 bits or more and for the label 2^64 - 1, which FAISS means "nothing found" by; errc::io.
template <CodeStore Store>
void write_faiss_codes(std::string path, const Store& codes, std::span<const row_label> labels = {}) {
  const std::size_t bits = (codes.bits() + 7) / 8 * 8, rows = codes.size();
  if (codes.bits() == 0) raise(errc::shape, "codes: ", rows, " of 0 bits");
  if (bits > std::size_t{(std::numeric_limits<std::int32_t>::max)()})
    raise(errc::argument, "codes: ", codes.bits(), " bits, more than FAISS can count");
  if (!labels.empty() && labels.size() != rows) raise(errc::shape, "labels: ", labels.size(), " for ", rows, " codes");
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (labels[i] == (std::numeric_limits<row_label>::max)())
      raise(errc::argument, "labels: number ", i, " is 2^64 - 1, which FAISS means nothing by");

  detail::faiss_writer out(std::move(path));
  const auto write_header = [&](std::string_view tag) {
    out.tag(tag);
    out.value(static_cast<std::int32_t>(bits));
    out.value(static_cast<std::int32_t>(bits / 8));
    out.value(static_cast<std::int64_t>(rows));
    out.value(std::uint8_t{1});  // is_trained
    out.value(std::int32_t{1});  // metric_type, as FAISS sets it
  };
  if (!labels.empty()) write_header("IBM2");
  write_header("IBxF");
  out.value(std::uint64_t{bits / 8 * rows});
  std::vector<word> code(words_for(codes.bits()));
  for (std::size_t row = 0; row < rows; ++row) {
    codes.copy_row(row, code);
    out.bytes(std::as_bytes(std::span<const word>(code)).first(bits / 8));
  }
  if (!labels.empty()) {
    out.value(std::uint64_t{rows});
    out.bytes(std::as_bytes(labels));
  }
  out.commit();
}

/// What an IndexLSH holds.
struct faiss_lsh {
  sign_projection encoder;  ///< of the vectors that the index takes, transforms before it included
  code_store<> codes;
};

/// Reads a file that `faiss::write_index` wrote of an IndexLSH, alone or in an IndexPreTransform whose chain is made of
/// linear transforms (random rotations, PCA, OPQ, ITQ), centering and normalization: all of it becomes one projection.
/// Its bits are those of FAISS, but for numbers so near to a threshold that the two libraries round them to its
/// different sides. O(file size), and the product of the matrices of the chain.
/// @throws error also errc::unsupported where a chain is not linear up to the norm, or has more than 2^24 weights.
inline faiss_lsh read_faiss_lsh(std::string path) {
  detail::faiss_reader in(std::move(path));
  std::vector<detail::faiss_chain> chain;
  detail::faiss_tag tag = in.tag("index");
  if (tag == "IxPT") {
    const detail::faiss_header outer = detail::faiss_floats::read_header(in);
    const auto transforms = in.size<std::int32_t>("the length of the chain");
    for (std::uint64_t i = 0; i < transforms; ++i) detail::read_faiss_transform(in, chain);
    if (!chain.empty() && chain.front().dim() != outer.dim)
      in.refuse("a chain of ", chain.front().dim(), " dimensions in an index of ", outer.dim);
    tag = in.tag("index");
  }
  if (!(tag == "IxHe")) in.refuse_kind(tag, "IndexLSH, alone or in an IndexPreTransform,");
  const detail::faiss_header index = detail::faiss_floats::read_header(in);
  detail::faiss_chain& all = detail::begin_chain(chain, static_cast<std::size_t>(index.dim));
  all.require_width(in, static_cast<std::size_t>(index.dim));

  const auto bits = in.size<std::int32_t>("nbits");
  const bool rotates = in.flag("rotate_data"), has_thresholds = in.flag("train_thresholds");
  auto thresholds = in.finite_vector("thresholds");
  const auto bytes = in.size<std::int32_t>("code_size");
  const detail::faiss_linear rotation = detail::read_faiss_linear(in, in.tag("rotation"));
  if (bits == 0 || bytes != (bits + 7) / 8) in.refuse("codes of ", bits, " bits in ", bytes, " bytes");
  if (has_thresholds && thresholds.size() != bits) in.refuse(thresholds.size(), " thresholds for ", bits, " bits");
  if (rotation.dim_in != index.dim || rotation.dim_out != bits)
    in.refuse("a rotation of ", rotation.dim_in, " to ", rotation.dim_out, " dimensions where ", index.dim, " become ",
              bits, " bits");
  if (!has_thresholds) thresholds.clear();
  if (rotates) all.apply(in, rotation);
  code_store<> codes = in.codes(index.rows, bits);
  in.finish();
  return {all.signs(in, static_cast<std::size_t>(bits), thresholds), std::move(codes)};
}

/// Reads a file that `faiss::write_VectorTransform` wrote of a linear transform (random rotation, PCA, OPQ, ITQ) as the
/// encoder that sets a bit where the number that FAISS would give is at least 0, as its binary indexes do. O(file
/// size).
/// @throws error also errc::unsupported for more than 2^24 weights.
inline sign_projection read_faiss_transform(std::string path) {
  detail::faiss_reader in(std::move(path));
  std::vector<detail::faiss_chain> chain;
  detail::read_faiss_transform(in, chain);
  in.finish();
  return chain.front().signs(in, chain.front().width());
}

}  // namespace embit::inline EMBIT_ABI
