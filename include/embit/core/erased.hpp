// A reference to a callable whose type is forgotten, and a mark by which a type is known again.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <memory>
#include <type_traits>

namespace embit::inline EMBIT_ABI::detail {

/// The address of an object or a function; `restored` turns it back. (POSIX lets functions have such addresses.)
template <class F>
void* erased(F& callable) noexcept {
  if constexpr (std::is_function_v<F>)
    return reinterpret_cast<void*>(&callable);
  else
    return const_cast<void*>(static_cast<const volatile void*>(std::addressof(callable)));
}

template <class F>
F& restored(void* address) noexcept {
  if constexpr (std::is_function_v<F>)
    return *reinterpret_cast<F*>(address);
  else
    return *static_cast<F*>(address);
}

/// The address of one of these tells types apart.
template <class T>
inline constexpr char type_mark = 0;

}  // namespace embit::inline EMBIT_ABI::detail
