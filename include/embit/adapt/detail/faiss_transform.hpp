// FAISS's vector transforms, joined to the one affine map whose signs are the bits.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/adapt/detail/faiss_file.hpp>
#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/encode/sign_projection.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// y = A x + b as FAISS writes it; `a` is empty where the transform was never trained.
struct faiss_linear {
  std::size_t dim_in = 0, dim_out = 0;
  bool trained = false;
  std::vector<float> a;  // dim_out × dim_in
  std::vector<float> b;  // dim_out, or empty
};

struct faiss_dims {
  std::size_t in, out;
  bool trained;
};

/// What every transform ends with.
inline faiss_dims read_faiss_dims(faiss_reader& in) {
  const auto dim_in = in.size<std::int32_t>("d_in"), dim_out = in.size<std::int32_t>("d_out");
  return {static_cast<std::size_t>(dim_in), static_cast<std::size_t>(dim_out), in.flag("is_trained")};
}

/// A linear transform of any kind, its tag read before.
inline faiss_linear read_faiss_linear(faiss_reader& in, const faiss_tag& tag) {
  if (tag == "Pcam" || tag == "PcAm" || tag == "PCAm") {
    in.value<float>("eigen_power");
    if (tag == "Pcam") in.value<float>("epsilon");
    in.flag("random_rotation");
    if (!(tag == "PCAm")) in.value<std::int32_t>("balanced_bins");
    for (const std::string_view part : {"mean", "eigenvalues", "PCAMat"}) in.skip(part, sizeof(float));
  } else if (tag == "Viqm") {
    in.value<std::int32_t>("max_iter");
    in.value<std::int32_t>("seed");
  } else if (!(tag == "LTra" || tag == "rrot")) {
    in.refuse_kind(tag, "a linear transform");
  }
  const bool biased = in.flag("have_bias");
  faiss_linear linear;
  linear.a = in.finite_vector("A");
  linear.b = in.finite_vector("b");
  const faiss_dims dims = read_faiss_dims(in);
  linear.dim_in = dims.in;
  linear.dim_out = dims.out;
  linear.trained = dims.trained;
  if (dims.trained && (dims.in == 0 || dims.out == 0 || linear.a.size() % dims.in != 0 ||
                       linear.a.size() / dims.in != dims.out || (biased && linear.b.size() != dims.out)))
    in.refuse("A of ", linear.a.size(), " and b of ", linear.b.size(), " elements where ", dims.in, " to ", dims.out,
              " dimensions are mapped");
  if (!biased) linear.b.clear();
  return linear;
}

/// Affine maps one after another. Division by the norm, which does not change signs, may come in between where nothing
/// is added later on.
class faiss_chain {
 public:
  explicit faiss_chain(std::size_t dim) : dim_(dim), width_(dim), offsets_(0) {}

  /// Dimensions of what goes in, and of what has come out so far.
  std::size_t dim() const noexcept { return dim_; }
  std::size_t width() const noexcept { return width_; }

  void apply(const faiss_reader& in, const faiss_linear& next) {
    if (!next.trained) in.refuse("a transform that is not trained");
    require_width(in, next.dim_in);
    std::vector<double> offsets(next.dim_out, 0.);
    for (std::size_t j = 0; j < next.dim_out && !offsets_.empty(); ++j)
      for (std::size_t i = 0; i < next.dim_in; ++i) offsets[j] += double{next.a[j * next.dim_in + i]} * offsets_[i];
    matrix<float> joined = first_rows(in, next.dim_out);
    std::vector<double> row(dim_);
    for (std::size_t j = 0; j < next.dim_out; ++j) {
      const std::span<const float> weights = std::span(next.a).subspan(j * next.dim_in, next.dim_in);
      if (planes_.empty()) {
        std::ranges::copy(weights, joined[j].begin());
        continue;
      }
      std::ranges::fill(row, 0.);
      for (std::size_t i = 0; i < next.dim_in; ++i)
        for (std::size_t k = 0; k < dim_; ++k) row[k] += double{weights[i]} * double{planes_[i][k]};
      std::ranges::transform(row, joined[j].begin(), [](double x) { return static_cast<float>(x); });
    }
    planes_ = std::move(joined);
    offsets_ = std::move(offsets);
    width_ = next.dim_out;
    add(in, next.b, 1.);
  }

  /// Adds `factor` times a vector.
  void add(const faiss_reader& in, std::span<const float> vector, double factor) {
    if (std::ranges::all_of(vector, [](float x) { return x == 0; })) return;
    require_width(in, vector.size());
    if (normalized_)
      raise(errc::unsupported, in.path(), ": adds a vector after dividing by the norm, which no linear map does");
    offsets_.resize(width_, 0.);
    for (std::size_t j = 0; j < width_; ++j) offsets_[j] += factor * double{vector[j]};
  }

  void normalize() noexcept { normalized_ = true; }

