// A matrix of floats as one section of a file.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

namespace embit::inline EMBIT_ABI::detail {

/// The bytes of a section: u64 rows, u64 columns, then the numbers row after row.
inline void write_matrix(section_sink& sink, const matrix<float>& values) {
  const std::uint64_t shape[2] = {values.rows(), values.cols()};
  sink.write(std::span<const std::uint64_t>(shape));
  sink.write(values.values());
}

/// Adds such a section, taking the numbers over.
inline void add_matrix(const section_writer& out, std::string_view name, matrix<float> values) {
  out.add_stream(name, [held = std::move(values)](section_sink& sink) { write_matrix(sink, held); });
}
inline void add_matrix(const section_writer& out, std::string_view name, std::span<const float> row) {
  add_matrix(out, name, matrix<float>(matrix_view<const float>(row.data(), row.empty() ? 0 : 1, row.size())));
}

/// @throws error errc::format when a number of a section is not finite.
template <class T>
void require_finite_section(const section_reader& in, std::string_view name, std::span<const T> numbers) {
  if (all_finite(numbers.data(), numbers.size())) return;
  for (std::size_t i = 0; i < numbers.size(); ++i)
    if (!is_finite(numbers[i]))
      raise(errc::format, in.path(), ": section '", name, "' at byte ", in.info(name).offset, ": number ", i,
            " is not finite");
}

/// What `add_matrix` wrote.
/// @throws error errc::format for a size that does not agree with the shape and numbers that are not finite,
/// errc::checksum, errc::io.
inline matrix<float> take_matrix(const section_reader& in, std::string_view name) {
  const auto bytes = in.array<std::byte>(name);
  const auto refuse = [&](const auto&... parts) {
    raise(errc::format, in.path(), ": section '", name, "' at byte ", in.info(name).offset, ": ", parts...);
  };
  std::uint64_t shape[2];
  if (bytes.size() < sizeof shape) refuse(bytes.size(), " bytes are no matrix");
  std::memcpy(shape, bytes.data(), sizeof shape);
  const std::uint64_t count = (bytes.size() - sizeof shape) / sizeof(float);
  const bool fits = shape[1] == 0 ? count == 0 && shape[0] == 0 : shape[0] <= count / shape[1];
  if (!fits || shape[0] * shape[1] * sizeof(float) != bytes.size() - sizeof shape)
    refuse(bytes.size() - sizeof shape, " bytes of numbers for ", shape[0], " x ", shape[1]);
  auto values = matrix<float>::uninitialized(static_cast<std::size_t>(shape[0]), static_cast<std::size_t>(shape[1]));
  if (count != 0)
    std::memcpy(values.data(), bytes.data() + sizeof shape, static_cast<std::size_t>(count) * sizeof(float));
  require_finite_section(in, name, std::span<const float>(values.values()));
  return values;
}

}  // namespace embit::inline EMBIT_ABI::detail
