// Files as this library wants them: read exactly or refused, written wholly or not at all. POSIX underneath.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/error.hpp>
#include <embit/io/detail/posix.hpp>
#include <embit/io/detail/temporary_file.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// A file open for reading, its size taken when it was opened. Reading is safe from several threads.
class input_file {
 public:
  input_file() = default;

  /// @throws error errc::io or errc::denied when `path` cannot be opened, errc::not_a_file for a directory, a pipe or a
  /// device, errc::unsupported for one of more bytes than a process of 32 bits can address.
  explicit input_file(std::string path);

  const std::string& path() const& noexcept { return path_; }
  const std::string& path() const&& = delete;
  /// Bytes, when it was opened.
  std::uint64_t size() const noexcept { return size_; }
  /// Bytes now, which differ where someone else writes to the file.
  std::uint64_t current_size() const;
  /// For mapping; it stays this object's.
  int native_handle() const noexcept { return *file_; }

  /// Fills `out` from byte `offset` on.
  /// @throws error errc::truncated when the file ends before that, errc::changed when it no longer has the bytes that
  /// it had, errc::io when the system refuses.
  void read(std::uint64_t offset, std::span<std::byte> out) const;

  /// Tells the system that these bytes will be read soon, so that a disk brings them meanwhile. Never fails; at worst
  /// nothing happens.
  void expect(std::uint64_t offset, std::uint64_t count) const noexcept;

 private:
  std::string path_;
  detail::descriptor file_;
  std::uint64_t size_ = 0;
};

/// The bytes of a whole file.
/// @throws error errc::io
inline aligned_vector<std::byte> read_file(std::string path) {
  const input_file file(std::move(path));
  aligned_vector<std::byte> bytes(static_cast<std::size_t>(file.size()));
  file.read(0, bytes);
  return bytes;
}

/// A file that appears under its name only when it is complete: bytes go to a temporary file in the same folder,
/// which `commit` syncs and renames. Until then, and whenever anything fails, a file of that name is left as it was.
/// Abandoned without `commit`, the temporary file is removed; one that a crash left is removed by the next that is
/// written to the same name. A symbolic link stays and what it points to is replaced.
class atomic_file {
 public:
  /// @throws error errc::io when the folder is missing, errc::denied when it may not be written to, errc::not_a_file
  /// when `path` is anything but a regular file.
  explicit atomic_file(std::string path);

  const std::string& path() const& noexcept { return path_; }
  const std::string& path() const&& = delete;
  /// Bytes written so far.
  std::uint64_t size() const noexcept { return written_ + buffer_.size(); }
  /// Whether its name means this file by now: also after a `commit` that could not make sure that it stays so.
  bool in_place() const noexcept { return in_place_; }

  /// Appends.
  /// @throws error errc::no_space for a full disk, errc::io; the temporary file is then gone.
  void write(std::span<const std::byte> bytes);

  /// Changes bytes that are already written.
  /// @throws error errc::out_of_range past the end, errc::no_space, errc::io
  void overwrite(std::uint64_t offset, std::span<const std::byte> bytes);

  /// Waits until the disk has all of it, under its temporary name: what is left to `commit` is to change that.
  /// @throws error errc::no_space, errc::io; the temporary file is then gone.
  void sync();

  /// Makes the file what its name says, durably.
  /// @throws error errc::no_space, errc::io; the name then still means what it meant before, unless the message says
  /// otherwise.
  void commit();

 private:
  static constexpr std::size_t buffer_size = std::size_t{1} << 16;

  void resolve();

  void require_open() const {
    if (!file_) raise(errc::argument, path_, ": written to after it was committed or has failed");
  }

  void flush() {
    put(buffer_);
    buffer_.clear();
  }

  void put(std::span<const std::byte> bytes) {
    put_at(written_, bytes);
    written_ += bytes.size();
  }

  void put_at(std::uint64_t offset, std::span<const std::byte> bytes);

  [[noreturn]] EMBIT_COLD void give_up(std::string_view what) {
    const int number = errno;
    file_.discard();
    detail::raise_errno(path_, what, number);
  }

  std::string path_;
  std::string target_;
  std::vector<std::byte> buffer_;
  std::uint64_t written_ = 0;
  bool synced_ = false;
  bool in_place_ = false;
  detail::descriptor folder_;  // opened first, so that nothing but the system can fail once the name has changed
  detail::temporary_file file_;
};

