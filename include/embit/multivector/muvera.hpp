// MUVERA: one vector for a set of vectors, whose inner products approximate Chamfer similarity.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/half.hpp>
#include <embit/core/isa.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/moved.hpp>
#include <embit/core/ragged_view.hpp>
#include <embit/core/reuse_pool.hpp>
#include <embit/io/save.hpp>
#include <embit/kernel/token_sums.hpp>
#include <embit/multivector/detail/muvera_file.hpp>
#include <embit/multivector/detail/muvera_parts.hpp>
#include <embit/multivector/detail/token_reader.hpp>
#include <embit/multivector/fde_levels.hpp>
#include <embit/multivector/fde_store.hpp>
#include <embit/multivector/muvera_options.hpp>
#include <embit/multivector/sparse_rows.hpp>
#include <embit/store/level_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// A document that is encoded token by token: what its tokens have added up to so far. Made by
/// `muvera::begin_document`.
class fde_document {
 public:
  /// Tokens appended so far.
  std::size_t tokens() const noexcept { return sums_.tokens; }
  /// Of the encoder that it belongs to.
  std::uint64_t fingerprint() const noexcept { return fingerprint_; }

 private:
  friend class muvera;
  detail::token_sums sums_;
  std::uint64_t fingerprint_ = 0;
};

/// Fixed dimensional encodings of sets of vectors (tokens) by MUVERA: in each of several repetitions random planes cut
/// token space into 2^simhash_bits partitions; a query adds up its tokens by partition, a document averages them, and
/// empty partitions of a document take its nearest token. The inner product of both ranks documents as Chamfer
/// similarity Σ_q max_p q · p does.
///
/// Recommended: unit partitions (the default), a hash center, and 1 bit a number with candidates reranked exactly:
///
///     auto fde = embit::muvera{{.dim = 128, .simhash_bits = 4, .projected_dim = 8}, rng}
///                    .with_centers({.hash = embit::fit_center(documents)});
///     embit::retriever late{fde, embit::flat_index{fde.encode_levels(documents, 1), fde.estimator()},
///                           embit::chamfer_rerank{documents}};
///     late.search(queries, 10, {.candidates = 100});
///
/// That is 320 bytes a document. bench/README.md has the figures of this and of other choices.
///
/// Dhulipala, Hadian, Jayaram, Lee and Mirrokni, "MUVERA: Multi-vector retrieval via fixed dimensional encodings",
/// NeurIPS 2024, section 2; partitions of unit norm instead of means are ours. Immutable; copies share the planes;
/// safe to use from many threads.
class muvera {
 public:
  /// Draws planes and projections: the same engine state gives the same encoder on every platform.
  /// @throws error errc::argument naming the option that is out of range.
  template <std::uniform_random_bit_generator Engine>
  muvera(const muvera_options& options, Engine& engine) : muvera(detail::draw_parts(options, engine)) {}

  /// Takes planes and projections as they are given.
  /// @throws error errc::argument, errc::shape, errc::out_of_range or errc::not_finite for what does not fit.
  muvera(const muvera_options& options, const muvera_matrices& matrices)
      : muvera(detail::given_parts(options, matrices)) {}

  /// The same encoder with other centers: its encodings cannot be mixed with those of this one.
  /// @throws error errc::shape for a center of another dimension, errc::not_finite.
  muvera with_centers(muvera_centers centers) const {
    const auto require = [this](const std::vector<float>& center, const char* name) {
      if (!center.empty() && center.size() != dim())
        raise(errc::shape, name, ": ", center.size(), " dimensions where the tokens have ", dim());
      detail::require_finite(matrix_view<const float>(center.data(), center.empty() ? 0 : 1, center.size()), name);
    };
    require(centers.hash, "hash center");
    require(centers.document_values, "center of document values");
    detail::muvera_parts parts = model_->parts;
    parts.centers = std::move(centers);
    return muvera(std::move(parts));
  }

