// Rows written to a file a few at a time, more of them than memory has room for.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/half.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/io/detail/npy_header.hpp>
#include <embit/io/detail/posix.hpp>
#include <embit/io/dtype.hpp>
#include <embit/io/file.hpp>
#include <embit/io/row_layout.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

struct row_file_shape {
  std::size_t cols = 0;
  std::optional<dtype> type = {};  ///< else that of the name; of .npy, float32. Or float16, int8, uint8
};

/// Writes a .npy, .fvecs, .bvecs, .fbin, .u8bin or .i8bin file: `append` as often as there are rows, then `finish`. A
/// new file appears under its name when it is finished; until then, and whenever anything fails, a file of that name is
/// left as it was. More may be appended after that, or to a file of before (`continuing`): such rows are written behind
/// those that are there, and belong to the file when `finish` has written its header anew. A crash in between leaves a
/// .npy, .fbin, .u8bin or .i8bin file that is longer than it says: readers refuse it, and `continuing` cuts it to what
/// was finished; a .fvecs or .bvecs file has no header, keeps the whole rows that reached the disk, and is refused
/// where the last is cut off, which `continuing` cuts. One writer at a time.
class row_file_writer {
 public:
  /// A new file.
  /// @throws error errc::argument for another name or type, errc::shape for no columns, errc::io, errc::denied,
  /// errc::not_a_file
  row_file_writer(std::string path, row_file_shape shape) : row_file_writer(std::move(path)) {
    layout_.type = shape.type.value_or(format_.type);
    layout_.cols = shape.cols;
    if (format_.format != detail::row_format::npy && layout_.type != format_.type)
      raise(errc::argument, path_, ": a file of this name holds ", name_of(format_.type), ", not ",
            name_of(layout_.type));
    if (!detail::is_row_type(layout_.type))
      raise(errc::argument, path_, ": ", name_of(layout_.type),
            " where float32, float16, int8 or uint8 can be written row by row");
    if (shape.cols == 0 || shape.cols > std::size_t{(std::numeric_limits<std::int32_t>::max)()})
      raise(errc::shape, path_, ": rows of ", shape.cols, " elements cannot be written");
    fresh_.emplace(path_);
    const std::string start = start_bytes();
    place_rows(start.size());
    fresh_->write(std::as_bytes(std::span(start)));
  }

  /// More rows for a file that is there, of its own shape and type.
  /// @throws error errc::argument for a .npy file that another library wrote so that its header has no room for more
  /// rows, or whose rows do not lie one after another; errc::io where another writer has it; what readers throw.
  static row_file_writer continuing(std::string path) {
    row_file_writer writer(std::move(path));
    writer.open_in_place();
    writer.read_shape();
    if (::ftruncate(*writer.file_, static_cast<off_t>(writer.end())) != 0) detail::raise_errno(writer.path_, "cut");
    return writer;
  }

  const std::string& path() const& noexcept { return path_; }
  const std::string& path() const&& = delete;
  /// Those that are finished, and those appended since.
  std::size_t rows() const noexcept { return layout_.rows; }
  std::size_t cols() const noexcept { return layout_.cols; }
  dtype type() const noexcept { return layout_.type; }

  /// Adds rows of floats, halves, int8 or uint8, as numbers of the type of the file: rounded where that is a float,
  /// else whole numbers that fit.
  /// @throws error errc::shape for rows of another width, errc::not_finite for NaN and infinity, errc::argument for
  /// numbers that overflow float16 or are none of the type of the file, each with row, column and the byte where it
  /// would lie; errc::no_space, errc::io. None of the rows is in the file then.
  template <class T>
    requires(detail::is_row_type(dtype_of<std::remove_const_t<T>>))
  void append(matrix_view<T> rows) {
    if (rows.rows() == 0) return;
    if (rows.cols() != cols())
      raise(errc::shape, path_, ": rows of ", rows.cols(), " elements to a file of ", cols(), " columns");
    constexpr std::uint64_t most = (std::numeric_limits<std::uint32_t>::max)();
    if (format_.format == detail::row_format::big_ann && rows.rows() > most - layout_.rows)
      raise(errc::argument, path_, ": ", layout_.rows, " + ", rows.rows(), " rows are more than its header can say");
    bytes_.resize(rows.rows() * static_cast<std::size_t>(layout_.stride));
    for (std::size_t i = 0; i < rows.rows(); ++i) store(i, rows[i]);
    if (fresh_)
      fresh_->write(bytes_);
    else if (!detail::write_at(*file_, end(), bytes_))
      detail::raise_errno(path_, "append");
    layout_.rows += rows.rows();
  }
  template <FileNumber T>
  void append(const matrix<T>& rows) {
    append(rows.view());
  }

  /// Makes all rows appended so far part of the file, durably. More may be appended afterwards.
  /// @throws error errc::no_space, errc::io
  void finish() {
    const std::string start = start_bytes();
    if (fresh_) {
      fresh_->overwrite(0, std::as_bytes(std::span(start)));
      fresh_->commit();
      fresh_.reset();
      open_in_place();
      return;
    }
    // The rows first: a header never says more than the disk has.
    const bool done =
        detail::sync_file(*file_) &&
        (start.empty() || (detail::write_at(*file_, 0, std::as_bytes(std::span(start))) && detail::sync_file(*file_)));
    if (!done) detail::raise_errno(path_, "finish");
  }

 private:
  explicit row_file_writer(std::string path) : path_(std::move(path)), format_(detail::format_of(path_)) {
    detail::require_little_endian(path_);
    if (format_.format == detail::row_format::other)
      raise(errc::argument, path_, ": files that end in ", detail::row_file_names, " can be written row by row");
  }

