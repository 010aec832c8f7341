// One small thing of every kind that can be a file: what the golden files hold, what damage is done to, and what
// fuzzing begins with. A new kind is one more entry of `each_saved_kind`. Included by saved_kinds.cpp alone: to compile
// all of this takes long.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/half.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/ragged_view.hpp>
#include <embit/core/random.hpp>
#include <embit/core/types.hpp>
#include <embit/encode/bit_permutation.hpp>
#include <embit/encode/cross_polytope.hpp>
#include <embit/encode/hadamard_lsh.hpp>
#include <embit/encode/min_hash.hpp>
#include <embit/encode/product_quantizer.hpp>
#include <embit/encode/rabitq.hpp>
#include <embit/encode/recurrent.hpp>
#include <embit/encode/sign_projection.hpp>
#include <embit/encode/sim_hash.hpp>
#include <embit/encode/transform_coder.hpp>
#include <embit/encode/transformed.hpp>
#include <embit/fit/fit_product_quantizer.hpp>
#include <embit/fit/fit_rabitq.hpp>
#include <embit/fit/fit_transform_coder.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/graph.hpp>
#include <embit/index/ivf.hpp>
#include <embit/index/ivf_levels.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/index/multi_index.hpp>
#include <embit/index/prefix_index.hpp>
#include <embit/index/versioned.hpp>
#include <embit/io/save.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/kernel/levels.hpp>
#include <embit/kernel/table_scan.hpp>
#include <embit/linalg/affine_transform.hpp>
#include <embit/linalg/all_but_the_top.hpp>
#include <embit/linalg/centering.hpp>
#include <embit/linalg/fht_kac.hpp>
#include <embit/linalg/k_means.hpp>
#include <embit/linalg/pipeline.hpp>
#include <embit/multivector/fde_store.hpp>
#include <embit/multivector/muvera.hpp>
#include <embit/retrieve/owned_rerank.hpp>
#include <embit/retrieve/retriever.hpp>
#include <embit/store/block_store.hpp>
#include <embit/store/code_store.hpp>
#include <embit/store/level_store.hpp>
#include <embit/store/mapped_level_store.hpp>
#include <embit/store/mapped_prefix_store.hpp>
#include <embit/store/mapped_store.hpp>
#include <embit/store/prefix_store.hpp>
#include <embit/store/token_store.hpp>
#include <embit/store/version_column.hpp>

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <support/codes.hpp>
#include <support/saved_kind.hpp>