  const muvera_options& options() const& noexcept { return model_->parts.options; }
  const muvera_options& options() const&& = delete;
  const muvera_centers& centers() const& noexcept { return model_->parts.centers; }
  const muvera_centers& centers() const&& = delete;
  /// Of the tokens.
  std::size_t dim() const noexcept { return options().dim; }
  /// Numbers of an encoding.
  std::size_t encoded_dim() const noexcept {
    return options().final_dim != 0 ? options().final_dim : model_->parts.unprojected_dim();
  }
  /// Changes with everything that encodings depend on.
  encoder_fingerprint fingerprint() const noexcept { return model_->fingerprint; }

  /// All planes, repetitions · simhash_bits × dim. Structured ones are whole numbers of no particular length.
  matrix<float> planes() const {
    matrix<float> out(model_->parts.plane_count(), dim());
    std::vector<double> plane(dim());
    for (std::size_t i = 0; i < out.rows(); ++i) {
      model_->parts.copy_plane(i, plane);
      std::ranges::transform(plane, out[i].begin(), [](double x) { return static_cast<float>(x); });
    }
    return out;
  }

  /// What every token is projected with, repetitions · projected_dim × dim: `encode` gives its columns in this order.
  /// Unit vectors where tokens are not projected.
  matrix<float> projections() const {
    const std::size_t columns = model_->plan.columns;
    matrix<float> out(options().repetitions * columns, dim());
    std::vector<float> axis(dim());
    for (std::size_t j = 0; j < dim(); ++j) {
      axis[j] = 1;
      const auto projected = detail::project_vector(model_->parts, model_->plan, axis);
      for (std::size_t i = 0; i < out.rows(); ++i)
        out[i][j] = projected[i / columns * model_->plan.stride() + i % columns];
      axis[j] = 0;
    }
    return out;
  }

  /// Encodings of documents, in order: the same row for a document alone or in a batch. Tokens that a mask leaves out
  /// count as if they were not there; a document without tokens gives zeros and a flag.
  /// O(tokens · repetitions · simhash_bits · dim).
  /// @throws error errc::shape for tokens of another dimension, errc::not_finite naming document and token.
  template <Executor Exec = inline_executor>
  fde_store encode(ragged_view<const float> documents, const Exec& executor = {}) const {
    return encode_documents(documents, executor);
  }
  template <Executor Exec = inline_executor>
  fde_store encode(ragged_view<const half> documents, const Exec& executor = {}) const {
    return encode_documents(documents, executor);
  }
  template <Executor Exec = inline_executor>
  fde_store encode(ragged_view<const std::int8_t> documents, const Exec& executor = {}) const {
    return encode_documents(documents, executor);
  }

  /// The same in `bits` bits a number, never whole in memory: `flat_index{fde.encode_levels(d, 1), fde.estimator()}`.
  /// One bit keeps most of the ranking of unit partitions, four all of it. A document without tokens scores next to 0.
  /// @param bits  1 to 8
  /// @throws error as `encode` does, and errc::argument for other bits.
  template <Executor Exec = inline_executor>
  level_store encode_levels(ragged_view<const float> documents, std::size_t bits, const Exec& executor = {}) const {
    return encode_document_levels(documents, bits, executor);
  }
  template <Executor Exec = inline_executor>
  level_store encode_levels(ragged_view<const half> documents, std::size_t bits, const Exec& executor = {}) const {
    return encode_document_levels(documents, bits, executor);
  }
  template <Executor Exec = inline_executor>
  level_store encode_levels(ragged_view<const std::int8_t> documents, std::size_t bits,
                            const Exec& executor = {}) const {
    return encode_document_levels(documents, bits, executor);
  }

  /// Scores encoded queries against documents of as many bits; the distance is minus the inner product.
  /// @throws error errc::argument unless 1 ≤ bits ≤ 8.
  fde_estimator estimator(std::size_t bits = 1) const {
    return fde_estimator(fde_map(detail::fde_format(encoded_dim(), bits, fingerprint())));
  }

