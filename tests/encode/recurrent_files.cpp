// Recurrent encoders in files of this library, and as safetensors that other programs write and read.
// SPDX-License-Identifier: MIT
#include <embit/core/half.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/encode/recurrent.hpp>
#include <embit/encode/recurrent_safetensors.hpp>
#include <embit/encode/transformed.hpp>
#include <embit/fit/detail/recurrent/start.hpp>
#include <embit/index/flat.hpp>
#include <embit/io/container.hpp>
#include <embit/io/save.hpp>
#include <embit/linalg/centering.hpp>
#include <embit/retrieve/retriever.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <learn/gradients.hpp>
#include <support/catch.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

using support::contains;
using support::normal_rows;
using support::refusal;

namespace {

// The tensors of a model, as a program that trains one has them.
struct tensor {
  std::vector<std::size_t> shape;
  std::vector<double> values;

  double at(std::size_t i) const { return values[i]; }
  double at(std::size_t i, std::size_t j) const { return values[i * shape[1] + j]; }
};
using model = std::map<std::string, tensor>;

struct sizes {
  std::size_t dim, dims, width, loops;
};

tensor drawn(embit::rng& rng, std::vector<std::size_t> shape, double scale, double around = 0) {
  std::size_t count = 1;
  for (const std::size_t n : shape) count *= n;
  tensor t{std::move(shape), std::vector<double>(count)};
  for (double& x : t.values) x = around + scale * double{embit::normal(rng)};
  // Numbers that halves hold, so that every type holds the same model.
  for (double& x : t.values) x = double{float(embit::half(static_cast<float>(x)))};
  return t;
}

void draw_block(embit::rng& rng, model& m, const std::string& name, std::size_t in, std::size_t width, std::size_t out,
                bool normalized) {
  const auto spread = [](std::size_t n) { return 1 / std::sqrt(static_cast<double>(n)); };
  m[name + "skip.weight"] = drawn(rng, {out, in}, spread(in));
  m[name + "skip.bias"] = drawn(rng, {out}, .1);
  if (width == 0) return;
  m[name + "hidden.weight"] = drawn(rng, {width, in}, spread(in));
  m[name + "hidden.bias"] = drawn(rng, {width}, .1);
  m[name + "output.weight"] = drawn(rng, {out, width}, spread(width));
  if (!normalized) return;
  m[name + "norm.weight"] = drawn(rng, {width}, .2, 1);
  m[name + "norm.bias"] = drawn(rng, {width}, .2);
  m[name + "norm.running_mean"] = drawn(rng, {width}, .3);
  m[name + "norm.running_var"] = drawn(rng, {width}, .2, 1.5);
}

model drawn_model(const sizes& s, bool normalized) {
  embit::rng rng{s.dim * 100 + s.width};
  model m;
  m["mean"] = drawn(rng, {s.dim}, .05);
  m["deviation"] = {{1}, {.125}};
  draw_block(rng, m, "project.", s.dim, s.width, s.dims, normalized);
  for (std::size_t t = 0; t < s.loops; ++t) {
    draw_block(rng, m, "rebuild." + std::to_string(t) + ".", s.dims, s.width, s.dim, normalized);
    draw_block(rng, m, "refine." + std::to_string(t) + ".", s.dim, s.width, s.dims, normalized);
  }
  return m;
}

// One number in the bytes of a type.
std::string bytes_of(double value, std::string_view type) {
  const auto raw = [](auto x) {
    std::string bytes(sizeof x, '\0');
    std::memcpy(bytes.data(), &x, sizeof x);
    return bytes;
  };
  const auto number = static_cast<float>(value);
  if (type == "F64") return raw(value);
  if (type == "F32") return raw(number);
  if (type == "F16") return raw(embit::half(number));
  return raw(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(number) >> 16));  // BF16, cut off
}

// A safetensors file, byte by byte, with more tensors of 64-bit whole numbers if asked for.
std::string file_of(const model& m, std::string_view type, const std::vector<std::string>& counters = {}) {
  std::string header = "{\"__metadata__\":{\"format\":\"pt\"}", data;
  const auto add = [&](const std::string& name, std::string_view as, const std::string& shape, const std::string& b) {
    header += ",\"" + name + "\":{\"dtype\":\"" + std::string(as) + "\",\"shape\":[" + shape + "],\"data_offsets\":[" +
              std::to_string(data.size()) + ',' + std::to_string(data.size() + b.size()) + "]}";
    data += b;
  };
  for (const auto& [name, t] : m) {
    std::string shape, bytes;
    for (const std::size_t n : t.shape) {
      if (!shape.empty()) shape += ',';
      shape += std::to_string(n);
    }
    for (const double x : t.values) bytes += bytes_of(x, type);
    add(name, type, shape, bytes);
  }
  for (const std::string& name : counters) add(name, "I64", "", std::string(8, '\1'));
  header += '}';
  const std::uint64_t size = header.size();
  std::string file(sizeof size, '\0');
  std::memcpy(file.data(), &size, sizeof size);
  return file + header + data;
}

