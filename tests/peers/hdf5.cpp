// Datasets that the HDF5 library writes as ann-benchmarks does come back.
#include <embit/adapt/hdf5.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include <support/catch.hpp>
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
  const std::string whole = slurp(path);
  spill(path, whole.substr(0, whole.size() / 2));
  CHECK(contains(refusal([&] { embit::read_hdf5(path, "cube"); }), ": " + path));
  CHECK(contains(refusal([&] { embit::read_hdf5(dir.path(), "x"); }), "io: "));
}
