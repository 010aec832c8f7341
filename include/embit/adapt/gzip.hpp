// Text that gzip compressed, unpacked as it is read. Needs zlib, which the user links.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/io/file.hpp>
#include <embit/io/file_content.hpp>
#include <embit/io/text_source.hpp>

#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// The text of a .gz file (RFC 1952) of one member or several, as `cat` joins them; zeros behind the last one are
/// passed over, as gzip does. Text is unpacked as it is asked for, in memory of a buffer; what comes before damage is
/// read before it is told.
///
///     delimited_reader rows(gzip_text("hashes.csv.gz"), {.separator = ',', .fields = 2});
class gzip_text : public text_source {
 public:
  /// @throws error errc::truncated for an empty file; errc::format for what gzip did not write, or errc::kind where
  /// that is known; what `input_file` throws.
  explicit gzip_text(std::string path)
      : file_(std::move(path)), packed_(packed_size), stream_(new z_stream()), inside_(true) {
    constexpr int largest_window = 15, of_gzip = 16;
    if (!more()) refuse(Z_BUF_ERROR);
    if (!at_member()) {
      detail::refuse_known_content(file_, "gzip");
      raise(errc::format, file_.path(), ": does not begin as gzip does");
    }
    if (const int status = inflateInit2(stream_.get(), largest_window + of_gzip); status != Z_OK) refuse(status);
  }

  const std::string& path() const noexcept override { return file_.path(); }

  /// @throws error errc::truncated for a file that ends too early, errc::checksum for text that is not what was
  /// compressed, errc::format for other damage; they name the byte of the text. What `input_file::read` throws.
  std::size_t read(std::span<std::byte> out) override {
    const std::size_t size = (std::min<std::size_t>)(out.size(), (std::numeric_limits<uInt>::max)());
    stream_->next_out = reinterpret_cast<Bytef*>(out.data());
    stream_->avail_out = static_cast<uInt>(size);
    std::size_t written = 0;
    while (written == 0 && inside_member()) {
      more();  // or nothing, and zlib says that it lacks something
      const int status = inflate(stream_.get(), Z_NO_FLUSH);
      written = size - stream_->avail_out;
      if (status == Z_STREAM_END)
        inside_ = false;
      else if (written == 0 && status != Z_OK)
        refuse(status);
    }
    text_ += written;
    return written;
  }
  std::uint64_t bytes() const noexcept override { return file_.size(); }
  std::uint64_t bytes_read() const noexcept override { return offset_ - stream_->avail_in; }

 private:
  static constexpr std::size_t packed_size = std::size_t{1} << 16;
  struct end_of_stream {
    void operator()(z_stream* stream) const noexcept {
      inflateEnd(stream);  // does nothing to one that did not begin
      delete stream;
    }
  };

  /// Reads on behind what is left of the file in the buffer.
  void fill() {
    const std::size_t left = stream_->avail_in;
    std::copy_n(stream_->next_in, left, packed_.data());
    const auto step = static_cast<std::size_t>(std::min<std::uint64_t>(packed_.size() - left, bytes() - offset_));
    file_.read(offset_, std::as_writable_bytes(std::span(packed_).subspan(left, step)));
    offset_ += step;
    stream_->next_in = packed_.data();
    stream_->avail_in = static_cast<uInt>(left + step);
  }
  /// Whether there is another byte of the file.
  bool more() {
    if (stream_->avail_in == 0 && offset_ != bytes()) fill();
    return stream_->avail_in != 0;
  }
  /// Whether what follows is the magic of a member, or its beginning where the file ends.
  bool at_member() {
    if (stream_->avail_in == 1) fill();
    const Bytef* const magic = stream_->next_in;
    return magic[0] == 0x1f && (stream_->avail_in == 1 || magic[1] == 0x8b);
  }

  /// Whether there is a member to unpack: goes to the next one after the end of one.
  bool inside_member() {
    if (inside_) return true;
    while (more() && *stream_->next_in == 0) {
      ++stream_->next_in;
      --stream_->avail_in;
    }
    if (!more()) return false;
    if (!at_member())
      raise(errc::format, path(), ": something that is not gzip's follows byte ", text_, " of the text");
    inflateReset(stream_.get());
    return inside_ = true;
  }

  [[noreturn]] EMBIT_COLD void refuse(int status) const {
    if (status == Z_BUF_ERROR)
      raise(errc::truncated, path(), ": gzip's compressed text ends too early, at byte ", text_, " of the text");
    const std::string_view why = stream_->msg == nullptr ? "" : stream_->msg;
    if (status != Z_DATA_ERROR)
      raise(errc::unsupported, path(), ": zlib ", zlibVersion(), " stops at byte ", text_, " of the text with status ",
            status, why.empty() ? "" : ", ", why);
    const bool changed = why == "incorrect data check" || why == "incorrect length check";
    raise(changed ? errc::checksum : errc::format, path(), ": is damaged at byte ", text_, " of the text: ", why);
  }

  input_file file_;
  std::vector<Bytef> packed_;
  std::uint64_t offset_ = 0;                         // of what is not in `packed_` yet
  std::unique_ptr<z_stream, end_of_stream> stream_;  // whose address zlib remembers; what is left of `packed_`
  bool inside_;                                      // of a member
  std::uint64_t text_ = 0;                           // bytes of it so far
};

}  // namespace embit::inline EMBIT_ABI
