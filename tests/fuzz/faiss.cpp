#include <embit/adapt/faiss.hpp>

#include "support/fuzz.hpp"

namespace {

// Values as FAISS writes them: an IndexPreTransform of every transform that is read, an IndexLSH, and the others.
class faiss_file {
 public:
  explicit faiss_file(std::string path) : out_(std::move(path)) {}

  void write() {
    header("IxPT", 3, 2);
    out_.value(std::int32_t{5});
    out_.tag("VCnt");
    floats(3), dims(3, 3);
    out_.tag("Pcam");
    out_.value(-.5f), out_.value(0.f), out_.value(std::uint8_t{1}), out_.value(std::int32_t{0});
    floats(3), floats(3), floats(9);
    linear(3, 3);
    itq(3, 2);
    out_.tag("VNrm");
    out_.value(2.f), dims(2, 2);
    out_.tag("LTra");
    linear(2, 4);
    index(4, 3);
  }
  // Three rows of two numbers.
  void flat() {
    header("IxFI", 2, 3);
    floats(6);
  }
  void graph() {
    out_.value(std::uint64_t{1}), out_.value(1.0);
    for (int i = 0; i < 2; ++i) out_.value(std::uint64_t{1}), out_.value(std::int32_t{3});
    out_.value(std::uint64_t{1}), out_.value(std::uint64_t{0}), out_.value(std::uint64_t{1}),
        out_.value(std::int32_t{2});
    for (int i = 0; i < 5; ++i) out_.value(std::int32_t{i});
  }
  void map_of_graph() {
    header("IxMp", 2, 3);
    header("IHNf", 2, 3);
    graph(), flat();
    out_.value(std::uint64_t{3});
    for (std::int64_t id = 7; id > 4; --id) out_.value(id);
  }
  // Lists of one and two rows of `bytes` bytes, or only the second.
  void lists(std::uint64_t bytes, bool sparse) {
    out_.value(std::uint8_t{2}), out_.value(std::uint64_t{0}), out_.value(std::uint64_t{1});
    out_.value(std::int64_t{1}), out_.value(std::int64_t{2});
    out_.tag("ilar"), out_.value(std::uint64_t{3}), out_.value(bytes), out_.tag(sparse ? "sprs" : "full");
    const std::vector<std::uint64_t> sizes =
        sparse ? std::vector<std::uint64_t>{2, 3} : std::vector<std::uint64_t>{1, 2, 0};
    out_.value(std::uint64_t{sizes.size()});
    for (const std::uint64_t n : sizes) out_.value(n);
    std::int64_t id = 2;
    for (const int rows : sparse ? std::vector<int>{3} : std::vector<int>{1, 2}) {
      for (std::uint64_t i = 0; i < static_cast<std::uint64_t>(rows) * bytes; ++i) out_.value(std::uint8_t{63});
      for (int i = 0; i < rows; ++i) out_.value(id--);
    }
  }
  void float_lists() {
    header("IwFl", 2, 3);
    out_.value(std::uint64_t{3}), out_.value(std::uint64_t{1});
    flat(), lists(8, false);
  }
  void binary_header(std::string_view tag, std::int64_t rows) {
    out_.tag(tag);
    out_.value(std::int32_t{16}), out_.value(std::int32_t{2}), out_.value(rows);
    out_.value(std::uint8_t{1}), out_.value(std::int32_t{1});
  }
  void binary_flat() {
    binary_header("IBxF", 3);
    out_.value(std::uint64_t{6}), out_.tag("code"), out_.value(std::int16_t{9});
  }
  void binary_lists() {
    binary_header("IBwF", 3);
    out_.value(std::uint64_t{3}), out_.value(std::uint64_t{1});
    binary_flat(), lists(2, true);
  }
  void binary_graph() {
    binary_header("IBHf", 3);
    graph(), binary_flat();
  }
  void itq(std::size_t in, std::size_t out) {
    out_.tag("Viqt");
    floats(in), out_.value(std::uint8_t{1});
    out_.tag("Viqm");
    out_.value(std::int32_t{50}), out_.value(std::int32_t{123});
    linear(out, out);
    out_.tag("LTra");
    linear(in, out), dims(in, out);
  }
  void index(std::size_t dim, std::size_t bits) {
    header("IxHe", dim, 2);
    out_.value(static_cast<std::int32_t>(bits)), out_.value(std::uint8_t{1}), out_.value(std::uint8_t{0});
    floats(0), out_.value(std::int32_t{1});
    out_.tag("rrot");
    linear(dim, bits);
    out_.value(std::uint64_t{2}), out_.value(std::uint8_t{5}), out_.value(std::uint8_t{2});
  }
  void commit() { out_.commit(); }

 private:
  void header(std::string_view tag, std::size_t dim, std::int64_t rows) {
    out_.tag(tag);
    out_.value(static_cast<std::int32_t>(dim)), out_.value(rows);
    out_.value(std::int64_t{1} << 20), out_.value(std::int64_t{1} << 20);
    out_.value(std::uint8_t{1}), out_.value(std::int32_t{1});
  }
  void floats(std::size_t n) {
    out_.value(std::uint64_t{n});
    for (std::size_t i = 0; i < n; ++i) out_.value(static_cast<float>(i) - 1.5f);
  }
  void dims(std::size_t in, std::size_t out) {
    out_.value(static_cast<std::int32_t>(in)), out_.value(static_cast<std::int32_t>(out)), out_.value(std::uint8_t{1});
  }
  void linear(std::size_t in, std::size_t out) {
    out_.value(std::uint8_t{0});
    floats(in * out), floats(0), dims(in, out);
  }

  embit::detail::faiss_writer out_;
};

}  // namespace

void fuzz::write_seeds(const folder& seeds) {
  embit::code_store<> codes(3, 20);
  codes.row(1)[0] = 0xabcde;
  const std::vector<embit::row_label> labels{5, 1, 9};
  embit::write_faiss_codes(seeds / "flat", codes);
  embit::write_faiss_codes(seeds / "map", codes, labels);
  faiss_file chain(seeds / "chain"), lsh(seeds / "lsh"), itq(seeds / "itq");
  chain.write(), chain.commit();
  lsh.index(4, 3), lsh.commit();
  itq.itq(3, 2), itq.commit();
  faiss_file map(seeds / "map_of_graph"), lists(seeds / "lists"), codes_of_lists(seeds / "binary_lists"),
      codes_of_graph(seeds / "binary_graph");
  map.map_of_graph(), map.commit();
  lists.float_lists(), lists.commit();
  codes_of_lists.binary_lists(), codes_of_lists.commit();
  codes_of_graph.binary_graph(), codes_of_graph.commit();
}

void fuzz::read(const std::string& path) {
  free_memory = std::size_t{1} << 27;  // products of matrices, and unit vectors, may be larger than the file
  attempt([&] { embit::read_faiss_codes(path); });
  attempt([&] { embit::read_faiss_vectors(path); });
  attempt([&] { embit::read_faiss_lsh(path); });
  attempt([&] { embit::read_faiss_transform(path); });
}
