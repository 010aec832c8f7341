// Things into files and back, in one call each.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/io/container_layout.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>

#include <concepts>
#include <string>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// What can be a file: a type that names its kind and writes its own sections.
template <class T>
concept Savable = requires(const T& thing, const section_writer& out) {
  { T::file } -> std::convertible_to<file_kind>;
  thing.write_to(out);
};

/// A Savable type whose sections can be read back.
template <class T>
concept Loadable = Savable<T> && requires(const section_reader& in) {
  { T::read_from(in) } -> std::same_as<T>;
};

/// Writes `thing` to `path`: beside it first, then renamed, so that `path` holds the old file or the whole new one.
/// @throws error errc::io naming the path; the old file is untouched then.
template <Savable T>
void save(std::string path, const T& thing) {
  container_writer writer(std::move(path), T::file);
  thing.write_to(writer.sections());
  writer.finish();
}

/// Reads what `save` wrote, every checksum verified.
/// @throws error errc::io, errc::format, errc::version, errc::kind or errc::checksum, with path and offset.
template <Loadable T>
T load(std::string path) {
  const container_reader reader = container_reader::open(std::move(path), T::file);
  return T::read_from(reader.sections());
}

}  // namespace embit::inline EMBIT_ABI
