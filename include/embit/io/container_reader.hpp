// Reads a container and believes none of it: every size is checked before anything is allocated or touched.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/error.hpp>
#include <embit/core/shared_array.hpp>
#include <embit/io/checksum.hpp>
#include <embit/io/container_layout.hpp>
#include <embit/io/file.hpp>
#include <embit/io/file_content.hpp>
#include <embit/io/mapped_file.hpp>
#include <embit/io/metadata.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// One line of the section table.
struct section_info {
  std::string name;
  std::uint64_t offset;
  std::uint64_t size;
  std::uint32_t checksum;
};

class section_reader;

/// A container file whose header and section table are intact. Movable; what `section_reader::view` shows stays where
/// it is. Reading is safe from many threads.
///
/// Opening throws error errc::io, errc::denied or errc::not_a_file for what cannot be opened; errc::truncated;
/// errc::format for what is not a container or contradicts itself; errc::byte_order; errc::version for a newer format
/// or kind version; errc::kind for another kind; errc::checksum for a damaged header or table. Messages carry the path
/// and the offset.
class container_reader {
 public:
  /// Reads sections one by one into memory of the caller's. An empty `kind.name` takes any kind.
  static container_reader open(std::string path, file_kind kind);

  /// Maps the file, so that sections can be used where they lie. An empty `kind.name` takes any kind.
  static container_reader map(std::string path, file_kind kind);

  /// Takes over a file's bytes; messages call them `name`.
  static container_reader from_bytes(aligned_vector<std::byte> bytes, std::string name, file_kind kind);

  const std::string& path() const& noexcept { return path_; }
  const std::string& path() const&& = delete;
  const std::string& kind() const& noexcept { return kind_; }
  const std::string& kind() const&& = delete;
  std::uint32_t kind_version() const noexcept { return kind_version_; }
  /// All sections in the order of the file, unknown ones included.
  std::span<const section_info> table() const& noexcept { return table_; }
  std::span<const section_info> table() const&& = delete;
  /// Whether sections can be viewed, which mapped files and owned bytes allow.
  bool in_memory() const noexcept { return memory_.data() != nullptr; }

  /// Where a type finds its sections.
  section_reader sections() const& noexcept;
  section_reader sections() const&& = delete;
  /// The same, where what is found may stay in the mapped file: it keeps the reader.
  static section_reader kept_sections(std::shared_ptr<const container_reader> reader);

  /// Checks the checksum of every section. O(file size).
  /// @throws error errc::checksum naming the section, errc::changed when the file has changed its size, errc::io.
  void verify() const;

  /// The same for one section of `table()`.
  void verify(const section_info& s) const;

 private:
  friend class section_reader;

  static constexpr std::size_t chunk_size = std::size_t{1} << 18;  // stays in the second-level cache

  explicit container_reader(input_file file) : path_(file.path()), file_(std::move(file)), size_(file_.size()) {}
  explicit container_reader(mapped_file map)
      : path_(map.path()), map_(std::move(map)), memory_(map_.bytes()), size_(memory_.size()) {}
  container_reader(aligned_vector<std::byte> bytes, std::string name)
      : path_(std::move(name)), owned_(std::move(bytes)), memory_(owned_), size_(memory_.size()) {}

  /// `out` from byte `offset` of the file on; the range is known to lie inside it.
  void fetch(std::uint64_t offset, std::span<std::byte> out) const {
    if (!in_memory()) return file_.read(offset, out);
    if (!out.empty()) std::memcpy(out.data(), memory_.data() + offset, out.size());
  }

  std::span<const std::byte> bytes_of(const section_info& s) const noexcept {
    return memory_.subspan(static_cast<std::size_t>(s.offset), static_cast<std::size_t>(s.size));
  }

  void require_checksum(const section_info& s, std::uint32_t crc) const {
    if (crc != s.checksum)
      raise(errc::checksum, path_, ": section '", s.name, "' (", s.size, " bytes at byte ", s.offset,
            ") does not match its checksum");
  }

  /// Copies a section and checks it while each piece is still in the cache.
  void read(const section_info& s, std::span<std::byte> out) const;

