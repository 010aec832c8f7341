// The calls of the operating system that files need: whole or refused, with the reason in words.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// What the reasons of the operating system mean here; errc::io for all others.
constexpr errc errc_of(int number) noexcept {
  switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return errc::no_space;
    case EACCES:
    case EPERM:
    case EROFS: return errc::denied;
    case EISDIR: return errc::not_a_file;
    default: return errc::io;
  }
}

/// "path: cannot read at byte 12: No space left on device". Takes errno first, before anything can change it.
[[noreturn]] EMBIT_COLD inline void raise_errno(std::string_view path, std::string_view what, int number = errno) {
  raise(errc_of(number), path, ": cannot ", what, ": ", std::generic_category().message(number));
}

/// Refuses whatever has no bytes at offsets: directories, pipes, devices.
inline void require_regular(const std::string& path, const struct stat& status) {
  if (S_ISDIR(status.st_mode)) raise(errc::not_a_file, path, ": is a directory, not a file");
  if (!S_ISREG(status.st_mode)) raise(errc::not_a_file, path, ": is not a regular file");
}

/// Calls again what a signal interrupted.
template <class Call>
auto uninterrupted(Call call) {
  for (;;) {
    const auto result = call();
    if (result >= 0 || errno != EINTR) return result;
  }
}

/// A file descriptor that is closed at the end.
class descriptor {
 public:
  descriptor() = default;
  explicit descriptor(int number) noexcept : number_(number) {}
  descriptor(descriptor&& other) noexcept : number_(other.release()) {}
  descriptor& operator=(descriptor&& other) noexcept {
    close();
    number_ = other.release();
    return *this;
  }
  ~descriptor() { close(); }
  int operator*() const noexcept { return number_; }
  int release() noexcept { return std::exchange(number_, -1); }
  explicit operator bool() const noexcept { return number_ >= 0; }
  /// 0, or -1 with errno; the descriptor is gone either way.
  int close() noexcept { return number_ >= 0 ? ::close(release()) : 0; }

 private:
  int number_ = -1;
};

/// One system call moves at most this much; some systems refuse more than 2 GiB - 1.
inline constexpr std::size_t transfer_limit = std::size_t{1} << 30;

/// Writes all of `bytes`, or returns false with errno.
inline bool write_at(int file, std::uint64_t offset, std::span<const std::byte> bytes) noexcept {
  while (!bytes.empty()) {
    const ssize_t done = uninterrupted([&] {
      return ::pwrite(file, bytes.data(), (std::min)(bytes.size(), transfer_limit), static_cast<off_t>(offset));
    });
    if (done < 0) return false;
    offset += static_cast<std::uint64_t>(done);
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
  return true;
}

/// Waits until the disk has all of a file. False with errno where that is not known.
inline bool sync_file(int file) noexcept {
#ifdef F_FULLFSYNC
  if (::fcntl(file, F_FULLFSYNC) == 0) return true;  // macOS: fsync alone leaves the bytes in the drive's cache
#endif
  return uninterrupted([&] { return ::fsync(file); }) == 0;
}

/// The folder that `path` is in, with the slash at its end; "" for the current one.
inline std::string folder_of(const std::string& path) { return path.substr(0, path.rfind('/') + 1); }

/// For `sync_folder`; empty where a folder may be written but not read.
inline descriptor open_folder_of(const std::string& path) {
  const std::string folder = folder_of(path);
  const char* const name = folder.empty() ? "." : folder.c_str();
  return descriptor(uninterrupted([&] { return ::open(name, O_RDONLY | O_CLOEXEC | O_DIRECTORY); }));
}

/// Names of new and renamed files must reach the disk too. False with errno where that is not known; a system that
/// cannot do it for folders is believed.
inline bool sync_folder(const descriptor& folder) noexcept {
  return !folder || sync_file(*folder) || errno == EINVAL || errno == ENOTSUP;
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
