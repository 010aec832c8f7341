// Stores, maps and results whose memory runs out at any allocation are what they were before.
#include <embit/core/random.hpp>
#include <embit/core/results.hpp>
#include <embit/multivector/fde_store.hpp>
#include <embit/multivector/sparse_rows.hpp>
#include <embit/search/row_bitset.hpp>
#include <embit/store/block_store.hpp>
#include <embit/store/code_store.hpp>
#include <embit/store/id_map.hpp>
#include <embit/store/level_store.hpp>
#include <embit/store/plane_store.hpp>
#include <embit/store/popcount_store.hpp>
#include <embit/store/token_store.hpp>
#include <embit/store/version_column.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/levels.hpp>
#include <support/token_sets.hpp>

#include "failing.hpp"

using support::fail_each_allocation;

namespace {

embit::code_store<> codes(std::size_t rows, std::uint64_t seed) {
  embit::rng rng{seed};
  return support::make_codes(rows, 100, support::code_kind::uniform, rng);
}

// Bits that a store says its rows have, and the planes that it keeps of them.
template <class Store>
std::string rows_of(const Store& store) {
  std::string text = std::to_string(store.size()) + '\n';
  std::vector<embit::word> code(embit::words_for(store.bits()));
  for (std::size_t row = 0; row < store.size(); ++row) {
    store.copy_row(row, code);
    for (const embit::word w : code) text += std::to_string(w) + ' ';
  }
  if constexpr (requires { store.run(0).planes; })
    for (std::size_t i = 0; i < store.runs(); ++i) {
      const auto run = store.run(i);
      for (std::size_t w = 0; run.planes != nullptr && w < embit::hamming_batch::plane_words(run); ++w)
        text += std::to_string(run.planes[w]) + ' ';
    }
  return text;
}

// Growth of a store of codes from nothing, from a few rows, from a shared chunk; and assignment.
template <class Store>
std::size_t grow_code_store(const char* name) {
  const auto few = codes(600, 1), more = codes(5, 2), many = codes(5000, 3);
  const auto look = [](const Store& store) { return rows_of(store); };
  const auto of = [&](const embit::code_store<>& rows) { return [&rows] { return Store(rows.view()); }; };
  std::size_t points = 0;
  for (const auto* added : {&more, &many})
    points += fail_each_allocation(
        name, of(few), [&](Store& store) { store.append(added->view()); }, look);
  const Store kept(few.view());
  points += fail_each_allocation(
      name, [&] { return kept; }, [&](Store& store) { store.append(many.view()); }, look);
  const Store other(many.view());
  points += fail_each_allocation(
      name, of(more), [&](Store& store) { store = other; }, look);
  CHECK(rows_of(kept) == rows_of(Store(few.view())));
  return points;
}

template <class T>
std::size_t grow_token_store() {
  constexpr std::size_t sizes[] = {3, 0, 17};
  const auto sets = support::random_sets(sizes, 70, 1), others = support::random_sets(sizes, 70, 2);
  const auto look = [](const embit::token_store<T>& store) {
    std::string text = std::to_string(store.size()) + ' ' + std::to_string(store.tokens()) + '\n';
    const auto* bytes = reinterpret_cast<const unsigned char*>(store.view().data());
    const std::size_t count = store.tokens() * embit::detail::token_elements<T>(store.cols()) *
                              sizeof(typename embit::token_store<T>::element);
    for (std::size_t i = 0; i < count; ++i) text += std::to_string(bytes[i]) + ' ';
    if constexpr (embit::token_view<T>::has_scales)
      for (std::size_t t = 0; t < store.tokens(); ++t) text += std::to_string(store.view().scales()[t]) + ' ';
    for (const std::uint64_t offset : store.view().offsets()) text += std::to_string(offset) + ' ';
    return text;
  };
  const auto make = [&] { return embit::token_store<T>(sets.view()); };
  const embit::token_store<T> other(others.view());
  return fail_each_allocation(
             "token_store append", make, [&](auto& store) { store.append(others.view()); }, look) +
         fail_each_allocation(
             "token_store, the first documents", [] { return embit::token_store<T>(); },
             [&](auto& store) { store.append(others.view()); }, look) +
         fail_each_allocation(
             "token_store assignment", make, [&](auto& store) { store = other; }, look);
}

}  // namespace

