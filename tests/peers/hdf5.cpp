// Datasets that the HDF5 library writes as ann-benchmarks does come back.
#include <embit/adapt/bit_order.hpp>
#include <embit/adapt/hdf5.hpp>
#include <embit/core/half.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

using namespace support;

namespace {

struct hdf5_file {
  hid_t id;
  explicit hdf5_file(const std::string& path) : id(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)) {}
  ~hdf5_file() { H5Fclose(id); }

  // `chunk` rows a chunk, deflated; 0 for contiguous.
  void write(const char* name, hid_t stored, hid_t memory, std::vector<hsize_t> shape, const void* data,
             hsize_t chunk = 0) const {
    const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
    const hid_t options = H5Pcreate(H5P_DATASET_CREATE);
    if (chunk != 0) {
      auto chunks = shape;
      chunks[0] = chunk;
      H5Pset_chunk(options, static_cast<int>(chunks.size()), chunks.data());
      H5Pset_deflate(options, 6);
    }
    const hid_t set = H5Dcreate2(id, name, stored, space, H5P_DEFAULT, options, H5P_DEFAULT);
    if (data != nullptr) H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
    H5Dclose(set);
    H5Pclose(options);
    H5Sclose(space);
  }
};

}  // namespace

TEST_CASE("datasets come back in every layout and type") {
  const temp_dir dir;
  const std::string path = dir / "x.hdf5";
  constexpr std::size_t n = 30000, d = 20;
  std::vector<float> train(n * d);
  for (std::size_t i = 0; i < train.size(); ++i) train[i] = static_cast<float>(i % 1000) / 8.f - 3;
  std::vector<std::int32_t> neighbors(n * d);
  for (std::size_t i = 0; i < neighbors.size(); ++i) neighbors[i] = static_cast<std::int32_t>(i);
  const std::vector<double> distances{0.25, -1e300, 3};
  {
    const hdf5_file file(path);
    file.write("train", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, {n, d}, train.data());
    file.write("test", H5T_IEEE_F32BE, H5T_NATIVE_FLOAT, {n, d}, train.data(), 1000);
    file.write("neighbors", H5T_STD_I32LE, H5T_NATIVE_INT32, {n, d}, neighbors.data());
    file.write("distances", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, {3}, distances.data());
  }
  for (const char* const name : {"train", "test"}) {
    const auto back = embit::read_hdf5(path, name);
    REQUIRE(back.rows() == n);
    REQUIRE(back.cols() == d);
    CHECK(std::ranges::equal(back.values(), train));
  }
  CHECK(std::ranges::equal(embit::read_hdf5<std::uint32_t>(path, "neighbors").values(), neighbors));
  const auto column = embit::read_hdf5<double>(path, "distances");
  CHECK(column.cols() == 1);
  CHECK(std::ranges::equal(column.values(), distances));
  CHECK(contains(refusal([&] { embit::read_hdf5<std::int8_t>(path, "neighbors"); }),
                 "argument: " + path + ": dataset 'neighbors': row 6, column 8"));
  CHECK(contains(refusal([&] { embit::read_hdf5<int>(path, "train"); }), "argument: "));
}

TEST_CASE("bools as h5py and ann-benchmarks write them become codes, and any other byte is refused") {
  const temp_dir dir;
  const std::string path = dir / "x.hdf5";
  constexpr std::size_t n = 7000, bits = 256;
  embit::rng rng{3};
  const auto codes = make_codes(n, bits, code_kind::uniform, rng);
  const auto bools = embit::to_bools(codes);
  const auto enumeration = [](std::int8_t no, std::int8_t yes) {
    const hid_t type = H5Tenum_create(H5T_NATIVE_INT8);
    H5Tenum_insert(type, "FALSE", &no);
    H5Tenum_insert(type, "TRUE", &yes);
    return type;
  };
  const std::vector<std::uint8_t> damaged{0, 1, 1, 0, 2, 1};
  {
    const hdf5_file file(path);
    const hid_t boolean = enumeration(0, 1), other = enumeration(1, 2);
    file.write("train", boolean, boolean, {n, bits}, bools.data());
    file.write("test", boolean, boolean, {n, bits}, bools.data(), 500);
    file.write("damaged", boolean, boolean, {2, 3}, damaged.data());
    file.write("other", other, other, {2, 3}, damaged.data());
    H5Tclose(boolean);
    H5Tclose(other);
  }
  for (const char* const name : {"train", "test"}) {
    const auto back = embit::from_bools(embit::read_hdf5<std::uint8_t>(path, name));
    REQUIRE((back.size() == n && back.bits() == bits));
    for (std::size_t i = 0; i < n; ++i) REQUIRE(std::ranges::equal(back[i], codes[i]));
    CHECK(embit::read_hdf5(path, name, {n - 1})[0][9] == static_cast<float>(bools[n - 1][9]));
  }
  CHECK(refusal([&] { embit::read_hdf5<std::uint8_t>(path, "damaged"); }) ==
        "format: " + path + ": dataset 'damaged': row 1, column 1 is a bool of neither 0 nor 1");
  CHECK(contains(refusal([&] { embit::read_hdf5(path, "other"); }), "format: " + path + ": dataset 'other': neither"));
}

