// Everything random and fitted of an encoding as plain numbers: what is drawn, given, saved and hashed.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/buffer.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/random.hpp>
#include <embit/kernel/token_sums.hpp>
#include <embit/multivector/muvera_options.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Signs of a Walsh–Hadamard transform in place, in double.
inline void hadamard_of(std::span<double> x) {
  for (std::size_t step = 1; step < x.size(); step *= 2)
    for (std::size_t i = 0; i < x.size(); ++i)
      if ((i & step) == 0) {
        const double a = x[i], b = x[i + step];
        x[i] = a + b;
        x[i + step] = a - b;
      }
}

struct muvera_parts {
  muvera_options options;
  muvera_centers centers;
  std::vector<float> planes;                  ///< Gaussian: row after row
  std::vector<float> flips;                   ///< structured: as hadamard_planes has them
  std::vector<std::uint32_t> transform_rows;  ///< likewise
  std::vector<float> dense;
  std::vector<std::uint32_t> sketch;        ///< 2 · column + negative, of every dimension of every repetition
  std::vector<std::uint32_t> final_sketch;  ///< likewise, of every number of an encoding

  std::size_t plane_count() const noexcept { return options.repetitions * options.simhash_bits; }
  std::size_t columns() const noexcept { return projected_columns(options); }
  std::size_t unprojected_dim() const noexcept { return options.repetitions * (columns() << options.simhash_bits); }
  std::size_t transform_size() const noexcept { return std::bit_ceil(options.dim); }

  /// Plane `index` as a vector of `options.dim` numbers; whole ones, of no particular length, where it is structured.
  void copy_plane(std::size_t index, std::span<double> out) const {
    if (options.planes == fde_planes::gaussian) {
      for (std::size_t j = 0; j < options.dim; ++j) out[j] = double{planes[index * options.dim + j]};
      return;
    }
    // A row of H·D₃·H·D₂·H·D₁ is D₁·H·D₂·H·D₃·H of the unit vector.
    const std::size_t size = transform_size();
    std::vector<double> x(size, 0.);
    x[transform_rows[index]] = 1;
    for (std::size_t round = hadamard_planes::rounds; round-- > 0;) {
      hadamard_of(x);
      const float* signs = flips.data() + (index / size * hadamard_planes::rounds + round) * size;
      for (std::size_t j = 0; j < size; ++j) x[j] *= double{signs[j]};
    }
    std::copy_n(x.begin(), options.dim, out.begin());
  }
};

/// ±1, the sign from a random bit.
template <class Engine>
float random_sign(Engine& engine) {
  return (random_bits(engine) >> 63) != 0 ? -1.f : 1.f;
}

/// A count-sketch of `dim` numbers into `columns`, all of which get as many, give or take one.
template <class Engine>
void draw_sketch(std::size_t dim, std::size_t columns, std::vector<std::uint32_t>& out, Engine& engine) {
  std::vector<std::uint32_t> order(dim);
  std::iota(order.begin(), order.end(), std::uint32_t{0});
  shuffle(std::span<std::uint32_t>(order), engine);
  const std::size_t first = out.size();
  out.resize(first + dim);
  for (std::size_t i = 0; i < dim; ++i) {
    const auto negative = static_cast<std::uint32_t>(random_bits(engine) >> 63);
    out[first + order[i]] = static_cast<std::uint32_t>(2 * (i % columns)) + negative;
  }
}

