// Writes a container: sections are named first and streamed at the end, large ones without a copy.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/io/checksum.hpp>
#include <embit/io/container_layout.hpp>
#include <embit/io/file.hpp>
#include <embit/io/metadata.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Where the bytes of one section go while its file is written.
class section_sink {
 public:
  explicit section_sink(atomic_file& file) noexcept : file_(&file) {}

  /// Appends. @throws error errc::io
  void write(std::span<const std::byte> bytes) {
    crc_ = crc32c(bytes, crc_);
    size_ += bytes.size();
    file_->write(bytes);
  }
  template <detail::StoredValue T>
  void write(std::span<const T> values) {
    write(std::as_bytes(values));
  }

  std::uint64_t size() const noexcept { return size_; }
  std::uint32_t checksum() const noexcept { return crc_; }

 private:
  atomic_file* file_;
  std::uint64_t size_ = 0;
  std::uint32_t crc_ = 0;
};

class section_writer;

/// Writes one container file. `finish` does all the work, and the file appears only when all of it succeeded.
class container_writer {
 public:
  /// @throws error errc::argument for a bad kind, errc::unsupported on a big-endian machine.
  container_writer(std::string path, file_kind kind);

  /// Where a type puts its sections.
  section_writer sections() noexcept;

  /// Writes beside, syncs and renames.
  /// @throws error errc::io; the old file is then still there.
  void finish() { write().commit(); }

  /// Writes beside and syncs: all of the work but for `commit` of what is returned.
  /// @throws error errc::io; the old file is then still there.
  atomic_file write();

 private:
  friend class section_writer;

  struct section {
    std::array<char, 32> name;
    std::function<void(section_sink&)> produce;
  };

  static detail::container_entry write_section(atomic_file& file, const section& s);

  void add(std::string_view name, std::function<void(section_sink&)> produce);

  std::string path_;
  std::array<char, 24> kind_;
  std::uint32_t kind_version_;
  std::vector<section> sections_;
};

/// A handle through which a type adds its sections, under names of its own. Must not outlive the container_writer.
class section_writer {
 public:
  /// Numbers as they are. They are not copied: they must live unchanged until `finish`.
  /// @throws error errc::argument for a name that is too long or taken.
  template <detail::StoredValue T>
  void add(std::string_view name, std::span<const T> values) const {
    add_stream(name, [values](section_sink& sink) { sink.write(std::as_bytes(values)); });
  }

  /// A small section, taken over.
  /// @throws error errc::argument for a name that is too long or taken.
  void add(std::string_view name, metadata_writer values) const {
    add_stream(name, [held = std::move(values)](section_sink& sink) { sink.write(held.bytes()); });
  }

  /// A section whose bytes `produce` writes to the sink piece by piece when `finish` comes to it: for what lies in
  /// several chunks, or is converted on the way.
  /// @throws error errc::argument for a name that is too long or taken.
  void add_stream(std::string_view name, std::function<void(section_sink&)> produce) const {
    writer_->add(prefix_ + std::string(name), std::move(produce));
  }

  /// The sections of a part: names from here on begin with "name/".
  section_writer scope(std::string_view name) const { return {writer_, prefix_ + std::string(name) + '/'}; }

 private:
  friend class container_writer;
  section_writer(container_writer* writer, std::string prefix) noexcept : writer_(writer), prefix_(std::move(prefix)) {}

  container_writer* writer_;
  std::string prefix_;
};

inline section_writer container_writer::sections() noexcept { return {this, {}}; }

#if EMBIT_KERNELS_HERE

EMBIT_KERNELS_INLINE container_writer::container_writer(std::string path, file_kind kind)
    : path_(std::move(path)), kind_(detail::name_field<24>(kind.name, "kind")), kind_version_(kind.version) {
  detail::require_little_endian(path_);
  if (kind.version == 0) raise(errc::argument, "kind '", kind.name, "': versions begin at 1");
}

EMBIT_KERNELS_INLINE atomic_file container_writer::write() {
  using detail::container_entry, detail::container_header;
  container_header header{.magic = detail::container_magic,
                          .format = detail::container_format,
                          .kind_version = kind_version_,
                          .kind = kind_,
                          .file_size = 0,
                          .sections = static_cast<std::uint32_t>(sections_.size()),
                          .zero = 0,
                          .table_crc = 0,
                          .header_crc = 0};
  std::vector<container_entry> table;
  table.reserve(sections_.size());
  atomic_file file(path_);
  file.write(std::as_bytes(std::span(&header, 1)));
  file.write(std::vector<std::byte>(sections_.size() * sizeof(container_entry)));
  for (const section& s : sections_) table.push_back(write_section(file, s));
  header.file_size = file.size();
  header.table_crc = crc32c(std::as_bytes(std::span(table)));
  header.header_crc = crc32c(std::as_bytes(std::span(&header, 1)).first(detail::header_crc_bytes));
  file.overwrite(0, std::as_bytes(std::span(&header, 1)));
  file.overwrite(sizeof header, std::as_bytes(std::span(table)));
  file.sync();
  return file;
}

EMBIT_KERNELS_INLINE detail::container_entry container_writer::write_section(atomic_file& file, const section& s) {
  constexpr std::array<std::byte, detail::section_alignment> zeros{};
  const std::uint64_t beyond = file.size() % detail::section_alignment;
  if (beyond != 0) file.write(std::span(zeros).first(static_cast<std::size_t>(detail::section_alignment - beyond)));
  const std::uint64_t offset = file.size();
  section_sink sink(file);
  s.produce(sink);
  return {s.name, offset, sink.size(), sink.checksum(), {}};
}

EMBIT_KERNELS_INLINE void container_writer::add(std::string_view name, std::function<void(section_sink&)> produce) {
  const auto field = detail::name_field<32>(name, "section");
  for (const section& s : sections_)
    if (s.name == field) raise(errc::argument, "section '", name, "': added twice");
  sections_.push_back({field, std::move(produce)});
}

#endif

}  // namespace embit::inline EMBIT_ABI
