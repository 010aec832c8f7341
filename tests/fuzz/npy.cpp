#include <embit/io/npy.hpp>

#include "support/fuzz.hpp"

void fuzz::write_seeds(const folder& seeds) {
  embit::write_npy(seeds / "f32", embit::matrix<float>(3, 5, 1.5f));
  embit::write_npy(seeds / "f16", embit::matrix<embit::half>(2, 3, embit::half(2.f)));
  embit::write_npy(seeds / "i64", embit::matrix<std::int64_t>(4, 1, -7));
  embit::write_npy(seeds / "u8", embit::matrix<std::uint8_t>(0, 8));
}

void fuzz::read(const std::string& path) {
  attempt([&] { embit::read_npy_header(path); });
  attempt([&] { embit::read_npy<float>(path); });
  attempt([&] { embit::read_npy<embit::half>(path); });
  attempt([&] { embit::read_npy<std::int16_t>(path); });
  attempt([&] { embit::read_npy<std::uint64_t>(path); });
}
