// How long work tells how far it is, and hears that it should stop.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <cstddef>
#include <functional>
#include <string_view>

namespace embit::inline EMBIT_ABI {

/// How far a long piece of work has come.
struct progress_report {
  std::string_view stage;  ///< what is being done, such as "itq"; valid during the call
  std::size_t done = 0;    ///< steps finished
  std::size_t total = 0;   ///< steps in all
  double objective = 0;    ///< what is being minimized, where there is such a thing
};

/// Called from the thread that started the work, after each step. Return false to stop: training keeps what it has
/// reached, work without a useful partial result throws `error` with errc::stopped. An empty function means: go on.
using progress_callback = std::function<bool(const progress_report&)>;

namespace detail {

inline bool go_on(const progress_callback& callback, const progress_report& report) {
  return !callback || callback(report);
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
