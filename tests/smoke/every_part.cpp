// Every part in a few lines: compiles and runs in builds that cannot have a test framework, without exceptions above
// all.
#include <embit/adapt/bit_order.hpp>
#include <embit/adapt/faiss.hpp>
#include <embit/embit.hpp>

#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <string>
#include <vector>

namespace {

int failures = 0;

void check(bool right, const char* what) {
  if (right) return;
  std::printf("failed: %s\n", what);
  ++failures;
}

}  // namespace

int main() {
  embit::rng rng{42};
  embit::matrix<float> x(600, 32);
  for (float& value : x.values()) value = embit::normal(rng);
  const auto queries = x.view().middle_rows(0, 5);

  const auto lsh = embit::sign_lsh({.dim = 32, .bits = 64}, rng);
  const auto codes = lsh.encode(x), some = lsh.encode(queries);
  check(embit::flat_index{codes}.search(some, 3)[2][0].id == 2, "flat");
  check(embit::multi_index{codes}.search(some, 3)[2][0].id == 2, "multi-index");
  check(embit::flat_index{codes, lsh.asymmetric()}.search(queries, 3)[2][0].id == 2, "asymmetric");
  const auto rabitq = embit::fit_rabitq(x, {.bits_per_dim = 4}, rng);
  check(embit::flat_index{rabitq.encode(x), rabitq.estimator()}.search(queries, 3)[2][0].id == 2, "rabitq");
  const auto shared = embit::hadamard_lsh({.dim = 32, .bits = 64}, rng).encode(x);
  check(embit::flat_index{shared}.search(shared.view().middle_rows(1, 1), 1)[0][0].id == 1, "hadamard");

  std::vector<std::size_t> offsets;
  for (std::size_t i = 0; i <= 60; ++i) offsets.push_back(10 * i);
  const embit::ragged_view<const float> documents{x, offsets};
  const embit::muvera fde{{.dim = 32, .repetitions = 4, .simhash_bits = 3, .projected_dim = 8}, rng};
  const embit::flat_index late{fde.encode(documents), embit::inner_product{}};
  check(late.search(fde.encode_queries(documents), 1).queries() == 60, "muvera");

  const std::string path = "every_part_" + std::to_string(::getpid()) + ".embit";
  using labelled = embit::labelled_index<embit::flat_index<>>;
  {
    auto durable = embit::durable_index<labelled>::create(path, labelled{embit::flat_index{embit::block_store<>{64}}});
    durable.add(codes.view().middle_rows(0, 2), std::vector<embit::row_label>{100, 200});
  }
  const auto durable = embit::durable_index<labelled>::open(path);
  embit::concurrent_index index{durable.index()};
  check(index.search(some.view().middle_rows(1, 1), 1)[0][0].id == 200, "durable, labelled, concurrent");
  std::remove(path.c_str());
  std::remove((path + ".log").c_str());
  embit::save(path, rabitq.encode(x));
  check(embit::mapped_level_store{path}.size() == 600, "mapped levels");
  std::remove(path.c_str());
  return failures;
}
