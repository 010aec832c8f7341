// How often, and how much, this test program has allocated; the failure of one allocation, and an end to all, when that
// is asked for. For test programs that link the library counting_new.
#pragma once

#include <cstddef>

namespace support {

std::size_t allocations();
std::size_t allocated_bytes();  ///< asked for, given back or not

/// Lets one allocation of any form fail, after `others` that do not.
void fail_allocation_after(std::size_t others);
/// Ends that; whether one has failed.
bool end_failures();

/// While it lives, an allocation with which its thread would have asked for more than so many bytes in all fails.
class memory_limit {
 public:
  explicit memory_limit(std::size_t bytes);
  memory_limit(const memory_limit&) = delete;
  memory_limit& operator=(const memory_limit&) = delete;
  ~memory_limit();
};

}  // namespace support
