// What can be said about the training of recurrent binarization.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <cstddef>
#include <optional>

namespace embit::inline EMBIT_ABI {

/// Either `bits`, or `dims` and `loops`; with `bits`, what is not given is chosen on held-out rows.
struct recurrent_options {
  std::size_t bits = 0;                   ///< of a code, at most
  std::optional<std::size_t> dims = {};   ///< of the codes, 1 to those of the rows
  std::optional<std::size_t> loops = {};  ///< rounds after the first sign, 0 to 7: a dimension has loops + 1 bits
  std::size_t hidden = 256;               ///< width of the hidden layers; 0 trains linear maps
  std::size_t epochs = 0;                 ///< passes over the rows (or pairs); 0 trains for `steps`
  std::size_t steps = 400;                ///< batches to learn from
  std::size_t batch = 0;                  ///< rows (or pairs' rows) in a batch; 0 takes 768, or all of fewer
  float rate = 3e-4f;                     ///< of Adam, after 50 steps of warm-up and before its decay to zero
  float temperature = 0.05f;              ///< of similarities in the loss
  std::size_t hard_negatives = 5;         ///< of a row of a pair: the most similar others; 0 takes all
  std::size_t queue = 0;                  ///< codes of earlier batches of pairs among which negatives are found, too
  float momentum = 0.99f;                 ///< share of itself that the network keeps, a step, which makes that queue
  std::size_t held_out = 500;             ///< rows that the state to keep is chosen by; a tenth of all rows at most
  std::size_t validate_every = 50;        ///< steps
  std::size_t patience = 0;    ///< validations in a row without a better one that end training; 0 does all steps
  float compatibility = 0.5f;  ///< weight of old codes in loss and score, 0 to 1 (`fit_recurrent_compatible`)
};

}  // namespace embit::inline EMBIT_ABI
