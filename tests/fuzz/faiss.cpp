#include <embit/adapt/faiss.hpp>

#include "support/fuzz.hpp"

namespace {

// An IndexPreTransform of every transform that is read, and an IndexLSH: values as FAISS writes them.
class lsh_file {
 public:
  explicit lsh_file(std::string path) : out_(std::move(path)) {}

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
  lsh_file chain(seeds / "chain"), lsh(seeds / "lsh"), itq(seeds / "itq");
  chain.write(), chain.commit();
  lsh.index(4, 3), lsh.commit();
  itq.itq(3, 2), itq.commit();
}

void fuzz::read(const std::string& path) {
  free_memory = std::size_t{1} << 27;  // products of matrices, and unit vectors, may be larger than the file
  attempt([&] { embit::read_faiss_codes(path); });
  attempt([&] { embit::read_faiss_lsh(path); });
  attempt([&] { embit::read_faiss_transform(path); });
}
