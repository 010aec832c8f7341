// What one encoder made is refused where another one asks: by indexes, retrievers and what is read from files.
#include <embit/codes/code_view.hpp>
#include <embit/core/fingerprint.hpp>
#include <embit/core/matrix.hpp>
#include <embit/core/ragged_view.hpp>
#include <embit/core/random.hpp>
#include <embit/encode/hadamard_lsh.hpp>
#include <embit/encode/min_hash.hpp>
#include <embit/encode/rabitq.hpp>
#include <embit/encode/recurrent.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/encode/sim_hash.hpp>
#include <embit/encode/transform_coder.hpp>
#include <embit/fit/fit_product_quantizer.hpp>
#include <embit/fit/fit_rabitq.hpp>
#include <embit/fit/fit_transform_coder.hpp>
#include <embit/index/any_index.hpp>
#include <embit/index/concurrent.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/ivf.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/index/multi_index.hpp>
#include <embit/index/versioned.hpp>
#include <embit/io/save.hpp>
#include <embit/kernel/hamming.hpp>
#include <embit/kernel/inner_product.hpp>
#include <embit/kernel/levels.hpp>
#include <embit/kernel/set_similarity.hpp>
#include <embit/multivector/muvera.hpp>
#include <embit/retrieve/float_rerank.hpp>
#include <embit/retrieve/retriever.hpp>
#include <embit/store/block_store.hpp>
#include <embit/store/code_store.hpp>
#include <embit/store/level_store.hpp>
#include <embit/store/mapped_level_store.hpp>
#include <embit/store/mapped_store.hpp>
#include <embit/store/plane_store.hpp>
#include <embit/store/popcount_store.hpp>

#include <cstddef>
#include <cstdint>
#include <numeric>
#include <type_traits>
#include <vector>

#include <support/anisotropic.hpp>
#include <support/catch.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

using namespace support;

namespace {

using flat_codes = embit::flat_index<embit::block_store<>, embit::hamming>;

template <class Index, class Queries>
constexpr bool takes = requires(const Index& index, const Queries& queries) {
  index.search(queries, 1);
};

const char* const another = "argument: queries: of another encoder";

// Codes and queries of two encoders against an index of the first: of each pair only that of different ones is refused.
template <class Index>
void require_pairs(const Index& of_a, embit::code_view<> a, embit::code_view<> b) {
  const embit::code_view<> unknown(b.data(), b.size(), b.bits());
  CHECK(of_a.fingerprint() == a.fingerprint());
  CHECK(of_a.search(a, 1)[0][0].id == 0);
  CHECK(of_a.search(unknown, 1).queries() == b.size());
  CHECK(contains(refusal([&] { of_a.search(b, 1); }), another));
  CHECK(contains(refusal([&] { of_a.search(b.middle_rows(1, 1), 1); }), another));
  CHECK(contains(refusal([&] { of_a.range_search(b, 0); }), another));
  embit::knn_result<typename Index::distance_type> result;
  CHECK(contains(refusal([&] { of_a.search_into(b, 1, result); }), another));
}

template <class Index>
void require_added(Index index, embit::code_view<> a, embit::code_view<> b) {
  const std::size_t rows = index.rows();
  CHECK(contains(refusal([&] { index.add(b); }), "argument: codes: of another encoder"));
  CHECK(index.rows() == rows);
  index.add(a);
  CHECK(index.rows() == rows + a.size());
  index.remove(1);
  index.compact();
  CHECK(index.fingerprint() == a.fingerprint());
  CHECK(contains(refusal([&] { index.search(b, 1); }), another));
}

// An encoder of binary codes, and another that differs in nothing but what is drawn.
template <class Encoder, class Rows>
void require_apart(const Encoder& first, const Encoder& second, const Rows& rows) {
  REQUIRE(first.bits() == second.bits());
  const auto a = first.encode(rows), b = second.encode(rows);
  CHECK(first.fingerprint() != 0);
  CHECK(first.fingerprint() != second.fingerprint());
  CHECK(a.fingerprint() == first.fingerprint());
  const temp_dir dir;
  embit::save(dir / "encoder", first);
  const auto loaded = embit::load<Encoder>(dir / "encoder");
  CHECK(loaded.fingerprint() == first.fingerprint());

  const embit::flat_index flat{a};
  require_pairs(flat, a, b);
  require_added(flat, a, b);
  embit::save(dir / "index", flat);
  require_pairs(embit::load<flat_codes>(dir / "index"), loaded.encode(rows), b);
  embit::save(dir / "codes", a);
  CHECK(embit::load<embit::code_store<>>(dir / "codes").fingerprint() == first.fingerprint());
  CHECK(embit::load<embit::block_store<>>(dir / "codes").fingerprint() == first.fingerprint());
  CHECK(embit::load<embit::popcount_store<>>(dir / "codes").fingerprint() == first.fingerprint());
  CHECK(embit::mapped_store<>(dir / "codes").fingerprint() == first.fingerprint());
}

}  // namespace

