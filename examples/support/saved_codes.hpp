// Codes from a file, held against what they are said to be codes of.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/matrix_view.hpp>
#include <embit/core/types.hpp>
#include <embit/encode/sign_projection.hpp>
#include <embit/io/save.hpp>
#include <embit/store/code_store.hpp>

#include <bit>
#include <cstddef>
#include <stdexcept>
#include <string>
#include <vector>

namespace example {

/// Codes that an earlier run has saved, one for each row of `x`.
/// @throws std::runtime_error when there are more or fewer; embit::error for a file that holds no codes.
inline embit::code_store<> load_codes(const std::string& path, embit::matrix_view<const float> x) {
  auto codes = embit::load<embit::code_store<>>(path);
  if (codes.size() != x.rows())
    throw std::runtime_error(path + ": holds " + std::to_string(codes.size()) + " codes for " +
                             std::to_string(x.rows()) + " rows; give the input that they were saved for");
  return codes;
}

/// Compares some of the codes with those that the encoder gives.
/// @throws std::runtime_error when they were made from other rows or by other planes.
inline void require_codes_of(const embit::code_store<>& codes, const embit::sign_projection& encoder,
                             embit::matrix_view<const float> x, const std::string& path) {
  std::vector<embit::word> expected(codes.words());
  std::size_t differing = 0, compared = 0;
  for (std::size_t i = 0; i < x.rows(); i += 1 + x.rows() / 64) {
    encoder.encode_into(x[i], expected);
    for (std::size_t w = 0; w < expected.size(); ++w)
      differing += static_cast<std::size_t>(std::popcount(expected[w] ^ codes[i][w]));
    compared += codes.bits();
  }
  if (differing > compared / 100)  // another machine may round a few bits the other way
    throw std::runtime_error(path + ": holds codes of other rows or of another --seed");
}

}  // namespace example
