// Safetensors, and the encoders that are read out of them.
#include <embit/encode/recurrent_safetensors.hpp>
#include <embit/io/safetensors.hpp>

#include <support/saved_kinds.hpp>

#include <cstdint>
#include <fstream>

#include "support/fuzz.hpp"

void fuzz::write_seeds(const folder& seeds) {
  embit::safetensors_writer two, none;
  two.add("layer.weight", embit::matrix<float>(2, 3, 1.5f));
  two.add("b", embit::matrix<float>(1, 4, -2.f), true);
  two.write(seeds / "two");
  none.add("empty", embit::matrix<float>(0, 3));
  none.write(seeds / "none");
  embit::export_safetensors(seeds / "recurrent", support::small_recurrent());

  const std::string header =
      "{\"__metadata__\":{\"by\":\"J\\u00fcrgen \\ud83d\\ude00\"},\"b\":{\"dtype\":\"BOOL\",\"shape\":[2],"
      "\"data_offsets\":[0,2]},\"i\":{\"dtype\":\"I8\",\"shape\":[1,3],\"data_offsets\":[2,5]},"
      "\"w\":{\"dtype\":\"F8_E4M3\",\"shape\":[4],\"data_offsets\":[5,9]},"
      "\"h\":{\"dtype\":\"BF16\",\"shape\":[1],\"data_offsets\":[9,11]}}";
  std::ofstream(seeds / "types", std::ios::binary) << static_cast<char>(header.size()) << '\1' << std::string(6, '\0')
                                                   << header << std::string("\0\1abcwwww\0\x3f", 11);
  if (header.size() >> 8 != 1) __builtin_trap();  // the two bytes of its size
}

void fuzz::read(const std::string& path) {
  attempt([&] {
    const auto encoder = embit::import_recurrent(path);
    if (encoder.encode(embit::matrix<float>(1, encoder.dim(), 1.f)).size() != 1) __builtin_trap();
  });
  attempt([&] {
    const embit::safetensors_reader in(path);
    for (const auto& tensor : in.tensors()) {
      attempt([&] { in.read(tensor.name); });
      attempt([&] { in.read<std::int8_t>(tensor.name); });
    }
  });
}
