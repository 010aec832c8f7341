// What a temporary gives: lists of its own and values, never a view of itself. Two lists below name every member that
// shows the inside of its owner; what is added to the library is added there.
#include <embit/embit.hpp>

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <support/catch.hpp>

namespace {

using codes = embit::code_store<>;
using flat = embit::flat_index<>;
using floats = embit::matrix<float>;
using labelled = embit::labelled_index<flat>;
using versioned = embit::versioned_index<flat>;
using late = embit::token_store<embit::half>;
using retriever = embit::retriever<embit::sign_projection, flat, embit::float_rerank<>>;
constexpr std::size_t i = 0;

// Whether a call is possible on an object of a type: T& is one with a name, T one without.
template <class F, class Object>
concept Possible = std::invocable<F, Object>;

// A named object, const or not, shows its inside; one without a name does not.
template <class Object, class F>
constexpr bool only_of_named(F) {
  return Possible<F, const Object&> && !Possible<F, Object> && !Possible<F, const Object>;
}

#define SHOWS(call)                                                                           \
  []<class Object>(Object && object) requires requires { std::forward<Object>(object).call; } \
  { (void)std::forward<Object>(object).call; }

static_assert(only_of_named<floats>(SHOWS(view())) && only_of_named<floats>(SHOWS(data())));
static_assert(only_of_named<codes>(SHOWS(view())) && only_of_named<codes>(SHOWS(data())));
static_assert(!Possible<decltype(SHOWS(row(i))), codes> && Possible<decltype(SHOWS(row(i))), codes&>);
static_assert(only_of_named<embit::block_store<>>(SHOWS(block(i))) &&
              only_of_named<embit::block_store<>>(SHOWS(run(i))));
static_assert(only_of_named<embit::plane_store<>>(SHOWS(block(i))) &&
              only_of_named<embit::plane_store<>>(SHOWS(run(i))));
static_assert(only_of_named<embit::popcount_store<>>(SHOWS(segment(i))));
static_assert(only_of_named<embit::popcount_segment>(SHOWS(groups())));
static_assert(only_of_named<embit::popcount_segment>(SHOWS(rows_of(embit::popcount_group{}))));
static_assert(only_of_named<embit::popcount_segment>(SHOWS(run(embit::popcount_group{}, i, i))));
static_assert(only_of_named<embit::level_store>(SHOWS(view())) && only_of_named<embit::level_store>(SHOWS(run(i))));
static_assert(only_of_named<embit::level_store>(SHOWS(format())) &&
              only_of_named<embit::level_store>(SHOWS(operator[](i))));
static_assert(!Possible<decltype(SHOWS(row_data(i))), embit::level_store>);
static_assert(only_of_named<late>(SHOWS(view())) && only_of_named<late>(SHOWS(operator[](i))));
static_assert(only_of_named<embit::mapped_store<>>(SHOWS(block(i))) &&
              only_of_named<embit::mapped_store<>>(SHOWS(run(i))));
static_assert(only_of_named<embit::mapped_store<>>(SHOWS(path())));
static_assert(only_of_named<embit::mapped_level_store>(SHOWS(view())) &&
              only_of_named<embit::mapped_level_store>(SHOWS(run(i))));
static_assert(only_of_named<embit::mapped_level_store>(SHOWS(format())) &&
              only_of_named<embit::mapped_level_store>(SHOWS(path())));
static_assert(only_of_named<embit::mapped_level_store>(SHOWS(operator[](i))));
static_assert(only_of_named<embit::mapped_token_store<float>>(SHOWS(operator[](i))));
static_assert(only_of_named<embit::mapped_token_store<float>>(SHOWS(path())));
static_assert(only_of_named<embit::fde_store>(SHOWS(view())) &&
              only_of_named<embit::sparse_rows>(SHOWS(operator[](i))));
static_assert(only_of_named<embit::id_map>(SHOWS(labels())) && only_of_named<embit::version_column>(SHOWS(versions())));
static_assert(only_of_named<embit::row_bitset>(SHOWS(data())));

static_assert(only_of_named<flat>(SHOWS(store())) && only_of_named<flat>(SHOWS(kernel())));
static_assert(only_of_named<embit::multi_index<>>(SHOWS(store())) && only_of_named<embit::lsh_table<>>(SHOWS(store())));
static_assert(only_of_named<labelled>(SHOWS(index())) && only_of_named<labelled>(SHOWS(labels())));
static_assert(only_of_named<versioned>(SHOWS(index())) && only_of_named<versioned>(SHOWS(versions())));
static_assert(only_of_named<versioned>(SHOWS(only(0))) && only_of_named<versioned>(SHOWS(from(0))));
static_assert(only_of_named<embit::durable_index<labelled>>(SHOWS(index())));
static_assert(only_of_named<embit::durable_index<labelled>>(SHOWS(path())));
static_assert(only_of_named<retriever>(SHOWS(encoder())) && only_of_named<retriever>(SHOWS(index())));
static_assert(only_of_named<retriever>(SHOWS(reranker())));
static_assert(only_of_named<embit::tune_report>(SHOWS(best())));

static_assert(only_of_named<embit::sign_projection>(SHOWS(thresholds())));
static_assert(only_of_named<embit::hadamard_projection>(SHOWS(thresholds())));
static_assert(only_of_named<embit::asymmetric_sign>(SHOWS(map())) &&
              only_of_named<embit::asymmetric_sign>(SHOWS(format())));
static_assert(only_of_named<embit::rabitq>(SHOWS(centroid())) && only_of_named<embit::rabitq>(SHOWS(format())));
static_assert(only_of_named<embit::transform_coder>(SHOWS(format())) &&
              only_of_named<embit::recurrent>(SHOWS(weights())));
static_assert(only_of_named<embit::chosen_encoder>(SHOWS(format())) &&
              only_of_named<embit::chosen_encoder>(SHOWS(tried())));
static_assert(only_of_named<embit::product_quantizer>(SHOWS(format())) &&
              only_of_named<embit::product_symmetric>(SHOWS(format())) &&
              only_of_named<embit::product_symmetric>(SHOWS(map())) &&
              only_of_named<embit::table_query>(SHOWS(nibbles())));
static_assert(only_of_named<embit::chosen_encoder>(SHOWS(template get_if<embit::rabitq>())));
static_assert(only_of_named<embit::any_asymmetric>(SHOWS(format())) &&
              only_of_named<embit::any_symmetric>(SHOWS(format())));
static_assert(only_of_named<embit::transformed_encoder<embit::centering, embit::sign_projection>>(SHOWS(encoder())));
static_assert(only_of_named<embit::transformed_encoder<embit::centering, embit::sign_projection>>(SHOWS(transform())));
static_assert(only_of_named<embit::muvera>(SHOWS(options())) && only_of_named<embit::muvera>(SHOWS(centers())));
static_assert(only_of_named<embit::projection_planes>(SHOWS(planes())));
static_assert(only_of_named<embit::projection_planes>(SHOWS(thresholds())));
static_assert(only_of_named<embit::centering>(SHOWS(center())) &&
              only_of_named<embit::affine_transform>(SHOWS(center())));
static_assert(only_of_named<embit::all_but_the_top>(SHOWS(center())) && only_of_named<embit::fht_kac>(SHOWS(signs())));
static_assert(only_of_named<embit::pipeline<embit::centering>>(SHOWS(stages())));

static_assert(only_of_named<embit::mapped_file>(SHOWS(bytes())) && only_of_named<embit::mapped_file>(SHOWS(path())));
static_assert(only_of_named<embit::input_file>(SHOWS(path())) && only_of_named<embit::container_reader>(SHOWS(path())));
static_assert(only_of_named<embit::container_reader>(SHOWS(kind())));
static_assert(only_of_named<embit::container_reader>(SHOWS(table())));
static_assert(only_of_named<embit::container_reader>(SHOWS(sections())));
static_assert(only_of_named<embit::safetensors_reader>(SHOWS(tensors())));
static_assert(only_of_named<embit::safetensors_reader>(SHOWS(find("x"))));

// What a temporary gives of plain numbers is a list of its own.
template <class Object>
using element_of = std::remove_cvref_t<decltype(std::declval<Object>()[i])>;
static_assert(std::same_as<element_of<embit::knn_result<int>&>, std::span<const embit::neighbor<int>>>);
static_assert(std::same_as<element_of<embit::knn_result<int>>, embit::neighbor_list<int>>);
static_assert(std::same_as<element_of<const embit::knn_result<int>>, embit::neighbor_list<int>>);
static_assert(std::same_as<element_of<embit::range_result<int>&>, std::span<const embit::neighbor<int>>>);
static_assert(std::same_as<element_of<embit::range_result<int>>, embit::neighbor_list<int>>);
static_assert(std::same_as<element_of<floats>, embit::owned_list<float>>);
static_assert(std::same_as<element_of<codes>, embit::owned_list<embit::word>>);
static_assert(std::same_as<element_of<embit::fde_store>, embit::owned_list<float>>);
static_assert(std::same_as<decltype(std::declval<floats>().values()), embit::aligned_vector<float>>);
// An element of such a list is a reference while the list has a name, a value when it has none.
using list = embit::neighbor_list<int>;
static_assert(std::is_reference_v<decltype(std::declval<list&>()[i])> &&
              !std::is_reference_v<decltype(std::declval<list>()[i])>);
static_assert(!std::is_reference_v<decltype(std::declval<list>().front())>);
static_assert(!std::is_reference_v<decltype(std::declval<list>().back())>);
static_assert(only_of_named<list>(SHOWS(begin())) && only_of_named<list>(SHOWS(end())) &&
              only_of_named<list>(SHOWS(data())));

// What keeps a view of rows takes none of an owner without a name, however it is spelled.
template <class Keeper, class... Parts>
concept Kept = requires(Parts&&... parts) {
  Keeper{std::forward<Parts>(parts)...};
};
using float_rerank = embit::float_rerank<>;
static_assert(Kept<float_rerank, floats&> && Kept<float_rerank, const floats&> &&
              Kept<float_rerank, embit::fde_store&>);
static_assert(Kept<float_rerank, embit::matrix_view<const float>> && Kept<float_rerank, embit::matrix_view<float>>);
static_assert(!Kept<float_rerank, floats> && !Kept<float_rerank, const floats> &&
              !Kept<float_rerank, embit::fde_store>);
static_assert(!Kept<float_rerank, floats, embit::l2>);
using chamfer_rerank = embit::chamfer_rerank<embit::token_view<embit::half>>;
static_assert(Kept<chamfer_rerank, late&> && !Kept<chamfer_rerank, late> && !Kept<chamfer_rerank, const late>);
using viewing_index = embit::flat_index<embit::matrix_view<const float>, embit::l2>;
static_assert(Kept<viewing_index, floats&> && Kept<viewing_index, embit::matrix_view<const float>>);
static_assert(!Kept<viewing_index, floats> && !Kept<viewing_index, floats, embit::l2>);
static_assert(Kept<embit::flat_index<floats, embit::l2>, floats>);  // keeps the rows themselves
static_assert(!Kept<embit::version_filter, embit::version_column, std::uint32_t, std::uint32_t>);

codes some_codes(std::size_t size) {
  codes made(size, 64);
  embit::rng rng{7};
  for (std::size_t row = 0; row < size; ++row) made.row(row)[0] = rng();
  return made;
}

}  // namespace