  void parse(file_kind expected);

  detail::container_header parse_header(file_kind expected);

  section_info parse_entry(const detail::container_entry& entry, std::uint64_t previous_end) const;

  void require_distinct_names() const;

  std::string path_;
  input_file file_;
  mapped_file map_;
  aligned_vector<std::byte> owned_;
  std::span<const std::byte> memory_;
  std::uint64_t size_ = 0;
  std::string kind_;
  std::uint32_t kind_version_ = 0;
  std::vector<section_info> table_;
};

/// A handle through which a type finds its sections, under names of its own. Must not outlive the container_reader,
/// nor be used after that is moved.
class section_reader {
 public:
  const std::string& path() const noexcept { return reader_->path(); }
  std::uint32_t kind_version() const noexcept { return reader_->kind_version(); }
  bool contains(std::string_view name) const noexcept { return find(prefix_ + std::string(name)) != nullptr; }

  /// Where a section lies. @throws error errc::format when it is missing.
  const section_info& info(std::string_view name) const;

  /// The values of a small section, its checksum verified.
  /// @throws error errc::format when it is missing, errc::checksum, errc::io
  metadata_reader metadata(std::string_view name) const;

  /// How many T a section holds.
  /// @throws error errc::format when it is missing or its size is no multiple of that of T.
  template <detail::StoredValue T>
  std::size_t count(std::string_view name) const {
    const section_info& s = info(name);
    if (s.size % sizeof(T) != 0)
      raise(errc::format, path(), ": section '", s.name, "' at byte ", s.offset, ": ", s.size,
            " bytes are no multiple of ", sizeof(T));
    return static_cast<std::size_t>(s.size / sizeof(T));
  }

  /// Fills `out` with the whole of a section, its checksum verified on the way.
  /// @throws error errc::format when it is missing or of another size, errc::checksum, errc::io
  template <detail::StoredValue T>
  void read(std::string_view name, std::span<T> out) const {
    require_count(name, count<T>(name), out.size());
    reader_->read(info(name), std::as_writable_bytes(out));
  }

  /// The whole of a section, its checksum verified; memory is taken only after its size is known to be in the file.
  /// @throws error errc::format when it is missing, errc::checksum, errc::io
  template <detail::StoredValue T>
  aligned_vector<T> array(std::string_view name) const {
    aligned_vector<T> values(count<T>(name));
    read(name, std::span<T>(values));
    return values;
  }

  /// The same where `expected` elements must be there.
  /// @throws error errc::format also when there are more or fewer.
  template <detail::StoredValue T>
  aligned_vector<T> array(std::string_view name, std::uint64_t expected) const {
    require_count(name, count<T>(name), expected);
    return array<T>(name);
  }

  /// A section where it lies, 64-byte aligned and *not* verified (`container_reader::verify` does that), as long as
  /// the container_reader, or what it was moved to, lives.
  /// @throws error errc::format when it is missing or of another size, errc::unsupported unless `in_memory()`.
  template <detail::StoredValue T>
  std::span<const T> view(std::string_view name, std::uint64_t expected) const {
    require_count(name, count<T>(name), expected);
    if (!reader_->in_memory()) raise(errc::unsupported, path(), ": opened for reading; only a mapped file has views");
    const auto bytes = reader_->bytes_of(info(name));
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }

  /// Whether `shared` leaves sections where they are, unverified.
  bool maps() const noexcept { return keeper_ != nullptr; }

  /// A section of `expected` elements: where it lies, kept and *not* verified, in a mapped file that is kept; else read
  /// and verified as `array` does.
  /// @throws error as `array` does.
  template <detail::StoredValue T>
  detail::shared_array<T> shared(std::string_view name, std::uint64_t expected) const {
    if (!maps()) return detail::shared_array<T>(array<T>(name, expected));
    return {view<T>(name, expected), keeper_};
  }

  /// The sections of a part: names from here on begin with "name/".
  section_reader scope(std::string_view name) const { return {reader_, prefix_ + std::string(name) + '/', keeper_}; }

