// The command line of quickstart.
// SPDX-License-Identifier: MIT
#pragma once

#include "command_line.hpp"

#include <CLI/CLI.hpp>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

// The build sets this to the include directory of the Eigen that it uses: real text that is always there.
#ifndef EMBIT_EXAMPLE_CORPUS
#define EMBIT_EXAMPLE_CORPUS ""
#endif

namespace example {

struct options {
  std::string query;
  std::string corpus = EMBIT_EXAMPLE_CORPUS;
  bool own_corpus = false;  ///< the user named one
  std::string base, queries;
  std::string save, load;
  std::size_t bits = 1024;
  std::size_t k = 10;
  std::size_t candidates = 200;
  std::size_t threads = 1;
  std::uint64_t seed = 42;
};

namespace detail {

inline constexpr std::uint64_t largest_seed = 0x7fffffffffffffff;  // a negative number wraps around to beyond it

inline constexpr auto about =
    "Finds passages of text, or rows of your own embeddings, through binary codes, and compares that with exact "
    "float search.\nWithout options it searches the headers of Eigen.";

inline constexpr auto usage_examples =
    "Examples:\n"
    "  quickstart quaternion slerp interpolation\n"
    "  quickstart --corpus ~/src/project where are retries counted\n"
    "  quickstart --base vectors.npy --queries queries.npy --bits 256\n"
    "  quickstart --save eigen.embit && quickstart --load eigen.embit sparse cholesky\n"
    "\n"
    "Exit status: 0 when all went well, 2 for input that cannot be used (one line on stderr says why).";

}  // namespace detail

/// Reads the command line; `--help` prints and ends the program.
/// @throws std::runtime_error with one line for options that cannot be used.
inline options parse_command_line(int argc, char** argv) {
  options out;
  std::vector<std::string> words;
  CLI::App app(detail::about, "quickstart");
  app.footer(detail::usage_examples);
  const auto path = [&](const std::string& name, std::string& value, const std::string& help) {
    return app.add_option(name, value, help)->option_text("PATH");
  };
  const auto number = [&](const std::string& name, std::size_t& value, std::size_t most, const std::string& help) {
    app.add_option(name, value, help)
        ->check(CLI::Range(std::size_t{1}, most))
        ->option_text("N (" + std::to_string(value) + ")");
  };

  auto* query = app.add_option("query", words, "What to look for, in words")->option_text("WORDS");
  auto* corpus = path("--corpus", out.corpus, "Search this directory (or file) of source code or text");
  auto* base = path("--base", out.base, "Search these rows instead of text: .npy, .fvecs or .bvecs");
  auto* queries = path("--queries", out.queries, "The queries for --base; recall is measured on the first 1000");
  auto* save = path("--save", out.save, "Write the codes to this file");
  auto* load = path("--load", out.load, "Take the codes from this file; give the same text (or rows) and seed again");
  number("--bits", out.bits, 65536, "Bits of a code");
  number("--k", out.k, 1000, "Results of a query");
  number("--candidates", out.candidates, 1000000, "Rows taken by their codes, then ranked by their floats");
  number("--threads", out.threads, 1024, "Threads to use");
  app.add_option("--seed", out.seed, "Seed of everything random")
      ->check(CLI::Range(std::uint64_t{0}, detail::largest_seed))
      ->option_text("N (" + std::to_string(out.seed) + ")");
  base->needs(queries)->excludes(query)->excludes(corpus);
  queries->needs(base);
  load->excludes(save);

  parse(app, argc, argv);

  if (out.candidates < out.k)
    throw std::runtime_error("--candidates: " + std::to_string(out.candidates) + " is less than --k " +
                             std::to_string(out.k));
  if (out.corpus.empty() && out.base.empty())
    throw std::runtime_error("--corpus: give a directory, this program was built without a default one");
  out.own_corpus = corpus->count() != 0;
  for (const auto& word : words) out.query += (out.query.empty() ? "" : " ") + word;
  return out;
}

}  // namespace example