/// Planes, projections and the last sketch come from three streams of their own: each is the same whatever the others
/// are, and fewer repetitions are the first ones of more.
template <std::uniform_random_bit_generator Engine>
muvera_parts draw_parts(const muvera_options& options, Engine& engine) {
  require_options(options);
  const rng base(random_bits(engine));
  muvera_parts parts;
  parts.options = options;
  rng stream = base.split(0);
  if (options.planes == fde_planes::gaussian) {
    parts.planes.resize(parts.plane_count() * options.dim);
    for (float& x : parts.planes) x = normal(stream);
  } else {
    const std::size_t size = parts.transform_size();
    std::vector<std::uint32_t> order(size);
    while (parts.transform_rows.size() < parts.plane_count()) {
      for (std::size_t i = 0; i < hadamard_planes::rounds * size; ++i) parts.flips.push_back(random_sign(stream));
      std::iota(order.begin(), order.end(), std::uint32_t{0});
      shuffle(std::span<std::uint32_t>(order), stream);
      const std::size_t used = (std::min)(size, parts.plane_count() - parts.transform_rows.size());
      parts.transform_rows.insert(parts.transform_rows.end(), order.begin(),
                                  order.begin() + static_cast<std::ptrdiff_t>(used));
    }
  }
  stream = base.split(1);
  if (!keeps_tokens(options)) {
    if (options.projection == fde_projection::dense) {
      const float size = 1 / std::sqrt(static_cast<float>(options.projected_dim));
      parts.dense.resize(options.repetitions * options.projected_dim * options.dim);
      for (float& x : parts.dense) x = random_sign(stream) * size;
    } else {
      for (std::size_t r = 0; r < options.repetitions; ++r)
        draw_sketch(options.dim, options.projected_dim, parts.sketch, stream);
    }
  }
  stream = base.split(2);
  if (options.final_dim != 0) draw_sketch(parts.unprojected_dim(), options.final_dim, parts.final_sketch, stream);
  return parts;
}

inline std::vector<std::uint32_t> given_sketch(std::span<const std::uint32_t> columns, std::span<const float> signs,
                                               std::size_t count, std::size_t bound, std::string_view what) {
  if (columns.size() != count || signs.size() != count)
    raise(errc::shape, "muvera: ", what, " of ", columns.size(), " columns and ", signs.size(), " signs where ", count,
          " of each are needed");
  std::vector<std::uint32_t> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (columns[i] >= bound)
      raise(errc::out_of_range, "muvera: ", what, ": column ", columns[i], " of ", bound, " for number ", i);
    if (signs[i] != 1.f && signs[i] != -1.f)
      raise(errc::argument, "muvera: ", what, ": sign ", signs[i], " for number ", i);
    out[i] = 2 * columns[i] + (signs[i] < 0);
  }
  return out;
}

inline std::vector<float> given_rows(matrix_view<const float> rows, std::size_t count, std::size_t dim,
                                     std::string_view what) {
  if (rows.rows() != count || (count != 0 && rows.cols() != dim))
    raise(errc::shape, "muvera: ", what, " of ", rows.rows(), " x ", rows.cols(), " where ", count, " x ", dim,
          " are needed");
  require_finite(rows, what);
  std::vector<float> out;
  for (std::size_t i = 0; i < count; ++i) out.insert(out.end(), rows[i].begin(), rows[i].end());
  return out;
}

/// @throws error errc::argument, errc::shape, errc::out_of_range or errc::not_finite for what does not fit.
inline muvera_parts given_parts(const muvera_options& options, const muvera_matrices& given) {
  require_options(options);
  if (options.planes != fde_planes::gaussian) raise(errc::argument, "muvera: structured planes cannot be given");
  muvera_parts parts;
  parts.options = options;
  parts.planes = given_rows(given.planes, parts.plane_count(), options.dim, "planes");
  if (!keeps_tokens(options)) {
    if (options.projection == fde_projection::dense)
      parts.dense =
          given_rows(given.projection, options.repetitions * options.projected_dim, options.dim, "projection");
    else
      parts.sketch = given_sketch(given.sketch_columns, given.sketch_signs, options.repetitions * options.dim,
                                  options.projected_dim, "sketch");
  }
  if (options.final_dim != 0)
    parts.final_sketch = given_sketch(given.final_columns, given.final_signs, parts.unprojected_dim(),
                                      options.final_dim, "final sketch");
  return parts;
}