 private:
  friend class container_reader;
  section_reader(const container_reader* reader, std::string prefix,
                 std::shared_ptr<const container_reader> keeper) noexcept
      : reader_(reader), prefix_(std::move(prefix)), keeper_(std::move(keeper)) {}

  const section_info* find(std::string_view full) const noexcept {
    for (const section_info& s : reader_->table())
      if (s.name == full) return &s;
    return nullptr;
  }

  void require_count(std::string_view name, std::size_t found, std::uint64_t expected) const;

  const container_reader* reader_;
  std::string prefix_;
  std::shared_ptr<const container_reader> keeper_;  // of sections that are left where they are
};

inline section_reader container_reader::sections() const& noexcept { return {this, {}, nullptr}; }
inline section_reader container_reader::kept_sections(std::shared_ptr<const container_reader> reader) {
  const container_reader* const file = reader.get();
  return {file, {}, std::move(reader)};
}

#if EMBIT_KERNELS_HERE

EMBIT_KERNELS_INLINE container_reader container_reader::open(std::string path, file_kind kind) {
  container_reader reader(input_file(std::move(path)));
  reader.parse(kind);
  return reader;
}

EMBIT_KERNELS_INLINE container_reader container_reader::map(std::string path, file_kind kind) {
  container_reader reader(mapped_file(std::move(path)));
  reader.parse(kind);
  return reader;
}

EMBIT_KERNELS_INLINE container_reader container_reader::from_bytes(aligned_vector<std::byte> bytes, std::string name,
                                                                   file_kind kind) {
  container_reader reader(std::move(bytes), std::move(name));
  reader.parse(kind);
  return reader;
}

EMBIT_KERNELS_INLINE void container_reader::verify() const {
  for (const section_info& s : table_) verify(s);
}

EMBIT_KERNELS_INLINE void container_reader::verify(const section_info& s) const {
  map_.require_unchanged_size();
  std::uint32_t crc = 0;
  if (in_memory()) {
    crc = crc32c(bytes_of(s));
  } else {
    aligned_vector<std::byte> chunk(static_cast<std::size_t>(std::min<std::uint64_t>(s.size, chunk_size)));
    for (std::uint64_t done = 0; done < s.size; done += chunk.size()) {
      const auto part =
          std::span(chunk).first(static_cast<std::size_t>(std::min<std::uint64_t>(chunk.size(), s.size - done)));
      fetch(s.offset + done, part);
      crc = crc32c(part, crc);
    }
  }
  require_checksum(s, crc);
}

EMBIT_KERNELS_INLINE void container_reader::read(const section_info& s, std::span<std::byte> out) const {
  map_.require_unchanged_size();
  std::uint32_t crc = 0;
  for (std::size_t done = 0; done < out.size();) {
    const auto part = out.subspan(done, (std::min)(chunk_size, out.size() - done));
    fetch(s.offset + done, part);
    crc = crc32c(part, crc);
    done += part.size();
  }
  require_checksum(s, crc);
}

EMBIT_KERNELS_INLINE void container_reader::parse(file_kind expected) {
  detail::require_little_endian(path_);
  const auto header = parse_header(expected);
  const std::uint64_t room = (size_ - sizeof header) / sizeof(detail::container_entry);
  if (header.sections > room)
    raise(errc::format, path_, ": byte 48: ", header.sections, " sections where the file has room for ", room);
  std::vector<detail::container_entry> entries(header.sections);
  fetch(sizeof header, std::as_writable_bytes(std::span(entries)));
  if (crc32c(std::as_bytes(std::span(entries))) != header.table_crc)
    raise(errc::checksum, path_, ": the section table at byte ", sizeof header, " does not match its checksum");
  std::uint64_t end = sizeof header + entries.size() * sizeof(detail::container_entry);
  table_.reserve(entries.size());
  for (const detail::container_entry& entry : entries) {
    table_.push_back(parse_entry(entry, end));
    end = entry.offset + entry.size;
  }
  require_distinct_names();
}

