// Things into files and back, in one call each.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/io/container_layout.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/io/metadata.hpp>

#include <concepts>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// A type whose file is always of one kind.
template <class T>
concept SavedAsItself = requires {
  { T::file } -> std::convertible_to<file_kind>;
};
/// A type whose file is that of what it holds at run time.
template <class T>
concept SavedAsHeld = requires(const T& thing) {
  { thing.saved_as() } -> std::same_as<file_kind>;
};

template <class T, class... Parts>
concept ReadAsItself = SavedAsItself<T> && requires(const section_reader& in, Parts&&... parts) {
  { T::read_from(in, std::forward<Parts>(parts)...) } -> std::same_as<T>;
};
template <class T, class... Parts>
concept ReadAsFound = SavedAsHeld<T> && requires(file_kind found, const section_reader& in, Parts&&... parts) {
  { T::read_as(found, in, std::forward<Parts>(parts)...) } -> std::same_as<T>;
};

/// The kind that the file of a thing is written as. A type whose files mostly need no later version of their kind says
/// so by `written`.
template <class T>
file_kind kind_in_file(const T& thing) {
  if constexpr (SavedAsHeld<T>)
    return thing.saved_as();
  else if constexpr (requires { T::written; })
    return T::written;
  else
    return T::file;
}

}  // namespace detail

/// What can be a file: a type that names its kind and writes its own sections.
template <class T>
concept Savable = (detail::SavedAsItself<T> || detail::SavedAsHeld<T>)&&requires(const T& thing,
                                                                                 const section_writer& out) {
  thing.write_to(out);
};

/// A Savable type whose sections can be read back, with the parts that files do not hold (a kernel, an executor, a
/// reranker) given again.
template <class T, class... Parts>
concept Loadable = Savable<T> &&(detail::ReadAsItself<T, Parts...> || detail::ReadAsFound<T, Parts...>);

namespace detail {

/// Writes a part of a thing under a name of its own, with the kind it would have as a file.
template <Savable T>
void write_part(const section_writer& out, std::string_view name, const T& part) {
  const section_writer scope = out.scope(name);
  const file_kind file = kind_in_file(part);
  metadata_writer kind;
  kind.text(file.name).u32(file.version);
  scope.add("kind", std::move(kind));
  part.write_to(scope);
}

/// The kind of a part that `write_part` wrote.
struct part_kind {
  std::string name;
  std::uint32_t version;
};
inline part_kind read_part_kind(const section_reader& scope) {
  metadata_reader kind = scope.metadata("kind");
  std::string name = kind.text();
  return {std::move(name), kind.u32()};
}

/// @throws error errc::kind for a part of another kind, errc::version for a later one.
inline void require_part(const section_reader& scope, std::string_view name, file_kind expected) {
  const part_kind found = read_part_kind(scope);
  if (found.name != expected.name)
    raise(errc::kind, scope.path(), ": byte ", scope.info("kind").offset, ": '", name, "' is of kind '", found.name,
          "' where '", expected.name, "' is expected");
  if (found.version == 0 || found.version > expected.version)
    raise(errc::version, scope.path(), ": byte ", scope.info("kind").offset, ": '", name, "' is version ",
          found.version, " of kind '", found.name, "' where this library reads up to ", expected.version);
}

/// Reads a T from the sections of a file, or of a part of one, that says it is of this kind: what reads a value of
/// which only the file knows the type.
/// @throws error errc::version for a later version than is known, and what T throws.
template <SavedAsItself T, class... Parts>
T read_found(file_kind found, const section_reader& in, const Parts&... parts) {
  if (found.version == 0 || found.version > T::file.version)
    raise(errc::version, in.path(), ": version ", found.version, " of '", found.name,
          "' where this library reads up to ", T::file.version);
  return T::read_from(in, parts...);
}

/// Reads what `write_part` wrote.
/// @throws error errc::kind for a part of another kind, errc::version for a later one, and what the part throws.
template <class T, class... Parts>
  requires Loadable<T, Parts...> T read_part(const section_reader& in, std::string_view name, Parts&&... parts) {
    const section_reader scope = in.scope(name);
    if constexpr (ReadAsFound<T, Parts...>) {
      const part_kind found = read_part_kind(scope);
      return T::read_as({found.name, found.version}, scope, std::forward<Parts>(parts)...);
    } else {
      require_part(scope, name, T::file);
      return T::read_from(scope, std::forward<Parts>(parts)...);
    }
  }

}  // namespace detail

/// Writes `thing` to `path`: beside it first, then renamed, so that `path` holds the old file or the whole new one.
/// @throws error errc::io, errc::denied, errc::no_space or errc::not_a_file naming the path; the old file is untouched
/// then.
template <Savable T>
void save(std::string path, const T& thing) {
  container_writer writer(std::move(path), detail::kind_in_file(thing));
  thing.write_to(writer.sections());
  writer.finish();
}

/// Reads what `save` wrote, every checksum verified.
/// @param parts  what the file does not hold and the type takes again, if anything
/// @throws error errc::io, errc::denied or errc::not_a_file for what cannot be opened; errc::truncated, errc::format,
/// errc::byte_order, errc::version, errc::kind or errc::checksum, with path and offset.
template <class T, class... Parts>
  requires Loadable<T, Parts...> T load(std::string path, Parts&&... parts) {
    if constexpr (detail::ReadAsFound<T, Parts...>) {
      const container_reader reader = container_reader::open(std::move(path), {});
      return T::read_as({reader.kind(), reader.kind_version()}, reader.sections(), std::forward<Parts>(parts)...);
    } else {
      const container_reader reader = container_reader::open(std::move(path), T::file);
      return T::read_from(reader.sections(), std::forward<Parts>(parts)...);
    }
  }

namespace detail {

template <class T>
inline constexpr bool stays_in_file = [] {
  if constexpr (requires { T::stays_in_file; })
    return bool{T::stays_in_file};
  else
    return false;
}();

}  // namespace detail

/// A Loadable type that leaves what is large in a mapped file.
template <class T, class... Parts>
concept Mappable = Loadable<T, Parts...> && detail::ReadAsItself<T, Parts...> && detail::stays_in_file<T>;

/// What `save` wrote, with codes and tables left in the file, which is mapped as long as anything made of this lives:
/// opened in much less time than it takes to read, shared between processes. Only what is small and what says which row
/// is where is looked at; `container_reader::map(path, {}).verify()` reads all. What is changed is copied first, into
/// memory; the file stays as it is. See `mapped_file` for what may happen to the file meanwhile.
/// @param parts  as of `load`
/// @throws error as `load` does, but for the checksums of what is not read.
template <class T, class... Parts>
  requires Mappable<T, Parts...> T load_mapped(std::string path, Parts&&... parts) {
    auto reader = std::make_shared<const container_reader>(container_reader::map(std::move(path), T::file));
    return T::read_from(container_reader::kept_sections(std::move(reader)), std::forward<Parts>(parts)...);
  }

}  // namespace embit::inline EMBIT_ABI
