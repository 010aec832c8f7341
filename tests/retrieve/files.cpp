// Encoders and retrievers as files: what is loaded does what was saved, and is saved again as the same bytes.
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/encode/cross_polytope.hpp>
#include <embit/encode/hadamard_lsh.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/encode/super_bit.hpp>
#include <embit/fit/fit_itq.hpp>
#include <embit/index/flat.hpp>
#include <embit/io/save.hpp>
#include <embit/retrieve/float_rerank.hpp>
#include <embit/retrieve/retriever.hpp>
#include <embit/store/code_store.hpp>

#include "support/catch.hpp"
#include "support/refusal.hpp"
#include "support/temp_dir.hpp"

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>

namespace {

embit::matrix<float> normal_rows(std::size_t n, std::size_t dim, embit::rng& rng) {
  embit::matrix<float> rows(n, dim);
  for (float& x : rows.values()) x = embit::normal(rng);
  return rows;
}

/// Saves, loads, saves again; the bytes must be the same, and so must what both make of some rows.
template <class Encoder>
void check_file(const Encoder& encoder, const embit::matrix<float>& rows) {
  const support::temp_dir dir;
  embit::save(dir / "a", encoder);
  const auto loaded = embit::load<Encoder>(dir / "a");
  embit::save(dir / "b", loaded);
  CHECK(support::slurp(dir / "a") == support::slurp(dir / "b"));
  const auto expected = encoder.encode(rows), found = loaded.encode(rows);
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) CHECK(std::ranges::equal(found[i], expected[i]));
  CHECK(support::contains(support::refusal([&] { (void)embit::load<embit::code_store<>>(dir / "a"); }), "kind: "));
}

}  // namespace

TEST_CASE("hashers survive a file") {
  embit::rng rng{1};
  const auto rows = normal_rows(33, 20, rng);
  check_file(embit::sign_lsh({.dim = 20, .bits = 70}, rng), rows);
  check_file(embit::fit_itq(rows, {.bits = 7, .iterations = 3}, rng), rows);
  check_file(embit::super_bit({.dim = 20, .bits = 33}, rng), rows);
  check_file(embit::hadamard_lsh({.dim = 20, .bits = 100}, rng), rows);
  check_file(embit::cross_polytope({.dim = 20, .tables = 3, .hashes = 2}, rng), rows);
}

TEST_CASE("a retriever is saved with its encoder and index; the reranker is given again") {
  embit::rng rng{2};
  const support::temp_dir dir;
  const auto rows = normal_rows(200, 24, rng);
  const auto lsh = embit::sign_lsh({.dim = 24, .bits = 64}, rng);
  const embit::retriever plain{lsh, embit::flat_index{lsh.encode(rows)}};
  embit::save(dir / "a", plain);
  const auto loaded = embit::load<std::remove_const_t<decltype(plain)>>(dir / "a");
  embit::save(dir / "b", loaded);
  CHECK(support::slurp(dir / "a") == support::slurp(dir / "b"));

  const embit::retriever reranked{lsh, embit::flat_index{lsh.encode(rows)}, embit::float_rerank{rows.view()}};
  embit::save(dir / "c", reranked);
  CHECK(support::slurp(dir / "a") == support::slurp(dir / "c"));
  using type = std::remove_const_t<decltype(reranked)>;
  const auto again = embit::load<type>(dir / "c", embit::float_rerank{rows.view()});
  const auto expected = reranked.search(rows, 5), found = again.search(rows, 5);
  for (std::size_t q = 0; q < rows.rows(); ++q) CHECK(std::ranges::equal(found[q], expected[q]));
  const auto few = normal_rows(5, 24, rng);
  CHECK(support::contains(
      support::refusal([&] { (void)embit::load<type>(dir / "c", embit::float_rerank{few.view()}); }), "shape: "));
}