  /// Encodings of queries, a row each; tokens may have any norm, as their weight. Queries without tokens give zeros.
  /// @throws error as `encode` does.
  template <Executor Exec = inline_executor>
  fde_queries encode_queries(ragged_view<const float> queries, const Exec& executor = {}) const {
    return encode_each_query(queries, executor);
  }
  template <Executor Exec = inline_executor>
  fde_queries encode_queries(ragged_view<const half> queries, const Exec& executor = {}) const {
    return encode_each_query(queries, executor);
  }
  template <Executor Exec = inline_executor>
  fde_queries encode_queries(ragged_view<const std::int8_t> queries, const Exec& executor = {}) const {
    return encode_each_query(queries, executor);
  }

  /// The same without the partitions that no token is in: at most tokens · repetitions runs of a projected token each.
  /// @throws error as `encode` does, and errc::argument where a last projection leaves nothing empty.
  sparse_rows encode_queries_sparse(ragged_view<const float> queries) const {
    if (options().final_dim != 0)
      raise(errc::argument, "encode_queries_sparse: the last projection to ", options().final_dim,
            " numbers fills every query");
    require_dim(queries.cols(), "queries");
    const std::size_t run = model_->plan.columns, partitions = model_->plan.partitions();
    sparse_rows out(encoded_dim(), run);
    const auto work = model_->workspaces.take();
    work->fit(model_->plan);
    for (std::size_t i = 0; i < queries.size(); ++i) {
      add_query(*work, queries, i);
      for (std::size_t cell = 0; cell < work->sums.counts.size(); ++cell)
        if (work->sums.counts[cell] != 0) {
          const std::size_t place = cell / partitions * partitions + place_of(cell % partitions);
          out.add(static_cast<std::uint32_t>(place * run),
                  std::span(work->sums.sums).subspan(cell * model_->plan.stride(), run));
        }
      out.end_row();
    }
    return out;
  }

  /// A document without tokens, to be appended to.
  fde_document begin_document() const {
    fde_document document;
    document.sums_.clear(model_->plan, options().fill_empty);
    document.fingerprint_ = fingerprint();
    return document;
  }

  /// Adds tokens (any number × dim) to a document.
  /// @throws error errc::argument for a document of another encoder, errc::shape, errc::not_finite naming the token;
  ///         the document is then unchanged.
  void append(fde_document& document, matrix_view<const float> tokens) const {
    require_own(document.fingerprint(), "append: the document");
    if (tokens.rows() != 0) require_dim(tokens.cols(), "tokens");
    detail::require_finite(tokens, "tokens");
    for (std::size_t i = 0; i < tokens.rows(); ++i)
      if (!detail::is_finite(squared_norm(tokens[i])))
        raise(errc::not_finite, "tokens: the norm of row ", i, " is not finite");
    const auto work = model_->workspaces.take();
    work->fit(model_->plan);
    add_set(*work, document.sums_, row_set<const float>(tokens), "tokens", 0);
  }

  /// The encoding of what has been appended, encoded_dim() floats, as `encode` gives it; zeros where that is nothing.
  /// @throws error errc::argument for a document of another encoder, errc::shape for another size of `out`.
  void finish(const fde_document& document, std::span<float> out) const {
    require_own(document.fingerprint(), "finish: the document");
    if (out.size() != encoded_dim()) raise(errc::shape, "finish: ", out.size(), " floats for ", encoded_dim());
    const auto work = model_->workspaces.take();
    work->fit(model_->plan);
    write_document(*work, document.sums_, out);
  }

  /// Refuses encodings that another encoder made: their inner products with this one's queries would mean nothing.
  /// @throws error errc::argument with both fingerprints.
  void require_encodings(const fde_store& documents) const { require_own(documents.fingerprint(), "encodings"); }

  /// Encodings of this encoder from a file that `save` wrote.
  /// @throws error as `load` does, and errc::argument for those of another encoder.
  fde_store load_encodings(std::string path) const {
    fde_store documents = load<fde_store>(std::move(path));
    require_encodings(documents);
    return documents;
  }

