// A file that only grows, record by record: what was appended is there after a crash, what was half written is not.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/io/checksum.hpp>
#include <embit/io/detail/log_format.hpp>
#include <embit/io/detail/posix.hpp>
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
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// A log of records, held by one writer at a time. It continues a file of a certain generation: replayed for a later
/// one it starts anew, since that file then holds what the log held. A record is in the log when `append` returns; one
/// that a crash cut short is dropped when the log is replayed. A record that another one follows was whole once: damage
/// there is an error, never a loss.
///
/// Constructed, a log only holds its file; `begin` or `replay` says what to do with it, and comes first.
class append_log {
 public:
  /// Opens the file at `path`, or creates an empty one, and keeps other writers from it.
  /// @param sync  whether `append` waits for the disk: without, records survive the end of the process only
  /// @throws error errc::io when another writer holds the log; errc::io, errc::denied or errc::not_a_file when the
  /// system refuses.
  append_log(std::string path, bool sync) : path_(std::move(path)), sync_(sync) {
    detail::require_little_endian(path_);
    open_and_lock();
  }

  /// Makes it an empty log.
  /// @throws error errc::format for a file that is no log, errc::argument for a log with records, both of which stay as
  /// they are; errc::io.
  void begin(std::uint64_t generation) {
    if (read_header() && end_ > sizeof(detail::log_header))
      raise(errc::argument, path_, ": holds changes to a file that is not there; move the log away, or the file back");
    reset(generation);
  }

  /// Calls `record(bytes)` for every record that there is of this generation.
  /// @throws error errc::format for a file that is no log or is of a later generation, errc::version, errc::checksum
  /// for damage before the last record; errc::io.
  template <class Record>
  void replay(std::uint64_t generation, Record&& record) {
    // A crash may have come between the disk and the new name of this file or of the other: only once that is there
    // does a log continue the file, or is obsolete.
    const detail::descriptor folder = detail::open_folder_of(path_);
    if (!detail::sync_folder(folder)) detail::raise_errno(path_, "sync the folder");
    const auto header = read_header();
    if (header && header->generation > generation)
      raise(errc::format, path_, ": byte 16: continues generation ", header->generation,
            " of its file, which is only at ", generation);
    if (header && header->generation == generation) {
      format_ = {.version = header->version, .generation = generation};
      return replay_records(record);
    }
    reset(generation);
  }

  const std::string& path() const& noexcept { return path_; }
  const std::string& path() const&& = delete;
  /// Bytes of the file.
  std::uint64_t size() const noexcept { return end_; }
  /// Whether it was written by an earlier version of this library: nothing can be appended before a `reset`.
  bool outdated() const noexcept { return format_.version != detail::log_version; }

  /// False where an earlier failure left open what is on disk, until the log is opened again.
  bool usable() const noexcept { return !failed_; }
  /// @throws error errc::io
  void require_usable() const {
    if (failed_)
      raise(errc::io, path_, ": an earlier failure left it unknown what the disk holds; open it again to find out");
  }
  /// From now on all changes are refused.
  void refuse_changes() noexcept { failed_ = true; }

  /// Adds a record of up to 4 GiB.
  /// @throws error errc::io, errc::no_space: the record is not in the log then. Where that, or what else is on disk,
  /// cannot be made sure of, the log refuses everything from then on.
  void append(std::span<const std::byte> bytes) {
    require_usable();
    if (outdated()) raise(errc::version, path_, ": version ", format_.version, " can be read only");
    if (bytes.size() > (std::numeric_limits<std::uint32_t>::max)())
      raise(errc::argument, path_, ": a record of ", bytes.size(), " bytes");
    detail::record_header header{.size = static_cast<std::uint32_t>(bytes.size()),
                                 .payload_crc = crc32c(bytes),
                                 .offset = end_,
                                 .generation = format_.generation,
                                 .zero = 0,
                                 .crc = 0};
    header.crc = detail::crc_of(header);
    buffer_.assign(sizeof header + static_cast<std::size_t>(detail::padded_record(bytes.size())), std::byte{0});
    std::memcpy(buffer_.data(), &header, sizeof header);
    if (!bytes.empty()) std::memcpy(buffer_.data() + sizeof header, bytes.data(), bytes.size());
    const bool written = detail::write_at(*file_, end_, buffer_);
    if (!written || !flush()) {
      const int reason = errno;
      cut(end_);
      failed_ = failed_ || written;  // once a sync has failed, the system may have forgotten what was not written
      detail::raise_errno(path_, "append", reason);
    }
    before_ = end_;
    end_ += buffer_.size();
  }

  /// Takes back the last record, once. Where the system refuses, the log does so too from then on.
  void take_back() noexcept { cut(before_); }

  /// Forgets all records and continues a file of another generation, which must be on disk. It is
  /// empty on disk before its new header is: half a header never stands before records.
  /// @throws error errc::io; the log refuses everything from then on.
  void reset(std::uint64_t generation) {
    detail::log_header header{
        .magic = detail::log_magic, .version = detail::log_version, .crc = 0, .generation = generation, .zero = 0};
    header.crc = detail::crc_of(header);
    failed_ = true;
    const bool emptied = end_ == 0 || (::ftruncate(*file_, 0) == 0 && flush());
    if (!emptied || !detail::write_at(*file_, 0, std::as_bytes(std::span(&header, 1))) || !flush())
      detail::raise_errno(path_, "begin the log");
    failed_ = false;
    before_ = end_ = sizeof header;
    format_ = {.version = detail::log_version, .generation = generation};
  }