  void require_width(const faiss_reader& in, std::size_t width) const {
    if (width != width_) in.refuse("a transform of ", width, " dimensions after one that gives ", width_);
  }

  /// The encoder whose bit j is set where output j is at least `thresholds[j]`, as in FAISS: at least, not above.
  sign_projection signs(const faiss_reader& in, std::size_t bits, std::span<const float> thresholds = {}) {
    if (bits == 0 || bits > width_) in.refuse(bits, " bits where 1 to ", width_, " dimensions can be had");
    if (!thresholds.empty()) add(in, thresholds, -1.);
    matrix<float> planes = first_rows(in, bits);
    for (std::size_t j = 0; j < bits; ++j) {
      if (planes_.empty())
        std::ranges::fill(planes[j], 0.f), planes[j][j] = 1.f;
      else
        std::ranges::copy(planes_[j], planes[j].begin());
    }
    std::vector<float> above(bits);
    for (std::size_t j = 0; j < bits; ++j) above[j] = just_below(offsets_.empty() ? 0. : -offsets_[j]);
    for (const float x : planes.values()) require_finite(in, x);
    for (const float x : above) require_finite(in, x);
    return sign_projection(planes, above);
  }

 private:
  /// x >= bound where x > just_below(bound), for every float x.
  static float just_below(double bound) noexcept {
    const auto end = infinity<float>();
    auto x = static_cast<float>(bound);
    if (double{x} < bound) x = std::nextafter(x, end);
    return std::nextafter(x, -end);
  }

  static void require_finite(const faiss_reader& in, float x) {
    if (!is_finite(x)) raise(errc::not_finite, in.path(), ": the joined transforms are beyond the range of floats");
  }

  /// Room for planes. A product, and the unit vectors, may be larger than the file that they come from.
  matrix<float> first_rows(const faiss_reader& in, std::size_t rows) const {
    constexpr std::size_t most = std::size_t{1} << 24;
    if (dim_ == 0 || rows > most / dim_)
      raise(errc::unsupported, in.path(), ": ", rows, " planes of ", dim_, " dimensions; ", most,
            " elements in all are possible");
    return matrix<float>(rows, dim_);
  }

  std::size_t dim_, width_;
  matrix<float> planes_;         // width × dim; none stand for the unit vectors
  std::vector<double> offsets_;  // width, or none for zeros
  bool normalized_ = false;
};

/// Where a chain begins: no dimension is known before the first transform is read.
inline faiss_chain& begin_chain(std::vector<faiss_chain>& chain, std::size_t dim) {
  if (chain.empty()) chain.emplace_back(dim);
  return chain.front();
}

/// Reads one transform and puts it at the end of the chain.
inline void read_faiss_transform(faiss_reader& in, std::vector<faiss_chain>& chain) {
  const faiss_tag tag = in.tag("transform");
  if (tag == "VCnt") {
    const auto mean = in.finite_vector("mean");
    const faiss_dims dims = read_faiss_dims(in);
    if (!dims.trained || mean.size() != dims.in || dims.out != dims.in)
      in.refuse("a mean of ", mean.size(), " elements for ", dims.in, " to ", dims.out, " dimensions");
    faiss_chain& all = begin_chain(chain, dims.in);
    all.require_width(in, dims.in);
    all.add(in, mean, -1.);
  } else if (tag == "VNrm") {
    in.value<float>("norm");
    const faiss_dims dims = read_faiss_dims(in);
    if (dims.out != dims.in) in.refuse("normalization of ", dims.in, " to ", dims.out, " dimensions");
    faiss_chain& all = begin_chain(chain, dims.in);
    all.require_width(in, dims.in);
    all.normalize();
  } else if (tag == "Viqt") {
    const auto mean = in.finite_vector("mean");
    in.flag("do_pca");
    read_faiss_linear(in, in.tag("itq"));  // is a factor of the next one already
    const faiss_linear both = read_faiss_linear(in, in.tag("pca_then_itq"));
    const faiss_dims dims = read_faiss_dims(in);
    if (!dims.trained || mean.size() != dims.in || both.dim_in != dims.in || both.dim_out != dims.out)
      in.refuse("a mean of ", mean.size(), " elements and a map of ", both.dim_in, " to ", both.dim_out, " for ",
                dims.in, " to ", dims.out, " dimensions");
    faiss_chain& all = begin_chain(chain, dims.in);
    all.require_width(in, dims.in);
    all.add(in, mean, -1.);
    all.normalize();
    all.apply(in, both);
  } else if (tag == "LTra" || tag == "rrot" || tag == "Viqm" || tag == "Pcam" || tag == "PcAm" || tag == "PCAm") {
    const faiss_linear linear = read_faiss_linear(in, tag);
    begin_chain(chain, linear.dim_in).apply(in, linear);
  } else {
    in.refuse_kind(tag, "a linear, centering, normalizing or ITQ transform");
  }
}

}  // namespace embit::inline EMBIT_ABI::detail