namespace support {

template <class T>
void load_and_save(const std::string& from, const std::string& to) {
  const T loaded = embit::load<T>(from);
  if (!to.empty()) embit::save(to, loaded);
}

/// What `make` makes, which is loaded as a T.
template <class T, class Make>
saved_kind kind_of(std::string name, Make make) {
  return {std::move(name), [make](const std::string& path) { embit::save(path, make()); }, {load_and_save<T>}, true};
}

/// A file of codes read where it lies.
inline void map_and_save(const std::string& from, const std::string& to) {
  const embit::mapped_store<> mapped(from);
  mapped.verify();
  std::vector<embit::row_id> rows(mapped.size());
  std::iota(rows.begin(), rows.end(), embit::row_id{0});
  if (!to.empty()) embit::save(to, mapped.bits() == 0 ? embit::code_store<>() : embit::code_store<>(mapped, rows));
}

/// A file of levels read where it lies.
inline void map_levels_and_save(const std::string& from, const std::string& to) {
  const embit::mapped_level_store mapped(from);
  mapped.verify();
  if (!to.empty()) embit::save(to, embit::level_store(mapped.view()));
}

/// A file of nested codes read where it lies.
inline void map_prefix_and_save(const std::string& from, const std::string& to) {
  const embit::mapped_prefix_store mapped(from);
  mapped.verify();
  if (to.empty()) return;
  if (mapped.bits() == 0) return embit::save(to, embit::prefix_store());
  std::vector<embit::row_id> rows(mapped.size());
  std::iota(rows.begin(), rows.end(), embit::row_id{0});
  const embit::code_store<> codes(mapped, rows);
  const auto widths = mapped.steps().widths();
  embit::save(to, embit::prefix_store(codes, {widths.begin(), widths.end()}));
}

inline embit::code_store<> small_codes() {
  embit::rng rng{1};
  return make_codes(9, 70, code_kind::uniform, rng);
}

inline embit::level_store small_levels(bool halves) {
  embit::level_format format{
      .segments = {embit::level_segment::uniform(5, 3, 0.5f), embit::level_segment::uniform(9, 1)}};
  format.factors.fill(true);
  format.half_factors = halves;
  embit::level_store levels(std::move(format), 3);
  for (std::size_t row = 0; row < levels.size(); ++row) {
    std::vector<std::uint8_t> values(14, static_cast<std::uint8_t>(row % 2));
    values[row] = 1;
    levels.set_levels(row, values);
    for (std::size_t f = 0; f < embit::row_factors; ++f)
      levels.set_factor(row, static_cast<embit::row_factor>(f), 0.25f * static_cast<float>(row + f));
  }
  return levels;
}

inline embit::level_store small_scaled_levels() {
  embit::level_format format{.segments = {{.dims = 5, .bits = 2, .step = 0.5f, .weights = {2, 1}, .scaled = true},
                                          embit::level_segment::uniform(9, 1)}};
  format.factors[0] = true;
  embit::level_store levels(std::move(format), 3);
  for (std::size_t row = 0; row < levels.size(); ++row) {
    levels.set_levels(row, std::vector<std::uint8_t>(14, static_cast<std::uint8_t>(row % 2)));
    levels.set_segment_scale(row, 0, 0.5f + static_cast<float>(row));
  }
  return levels;
}

inline auto small_labelled_index() {
  std::vector<embit::row_label> labels(9);
  std::iota(labels.begin(), labels.end(), embit::row_label{1} << 40);
  embit::labelled_index index{embit::flat_index{small_codes()}, labels};
  index.remove(labels[4]);
  return index;
}

inline embit::lsh_table<> small_lsh_table() {
  embit::lsh_table table{small_codes(), {.tables = 3, .bits = 4, .probes = 2}};
  table.remove(5);
  return table;
}

// Numbers that are exact in any order of additions.
inline embit::matrix<float> small_rows(std::size_t n, std::size_t dim) {
  embit::rng rng{2};
  embit::matrix<float> rows(n, dim);
  for (float& x : rows.values()) x = 0.25f * (static_cast<float>(embit::uniform_index(rng, 41)) - 20.f);
  return rows;
}

/// Over floats, with given keys.
inline auto small_keyed_table() {
  const auto rows = small_rows(3, 5);
  embit::matrix<std::uint32_t> keys(3, 2);
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t t = 0; t < 2; ++t) keys[i][t] = static_cast<std::uint32_t>(40 * t + i);
  return embit::lsh_table{rows, keys, {.tables = 2, .bits = 6}, embit::l2{}};
}

inline embit::sign_projection small_projection() {
  const std::vector<float> thresholds{0, 1, -1, 0.5f, 0};
  return embit::sign_projection(small_rows(5, 3), thresholds);
}

inline auto small_pipeline() {
  embit::rng rng{3};
  const std::vector<float> center{1, -2, 0.5f};
  return embit::pipeline{embit::centering(center), embit::affine_transform(small_rows(4, 3), center),
                         embit::fht_kac(4, rng)};
}

inline embit::muvera small_muvera() {
  embit::rng rng{4};
  return embit::muvera({.dim = 3, .repetitions = 2, .simhash_bits = 2, .projected_dim = 2, .final_dim = 5}, rng);
}

template <embit::TokenNumber T>
embit::token_store<T> small_tokens() {
  static const std::vector<std::size_t> offsets{0, 2, 2, 5};
  const auto tokens = small_rows(5, 3);
  return embit::token_store<T>(embit::ragged_view<const float>(tokens.view(), offsets));
}

inline auto small_retriever(embit::encoder_fingerprint known) {
  const auto encoder = small_projection();
  auto codes = encoder.encode(small_rows(3, 3));
  codes.set_fingerprint(known);
  return embit::retriever{encoder, embit::flat_index{codes}};
}

inline embit::recurrent small_recurrent() {
  using embit::detail::packed_block;
  // 4 dimensions of rows, 3 of codes, hidden layers of 2, one loop.
  const auto block = [](std::size_t in, std::size_t out) {
    return packed_block(small_rows(2, in), small_rows(1, 2)[0], small_rows(out, in + 2), small_rows(1, out)[0]);
  };
  return embit::recurrent({{.5f, -.25f, 0, 1}, .5f, block(4, 3), {block(3, 4)}, {block(4, 3)}});
}

template <class T>
struct type {};

