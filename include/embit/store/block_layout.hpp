// Single rows of interleaved blocks, and how blocks of codes stand in a file.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/block_run.hpp>
#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/types.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Reads the code in lane `row` of interleaved blocks.
inline void copy_lane(const word* blocks, std::size_t words, std::size_t row, std::span<word> out) noexcept {
  const word* lane = blocks + row / block_rows * block_rows * words + row % block_rows;
  for (std::size_t w = 0; w < words; ++w) out[w] = lane[w * block_rows];
}

/// Writes a code into lane `row` of interleaved blocks.
inline void write_lane(word* blocks, std::size_t words, std::size_t row, const word* code) noexcept {
  word* lane = blocks + row / block_rows * block_rows * words + row % block_rows;
  for (std::size_t w = 0; w < words; ++w) lane[w * block_rows] = code[w];
}

/// @throws error errc::argument when row ids cannot number `rows` rows.
inline void require_row_count(std::size_t rows) {
  if (rows > (std::numeric_limits<row_id>::max)())
    raise(errc::argument, "codes: ", rows, " rows, more than the ", (std::numeric_limits<row_id>::max)(),
          " that row ids can number");
}

/// The kind of file that every store of binary codes writes. Its sections, in this order:
///   "shape"   u64 bits of a code, u64 rows; from version 2 on, u64 fingerprint of the encoder
///   "blocks"  ⌈rows / 8⌉ blocks of 8 · ⌈bits / 64⌉ words (see `block_run`), lanes beyond the last row zero
inline constexpr file_kind codes_file{"codes", 2};
/// As what codes are written: version 1 where nobody knows who made them.
constexpr file_kind codes_file_of(encoder_fingerprint fingerprint) noexcept {
  return {codes_file.name, fingerprint == 0 ? 1u : 2u};
}
inline constexpr std::string_view shape_section = "shape", blocks_section = "blocks";

struct code_shape {
  std::size_t bits = 0;
  std::size_t rows = 0;
  encoder_fingerprint fingerprint = 0;

  std::size_t words() const noexcept { return words_for(bits); }
  std::size_t block_words() const noexcept { return (rows + block_rows - 1) / block_rows * block_rows * words(); }
};

inline void write_shape(const section_writer& out, code_shape shape) {
  metadata_writer values;
  values.u64(shape.bits).u64(shape.rows);
  if (shape.fingerprint != 0) values.u64(shape.fingerprint);
  out.add(shape_section, std::move(values));
}

/// Adds the sections of a file of codes, whatever the store they are in. The store is read when the file is written.
template <class Store>
void write_codes(const section_writer& out, const Store& store) {
  write_shape(out, {store.bits(), store.size(), known_fingerprint(store)});
  out.add_stream(blocks_section, [&store](section_sink& sink) {
    std::vector<word> code(words_for(store.bits()));
    std::vector<word> blocks;
    for (std::size_t first = 0; first < store.size(); first += superblock_rows) {
      const std::size_t count = (std::min)(superblock_rows, store.size() - first);
      blocks.assign(code_shape{store.bits(), count, 0}.block_words(), 0);
      for (std::size_t i = 0; i < count; ++i) {
        store.copy_row(first + i, code);
        write_lane(blocks.data(), code.size(), i, code.data());
      }
      sink.write(std::span<const word>(blocks));
    }
  });
}

/// @throws error errc::format for a shape that cannot be, or that does not agree with the size of the blocks.
inline code_shape read_shape(const section_reader& in) {
  metadata_reader values = in.metadata(shape_section);
  const std::uint64_t bits = values.u64(), rows = values.u64();
  constexpr std::uint64_t most_bits = std::uint64_t{1} << 32;
  if (bits > most_bits || (bits == 0 && rows != 0)) values.refuse("codes of ", bits, " bits");
  if (rows > (std::numeric_limits<row_id>::max)()) values.refuse(rows, " rows, more than row ids can number");
  const encoder_fingerprint fingerprint = values.remaining() == 0 ? 0 : values.u64();
  const code_shape shape{static_cast<std::size_t>(bits), static_cast<std::size_t>(rows), fingerprint};
  if (const std::size_t found = in.count<word>(blocks_section); found != shape.block_words())
    raise(errc::format, in.path(), ": section '", blocks_section, "' at byte ", in.info(blocks_section).offset, ": ",
          found, " words where ", rows, " codes of ", bits, " bits take ", shape.block_words());
  return shape;
}

/// Refuses blocks with bits set where no code has any: beyond the width, or in lanes beyond the last row.
/// @throws error errc::format naming the file and the row.
inline void require_clean_blocks(const word* blocks, code_shape shape, std::string_view path) {
  const std::size_t words = shape.words();
  const word beyond = ~tail_mask(shape.bits);
  for (std::size_t row = 0; row < shape.rows && beyond != 0; ++row)
    if ((blocks[(row / block_rows * words + words - 1) * block_rows + row % block_rows] & beyond) != 0)
      raise(errc::format, path, ": section '", blocks_section, "': row ", row, " has bits set beyond its width of ",
            shape.bits);
  for (std::size_t row = shape.rows; row % block_rows != 0; ++row)
    for (std::size_t w = 0; w < words; ++w)
      if (blocks[(row / block_rows * words + w) * block_rows + row % block_rows] != 0)
        raise(errc::format, path, ": section '", blocks_section, "': bits set after the last of ", shape.rows, " rows");
}

}  // namespace embit::inline EMBIT_ABI::detail
