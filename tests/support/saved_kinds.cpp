// The one unit that knows every kind of file.
#include <vector>

#include <support/saved_kind.hpp>
#include <support/saved_kinds.hpp>

const std::vector<support::saved_kind>& support::all_saved_kinds() {
  static const std::vector<saved_kind> kinds = saved_kinds();
  return kinds;
}
