// How much memory a piece of work takes.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <fstream>
#include <string>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace support {

/// A number of kilobytes that Linux tells of this process; 0 elsewhere.
inline std::size_t kilobytes_of(const std::string& name) {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == name + ":") {
      std::size_t kilobytes = 0;
      status >> kilobytes;
      return kilobytes;
    }
  return 0;
}

/// Bytes that `work` had in memory at most, beyond those that were there before it.
std::size_t peak_memory_of(const auto& work) {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
  std::ofstream("/proc/self/clear_refs") << '5';  // the peak is what there is
  const std::size_t before = kilobytes_of("VmRSS");
  work();
  const std::size_t peak = kilobytes_of("VmHWM");
  return peak > before ? (peak - before) * 1024 : 0;
}

}  // namespace support
