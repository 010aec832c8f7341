#include <embit/io/vecs.hpp>

#include "support/fuzz.hpp"

void fuzz::write_seeds(const folder& seeds) {
  embit::write_fvecs(seeds / "fvecs", embit::matrix<float>(3, 5, 1.5f));
  embit::write_bvecs(seeds / "bvecs", embit::matrix<std::uint8_t>(4, 9, 200));
  embit::write_ivecs(seeds / "ivecs", embit::matrix<std::int32_t>(7, 1, -7));
}

void fuzz::read(const std::string& path) {
  attempt([&] { embit::read_fvecs(path); });
  attempt([&] { embit::read_bvecs(path); });
  attempt([&] { embit::read_ivecs(path); });
  attempt([&] { embit::read_ivecs<std::uint8_t>(path, {.first = 1, .count = 2}); });
}
