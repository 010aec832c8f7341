// How often, and how much, this test program has allocated.
#pragma once

#include <cstddef>

namespace support {

std::size_t allocations();
std::size_t allocated_bytes();  ///< asked for, given back or not

}  // namespace support
