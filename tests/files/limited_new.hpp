// How much memory this test program has asked for, and an end to it.
#pragma once

#include <cstddef>

namespace support {

/// While it lives, an allocation with which this program would have asked for more than so many bytes in all fails.
class memory_limit {
 public:
  explicit memory_limit(std::size_t bytes);
  memory_limit(const memory_limit&) = delete;
  memory_limit& operator=(const memory_limit&) = delete;
  ~memory_limit();
};

}  // namespace support