  bool counted() const noexcept { return format_.format == detail::row_format::vecs; }
  /// Where the next row begins, with its dimension where it has one.
  std::uint64_t end() const noexcept { return layout_.at(layout_.rows) - (counted() ? 4 : 0); }

  void place_rows(std::uint64_t start) noexcept {
    layout_.counted = counted();
    layout_.offset = start + (counted() ? 4 : 0);
    layout_.stride = layout_.row_bytes() + (counted() ? 4 : 0);
  }

  /// What comes before the rows.
  std::string start_bytes() const {
    if (format_.format == detail::row_format::npy)
      return detail::npy_start(layout_.type, layout_.rows, layout_.cols, static_cast<std::size_t>(layout_.offset));
    if (counted()) return {};
    const std::array<std::uint32_t, 2> shape{static_cast<std::uint32_t>(layout_.rows),
                                             static_cast<std::uint32_t>(layout_.cols)};
    return {reinterpret_cast<const char*>(shape.data()), sizeof shape};
  }

  /// The rows that were finished, of a file that may have more bytes behind them.
  void read_shape() {
    const input_file file(path_);
    if (format_.format == detail::row_format::npy) {
      const npy_header header = detail::parse_npy_header(file);
      detail::require_npy_matrix(header, path_);
      if (const auto why = detail::reason_to_convert(header); !why.empty())
        raise(errc::argument, path_, ": ", why, " and cannot be continued");
      take_shape(file, header.type, header.rows(), header.cols(), header.offset);
      const std::size_t needed = detail::npy_start(type(), rows(), cols()).size();
      if (header.shape.size() != 2 || header.offset < needed || header.offset > 10 + 0xffff)
        raise(errc::argument, path_, ": its header of ", header.offset,
              " bytes has no room for another shape; write its rows to a new file");
    } else if (counted()) {
      std::int32_t dim = 0;
      if (file.size() < sizeof dim) raise(errc::truncated, path_, ": no row says the dimension");
      file.read(0, std::as_writable_bytes(std::span(&dim, 1)));
      if (dim <= 0) raise(errc::format, path_, ": row 0 at byte 0: dimension ", dim);
      const std::uint64_t stride = 4 + static_cast<std::uint64_t>(dim) * size_of(format_.type);
      if (file.size() < stride)
        raise(errc::truncated, path_, ": row 0 at byte 0: ", file.size(), " of ", stride, " bytes are there");
      take_shape(file, format_.type, file.size() / stride, static_cast<std::uint64_t>(dim), 0);
    } else {
      std::array<std::uint32_t, 2> shape{};
      file.read(0, std::as_writable_bytes(std::span(shape)));
      take_shape(file, format_.type, shape[0], shape[1], detail::big_ann_start);
    }
  }

  void take_shape(const input_file& file, dtype type, std::uint64_t rows, std::uint64_t cols, std::uint64_t start) {
    if (cols == 0) raise(errc::shape, path_, ": rows without elements");
    layout_ = detail::adjacent_rows(file, type, rows, cols, start);
    place_rows(start);
  }

  void open_in_place() {
    file_ = detail::descriptor(detail::uninterrupted([&] { return ::open(path_.c_str(), O_RDWR | O_CLOEXEC); }));
    if (!file_) detail::raise_errno(path_, "open");
    if (::flock(*file_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
      raise(errc::io, path_, ": another writer has it");
  }

  template <class T>
  void store(std::size_t row, std::span<T> numbers) {
    std::byte* out = bytes_.data() + row * static_cast<std::size_t>(layout_.stride);
    if (counted()) {
      const auto dim = static_cast<std::int32_t>(cols());
      std::memcpy(out, &dim, sizeof dim);
      out += sizeof dim;
    }
    for (std::size_t j = 0; j < numbers.size(); ++j) {
      const auto x = static_cast<float>(numbers[j]);
      if (!detail::is_finite(x)) refuse(errc::not_finite, row, j, x, " is not finite");
      switch (type()) {
        case dtype::f16: {
          const half rounded(x);
          if (!detail::is_finite(rounded)) refuse(errc::argument, row, j, x, " overflows float16");
          std::memcpy(out + 2 * j, &rounded, sizeof rounded);
          break;
        }
        case dtype::i8: out[j] = static_cast<std::byte>(whole<std::int8_t>(row, j, x)); break;
        case dtype::u8: out[j] = static_cast<std::byte>(whole<std::uint8_t>(row, j, x)); break;
        default: std::memcpy(out + sizeof x * j, &x, sizeof x);
      }
    }
  }

  template <class S>
  S whole(std::size_t row, std::size_t column, float x) const {
    constexpr float least = (std::numeric_limits<S>::min)(), most = (std::numeric_limits<S>::max)();
    if (!(x >= least && x <= most) || x != std::trunc(x))
      refuse(errc::argument, row, column, x, " is no number of type ", name_of(type()));
    return static_cast<S>(x);
  }

  template <class... Why>
  [[noreturn]] EMBIT_COLD void refuse(errc code, std::size_t row, std::size_t column, float x,
                                      const Why&... why) const {
    const std::size_t place = layout_.rows + row;
    raise(code, path_, ": row ", place, ", column ", column, " (byte ", layout_.at(place) + column * size_of(type()),
          "): ", x, why...);
  }

  std::string path_;
  detail::named_format format_;
  row_layout layout_;
  std::vector<std::byte> bytes_;  // of the rows being appended
  std::optional<atomic_file> fresh_;
  detail::descriptor file_;
};

}  // namespace embit::inline EMBIT_ABI
