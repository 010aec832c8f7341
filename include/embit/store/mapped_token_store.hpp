// Documents of several tokens in a file, scored where they lie.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/moved.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/store/token_view.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// The tokens of a file that `save` wrote from a `token_store<T>`, mapped into memory: opened without reading them. A
/// cheap handle to copy; the mapping ends with the last copy. Safe to read from many threads.
template <TokenNumber T>
class mapped_token_store {
 public:
  using code_type = decltype(std::declval<const token_view<T>&>()[0]);

  /// Checks the header, the shape and the offsets, not the tokens: `verify` does that. O(documents).
  /// @throws error errc::io, errc::format, errc::version, errc::kind or errc::checksum with the path.
  explicit mapped_token_store(std::string path)
      : file_(std::make_shared<container_reader>(container_reader::map(std::move(path), detail::tokens_file))) {
    const section_reader in = file_->sections();
    const auto shape = detail::read_token_shape<T>(in);
    const auto offsets = in.view<std::uint64_t>("offsets", shape.documents + 1);
    detail::require_offsets(offsets, shape.tokens, file_->path());
    const auto tokens =
        in.view<detail::token_element<T>>("tokens", shape.tokens * detail::token_elements<T>(shape.dim));
    const float* scales = nullptr;
    if constexpr (token_view<T>::has_scales) scales = in.view<float>("scales", shape.tokens).data();
    view_ = token_view<T>(tokens.data(), scales, offsets, shape.dim);
  }

  /// Reads everything, compares the checksums and refuses numbers that are not finite. Where it was not called and one
  /// is not, scores that are no numbers come last. O(file size).
  /// @throws error errc::checksum, errc::format, errc::io when the file has changed its size.
  void verify() const {
    file_->verify();
    detail::require_numbers(file_->sections(), view_);
  }

  const std::string& path() const& noexcept { return file_->path(); }
  const std::string& path() const&& = delete;
  std::size_t size() const noexcept { return view_.size(); }
  std::size_t cols() const noexcept { return view_.cols(); }
  std::size_t tokens() const noexcept { return view_.tokens(); }
  code_type operator[](std::size_t document) const& noexcept { return view_[document]; }
  code_type operator[](std::size_t) const&& = delete;

 private:
  detail::shared_state<const container_reader> file_;
  token_view<T> view_;
};

}  // namespace embit::inline EMBIT_ABI
