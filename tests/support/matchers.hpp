// One name for a matcher that Catch2 renamed: version 2 calls it Contains.
#pragma once

#include <support/catch.hpp>

#include <string>

#ifdef CATCH_VERSION_MAJOR
#if CATCH_VERSION_MAJOR < 3
namespace Catch::Matchers {
inline StdString::ContainsMatcher ContainsSubstring(const std::string& part) { return Contains(part); }
}  // namespace Catch::Matchers
#endif
#endif
