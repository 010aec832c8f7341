#include <embit/io/safetensors.hpp>

#include "support/fuzz.hpp"

void fuzz::write_seeds(const folder& seeds) {
  embit::safetensors_writer two, none;
  two.add("layer.weight", embit::matrix<float>(2, 3, 1.5f));
  two.add("b", embit::matrix<float>(1, 4, -2.f), true);
  two.write(seeds / "two");
  none.add("empty", embit::matrix<float>(0, 3));
  none.write(seeds / "none");
}

void fuzz::read(const std::string& path) {
  attempt([&] {
    const embit::safetensors_reader in(path);
    for (const auto& tensor : in.tensors()) attempt([&] { in.read(tensor.name); });
  });
}
