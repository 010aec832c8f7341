// What a recurrent encoder knows, as the sections of a file.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/encode/detail/recurrent/codes.hpp>
#include <embit/io/container_layout.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>
#include <embit/io/metadata.hpp>
#include <embit/kernel/gemm.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// The kind of file that recurrent encoders write. Its sections, in this order:
///   "shape"    u64 dimensions of rows, u64 of codes, u64 width of hidden layers, u32 loops, f32 deviation
///   "mean"     f32 a dimension of rows
///   "weights"  f32: of the first block, and of two for every loop, first the one that rebuilds rows, the hidden layer
///              (width × input), its bias, the output layer (output × (input + width)), its bias
///   "compatible"  from version 2 on, u64 fingerprint of the encoder whose codes these are compared with
inline constexpr file_kind recurrent_file{"recurrent", 2};

inline void write_rows(section_sink& sink, const row_panels& rows) {
  std::vector<float> row(rows.dim());
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    rows.copy_row(i, row);
    sink.write(std::span<const float>(row));
  }
}

inline void write_block(section_sink& sink, const packed_block& block) {
  write_rows(sink, block.hidden);
  sink.write(std::span<const float>(block.hidden_bias));
  write_rows(sink, block.output);
  sink.write(std::span<const float>(block.output_bias));
}

inline bool is_compatible(const recurrent_codes& codes) { return codes.fingerprint != codes.hash(); }

inline void write_recurrent(const section_writer& out, const recurrent_codes& codes) {
  metadata_writer shape;
  shape.u64(codes.dim()).u64(codes.dims()).u64(codes.project.hidden_bias.size());
  shape.u32(static_cast<std::uint32_t>(codes.loops())).f32(codes.deviation);
  out.add("shape", std::move(shape));
  out.add("mean", std::span<const float>(codes.mean));
  out.add_stream("weights", [&codes](section_sink& sink) {
    write_block(sink, codes.project);
    for (std::size_t t = 0; t < codes.loops(); ++t) {
      write_block(sink, codes.rebuild[t]);
      write_block(sink, codes.refine[t]);
    }
  });
  if (is_compatible(codes)) {
    metadata_writer other;
    other.u64(codes.fingerprint);
    out.add("compatible", std::move(other));
  }
}

/// Takes matrices off the numbers of a section, one after another.
class weight_source {
 public:
  weight_source(const section_reader& in, std::span<const float> weights) : in_(&in), left_(weights) {}

  matrix_view<const float> take(std::uint64_t rows, std::uint64_t cols) {
    if (cols != 0 && rows > left_.size() / cols)
      refuse(left_.size(), " numbers are left where ", rows, " x ", cols, " are expected");
    const auto count = static_cast<std::size_t>(rows * cols);
    const matrix_view<const float> values(left_.data(), static_cast<std::size_t>(rows), static_cast<std::size_t>(cols));
    left_ = left_.subspan(count);
    return values;
  }

  packed_block take_block(std::uint64_t in, std::uint64_t hidden, std::uint64_t out) {
    const auto hidden_weight = take(hidden, in), hidden_bias = take(1, hidden);
    const auto output_weight = take(out, in + hidden), output_bias = take(1, out);
    return packed_block(hidden_weight, hidden_bias[0], output_weight, output_bias[0]);
  }

  void require_end() const {
    if (!left_.empty()) refuse(left_.size(), " numbers too many");
  }

 private:
  template <class... Parts>
  [[noreturn]] EMBIT_COLD void refuse(const Parts&... parts) const {
    raise(errc::format, in_->path(), ": section 'weights' at byte ", in_->info("weights").offset, ": ", parts...);
  }

  const section_reader* in_;
  std::span<const float> left_;
};

/// @throws error errc::format for what no encoder is made of, errc::checksum, errc::io.
inline recurrent_codes read_recurrent(const section_reader& in) {
  metadata_reader shape = in.metadata("shape");
  constexpr std::uint64_t most = std::uint64_t{1} << 32;  // of which sums and products of two do not overflow
  const std::uint64_t dim = shape.u64(), dims = shape.u64(), hidden = shape.u64();
  if (dim == 0 || dim > most || dims == 0 || dims > most || hidden > most)
    shape.refuse(dims, " dimensions of codes for ", dim, " of rows with hidden layers of ", hidden);
  const std::uint32_t loops = shape.u32();
  if (loops > recurrent_codes::most_loops) shape.refuse(loops, " loops");
  const float deviation = shape.f32();
  if (!is_positive(deviation)) shape.refuse("a deviation of ", deviation);

  const auto mean = in.array<float>("mean", dim), weights = in.array<float>("weights");
  if (!all_finite(mean.data(), mean.size()) || !all_finite(weights.data(), weights.size()))
    raise(errc::format, in.path(), ": sections 'mean' and 'weights': not finite");
  weight_source source(in, weights);
  recurrent_codes codes{{mean.begin(), mean.end()}, deviation, source.take_block(dim, hidden, dims), {}, {}, 0};
  for (std::uint32_t t = 0; t < loops; ++t) {
    codes.rebuild.push_back(source.take_block(dims, hidden, dim));
    codes.refine.push_back(source.take_block(dim, hidden, dims));
  }
  source.require_end();
  if (in.contains("compatible")) codes.fingerprint = in.metadata("compatible").u64();
  return codes;
}

}  // namespace embit::inline EMBIT_ABI::detail
