// The small program whose compile time, umbrella header included, is watched.
#include <embit/embit.hpp>

#include <cstdio>

int main() {
  embit::rng rng{42};
  embit::matrix<float> x(1000, 64);
  for (float& value : x.values()) value = embit::normal(rng);
  const auto lsh = embit::sign_lsh({.dim = 64, .bits = 256}, rng);
  const embit::flat_index index{lsh.encode(x)};
  const auto found = index.search(lsh.encode(x), 10);
  std::printf("%u\n", found[0][0].id);
}