 private:
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

  // Nothing where a crash came before the header was there, and therefore before any record.
  std::optional<detail::log_header> read_header() const {
    detail::log_header header{};
    const auto bytes = std::as_writable_bytes(std::span(&header, 1))
                           .first(static_cast<std::size_t>(std::min<std::uint64_t>(end_, sizeof header)));
    get(0, bytes);
    const bool whole = bytes.size() == sizeof header && header.crc == detail::crc_of(header);
    const bool ours = detail::begins_as_log(bytes);
    if (end_ <= sizeof header && !whole && (ours || detail::all_zero(bytes))) return std::nullopt;
    if (!ours) raise(errc::format, path_, ": byte 0: not a log, but some other file, which is left as it is");
    if (!whole) raise(errc::checksum, path_, ": byte 0: the header has changed since it was written");
    if (header.version == 0 || header.version > detail::log_version)
      raise(errc::version, path_, ": byte 8: version ", header.version, " where this library reads up to ",
            detail::log_version);
    return header;
  }

  template <class Record>
  void replay_records(Record&& record) {
    std::uint64_t last = 0, at = sizeof(detail::log_header);
    std::vector<std::byte> bytes;
    while (at < end_ && read_record(at, bytes)) {
      record(std::span<const std::byte>(bytes));
      last = at;
      at += format_.header_size() + detail::padded_record(bytes.size());
    }
    secure(last, at);
  }

  // Makes sure that the disk has what was read. The last record may be known to the system alone: when a sync fails,
  // some forget what was not written, and say of the next that all is well. So that is written again.
  void secure(std::uint64_t from, std::uint64_t end) {
    bool done = end == end_ || ::ftruncate(*file_, static_cast<off_t>(end)) == 0;
    if (sync_) {
      buffer_.resize(static_cast<std::size_t>(end - from));
      get(from, buffer_);
      done = done && detail::write_at(*file_, from, buffer_) && flush();
    }
    if (!done) detail::raise_errno(path_, "drop what a crash cut short");
    end_ = end;
  }

  // False at the end of what was acknowledged. Each record was on disk before the next began, so that what comes after
  // the last whole one is what a crash left of one more, whichever of its sectors were written; or records of an
  // earlier generation.
  bool read_record(std::uint64_t at, std::vector<std::byte>& bytes) {
    const auto header = header_at(at);
    std::uint64_t next = at + 8;
    if (header) {
      const std::uint64_t left = end_ - at - format_.header_size();
      if (detail::padded_record(header->size) > left) return false;
      bytes.resize(header->size);
      get(at + format_.header_size(), bytes);
      if (crc32c(bytes) == header->payload_crc) return true;
      next = at + format_.header_size() + detail::padded_record(header->size);
    }
    if (const auto later = find_record(next))
      raise(errc::checksum, path_, ": byte ", at, ": a record has changed since it was written; the next is at byte ",
            *later);
    return false;
  }

  std::optional<detail::record_header> header_at(std::uint64_t at) const {
    std::array<std::byte, sizeof(detail::record_header)> bytes;
    if (end_ - at < format_.header_size()) return std::nullopt;
    const auto part = std::span(bytes).first(format_.header_size());
    get(at, part);
    return format_.header(part, at);
  }

  // Where the first record from here on begins.
  std::optional<std::uint64_t> find_record(std::uint64_t from) const {
    const std::size_t size = format_.header_size();
    std::vector<std::byte> window(std::size_t{1} << 16);
    while (from < end_ && end_ - from >= size) {
      const auto part =
          std::span(window).first(static_cast<std::size_t>(std::min<std::uint64_t>(window.size(), end_ - from)));
      get(from, part);
      std::size_t at = 0;
      for (; part.size() - at >= size; at += 8)
        if (format_.header(part.subspan(at, size), from + at)) return from + at;
      from += at;
    }
    return std::nullopt;
  }

  void get(std::uint64_t offset, std::span<std::byte> out) const {
    while (!out.empty()) {
      const ssize_t got = detail::uninterrupted([&] {
        return ::pread(*file_, out.data(), (std::min)(out.size(), detail::transfer_limit), static_cast<off_t>(offset));
      });
      if (got < 0) detail::raise_errno(path_, "read");
      if (got == 0) raise(errc::io, path_, ": ends at byte ", offset, " where ", out.size(), " more are expected");
      offset += static_cast<std::uint64_t>(got);
      out = out.subspan(static_cast<std::size_t>(got));
    }
  }

  void cut(std::uint64_t size) noexcept {
    failed_ = failed_ || ::ftruncate(*file_, static_cast<off_t>(size)) != 0 || !flush();
    end_ = size;
  }

  bool flush() noexcept { return !sync_ || detail::sync_file(*file_); }

  std::string path_;
  detail::descriptor file_;
  detail::record_format format_;
  std::uint64_t end_ = 0;
  std::uint64_t before_ = 0;  // where the last record begins
  bool sync_ = true;
  bool failed_ = false;
  std::vector<std::byte> buffer_;
};

}  // namespace embit::inline EMBIT_ABI
