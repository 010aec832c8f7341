// One exception type, thrown from one cold function, so that checks cost a compare where they stand.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <charconv>
#include <concepts>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

namespace embit::inline EMBIT_ABI {

/// What kind of thing went wrong; the message says which argument and which numbers.
enum class errc {
  shape,         ///< sizes or widths that do not fit each other
  argument,      ///< an option or value outside what is possible
  out_of_range,  ///< an index past the end
  not_finite,    ///< NaN or infinity in the input
  unsupported,   ///< valid, but not on this machine or in this build
  io,            ///< the operating system refused (the message carries its reason)
  format,        ///< a file that is damaged or is not what it claims to be
  checksum,      ///< a file whose content changed after it was written
  version,       ///< a file of a version this library does not read
  kind,          ///< a file that holds another kind of thing
  stopped,       ///< the caller's progress callback asked to stop where no partial result exists
  truncated,     ///< a file that ends before what it says it holds
  byte_order,    ///< a file written in the other byte order
  changed,       ///< a file whose size changed while it was read or mapped
  no_space,      ///< a full disk, or a limit on the size of files
  denied,        ///< no permission for the file or its folder
  not_a_file     ///< a directory, a pipe or a device
};

/// Every failure this library reports. Whatever was called is unchanged when it is thrown.
class error : public std::runtime_error {
 public:
  error(errc code, const std::string& message) : std::runtime_error(message), code_(code) {}
  errc code() const noexcept { return code_; }

 private:
  errc code_;
};

/// Called before the process is aborted in a build without exceptions; the message is null-terminated.
using error_handler = void (*)(errc code, const char* message);

namespace detail {

inline void print_error(errc, const char* message) { std::fprintf(stderr, "embit: %s\n", message); }

inline error_handler& current_error_handler() noexcept {
  static error_handler handler = print_error;
  return handler;
}

inline void append(std::string& out, std::string_view text) { out += text; }

template <class T>
  requires std::is_arithmetic_v<T>
void append(std::string& out, T value) {
  char digits[64];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, end);
}

[[noreturn]] EMBIT_COLD inline void fail(errc code, const std::string& message) {
#if EMBIT_EXCEPTIONS
  throw error(code, message);
#else
  current_error_handler()(code, message.c_str());
  std::abort();
#endif
}

}  // namespace detail

/// Sets what a build with -fno-exceptions calls before it aborts; returns the previous one.
/// Set it before other threads use the library.
inline error_handler set_error_handler(error_handler handler) noexcept {
  error_handler& current = detail::current_error_handler();
  const error_handler previous = current;
  current = handler != nullptr ? handler : detail::print_error;
  return previous;
}

/// Throws `error` with the parts (text and numbers) joined into its message.
template <class... Parts>
[[noreturn]] EMBIT_COLD void raise(errc code, const Parts&... parts) {
  std::string message;
  (detail::append(message, parts), ...);
  detail::fail(code, message);
}

}  // namespace embit::inline EMBIT_ABI
