// The container itself, and everything that is read out of one.
#include <embit/core/matrix.hpp>
#include <embit/encode/recurrent.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/lsh_queries.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/index/prefix_index.hpp>
#include <embit/io/container.hpp>
#include <embit/io/save.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/kernel/levels.hpp>
#include <embit/store/block_store.hpp>
#include <embit/store/code_store.hpp>
#include <embit/store/level_store.hpp>
#include <embit/store/mapped_prefix_store.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include <support/saved_kind.hpp>

#include "support/fuzz.hpp"

namespace {

// What was read must bear being used: a search that finds all rows there are.
template <class Index, class Queries>
void search_all(const Index& index, const Queries& queries) {
  const auto found = index.search(queries, 16);
  for (std::size_t q = 0; q < found.queries(); ++q)
    if (found[q].size() != std::min<std::size_t>(index.size(), 16)) __builtin_trap();
}

void search_binary(const std::string& path) {
  using flat = embit::flat_index<embit::block_store<>, embit::hamming>;
  const auto query_for = [](std::size_t bits) { return embit::code_store<>(1, std::max<std::size_t>(bits, 1)); };
  fuzz::attempt([&] {
    const auto index = embit::load<flat>(path);
    search_all(index, query_for(index.width()));
  });
  fuzz::attempt([&] {
    auto index = embit::load<embit::labelled_index<flat>>(path);
    search_all(index, query_for(index.index().width()));
    for (embit::row_id row = 0; row < index.labels().rows(); row += 2) index.remove(index.labels().label_of(row));
    index.compact();
    search_all(index, query_for(index.index().width()));
  });
}

void search_nested(const std::string& path) {
  const auto by_funnel = [](const auto& index) {
    if (index.width() == 0) return;
    const embit::code_store<> query(1, index.width());
    search_all(index, query);
    search_all(index, embit::funnel_queries(query, {{index.widths()[0], 16}}));
  };
  fuzz::attempt([&] {
    auto index = embit::load<embit::prefix_index<>>(path);
    by_funnel(index);
    index.add(embit::code_store<>(3, std::max<std::size_t>(index.width(), 1)));
    index.compact();
    by_funnel(index);
  });
  fuzz::attempt([&] {
    const embit::mapped_prefix_store mapped(path);
    mapped.verify();
    by_funnel(embit::prefix_index{mapped});
  });
}

// Not all rows need be among the candidates.
template <class Table, class Queries>
void search_table(const Table& table, const Queries& queries) {
  const auto found = table.search(queries, 16);
  const auto near = table.range_search(queries, {});
  for (std::size_t q = 0; q < found.queries(); ++q)
    if (found[q].size() > table.size() || near[q].size() > table.size()) __builtin_trap();
}

void search_tables(const std::string& path) {
  fuzz::attempt([&] {
    auto table = embit::load<embit::lsh_table<>>(path);
    const embit::code_store<> query(1, std::max<std::size_t>(table.width(), 1));
    const embit::matrix<std::uint32_t> keys(1, table.options().tables, 0u);
    const embit::lsh_queries<embit::code_view<>> asked(query, keys, 4);
    search_table(table, asked);
    for (embit::row_id row = 0; row < table.rows(); row += 2) table.remove(row);
    if (table.width() != 0) table.compact();
    search_table(table, asked);
  });
  fuzz::attempt([&] {
    using floats = decltype(embit::lsh_table{embit::matrix<float>(), embit::matrix<std::uint32_t>(), {}, embit::l2{}});
    const auto table = embit::load<floats>(path);
    const embit::matrix<float> query(1, table.width(), 1.f);
    const embit::matrix<std::uint32_t> keys(1, table.options().tables, 0u);
    search_table(table, floats::query_view(query, keys, 4));
  });
}

void search_levels(const std::string& path) {
  fuzz::attempt([&] {
    const auto index = embit::load<embit::flat_index<embit::level_store, embit::symmetric>>(path);
    if (index.rows() != 0) search_all(index, embit::level_store(index.store(), std::vector<embit::row_id>{0}));
  });
}

void encode(const std::string& path) {
  fuzz::attempt([&] {
    const auto encoder = embit::load<embit::recurrent>(path);
    if (encoder.encode(embit::matrix<float>(2, encoder.dim(), 1.f)).size() != 2) __builtin_trap();
  });
}

}  // namespace

void fuzz::write_seeds(const folder& seeds) {
  for (const auto& kind : support::all_saved_kinds()) kind.save(seeds / kind.name);
}

void fuzz::read(const std::string& path) {
  for (const auto& kind : support::all_saved_kinds())
    for (const auto& copy : kind.copy) attempt([&] { copy(path, ""); });
  search_binary(path);
  search_nested(path);
  search_tables(path);
  search_levels(path);
  encode(path);
  attempt([&] { embit::container_reader::open(path, {}).verify(); });
  attempt([&] {
    const auto reader = embit::container_reader::map(path, {});
    for (const auto& s : reader.table()) {
      const auto in = reader.sections();
      attempt([&] { in.metadata(s.name).text(); });
      attempt([&] { in.array<embit::word>(s.name); });
      attempt([&] { in.view<std::uint8_t>(s.name, s.size); });
    }
  });
}
