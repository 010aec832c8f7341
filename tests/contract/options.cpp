// Options that cannot be: every number of every options struct is checked before anything is done with it.
#include <embit/embit.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <support/catch.hpp>
#include <support/normal_rows.hpp>

using namespace embit;

namespace {

using call = std::function<void(std::size_t)>;

// A call with the number in one of its options. What is refused is an embit::error.
std::string outcome(const call& with, std::size_t number) {
  try {
    with(number);
  } catch (const error&) {
    return "refused";
  } catch (const std::exception& e) {
    return e.what();
  }
  return "done";
}

}  // namespace

TEST_CASE("every number of an option is checked for what is done with it") {
  rng generator{1};
  const auto x = support::normal_rows(64, 40, 2);
  const auto h = sign_lsh({.dim = 40, .bits = 64}, generator);
  const auto codes = h.encode(x);
  const flat_index index{codes};
  const multi_index<> multi{codes, {.substrings = 4}};
  const lsh_table<> table{codes, {.tables = 4, .bits = 4}};
  const lsh_table<> wide{codes, {.tables = 2, .bits = 32}};
  const retriever two_stages{h, index, float_rerank{x}};
  const matrix<float> none(0, 40), margins(64, 16, 0.5f);
  const matrix<std::uint32_t> no_keys(0, 0);
  const std::vector<std::pair<std::string, call>> calls{
      {"flat k", [&](std::size_t n) { static_cast<void>(index.search(codes, n)); }},
      {"multi k", [&](std::size_t n) { static_cast<void>(multi.search(codes, n)); }},
      {"lsh k", [&](std::size_t n) { static_cast<void>(table.search(codes, n)); }},
      {"flat radius",
       [&](std::size_t n) { static_cast<void>(index.range_search(codes, static_cast<std::uint32_t>(n))); }},
      {"multi radius",
       [&](std::size_t n) { static_cast<void>(multi.range_search(codes, static_cast<std::uint32_t>(n))); }},
      {"lsh radius",
       [&](std::size_t n) { static_cast<void>(table.range_search(codes, static_cast<std::uint32_t>(n))); }},
      {"pairs radius",
       [&](std::size_t n) { multi.pairs_within(static_cast<std::uint32_t>(n), [](row_id, row_id, std::uint32_t) {}); }},
      {"retriever k", [&](std::size_t n) { static_cast<void>(two_stages.search(x, n)); }},
      {"candidates", [&](std::size_t n) { static_cast<void>(two_stages.search(x, 3, {.candidates = n})); }},
      {"substrings",
       [&](std::size_t n) {
         multi_index<>{codes, {.substrings = n}};
       }},
      {"typical_k", [&](std::size_t n) { multi_index<>(codes, {.substrings = 4, .typical_k = n}).search(codes, 3); }},
      {"typical_k, chosen", [&](std::size_t n) { multi_index<>(codes, {.typical_k = n}).search(codes, 3); }},
      {"tables",
       [&](std::size_t n) {
         lsh_table<>{codes, {.tables = n, .bits = 4}};
       }},
      {"tables of no rows",
       [&](std::size_t n) {
         lsh_table{none, no_keys, {.tables = n, .bits = 4}, l2{}};
       }},
      {"bits of a key",
       [&](std::size_t n) {
         lsh_table<>{codes, {.tables = 2, .bits = n}};
       }},
      {"probes",
       [&](std::size_t n) {
         lsh_table<>{codes, {.tables = 4, .bits = 4, .probes = n}}.search(codes, 64);
       }},
      {"asked probes", [&](std::size_t n) { table.search(lsh_queries<code_view<>>(codes, n), 64); }},
      {"probes by margins", [&](std::size_t n) { table.search(lsh_queries<code_view<>>(codes, margins, n), 64); }},
      {"sign_lsh bits", [&](std::size_t n) { sign_lsh({.dim = 40, .bits = n}, generator); }},
      {"sign_lsh dim", [&](std::size_t n) { sign_lsh({.dim = n, .bits = 64}, generator); }},
      {"super_bit bits", [&](std::size_t n) { super_bit({.dim = 40, .bits = n}, generator); }},
      {"super_bit group", [&](std::size_t n) { super_bit({.dim = 40, .bits = 64, .group = n}, generator); }},
      {"hadamard bits", [&](std::size_t n) { hadamard_lsh({.dim = 40, .bits = n}, generator); }},
      {"hadamard dim", [&](std::size_t n) { hadamard_lsh({.dim = n, .bits = 64}, generator); }},
      {"hadamard rounds", [&](std::size_t n) { hadamard_lsh({.dim = 40, .bits = 64, .rounds = n}, generator); }},
      {"fht_kac dim", [&](std::size_t n) { fht_kac(n, generator); }},
      {"cross_polytope dim", [&](std::size_t n) { cross_polytope({.dim = n, .tables = 2}, generator); }},
      {"cross_polytope tables", [&](std::size_t n) { cross_polytope({.dim = 40, .tables = n}, generator); }},
      {"cross_polytope hashes",
       [&](std::size_t n) { cross_polytope({.dim = 40, .tables = 2, .hashes = n}, generator); }},
      {"min_hash hashes", [&](std::size_t n) { min_hash({.hashes = n}, generator); }},
      {"min_hash bits", [&](std::size_t n) { min_hash({.hashes = 8, .bits_per_hash = n}, generator); }},
      {"sim_hash bits", [&](std::size_t n) { sim_hash({.bits = n}, generator); }},
      {"itq bits", [&](std::size_t n) { fit_itq(x, {.bits = n, .iterations = 2}, generator); }},
      {"pca_sign bits", [&](std::size_t n) { fit_pca_sign(x, {.bits = n}); }},
      {"pca dims", [&](std::size_t n) { fit_pca(x, {.dims = n}); }},
      {"whitening dims", [&](std::size_t n) { fit_whitening(x, {.dims = n}); }},
      {"all_but_the_top directions", [&](std::size_t n) { fit_all_but_the_top(x, {.directions = n}); }},
      {"rabitq bits", [&](std::size_t n) { fit_rabitq(x, {.bits_per_dim = n}, generator); }},
      {"transform bits", [&](std::size_t n) { fit_transform_coder(x, {.bits = n}, generator); }},
      {"product bytes", [&](std::size_t n) { fit_product_quantizer(x, {.bytes_per_row = n}, generator); }},
      {"product bits",
       [&](std::size_t n) { fit_product_quantizer(x, {.bytes_per_row = 2, .bits_per_number = n}, generator); }},
      {"bytes to choose by", [&](std::size_t n) { choose_encoder(x, {.bytes_per_row = n}, generator); }},
      {"recurrent bits", [&](std::size_t n) { fit_recurrent(x, {.bits = n, .hidden = 4, .steps = 1}, generator); }},
      {"recurrent dims",
       [&](std::size_t n) { fit_recurrent(x, {.dims = n, .loops = 0, .hidden = 4, .steps = 1}, generator); }},
      {"recurrent loops",
       [&](std::size_t n) { fit_recurrent(x, {.dims = 8, .loops = n, .hidden = 4, .steps = 1}, generator); }},
      {"recurrent hidden",
       [&](std::size_t n) { fit_recurrent(x, {.dims = 8, .loops = 0, .hidden = n, .steps = 1}, generator); }},
      {"recurrent batch",
       [&](std::size_t n) {
         fit_recurrent(x, {.dims = 8, .loops = 0, .hidden = 4, .steps = 1, .batch = n}, generator);
       }},
      {"recurrent held_out",
       [&](std::size_t n) {
         fit_recurrent(x, {.dims = 8, .loops = 0, .hidden = 4, .steps = 1, .held_out = n}, generator);
       }},
      {"muvera dim", [&](std::size_t n) { muvera({.dim = n}, generator); }},
      {"muvera repetitions", [&](std::size_t n) { muvera({.dim = 40, .repetitions = n}, generator); }},
      {"muvera simhash_bits", [&](std::size_t n) { muvera({.dim = 40, .simhash_bits = n}, generator); }},
      {"muvera projected_dim", [&](std::size_t n) { muvera({.dim = 40, .projected_dim = n}, generator); }},
      {"muvera final_dim", [&](std::size_t n) { muvera({.dim = 40, .final_dim = n}, generator); }},
      {"ground truth k", [&](std::size_t n) { static_cast<void>(ground_truth(x, x, n)); }},
      {"plan rows", [&](std::size_t n) { plan_lsh({.rows = n, .cosine = 0.9}); }},
      {"plan max_tables", [&](std::size_t n) { plan_lsh({.rows = 1000, .cosine = 0.9, .max_tables = n}); }},
      {"plan max_probes", [&](std::size_t n) { plan_lsh({.rows = 1000, .cosine = 0.9, .max_probes = n}); }},
      {"code_store bits", [&](std::size_t n) { code_store<>(3, n); }},
      {"code_store size", [&](std::size_t n) { code_store<>(n, 70); }},
      {"matrix rows", [&](std::size_t n) { matrix<float>(n, 3); }},
      {"levels", [&](std::size_t n) { level_store(level_format{.segments = {level_segment::uniform(7, 2)}}, n); }},
      {"level dims", [&](std::size_t n) { level_store(level_format{.segments = {level_segment::uniform(n, 8)}}, 40); }},
      {"threads", [&](std::size_t n) { thread_pool{n}; }},
  };
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
  for (const auto& [name, with] : calls)
    for (const std::size_t n : {std::size_t{0}, std::size_t{1}, most / 3 + 1, most / 2, most / 2 + 1, most - 1, most}) {
      const std::string found = outcome(with, n);
      INFO(name << " = " << n << ": " << found);
      CHECK((found == "refused" || found == "done"));
    }
}