/// Calls `visit(type<T>{}, name, make)` for every kind: `make` makes the example, which is loaded as a T.
template <class Visit>
void each_saved_kind(Visit&& visit) {
  using flat = embit::flat_index<embit::block_store<>, embit::hamming>;
  using flat_levels = embit::flat_index<embit::level_store, embit::symmetric>;
  visit(type<embit::code_store<>>{}, "codes", small_codes);
  visit(type<embit::level_store>{}, "levels", [] { return small_levels(false); });
  visit(type<embit::level_store>{}, "levels_half", [] { return small_levels(true); });
  visit(type<embit::version_column>{}, "version_column", [] {
    embit::version_column column(4, 1);
    column.append(3, 70000);
    return column;
  });
  visit(type<flat>{}, "flat_index", [] {
    embit::flat_index index{small_codes()};
    index.remove(2);
    return index;
  });
  visit(type<flat_levels>{}, "flat_index_levels", [] { return embit::flat_index{small_levels(false)}; });
  visit(type<embit::flat_index<embit::popcount_store<>, embit::tversky>>{}, "flat_index_sets", [] {
    embit::flat_index index{small_codes(), embit::tversky({.alpha = 0.25f, .beta = 2})};
    index.remove(2);
    return index;
  });
  visit(type<embit::labelled_index<flat>>{}, "labelled_index", small_labelled_index);
  visit(type<embit::versioned_index<flat>>{}, "versioned_index", [] {
    embit::versioned_index index{embit::flat_index{small_codes()}, 1};
    index.add(small_codes(), 2);
    index.remove(3);
    return index;
  });
  visit(type<embit::multi_index<>>{}, "multi_index", [] {
    embit::multi_index<> index{small_codes(), {.substrings = 5}};
    index.remove(3);
    return index;
  });
  visit(type<embit::lsh_table<>>{}, "lsh_table", small_lsh_table);
  visit(type<decltype(small_keyed_table())>{}, "lsh_table_keys", small_keyed_table);
  visit(type<embit::ivf_index<>>{}, "ivf_index", [] {
    embit::rng rng{11};
    embit::ivf_index index{small_codes(), embit::ivf_options{.lists = 3}, rng};
    index.add(small_codes());
    index.remove(3);
    return index;
  });
  visit(type<embit::bit_permutation>{}, "bit_permutation", [] { return embit::bit_permutation({3, 0, 4, 1, 2}); });
  visit(type<embit::prefix_store>{}, "prefix_codes", [] {
    embit::code_store<> codes = small_codes();
    codes.set_fingerprint(99);
    return embit::prefix_store(codes, {5, 64});
  });
  visit(type<embit::prefix_index<>>{}, "prefix_index", [] {
    embit::prefix_index index{small_codes(), {32, 64}};
    index.remove(3);
    return index;
  });
  visit(type<embit::code_partition>{}, "code_partition", [] { return embit::code_partition(small_codes()); });
  visit(type<embit::sign_projection>{}, "sign_projection", small_projection);
  visit(type<embit::hadamard_projection>{}, "hadamard_projection", [] {
    embit::rng rng{5};
    return embit::hadamard_lsh({.dim = 3, .bits = 9}, rng);
  });
  visit(type<embit::cross_polytope>{}, "cross_polytope", [] {
    embit::rng rng{6};
    return embit::cross_polytope({.dim = 5, .tables = 2, .hashes = 2}, rng);
  });
  visit(type<embit::min_hash>{}, "min_hash",
        [] { return embit::min_hash({.hashes = 9, .bits_per_hash = 2}, std::uint64_t{7}); });
  visit(type<embit::sim_hash>{}, "sim_hash", [] { return embit::sim_hash({.bits = 65}, std::uint64_t{8}); });
  visit(type<embit::all_but_the_top>{}, "all_but_the_top", [] {
    embit::matrix<float> axis(1, 3, 0.f);
    axis[0][1] = 1;
    return embit::all_but_the_top({1, 2, 3}, axis);
  });
  visit(type<embit::k_means>{}, "k_means", [] { return embit::k_means(small_rows(4, 3)); });
  visit(type<decltype(small_pipeline())>{}, "pipeline", small_pipeline);
  visit(type<embit::transformed_encoder<embit::centering, embit::sign_projection>>{}, "transformed_encoder", [] {
    return embit::transformed_encoder{embit::centering({1, 2, 3}), small_projection()};
  });
  visit(type<embit::muvera>{}, "muvera", small_muvera);
  visit(type<embit::fde_store>{}, "fde_store", [] { return embit::fde_store(small_rows(3, 4), {0, 1, 0}, 99); });
  visit(type<embit::token_store<float>>{}, "tokens", small_tokens<float>);
  visit(type<embit::token_store<embit::half>>{}, "tokens_half", small_tokens<embit::half>);
  visit(type<embit::token_store<std::int8_t>>{}, "tokens_int8", small_tokens<std::int8_t>);
  visit(type<embit::token_store<embit::sign_token>>{}, "tokens_sign", small_tokens<embit::sign_token>);
  // As files were before codes knew their encoder, and as they are since.
  using small_retriever_type = decltype(small_retriever(0));
  visit(type<small_retriever_type>{}, "retriever", [] { return small_retriever(0); });
  visit(type<small_retriever_type>{}, "retriever_encoder",
        [] { return small_retriever(small_projection().fingerprint()); });
  visit(type<embit::retriever<embit::sign_projection, flat, embit::owned_float_rerank<>>>{}, "retriever_rerank", [] {
    const auto rows = small_rows(9, 3);
    embit::retriever made{small_projection(), embit::flat_index{small_projection().encode(rows)},
                          embit::owned_float_rerank{rows}};
    made.remove(4);
    made.compact();
    return made;
  });
  visit(type<embit::level_store>{}, "levels_encoder", [] {
    embit::level_store levels = small_levels(false);
    levels.set_fingerprint(99);
    return levels;
  });
  visit(type<embit::recurrent>{}, "recurrent_compatible", [] { return small_recurrent().compatible_with(99); });
  visit(type<embit::rabitq>{}, "rabitq", [] {
    embit::rng rng{9};
    return embit::fit_rabitq(small_rows(20, 5), {.bits_per_dim = 2}, rng);
  });
  visit(type<embit::ivf_levels<embit::rabitq>>{}, "ivf_levels", [] {
    embit::rng rng{9};
    const auto coder = embit::fit_rabitq(small_rows(20, 5), {.center = embit::rabitq_center::zero}, rng);
    embit::ivf_levels<embit::rabitq> index(small_rows(9, 5), embit::k_means(small_rows(3, 5)), coder, {.probes = 2});
    index.set_recall_at_probes({{1, .5}, {2, .75}});
    index.remove(4);
    return index;
  });
  visit(type<embit::graph_index<embit::rabitq>>{}, "graph_index", [] {
    embit::rng rng{9};
    const auto coder = embit::fit_rabitq(small_rows(20, 5), {.center = embit::rabitq_center::zero}, rng);
    auto rows = small_rows(9, 5);
    std::copy_n(rows[2].begin(), 5, rows[7].begin());
    embit::graph_index<embit::rabitq> index(rows, embit::k_means(small_rows(3, 5)), coder, coder,
                                            {.degree = 4, .ef = 3});
    index.set_recall_at_efs({{2, .5}, {3, .75}});
    index.remove(4);
    return index;
  });
  visit(type<embit::transform_coder>{}, "transform_coder", [] {
    embit::rng rng{10};
    return embit::fit_transform_coder(small_rows(60, 5), {.bits = 16}, rng);
  });
  visit(type<embit::level_store>{}, "levels_scaled", small_scaled_levels);
  visit(type<embit::level_store>{}, "levels_of_bytes", [] {
    embit::level_store bytes(embit::byte_format(2), 3);
    for (std::size_t row = 0; row < bytes.size(); ++row) bytes.row_data(row)[32] = static_cast<std::uint8_t>(200 + row);
    return bytes;
  });
  visit(type<embit::recurrent>{}, "recurrent", small_recurrent);
  visit(type<embit::product_quantizer>{}, "product_quantizer", [] {
    embit::rng rng{12};
    return embit::fit_product_quantizer(small_rows(60, 5), {.bytes_per_row = 2}, rng);
  });
}

inline std::vector<saved_kind> saved_kinds() {
  std::vector<saved_kind> kinds;
  each_saved_kind(
      [&]<class T>(type<T>, std::string name, auto make) { kinds.push_back(kind_of<T>(std::move(name), make)); });
  for (saved_kind& kind : kinds)
    kind.exact = kind.name != "rabitq" && kind.name != "transform_coder" && kind.name != "ivf_levels" &&
                 kind.name != "graph_index" && kind.name != "product_quantizer";
  kinds[0].copy.push_back(load_and_save<embit::block_store<>>);
  kinds[0].copy.push_back(map_and_save);
  for (const std::size_t i : {1u, 2u}) kinds[i].copy.push_back(map_levels_and_save);
  for (saved_kind& kind : kinds)
    if (kind.name == "prefix_codes") kind.copy.push_back(map_prefix_and_save);
  return kinds;
}

}  // namespace support
