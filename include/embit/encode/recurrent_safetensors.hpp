// Recurrent encoders as safetensors: trained elsewhere and served here, or the other way round.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/finite.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/encode/detail/recurrent/codes.hpp>
#include <embit/encode/recurrent.hpp>
#include <embit/io/dtype.hpp>
#include <embit/io/safetensors.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

namespace detail {

inline std::string shape_text(std::span<const std::size_t> shape) {
  std::string text = "[";
  for (const std::size_t n : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(n);
  }
  return text + ']';
}

/// Takes tensors out of a file, each in the one shape that it must have, and knows which are left.
class tensor_source {
 public:
  explicit tensor_source(std::string path) : file_(std::move(path)), taken_(file_.tensors().size()) {}

  bool contains(const std::string& name) const noexcept { return file_.find(name) != nullptr; }

  const std::vector<std::size_t>& shape_of(const std::string& name) const {
    const safetensor* found = file_.find(name);
    if (found == nullptr) raise(errc::format, file_.path(), ": tensor '", name, "' is missing");
    return found->shape;
  }

  /// One dimension becomes a row here.
  matrix<float> take(const std::string& name, const std::vector<std::size_t>& shape) {
    const auto& found = shape_of(name);
    if (found != shape)
      raise(errc::shape, file_.path(), ": tensor '", name, "' is ", shape_text(found), " where ", shape_text(shape),
            " is needed");
    const safetensor& tensor = *file_.find(name);
    if (tensor.numbers && !is_float(*tensor.numbers))
      raise(errc::argument, file_.path(), ": tensor '", name, "' holds ", tensor.type, ", not floats");
    pass_over(name);
    matrix<float> values = file_.read(name);
    if (shape.size() == 1) values = matrix<float>(matrix_view<const float>(values.data(), 1, shape[0]));
    require_finite(values.view(), file_.path() + ": tensor '" + name + "'");
    return values;
  }

  /// A tensor that is there but says nothing.
  void pass_over(const std::string& name) noexcept {
    for (std::size_t i = 0; i < taken_.size(); ++i)
      if (file_.tensors()[i].name == name) taken_[i] = true;
  }

  void require_all_taken() const {
    for (std::size_t i = 0; i < taken_.size(); ++i)
      if (!taken_[i])
        raise(errc::format, file_.path(), ": tensor '", file_.tensors()[i].name, "' ",
              shape_text(file_.tensors()[i].shape), " is none of a recurrent encoder of this form");
  }

  template <class... Parts>
  [[noreturn]] EMBIT_COLD void refuse(const std::string& name, const Parts&... parts) const {
    raise(errc::format, file_.path(), ": tensor '", name, "': ", parts...);
  }

 private:
  safetensors_reader file_;
  std::vector<bool> taken_;
};

/// A normalization `name`, folded into the layer before it.
inline void fold_norm(tensor_source& from, const std::string& name, matrix<float>& weight, matrix<float>& bias) {
  const std::size_t width = weight.rows();
  const auto gain = from.take(name + "weight", {width}), shift = from.take(name + "bias", {width}),
             mean = from.take(name + "running_mean", {width}), variance = from.take(name + "running_var", {width});
  const double epsilon = from.contains(name + "eps") ? double{from.take(name + "eps", {1})[0][0]} : 1e-5;
  from.pass_over(name + "num_batches_tracked");
  for (std::size_t k = 0; k < width; ++k) {
    const double spread = double{variance[0][k]} + epsilon;
    if (!is_positive(spread))
      from.refuse(name + "running_var", "number ", k, " is ", variance[0][k], ", with eps ", spread);
    const double factor = double{gain[0][k]} / std::sqrt(spread);
    for (float& w : weight[k]) w = static_cast<float>(double{w} * factor);
    bias[0][k] = static_cast<float>((double{bias[0][k]} - double{mean[0][k]}) * factor + double{shift[0][k]});
  }
  require_finite(weight.view(), name + "weight, folded");
  require_finite(bias.view(), name + "bias, folded");
}

inline packed_block take_block(tensor_source& from, const std::string& name, std::size_t in, std::size_t width,
                               std::size_t out) {
  const auto skip = from.take(name + "skip.weight", {out, in});
  const auto bias = from.take(name + "skip.bias", {out});
  matrix<float> hidden(0, in), hidden_bias(1, 0), output(out, 0);
  if (width != 0) {
    const bool normalized = from.contains(name + "norm.weight");
    hidden = from.take(name + "hidden.weight", {width, in});
    if (normalized && !from.contains(name + "hidden.bias"))
      hidden_bias = matrix<float>(1, width, 0.f);
    else
      hidden_bias = from.take(name + "hidden.bias", {width});
    if (normalized) fold_norm(from, name + "norm.", hidden, hidden_bias);
    output = from.take(name + "output.weight", {out, width});
  }
  matrix<float> joined(out, in + width);
  for (std::size_t i = 0; i < out; ++i) std::ranges::copy(output[i], std::ranges::copy(skip[i], joined[i].begin()).out);
  return packed_block(hidden, hidden_bias.values(), joined, bias.values());
}

inline void add_block(safetensors_writer& to, const std::string& name, const packed_block& block) {
  const std::size_t in = block.in(), width = block.hidden_bias.size(), out = block.out();
  matrix<float> skip(out, in), output(out, width);
  std::vector<float> row(in + width);
  for (std::size_t i = 0; i < out; ++i) {
    block.output.copy_row(i, row);
    std::copy_n(row.begin(), in, skip[i].begin());
    std::copy_n(row.end() - static_cast<std::ptrdiff_t>(width), width, output[i].begin());
  }
  const auto vector = [](const std::vector<float>& values) {
    return matrix_view<const float>(values.data(), 1, values.size());
  };
  to.add(name + "skip.weight", skip);
  to.add(name + "skip.bias", vector(block.output_bias), true);
  if (width == 0) return;
  to.add(name + "hidden.weight", block.hidden.unpacked());
  to.add(name + "hidden.bias", vector(block.hidden_bias), true);
  to.add(name + "output.weight", output);
}

inline std::string block_name(std::string_view part, std::size_t loop) {
  return std::string(part) + '.' + std::to_string(loop) + '.';
}

}  // namespace detail

