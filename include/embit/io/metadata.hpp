// The small sections of a file: sizes, options and names, one after another, little-endian, without padding.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// Files are little-endian and written from memory as it lies there.
inline void require_little_endian(std::string_view what) {
  if constexpr (std::endian::native != std::endian::little)
    raise(errc::unsupported, what, ": files are little-endian and this machine is not");
}

/// Adds bytes at the end. Never inlined: where GCC 12 knows the sizes it warns of overflows that are none, in the build
/// of the user.
[[gnu::noinline]] inline void append_bytes(std::vector<std::byte>& to, std::span<const std::byte> bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

}  // namespace detail

/// Collects values in order; `metadata_reader` gets them back in the same order.
class metadata_writer {
 public:
  metadata_writer& u8(std::uint8_t value) { return put(value); }
  metadata_writer& u16(std::uint16_t value) { return put(value); }
  metadata_writer& u32(std::uint32_t value) { return put(value); }
  metadata_writer& u64(std::uint64_t value) { return put(value); }
  metadata_writer& i64(std::int64_t value) { return put(value); }
  metadata_writer& f32(float value) { return put(value); }
  metadata_writer& f64(double value) { return put(value); }

  /// Its length as u32, then its bytes.
  /// @throws error errc::argument for 4 GiB or more.
  metadata_writer& text(std::string_view value);

  std::span<const std::byte> bytes() const& noexcept { return bytes_; }
  std::span<const std::byte> bytes() const&& = delete;

 private:
  template <class T>
  metadata_writer& put(T value) {
    detail::append_bytes(bytes_, std::as_bytes(std::span(&value, 1)));
    return *this;
  }

  std::vector<std::byte> bytes_;
};

/// Takes values out in the order they were put in. Values left over are no error: a later version may have added
/// some at the end.
class metadata_reader {
 public:
  /// @param where  what messages call this piece ("path: section 'x'"), which begins at byte `offset` of its file.
  explicit metadata_reader(std::vector<std::byte> bytes, std::string where = "metadata", std::uint64_t offset = 0)
      : bytes_(std::move(bytes)), where_(std::move(where)), offset_(offset) {}

  /// Each of these: @throws error errc::format with the offset when too few bytes are left.
  std::uint8_t u8() { return take<std::uint8_t>(); }
  std::uint16_t u16() { return take<std::uint16_t>(); }
  std::uint32_t u32() { return take<std::uint32_t>(); }
  std::uint64_t u64() { return take<std::uint64_t>(); }
  std::int64_t i64() { return take<std::int64_t>(); }
  float f32() { return take<float>(); }
  double f64() { return take<double>(); }

  std::string text() {
    const auto bytes = next(u32());
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  std::size_t remaining() const noexcept { return bytes_.size() - position_; }

  /// For values that are read but make no sense: a message with the place.
  template <class... Parts>
  [[noreturn]] EMBIT_COLD void refuse(const Parts&... parts) const {
    raise(errc::format, where_, " before byte ", offset_ + position_, ": ", parts...);
  }

 private:
  std::span<const std::byte> next(std::size_t size);

  template <class T>
  T take() {
    T value;
    std::memcpy(&value, next(sizeof value).data(), sizeof value);
    return value;
  }

  std::vector<std::byte> bytes_;
  std::string where_;
  std::uint64_t offset_;
  std::size_t position_ = 0;
};

#if EMBIT_KERNELS_HERE

EMBIT_KERNELS_INLINE metadata_writer& metadata_writer::text(std::string_view value) {
  if (value.size() > (std::numeric_limits<std::uint32_t>::max)())
    raise(errc::argument, "metadata: a text of ", value.size(), " bytes");
  u32(static_cast<std::uint32_t>(value.size()));
  detail::append_bytes(bytes_, std::as_bytes(std::span(value)));
  return *this;
}

EMBIT_KERNELS_INLINE std::span<const std::byte> metadata_reader::next(std::size_t size) {
  if (size > remaining())
    raise(errc::format, where_, " at byte ", offset_ + position_, ": ", size, " bytes expected, ", remaining(),
          " left");
  const auto bytes = std::span(bytes_).subspan(position_, size);
  position_ += size;
  return bytes;
}

#endif

}  // namespace embit::inline EMBIT_ABI