// The arithmetic of `import_recurrent`'s documentation, in double and as plainly as can be.
class reference {
 public:
  reference(const model& m, const sizes& s) : m_(&m), s_(s) {}

  double epsilon = 1e-5;
  double nearest = 1;  ///< to zero that anything came whose sign was taken

  std::vector<double> operator()(std::span<const float> row) {
    double square = 0;
    for (const float x : row) square += double{x} * double{x};
    std::vector<double> u(row.size());
    for (std::size_t k = 0; k < u.size(); ++k)
      u[k] = (double{row[k]} / std::sqrt(square) - of("mean").at(k)) / of("deviation").at(0);
    std::vector<double> b(s_.dims);
    decide(1, block("project.", u, s_.dims), b);
    for (std::size_t t = 0; t < s_.loops; ++t) {
      const auto rebuilt = block("rebuild." + std::to_string(t) + ".", b, s_.dim);
      std::vector<double> rest(u.size());
      for (std::size_t k = 0; k < u.size(); ++k) rest[k] = u[k] - rebuilt[k];
      decide(std::pow(2., -static_cast<double>(t) - 1), block("refine." + std::to_string(t) + ".", rest, s_.dims), b);
    }
    return b;
  }

 private:
  const tensor& of(const std::string& name) const { return m_->at(name); }

  std::vector<double> block(const std::string& name, const std::vector<double>& x, std::size_t out) const {
    std::vector<double> h(s_.width), y(out);
    for (std::size_t j = 0; j < h.size(); ++j) {
      h[j] = of(name + "hidden.bias").at(j);
      for (std::size_t k = 0; k < x.size(); ++k) h[j] += of(name + "hidden.weight").at(j, k) * x[k];
      if (m_->contains(name + "norm.weight"))
        h[j] = (h[j] - of(name + "norm.running_mean").at(j)) /
                   std::sqrt(of(name + "norm.running_var").at(j) + epsilon) * of(name + "norm.weight").at(j) +
               of(name + "norm.bias").at(j);
      h[j] = std::max(h[j], 0.);
    }
    for (std::size_t i = 0; i < out; ++i) {
      y[i] = of(name + "skip.bias").at(i);
      for (std::size_t k = 0; k < x.size(); ++k) y[i] += of(name + "skip.weight").at(i, k) * x[k];
      for (std::size_t j = 0; j < h.size(); ++j) y[i] += of(name + "output.weight").at(i, j) * h[j];
    }
    return y;
  }

  void decide(double weight, const std::vector<double>& v, std::vector<double>& b) {
    for (std::size_t i = 0; i < b.size(); ++i) {
      b[i] += v[i] > 0 ? weight : -weight;
      nearest = std::min(nearest, std::abs(v[i]));
    }
  }

  const model* m_;
  sizes s_;
};

// An encoder that was not trained, with weights of every kind.
embit::recurrent drawn_encoder(const sizes& s) {
  const support::temp_dir dir;
  support::spill(dir / "x", file_of(drawn_model(s, true), "F32"));
  return embit::import_recurrent(dir / "x");
}

bool same_codes(const embit::level_store& a, const embit::level_store& b) {
  if (!(a.format() == b.format()) || a.size() != b.size()) return false;
  std::vector<std::uint8_t> x(a.dims()), y(b.dims());
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i].copy_levels(x);
    b[i].copy_levels(y);
    if (x != y || a.factor(i, embit::row_factor::inverse_norm) != b.factor(i, embit::row_factor::inverse_norm))
      return false;
  }
  return true;
}

const sizes forms[] = {{24, 10, 16, 3}, {5, 1, 3, 1}, {17, 33, 7, 2}, {8, 8, 0, 2}, {64, 16, 40, 0}, {3, 2, 1, 7}};

}  // namespace

