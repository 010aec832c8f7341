// FAISS reads the files that are written here and the other way round, and both find the same.
#include <embit/adapt/faiss.hpp>
#include <embit/core/random.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>

#include <faiss/IndexBinaryFlat.h>
#include <faiss/IndexBinaryHNSW.h>
#include <faiss/IndexBinaryIVF.h>
#include <faiss/IndexIDMap.h>
#include <faiss/IndexLSH.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/VectorTransform.h>
#include <faiss/index_factory.h>
#include <faiss/index_io.h>

#include <bit>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

using namespace support;

namespace {

constexpr std::size_t k = 12;

std::vector<std::uint8_t> packed(embit::code_view<> codes) {
  const std::size_t bytes = (codes.bits() + 7) / 8;
  std::vector<std::uint8_t> out;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const auto* first = reinterpret_cast<const std::uint8_t*>(codes[i].data());
    out.insert(out.end(), first, first + bytes);
  }
  return out;
}

// The same distances in the same order; of rows at the same distance FAISS may list others.
template <class Index>
void require_same_results(const Index& ours, faiss::IndexBinary& theirs, embit::code_view<> queries) {
  const auto found = ours.search(queries, k);
  std::vector<std::int32_t> distances(queries.size() * k);
  std::vector<std::int64_t> ids(queries.size() * k);
  theirs.search(static_cast<std::int64_t>(queries.size()), packed(queries).data(), k, distances.data(), ids.data());
  for (std::size_t q = 0; q < queries.size(); ++q)
    for (std::size_t i = 0; i < found[q].size(); ++i) {
      const auto& n = found[q][i];
      REQUIRE(static_cast<std::int32_t>(n.distance) == distances[q * k + i]);
      const bool alone = (i == 0 || found[q][i - 1].distance != n.distance) && i + 1 < found[q].size() &&
                         found[q][i + 1].distance != n.distance;
      if (alone) REQUIRE(static_cast<std::int64_t>(n.id) == ids[q * k + i]);
    }
}

embit::matrix<float> random_rows(std::size_t n, std::size_t dim, std::uint64_t seed) {
  embit::rng rng{seed};
  embit::matrix<float> rows(n, dim);
  for (float& x : rows.values()) x = static_cast<float>(embit::uniform_index(rng, 20001)) / 10000.f - 0.7f;
  return rows;
}

// Bits that differ between our codes of the rows and FAISS's.
std::size_t differing_bits(const embit::code_store<>& ours, embit::code_view<> theirs) {
  REQUIRE(ours.size() == theirs.size());
  REQUIRE(ours.bits() == theirs.bits());
  std::size_t differing = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) differing += hamming_distance(ours[i], theirs[i]);
  return differing;
}

}  // namespace

TEST_CASE("FAISS searches the codes that we write as we do, and we those that it writes") {
  const temp_dir dir;
  embit::rng rng{1};
  const std::size_t bits = GENERATE(as<std::size_t>{}, 64, 70, 256, 1000);
  const auto codes = make_codes(700, bits, code_kind::clustered, rng),
             queries = make_codes(40, bits, code_kind::clustered, rng);
  std::vector<embit::row_label> labels(codes.size());
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = 1000000007 * (i + 5);

  embit::write_faiss_codes(dir / "flat", codes);
  embit::write_faiss_codes(dir / "map", codes, labels);
  const std::unique_ptr<faiss::IndexBinary> flat(faiss::read_index_binary((dir / "flat").c_str()));
  const std::unique_ptr<faiss::IndexBinary> map(faiss::read_index_binary((dir / "map").c_str()));
  REQUIRE(flat->ntotal == 700);
  REQUIRE(dynamic_cast<faiss::IndexBinaryIDMap2*>(map.get()) != nullptr);
  require_same_results(embit::flat_index{codes}, *flat, queries);
  require_same_results(embit::labelled_index{embit::flat_index{codes}, labels}, *map, queries);

  // Theirs again, written by FAISS: byte for byte ours.
  faiss::write_index_binary(flat.get(), (dir / "flat2").c_str());
  faiss::write_index_binary(map.get(), (dir / "map2").c_str());
  CHECK(slurp(dir / "flat") == slurp(dir / "flat2"));
  CHECK(slurp(dir / "map") == slurp(dir / "map2"));

  // And an index that FAISS built itself.
  const std::size_t whole = (bits + 7) / 8 * 8;
  faiss::IndexBinaryFlat inner(static_cast<std::int64_t>(whole));
  faiss::IndexBinaryIDMap built(&inner);
  built.add_with_ids(700, packed(codes).data(), reinterpret_cast<const std::int64_t*>(labels.data()));
  faiss::write_index_binary(&built, (dir / "built").c_str());
  const auto back = embit::read_faiss_codes(dir / "built");
  REQUIRE(back.labels == labels);
  REQUIRE(back.codes.bits() == whole);
  for (std::size_t i = 0; i < codes.size(); ++i) REQUIRE(std::ranges::equal(back.codes[i], codes[i]));
}

