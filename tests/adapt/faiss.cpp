#include <embit/adapt/faiss.hpp>
#include <embit/store/block_store.hpp>

#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <support/catch.hpp>
#include <support/codes.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

using namespace support;

namespace {

// Values one after another, as FAISS writes them.
struct bytes {
  std::string text;
  template <class T>
  bytes& put(T value) {
    text.append(reinterpret_cast<const char*>(&value), sizeof value);
    return *this;
  }
  bytes& tag(const char* four) {
    text += four;
    return *this;
  }
  bytes& floats(const std::vector<float>& values) {
    put<std::uint64_t>(values.size());
    for (const float x : values) put(x);
    return *this;
  }
};

void put_linear(bytes& out, const char* tag, std::int32_t in, std::int32_t to, const std::vector<float>& a,
                const std::vector<float>& b = {}) {
  out.tag(tag).put(static_cast<std::uint8_t>(!b.empty())).floats(a).floats(b);
  out.put(in).put(to).put(static_cast<std::uint8_t>(!a.empty()));
}

void put_index_header(bytes& out, const char* tag, std::int32_t dim, std::int64_t rows) {
  out.tag(tag).put(dim).put(rows).put(std::int64_t{1} << 20).put(std::int64_t{1} << 20);
  out.put(std::uint8_t{1}).put(std::int32_t{1});
}

// An LSH index of 3 bits on 4 dimensions with two codes.
void put_lsh(bytes& out, bool rotates, const std::vector<float>& thresholds) {
  put_index_header(out, "IxHe", 4, 2);
  out.put(std::int32_t{3}).put(std::uint8_t{rotates}).put(static_cast<std::uint8_t>(!thresholds.empty()));
  out.floats(thresholds).put(std::int32_t{1});
  put_linear(out, "rrot", 4, 3,
             rotates ? std::vector<float>{1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 0, 2} : std::vector<float>{});
  out.put(std::uint64_t{2}).put(std::uint8_t{5}).put(std::uint8_t{2});
}

embit::word code_of(const embit::sign_projection& encoder, const std::vector<float>& row) {
  embit::word code = 0;
  encoder.encode_into(row, std::span(&code, 1));
  return code;
}

std::string written(const temp_dir& dir, const bytes& content) {
  spill(dir / "x", content.text);
  return dir / "x";
}

}  // namespace

TEST_CASE("binary codes and labels come back from FAISS's files") {
  const temp_dir dir;
  embit::rng rng{1};
  const std::size_t bits = GENERATE(as<std::size_t>{}, 1, 63, 64, 65, 127, 1000);
  const std::size_t n = GENERATE(as<std::size_t>{}, 0, 1, 7, 513);
  const auto codes = make_codes(n, bits, code_kind::uniform, rng);
  std::vector<embit::row_label> labels(n);
  for (auto& label : labels) label = rng();
  embit::write_faiss_codes(dir / "plain", codes);
  embit::write_faiss_codes(dir / "blocks", embit::block_store<>(codes.view()));
  embit::write_faiss_codes(dir / "labelled", codes, labels);
  CHECK(slurp(dir / "plain") == slurp(dir / "blocks"));
  for (const char* const name : {"plain", "labelled"}) {
    const auto back = embit::read_faiss_codes(dir / name);
    REQUIRE(back.codes.bits() == (bits + 7) / 8 * 8);
    REQUIRE(back.codes.size() == n);
    REQUIRE(back.codes.words() == codes.words());
    for (std::size_t i = 0; i < n; ++i) REQUIRE(std::ranges::equal(back.codes[i], codes[i]));
    REQUIRE(back.labels == (name == std::string("plain") ? std::vector<embit::row_label>{} : labels));
  }
}

TEST_CASE("the bytes of a binary index are those that FAISS writes") {
  const temp_dir dir;
  embit::code_store<> codes(1, 16);
  codes.row(0)[0] = 0x0201;
  embit::write_faiss_codes(dir / "x", codes);
  bytes expected;
  expected.tag("IBxF").put(std::int32_t{16}).put(std::int32_t{2}).put(std::int64_t{1}).put(std::uint8_t{1});
  expected.put(std::int32_t{1}).put(std::uint64_t{2}).put(std::uint8_t{1}).put(std::uint8_t{2});
  CHECK(slurp(dir / "x") == expected.text);
}