TEST_CASE("the neighbours of a query outlive the result that had no name", "[contract]") {
  const auto rows = some_codes(40);
  const flat index{rows};
  const auto expected = index.search(rows, 5);
  const auto within = index.range_search(rows, 64);

  std::vector<embit::neighbor<std::uint32_t>> seen;
  for (const auto& hit : index.search(rows, 5)[4]) seen.push_back(hit);
  CHECK(std::ranges::equal(seen, expected[4]));
  seen.clear();
  for (auto& hit : index.range_search(rows, 64)[4]) seen.push_back(hit);
  CHECK(std::ranges::equal(seen, within[4]));

  const auto kept = index.search(rows, 5)[3];
  CHECK(std::ranges::equal(kept, expected[3]));
  const auto& best = index.search(rows, 5)[3][0];
  CHECK(best == expected[3][0]);
  const auto& last = index.search(rows, 5)[3].back();
  CHECK(last == expected[3].back());
  CHECK(index.search(rows, 5)[3].front() == expected[3].front());
  CHECK(index.search(rows, 5)[0].size() == 5);
  CHECK(index.search(rows, 5)[7][0].id == 7);
  CHECK_FALSE(index.range_search(rows, 0)[1].empty());
  const std::span<const embit::neighbor<std::uint32_t>> view = kept;  // of a list with a name
  CHECK(view.size() == 5);
  CHECK(kept == index.search(rows, 5)[3]);
}

TEST_CASE("labels are listed as rows are", "[contract]") {
  std::vector<embit::row_label> names(40);
  for (std::size_t row = 0; row < names.size(); ++row) names[row] = (row << 40) + 1;
  const embit::labelled_index index{flat{some_codes(40)}, names};
  std::vector<embit::row_label> seen;
  for (const auto& hit : index.search(some_codes(40), 1)[9]) seen.push_back(hit.id);
  CHECK(seen == std::vector{names[9]});
}

TEST_CASE("rows of a matrix or a store without a name are lists", "[contract]") {
  const auto counted = [] {
    floats made(3, 2);
    for (std::size_t j = 0; j < 6; ++j) made.values()[j] = static_cast<float>(j);
    return made;
  };
  float sum = 0;
  for (const float v : counted()[1]) sum += v;
  CHECK(sum == 5);
  sum = 0;
  for (const float v : counted().values()) sum += v;
  CHECK(sum == 15);
  const float& value = counted()[2][1];
  CHECK(value == 5);
  const auto row = some_codes(4)[3];
  const codes all = some_codes(4);
  CHECK(std::ranges::equal(row, all[3]));
}
