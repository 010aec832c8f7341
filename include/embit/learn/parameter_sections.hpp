// The parameters of a model as sections of a file.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/io/matrix_section.hpp>
#include <embit/learn/parameter.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Adds the values of parameters, in their order, as sections "0", "1" and so on; they are copied.
inline void write_parameters(const section_writer& out, std::span<parameter* const> parameters) {
  for (std::size_t i = 0; i < parameters.size(); ++i) detail::add_matrix(out, std::to_string(i), parameters[i]->value);
}

/// Sets the values of parameters, in their order, to what `write_parameters` wrote of as many of the same shapes.
/// @throws error errc::format for another number or other shapes, and for numbers that are not finite, errc::checksum,
/// errc::io; no parameter has changed then.
inline void read_parameters(const section_reader& in, std::span<parameter* const> parameters) {
  std::vector<matrix<float>> values;
  values.reserve(parameters.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    values.push_back(detail::take_matrix(in, std::to_string(i)));
    const matrix<float>& is = parameters[i]->value;
    if (values[i].rows() != is.rows() || values[i].cols() != is.cols())
      raise(errc::format, in.path(), ": section '", i, "': parameters of ", values[i].rows(), " x ", values[i].cols(),
            " where the model has ", is.rows(), " x ", is.cols());
  }
  if (in.contains(std::to_string(parameters.size())))
    raise(errc::format, in.path(), ": section '", parameters.size(), "': more parameters than the model has");
  for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i]->value = std::move(values[i]);
}

}  // namespace embit::inline EMBIT_ABI