  static constexpr file_kind file = detail::muvera_file;
  void write_to(const section_writer& out) const { detail::write_parts(out, model_->parts); }
  /// @throws error errc::format, errc::checksum or errc::io.
  static muvera read_from(const section_reader& in) { return muvera(detail::read_parts(in)); }

 private:
  struct workspace {
    detail::token_scratch scratch;
    detail::token_sums sums;
    aligned_vector<float> copies;
    aligned_vector<float> whole;  // an encoding before its last projection
    aligned_vector<float> row;    // an encoding that is not kept
    bool fits = false;

    void fit(const detail::token_plan& plan) {
      if (!fits) scratch.fit(plan);
      fits = true;
    }
  };

  struct model {
    detail::muvera_parts parts;
    detail::token_plan plan;
    detail::document_form form;
    std::uint64_t fingerprint;
    mutable reuse_pool<workspace> workspaces;

    explicit model(detail::muvera_parts given)
        : parts(std::move(given)),
          plan(detail::make_plan(parts)),
          form(detail::make_form(parts, plan)),
          fingerprint(detail::fingerprint_of(parts)) {}
  };

  explicit muvera(detail::muvera_parts parts) : model_(std::make_shared<const model>(std::move(parts))) {}

  void require_dim(std::size_t cols, const char* what) const {
    if (cols != dim()) raise(errc::shape, what, ": tokens of dimension ", cols, " where ", dim(), " are encoded");
  }
  void require_own(std::uint64_t other, const char* what) const {
    if (other != fingerprint())
      raise(errc::argument, what, " of another encoder: fingerprint ", other, ", not ", fingerprint());
  }

  static float squared_norm(std::span<const float> token) {
    float squares = 0;
    for (const float x : token) squares += x * x;
    return squares;
  }

  std::size_t place_of(std::size_t partition) const noexcept {
    return model_->form.places.empty() ? partition : model_->form.places[partition];
  }

  template <class T>
  [[noreturn]] EMBIT_COLD static void refuse(matrix_view<const T> tokens, std::span<const std::size_t> numbers,
                                             const char* what, std::size_t set) {
    for (const std::size_t token : numbers)
      for (std::size_t j = 0; j < tokens.cols(); ++j)
        if (const float x = static_cast<float>(tokens[token][j]); !detail::is_finite(x))
          raise(errc::not_finite, what, " ", set, ", token ", token, ": dimension ", j, " is ", x);
    raise(errc::not_finite, what, " ", set, ", tokens ", numbers.front(), " to ", numbers.back(),
          ": a norm is beyond the range of float");
  }

  template <class T>
  void add_set(workspace& work, detail::token_sums& sums, row_set<const T> tokens, const char* what,
               std::size_t set) const {
    if (tokens.rows() >= detail::max_set_tokens - sums.tokens)
      raise(errc::argument, what, " ", set, ": ", tokens.rows(), " tokens, more than ", detail::max_set_tokens);
    const isa level = active_isa();
    const auto add = detail::ops_at<detail::token_ops>(level).add;
    detail::read_tokens(tokens, level, work.copies,
                        [&](const float* const* rows, const std::size_t* numbers, std::size_t count) {
                          if (add(model_->plan, work.scratch, sums, rows, count) != count)
                            refuse<T>(tokens, {numbers, count}, what, set);
                          return true;
                        });
  }

  template <class T>
  void add_query(workspace& work, ragged_view<const T> queries, std::size_t i) const {
    work.sums.clear(model_->plan, false);
    add_set(work, work.sums, queries[i], "query", i);
  }

