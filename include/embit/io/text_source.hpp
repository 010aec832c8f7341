// Where the text of a table comes from: a file as it is, or something that unpacks one.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/io/file.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// Bytes that come in their order. `file_text` is one, `gzip_text` of embit/adapt/gzip.hpp another.
class text_source {
 public:
  virtual ~text_source() = default;

  /// What errors name.
  virtual const std::string& path() const noexcept = 0;
  /// Writes the next bytes to `out`, one at least unless there are no more; returns how many. @pre !out.empty()
  /// @throws error what reading the file throws, and errors of its format; bytes before these come first.
  virtual std::size_t read(std::span<std::byte> out) = 0;
  /// Bytes of the file, which need not be those of the text, and how many of them are read: for a progress bar.
  virtual std::uint64_t bytes() const noexcept = 0;
  virtual std::uint64_t bytes_read() const noexcept = 0;

 protected:
  text_source() = default;
  text_source(const text_source&) = default;
  text_source(text_source&&) = default;
  text_source& operator=(const text_source&) = default;
  text_source& operator=(text_source&&) = default;
};

/// The bytes of a file.
class file_text : public text_source {
 public:
  /// @throws error what `input_file` throws.
  explicit file_text(std::string path) : file_(std::move(path)) {}

  const std::string& path() const noexcept override { return file_.path(); }
  std::size_t read(std::span<std::byte> out) override {
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), bytes() - offset_));
    file_.read(offset_, out.first(size));
    offset_ += size;
    return size;
  }
  std::uint64_t bytes() const noexcept override { return file_.size(); }
  std::uint64_t bytes_read() const noexcept override { return offset_; }

 private:
  input_file file_;
  std::uint64_t offset_ = 0;
};

}  // namespace embit::inline EMBIT_ABI