/// Reads an encoder that was trained elsewhere, such as the `state_dict` of this model in PyTorch:
///
///     class Block(nn.Module):                            # n numbers → m numbers
///         skip   = nn.Linear(n, m)                       # skip.weight [m, n], skip.bias [m]
///         hidden = nn.Linear(n, width)                   # hidden.weight [width, n], hidden.bias [width]
///         norm   = nn.BatchNorm1d(width)                 # norm.weight, .bias, .running_mean, .running_var [width]
///         output = nn.Linear(width, m, bias=False)       # output.weight [m, width]
///         def forward(self, x): return self.skip(x) + self.output(relu(self.norm(self.hidden(x))))
///
///     mean, deviation                                    # buffers, [dim] and [1]
///     project = Block(dim, dims)                         # 'project.skip.weight', …
///     rebuild = ModuleList(Block(dims, dim) × loops)     # 'rebuild.0.skip.weight', …
///     refine  = ModuleList(Block(dim, dims) × loops)     # 'refine.0.skip.weight', …
///
///     u = (x / ‖x‖ - mean) / deviation                   # x / ‖x‖ is 0 for a zero row
///     b = s(project(u))                                  # s(v) = 1 where v > 0, else -1
///     for t in 0 … loops - 1: b = b + 2^-(t+1) s(refine[t](u - rebuild[t](b)))
///
/// b is what `values` gives and codes stand for: the same as here but for rounding, which can turn a sign whose
/// argument is as good as zero. Blocks without a hidden layer have neither `hidden` nor `norm` nor `output`, all of
/// them or none. `norm` is folded into `hidden` and may be missing, being folded already; where it is there,
/// `hidden.bias` may be missing, `norm.eps` [1] says what is added to the variance (1e-5 otherwise) and
/// `norm.num_batches_tracked` is passed over. A model without skip connections has zeros in `skip.weight`; there may be
/// more dimensions of codes than of rows. Numbers are F32, F16, BF16 or F64.
/// @throws error errc::io; errc::format for a file that is none, a tensor that is missing or not of these, more than
///         7 loops, a deviation or variance that is not positive; errc::shape with both shapes; errc::not_finite;
///         errc::argument for tensors of whole numbers. All name the tensor.
inline recurrent import_recurrent(std::string path) {
  detail::tensor_source from(std::move(path));
  const auto& mean_shape = from.shape_of("mean");
  const std::size_t dim = mean_shape.size() == 1 ? mean_shape[0] : 0;
  if (dim == 0) from.refuse("mean", detail::shape_text(mean_shape), " where one number a dimension of rows is needed");
  const auto mean = from.take("mean", {dim});
  const float deviation = from.take("deviation", {1})[0][0];
  if (!detail::is_positive(deviation)) from.refuse("deviation", deviation);

  const auto& skip = from.shape_of("project.skip.weight");
  if (skip.empty() || skip[0] == 0) from.refuse("project.skip.weight", detail::shape_text(skip), " makes no codes");
  const std::size_t dims = skip[0];
  std::size_t width = 0;
  if (from.contains("project.hidden.weight")) {
    const auto& hidden = from.shape_of("project.hidden.weight");
    width = hidden.empty() ? 0 : hidden[0];
    if (width == 0) from.refuse("project.hidden.weight", detail::shape_text(hidden), " is no layer");
  }
  detail::recurrent_codes codes{{mean.values().begin(), mean.values().end()},
                                deviation,
                                detail::take_block(from, "project.", dim, width, dims),
                                {},
                                {}};
  for (std::size_t t = 0; t < detail::recurrent_codes::most_loops; ++t) {
    const std::string rebuild = detail::block_name("rebuild", t), refine = detail::block_name("refine", t);
    if (!from.contains(rebuild + "skip.weight") && !from.contains(refine + "skip.weight")) break;
    codes.rebuild.push_back(detail::take_block(from, rebuild, dims, width, dim));
    codes.refine.push_back(detail::take_block(from, refine, dim, width, dims));
  }
  from.require_all_taken();
  return recurrent(std::move(codes));
}

/// Writes the weights of an encoder as F32 tensors of the names and shapes above, normalizations folded.
/// `import_recurrent` makes an encoder of the same codes of it. Writes beside and renames.
/// @throws error errc::io; the old file is then still there.
inline void export_safetensors(std::string path, const recurrent& encoder) {
  const detail::recurrent_codes& codes = encoder.weights();
  safetensors_writer to;
  to.add("mean", matrix_view<const float>(codes.mean.data(), 1, codes.dim()), true);
  to.add("deviation", matrix_view<const float>(&codes.deviation, 1, 1), true);
  detail::add_block(to, "project.", codes.project);
  for (std::size_t t = 0; t < codes.loops(); ++t) {
    detail::add_block(to, detail::block_name("rebuild", t), codes.rebuild[t]);
    detail::add_block(to, detail::block_name("refine", t), codes.refine[t]);
  }
  to.write(std::move(path));
}

}  // namespace embit::inline EMBIT_ABI