namespace {

// Two rows of 2 numbers, at byte `4 + header` of what is written.
void put_flat(bytes& out, const char* tag, const std::vector<float>& numbers) {
  put_index_header(out, tag, 2, static_cast<std::int64_t>(numbers.size() / 2));
  out.floats(numbers);
}

void put_graph(bytes& out) {
  out.put(std::uint64_t{1}).put(1.0);                                          // assign_probas
  for (int i = 0; i < 2; ++i) out.put(std::uint64_t{1}).put(std::int32_t{0});  // cum_nneighbor_per_level, levels
  out.put(std::uint64_t{2}).put(std::uint64_t{0}).put(std::uint64_t{1});       // offsets
  out.put(std::uint64_t{1}).put(std::int32_t{-1});                             // neighbors
  for (int i = 0; i < 5; ++i) out.put(std::int32_t{i});
}

struct list {
  std::vector<std::vector<float>> rows;
  std::vector<std::int64_t> ids;
};

// An IndexIVFFlat on 2 dimensions, its lists in the full or the sparse form.
void put_lists(bytes& out, std::int64_t rows, const std::vector<list>& lists, bool sparse, std::uint8_t map = 0) {
  put_index_header(out, "IwFl", 2, rows);
  out.put(std::uint64_t{lists.size()}).put(std::uint64_t{1});
  put_flat(out, "IxF2", std::vector<float>(2 * lists.size()));
  out.put(map).put(std::uint64_t{0});
  if (map == 2) out.put(std::uint64_t{1}).put(std::int64_t{0}).put(std::int64_t{0});
  out.tag("ilar").put(std::uint64_t{lists.size()}).put(std::uint64_t{8}).tag(sparse ? "sprs" : "full");
  out.put(std::uint64_t{lists.size() * (sparse ? 2 : 1)});
  for (std::size_t i = 0; i < lists.size(); ++i) {
    if (sparse) out.put(std::uint64_t{i});
    out.put(std::uint64_t{lists[i].ids.size()});
  }
  for (const list& l : lists) {
    for (const auto& row : l.rows)
      for (const float x : row) out.put(x);
    for (const std::int64_t id : l.ids) out.put(id);
  }
}

}  // namespace

TEST_CASE("float vectors come back from flat indexes, maps and graphs") {
  const temp_dir dir;
  const std::vector<float> numbers{1, 2, 3, 4, 5, std::numeric_limits<float>::quiet_NaN()};
  for (const auto& [tag, metric] : {std::pair{"IxF2", embit::metric::l2}, {"IxFI", embit::metric::inner_product}}) {
    bytes out;
    put_flat(out, tag, numbers);
    if (tag == std::string("IxFI")) out.text[4 + 4 + 8 + 16 + 1] = 0;
    const auto found = embit::read_faiss_vectors(written(dir, out));
    CHECK((found.rows.rows() == 3 && found.rows.cols() == 2 && found.labels.empty() && found.metric == metric));
    CHECK(std::memcmp(found.rows.data(), numbers.data(), 6 * sizeof(float)) == 0);
  }
  bytes other, map, graph;
  put_flat(other, "IxFl", numbers);
  other.text.replace(33, 4, std::string("\x02\0\0\0", 4) + std::string("\0\0\0\0", 4));  // L1, and its argument
  CHECK(!embit::read_faiss_vectors(written(dir, other)).metric);

  put_index_header(map, "IxM2", 2, 3);
  put_index_header(map, "IHNf", 2, 3);
  put_graph(map);
  put_flat(map, "IxF2", numbers);
  map.put(std::uint64_t{3}).put(std::int64_t{7}).put(std::int64_t{-2}).put(std::int64_t{5});
  const auto found = embit::read_faiss_vectors(written(dir, map));
  CHECK(found.rows[1][1] == 4);
  CHECK(found.labels == std::vector<embit::row_label>{7, ~embit::row_label{1}, 5});
  for (std::size_t size = 0; size < map.text.size(); ++size) {
    spill(dir / "x", map.text.substr(0, size));
    REQUIRE(contains(refusal([&] { embit::read_faiss_vectors(dir / "x"); }), "truncated: " + (dir / "x") + ": b"));
  }
}

