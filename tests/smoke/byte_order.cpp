// Files are little-endian. A machine of the other byte order searches in memory like any other, and refuses to write or
// read a file with one clear error.
#include <embit/core/error.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/index/flat.hpp>
#include <embit/io/npy.hpp>
#include <embit/io/save.hpp>

#include <bit>
#include <cstdio>
#include <string>

namespace {

#if EMBIT_EXCEPTIONS
/// Whether `f` fails as on a big-endian machine, or works on a little-endian one.
template <class F>
bool as_expected(F&& f) {
  try {
    f();
    return std::endian::native == std::endian::little;
  } catch (const embit::error& e) {
    std::printf("%s\n", e.what());
    return std::endian::native == std::endian::big && e.code() == embit::errc::unsupported;
  }
}
#endif

}  // namespace

int main() {
  embit::rng rng{42};
  embit::matrix<float> x(300, 40);
  for (float& value : x.values()) value = embit::normal(rng);
  const auto codes = embit::sign_lsh({.dim = 40, .bits = 100}, rng).encode(x);
  const embit::flat_index index{codes};
  const auto found = index.search(codes, 2);
  int failures = 0;
  for (std::size_t q = 0; q < codes.size(); ++q) failures += found[q][0].id != q || found[q][0].distance != 0;
#if EMBIT_EXCEPTIONS
  const std::string path = "byte_order.tmp";
  failures += !as_expected([&] { embit::save(path, index); });
  failures += !as_expected([&] { embit::write_npy(path, x); });
  std::remove(path.c_str());
#endif
  if (failures != 0) std::printf("%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
