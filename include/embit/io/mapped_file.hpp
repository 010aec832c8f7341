// A file seen as memory: opened in microseconds whatever its size, read from disk when it is touched.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/io/file.hpp>

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// How mapped memory will be read, a hint to the operating system.
enum class access_pattern { normal, sequential, random, soon };

/// A read-only mapping of a whole file, page aligned. The file may be renamed, replaced by `atomic_file` or removed
/// while it is mapped; cutting it short in place makes later reads fault (SIGBUS), as with every mapping. Movable,
/// and a move leaves `bytes()` where they are. Reading is safe from many threads.
class mapped_file {
 public:
  mapped_file() = default;

  /// An empty file gives empty `bytes()`.
  /// @throws error errc::io or errc::denied when the file cannot be opened or mapped, errc::not_a_file.
  explicit mapped_file(std::string path) : mapped_file(input_file(std::move(path))) {}

  /// @throws error errc::io when the file cannot be mapped.
  explicit mapped_file(input_file file);

  mapped_file(mapped_file&& other) noexcept
      : file_(std::move(other.file_)), bytes_(std::exchange(other.bytes_, std::span<const std::byte>())) {}
  mapped_file& operator=(mapped_file&& other) noexcept {
    std::swap(file_, other.file_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~mapped_file() {
    if (!bytes_.empty()) ::munmap(address(), bytes_.size());
  }

  const std::string& path() const& noexcept { return file_.path(); }
  const std::string& path() const&& = delete;
  const input_file& file() const& noexcept { return file_; }
  const input_file& file() const&& = delete;
  std::size_t size() const noexcept { return bytes_.size(); }
  std::span<const std::byte> bytes() const& noexcept { return bytes_; }
  std::span<const std::byte> bytes() const&& = delete;

  /// Refuses a file whose size is no longer what it was when it was mapped.
  /// @throws error errc::changed with both sizes.
  void require_unchanged_size() const;

  /// Tells the system how the bytes will be read. Never fails; at worst nothing changes.
  void advise(access_pattern pattern) const noexcept { advise(pattern, 0, size()); }
  /// The same for some of the bytes, which begin with a page.
  void advise(access_pattern pattern, std::size_t first, std::size_t count) const noexcept;

 private:
  void* address() const noexcept { return const_cast<std::byte*>(bytes_.data()); }

  input_file file_;  // kept open: its size can be asked for whatever becomes of the name
  std::span<const std::byte> bytes_;
};

#if EMBIT_KERNELS_HERE

EMBIT_KERNELS_INLINE mapped_file::mapped_file(input_file file) : file_(std::move(file)) {
  if (file_.size() > static_cast<std::uint64_t>((std::numeric_limits<std::ptrdiff_t>::max)()))
    raise(errc::io, path(), ": ", file_.size(), " bytes are more than can be mapped");
  if (file_.size() == 0) return;
  const auto size = static_cast<std::size_t>(file_.size());
  void* memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file_.native_handle(), 0);
  if (memory == MAP_FAILED) detail::raise_errno(path(), "map");
  bytes_ = {static_cast<const std::byte*>(memory), size};
}

EMBIT_KERNELS_INLINE void mapped_file::require_unchanged_size() const {
  if (bytes_.empty()) return;
  if (const std::uint64_t now = file_.current_size(); now != bytes_.size())
    raise(errc::changed, path(), ": had ", bytes_.size(), " bytes when it was mapped and has ", now, " now");
}

EMBIT_KERNELS_INLINE void mapped_file::advise(access_pattern pattern, std::size_t first,
                                              std::size_t count) const noexcept {
  EMBIT_ASSERT(first <= size() && count <= size() - first);
  if (count == 0) return;
  int advice = POSIX_MADV_NORMAL;
  if (pattern == access_pattern::sequential) advice = POSIX_MADV_SEQUENTIAL;
  if (pattern == access_pattern::random) advice = POSIX_MADV_RANDOM;
  if (pattern == access_pattern::soon) advice = POSIX_MADV_WILLNEED;
  static_cast<void>(::posix_madvise(static_cast<std::byte*>(address()) + first, count, advice));
}

#endif

}  // namespace embit::inline EMBIT_ABI