TEST_CASE("binary codes of another encoder are refused") {
  embit::rng rng{1};
  const auto rows = anisotropic_rows(40, 16, 2);
  const auto sign = [&] { return embit::sign_lsh({.dim = 16, .bits = 64}, rng); };
  require_apart(sign(), sign(), rows);
  const auto hadamard = [&] { return embit::hadamard_lsh({.dim = 16, .bits = 64}, rng); };
  require_apart(hadamard(), hadamard(), rows);
  const std::vector<float> moved(64, .25f);
  CHECK(hadamard().fingerprint() != hadamard().fingerprint());
  const auto centered = hadamard();
  CHECK(centered.fingerprint() != centered.with_thresholds(moved).fingerprint());

  std::vector<std::vector<std::uint64_t>> sets(40);
  std::vector<std::vector<embit::weighted_feature>> features(40);
  for (std::size_t i = 0; i < sets.size(); ++i)
    for (std::size_t j = 0; j < 9; ++j) {
      sets[i].push_back(rng());
      features[i].push_back({rng(), 1});
    }
  require_apart(embit::min_hash({.hashes = 64, .bits_per_hash = 1}, 5),
                embit::min_hash({.hashes = 64, .bits_per_hash = 1}, 6), sets);
  require_apart(embit::sim_hash({.bits = 64}, 5), embit::sim_hash({.bits = 64}, 6), features);
}

TEST_CASE("every index of binary codes knows whose they are") {
  embit::rng rng{3};
  const auto rows = anisotropic_rows(70, 16, 4);
  const auto first = embit::sign_lsh({.dim = 16, .bits = 64}, rng),
             second = embit::sign_lsh({.dim = 16, .bits = 64}, rng);
  const auto a = first.encode(rows), b = second.encode(rows);

  const embit::multi_index multi{a};
  require_pairs(multi, a, b);
  require_added(multi, a, b);
  const embit::lsh_table table{a, {.tables = 4, .bits = 8}};
  require_pairs(table, a, b);
  require_added(table, a, b);
  const embit::ivf_index inverted{a, embit::ivf_options{.lists = 5}, rng};
  require_pairs(inverted, a, b);
  require_added(inverted, a, b);
  const embit::flat_index planes{embit::plane_store<>{a}};
  require_pairs(planes, a, b);
  const embit::flat_index sets{a, embit::jaccard{}};
  CHECK(sets.search(a, 1)[0][0].id == 0);
  CHECK(contains(refusal([&] { sets.search(b, 1); }), another));
  embit::flat_index<> grown;
  grown.add(a);
  CHECK(grown.fingerprint() == first.fingerprint());

  const temp_dir dir;
  embit::save(dir / "inverted", inverted);
  require_pairs(embit::load<embit::ivf_index<>>(dir / "inverted"), a, b);
  embit::save(dir / "multi", multi);
  require_pairs(embit::load<embit::multi_index<>>(dir / "multi"), a, b);
  const embit::any_index erased{multi};
  CHECK(erased.fingerprint() == first.fingerprint());
  CHECK(contains(refusal([&] { erased.search(b, 1); }), another));
  std::vector<embit::row_label> labels(a.size());
  std::iota(labels.begin(), labels.end(), embit::row_label{100});
  const embit::labelled_index labelled{multi, labels};
  CHECK(contains(refusal([&] { labelled.search(b, 1); }), another));

  CHECK(contains(refusal([&] { embit::retriever(second, multi); }), "argument: encoder: of another encoder"));
  CHECK(contains(refusal([&] { embit::retriever(second, erased); }), "argument: encoder: of another encoder"));
  CHECK(contains(refusal([&] { embit::retriever(second, labelled); }), "argument: encoder: of another encoder"));
  CHECK(contains(refusal([&] { embit::retriever(second, sets); }), "argument: encoder: of another encoder"));
  const embit::retriever good{first, multi};
  CHECK(good.search(rows, 1)[3][0].id == 3);
  CHECK(contains(refusal([&] { good.search(b, 1); }), another));
  embit::save(dir / "retriever", good);
  const auto loaded = embit::load<embit::retriever<embit::sign_projection, embit::multi_index<>>>(dir / "retriever");
  CHECK(loaded.search(rows, 1)[3][0].id == 3);
  CHECK(contains(refusal([&] { loaded.search(b, 1); }), another));

  // Float queries: planes of another encoder score nothing.
  const embit::flat_index asymmetric{a, first.asymmetric()};
  CHECK(asymmetric.search(rows, 1)[3][0].id == 3);
  CHECK(contains(refusal([&] { embit::flat_index(a, second.asymmetric()); }), "argument: kernel: of another encoder"));
}

