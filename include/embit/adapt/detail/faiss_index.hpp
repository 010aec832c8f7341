// FAISS's indexes that keep their rows whole: flat ones, and graphs, inverted lists and ids around them.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/adapt/detail/faiss_file.hpp>
#include <embit/config.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/types.hpp>
#include <embit/store/code_store.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <numeric>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

struct faiss_header {
  std::uint64_t dim = 0, rows = 0;
  std::int32_t metric = 0;  // 0 for inner products, 1 for l2; has no meaning for binary codes
};

/// What the indexes of floats are made of.
struct faiss_floats {
  using rows = matrix<float>;
  static constexpr std::string_view readable =
      "IndexFlatL2, IndexFlatIP, IndexHNSWFlat or IndexIVFFlat, alone or in an IndexIDMap,";
  static bool is_flat(const faiss_tag& tag) noexcept { return tag == "IxF2" || tag == "IxFI" || tag == "IxFl"; }
  static bool is_map(const faiss_tag& tag) noexcept { return tag == "IxMp" || tag == "IxM2"; }
  static bool is_graph(const faiss_tag& tag) noexcept { return tag == "IHNf"; }
  static bool is_lists(const faiss_tag& tag) noexcept { return tag == "IwFl"; }

  static faiss_header read_header(faiss_reader& in, bool = false) {
    faiss_header header;
    header.dim = in.size<std::int32_t>("d");
    header.rows = in.size<std::int64_t>("ntotal");
    for (int i = 0; i < 2; ++i) in.value<std::int64_t>("unused");
    if (!in.flag("is_trained")) in.refuse("an index that is not trained");
    header.metric = in.value<std::int32_t>("metric_type");
    if (header.metric > 1) in.value<float>("metric_arg");
    return header;
  }
  static std::uint64_t row_bytes(const faiss_header& header) noexcept { return header.dim * sizeof(float); }
  static rows make(const faiss_header& header) {
    return {static_cast<std::size_t>(header.rows), static_cast<std::size_t>(header.dim)};
  }
  static rows read_rows(faiss_reader& in, const faiss_header& header) {
    const std::uint64_t found = in.length("vectors", sizeof(float));
    if (header.dim == 0 || found % header.dim != 0 || found / header.dim != header.rows)
      in.refuse("vectors: ", found, " numbers where ", header.rows, " rows of ", header.dim, " are expected");
    rows read = make(header);
    in.read("vectors", std::as_writable_bytes(read.values()));
    return read;
  }
  static void set_row(rows& to, std::size_t row, const std::byte* bytes) noexcept {
    std::memcpy(to[row].data(), bytes, to.cols() * sizeof(float));
  }
};

/// What the indexes of binary codes are made of.
struct faiss_bits {
  using rows = code_store<>;
  static constexpr std::string_view readable =
      "IndexBinaryFlat, IndexBinaryHNSW or IndexBinaryIVF, alone or in an IndexBinaryIDMap,";
  static bool is_flat(const faiss_tag& tag) noexcept { return tag == "IBxF"; }
  static bool is_map(const faiss_tag& tag) noexcept { return tag == "IBMp" || tag == "IBM2"; }
  static bool is_graph(const faiss_tag& tag) noexcept { return tag == "IBHf"; }
  static bool is_lists(const faiss_tag& tag) noexcept { return tag == "IBwF"; }

  static faiss_header read_header(faiss_reader& in, bool around_another) {
    faiss_header header;
    header.dim = in.size<std::int32_t>("d");
    const auto bytes = in.size<std::int32_t>("code_size");
    header.rows = in.size<std::int64_t>("ntotal");
    // FAISS leaves the size of a code out of the header of a map.
    if (header.dim == 0 || header.dim % 8 != 0 || !(bytes == header.dim / 8 || (bytes == 0 && around_another)))
      in.refuse("codes of ", header.dim, " bits in ", bytes, " bytes");
    if (!in.flag("is_trained")) in.refuse("an index that is not trained");
    in.value<std::int32_t>("metric_type");
    return header;
  }
  static std::uint64_t row_bytes(const faiss_header& header) noexcept { return header.dim / 8; }
  static rows make(const faiss_header& header) {
    return {static_cast<std::size_t>(header.rows), static_cast<std::size_t>(header.dim)};
  }
  static rows read_rows(faiss_reader& in, const faiss_header& header) { return in.codes(header.rows, header.dim); }
  static void set_row(rows& to, std::size_t row, const std::byte* bytes) noexcept {
    std::memcpy(to.row(row).data(), bytes, to.bits() / 8);
  }
};

/// The rows of an index, and the ids by which FAISS calls them where these are not 0, 1, 2 and so on.
template <class Kind>
struct faiss_index {
  faiss_header header;
  typename Kind::rows rows;
  std::vector<row_label> ids;
};

inline void skip_faiss_graph(faiss_reader& in) {
  constexpr std::pair<std::string_view, std::size_t> parts[] = {
      {"assign_probas", 8}, {"cum_nneighbor_per_level", 4}, {"levels", 4}, {"offsets", 8}, {"neighbors", 4}};
  for (const auto& part : parts) in.skip(part.first, part.second);
  for (const std::string_view part : {"entry_point", "max_level", "efConstruction", "efSearch", "upper_beam"})
    in.value<std::int32_t>(part);
}

