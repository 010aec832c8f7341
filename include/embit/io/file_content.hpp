// What a file is, by its name or its first bytes: also pointers and archives that stand where vectors are expected.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/io/file.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace embit::inline EMBIT_ABI {

/// What a file that begins with these bytes is and what to do with it, as in "a Git LFS pointer: run git lfs pull";
/// empty for what is not known. 64 bytes are enough.
constexpr std::string_view describe_content(std::string_view start) noexcept {
  struct known {
    std::string_view magic, is;
  };
  using namespace std::string_view_literals;
  constexpr std::string_view web_page = "a web page, which a download that needs another address or a login leaves";
  constexpr std::string_view faiss = "a FAISS index: embit/adapt/faiss.hpp has readers";
  constexpr std::string_view zip = "a zip archive, as .npz and PyTorch's files are: unpack it";
  constexpr std::string_view pickle = "a Python pickle: save the array by numpy.save";
  constexpr known formats[] = {{"version https://git-lfs.github.com/spec/"sv, "a Git LFS pointer: run git lfs pull"},
                               {"\x1f\x8b"sv, "compressed by gzip: run gunzip"},
                               {"PK\x03\x04"sv, zip},
                               {"PK\x05\x06"sv, zip},
                               {"\x89HDF\r\n\x1a\n"sv, "an HDF5 file: read_hdf5 of embit/adapt/hdf5.hpp reads it"},
                               {"\x28\xb5\x2f\xfd"sv, "compressed by Zstandard: run unzstd"},
                               {"\3757zXZ\0"sv, "compressed by xz: run unxz"},
                               {"BZh"sv, "compressed by bzip2: run bunzip2"},
                               {"\x93NUMPY"sv, "a .npy file: read_npy reads it"},
                               {"\211embit\r\n"sv, "a file of this library: load reads it"},
                               {"PAR1"sv, "a Parquet file, which is not read"},
                               {"ARROW1"sv, "an Arrow file, which is not read"},
                               {"\x80\x02"sv, pickle},
                               {"\x80\x03"sv, pickle},
                               {"\x80\x04\x95"sv, pickle},
                               {"\x80\x05\x95"sv, pickle},
                               {"<!DOCTYPE html"sv, web_page},
                               {"<!doctype html"sv, web_page},
                               {"<html"sv, web_page},
                               {"IxF2"sv, faiss},
                               {"IxFI"sv, faiss},
                               {"IxMp"sv, faiss},
                               {"IxM2"sv, faiss},
                               {"IBxF"sv, faiss},
                               {"IBMp"sv, faiss},
                               {"IBM2"sv, faiss},
                               {"IBwF"sv, faiss},
                               {"IHNf"sv, faiss},
                               {"IwFl"sv, faiss},
                               {"IxPT"sv, faiss},
                               {"IxHe"sv, faiss}};
  for (const known& format : formats)
    if (start.starts_with(format.magic)) return format.is;
  return {};
}

namespace detail {

inline constexpr std::size_t content_start = 64;

/// Whether the name ends in this extension, in capitals or not.
constexpr bool has_extension(std::string_view name, std::string_view lower) noexcept {
  if (name.size() < lower.size()) return false;
  return std::ranges::equal(name.substr(name.size() - lower.size()), lower, [](char a, char b) {
    return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
  });
}

/// Refuses bytes that a reader has found not to be its own, where they tell what they are; else returns, and the
/// reader gives its reason.
/// @throws error errc::kind
inline void refuse_known_content(std::span<const std::byte> start, std::string_view path, std::string_view expected) {
  std::array<char, content_start> text{};
  const std::size_t size = (std::min)(start.size(), text.size());
  std::transform(start.begin(), start.begin() + static_cast<std::ptrdiff_t>(size), text.begin(),
                 [](std::byte b) { return static_cast<char>(b); });
  if (const auto is = describe_content({text.data(), size}); !is.empty())
    raise(errc::kind, path, ": is ", is, "; ", expected, " is expected");
}

/// The first bytes of an open file, which tell what it is.
inline std::string start_of(const input_file& file) {
  std::string start(static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), content_start)), '\0');
  file.read(0, std::as_writable_bytes(std::span(start)));
  return start;
}

/// The same for an open file.
inline void refuse_known_content(const input_file& file, std::string_view expected) {
  const std::string start = start_of(file);
  refuse_known_content(std::as_bytes(std::span(start)), file.path(), expected);
}

/// What the file of that name is, or nothing: never fails.
inline std::string_view describe_file(const std::string& path) noexcept {
  const descriptor file(uninterrupted([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); }));
  std::array<char, content_start> start{};
  const ssize_t got = file ? uninterrupted([&] { return ::pread(*file, start.data(), start.size(), 0); }) : 0;
  return describe_content({start.data(), got > 0 ? static_cast<std::size_t>(got) : 0});
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