/// The same numbers as the loops of the kernel want them.
inline token_plan make_plan(const muvera_parts& parts) {
  const muvera_options& o = parts.options;
  token_plan plan;
  plan.dim = o.dim;
  plan.repetitions = o.repetitions;
  plan.bits = o.simhash_bits;
  plan.columns = parts.columns();
  if (o.planes == fde_planes::gaussian) {
    plan.planes = product_rows(parts.planes, o.dim);
  } else {
    plan.structured.size = parts.transform_size();
    plan.structured.flips.assign(parts.flips.begin(), parts.flips.end());
    plan.structured.rows = parts.transform_rows;
  }
  plan.thresholds.assign(round_up(parts.plane_count(), product_group), 0.f);
  if (!parts.centers.hash.empty()) {
    std::vector<double> plane(o.dim);
    for (std::size_t j = 0; j < parts.plane_count(); ++j) {
      parts.copy_plane(j, plane);
      double product = 0;
      for (std::size_t i = 0; i < o.dim; ++i) product += plane[i] * double{parts.centers.hash[i]};
      plan.thresholds[j] = static_cast<float>(product);
    }
  }
  if (keeps_tokens(o)) return plan;
  if (o.projection == fde_projection::dense) {
    plan.projection = token_projection::dense;
    plan.dense = product_rows(parts.dense, o.dim);
    return plan;
  }
  plan.projection = token_projection::sketch;
  for (std::size_t r = 0; r < o.repetitions; ++r)
    for (std::size_t c = 0; c < plan.columns; ++c) {
      for (std::size_t j = 0; j < o.dim; ++j) {
        const std::uint32_t place = parts.sketch[r * o.dim + j];
        if (place / 2 == c) plan.sketch_rows.push_back(plan.signed_row(j, place % 2 != 0));
      }
      plan.sketch_ends.push_back(static_cast<std::uint32_t>(plan.sketch_rows.size()));
    }
  return plan;
}

/// ψ of one vector, repetition by repetition, each filled up to whole vectors.
inline aligned_vector<float> project_vector(const muvera_parts& parts, const token_plan& plan,
                                            std::span<const float> x) {
  aligned_vector<float> out(plan.repetitions * plan.stride(), 0.f);
  const std::size_t dim = plan.dim;
  for (std::size_t r = 0; r < plan.repetitions; ++r) {
    float* at = out.data() + r * plan.stride();
    for (std::size_t j = 0; j < dim; ++j) {
      if (plan.projection == token_projection::identity) {
        at[j] = x[j];
      } else if (plan.projection == token_projection::dense) {
        for (std::size_t c = 0; c < plan.columns; ++c) at[c] += parts.dense[(r * plan.columns + c) * dim + j] * x[j];
      } else {
        const std::uint32_t place = parts.sketch[r * dim + j];
        at[place / 2] += place % 2 != 0 ? -x[j] : x[j];
      }
    }
  }
  return out;
}

/// The rank of a code as a Gray code whose highest bit is the sign of the first plane.
inline std::uint32_t gray_place(std::size_t code, std::size_t bits) {
  std::uint32_t place = 0;
  for (std::size_t b = 0; b < bits; ++b)
    place = (place << 1) + (static_cast<std::uint32_t>(code >> b & 1) ^ (place & 1));
  return place;
}

inline document_form make_form(const muvera_parts& parts, const token_plan& plan) {
  document_form form;
  form.fill = parts.options.fill_empty;
  form.unit = parts.options.partitions == fde_partitions::unit;
  if (parts.options.order == fde_order::gray)
    for (std::size_t code = 0; code < plan.partitions(); ++code) form.places.push_back(gray_place(code, plan.bits));
  if (!parts.centers.document_values.empty()) form.shifts = project_vector(parts, plan, parts.centers.document_values);
  return form;
}

/// FNV-1a over everything that an encoding depends on.
inline std::uint64_t fingerprint_of(const muvera_parts& parts) {
  std::uint64_t state = 0xcbf29ce484222325u;
  const auto add = [&state](std::uint64_t bits) { state = (state ^ bits) * 0x100000001b3u; };
  const auto add_all = [&add](const auto& numbers) {
    add(numbers.size());
    for (const auto x : numbers) add(std::bit_cast<std::uint32_t>(x));
  };
  const muvera_options& o = parts.options;
  constexpr std::uint64_t version = 1;
  for (const std::uint64_t x :
       {version, std::uint64_t{o.dim}, std::uint64_t{o.repetitions}, std::uint64_t{o.simhash_bits},
        std::uint64_t{parts.columns()}, std::uint64_t{o.final_dim}})
    add(x);
  add(static_cast<std::uint64_t>(o.partitions));
  add(static_cast<std::uint64_t>(o.order));
  add(o.fill_empty);
  add_all(parts.planes);
  add_all(parts.flips);
  add_all(parts.transform_rows);
  add_all(parts.dense);
  add_all(parts.sketch);
  add_all(parts.final_sketch);
  add_all(parts.centers.hash);
  add_all(parts.centers.document_values);
  return state;
}

}  // namespace embit::inline EMBIT_ABI::detail