TEST_CASE("the rows of inverted lists come in the order of their ids") {
  const temp_dir dir;
  const auto read = [&](auto&&... arguments) {
    bytes out;
    put_lists(out, arguments...);
    return embit::read_faiss_vectors(written(dir, out));
  };
  const std::vector<list> counted{{{{4, 5}, {0, 1}}, {2, 0}}, {}, {{{2, 3}}, {1}}};
  for (const bool sparse : {false, true})
    for (const auto map : {std::uint8_t{0}, std::uint8_t{2}}) {
      const auto found = read(3, counted, sparse, map);
      REQUIRE(found.labels.empty());
      for (std::size_t i = 0; i < 6; ++i) REQUIRE(found.rows.values()[i] == static_cast<float>(i));
    }
  const std::vector<list> labelled{{{{4, 5}, {0, 1}}, {20, 3}}, {{{2, 3}}, {11}}};
  const auto found = read(3, labelled, false);
  CHECK(found.labels == std::vector<embit::row_label>{3, 11, 20});
  for (std::size_t i = 0; i < 6; ++i) CHECK(found.rows.values()[i] == static_cast<float>(i));
  CHECK(read(0, std::vector<list>(2), true).rows.rows() == 0);

  CHECK(contains(refusal([&] { read(2, counted, false); }), "lists of more rows than the 2"));
  CHECK(contains(refusal([&] { read(4, counted, false); }), "lists of 3 rows in an index of 4"));
  CHECK(contains(refusal([&] { read(3, counted, false, std::uint8_t{3}); }), "direct_map: 3"));
  bytes map;
  put_index_header(map, "IxMp", 2, 3);
  put_lists(map, 3, labelled, false);
  map.put(std::uint64_t{3}).put(std::int64_t{7}).put(std::int64_t{8}).put(std::int64_t{9});
  CHECK(contains(refusal([&] { embit::read_faiss_vectors(written(dir, map)); }), "ids of their own"));
  bytes deep;
  for (int i = 0; i < 6; ++i) put_index_header(deep, "IxMp", 2, 0);
  CHECK(contains(refusal([&] { embit::read_faiss_vectors(written(dir, deep)); }), "indexes inside one another"));
}

TEST_CASE("foreign files and other indexes are named") {
  const temp_dir dir;
  const auto why = [&](const std::string& text) {
    spill(dir / "x", text);
    return refusal([&] { embit::read_faiss_vectors(dir / "x"); });
  };
  CHECK(contains(why("version https://git-lfs.github.com/spec/v1\n"),
                 "is a Git LFS pointer: run git lfs pull; IndexFlat"));
  CHECK(contains(why("\x1f\x8b\x08"), "truncated: "));
  CHECK(contains(why("\x1f\x8b\x08\x08"), "kind: " + (dir / "x") + ": is compressed by gzip"));
  CHECK(contains(why("IwPQ"), "byte 0: holds 'IwPQ' (IndexIVFPQ) where IndexFlatL2,"));
  CHECK(contains(why("IBxF"), "holds 'IBxF' (IndexBinaryFlat) where"));
  CHECK(contains(why("ab\1d"), "holds 'ab?d' (unknown) where"));
}

TEST_CASE("an LSH index becomes an encoder that sets bits from the threshold on, and codes") {
  const temp_dir dir;
  bytes plain, rotated, shifted;
  put_lsh(plain, false, {});
  put_lsh(rotated, true, {});
  put_lsh(shifted, true, {1, -1, 0.5f});
  const auto a = embit::read_faiss_lsh(written(dir, plain));
  CHECK(a.codes.size() == 2);
  CHECK(a.codes[0][0] == 5);
  CHECK(a.codes[1][0] == 2);
  CHECK(a.encoder.dim() == 4);
  CHECK(a.encoder.bits() == 3);
  CHECK(code_of(a.encoder, {0, -0.f, 0, -9}) == 7);  // zeros set the bit
  CHECK(code_of(a.encoder, {-1e-30f, 2, -3, 9}) == 2);
  const auto b = embit::read_faiss_lsh(written(dir, rotated));
  CHECK(code_of(b.encoder, {1, 1, 0, 1}) == 5);
  CHECK(code_of(b.encoder, {0, 0, 0, -1}) == 3);
  const auto c = embit::read_faiss_lsh(written(dir, shifted));
  CHECK(code_of(c.encoder, {1, 1, 7, .25f}) == 7);  // each exactly at its threshold
  CHECK(code_of(c.encoder, {.99f, 1.01f, 7, .24f}) == 0);
}