TEST_CASE("the codes of graphs and inverted lists that FAISS built come back in the order of their ids") {
  const temp_dir dir;
  embit::rng rng{7};
  constexpr std::size_t n = 900, bits = 72;
  const auto codes = make_codes(n, bits, code_kind::clustered, rng);
  const auto bytes = packed(codes);
  const auto read = [&](const faiss::IndexBinary& index) {
    faiss::write_index_binary(&index, (dir / "x").c_str());
    auto found = embit::read_faiss_codes(dir / "x");
    REQUIRE(found.codes.size() == n);
    for (std::size_t i = 0; i < n; ++i) REQUIRE(std::ranges::equal(found.codes[i], codes[i]));
    return found.labels;
  };
  std::vector<std::int64_t> ids(n);
  for (std::size_t i = 0; i < n; ++i) ids[i] = static_cast<std::int64_t>(3 * i + 5);
  const std::vector<embit::row_label> labels(ids.begin(), ids.end());

  faiss::IndexBinaryHNSW graph(bits, 8);
  graph.add(n, bytes.data());
  CHECK(read(graph).empty());
  for (const std::size_t lists : {5u, 3000u}) {  // written in the full and in the sparse form
    INFO(lists);
    faiss::IndexBinaryFlat centers(bits);
    std::vector<std::uint8_t> many;
    while (many.size() < lists * bits / 8) many.insert(many.end(), bytes.begin(), bytes.end());
    centers.add(static_cast<std::int64_t>(lists), many.data());
    faiss::IndexBinaryIVF plain(&centers, bits, lists), labelled(&centers, bits, lists);
    plain.is_trained = labelled.is_trained = true;
    plain.add(n, bytes.data());
    CHECK(read(plain).empty());
    labelled.add_with_ids(n, bytes.data(), ids.data());
    CHECK(read(labelled) == labels);
    faiss::IndexBinaryIVF inner(&centers, bits, lists);
    inner.is_trained = true;
    faiss::IndexBinaryIDMap map(&inner);
    map.add_with_ids(n, bytes.data(), ids.data());
    CHECK(read(map) == labels);
  }
}

TEST_CASE("the vectors of FAISS's float indexes come back") {
  const temp_dir dir;
  constexpr std::size_t n = 2000, dim = 24;
  const auto rows = random_rows(n, dim, 4);
  std::vector<std::int64_t> ids(n);
  for (std::size_t i = 0; i < n; ++i) ids[i] = static_cast<std::int64_t>(7 * i) - 100;
  const std::vector<embit::row_label> labels(ids.begin(), ids.end());
  for (const std::string factory : {"Flat", "HNSW8,Flat", "IVF10,Flat", "IVF40_HNSW8,Flat"})
    for (const auto metric : {faiss::METRIC_L2, faiss::METRIC_INNER_PRODUCT, faiss::METRIC_L1})
      for (const int labelled : {0, 1, 2}) {
        if (metric == faiss::METRIC_L1 && factory != "Flat") continue;
        if (labelled == 2 && !factory.starts_with("IVF")) continue;
        INFO(factory << ", metric " << metric << ", labelled " << labelled);
        const std::string name = labelled == 1 ? "IDMap," + factory : factory;
        const std::unique_ptr<faiss::Index> index(faiss::index_factory(dim, name.c_str(), metric));
        index->train(n, rows.data());
        if (labelled == 0)
          index->add(n, rows.data());
        else
          index->add_with_ids(n, rows.data(), ids.data());
        faiss::write_index(index.get(), (dir / "x").c_str());
        const auto found = embit::read_faiss_vectors(dir / "x");
        REQUIRE(found.rows.rows() == n);
        REQUIRE(found.rows.cols() == dim);
        CHECK(found.metric.has_value() == (metric != faiss::METRIC_L1));
        if (found.metric) CHECK((found.metric == embit::metric::l2) == (metric == faiss::METRIC_L2));
        if (labelled == 2) {  // negative ids are the largest labels
          REQUIRE(found.labels.size() == n);
          for (std::size_t i = 0; i < n; ++i) {
            const auto row = static_cast<std::size_t>((static_cast<std::int64_t>(found.labels[i]) + 100) / 7);
            REQUIRE(std::ranges::equal(found.rows[i], rows[row]));
          }
          continue;
        }
        CHECK(found.labels == (labelled == 1 ? labels : std::vector<embit::row_label>{}));
        CHECK(found.rows == rows);
      }
}

