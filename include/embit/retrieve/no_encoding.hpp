// For a retriever over an index that takes queries as they are.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>

namespace embit::inline EMBIT_ABI {

/// The encoder of a `retriever` whose index encodes rows and queries itself, as `ivf_levels` does.
struct no_encoding {
  static constexpr file_kind file{"no_encoding", 1};

  /// It has no sections.
  void write_to(const section_writer&) const {}
  static no_encoding read_from(const section_reader&) { return {}; }
};

}  // namespace embit::inline EMBIT_ABI
