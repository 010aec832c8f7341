// SPDX-License-Identifier: MIT
#include <embit/io/mapped_npy.hpp>
#include <embit/io/npy.hpp>

#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>

#include "support/catch.hpp"
#include "support/refusal.hpp"
#include "support/temp_dir.hpp"

using embit::mapped_npy;
using embit::matrix;
using support::contains;
using support::refusal;

template <class M>
concept GivesView = requires(M&& m) {
  std::forward<M>(m).view();
};
static_assert(GivesView<mapped_npy<float>&> && !GivesView<mapped_npy<float>>);
static_assert(!std::is_copy_constructible_v<mapped_npy<float>> &&
              std::is_nothrow_move_constructible_v<mapped_npy<float>>);

TEMPLATE_TEST_CASE("a mapped matrix is what read_npy reads", "", embit::half, float, double, std::int8_t, std::uint8_t,
                   std::int32_t, std::uint64_t) {
  const support::temp_dir dir;
  matrix<TestType> m(57, 11);
  for (std::size_t i = 0; i < m.values().size(); ++i) m.values()[i] = TestType(float(i % 100));
  embit::write_npy(dir / "m.npy", m);
  mapped_npy<TestType> mapped(dir / "m.npy");
  CHECK((mapped.rows() == 57 && mapped.cols() == 11 && mapped.path() == dir / "m.npy"));
  CHECK(std::memcmp(mapped.view().data(), m.data(), m.values().size_bytes()) == 0);
  const auto* const data = mapped.view().data();
  mapped_npy<TestType> moved(std::move(mapped));
  CHECK((mapped.rows() == 0 && mapped.view().empty() && moved.view().data() == data));
  mapped = std::move(moved);
  CHECK((moved.rows() == 0 && mapped.rows() == 57 && mapped.view().data() == data));
  mapped.require_unchanged_size();
  embit::write_npy(dir / "none.npy", matrix<TestType>(0, 4));
  CHECK(mapped_npy<TestType>(dir / "none.npy").rows() == 0);
  CHECK(mapped_npy<TestType>(dir / "none.npy").cols() == 4);
}

TEST_CASE("what must be converted is not mapped, and read_npy is named") {
  const support::temp_dir dir;
  const auto why = [&](const std::string& dictionary, std::size_t padding, const std::string& data) {
    const std::string header = dictionary + std::string(padding, ' ') + '\n';
    std::string file("\x93NUMPY\1\0", 8);
    file += {static_cast<char>(header.size()), 0};
    support::spill(dir / "x", file + header + data);
    return refusal([&] { mapped_npy<float>(dir / "x").rows(); });
  };
  const std::string four(16, '\0'), at = dir / "x";
  const auto header = [](const std::string& type, const std::string& fortran, const std::string& shape) {
    return "{'descr': '" + type + "', 'fortran_order': " + fortran + ", 'shape': " + shape + "}";
  };
  const std::string good = header("<f4", "False", "(2, 2)");
  const std::size_t padding = 127 - 10 - good.size();
  const auto aligned = [&](const std::string& text) { return why(text, 127 - 10 - text.size(), four); };
  CHECK(why(good, padding, four) == "accepted");
  CHECK(why(good, padding - 2, four) ==
        "argument: " + at + ": its numbers begin at byte 126 and cannot be mapped as float32; read_npy reads it");
  CHECK(why(header(">f4", "False", "(2, 2)"), padding, four) ==
        "argument: " + at +
            ": its numbers are in the other byte order and cannot be mapped as float32; read_npy reads it");
  CHECK(contains(why(header("<f4", "True", "(2, 2)"), padding, four), "is in Fortran order and cannot be mapped"));
  CHECK(aligned(header("<f4", "True", "(4,)")) == "accepted");
  CHECK(aligned(header("<f4", "True", "(4, 1)")) == "accepted");
  CHECK(
      contains(why(header("<f8", "False", "(2, 1)"), padding, four), "holds float64 and cannot be mapped as float32"));
  CHECK(contains(why(header("|b1", "False", "(4, 4)"), padding, four), "holds bool and cannot be mapped"));
  CHECK(contains(why(header("<f4", "False", "(1, 2, 2)"), padding, four), "shape: "));
  CHECK(contains(why(good, padding, four + "x"), "format: "));
  CHECK(contains(why(good, padding, "x"), "truncated: "));
  CHECK(contains(refusal([&] { mapped_npy<float>(dir / "none"); }), "io: "));
}