  // Gives `write` the place of the whole encoding and projects it into `out` where there is a last projection.
  template <class Write>
  void project_last(workspace& work, std::span<float> out, Write&& write) const {
    const auto& sketch = model_->parts.final_sketch;
    if (sketch.empty()) return write(out.data());
    work.whole.resize(sketch.size());
    write(work.whole.data());
    std::ranges::fill(out, 0.f);
    for (std::size_t i = 0; i < sketch.size(); ++i)
      out[sketch[i] / 2] += sketch[i] % 2 != 0 ? -work.whole[i] : work.whole[i];
  }

  void write_document(workspace& work, const detail::token_sums& sums, std::span<float> out) const {
    if (sums.tokens == 0) {
      std::ranges::fill(out, 0.f);
      return;
    }
    const auto finish_document = detail::ops_at<detail::token_ops>(active_isa()).finish_document;
    project_last(work, out, [&](float* to) { finish_document(model_->plan, model_->form, work.scratch, sums, to); });
  }

  void write_query(workspace& work, std::span<float> out) const {
    const std::size_t columns = model_->plan.columns, stride = model_->plan.stride();
    const std::size_t partitions = model_->plan.partitions();
    project_last(work, out, [&](float* to) {
      for (std::size_t r = 0; r < model_->plan.repetitions; ++r)
        for (std::size_t c = 0; c < partitions; ++c)
          std::copy_n(work.sums.sums.data() + (r * partitions + c) * stride, columns,
                      to + (r * partitions + place_of(c)) * columns);
    });
  }

  // Calls visit(document, workspace) with the sums of every document.
  template <class T, class Exec, class Visit>
  void for_each_document(ragged_view<const T> documents, const Exec& executor, Visit&& visit) const {
    if (documents.size() != 0) require_dim(documents.cols(), "documents");
    run_ranges(executor, documents.size(), 1, executor.concurrency() * 8,
               [&](std::size_t first, std::size_t last, std::size_t) {
                 const auto work = model_->workspaces.take();
                 work->fit(model_->plan);
                 for (std::size_t i = first; i < last; ++i) {
                   work->sums.clear(model_->plan, options().fill_empty);
                   add_set(*work, work->sums, documents[i], "document", i);
                   visit(i, *work);
                 }
               });
  }

  template <class T, class Exec>
  fde_store encode_documents(ragged_view<const T> documents, const Exec& executor) const {
    auto rows = matrix<float>::uninitialized(documents.size(), encoded_dim());
    std::vector<std::uint8_t> empty(documents.size());
    for_each_document(documents, executor, [&](std::size_t i, workspace& work) {
      write_document(work, work.sums, rows[i]);
      empty[i] = work.sums.tokens == 0;
    });
    return fde_store(std::move(rows), std::move(empty), fingerprint());
  }

  template <class T, class Exec>
  level_store encode_document_levels(ragged_view<const T> documents, std::size_t bits, const Exec& executor) const {
    level_store codes(detail::fde_format(encoded_dim(), bits, fingerprint()), documents.size());
    const isa level = active_isa();
    for_each_document(documents, executor, [&](std::size_t i, workspace& work) {
      work.row.resize(encoded_dim());
      write_document(work, work.sums, work.row);
      detail::quantize_fde(work.row, bits, level, codes, i);
    });
    return codes;
  }

  template <class T, class Exec>
  fde_queries encode_each_query(ragged_view<const T> queries, const Exec& executor) const {
    if (queries.size() != 0) require_dim(queries.cols(), "queries");
    auto rows = matrix<float>::uninitialized(queries.size(), encoded_dim());
    run_ranges(executor, queries.size(), 1, executor.concurrency() * 8,
               [&](std::size_t first, std::size_t last, std::size_t) {
                 const auto work = model_->workspaces.take();
                 work->fit(model_->plan);
                 for (std::size_t i = first; i < last; ++i) {
                   add_query(*work, queries, i);
                   write_query(*work, rows[i]);
                 }
               });
    return {std::move(rows), fingerprint()};
  }

  detail::shared_state<const model> model_;
};

static_assert(AsymmetricEncoder<muvera, ragged_view<const float>>);

}  // namespace embit::inline EMBIT_ABI