TEST_CASE("codes of which nobody knows who made them fit everywhere, and versions tell rows apart themselves") {
  embit::rng rng{5};
  const auto rows = anisotropic_rows(20, 16, 6);
  const auto first = embit::sign_lsh({.dim = 16, .bits = 64}, rng),
             second = embit::sign_lsh({.dim = 16, .bits = 64}, rng);
  auto a = first.encode(rows), b = second.encode(rows);
  embit::code_store<> unknown(a);
  unknown.set_fingerprint(0);
  embit::flat_index of_unknown{unknown};
  CHECK(of_unknown.fingerprint() == 0);
  CHECK(of_unknown.search(b, 1).queries() == 20);
  of_unknown.add(a);
  of_unknown.add(b);
  CHECK(of_unknown.fingerprint() == 0);
  embit::flat_index of_a{a};
  of_a.add(unknown);
  CHECK(of_a.fingerprint() == first.fingerprint());
  CHECK(contains(refusal([&] { a.append(b); }), "argument: codes: of another encoder"));
  CHECK(a.size() == 20);
  of_a.clear();
  of_a.add(b);  // there is nothing left that it would be mixed with
  CHECK(of_a.fingerprint() == second.fingerprint());

  embit::versioned_index both{embit::flat_index{a}, 1};
  both.add(b, 2);
  CHECK(both.search(b, 1, both.only(2))[3][0].id == 23);
  CHECK(both.search(a, 1, both.only(1))[3][0].id == 3);
}

TEST_CASE("codes of levels of another encoder are refused") {
  embit::rng rng{7};
  const auto rows = anisotropic_rows(90, 12, 8), other_rows = anisotropic_rows(90, 12, 9);
  const temp_dir dir;
  const auto require_levels = [&](const auto& first, const auto& second) {
    using encoder = std::remove_cvref_t<decltype(first)>;
    CHECK(first.fingerprint() != second.fingerprint());
    const embit::level_store a = first.encode(rows), b = second.encode(rows);
    CHECK(a.fingerprint() == first.fingerprint());
    const embit::flat_index index{a, first.estimator()};
    CHECK(index.fingerprint() == first.fingerprint());
    CHECK(index.search(rows, 1)[3][0].id == 3);
    if (a.format() == b.format()) {
      CHECK(contains(refusal([&] { embit::flat_index(a, second.estimator()); }), "kernel: of another encoder"));
      embit::flat_index grown{index};
      CHECK(contains(refusal([&] { grown.add(b); }), "codes: of another encoder"));
      CHECK(grown.rows() == rows.rows());
    }
    CHECK(contains(refusal([&] { embit::retriever(second, index); }), "encoder: of another encoder"));
    CHECK(embit::retriever(first, index).search(rows, 1)[3][0].id == 3);
    embit::save(dir / "encoder", first);
    embit::save(dir / "codes", a);
    const auto loaded = embit::load<encoder>(dir / "encoder");
    CHECK(loaded.fingerprint() == first.fingerprint());
    CHECK(embit::mapped_level_store(dir / "codes").fingerprint() == first.fingerprint());
    const auto read = embit::load<embit::level_store>(dir / "codes");
    CHECK(embit::flat_index{read, loaded.estimator()}.search(rows, 1)[3][0].id == 3);
  };
  const auto grid = [&](const auto& of) {
    return embit::fit_rabitq(of, {.bits_per_dim = 2, .center = embit::rabitq_center::zero}, rng);
  };
  const auto one = grid(rows), two = grid(rows);
  require_levels(one, two);
  require_levels(embit::fit_transform_coder(rows, {.bits = 24}, rng),
                 embit::fit_transform_coder(other_rows, {.bits = 24}, rng));
  require_levels(embit::fit_product_quantizer(rows, {.bytes_per_row = 3}, rng),
                 embit::fit_product_quantizer(other_rows, {.bytes_per_row = 3}, rng));

  // Codes as queries of codes.
  const embit::level_store a = one.encode(rows);
  embit::level_store b = a;
  b.set_fingerprint(a.fingerprint() + 1);
  CHECK(a.format() == b.format());
  const embit::flat_index symmetric{a};
  CHECK(symmetric.search(a, 1).queries() == rows.rows());
  CHECK(contains(refusal([&] { symmetric.search(b, 1); }), another));
  embit::level_store unknown = b;
  unknown.set_fingerprint(0);
  CHECK(symmetric.search(unknown, 1).queries() == rows.rows());
}

