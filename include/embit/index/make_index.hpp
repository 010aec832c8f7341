// Building and loading the index that a program chooses at run time.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/code_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>
#include <embit/index/any_index.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/index_kind.hpp>
#include <embit/index/ivf.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/index/multi_index.hpp>
#include <embit/index/prefix_index.hpp>
#include <embit/index/tune.hpp>
#include <embit/io/save.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/search/default_kernel.hpp>
#include <embit/search/scan_store.hpp>
#include <embit/store/prefix_store.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Which index `make_index` makes, and how.
struct make_index_options {
  index_kind kind = index_kind::flat;
  multi_index_options multi = {};        ///< where `kind` says so
  lsh_table_options lsh = {};            ///< where `kind` says so; `tables` and `bits` are needed then
  ivf_options ivf = {};                  ///< where `kind` says so
  std::vector<std::size_t> widths = {};  ///< of a prefix_index, where `kind` says so
};

/// An index of binary codes, of the kind that `options` names.
/// @param rng  for the kinds that draw samples: index_kind::ivf
/// @throws error errc::argument for index_kind::other, and what the index itself refuses.
template <std::uniform_random_bit_generator Rng, Executor Exec = inline_executor>
any_index<code_view<>, std::uint32_t> make_index(code_view<> codes, const make_index_options& options, Rng& rng,
                                                 Exec executor = {}) {
  switch (options.kind) {
    case index_kind::flat: return flat_index<block_store<>, hamming, Exec>(codes, {}, std::move(executor));
    case index_kind::multi_index: return multi_index<inlined_codes, Exec>(codes, options.multi, std::move(executor));
    case index_kind::lsh_table:
      return lsh_table<code_store<>, hamming, Exec>(codes, options.lsh, {}, std::move(executor));
    case index_kind::ivf: return ivf_index<Exec>(codes, options.ivf, rng, std::move(executor));
    case index_kind::prefix: return prefix_index<prefix_store, Exec>(codes, options.widths, std::move(executor));
    case index_kind::other: break;
  }
  raise(errc::argument, "kind: no index that make_index could make");
}

/// The index that `tune` found best: `make_index(codes, report.best(), rng)`.
template <std::same_as<tune_figure> Figure, std::uniform_random_bit_generator Rng, Executor Exec = inline_executor>
any_index<code_view<>, std::uint32_t> make_index(code_view<> codes, const Figure& figure, Rng& rng,
                                                 Exec executor = {}) {
  return make_index(codes, make_index_options{figure.kind, figure.multi, figure.lsh, figure.ivf}, rng,
                    std::move(executor));
}

namespace detail {

/// What a flat index keeps codes in for a kernel.
template <class K>
using codes_for = scan_store_t<code_view<>, K>;

template <class QueryView, class Distance, class Compare, class CodesView>
struct index_files<any_index<QueryView, Distance, Compare, CodesView>> {
  using any = any_index<QueryView, Distance, Compare, CodesView>;

  template <class K = default_kernel<QueryView>>
  static any read(file_kind found, const section_reader& in, const K& kernel = {}) {
    if constexpr (Kernel<K, typename codes_for<K>::code_type>)
      if (found.name == flat_index<>::file.name) return read_found<flat_index<codes_for<K>, K>>(found, in, kernel);
    if constexpr (std::same_as<K, hamming>) {
      if (found.name == multi_index<>::file.name) return read_multi(found, in);
      if (found.name == lsh_table<>::file.name) return read_found<lsh_table<>>(found, in, kernel);
      if (found.name == ivf_index<>::file.name) return read_found<ivf_index<>>(found, in);
      if (found.name == prefix_index<>::file.name) return read_found<prefix_index<>>(found, in);
    }
    raise(errc::kind, in.path(), ": holds '", found.name, "', which is no index for these queries that can be read");
  }

 private:
  static any read_multi(file_kind found, const section_reader& in) {
    if (multi_index<>::has_inlined_codes(in)) return read_found<multi_index<inlined_codes>>(found, in);
    return read_found<multi_index<ids_only>>(found, in);
  }
};

}  // namespace detail

/// Reads an index of whatever kind the file holds, as long as it takes these queries and gives these distances.
/// @param kernel  of the index, given again where it is not the default one of the queries
/// @throws error as `load` does; errc::kind for a file that holds no such index.
template <class QueryView, class Distance, class Compare = std::less<>, class CodesView = QueryView, class... Kernel>
any_index<QueryView, Distance, Compare, CodesView> load_index(std::string path, const Kernel&... kernel) {
  return load<any_index<QueryView, Distance, Compare, CodesView>>(std::move(path), kernel...);
}

}  // namespace embit::inline EMBIT_ABI
