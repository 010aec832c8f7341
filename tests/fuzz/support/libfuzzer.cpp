// The entry points of libFuzzer.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include <support/container_bytes.hpp>

#include "fuzz.hpp"

extern "C" {

std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::read_bytes(data, size);
  return 0;
}

// Half of the mutations are libFuzzer's own, which learns from comparisons; after these too, checksums are made right.
std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  if (seed % 2 == 0) {
    bytes = fuzz::mutated(bytes, bytes, seed, most);
  } else {
    bytes.resize(most);
    bytes.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(bytes.data()), size, most));
    if (seed % 16 != 1) support::repair(bytes);
  }
  std::memcpy(data, bytes.data(), bytes.size());
  return bytes.size();
}

}  // extern "C"
