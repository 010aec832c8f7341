// Reading a command line as all examples do.
// SPDX-License-Identifier: MIT
#pragma once

#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace example {

/// Reads the options; `--help` prints and ends the program.
/// @throws std::runtime_error with one line for options that cannot be used.
inline void parse(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success&) {  // that is how it says --help
    std::fputs(app.help().c_str(), stdout);
    std::exit(0);
  } catch (const CLI::ParseError& wrong) {
    throw std::runtime_error(std::string(wrong.what()) + " (--help shows the options)");
  }
}

}  // namespace example