TEST_CASE("floats of 16 bits are read, of either kind and order") {
  const temp_dir dir;
  const std::string path = dir / "x.hdf5";
  std::vector<std::uint16_t> halves(65536), brains(65536);
  std::iota(halves.begin(), halves.end(), std::uint16_t{0});
  brains = halves;
  {
    const hdf5_file file(path);
    const auto make = [](hid_t like, std::size_t exponent, int bias) {
      const hid_t type = H5Tcopy(like);
      H5Tset_fields(type, 15, 15 - exponent, exponent, 0, 15 - exponent);
      H5Tset_size(type, 2);
      H5Tset_ebias(type, static_cast<std::size_t>(bias));
      return type;
    };
    const hid_t half = make(H5T_IEEE_F32LE, 5, 15), brain = make(H5T_IEEE_F32LE, 8, 127);
    file.write("half", half, half, {256, 256}, halves.data());
    file.write("packed", half, half, {256, 256}, halves.data(), 10);
    file.write("brain", brain, brain, {65536}, brains.data());
    H5Tclose(half);
    H5Tclose(brain);
  }
  const auto same = [](float a, float b) { return a == b || (a != a && b != b); };
  for (const char* const name : {"half", "packed"}) {
    const auto back = embit::read_hdf5(path, name);
    const auto exact = embit::read_hdf5<embit::half>(path, name);
    REQUIRE(back.cols() == 256);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < halves.size(); ++i) {
      wrong += !same(back.values()[i], embit::half_value(halves[i]));
      wrong += !same(exact.values()[i], embit::half_value(halves[i]));
    }
    CHECK(wrong == 0);
  }
  const auto back = embit::read_hdf5(path, "brain", {1, 65534});
  REQUIRE((back.rows() == 65534 && back.cols() == 1));
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < back.rows(); ++i)
    wrong += !same(back[i][0], std::bit_cast<float>(std::uint32_t{brains[i + 1]} << 16));
  CHECK(wrong == 0);
  CHECK(contains(refusal([&] { embit::read_hdf5<int>(path, "half"); }), "holds float16, which int32 cannot hold"));
  CHECK(contains(refusal([&] { embit::read_hdf5(path, "half", {257}); }), "out_of_range: "));
}

TEST_CASE("what is not a matrix of numbers is refused by path and dataset") {
  const temp_dir dir;
  const std::string path = dir / "x.hdf5";
  const std::vector<float> one(8, 1.f);
  {
    const hdf5_file file(path);
    file.write("cube", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, {2, 2, 2}, one.data());
    file.write("text", H5T_C_S1, H5T_C_S1, {8}, one.data());
    file.write("void", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, {hsize_t{1} << 40, 1000}, nullptr, 1);
    file.write("empty", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, {0, 5}, nullptr);
  }
  CHECK(contains(refusal([&] { embit::read_hdf5(path, "cube"); }), "shape: " + path + ": dataset 'cube': 3 dim"));
  CHECK(contains(refusal([&] { embit::read_hdf5(path, "text"); }), "format: " + path + ": dataset 'text': neither"));
  CHECK(contains(refusal([&] { embit::read_hdf5(path, "void"); }),
                 "format: " + path + ": dataset 'void': 1099511627776"));
  CHECK(contains(refusal([&] { embit::read_hdf5(path, "none"); }), "format: " + path + ": dataset 'none': is missing"));
  CHECK(embit::read_hdf5(path, "empty").cols() == 5);
  CHECK(contains(refusal([&] { embit::read_hdf5(dir / "no", "x"); }), "io: " + (dir / "no")));
  spill(dir / "lfs", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n");
  CHECK(refusal([&] { embit::read_hdf5(dir / "lfs", "x"); }) ==
        "kind: " + (dir / "lfs") + ": is a Git LFS pointer: run git lfs pull; an HDF5 file is expected");
  const std::string whole = slurp(path);
  spill(path, whole.substr(0, whole.size() / 2));
  CHECK(contains(refusal([&] { embit::read_hdf5(path, "cube"); }), ": " + path));
  CHECK(contains(refusal([&] { embit::read_hdf5(dir.path(), "x"); }), "io: "));
}
