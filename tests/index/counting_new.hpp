// How often, and how much, this test program has allocated; and the failure of one allocation, when that is asked for.
#pragma once

#include <cstddef>

namespace support {

std::size_t allocations();
std::size_t allocated_bytes();  ///< asked for, given back or not

/// Lets one allocation of any form fail, after `others` that do not.
void fail_allocation_after(std::size_t others);
/// Ends that; whether one has failed.
bool end_failures();

}  // namespace support