TEST_CASE("indexes that are not read are named") {
  const temp_dir dir;
  for (const auto& [factory, name] : {std::pair{"PQ4", "IndexPQ"},
                                      {"SQ8", "IndexScalarQuantizer"},
                                      {"IVF4,PQ4", "IndexIVFPQ"},
                                      {"PCA8,Flat", "IndexPreTransform"},
                                      {"LSH", "IndexLSH"},
                                      {"HNSW8,SQ8", "IndexHNSWSQ"},
                                      {"Flat,RFlat", "IndexRefine"}}) {
    const std::unique_ptr<faiss::Index> index(faiss::index_factory(16, factory));
    faiss::write_index(index.get(), (dir / "x").c_str());
    CHECK(contains(refusal([&] { embit::read_faiss_vectors(dir / "x"); }),
                   "' (" + std::string(name) + ") where IndexFlatL2,"));
  }
}

TEST_CASE("encoders read from FAISS's LSH indexes give FAISS's codes") {
  const temp_dir dir;
  constexpr std::size_t n = 3000, dim = 48;
  const auto rows = random_rows(n, dim, 2);
  const std::string factory =
      GENERATE("LSH", "LSHr", "LSHt", "LSHrt", "ITQ32,LSH", "PCA24,LSHt", "PCAR32,LSHrt", "RR40,L2norm,LSH");
  const std::unique_ptr<faiss::Index> index(faiss::index_factory(dim, factory.c_str()));
  index->train(n, rows.data());
  index->add(n, rows.data());
  faiss::write_index(index.get(), (dir / "lsh").c_str());
  const auto ours = embit::read_faiss_lsh(dir / "lsh");
  const auto encoded = ours.encoder.encode(rows);
  const std::size_t differing = differing_bits(encoded, ours.codes), all = n * ours.codes.bits();
  INFO(factory << ": " << differing << " of " << all << " bits differ");
  // A number that FAISS's product rounds to the other side of its threshold. Without products there is none.
  CHECK(differing <= (factory == "LSH" || factory == "LSHt" ? 0 : all / 20000 + 1));
  std::printf("%-16s %zu of %zu bits differ\n", factory.c_str(), differing, all);
}

TEST_CASE("encoders read from FAISS's transforms give the signs of what FAISS gives") {
  const temp_dir dir;
  constexpr std::size_t n = 3000, dim = 40, bits = 24;
  const auto rows = random_rows(n, dim, 3);
  std::unique_ptr<faiss::VectorTransform> transform;
  const int which = GENERATE(0, 1, 2);
  if (which == 0) transform = std::make_unique<faiss::ITQTransform>(dim, bits, true);
  if (which == 1) transform = std::make_unique<faiss::PCAMatrix>(dim, bits, -0.5f, true);
  if (which == 2) transform = std::make_unique<faiss::RandomRotationMatrix>(dim, bits);
  transform->train(n, rows.data());
  faiss::write_VectorTransform(transform.get(), (dir / "t").c_str());
  const auto encoder = embit::read_faiss_transform(dir / "t");
  const std::unique_ptr<const float[]> theirs(transform->apply(n, rows.data()));
  const auto codes = encoder.encode(rows);
  std::size_t differing = 0;
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < bits; ++j)
      differing += (codes[i][0] >> j & 1) != embit::word{theirs[i * bits + j] >= 0};
  INFO(which << ": " << differing << " of " << n * bits << " bits differ");
  CHECK(differing <= 4);
  std::printf("transform %d: %zu of %zu bits differ\n", which, differing, n * bits);
}

TEST_CASE("an LSH index of exact zeros and thresholds has the same bits") {
  const temp_dir dir;
  faiss::IndexLSH theirs(3, 3, false, true);
  const std::vector<float> train{1, 0, -2, 1, 0, -2, 1, 0, -2};  // medians, so thresholds, of 1, 0, -2
  theirs.train(3, train.data());
  const std::vector<float> rows{1, 0, -2, 1, -0.f, -2.000001f, .9999999f, -1e-40f, -1};
  theirs.add(3, rows.data());
  faiss::write_index(&theirs, (dir / "x").c_str());
  const auto ours = embit::read_faiss_lsh(dir / "x");
  const embit::matrix_view<const float> view(rows.data(), 3, 3);
  CHECK(differing_bits(ours.encoder.encode(view), ours.codes) == 0);
  CHECK(ours.codes[0][0] == 7);
  CHECK(ours.codes[1][0] == 3);
  CHECK(ours.codes[2][0] == 4);
}