EMBIT_KERNELS_INLINE detail::container_header container_reader::parse_header(file_kind expected) {
  detail::container_header header{};
  if (size_ < sizeof header)
    raise(errc::truncated, path_, ": ", size_, " bytes, too few for a header of ", sizeof header);
  fetch(0, std::as_writable_bytes(std::span(&header, 1)));
  if (header.magic != detail::container_magic) {
    detail::refuse_known_content(std::as_bytes(std::span(&header, 1)), path_, "a file of this library");
    raise(errc::format, path_, ": byte 0: not an embit file");
  }
  if (header.format == 0x01000000u) raise(errc::byte_order, path_, ": byte 8: written in the other byte order");
  if (header.format != detail::container_format)
    raise(errc::version, path_, ": byte 8: format version ", header.format, " where this library reads ",
          detail::container_format);
  if (crc32c(std::as_bytes(std::span(&header, 1)).first(detail::header_crc_bytes)) != header.header_crc)
    raise(errc::checksum, path_, ": the header at byte 0 does not match its checksum");
  kind_ = detail::name_in(header.kind);
  kind_version_ = header.kind_version;
  if (kind_.empty() || kind_version_ == 0) raise(errc::format, path_, ": byte 12: no valid kind");
  if (!expected.name.empty()) {
    if (kind_ != expected.name)
      raise(errc::kind, path_, ": byte 16: holds '", kind_, "' where '", expected.name, "' is expected");
    if (kind_version_ > expected.version)
      raise(errc::version, path_, ": byte 12: version ", kind_version_, " of '", kind_,
            "' where this library reads up to ", expected.version);
  }
  if (header.file_size != size_)
    raise(header.file_size > size_ ? errc::truncated : errc::format, path_, ": byte 40: ", header.file_size,
          " bytes were written and ", size_, " are there");
  return header;
}

EMBIT_KERNELS_INLINE section_info container_reader::parse_entry(const detail::container_entry& entry,
                                                                std::uint64_t previous_end) const {
  const std::string_view name = detail::name_in(entry.name);
  const std::uint64_t at = sizeof(detail::container_header) + table_.size() * sizeof entry;
  if (name.empty()) raise(errc::format, path_, ": byte ", at, ": no valid section name");
  if (entry.offset % detail::section_alignment != 0 || entry.offset < previous_end)
    raise(errc::format, path_, ": byte ", at, ": section '", name, "' begins at byte ", entry.offset,
          ", which is misaligned or inside what is before it (up to byte ", previous_end, ")");
  if (entry.offset > size_ || entry.size > size_ - entry.offset)
    raise(errc::format, path_, ": byte ", at, ": section '", name, "' of ", entry.size, " bytes at byte ", entry.offset,
          " reaches beyond the ", size_, " bytes of the file");
  return {std::string(name), entry.offset, entry.size, entry.crc};
}

EMBIT_KERNELS_INLINE void container_reader::require_distinct_names() const {
  std::vector<std::string_view> names;
  for (const section_info& s : table_) names.push_back(s.name);
  std::ranges::sort(names);
  if (const auto twice = std::ranges::adjacent_find(names); twice != names.end())
    raise(errc::format, path_, ": byte ", sizeof(detail::container_header), ": two sections are called '", *twice, "'");
}

EMBIT_KERNELS_INLINE const section_info& section_reader::info(std::string_view name) const {
  const std::string full = prefix_ + std::string(name);
  const section_info* found = find(full);
  if (found == nullptr) raise(errc::format, path(), ": section '", full, "' is missing");
  return *found;
}

EMBIT_KERNELS_INLINE metadata_reader section_reader::metadata(std::string_view name) const {
  const section_info& s = info(name);
  std::vector<std::byte> bytes(static_cast<std::size_t>(s.size));
  reader_->read(s, bytes);
  return metadata_reader(std::move(bytes), path() + ": section '" + s.name + "'", s.offset);
}

EMBIT_KERNELS_INLINE void section_reader::require_count(std::string_view name, std::size_t found,
                                                        std::uint64_t expected) const {
  if (found != expected)
    raise(errc::format, path(), ": section '", prefix_, name, "' at byte ", info(name).offset, ": ", found,
          " elements where ", expected, " are expected");
}

#endif

}  // namespace embit::inline EMBIT_ABI
