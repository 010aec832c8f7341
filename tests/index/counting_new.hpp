// How often this test program has allocated.
#pragma once

#include <cstddef>

namespace support {

std::size_t allocations();

}  // namespace support
