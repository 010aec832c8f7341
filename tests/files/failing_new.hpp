// An operator new that fails when it is told to.
#pragma once

#include <cstddef>

namespace support {

/// Lets one allocation fail, after `others` that do not.
void fail_allocation_after(std::size_t others);
/// Ends that; whether one has failed.
bool end_failures();

}  // namespace support
