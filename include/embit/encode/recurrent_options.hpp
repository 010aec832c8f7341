// What can be said about the training of recurrent binarization.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <cstddef>

namespace embit::inline EMBIT_ABI {

/// Left to the library.
inline constexpr std::size_t automatic = static_cast<std::size_t>(-1);

struct recurrent_options {
  std::size_t bits = 0;  ///< of a code, at most; where dims or loops are not given, they are chosen on held-out rows
  std::size_t dims = automatic;     ///< of the codes, 1 to those of the rows
  std::size_t loops = automatic;    ///< rounds after the first sign, 0 to 7: a dimension has loops + 1 bits
  std::size_t hidden = 256;         ///< width of the hidden layers; 0 trains linear maps
  std::size_t epochs = 0;           ///< passes over the rows; 0 trains for `steps`
  std::size_t steps = 400;          ///< batches to learn from
  std::size_t batch = 768;          ///< rows (or pairs' rows) in a batch
  float rate = 3e-4f;               ///< of Adam, after 50 steps of warm-up and before its decay to zero
  float temperature = 0.05f;        ///< of similarities in the loss
  std::size_t held_out = 500;       ///< rows that the state to keep is chosen by; a tenth of all rows at most
  std::size_t validate_every = 50;  ///< steps
  std::size_t patience = 0;         ///< validations in a row without a better one that end training; 0 does all steps
  float compatibility = 0.5f;       ///< weight of old codes in loss and score, 0 to 1 (`fit_recurrent_compatible` only)
};

}  // namespace embit::inline EMBIT_ABI
