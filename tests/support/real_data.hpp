// Where the real data is: the folder that EMBIT_DATA_DIR names. Tests that need it say so and pass where it is unset.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/matrix.hpp>
#include <embit/io/npy.hpp>

#include <cmath>
#include <cstdlib>
#include <string>

namespace support {

/// The path of a file of real data, or nothing where there is none.
inline std::string real_data(const std::string& file) {
  const char* const folder = std::getenv("EMBIT_DATA_DIR");
  return folder == nullptr ? std::string() : std::string(folder) + '/' + file;
}

/// The rows divided by their norms.
inline embit::matrix<float> unit_rows(embit::matrix<float> rows) {
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    double square = 0;
    for (const float x : rows[i]) square += double{x} * double{x};
    for (float& x : rows[i]) x = static_cast<float>(double{x} / std::sqrt(square));
  }
  return rows;
}

}  // namespace support

/// Leaves a test, loudly, where there is no real data.
#define EMBIT_NEEDS_REAL_DATA()                                             \
  if (std::getenv("EMBIT_DATA_DIR") == nullptr) {                           \
    WARN("EMBIT_DATA_DIR is not set: nothing is tested on real data here"); \
    return;                                                                 \
  }                                                                         \
  static_cast<void>(0)