TEST_CASE("encodings of sets of tokens by another encoder are refused") {
  embit::rng rng{9};
  const auto tokens = anisotropic_rows(60, 8, 10);
  const std::vector<std::size_t> offsets{0, 10, 20, 30, 45, 60};
  const embit::ragged_view<const float> documents(tokens.view(), offsets);
  const embit::muvera_options options{.dim = 8, .repetitions = 3, .simhash_bits = 2, .projected_dim = 4};
  const embit::muvera first{options, rng}, second{options, rng};

  const embit::flat_index floats{first.encode(documents), embit::inner_product{}};
  const embit::flat_index levels{first.encode_levels(documents, 1), first.estimator()};
  CHECK(floats.fingerprint() == first.fingerprint());
  CHECK(levels.fingerprint() == first.fingerprint());
  const auto own = first.encode_queries(documents), other = second.encode_queries(documents);
  CHECK(floats.search(own, 1).queries() == 5);
  CHECK(levels.search(own, 1).queries() == 5);
  CHECK(contains(refusal([&] { floats.search(other, 1); }), another));
  CHECK(contains(refusal([&] { levels.search(other, 1); }), another));
  CHECK(contains(refusal([&] { levels.range_search(other, 0.f); }), another));
  CHECK(contains(refusal([&] { embit::flat_index(first.encode_levels(documents, 1), second.estimator()); }),
                 "kernel: of another encoder"));
  CHECK(contains(refusal([&] { embit::retriever(second, floats); }), "encoder: of another encoder"));
  CHECK(contains(refusal([&] { embit::retriever(second, levels); }), "encoder: of another encoder"));
  CHECK(embit::retriever(first, levels).search(documents, 1).queries() == 5);
  CHECK(embit::retriever(first, floats).search(documents, 1).queries() == 5);
  STATIC_REQUIRE(takes<decltype(floats), embit::fde_queries>);
  STATIC_REQUIRE(takes<decltype(floats), embit::matrix<float>>);
  STATIC_REQUIRE(!takes<decltype(floats), embit::fde_store>);  // documents are no queries
  STATIC_REQUIRE(!takes<decltype(levels), embit::fde_store>);

  // Through all that is put around an index too.
  const auto around = [&](const auto& wrapped) {
    CHECK(wrapped.fingerprint() == first.fingerprint());
    CHECK(wrapped.search(own, 1).queries() == 5);
    CHECK(contains(refusal([&] { wrapped.search(other, 1); }), another));
    CHECK(contains(refusal([&] { wrapped.range_search(other, 0.f); }), another));
    auto found = wrapped.search(own, 1);
    CHECK(contains(refusal([&] { wrapped.search_into(other, 1, found); }), another));
    STATIC_REQUIRE(!takes<decltype(wrapped), embit::fde_store>);
  };
  const std::vector<embit::row_label> labels{11, 12, 13, 14, 15};
  around(embit::labelled_index{levels, labels});
  around(embit::concurrent_index{levels});
  around(embit::concurrent_index{embit::labelled_index{levels, labels}});
  around(embit::any_index{levels});
  const embit::versioned_index several{levels};  // of any number of encoders
  CHECK(several.search(other, 1).queries() == 5);
  STATIC_REQUIRE(!takes<decltype(several), embit::fde_store>);
}

TEST_CASE("floats in the order that rows had before they were numbered anew are refused") {
  embit::rng rng{11};
  const auto rows = anisotropic_rows(40, 16, 12);
  const auto encoder = embit::sign_lsh({.dim = 16, .bits = 64}, rng);
  embit::flat_index index{encoder.encode(rows)};
  index.compact();  // nothing was removed: rows keep their numbers
  CHECK(index.generation() == 0);
  const embit::retriever before{encoder, index, embit::float_rerank{rows}};
  for (embit::row_id row = 0; row < 10; ++row) index.remove(row);
  CHECK(embit::retriever(encoder, index, embit::float_rerank{rows}).search(rows, 1)[20][0].id == 20);
  index.compact();
  CHECK(index.generation() == 1);
  CHECK(contains(refusal([&] { embit::retriever(encoder, index, embit::float_rerank{rows}); }),
                 "argument: reranker: its rows are of generation 0"));
  const auto left = rows.view().middle_rows(10, 30);
  const auto in_new_order = embit::float_rerank{left}.at_generation(index.generation());
  const auto found = embit::retriever(encoder, index, in_new_order).search(rows, 1);
  CHECK(found[20][0].id == 10);
  CHECK(found[20][0].distance == 0);
  CHECK(
      contains(refusal([&] { embit::retriever(encoder, before.index(), in_new_order); }), "shape: reranker: 30 rows"));

  const temp_dir dir;
  embit::save(dir / "index", index);
  const auto loaded = embit::load<flat_codes>(dir / "index");
  CHECK(loaded.generation() == 1);
  CHECK(contains(refusal([&] { embit::retriever(encoder, loaded, embit::float_rerank{rows}); }), "generation 0"));
  index.clear();
  CHECK(index.generation() == 2);
  CHECK(embit::any_index{index}.generation() == 2);
}