TEST_CASE("encoders come back from files with the same codes, alone and inside what holds them") {
  const support::temp_dir dir;
  const std::string path = dir / "x";
  for (const sizes& s : forms) {
    const auto encoder = drawn_encoder(s);
    const auto rows = normal_rows(70, s.dim, 3);
    const auto codes = encoder.encode(rows);
    embit::save(path, encoder);
    const auto loaded = embit::load<embit::recurrent>(path);
    CHECK(loaded.dim() == s.dim);
    CHECK(loaded.dims() == s.dims);
    CHECK(loaded.loops() == s.loops);
    CHECK(same_codes(loaded.encode(rows), codes));
    const std::string first = support::slurp(path);
    embit::save(path, loaded);
    CHECK(support::slurp(path) == first);

    const embit::transformed_encoder centered{embit::centering(std::vector<float>(s.dim, .5f)), encoder};
    embit::save(path, centered);
    const auto loaded_centered = embit::load<embit::transformed_encoder<embit::centering, embit::recurrent>>(path);
    CHECK(same_codes(loaded_centered.encode(rows), centered.encode(rows)));

    const embit::retriever retriever{encoder, embit::flat_index{codes}};
    embit::save(path, retriever);
    const auto loaded_retriever = embit::load<std::remove_cv_t<decltype(retriever)>>(path);
    CHECK(loaded_retriever.search(rows, 3)[7][0] == retriever.search(rows, 3)[7][0]);
  }
}

namespace {

// A file of sections that say what they like.
struct lying {
  static constexpr embit::file_kind file{"recurrent", 1};
  std::uint64_t dim = 4, dims = 3, hidden = 2;
  std::uint32_t loops = 1;
  float deviation = 1;
  std::vector<float> mean = std::vector<float>(4), weights = std::vector<float>(31 + 31 + 29);

  void write_to(const embit::section_writer& out) const {
    embit::metadata_writer shape;
    shape.u64(dim).u64(dims).u64(hidden).u32(loops).f32(deviation);
    out.add("shape", std::move(shape));
    out.add("mean", std::span<const float>(mean));
    out.add("weights", std::span<const float>(weights));
  }
};

}  // namespace

TEST_CASE("a file that contradicts itself is refused before memory is taken") {
  const support::temp_dir dir;
  const std::string bad = dir / "x";
  const auto why = [&](const std::function<void(lying&)>& change) {
    lying file;
    // 2 × 4 + 2 + 3 × 6 + 3 floats of the first block and the last, 2 × 3 + 2 + 4 × 5 + 4 of that between them.
    file.weights.resize(31 + 32 + 31);
    change(file);
    embit::save(bad, file);
    return refusal([&] { embit::load<embit::recurrent>(bad); });
  };
  constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  CHECK(why([](lying&) {}) == "accepted");
  CHECK(contains(why([](lying& f) { f.dim = 0; }), "format: " + bad + ": section 'shape' before byte"));
  CHECK(contains(why([](lying& f) { f.dims = 0; }), "0 dimensions of codes"));
  CHECK(contains(why([](lying& f) { f.dims = ~std::uint64_t{0}; }), "18446744073709551615 dimensions of codes"));
  CHECK(contains(why([](lying& f) { f.dims = std::uint64_t{1} << 32; }), "84 numbers are left where 4294967296 x 6"));
  CHECK(contains(why([](lying& f) { f.hidden = std::uint64_t{1} << 32; }), "94 numbers are left where 4294967296 x 4"));
  CHECK(contains(why([](lying& f) { f.hidden = ~std::uint64_t{0}; }), "hidden layers of 18446744073709551615"));
  CHECK(contains(why([](lying& f) { f.dim = 5; }), "section 'mean'"));
  CHECK(contains(why([](lying& f) { f.loops = 8; }), "8 loops"));
  CHECK(contains(why([](lying& f) { f.loops = 2; }), "0 numbers are left where 2 x 3 are expected"));
  CHECK(contains(why([](lying& f) { f.loops = 0; }), "63 numbers too many"));
  CHECK(contains(why([](lying& f) { f.weights.pop_back(); }), "2 numbers are left where 1 x 3"));
  for (const float x : {0.f, -1.f, nan, infinity})
    CHECK(contains(why([x](lying& f) { f.deviation = x; }), "a deviation of"));
  CHECK(contains(why([](lying& f) { f.mean[3] = nan; }), "not finite"));
  CHECK(contains(why([](lying& f) { f.weights[93] = infinity; }), "not finite"));
}

