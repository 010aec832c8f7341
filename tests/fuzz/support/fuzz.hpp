// What every fuzzer shares. One of them, tests/fuzz/<reader>.cpp, is
//
//   #include "support/fuzz.hpp"
//   void fuzz::write_seeds(const folder& seeds) { write(seeds / "name", ...); }       small valid files
//   void fuzz::read(const std::string& path) { attempt([&] { read(path); }); }        everything that reads one
//
// and is built twice: with a driver of its own (run.cpp: a bounded number of reproducible mutations, as a test), and by
// clang as a libFuzzer.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/error.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace fuzz {

/// Where files go, by name.
class folder {
 public:
  explicit folder(std::string path) : path_(std::move(path)) {}
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// Writes the small valid files that mutations start from.
void write_seeds(const folder& seeds);
/// Reads a file in every way there is.
void read(const std::string& path);

/// How much memory `read` may take at a time: so many bytes, and a multiple of the size of the file.
inline std::size_t free_memory = std::size_t{1} << 20;
inline constexpr std::size_t memory_factor = 64;

struct counts {
  std::uint64_t accepted = 0, refused = 0;
};
inline counts outcomes;

/// Files are read or refused by an error; anything else ends the program.
template <class Call>
void attempt(Call&& call) {
  try {
    call();
    ++outcomes.accepted;
  } catch (const embit::error& e) {
    if (e.what()[0] == '\0') __builtin_trap();
    ++outcomes.refused;
  }
}

/// Puts bytes where `read` finds them, and calls it.
void read_bytes(const std::uint8_t* data, std::size_t size);

/// Changes bytes at random, knowing the structure of containers, and at last makes their checksums right (but for one
/// time in sixteen). The same seed makes the same change. `other` is another file to take parts of.
std::string mutated(std::string bytes, const std::string& other, std::uint64_t seed, std::size_t most);

}  // namespace fuzz