#if EMBIT_KERNELS_HERE

EMBIT_KERNELS_INLINE input_file::input_file(std::string path) : path_(std::move(path)) {
  // Not blocking: opening a pipe would wait for a writer before the pipe could be refused.
  file_ = detail::descriptor(
      detail::uninterrupted([&] { return ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); }));
  if (!file_) detail::raise_errno(path_, "open");
  size_ = current_size();
  if (size_ > (std::numeric_limits<std::size_t>::max)())
    raise(errc::unsupported, path_, ": ", size_, " bytes are more than this process can address");
}

EMBIT_KERNELS_INLINE std::uint64_t input_file::current_size() const {
  struct stat status {};
  if (::fstat(*file_, &status) != 0) detail::raise_errno(path_, "read the size");
  detail::require_regular(path_, status);
  return static_cast<std::uint64_t>(status.st_size);
}

EMBIT_KERNELS_INLINE void input_file::read(std::uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t got = detail::uninterrupted([&] {
      return ::pread(*file_, out.data(), (std::min)(out.size(), detail::transfer_limit), static_cast<off_t>(offset));
    });
    if (got < 0) detail::raise_errno(path_, "read");
    if (got == 0)
      raise(offset < size_ ? errc::changed : errc::truncated, path_, ": ends at byte ", current_size(), " where ",
            out.size(), " more bytes are expected at byte ", offset);
    offset += static_cast<std::uint64_t>(got);
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

EMBIT_KERNELS_INLINE void input_file::expect(std::uint64_t offset, std::uint64_t count) const noexcept {
#ifdef POSIX_FADV_WILLNEED
  static_cast<void>(
      ::posix_fadvise(*file_, static_cast<off_t>(offset), static_cast<off_t>(count), POSIX_FADV_WILLNEED));
#else
  static_cast<void>(offset), static_cast<void>(count);
#endif
}

EMBIT_KERNELS_INLINE atomic_file::atomic_file(std::string path) : path_(std::move(path)), target_(path_) {
  buffer_.reserve(buffer_size);
  struct stat status {};
  const bool replaces = ::stat(path_.c_str(), &status) == 0;
  if (replaces) {
    detail::require_regular(path_, status);
    resolve();
  }
  folder_ = detail::open_folder_of(target_);
  file_ = detail::temporary_file(target_, path_);
  if (replaces) ::fchmod(*file_, status.st_mode & 07777u);  // keeps who may read it; a refusal changes nothing
}

EMBIT_KERNELS_INLINE void atomic_file::write(std::span<const std::byte> bytes) {
  require_open();
  if (bytes.size() > buffer_size - buffer_.size()) flush();
  if (bytes.size() >= buffer_size)
    put(bytes);
  else
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

EMBIT_KERNELS_INLINE void atomic_file::overwrite(std::uint64_t offset, std::span<const std::byte> bytes) {
  require_open();
  if (offset > size() || bytes.size() > size() - offset)
    raise(errc::out_of_range, path_, ": overwriting ", bytes.size(), " bytes at ", offset, " of ", size());
  flush();
  put_at(offset, bytes);
}

EMBIT_KERNELS_INLINE void atomic_file::sync() {
  require_open();
  flush();
  if (!synced_ && !detail::sync_file(*file_)) give_up("sync");
  synced_ = true;
}

EMBIT_KERNELS_INLINE void atomic_file::commit() {
  sync();
  if (!file_.replace(target_)) give_up("put into its place");
  in_place_ = true;
  if (!detail::sync_folder(folder_))
    detail::raise_errno(path_, "sync the folder (the file itself is complete and in its place)");
}

EMBIT_KERNELS_INLINE void atomic_file::resolve() {
  const std::unique_ptr<char, void (*)(void*)> resolved(::realpath(path_.c_str(), nullptr), std::free);
  if (!resolved) detail::raise_errno(path_, "find what it means");
  target_ = resolved.get();
}

EMBIT_KERNELS_INLINE void atomic_file::put_at(std::uint64_t offset, std::span<const std::byte> bytes) {
  if (bytes.empty()) return;
  synced_ = false;
  if (!detail::write_at(*file_, offset, bytes)) give_up("write");
}

#endif

}  // namespace embit::inline EMBIT_ABI