TEST_CASE("a model written by another program is served with the codes that it makes itself") {
  const support::temp_dir dir;
  const std::string path = dir / "model.safetensors";
  for (const sizes& s : forms)
    for (const bool normalized : {false, true}) {
      const model m = drawn_model(s, normalized);
      reference expected(m, s);
      const auto rows = normal_rows(50, s.dim, 5);
      support::spill(path, file_of(m, "F32"));
      const auto encoder = embit::import_recurrent(path);
      REQUIRE(encoder.dim() == s.dim);
      REQUIRE(encoder.dims() == s.dims);
      REQUIRE(encoder.loops() == s.loops);
      const auto values = encoder.values(rows);
      std::size_t compared = 0;
      for (std::size_t i = 0; i < rows.rows(); ++i) {
        expected.nearest = 1;
        const auto b = expected(rows[i]);
        if (expected.nearest < 1e-5) continue;  // rounding may turn a sign, and what follows from it
        for (std::size_t j = 0; j < s.dims; ++j) REQUIRE(double{values[i][j]} == b[j]);
        ++compared;
      }
      REQUIRE(compared >= 40);
      // The same model in other types: these numbers are exact in halves and doubles.
      for (const char* type : {"F64", "F16"}) {
        support::spill(path, file_of(m, type));
        REQUIRE(embit::import_recurrent(path).values(rows) == values);
      }
    }
}

TEST_CASE("BF16, eps, counters of batches, and a hidden layer without bias are understood") {
  const support::temp_dir dir;
  const std::string path = dir / "model.safetensors";
  const sizes s{12, 6, 8, 1};
  const auto rows = normal_rows(30, s.dim, 6);
  const auto values_of = [&](const std::string& file) {
    support::spill(path, file);
    return embit::import_recurrent(path).values(rows);
  };
  model m = drawn_model(s, true);
  const auto plain = values_of(file_of(m, "F32"));
  CHECK(values_of(file_of(m, "F32", {"project.norm.num_batches_tracked", "rebuild.0.norm.num_batches_tracked"})) ==
        plain);

  for (auto& [name, t] : m)
    for (double& x : t.values)
      x = double{std::bit_cast<float>(std::bit_cast<std::uint32_t>(static_cast<float>(x)) & 0xffff0000u)};
  CHECK(values_of(file_of(m, "BF16")) == values_of(file_of(m, "F32")));

  for (const char* block : {"project.", "rebuild.0.", "refine.0."}) m[std::string(block) + "norm.eps"] = {{1}, {1}};
  reference expected(m, s);
  expected.epsilon = 1;
  const auto with_eps = values_of(file_of(m, "F32"));
  std::size_t equal = 0;
  for (std::size_t i = 0; i < rows.rows(); ++i) {
    const auto b = expected(rows[i]);
    equal += std::ranges::equal(b, with_eps[i], [](double x, float y) { return x == double{y}; });
  }
  CHECK(equal >= 29);
  CHECK_FALSE(with_eps == plain);

  for (double& x : m["project.hidden.bias"].values) x = 0;
  const auto no_bias = values_of(file_of(m, "F32"));
  m.erase("project.hidden.bias");
  CHECK(values_of(file_of(m, "F32")) == no_bias);
}

TEST_CASE("an exported encoder comes back with the same codes, and its tensors have the documented shapes") {
  const support::temp_dir dir;
  const std::string path = dir / "model.safetensors";
  for (const sizes& s : forms) {
    const auto encoder = drawn_encoder(s);
    const auto rows = normal_rows(70, s.dim, 7);
    embit::export_safetensors(path, encoder);
    CHECK(same_codes(embit::import_recurrent(path).encode(rows), encoder.encode(rows)));

    const embit::safetensors_reader in(path);
    const auto shape = [&](const std::string& name) {
      REQUIRE(in.find(name) != nullptr);
      return in.find(name)->shape;
    };
    using list = std::vector<std::size_t>;
    CHECK(in.tensors().size() == 2 + (2 * s.loops + 1) * (s.width == 0 ? 2 : 5));
    CHECK(shape("mean") == list{s.dim});
    CHECK(shape("deviation") == list{1});
    CHECK(shape("project.skip.weight") == list{s.dims, s.dim});
    if (s.loops == 0 || s.width == 0) continue;
    CHECK(shape("rebuild.0.skip.weight") == list{s.dim, s.dims});
    CHECK(shape("rebuild.0.skip.bias") == list{s.dim});
    CHECK(shape("refine.0.hidden.weight") == list{s.width, s.dim});
    CHECK(shape("refine.0.hidden.bias") == list{s.width});
    CHECK(shape("refine.0.output.weight") == list{s.dims, s.width});
  }
}

