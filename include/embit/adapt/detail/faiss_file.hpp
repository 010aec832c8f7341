// The pieces of FAISS's files: values one after another, little-endian, without padding; a vector is its length as a
// 64-bit number and then its elements.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/adapt/detail/faiss_names.hpp>
#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/types.hpp>
#include <embit/io/file.hpp>
#include <embit/io/file_content.hpp>
#include <embit/io/metadata.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// The four characters that say what follows.
struct faiss_tag {
  std::array<char, 4> text{};
  friend bool operator==(const faiss_tag& tag, std::string_view name) noexcept {
    return std::string_view(tag.text.data(), 4) == name;
  }
  /// As it is shown in messages.
  std::string printable() const {
    std::string shown(text.data(), 4);
    for (char& c : shown)
      if (c < ' ' || c > '~') c = '?';
    return shown;
  }
  /// The class of FAISS's, or nothing.
  std::string_view name() const noexcept { return faiss_name({text.data(), 4}); }
};

/// Reads a FAISS file from front to back and believes no size before it agrees with what is left of the file.
class faiss_reader {
 public:
  explicit faiss_reader(std::string path) : file_(std::move(path)) { require_little_endian(file_.path()); }

  const std::string& path() const noexcept { return file_.path(); }

  template <class T>
    requires std::integral<T> || std::floating_point<T> T value(std::string_view what) {
      T x{};
      take(what, std::as_writable_bytes(std::span(&x, 1)));
      return x;
    }

  /// A size, which FAISS keeps in a signed number.
  template <std::signed_integral T>
  std::uint64_t size(std::string_view what) {
    const auto x = value<T>(what);
    if (x < 0) refuse(what, ": ", x);
    return static_cast<std::uint64_t>(x);
  }

  bool flag(std::string_view what) {
    const auto x = value<std::uint8_t>(what);
    if (x > 1) refuse(what, ": ", unsigned{x}, " where 0 or 1 is expected");
    return x == 1;
  }

  faiss_tag tag(std::string_view what) {
    faiss_tag t;
    take(what, std::as_writable_bytes(std::span(t.text)));
    return t;
  }

  /// How many elements of `element` bytes a vector has, which the file is found to have room for.
  std::uint64_t length(std::string_view what, std::size_t element) {
    const auto n = value<std::uint64_t>(what);
    require_room(what, n, element);
    return n;
  }

  /// Refuses a number of elements that the file has no room for.
  void require_room(std::string_view what, std::uint64_t n, std::size_t element) const {
    if (const std::uint64_t left = file_.size() - position_; n > left / element)
      raise(errc::truncated, path(), ": before byte ", position_, ": ", what, ": ", n, " elements of ", element,
            " bytes where ", left, " bytes are left");
  }

  /// Fills `out`, which the file is known to have room for or is small.
  void read(std::string_view what, std::span<std::byte> out) { take(what, out); }

  template <class T>
  std::vector<T> vector(std::string_view what) {
    std::vector<T> values(static_cast<std::size_t>(length(what, sizeof(T))));
    take(what, std::as_writable_bytes(std::span(values)));
    return values;
  }

  /// @throws error errc::not_finite, naming the element and where it is.
  std::vector<float> finite_vector(std::string_view what) {
    auto values = vector<float>(what);
    for (std::size_t i = 0; i < values.size(); ++i)
      if (!is_finite(values[i]))
        raise(errc::not_finite, path(), ": byte ", position_ - (values.size() - i) * sizeof(float), ": ", what,
              ": element ", i, " is not finite");
    return values;
  }

  void skip(std::string_view what, std::size_t element) { position_ += length(what, element) * element; }

  /// A vector of the bytes of `rows` codes of `bits` bits, which the file is found to have before memory is taken.
  code_store<> codes(std::uint64_t rows, std::uint64_t bits) {
    const std::uint64_t row_bytes = (bits + 7) / 8, found = length("codes", 1);
    if (found % row_bytes != 0 || found / row_bytes != rows)
      refuse("codes: ", found, " bytes where ", rows, " codes of ", bits, " bits are expected");
    if (rows > (std::numeric_limits<row_id>::max)()) refuse("codes: ", rows, ", more than row ids can number");
    code_store<> store(static_cast<std::size_t>(rows), static_cast<std::size_t>(bits));
    const auto bytes = static_cast<std::size_t>(row_bytes);
    const std::size_t step = std::max<std::size_t>(1, (std::size_t{1} << 18) / bytes);
    std::vector<std::byte> chunk((std::min)(step, store.size()) * bytes);
    for (std::size_t row = 0; row < store.size();) {
      const std::uint64_t at = position_;
      const std::size_t count = (std::min)(step, store.size() - row);
      take("codes", std::span(chunk).first(count * bytes));
      for (std::size_t i = 0; i < count; ++i, ++row) {
        const auto code = store.row(row);
        std::memcpy(code.data(), chunk.data() + i * bytes, bytes);
        if ((code.back() & ~tail_mask(store.bits())) != 0)
          raise(errc::format, path(), ": byte ", at + i * bytes, ": row ", row, " has bits set beyond its width of ",
                bits);
      }
    }
    return store;
  }

  /// Refuses bytes after the last value.
  void finish() const {
    if (position_ != file_.size())
      raise(errc::format, path(), ": byte ", position_, ": ", file_.size() - position_, " bytes after the end");
  }

  /// Refuses the value that was just read.
  template <class... Parts>
  [[noreturn]] EMBIT_COLD void refuse(const Parts&... parts) const {
    raise(errc::format, path(), ": before byte ", position_, ": ", parts...);
  }

  /// @throws error errc::kind naming what was found and what could be read.
  [[noreturn]] EMBIT_COLD void refuse_kind(const faiss_tag& found, std::string_view readable) const {
    const std::string_view name = found.name();
    if (position_ == 4 && name.empty()) refuse_known_content(file_, readable);
    raise(errc::kind, path(), ": byte ", position_ - 4, ": holds '", found.printable(), "' (",
          name.empty() ? "unknown" : name, ") where ", readable, " can be read");
  }

 private:
  void take(std::string_view what, std::span<std::byte> out) {
    if (out.size() > file_.size() - position_)
      raise(errc::truncated, path(), ": byte ", position_, ": truncated: ", file_.size() - position_, " of the ",
            out.size(), " bytes of ", what, " are there");
    file_.read(position_, out);
    position_ += out.size();
  }

  input_file file_;
  std::uint64_t position_ = 0;
};

/// Writes what `faiss_reader` reads.
class faiss_writer {
 public:
  explicit faiss_writer(std::string path) : file_(std::move(path)) { require_little_endian(file_.path()); }

  template <class T>
    requires std::integral<T> || std::floating_point<T>
  void value(T x) { file_.write(std::as_bytes(std::span(&x, 1))); }
  void tag(std::string_view four) { bytes(std::as_bytes(std::span(four))); }
  void bytes(std::span<const std::byte> raw) { file_.write(raw); }
  void commit() { file_.commit(); }

 private:
  atomic_file file_;
};

}  // namespace embit::inline EMBIT_ABI::detail