inline void skip_faiss_direct_map(faiss_reader& in) {
  constexpr std::uint8_t hashtable = 2;
  const auto kind = in.value<std::uint8_t>("direct_map");
  if (kind > hashtable) in.refuse("direct_map: ", unsigned{kind});
  in.skip("direct_map", 8);
  if (kind == hashtable) in.skip("direct_map", 16);
}

/// How many rows each inverted list has, in the order of the file, all of them `rows` together.
inline std::vector<std::uint64_t> read_faiss_list_sizes(faiss_reader& in, std::uint64_t lists, std::uint64_t rows) {
  const faiss_tag form = in.tag("form of the lists");
  const bool sparse = form == "sprs";
  if (!sparse && !(form == "full")) in.refuse("inverted lists of the form '", form.printable(), "'");
  auto sizes = in.vector<std::uint64_t>("sizes of the lists");
  if (sparse ? sizes.size() % 2 != 0 || sizes.size() / 2 > lists : sizes.size() != lists)
    in.refuse(sizes.size(), " sizes of ", lists, " lists");
  if (sparse) {  // each after the number of its list
    for (std::size_t i = 0; i < sizes.size() / 2; ++i) {
      if (sizes[2 * i] >= lists) in.refuse("list ", sizes[2 * i], " of ", lists);
      sizes[i] = sizes[2 * i + 1];
    }
    sizes.resize(sizes.size() / 2);
  }
  std::uint64_t left = rows;
  for (const std::uint64_t n : sizes) {
    if (n > left) in.refuse("lists of more rows than the ", rows, " of the index");
    left -= n;
  }
  if (left != 0) in.refuse("lists of ", rows - left, " rows in an index of ", rows);
  return sizes;
}

/// The rows of inverted lists, in the order of their ids.
template <class Kind>
faiss_index<Kind> read_faiss_lists(faiss_reader& in, const faiss_header& header) {
  const faiss_tag tag = in.tag("inverted lists");
  if (!(tag == "ilar")) in.refuse_kind(tag, "ArrayInvertedLists");
  const auto lists = in.value<std::uint64_t>("nlist"), bytes = in.value<std::uint64_t>("code_size");
  if (bytes != Kind::row_bytes(header) || bytes == 0)
    in.refuse("rows of ", bytes, " bytes in lists where ", Kind::row_bytes(header), " are expected");
  const auto sizes = read_faiss_list_sizes(in, lists, header.rows);
  in.require_room("lists", header.rows, static_cast<std::size_t>(bytes) + sizeof(row_label));
  if (header.rows > (std::numeric_limits<row_id>::max)())
    in.refuse("lists: ", header.rows, " rows, more than row ids can number");

  const auto rows = static_cast<std::size_t>(header.rows), row_bytes = static_cast<std::size_t>(bytes);
  std::vector<std::byte> content(rows * row_bytes);
  std::vector<row_label> ids(rows);
  std::size_t begin = 0;
  for (const std::uint64_t size : sizes) {
    const auto n = static_cast<std::size_t>(size);
    in.read("rows of a list", std::span(content).subspan(begin * row_bytes, n * row_bytes));
    in.read("ids of a list", std::as_writable_bytes(std::span(ids).subspan(begin, n)));
    begin += n;
  }
  std::vector<row_id> order(rows);
  std::iota(order.begin(), order.end(), row_id{0});
  std::ranges::stable_sort(order, {}, [&](row_id row) { return ids[row]; });
  faiss_index<Kind> index{header, Kind::make(header), std::vector<row_label>(rows)};
  bool counted = true;
  for (std::size_t i = 0; i < rows; ++i) {
    Kind::set_row(index.rows, i, content.data() + order[i] * row_bytes);
    index.ids[i] = ids[order[i]];
    counted &= index.ids[i] == i;
  }
  if (counted) index.ids.clear();
  return index;
}

/// An index of any of the forms of `Kind`; each may contain others, so that FAISS's nesting is read, not any depth.
template <class Kind>
faiss_index<Kind> read_faiss_index(faiss_reader& in, int depth = 0) {
  const faiss_tag tag = in.tag("index");
  const bool map = Kind::is_map(tag), graph = Kind::is_graph(tag), lists = Kind::is_lists(tag);
  if (!map && !graph && !lists && !Kind::is_flat(tag)) in.refuse_kind(tag, Kind::readable);
  if (depth > 4) in.refuse("indexes inside one another");
  const faiss_header header = Kind::read_header(in, map);
  if (lists) {
    for (const std::string_view part : {"nlist", "nprobe"}) in.value<std::uint64_t>(part);
    read_faiss_index<Kind>(in, depth + 1);  // the centers of the lists
    skip_faiss_direct_map(in);
    return read_faiss_lists<Kind>(in, header);
  }
  if (!map && !graph) return {header, Kind::read_rows(in, header), {}};

  if (graph) skip_faiss_graph(in);
  auto index = read_faiss_index<Kind>(in, depth + 1);
  if (index.header.dim != header.dim || index.header.rows != header.rows)
    in.refuse("a header of ", header.rows, " rows of ", header.dim, " dimensions around ", index.header.rows, " of ",
              index.header.dim);
  if (map) {
    if (!index.ids.empty()) in.refuse("a map of ids around rows that have ids of their own");
    index.ids = in.vector<row_label>("id_map");
    if (index.ids.size() != header.rows) in.refuse(index.ids.size(), " ids for ", header.rows, " rows");
  }
  return index;
}

}  // namespace embit::inline EMBIT_ABI::detail