TEST_CASE("tensors that are missing, unknown, of another shape or not numbers are refused by name") {
  const support::temp_dir dir;
  const std::string path = dir / "model.safetensors";
  const sizes s{4, 3, 2, 1};
  const model good = drawn_model(s, true);
  const auto why = [&](const std::function<void(model&)>& change) {
    model m = good;
    change(m);
    support::spill(path, file_of(m, "F32"));
    return refusal([&] { embit::import_recurrent(path); });
  };
  REQUIRE(why([](model&) {}) == "accepted");
  for (const auto& [name, t] : good) {
    INFO(name);
    const std::string missing = why([&, n = name](model& m) { m.erase(n); });
    if (name == "project.hidden.weight")
      CHECK(contains(missing, "'project.hidden.bias' [2] is none of a recurrent encoder of this form"));
    else if (contains(name, "norm.weight"))
      CHECK(contains(missing, "norm.bias' [2] is none of a recurrent encoder of this form"));
    else if (contains(name, "hidden.bias"))
      CHECK(missing == "accepted");
    else
      CHECK(contains(missing, "format: " + path + ": tensor '" + name + "' is missing"));
    CHECK(contains(why([&, n = name](model& m) { m[n].shape.push_back(1); }), "tensor '" + name + "'"));
    CHECK(contains(why([&, n = name](model& m) { m[n].values[0] = std::numeric_limits<double>::quiet_NaN(); }),
                   "not_finite: " + path + ": tensor '" + name + "': row 0, column 0"));
  }
  CHECK(contains(why([](model& m) {
                   m["project.output.weight"] = {{2, 3}, std::vector<double>(6)};
                 }),
                 "shape: " + path + ": tensor 'project.output.weight' is [2, 3] where [3, 2] is needed"));
  CHECK(contains(why([](model& m) {
                   m["rebuild.0.norm.bias"] = {{1, 2}, std::vector<double>(2)};
                 }),
                 "tensor 'rebuild.0.norm.bias' is [1, 2] where [2] is needed"));
  CHECK(contains(why([](model& m) {
                   m["refine.1.skip.bias"] = {{3}, std::vector<double>(3)};
                 }),
                 "'refine.1.skip.bias' [3] is none"));
  CHECK(contains(why([](model& m) {
                   m["refine.1.skip.weight"] = {{3, 4}, std::vector<double>(12)};
                 }),
                 "'rebuild.1.skip.weight' is missing"));
  CHECK(contains(why([](model& m) { m["mean"] = {{0}, {}}; }), "tensor 'mean': [0] where one number a dimension"));
  CHECK(contains(why([](model& m) { m["deviation"].values[0] = 0; }), "tensor 'deviation': 0"));
  CHECK(contains(why([](model& m) { m["refine.0.norm.running_var"].values[1] = -1; }),
                 "tensor 'refine.0.norm.running_var': number 1 is -1"));
  CHECK(contains(why([](model& m) { m["project.skip.weight"] = {{0, 4}, {}}; }), "makes no codes"));
  // Sizes without numbers behind them take no memory.
  const std::size_t huge = std::size_t{1} << 60;
  CHECK(contains(why([&](model& m) { m["project.skip.weight"] = {{huge, 0}, {}}; }), "where [1152921504606846976, 4]"));
  CHECK(contains(why([&](model& m) {
                   m["project.hidden.weight"] = {{huge, 0}, {}};
                 }),
                 "[1152921504606846976, 0] where"));
  model many = drawn_model({4, 3, 2, 8}, false);
  CHECK(contains(why([&](model& m) { m = many; }), "is none of a recurrent encoder of this form"));

  support::spill(path, file_of({}, "F32", {"mean"}));
  CHECK(contains(refusal([&] { embit::import_recurrent(path); }), "tensor 'mean': []"));
  support::spill(path, "no safetensors at all");
  CHECK(contains(refusal([&] { embit::import_recurrent(path); }), "format: " + path));
  CHECK(contains(refusal([&] { embit::import_recurrent(dir / "none"); }), "io: " + (dir / "none")));
  CHECK(contains(refusal([&] { embit::export_safetensors(dir / "no/x", drawn_encoder(s)); }), "io: "));
}