TEST_CASE("stores of codes survive every allocation that fails", "[failures]") {
  CHECK(grow_code_store<embit::block_store<>>("block_store") > 5);
  CHECK(grow_code_store<embit::plane_store<>>("plane_store") > 10);
  CHECK(grow_code_store<embit::popcount_store<>>("popcount_store") > 10);
  CHECK(grow_code_store<embit::code_store<>>("code_store") >= 3);
}

TEST_CASE("a store of levels survives every allocation that fails", "[failures]") {
  const auto format = support::with_factors(support::uniform_format(100, 2),
                                            {embit::row_factor::scale, embit::row_factor::inverse_norm});
  const auto rows = [&](std::size_t count, std::uint64_t seed) {
    embit::rng rng{seed};
    embit::level_store store(format, count);
    for (std::size_t row = 0; row < count; ++row) store.set_levels(row, support::random_levels(format, rng));
    store.set_inverse_norms();
    return store;
  };
  const auto look = [](const embit::level_store& store) {
    std::string text = rows_of(store) + std::to_string(store.format().dims());
    for (std::size_t row = 0; row < store.size(); ++row)
      text += std::to_string(store.factor(row, embit::row_factor::inverse_norm)) + ' ';
    return text;
  };
  const auto few = rows(33, 1), many = rows(500, 2);
  const embit::level_store other(embit::level_format{support::uniform_format(7, 5)}, 40);
  std::size_t points = 0;
  points += fail_each_allocation(
      "level_store append", [&] { return few; }, [&](auto& store) { store.append(many.view()); }, look);
  points += fail_each_allocation(
      "level_store append of its own", [&] { return few; }, [](auto& store) { store.append(store.view()); }, look);
  points += fail_each_allocation(
      "level_store assignment", [&] { return few; }, [&](auto& store) { store = many; }, look);
  CHECK(points > 8);
}

TEST_CASE("a store of tokens survives every allocation that fails", "[failures]") {
  CHECK(grow_token_store<float>() + grow_token_store<embit::half>() + grow_token_store<std::int8_t>() +
            grow_token_store<embit::sign_token>() >
        20);
}

TEST_CASE("maps of labels and columns of versions survive every allocation that fails", "[failures]") {
  const auto make = [] {
    embit::id_map map;
    for (embit::row_label label = 0; label < 64; ++label) map.add(3 * label);
    for (embit::row_label label = 9; label < 40; label += 4) map.release(3 * label);
    return map;
  };
  const auto look = [](const embit::id_map& map) {
    std::string text = std::to_string(map.size()) + ' ' + std::to_string(map.rows()) + '\n';
    for (const embit::row_label label : map.labels())
      text += std::to_string(label) + (map.contains(label) ? '+' : '-') + std::to_string(map.row_of(label).value_or(0));
    return text;
  };
  std::size_t points = 0;
  points += fail_each_allocation(
      "id_map add", [] { return embit::id_map(); }, [](auto& map) { map.add(7); }, look);
  // Where adding one label asks for more room.
  points += fail_each_allocation(
      "id_map reserve", make, [](auto& map) { map.reserve(200); }, look);
  std::vector<embit::row_id> survivors;
  const embit::id_map filled = make();
  for (embit::row_id row = 0; row < filled.rows(); ++row)
    if (filled.row_of(filled.label_of(row)) == row) survivors.push_back(row);
  points += fail_each_allocation(
      "id_map renumber", make, [&](auto& map) { map.renumber(survivors); }, look);
  embit::id_map other;
  for (embit::row_label label = 0; label < 300; ++label) other.add(label);
  points += fail_each_allocation(
      "id_map assignment", make, [&](auto& map) { map = other; }, look);

  const auto versions = [](const embit::version_column& column) {
    std::string text;
    for (std::size_t row = 0; row < column.size(); ++row) text += std::to_string(column[row]) + ' ';
    return text;
  };
  const std::vector<embit::row_id> renumbered{0, embit::row_id(-1), 1, embit::row_id(-1), 2};
  points += fail_each_allocation(
      "version_column append", [] { return embit::version_column(5, 1); }, [](auto& column) { column.append(90, 2); },
      versions);
  points += fail_each_allocation(
      "version_column renumber", [] { return embit::version_column(5, 1); },
      [&](auto& column) { column.renumber(renumbered); }, versions);
  CHECK(points >= 9);
}

