// What every index can do in every wrapper: a cell works, or is refused for a reason that is written here. The table of
// README.md is this one.
#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/search_arguments.hpp>
#include <embit/core/types.hpp>
#include <embit/encode/rabitq.hpp>
#include <embit/encode/sign_projection.hpp>
#include <embit/index/any_index.hpp>
#include <embit/index/concurrent.hpp>
#include <embit/index/durable.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/graph.hpp>
#include <embit/index/ivf.hpp>
#include <embit/index/ivf_levels.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/index/make_index.hpp>
#include <embit/index/multi_index.hpp>
#include <embit/index/prefix_index.hpp>
#include <embit/index/versioned.hpp>
#include <embit/io/save.hpp>
#include <embit/kernel/l2.hpp>
#include <embit/kernel/levels.hpp>
#include <embit/kernel/set_similarity.hpp>
#include <embit/retrieve/no_encoding.hpp>
#include <embit/retrieve/owned_rerank.hpp>
#include <embit/retrieve/retriever.hpp>
#include <embit/store/level_store.hpp>
#include <embit/store/popcount_store.hpp>

#include <array>
#include <cstddef>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <support/catch.hpp>

namespace {

enum op { search, search_into, range, pairs, add, remove, replace, compact, file, filter, ops };
constexpr std::array<std::string_view, ops> names{"search", "search_into", "range",   "pairs", "add",
                                                  "remove", "replace",     "compact", "file",  "filter"};
using abilities = std::array<bool, ops>;

using embit::row_label;
using labels = std::span<const row_label>;
constexpr auto replaced = embit::duplicate_labels::replace;

struct pair_found {
  void operator()(row_label, row_label, double) const {}
};
struct accepts {
  bool operator()(row_label) const { return true; }
};

template <class T>
struct queries_of {
  using type = typename T::query_view;
};
template <class... Parts>
struct queries_of<embit::retriever<Parts...>> {
  using type = embit::matrix_view<const float>;
};

template <class T>
struct added_to {
  using type = typename T::codes_view;
};
template <class... Parts>
struct added_to<embit::retriever<Parts...>> {
  using type = embit::matrix_view<const float>;
};
template <class T>
concept Added = requires(T& to, const typename added_to<T>::type& rows, labels given) {
  to.add(rows, given);
}
|| requires(T& to, const typename added_to<T>::type& rows) { to.add(rows); };
template <class T>
concept Replaced = requires(T& to, const typename added_to<T>::type& rows, labels given) {
  to.add(rows, given, replaced);
};
// Loaded from a file, with the kernel where files do not name it. Of an index that others change a snapshot is saved; a
// durable one is its file.
template <class T>
concept Loaded = embit::Loadable<T> || embit::Loadable<T, embit::rabitq::estimator_type>;
template <class T>
concept InFiles = Loaded<T> || requires(const T& index) {
  requires Loaded<typename T::index_type>;
  index.snapshot();
} || requires(const std::string& path) {
  T::open(path);
} || requires(const std::string& path, embit::rabitq::estimator_type kernel) {
  T::open(path, embit::durable_options{}, kernel);
};

template <class T>
constexpr abilities abilities_of() {
  using view = typename queries_of<T>::type;
  abilities can{};
  can[search] = requires(const T& index, const view& queries) { index.search(queries, 3); };
  if constexpr (requires(const T& index, const view& queries) { index.search(queries, 3); }) {
    using result = decltype(std::declval<const T&>().search(std::declval<const view&>(), 3));
    can[search_into] = requires(const T& index, const view& queries, result& found) {
      index.search_into(queries, 3, found);
    };
    if constexpr (requires { typename T::distance_type; }) {
      using distance = typename T::distance_type;
      can[range] = requires(const T& index, const view& queries) { index.range_search(queries, distance{}); };
      can[pairs] = requires(const T& index, pair_found found) { index.pairs_within(distance{}, found); };
    }
    can[filter] = requires(const T& index, const view& queries) { index.search(queries, 3, accepts{}); }
    || requires(const T& index, const view& queries) { index.search(queries, 3, {}, accepts{}); };
  }
  can[add] = Added<T>;
  can[replace] = Replaced<T>;
  can[remove] = requires(T & index) { index.remove(0u); };
  can[compact] = requires(T & index) { index.compact(); };
  can[file] = InFiles<T>;
  return can;
}

// ---- the indexes and what is put around them ----------------------------------------------------------------------

using flat = embit::flat_index<>;
using multi = embit::multi_index<>;
using lsh = embit::lsh_table<>;
using set = embit::flat_index<embit::popcount_store<>, embit::jaccard>;
using levels = embit::flat_index<embit::level_store, embit::symmetric>;
using rabitq = embit::flat_index<embit::level_store, embit::rabitq::estimator_type>;
using floats = embit::flat_index<embit::matrix<float>, embit::l2>;
using ivf = embit::ivf_index<>;
using ivf_levels = embit::ivf_levels<embit::rabitq>;
using graph = embit::graph_index<embit::rabitq>;
using prefix = embit::prefix_index<>;

template <class T>
using alone = T;
template <class T>
using labelled = embit::labelled_index<T>;
template <class T>
using versioned = embit::versioned_index<T>;
template <class T>
using concurrent = embit::concurrent_index<T>;
template <class T>
using durable = embit::durable_index<T>;
template <class T>
using any =
    embit::any_index<typename T::query_view, typename T::distance_type, typename T::compare, typename T::codes_view>;
// What encodes the rows: signs for binary codes, RaBitQ for levels, nothing where the index takes floats.
template <class T>
using encoder = std::conditional_t<std::is_same_v<typename T::codes_view, embit::level_view>, embit::rabitq,
                                   std::conditional_t<std::is_same_v<typename T::codes_view, embit::code_view<>>,
                                                      embit::sign_projection, embit::no_encoding>>;
template <class T>
using retriever = embit::retriever<encoder<T>, embit::labelled_index<T>, embit::owned_float_rerank<>>;
template <class T>
using concurrent_labelled = embit::concurrent_index<embit::labelled_index<T>>;
template <class T>
using durable_labelled = embit::durable_index<embit::labelled_index<T>>;

constexpr std::array<std::string_view, 11> indexes{
    "`flat_index`",           "`multi_index`",          "`lsh_table`", "`flat_index` of sets", "`flat_index` of levels",
    "`flat_index` of RaBitQ", "`flat_index` of floats", "`ivf_index`", "`ivf_levels`",         "`graph_index`",
    "`prefix_index`"};
constexpr std::array<std::string_view, 9> wrappers{
    "alone",   "labelled",         "versioned", "concurrent", "concurrent labelled",
    "durable", "durable labelled", "any",       "retriever"};
using row = std::array<abilities, wrappers.size()>;

template <class T, template <class> class Wrapper>
constexpr abilities cell() {
  abilities can = abilities_of<Wrapper<T>>();
  if constexpr (std::is_same_v<Wrapper<T>, any<T>>)  // what the index cannot do is refused when it is asked
    for (std::size_t i = 0; i < ops; ++i) can[i] = can[i] && abilities_of<T>()[i];
  return can;
}

template <class T>
constexpr row cells() {
  return {cell<T, alone>(),
          cell<T, labelled>(),
          cell<T, versioned>(),
          cell<T, concurrent>(),
          cell<T, concurrent_labelled>(),
          cell<T, durable>(),
          cell<T, durable_labelled>(),
          cell<T, any>(),
          cell<T, retriever>()};
}

const std::array<row, indexes.size()>& table() {
  static constexpr std::array<row, indexes.size()> cells_of_all{
      cells<flat>(),   cells<multi>(), cells<lsh>(),        cells<set>(),   cells<levels>(), cells<rabitq>(),
      cells<floats>(), cells<ivf>(),   cells<ivf_levels>(), cells<graph>(), cells<prefix>()};
  return cells_of_all;
}

// ---- why a cell is empty --------------------------------------------------------------------------------------------

struct reason {
  std::string_view index;    // empty: any
  std::string_view wrapper;  // empty: any
  op what;
  std::string_view why;
};
constexpr std::array<reason, 7> reasons{{
    {"", "retriever", range, "a retriever ranks candidates; its `index()` is asked for all within a radius"},
    {"", "retriever", pairs, "likewise"},
    {"`flat_index` of RaBitQ", "", pairs,
     "its kernel holds float queries against codes; codes against codes are `rabitq::symmetric()`'s"},
    {"`flat_index` of floats", "", pairs, "`group_duplicates` finds near float rows by their codes"},
    {"`ivf_index`", "", pairs, "the free `pairs_within` joins the codes"},
    {"`ivf_levels`", "", pairs, "`group_duplicates` finds near float rows by their codes"},
    {"`graph_index`", "", pairs, "`group_duplicates` finds near float rows by their codes"},
}};

// Rows are replaced under their labels; without labels they are removed and added.
bool can_be_replaced(std::string_view wrapper) {
  return wrapper.find("labelled") != wrapper.npos || wrapper == "retriever";
}

std::string text_of(const abilities& can, std::string_view wrapper) {
  std::string missing;
  for (std::size_t i = 0; i < ops; ++i)
    if (!can[i] && (i != replace || can_be_replaced(wrapper)))
      missing += (missing.empty() ? "" : ", ") + std::string(names[i]);
  return missing.empty() ? "all" : "no " + missing;
}

std::string line_of(std::size_t index) {
  std::string line = "| " + std::string(indexes[index]) + " |";
  for (std::size_t w = 0; w < wrappers.size(); ++w) line += " " + text_of(table()[index][w], wrappers[w]) + " |";
  return line;
}

}  // namespace

