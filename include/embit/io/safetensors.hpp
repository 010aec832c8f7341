// Named tensors in safetensors files, the form in which trained weights are passed on.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/io/dtype.hpp>
#include <embit/io/file.hpp>
#include <embit/io/file_content.hpp>
#include <embit/io/json_text.hpp>
#include <embit/io/metadata.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// What the header of a safetensors file says of one tensor.
struct safetensor {
  std::string name;
  std::string type;  ///< as the file has it, such as "F32"
  std::vector<std::size_t> shape;
  std::uint64_t offset = 0;  ///< of its first byte in the file
  std::uint64_t bytes = 0;
  std::optional<dtype> numbers;  ///< what they are read as; none for a type that is not read
};

namespace detail {

/// The numbers of a safetensors type; none for those that are not read, such as "F8_E4M3", "F4" and "C64".
inline std::optional<dtype> safetensor_numbers(std::string_view type) noexcept {
  using pair = std::pair<std::string_view, dtype>;
  constexpr pair types[] = {{"F64", dtype::f64},     {"F32", dtype::f32}, {"F16", dtype::f16}, {"BF16", dtype::bf16},
                            {"I64", dtype::i64},     {"I32", dtype::i32}, {"I16", dtype::i16}, {"I8", dtype::i8},
                            {"U64", dtype::u64},     {"U32", dtype::u32}, {"U16", dtype::u16}, {"U8", dtype::u8},
                            {"BOOL", dtype::boolean}};
  for (const pair& known : types)
    if (known.first == type) return known.second;
  return {};
}

/// Reads the JSON header: an object of objects of just the three keys, each once, and "__metadata__", an object of
/// strings. Anything else is refused with its place. Tensors of a type that is not read are passed over.
class safetensors_parser {
 public:
  safetensors_parser(std::string_view text, std::string_view path, std::uint64_t data, std::uint64_t end)
      : json_(text, std::string(path) + ": byte ", sizeof(std::uint64_t)), data_(data), end_(end) {}

  std::vector<safetensor> parse() {
    if (!json_.at('{')) json_.refuse("the header begins with '{'");
    json_.members([&](std::string key) {
      if (key == "__metadata__")
        json_.members([&](const std::string&) { json_.string(); });
      else
        tensors_.push_back(parse_tensor(std::move(key)));
    });
    if (!json_.ended()) json_.refuse("text after the header's object");
    require_distinct_names();
    require_gapless();
    return std::move(tensors_);
  }

 private:
  safetensor parse_tensor(std::string name) {
    safetensor tensor;
    tensor.name = std::move(name);
    std::vector<std::uint64_t> offsets;
    bool type = false, shape = false, placed = false;
    json_.members([&](const std::string& key) {
      if (key == "dtype" && !std::exchange(type, true))
        tensor.type = json_.string();
      else if (key == "shape" && !std::exchange(shape, true))
        for (const std::uint64_t n : json_.numbers()) tensor.shape.push_back(static_cast<std::size_t>(n));
      else if (key == "data_offsets" && !std::exchange(placed, true))
        offsets = json_.numbers();
      else
        json_.refuse("the key '", key, "' of tensor '", tensor.name, "' is unknown or there twice");
    });
    if (!type || !shape || !placed) json_.refuse("tensor '", tensor.name, "' lacks dtype, shape or data_offsets");
    if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > end_ - data_)
      json_.refuse("tensor '", tensor.name, "': its data_offsets are not inside the file");
    tensor.offset = data_ + offsets[0];
    tensor.bytes = offsets[1] - offsets[0];
    tensor.numbers = safetensor_numbers(tensor.type);
    require_size(tensor);
    return tensor;
  }

  /// Tensors of a type that is not read are believed: nobody uses their shape.
  void require_size(const safetensor& tensor) const {
    if (!tensor.numbers) return;
    const std::size_t width = size_of(*tensor.numbers);
    std::uint64_t count = 1;
    for (const std::size_t n : tensor.shape) {
      if (n != 0 && count > (std::numeric_limits<std::uint64_t>::max)() / width / n)
        json_.refuse("tensor '", tensor.name, "': a shape beyond what can be addressed");
      count *= n;
    }
    if (count * width != tensor.bytes)
      json_.refuse("tensor '", tensor.name, "': ", tensor.bytes, " bytes for ", count, " numbers of ", width);
  }

  void require_distinct_names() const {
    std::vector<std::string_view> names;
    for (const safetensor& t : tensors_) names.push_back(t.name);
    std::ranges::sort(names);
    const auto twice = std::ranges::adjacent_find(names);
    if (twice != names.end()) json_.refuse("tensor '", *twice, "' is there twice");
  }

  /// The tensors fill the file without gaps or overlaps, as the format has it.
  void require_gapless() const {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
    for (const safetensor& t : tensors_) ranges.emplace_back(t.offset, t.offset + t.bytes);
    std::ranges::sort(ranges);
    std::uint64_t at = data_;
    for (const auto& [begin, end] : ranges) {
      if (begin != at) json_.refuse("the tensors leave a gap or overlap at byte ", at);
      at = end;
    }
    if (at != end_) json_.refuse(end_ - at, " bytes after the last tensor");
  }

  json_text json_;  // after 8 bytes of its size
  std::uint64_t data_, end_;
  std::vector<safetensor> tensors_;
};

}  // namespace detail

