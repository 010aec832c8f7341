// Texts as names of rows: a label for each, both ways.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/grow.hpp>
#include <embit/core/types.hpp>
#include <embit/io/container_layout.hpp>
#include <embit/io/container_reader.hpp>
#include <embit/io/container_writer.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// A dictionary of texts, any bytes of any length: each has a label, numbered from 0 in the order they come, for an
/// index with labels.
///
///     embit::string_ids ids;
///     index.add(codes, ids.labels(names));
///     for (const auto& n : index.search(query, 10)) std::cout << ids[n.id] << '\n';
///
/// A text keeps its label for good, whether rows have it or not. Its length and 20 bytes or so a text. Const members
/// may be called from many threads at once.
class string_ids {
 public:
  string_ids() = default;

  string_ids(const string_ids&) = default;
  string_ids(string_ids&& other) noexcept { swap(other); }
  /// Nothing has changed when it throws.
  string_ids& operator=(const string_ids& other) { return *this = string_ids(other); }
  string_ids& operator=(string_ids&& other) noexcept {
    string_ids empty;
    swap(empty);
    swap(other);
    return *this;
  }
  ~string_ids() = default;

  /// Texts.
  std::size_t size() const noexcept { return ends_.size(); }
  bool empty() const noexcept { return ends_.empty(); }

  /// The label of a text, if it has one. O(length).
  std::optional<row_label> find(std::string_view text) const noexcept {
    if (slots_.empty()) return std::nullopt;
    const std::uint32_t at = slots_[place(text)];
    return at == none ? std::nullopt : std::optional(row_label{at});
  }
  bool contains(std::string_view text) const noexcept { return find(text).has_value(); }

  /// The text of a label, valid until another is added.
  std::string_view operator[](row_label label) const& noexcept {
    EMBIT_ASSERT(label < size());
    const auto i = static_cast<std::size_t>(label);
    const std::uint64_t first = i == 0 ? 0 : ends_[i - 1];
    return {bytes_.data() + first, static_cast<std::size_t>(ends_[i] - first)};
  }
  std::string_view operator[](row_label) const&& = delete;
  /// The same. @throws error errc::out_of_range for a label that no text has.
  std::string_view at(row_label label) const& {
    if (label >= size()) raise(errc::out_of_range, "label: ", label, ", of ", size(), " texts");
    return (*this)[label];
  }
  std::string_view at(row_label) const&& = delete;

  /// The label of a text, a new one where it has none. Amortized O(length). Nothing has changed when it throws.
  /// @throws error errc::argument for more than 2³² - 1 texts.
  row_label label(std::string_view text) {
    if (const auto known = find(text)) return *known;
    if (size() == none) raise(errc::argument, "string_ids: ", size(), " texts, and no more can be numbered");
    if (!bytes_.empty() && !std::less<>()(text.data(), bytes_.data()) &&
        std::less<>()(text.data(), bytes_.data() + bytes_.size()))
      return label(std::string(text));  // a piece of a text that is here already
    if (2 * (size() + 1) > slots_.size()) rehash(2 * (size() + 1));
    reserve_more(ends_, 1);
    reserve_more(bytes_, text.size());
    slots_[place(text)] = static_cast<std::uint32_t>(size());
    bytes_.insert(bytes_.end(), text.begin(), text.end());
    ends_.push_back(bytes_.size());
    return size() - 1;
  }
  /// Of each of some texts, new ones where they have none.
  template <class Texts>
  std::vector<row_label> labels(const Texts& texts) {
    std::vector<row_label> all;
    all.reserve(std::size(texts));
    for (const auto& text : texts) all.push_back(label(std::string_view(text)));
    return all;
  }

  std::size_t memory() const noexcept {
    return bytes_.capacity() + ends_.capacity() * sizeof(ends_[0]) + slots_.capacity() * sizeof(slots_[0]);
  }

  static constexpr file_kind file{"string_ids", 1};

  /// The sections of the file that `save` writes: "ends" (u64 a text, where it ends among the bytes) and "bytes".
  void write_to(const section_writer& out) const {
    out.add("ends", std::span<const std::uint64_t>(ends_));
    out.add("bytes", std::as_bytes(std::span<const char>(bytes_)));
  }
  /// @throws error errc::format for ends that fall or are not those of the bytes, and a text that is there twice;
  /// errc::checksum or errc::io.
  static string_ids read_from(const section_reader& in) {
    const auto ends = in.array<std::uint64_t>("ends");
    const auto bytes = in.array<std::byte>("bytes");
    const auto refuse = [&](const auto&... parts) {
      raise(errc::format, in.path(), ": section 'ends' at byte ", in.info("ends").offset, ": ", parts...);
    };
    if (ends.size() > none) refuse(ends.size(), " texts");
    if (!std::is_sorted(ends.begin(), ends.end()) || (ends.empty() ? 0 : ends.back()) != bytes.size())
      refuse("not the ends of texts in ", bytes.size(), " bytes");
    string_ids ids;
    ids.bytes_.resize(bytes.size());
    std::transform(bytes.begin(), bytes.end(), ids.bytes_.begin(), [](std::byte b) { return static_cast<char>(b); });
    ids.ends_.reserve(ends.size());
    ids.rehash(2 * ends.size());
    for (const std::uint64_t end : ends) {
      ids.ends_.push_back(end);
      std::uint32_t& slot = ids.slots_[ids.place(ids[ids.size() - 1])];
      if (slot != none) refuse("text ", ids.size() - 1, " is that of ", slot);
      slot = static_cast<std::uint32_t>(ids.size() - 1);
    }
    return ids;
  }

  friend bool operator==(const string_ids& a, const string_ids& b) {
    return a.ends_ == b.ends_ && a.bytes_ == b.bytes_;
  }

 private:
  static constexpr std::uint32_t none = (std::numeric_limits<std::uint32_t>::max)();

  void swap(string_ids& other) noexcept {
    bytes_.swap(other.bytes_);
    ends_.swap(other.ends_);
    slots_.swap(other.slots_);
  }

  // Where a text is, or the free slot where it would be: linear probing, half of the places free.
  std::size_t place(std::string_view text) const noexcept {
    std::size_t at = std::hash<std::string_view>()(text) & (slots_.size() - 1);
    while (slots_[at] != none && (*this)[slots_[at]] != text) at = (at + 1) & (slots_.size() - 1);
    return at;
  }
  void rehash(std::size_t places) {
    std::vector<std::uint32_t> fresh(std::bit_ceil(places + 2), none);
    fresh.swap(slots_);
    for (std::size_t i = 0; i < size(); ++i) slots_[place((*this)[i])] = static_cast<std::uint32_t>(i);
  }

  std::vector<char> bytes_;
  std::vector<std::uint64_t> ends_;   // of every text, among the bytes
  std::vector<std::uint32_t> slots_;  // labels by text
};

}  // namespace embit::inline EMBIT_ABI
