// Files as this library wants them: read exactly or refused, written wholly or not at all. POSIX underneath.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/error.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

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

}  // namespace detail

/// A file open for reading, its size taken when it was opened. Reading is safe from several threads.
class input_file {
 public:
  input_file() = default;

  /// @throws error errc::io or errc::denied when `path` cannot be opened, errc::not_a_file for a directory, a pipe or a
  /// device.
  explicit input_file(std::string path) : path_(std::move(path)) {
    // Not blocking: opening a pipe would wait for a writer before the pipe could be refused.
    file_ = detail::descriptor(
        detail::uninterrupted([&] { return ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); }));
    if (!file_) detail::raise_errno(path_, "open");
    size_ = current_size();
  }

  const std::string& path() const& noexcept { return path_; }
  const std::string& path() const&& = delete;
  /// Bytes, when it was opened.
  std::uint64_t size() const noexcept { return size_; }
  /// Bytes now, which differ where someone else writes to the file.
  std::uint64_t current_size() const {
    struct stat status {};
    if (::fstat(*file_, &status) != 0) detail::raise_errno(path_, "read the size");
    detail::require_regular(path_, status);
    return static_cast<std::uint64_t>(status.st_size);
  }
  /// For mapping; it stays this object's.
  int native_handle() const noexcept { return *file_; }

  /// Fills `out` from byte `offset` on.
  /// @throws error errc::truncated when the file ends before that, errc::changed when it no longer has the bytes that
  /// it had, errc::io when the system refuses.
  void read(std::uint64_t offset, std::span<std::byte> out) const {
    while (!out.empty()) {
      const ssize_t got = detail::uninterrupted([&] {
        return ::pread(*file_, out.data(), std::min(out.size(), detail::transfer_limit), static_cast<off_t>(offset));
      });
      if (got < 0) detail::raise_errno(path_, "read");
      if (got == 0)
        raise(offset < size_ ? errc::changed : errc::truncated, path_, ": ends at byte ", current_size(), " where ",
              out.size(), " more bytes are expected at byte ", offset);
      offset += static_cast<std::uint64_t>(got);
      out = out.subspan(static_cast<std::size_t>(got));
    }
  }

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
/// Abandoned without `commit`, the temporary file is removed. A symbolic link stays and what it points to is replaced.
class atomic_file {
 public:
  /// @throws error errc::io when the folder is missing, errc::denied when it may not be written to, errc::not_a_file
  /// when `path` is anything but a regular file.
  explicit atomic_file(std::string path) : path_(std::move(path)), target_(path_) {
    struct stat status {};
    const bool replaces = ::stat(path_.c_str(), &status) == 0;
    if (replaces) {
      detail::require_regular(path_, status);
      if (char* resolved = ::realpath(path_.c_str(), nullptr)) {
        target_ = resolved;
        std::free(resolved);
      }
    }
    create();
    if (replaces) ::fchmod(*file_, status.st_mode & 07777u);  // keeps who may read it; a refusal changes nothing
    buffer_.reserve(buffer_size);
  }

  atomic_file(atomic_file&& other) noexcept
      : path_(std::move(other.path_)),
        target_(std::move(other.target_)),
        temporary_(std::exchange(other.temporary_, {})),
        file_(std::move(other.file_)),
        buffer_(std::move(other.buffer_)),
        written_(other.written_) {}
  atomic_file& operator=(atomic_file&&) = delete;
  ~atomic_file() { discard(); }

  const std::string& path() const& noexcept { return path_; }
  const std::string& path() const&& = delete;
  /// Bytes written so far.
  std::uint64_t size() const noexcept { return written_ + buffer_.size(); }

  /// Appends.
  /// @throws error errc::no_space for a full disk, errc::io; the temporary file is then gone.
  void write(std::span<const std::byte> bytes) {
    require_open();
    if (bytes.size() > buffer_size - buffer_.size()) flush();
    if (bytes.size() >= buffer_size)
      put(bytes);
    else
      buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  }

  /// Changes bytes that are already written.
  /// @throws error errc::out_of_range past the end, errc::no_space, errc::io
  void overwrite(std::uint64_t offset, std::span<const std::byte> bytes) {
    require_open();
    if (offset > size() || bytes.size() > size() - offset)
      raise(errc::out_of_range, path_, ": overwriting ", bytes.size(), " bytes at ", offset, " of ", size());
    flush();
    put_at(offset, bytes);
  }

  /// Makes the file what its name says, durably.
  /// @throws error errc::no_space, errc::io; the name then still means what it meant before, unless the message says
  /// otherwise.
  void commit() {
    require_open();
    flush();
    if (sync(*file_) != 0) give_up("sync");
    if (file_.close() != 0 && errno != EINTR) give_up("close");
    if (std::rename(temporary_.c_str(), target_.c_str()) != 0) give_up("put into its place");
    temporary_.clear();
    sync_folder();
  }

 private:
  static constexpr std::size_t buffer_size = std::size_t{1} << 16;

  void create() {
    static std::atomic<unsigned> counter{0};
    for (int attempt = 0; attempt < 100; ++attempt) {
      std::string name = target_ + ".tmp-";
      detail::append(name, static_cast<long long>(::getpid()));
      name += '-';
      detail::append(name, counter.fetch_add(1, std::memory_order_relaxed));
      file_ = detail::descriptor(
          detail::uninterrupted([&] { return ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666); }));
      if (file_) {
        temporary_ = std::move(name);
        return;
      }
      if (errno != EEXIST) break;  // a file left behind by a process of the same number is stepped over
    }
    detail::raise_errno(path_, "create a temporary file beside it");
  }

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

  void put_at(std::uint64_t offset, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t done = detail::uninterrupted([&] {
        return ::pwrite(*file_, bytes.data(), std::min(bytes.size(), detail::transfer_limit),
                        static_cast<off_t>(offset));
      });
      if (done < 0) give_up("write");
      offset += static_cast<std::uint64_t>(done);
      bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
  }

  static int sync(int file) {
#ifdef F_FULLFSYNC
    if (::fcntl(file, F_FULLFSYNC) == 0) return 0;  // macOS: fsync alone leaves the bytes in the drive's cache
#endif
    return detail::uninterrupted([&] { return ::fsync(file); });
  }

  /// The new name itself must reach the disk too.
  void sync_folder() const {
    const std::size_t slash = target_.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : target_.substr(0, slash + 1);
    const detail::descriptor opened(::open(folder.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY));
    if (!opened) return;  // a folder that may be written but not read
    if (sync(*opened) != 0 && errno != EINVAL && errno != ENOTSUP)
      detail::raise_errno(path_, "sync the folder (the file itself is complete and in its place)");
  }

  [[noreturn]] EMBIT_COLD void give_up(std::string_view what) {
    const int number = errno;
    discard();
    detail::raise_errno(path_, what, number);
  }

  void discard() noexcept {
    if (temporary_.empty()) return;
    file_.close();
    ::unlink(temporary_.c_str());
    temporary_.clear();
  }

  std::string path_;
  std::string target_;
  std::string temporary_;
  detail::descriptor file_;
  std::vector<std::byte> buffer_;
  std::uint64_t written_ = 0;
};

}  // namespace embit::inline EMBIT_ABI