TEST_CASE("bitsets, results and rows of runs survive every allocation that fails", "[failures]") {
  const auto members = [](const embit::row_bitset& set) {
    std::string text;
    for (std::size_t row = 0; row < set.size(); ++row) text += set.test(row) ? '1' : '0';
    return text;
  };
  std::size_t points = fail_each_allocation(
      "row_bitset resize", [] { return embit::row_bitset(70, true); }, [](auto& set) { set.resize(5000, true); },
      members);

  using knn = embit::knn_result<float>;
  const auto found = [](const knn& result) { return std::to_string(result.k()) + support::text_of(result); };
  const auto filled = [](std::size_t queries, std::size_t k) {
    knn result;
    result.reset(queries, k);
    for (std::size_t q = 0; q < queries; ++q)
      result.assign(q, std::vector<knn::neighbor_type>{{static_cast<embit::row_id>(q), 1.5f}});
    return result;
  };
  for (const auto& [queries, k] : {std::pair<std::size_t, std::size_t>{300, 1}, {5, 9}, {40, 2}})
    points += fail_each_allocation(
        "knn_result reset", [&] { return filled(40, 3); }, [q = queries, n = k](knn& result) { result.reset(q, n); },
        found);
  const knn more = filled(400, 5);
  points += fail_each_allocation(
      "knn_result assignment", [&] { return filled(40, 3); }, [&](knn& result) { result = more; }, found);

  using range = embit::range_result<float>;
  const std::vector<range::neighbor_type> list(9, {1, 2.5f});
  const auto hits = [](const range& result) { return std::to_string(result.total()) + support::text_of(result); };
  const auto ranges = [&](std::size_t queries) {
    range result;
    for (std::size_t q = 0; q < queries; ++q) result.append(std::span(list).first(q % 10));
    return result;
  };
  const range longer = ranges(100);
  for (std::size_t queries = 1; queries < 10; ++queries)
    points += fail_each_allocation(
        "range_result append", [&] { return ranges(queries); }, [&](range& result) { result.append(list); }, hits);
  points += fail_each_allocation(
      "range_result assignment", [&] { return ranges(8); }, [&](range& result) { result = longer; }, hits);

  const std::vector<float> run(4, .5f);
  const auto runs = [&](std::size_t count) {
    embit::sparse_rows rows(64, 4);
    for (std::uint32_t i = 0; i < count; ++i) rows.add(4 * (i % 16), run);
    return rows;
  };
  const auto rows = [](embit::sparse_rows copy) {
    copy.end_row();
    return std::to_string(copy[0].starts.size()) + ' ' + std::to_string(copy[0].values.size());
  };
  const embit::sparse_rows other = runs(90);
  for (const std::size_t count : {1u, 2u, 4u, 8u})
    points += fail_each_allocation(
        "sparse_rows add", [&] { return runs(count); }, [&](auto& all) { all.add(8, run); }, rows);
  points += fail_each_allocation(
      "sparse_rows assignment", [&] { return runs(3); }, [&](auto& all) { all = other; }, rows);

  const auto encodings = [](std::size_t count) {
    return embit::fde_store(embit::matrix<float>(count, 3, float(count)), std::vector<std::uint8_t>(count, 1), count);
  };
  const embit::fde_store many = encodings(70);
  points += fail_each_allocation(
      "fde_store assignment", [&] { return encodings(2); }, [&](auto& store) { store = many; },
      [](const embit::fde_store& store) {
        return std::to_string(store.size()) + ' ' + std::to_string(store.empty_documents()) + ' ' +
               std::to_string(store.fingerprint()) + ' ' + std::to_string(store[store.size() - 1][2]);
      });
  CHECK(points >= 25);
}