/// A safetensors file, opened for reading: the header is checked against the file as a whole, and the format is that
/// of huggingface/safetensors (8 bytes of header size, a JSON header, the tensors without gaps).
class safetensors_reader {
 public:
  /// @throws error errc::io, errc::format or, for a file of another format, errc::kind with the path and the place.
  explicit safetensors_reader(std::string path) : file_(std::move(path)) {
    detail::require_little_endian(file_.path());
    constexpr std::uint64_t longest_header = 100'000'000;  // as the reference implementation has it
    std::uint64_t size = 0;
    if (file_.size() < sizeof size) raise(errc::format, file_.path(), ": ", file_.size(), " bytes are no safetensors");
    file_.read(0, std::as_writable_bytes(std::span(&size, 1)));
    char brace = 0;
    if (size != 0 && file_.size() > sizeof size) file_.read(sizeof size, std::as_writable_bytes(std::span(&brace, 1)));
    if (brace != '{') detail::refuse_known_content(file_, "a safetensors file");
    if (size > longest_header || size > file_.size() - sizeof size)
      raise(errc::format, file_.path(), ": byte 0: a header of ", size, " bytes in a file of ", file_.size());
    std::string text(static_cast<std::size_t>(size), '\0');
    file_.read(sizeof size, std::as_writable_bytes(std::span(text)));
    tensors_ = detail::safetensors_parser(text, file_.path(), sizeof size + size, file_.size()).parse();
  }

  const std::string& path() const& noexcept { return file_.path(); }
  const std::string& path() const&& = delete;

  /// In the order of the header.
  std::span<const safetensor> tensors() const& noexcept { return tensors_; }
  std::span<const safetensor> tensors() const&& = delete;

  /// The tensor of that name, or null.
  const safetensor* find(std::string_view name) const& noexcept {
    for (const safetensor& t : tensors_)
      if (t.name == name) return &t;
    return nullptr;
  }
  const safetensor* find(std::string_view) const&& = delete;

  /// A tensor of one or two dimensions as a matrix of T; one of one dimension is a column: its n numbers are n rows of
  /// one. Floats take any type of number, rounding it; whole numbers take whole numbers that fit; BOOL is 0 and 1.
  /// @throws error errc::format when there is none of that name, errc::shape for other dimensions, errc::argument for
  ///         numbers that T cannot hold or of a type that is not read (F8_E4M3, F4, C64 and so on), errc::io.
  template <FileNumber T = float>
  matrix<T> read(std::string_view name) const {
    const safetensor* found = find(name);
    if (found == nullptr) raise(errc::format, path(), ": no tensor '", name, "'");
    const std::string what = path() + ": tensor '" + found->name + '\'';
    if (!found->numbers) raise(errc::argument, what, " holds ", found->type, ", which is not read");
    const auto& shape = found->shape;
    if (shape.size() != 1 && shape.size() != 2)
      raise(errc::shape, what, " has ", shape.size(), " dimensions where one, n rows of one number, or two are needed");
    detail::require_convertible<T>(*found->numbers, what);
    auto out = matrix<T>::uninitialized(shape[0], shape.size() == 2 ? shape[1] : 1);
    detail::read_numbers(file_, {*found->numbers, found->offset}, 0, out.values());
    return out;
  }

 private:
  input_file file_;
  std::vector<safetensor> tensors_;
};

/// Collects tensors of floats and writes them as one file.
class safetensors_writer {
 public:
  /// Adds a copy of a matrix; one with a single row or column may be written as a tensor of one dimension.
  /// @throws error errc::argument for a name that is taken or has characters other than printable ASCII, '"' or '\'.
  void add(std::string_view name, matrix_view<const float> values, bool one_dimension = false) {
    for (const char c : name)
      if (c < ' ' || c > '~' || c == '"' || c == '\\') raise(errc::argument, "safetensors: the name '", name, "'");
    for (const auto& t : tensors_)
      if (t.name == name || name == "__metadata__") raise(errc::argument, "safetensors: '", name, "' is taken");
    if (one_dimension && values.rows() != 1 && values.cols() != 1)
      raise(errc::argument, "safetensors: '", name, "' is ", values.rows(), " x ", values.cols(),
            ", not a row or a column");
    tensors_.push_back({std::string(name), matrix<float>(values), one_dimension});
  }

  /// Writes beside and renames. @throws error errc::io; the old file is then still there.
  void write(std::string path) const {
    detail::require_little_endian(path);
    std::string header = "{";
    std::uint64_t at = 0;
    for (const auto& t : tensors_) {
      if (header.size() > 1) header += ',';
      const std::uint64_t end = at + t.values.values().size() * sizeof(float);
      detail::append(header, '"' + t.name + "\":{\"dtype\":\"F32\",\"shape\":[");
      if (!t.one_dimension) detail::append(header, std::to_string(t.values.rows()) + ',');
      const std::size_t last = t.one_dimension ? t.values.values().size() : t.values.cols();
      detail::append(header, std::to_string(last) + "],\"data_offsets\":[" + std::to_string(at) + ',' +
                                 std::to_string(end) + "]}");
      at = end;
    }
    header += '}';
    header.append((8 - header.size() % 8) % 8, ' ');  // so that the numbers lie aligned
    atomic_file file(std::move(path));
    const std::uint64_t size = header.size();
    file.write(std::as_bytes(std::span(&size, 1)));
    file.write(std::as_bytes(std::span(header)));
    for (const auto& t : tensors_) file.write(std::as_bytes(t.values.values()));
    file.commit();
  }

 private:
  struct tensor {
    std::string name;
    matrix<float> values;
    bool one_dimension;
  };
  std::vector<tensor> tensors_;
};

}  // namespace embit::inline EMBIT_ABI
