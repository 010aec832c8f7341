// How a program ends: with 0, or with one line of what went wrong and 2.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdio>
#include <exception>
#include <stdexcept>

#include "snippet.hpp"

namespace example {

/// Runs `work`, whose output must have been written when it returns.
template <class Work>
int run_program(const char* name, Work&& work) {
  try {
    work();
    if (std::fflush(stdout) != 0) throw std::runtime_error("standard output: cannot be written");
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", name, one_line(e.what(), 300).c_str());
    return 2;
  }
}

}  // namespace example
