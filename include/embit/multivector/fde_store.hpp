// Fixed dimensional encodings of documents: float rows that know which encoder made them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/owned_list.hpp>
#include <embit/core/types.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/io/matrix_section.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// One float row a document. A document without tokens is a row of zeros, and `is_empty` tells. Immutable; a store
/// that `flat_index` takes as it is.
class fde_store {
 public:
  /// Documents are encoded otherwise than queries: an index refuses to search by them.
  static constexpr bool holds_documents = true;

  using code_type = std::span<const float>;

  fde_store() = default;

  /// @param fingerprint  of the encoder that made the rows
  /// @param empty        one a row, not 0 for documents without tokens
  /// @throws error errc::shape when these are not one a row, errc::not_finite naming the row.
  fde_store(matrix<float> rows, std::vector<std::uint8_t> empty, std::uint64_t fingerprint)
      : rows_(std::move(rows)), empty_(std::move(empty)), fingerprint_(fingerprint) {
    if (empty_.size() != rows_.rows())
      raise(errc::shape, "fde_store: ", empty_.size(), " flags for ", rows_.rows(), " rows");
    detail::require_finite(rows_.view(), "rows");
  }

  /// The given rows of another store, in the given order.
  fde_store(const fde_store& source, std::span<const row_id> rows)
      : rows_(rows.size(), source.cols()), empty_(rows.size()), fingerprint_(source.fingerprint_) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      std::ranges::copy(source[rows[i]], rows_[i].begin());
      empty_[i] = source.empty_[rows[i]];
    }
  }

  fde_store(const fde_store&) = default;
  fde_store(fde_store&&) = default;
  /// Nothing has changed when it throws.
  fde_store& operator=(const fde_store& other) { return *this = fde_store(other); }
  fde_store& operator=(fde_store&&) = default;
  ~fde_store() = default;

  std::size_t size() const noexcept { return rows_.rows(); }
  std::size_t rows() const noexcept { return rows_.rows(); }
  std::size_t cols() const noexcept { return rows_.cols(); }
  std::span<const float> operator[](std::size_t row) const& noexcept { return rows_[row]; }
  owned_list<float> operator[](std::size_t row) const&& { return owned_list<float>((*this)[row]); }

  matrix_view<const float> view() const& noexcept { return rows_.view(); }
  matrix_view<const float> view() const&& = delete;
  operator matrix_view<const float>() const noexcept { return rows_.view(); }

  /// Whether the document had no tokens.
  bool is_empty(std::size_t row) const noexcept { return empty_[row] != 0; }
  std::size_t empty_documents() const noexcept {
    return static_cast<std::size_t>(std::ranges::count_if(empty_, [](std::uint8_t flag) { return flag != 0; }));
  }

  /// Of the encoder: only its queries have a meaning against these rows.
  encoder_fingerprint fingerprint() const noexcept { return fingerprint_; }

  /// Sections: "shape" (u64 rows, columns, fingerprint), "rows" (f32), "empty" (u8 a row).
  static constexpr file_kind file{"fde_store", 1};

  void write_to(const section_writer& out) const {
    metadata_writer shape;
    shape.u64(rows_.rows()).u64(rows_.cols()).u64(fingerprint_);
    out.add("shape", std::move(shape));
    out.add("rows", rows_.values());
    out.add("empty", std::span<const std::uint8_t>(empty_));
  }

  /// @throws error errc::format, errc::not_finite, errc::checksum or errc::io.
  static fde_store read_from(const section_reader& in) {
    auto shape = in.metadata("shape");
    const std::uint64_t rows = shape.u64(), cols = shape.u64(), fingerprint = shape.u64();
    const std::size_t count = in.count<float>("rows");
    if (cols == 0 ? rows != 0 || count != 0 : count % cols != 0 || count / cols != rows)
      shape.refuse(rows, " x ", cols, " numbers where ", count, " are there");
    if (in.count<std::uint8_t>("empty") != rows) shape.refuse("not one flag a row");
    fde_store out;
    out.rows_ = matrix<float>::uninitialized(static_cast<std::size_t>(rows), static_cast<std::size_t>(cols));
    in.read("rows", out.rows_.values());
    detail::require_finite_section(in, "rows", std::span<const float>(out.rows_.values()));
    out.empty_.resize(out.rows_.rows());
    in.read("empty", std::span<std::uint8_t>(out.empty_));
    out.fingerprint_ = fingerprint;
    return out;
  }

 private:
  matrix<float> rows_;
  std::vector<std::uint8_t> empty_;
  std::uint64_t fingerprint_ = 0;
};

/// Encodings of queries, a float row each, that know which encoder made them: an index refuses those of another than
/// made its documents.
class fde_queries : public matrix<float> {
 public:
  fde_queries() = default;
  fde_queries(matrix<float> rows, encoder_fingerprint fingerprint)
      : matrix<float>(std::move(rows)), fingerprint_(fingerprint) {}

  static constexpr bool holds_queries = true;
  encoder_fingerprint fingerprint() const noexcept { return fingerprint_; }

 private:
  encoder_fingerprint fingerprint_ = 0;
};

}  // namespace embit::inline EMBIT_ABI
