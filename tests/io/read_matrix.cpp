// SPDX-License-Identifier: MIT
#include <embit/io/read_matrix.hpp>

#include <cstdint>
#include <string>

#include "support/catch.hpp"
#include "support/refusal.hpp"
#include "support/temp_dir.hpp"

using embit::matrix;
using embit::read_matrix;
using support::contains;
using support::refusal;

TEST_CASE("the name of a file says how it is read") {
  const support::temp_dir dir;
  const matrix<float> m(3, 4, 2.0f);
  embit::write_npy(dir / "x.npy", m);
  embit::write_fvecs(dir / "x.fvecs", m);
  embit::write_bvecs(dir / "x.bvecs", matrix<std::uint8_t>(3, 4, 2));
  embit::write_ivecs(dir / "x.ivecs", matrix<std::int32_t>(3, 4, 2));
  for (const std::string name : {"x.npy", "x.fvecs", "x.bvecs", "x.ivecs"}) {
    INFO(name);
    CHECK(read_matrix(dir / name) == m);
    CHECK(read_matrix<double>(dir / name) == matrix<double>(3, 4, 2.0));
  }
  for (const std::string name : {"x.npy", "x.fvecs", "x.bvecs", "x.ivecs"})
    CHECK(read_matrix(dir / name, {1, 7}).rows() == 2);
  embit::write_npy(dir / "X.NPY", m);
  embit::write_fvecs(dir / "x.FVecs", m);
  CHECK(read_matrix(dir / "X.NPY") == m);
  CHECK(read_matrix(dir / "x.FVecs") == m);
  CHECK(read_matrix<std::uint8_t>(dir / "x.ivecs") == matrix<std::uint8_t>(3, 4, 2));
}

TEST_CASE("other names, missing files and floats where whole numbers are asked for are refused") {
  const support::temp_dir dir;
  for (const std::string name : {"x.txt", "x", "npy", "x.npy.gz"})
    CHECK(contains(refusal([&] { read_matrix(dir / name); }), "argument: " + (dir / name)));
  CHECK(contains(refusal([&] { read_matrix(dir / "none.fvecs"); }), "No such file"));
  embit::write_fvecs(dir / "x.fvecs", matrix<float>(1, 1, 1.0f));
  CHECK(contains(refusal([&] { read_matrix<std::uint8_t>(dir / "x.fvecs"); }), "holds float32"));
}
