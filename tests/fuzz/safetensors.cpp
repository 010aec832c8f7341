// Safetensors, and the encoders that are read out of them.
#include <embit/encode/recurrent_safetensors.hpp>
#include <embit/io/safetensors.hpp>

#include <support/saved_kinds.hpp>

#include "support/fuzz.hpp"

void fuzz::write_seeds(const folder& seeds) {
  embit::safetensors_writer two, none;
  two.add("layer.weight", embit::matrix<float>(2, 3, 1.5f));
  two.add("b", embit::matrix<float>(1, 4, -2.f), true);
  two.write(seeds / "two");
  none.add("empty", embit::matrix<float>(0, 3));
  none.write(seeds / "none");
  embit::export_safetensors(seeds / "recurrent", support::small_recurrent());
}

void fuzz::read(const std::string& path) {
  attempt([&] {
    const auto encoder = embit::import_recurrent(path);
    if (encoder.encode(embit::matrix<float>(1, encoder.dim(), 1.f)).size() != 1) __builtin_trap();
  });
  attempt([&] {
    const embit::safetensors_reader in(path);
    for (const auto& tensor : in.tensors()) attempt([&] { in.read(tensor.name); });
  });
}
