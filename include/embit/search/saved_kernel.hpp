// The kernel that scores the rows of a file, by its name.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/io/metadata.hpp>
#include <embit/search/default_kernel.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// A kernel that files call by its `name`. One that has parameters writes them with
/// `write_parameters(metadata_writer&)` and reads them with a static `read_parameters(metadata_reader&)`.
template <class K>
concept NamedKernel = requires {
  { K::name } -> std::convertible_to<std::string_view>;
};

namespace detail {

/// Whether files say by what kernel rows are scored: of the store's own one they need not.
template <class K, class Store>
inline constexpr bool saves_kernel = NamedKernel<K> && !std::same_as<K, default_kernel<Store>>;

/// Adds the section "kernel": its name as text, then its parameters.
template <class K, class Store>
void write_kernel(const section_writer& out, const K& kernel) {
  if constexpr (saves_kernel<K, Store>) {
    metadata_writer values;
    values.text(K::name);
    if constexpr (requires { kernel.write_parameters(values); }) kernel.write_parameters(values);
    out.add("kernel", std::move(values));
  }
}

/// The parameters of the kernel of a file, after its name was found to be that of K. A file without a section has rows
/// for the kernel of the store, or for one that has no name.
/// @throws error errc::kind for another kernel.
template <class K, class Store>
metadata_reader kernel_values(const section_reader& in) {
  const bool named = in.contains("kernel");
  metadata_reader values = named ? in.metadata("kernel") : metadata_reader({});
  const std::string found = named ? values.text() : std::string();
  std::string expected;
  if constexpr (saves_kernel<K, Store>) expected = K::name;
  if (found != expected) {
    constexpr bool own = std::same_as<K, default_kernel<Store>>;
    const std::string unsaid(default_kernel<Store>::name);
    raise(errc::kind, in.path(), named ? ": section 'kernel'" : ": no section 'kernel'", ": rows for the kernel '",
          named ? found : unsaid, "' where '", !expected.empty() ? expected : (own ? unsaid : "one without a name"),
          "' is expected");
  }
  return values;
}

/// The kernel of a file, which its name and parameters tell.
/// @throws error errc::kind for another kernel, errc::format for parameters that it cannot have, errc::checksum.
template <class K, class Store>
K read_kernel(const section_reader& in) {
  metadata_reader values = kernel_values<K, Store>(in);
  if constexpr (saves_kernel<K, Store> && requires {
                  { K::read_parameters(values) } -> std::same_as<K>;
                })
    return K::read_parameters(values);
  else
    return K{};
}

/// Refuses a file whose rows are for another kernel than this one, or for one with other parameters.
/// @throws error errc::kind, errc::checksum.
template <class K, class Store>
void require_kernel(const section_reader& in, const K& kernel) {
  metadata_reader values = kernel_values<K, Store>(in);
  if constexpr (saves_kernel<K, Store> && requires(metadata_writer & out) { kernel.write_parameters(out); }) {
    metadata_writer given;
    kernel.write_parameters(given);
    metadata_writer saved;
    K::read_parameters(values).write_parameters(saved);
    if (!std::ranges::equal(given.bytes(), saved.bytes()))
      raise(errc::kind, in.path(), ": section 'kernel': '", K::name, "' has other parameters than the one given");
  }
}

}  // namespace detail

}  // namespace embit::inline EMBIT_ABI
