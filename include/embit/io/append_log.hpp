// A file that only grows, record by record: what was appended is there after a crash, what was half written is not.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/io/checksum.hpp>
#include <embit/io/file.hpp>
#include <embit/io/metadata.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// The first bytes of a log. All numbers are little-endian.
struct log_header {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t crc;         // CRC-32C of the header with this field 0
  std::uint64_t generation;  // of the file that the log continues
  std::uint64_t zero;
};
static_assert(sizeof(log_header) == 32);

/// Before the bytes of each record, which are followed by zeros up to a multiple of 8.
struct record_header {
  std::uint32_t size;         // of the record
  std::uint32_t payload_crc;  // CRC-32C of its bytes
  std::uint64_t offset;       // of this header in the file, so that old bytes are never taken for new ones
  std::uint32_t zero;
  std::uint32_t crc;  // CRC-32C of the fields above
};
static_assert(sizeof(record_header) == 24);

inline constexpr std::array<char, 8> log_magic{'e', 'm', 'b', 'i', 't', 'l', 'o', 'g'};
inline constexpr std::uint32_t log_version = 1;

constexpr std::uint64_t padded_record(std::uint64_t size) noexcept { return (size + 7) / 8 * 8; }

}  // namespace detail

/// A log of records, held by one writer at a time. It continues a file of a certain generation: opened for a later one
/// it starts anew, since that file then holds what the log held. A record is in the log when `append` returns; one that
/// a crash cut short is dropped when the log is opened again. Damage anywhere else is an error, never a loss.
class append_log {
 public:
  /// Opens the log at `path`, or creates it, and calls `record(bytes)` for every record it holds.
  /// @param sync  whether `append` waits for the disk: without, records survive the end of the process only
  /// @throws error errc::io when another process holds the log or the system refuses, errc::format for a file that is
  /// no log or of a later generation, errc::version, errc::checksum for damage before the end.
  template <class Record>
  static append_log open(std::string path, std::uint64_t generation, bool sync, Record&& record) {
    append_log log(std::move(path), sync);
    if (log.read_header(generation))
      log.replay(record);
    else
      log.reset(generation);
    return log;
  }

  /// An empty log at `path`, whatever log was there.
  /// @throws error errc::io when another process holds it or the system refuses, errc::format for a file that is no
  /// log.
  static append_log create(std::string path, std::uint64_t generation, bool sync) {
    append_log log(std::move(path), sync);
    log.read_header(std::numeric_limits<std::uint64_t>::max());
    log.reset(generation);
    return log;
  }

  const std::string& path() const& noexcept { return path_; }
  const std::string& path() const&& = delete;
  /// Bytes of the file.
  std::uint64_t size() const noexcept { return end_; }

  /// Adds a record of up to 4 GiB.
  /// @throws error errc::io, a full disk among the reasons: the log is then as it was before, or, where not even that
  /// could be done, refuses everything from then on.
  void append(std::span<const std::byte> bytes) {
    require_usable();
    if (bytes.size() > std::numeric_limits<std::uint32_t>::max())
      raise(errc::argument, path_, ": a record of ", bytes.size(), " bytes");
    detail::record_header header{.size = static_cast<std::uint32_t>(bytes.size()),
                                 .payload_crc = crc32c(bytes),
                                 .offset = end_,
                                 .zero = 0,
                                 .crc = 0};
    header.crc = crc_of(header);
    buffer_.assign(sizeof header + detail::padded_record(bytes.size()), std::byte{0});
    std::memcpy(buffer_.data(), &header, sizeof header);
    if (!bytes.empty()) std::memcpy(buffer_.data() + sizeof header, bytes.data(), bytes.size());
    if (!put(end_, buffer_) || !flush()) {
      const int reason = errno;
      if (::ftruncate(*file_, static_cast<off_t>(end_)) != 0) broken_ = true;
      detail::raise_errno(path_, "append", reason);
    }
    before_ = end_;
    end_ += buffer_.size();
  }

  /// Takes back the last record, once. Where the system refuses, the log does so too from then on.
  void take_back() noexcept {
    broken_ = broken_ || ::ftruncate(*file_, static_cast<off_t>(before_)) != 0 || !flush();
    end_ = before_;
  }

  /// Forgets all records and continues a file of another generation.
  /// @throws error errc::io; the log refuses everything from then on.
  void reset(std::uint64_t generation) {
    detail::log_header header{
        .magic = detail::log_magic, .version = detail::log_version, .crc = 0, .generation = generation, .zero = 0};
    header.crc = crc32c(std::as_bytes(std::span(&header, 1)));
    broken_ = true;
    if (::ftruncate(*file_, 0) != 0 || !put(0, std::as_bytes(std::span(&header, 1))) || !flush())
      detail::raise_errno(path_, "begin the log");
    broken_ = false;
    before_ = end_ = sizeof header;
  }

 private:
  append_log(std::string path, bool sync) : path_(std::move(path)), sync_(sync) {
    detail::require_little_endian(path_);
    open_and_lock();
  }

  static std::uint32_t crc_of(const detail::record_header& header) noexcept {
    return crc32c(std::as_bytes(std::span(&header, 1)).first(sizeof header - sizeof header.crc));
  }