TEST_CASE("every cell of the matrix works, or is empty for a reason") {
  std::array<bool, reasons.size()> used{};
  for (std::size_t i = 0; i < indexes.size(); ++i)
    for (std::size_t w = 0; w < wrappers.size(); ++w)
      for (std::size_t what = 0; what < ops; ++what) {
        if (table()[i][w][what] || (what == replace && !can_be_replaced(wrappers[w]))) continue;
        std::size_t why = 0;
        while (why < reasons.size() &&
               (reasons[why].what != what || (!reasons[why].index.empty() && reasons[why].index != indexes[i]) ||
                (!reasons[why].wrapper.empty() && reasons[why].wrapper != wrappers[w])))
          ++why;
        INFO(indexes[i] << ", " << wrappers[w] << ": " << names[what]);
        CHECK(why < reasons.size());
        if (why < reasons.size()) used[why] = true;
      }
  for (std::size_t why = 0; why < reasons.size(); ++why) {
    INFO(reasons[why].why);
    CHECK(used[why]);
  }
}

TEST_CASE("README shows the matrix") {
  std::ifstream file(EMBIT_TESTS_FOLDER "/../README.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  for (std::size_t i = 0; i < indexes.size(); ++i) {
    INFO(line_of(i));
    CHECK(text.find(line_of(i) + '\n') != text.npos);
  }
}

TEST_CASE("the table is printed", "[.][print]") {
  for (std::size_t i = 0; i < indexes.size(); ++i) std::printf("%s\n", line_of(i).c_str());
}