TEST_CASE("transforms before an LSH index are joined with it") {
  const temp_dir dir;
  const auto chain = [&](auto&& fill, std::int32_t transforms) {
    bytes out;
    put_index_header(out, "IxPT", 2, 2);
    out.put(transforms);
    fill(out);
    put_lsh(out, true, {});
    return out;
  };
  const std::vector<float> spread{1, 0, 0, 1, 1, 1, 1, -1};  // (x, y) to (x, y, x + y, x - y)
  const auto centering = [](bytes& out) {
    out.tag("VCnt").floats({10, 20}).put(std::int32_t{2}).put(std::int32_t{2}).put(std::uint8_t{1});
  };
  const auto norm = [](bytes& out) {
    out.tag("VNrm").put(2.f).put(std::int32_t{2}).put(std::int32_t{2}).put(std::uint8_t{1});
  };
  const auto a = embit::read_faiss_lsh(written(dir, chain(
                                                        [&](bytes& out) {
                                                          centering(out);
                                                          norm(out);
                                                          put_linear(out, "LTra", 2, 4, spread);
                                                        },
                                                        3)));
  CHECK(a.encoder.dim() == 2);
  CHECK(code_of(a.encoder, {10, 20}) == 7);
  CHECK(code_of(a.encoder, {11, 21}) == 5);  // 1, -1, 2 · 0
  CHECK(code_of(a.encoder, {9, 21}) == 0);   // -1, -1, 2 · -2
  const auto biased = [&](bytes& out) { put_linear(out, "LTra", 2, 4, spread, {0, 0, 0, 3}); };
  const auto b = embit::read_faiss_lsh(written(dir, chain(biased, 1)));
  CHECK(code_of(b.encoder, {0, 3}) == 5);  // 0, -3, 2 · 0
  const auto bad = chain(
      [&](bytes& out) {
        norm(out);
        biased(out);
      },
      2);
  CHECK(contains(refusal([&] { embit::read_faiss_lsh(written(dir, bad)); }), "unsupported: " + (dir / "x")));
}

TEST_CASE("a trained ITQ transform is read with its mean") {
  const temp_dir dir;
  bytes out;
  out.tag("Viqt").floats({1, 2, 3}).put(std::uint8_t{1});
  out.tag("Viqm").put(std::int32_t{50}).put(std::int32_t{123}).put(std::uint8_t{0}).floats({1, 0, 0, 1}).floats({});
  out.put(std::int32_t{2}).put(std::int32_t{2}).put(std::uint8_t{1});
  put_linear(out, "LTra", 3, 2, {1, 0, 0, 0, -1, 1});
  out.put(std::int32_t{3}).put(std::int32_t{2}).put(std::uint8_t{1});
  const auto encoder = embit::read_faiss_transform(written(dir, out));
  CHECK(encoder.dim() == 3);
  CHECK(encoder.bits() == 2);
  CHECK(code_of(encoder, {1, 2, 3}) == 3);
  CHECK(code_of(encoder, {0, 2, 3}) == 2);
  CHECK(code_of(encoder, {2, 2, 2}) == 1);
}

TEST_CASE("what cannot be written or read is refused with the place") {
  const temp_dir dir;
  embit::rng rng{2};
  const auto codes = make_codes(3, 64, code_kind::uniform, rng);
  const std::vector<embit::row_label> nothing{1, std::numeric_limits<embit::row_label>::max(), 2};
  CHECK(contains(refusal([&] { embit::write_faiss_codes(dir / "y", codes, nothing); }), "argument: labels: number 1"));
  CHECK(contains(refusal([&] { embit::write_faiss_codes(dir / "y", embit::code_store<>{}); }), "shape: codes"));
  CHECK(contains(refusal([&] { embit::write_faiss_codes(dir / "y", codes, std::span(nothing).first(2)); }), "shape: "));
  CHECK(dir.entries() == 0);

  bytes other;
  put_lsh(other, true, {});
  const std::string path = written(dir, other);
  CHECK(refusal([&] { embit::read_faiss_codes(path); }) ==
        "kind: " + path +
            ": byte 0: holds 'IxHe' (IndexLSH) where IndexBinaryFlat, IndexBinaryHNSW or IndexBinaryIVF, " +
            "alone or in an IndexBinaryIDMap, can be read");
  CHECK(contains(refusal([&] { embit::read_faiss_vectors(path); }), "'IxHe' (IndexLSH) where IndexFlatL2, "));
  CHECK(contains(refusal([&] { embit::read_faiss_transform(path); }), "kind: " + path + ": byte 0: holds 'IxHe'"));
  spill(path, other.text + '\0');
  CHECK(contains(refusal([&] { embit::read_faiss_lsh(path); }), "1 bytes after the end"));
  for (std::size_t size = 0; size < other.text.size(); ++size) {
    spill(path, other.text.substr(0, size));
    REQUIRE(contains(refusal([&] { embit::read_faiss_lsh(path); }), path + ": b"));
  }
  bytes huge;
  huge.tag("IBxF").put(std::int32_t{8}).put(std::int32_t{1}).put(std::int64_t{1} << 40).put(std::uint8_t{1});
  huge.put(std::int32_t{1}).put(std::uint64_t{1} << 40);
  CHECK(contains(refusal([&] { embit::read_faiss_codes(written(dir, huge)); }), "0 bytes are left"));
  bytes nan;
  put_linear(nan, "LTra", 1, 2, {1, std::numeric_limits<float>::quiet_NaN()});
  CHECK(
      contains(refusal([&] { embit::read_faiss_transform(written(dir, nan)); }), "not_finite: " + path + ": byte 17"));
}