  // The lock goes with the file, which is never replaced: a log begins anew in place.
  void open_and_lock() {
    file_ = detail::descriptor(
        detail::uninterrupted([&] { return ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0666); }));
    if (!file_) detail::raise_errno(path_, "open");
    struct stat status {};
    if (::fstat(*file_, &status) != 0) detail::raise_errno(path_, "read the size");
    detail::require_regular(path_, status);
    if (detail::uninterrupted([&] { return ::flock(*file_, LOCK_EX | LOCK_NB); }) != 0) {
      if (errno == EWOULDBLOCK) raise(errc::io, path_, ": is held by another writer");
      detail::raise_errno(path_, "lock");
    }
    if (::fstat(*file_, &status) != 0) detail::raise_errno(path_, "read the size");
    end_ = static_cast<std::uint64_t>(status.st_size);
  }

  // False where the log has to begin anew: nothing is in it, or only what the file it continues has by now.
  bool read_header(std::uint64_t generation) {
    detail::log_header header{};
    if (end_ < sizeof header) return false;  // a crash while it began: no record can have been added
    get(0, std::as_writable_bytes(std::span(&header, 1)));
    const std::uint32_t crc = std::exchange(header.crc, 0);
    const bool whole = crc == crc32c(std::as_bytes(std::span(&header, 1)));
    if (end_ == sizeof header && !whole) return false;
    if (header.magic != detail::log_magic) raise(errc::format, path_, ": byte 0: not a log");
    if (!whole) raise(errc::checksum, path_, ": byte 0: the header has changed since it was written");
    if (header.version != detail::log_version)
      raise(errc::version, path_, ": byte 8: version ", header.version, " where this library reads ",
            detail::log_version);
    if (header.generation > generation)
      raise(errc::format, path_, ": byte 16: continues generation ", header.generation,
            " of its file, which is only at ", generation);
    return header.generation == generation;
  }

  template <class Record>
  void replay(Record&& record) {
    std::uint64_t at = sizeof(detail::log_header);
    std::vector<std::byte> bytes;
    while (at < end_ && read_record(at, bytes)) {
      record(std::span<const std::byte>(bytes));
      before_ = at;
      at += sizeof(detail::record_header) + detail::padded_record(bytes.size());
    }
    if (at != end_ && (::ftruncate(*file_, static_cast<off_t>(at)) != 0 || !flush()))
      detail::raise_errno(path_, "drop what a crash cut short");
    before_ = end_ = at;
  }

  // False for a record that a crash cut short, which can only be the last.
  bool read_record(std::uint64_t at, std::vector<std::byte>& bytes) {
    detail::record_header header{};
    if (end_ - at < sizeof header) return false;
    get(at, std::as_writable_bytes(std::span(&header, 1)));
    if (header.crc != crc_of(header) || header.offset != at) {
      if (is_zero(at)) return false;
      raise(errc::checksum, path_, ": byte ", at, ": the header of a record has changed since it was written");
    }
    const std::uint64_t left = end_ - at - sizeof header;
    if (detail::padded_record(header.size) > left) return false;
    bytes.resize(header.size);
    get(at + sizeof header, bytes);
    if (crc32c(bytes) == header.payload_crc) return true;
    if (detail::padded_record(header.size) == left) return false;
    raise(errc::checksum, path_, ": byte ", at + sizeof header, ": a record of ", header.size,
          " bytes has changed since it was written");
  }

  bool is_zero(std::uint64_t at) {
    std::array<std::byte, 4096> some;
    for (; at < end_; at += some.size()) {
      const auto part =
          std::span(some).first(static_cast<std::size_t>(std::min<std::uint64_t>(some.size(), end_ - at)));
      get(at, part);
      if (std::ranges::any_of(part, [](std::byte b) { return b != std::byte{0}; })) return false;
    }
    return true;
  }

  void get(std::uint64_t offset, std::span<std::byte> out) const {
    while (!out.empty()) {
      const ssize_t got = detail::uninterrupted([&] {
        return ::pread(*file_, out.data(), std::min(out.size(), detail::transfer_limit), static_cast<off_t>(offset));
      });
      if (got < 0) detail::raise_errno(path_, "read");
      if (got == 0) raise(errc::io, path_, ": ends at byte ", offset, " where ", out.size(), " more are expected");
      offset += static_cast<std::uint64_t>(got);
      out = out.subspan(static_cast<std::size_t>(got));
    }
  }

  bool put(std::uint64_t offset, std::span<const std::byte> bytes) noexcept {
    while (!bytes.empty()) {
      const ssize_t done = detail::uninterrupted([&] {
        return ::pwrite(*file_, bytes.data(), std::min(bytes.size(), detail::transfer_limit),
                        static_cast<off_t>(offset));
      });
      if (done < 0) return false;
      offset += static_cast<std::uint64_t>(done);
      bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
    return true;
  }

  bool flush() noexcept {
    return !sync_ || detail::uninterrupted([&] { return ::fsync(*file_); }) == 0;
  }

  void require_usable() const {
    if (broken_) raise(errc::io, path_, ": an earlier write failed half way; open the log again");
  }

  std::string path_;
  detail::descriptor file_;
  std::uint64_t end_ = 0;
  std::uint64_t before_ = 0;  // where the last record begins
  bool sync_ = true;
  bool broken_ = false;
  std::vector<std::byte> buffer_;
};

}  // namespace embit::inline EMBIT_ABI
