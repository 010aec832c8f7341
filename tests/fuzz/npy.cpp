#include <embit/io/mapped_npy.hpp>
#include <embit/io/npy.hpp>

#include <fstream>

#include "support/fuzz.hpp"

namespace {

// What numpy.save makes of an array that `write_npy` would not write so.
void write_array(const std::string& path, const std::string& type, const std::string& fortran, const std::string& shape,
                 const std::string& data) {
  std::string header = "{'descr': '" + type + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::ofstream out(path, std::ios::binary);
  out << std::string("\x93NUMPY\1\0", 8) << static_cast<char>(header.size()) << '\0' << header << data;
}

// Every number of a mapping is looked at.
template <class T>
void read_mapped(const std::string& path) {
  const embit::mapped_npy<T> mapped(path);
  for (std::size_t i = 0; i < mapped.rows(); ++i)
    for (const T& x : mapped.view()[i])
      if (x != x && sizeof(T) == 1) __builtin_trap();
}

}  // namespace

void fuzz::write_seeds(const folder& seeds) {
  embit::write_npy(seeds / "f32", embit::matrix<float>(3, 5, 1.5f));
  embit::write_npy(seeds / "f16", embit::matrix<embit::half>(2, 3, embit::half(2.f)));
  embit::write_npy(seeds / "i64", embit::matrix<std::int64_t>(4, 1, -7));
  embit::write_npy(seeds / "u8", embit::matrix<std::uint8_t>(0, 8));
  write_array(seeds / "fortran", "<i2", "True", "(3, 2)", std::string("\1\0\2\0\3\0\4\0\5\0\6\0", 12));
  write_array(seeds / "big_endian", ">f4", "False", "(2L, 1L)", std::string("\x3f\x80\0\0\x40\0\0\0", 8));
  write_array(seeds / "bools", "|b1", "False", "(5,)", std::string("\0\1\1\0\1", 5));
}

void fuzz::read(const std::string& path) {
  attempt([&] { embit::read_npy_header(path); });
  attempt([&] { embit::read_npy<float>(path); });
  attempt([&] { embit::read_npy<embit::half>(path); });
  attempt([&] { embit::read_npy<std::int16_t>(path); });
  attempt([&] { embit::read_npy<std::uint64_t>(path); });
  attempt([&] { embit::read_npy<double>(path, {1, 2}); });
  attempt([&] { read_mapped<float>(path); });
  attempt([&] { read_mapped<std::uint8_t>(path); });
}
