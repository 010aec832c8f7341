// A file under a name of its own beside the one that it is to replace; what crashed processes left there is removed.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/io/detail/posix.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// An open file named ".embit-<hash of the target's name>-<place>" in the folder of its target. It is locked while it
/// is written, so that one which nobody holds was left by a crash: the next writer of the same target, which tries the
/// same few places first, removes it. Removed at the end unless it took the place of its target.
class temporary_file {
 public:
  temporary_file() = default;

  /// @param path  what messages call the target
  /// @throws error errc::io, errc::denied, errc::no_space
  temporary_file(const std::string& target, std::string_view path);

  temporary_file(temporary_file&& other) noexcept
      : name_(std::exchange(other.name_, {})), file_(std::move(other.file_)) {}
  temporary_file& operator=(temporary_file&& other) noexcept {
    discard();
    name_ = std::exchange(other.name_, {});
    file_ = std::move(other.file_);
    return *this;
  }
  ~temporary_file() { discard(); }

  int operator*() const noexcept { return *file_; }
  explicit operator bool() const noexcept { return static_cast<bool>(file_); }

  /// Gives it the name of its target, whose old file is gone then. False with errno.
  bool replace(const std::string& target) noexcept;

  void discard() noexcept;

 private:
  static constexpr unsigned fixed_places = 8;

  static std::string stem_of(const std::string& target);

  static void append_hex(std::string& out, std::uint64_t value);

  // For where all fixed places are in use, or no lock can be had to find out: no two of these are alike.
  static std::uint64_t rare_number() noexcept;

  // False with EEXIST where the place is taken.
  bool create() noexcept;

  // Whether the place may be free now. A file is only removed while its lock is held, which its writer would hold, and
  // while the name still means it. False with EEXIST.
  bool remove_left_behind() const noexcept;

  std::string name_;
  descriptor file_;
};

#if EMBIT_KERNELS_HERE

EMBIT_KERNELS_INLINE temporary_file::temporary_file(const std::string& target, std::string_view path) {
  const std::string stem = stem_of(target);
  for (unsigned place = 0; place < fixed_places + 64; ++place) {
    name_ = stem;
    append_hex(name_, place < fixed_places ? place : rare_number());
    if (create() || (errno == EEXIST && remove_left_behind() && create())) return;
    if (errno != EEXIST) break;
  }
  name_.clear();
  raise_errno(path, "create a temporary file beside it");
}

EMBIT_KERNELS_INLINE bool temporary_file::replace(const std::string& target) noexcept {
  if (std::rename(name_.c_str(), target.c_str()) != 0) return false;
  name_.clear();
  file_.close();  // and with it the lock, which nobody may find open before the name has changed
  return true;
}

EMBIT_KERNELS_INLINE void temporary_file::discard() noexcept {
  if (!name_.empty()) ::unlink(name_.c_str());
  name_.clear();
  file_.close();
}

EMBIT_KERNELS_INLINE std::string temporary_file::stem_of(const std::string& target) {
  std::string stem = folder_of(target);
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (std::size_t i = stem.size(); i < target.size(); ++i)
    hash = (hash ^ static_cast<unsigned char>(target[i])) * 0x100000001b3u;
  stem += ".embit-";
  append_hex(stem, hash);
  stem += '-';
  return stem;
}

EMBIT_KERNELS_INLINE void temporary_file::append_hex(std::string& out, std::uint64_t value) {
  int shift = 60;
  while (shift > 0 && value >> shift == 0) shift -= 4;
  for (; shift >= 0; shift -= 4) out += "0123456789abcdef"[value >> shift & 15u];
}

EMBIT_KERNELS_INLINE std::uint64_t temporary_file::rare_number() noexcept {
  static std::atomic<std::uint64_t> calls{0};
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  std::uint64_t x = static_cast<std::uint64_t>(now) + (static_cast<std::uint64_t>(::getpid()) << 40);
  x = (x + calls.fetch_add(1, std::memory_order_relaxed)) * 0x9E3779B97F4A7C15u;
  return (x ^ x >> 32) | std::uint64_t{1} << 63;
}

EMBIT_KERNELS_INLINE bool temporary_file::create() noexcept {
  file_ =
      descriptor(uninterrupted([&] { return ::open(name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); }));
  if (!file_) return false;
  struct stat status {};
  const bool locked = ::flock(*file_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
  if (locked && ::fstat(*file_, &status) == 0 && status.st_nlink != 0) return true;
  file_.close();  // somebody came between and took it for one left behind
  errno = EEXIST;
  return false;
}

EMBIT_KERNELS_INLINE bool temporary_file::remove_left_behind() const noexcept {
  const descriptor old(
      uninterrupted([&] { return ::open(name_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); }));
  struct stat opened {};
  struct stat named {};
  const bool dead = old && ::fstat(*old, &opened) == 0 && S_ISREG(opened.st_mode) && opened.st_uid == ::geteuid() &&
                    ::flock(*old, LOCK_EX | LOCK_NB) == 0 && ::lstat(name_.c_str(), &named) == 0 &&
                    opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
  const bool removed = dead && ::unlink(name_.c_str()) == 0;
  errno = EEXIST;
  return removed;
}

#endif

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
