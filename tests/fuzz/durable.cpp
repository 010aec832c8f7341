// The log of a durable index, whose records are applied to the index.
#include <embit/index/durable.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>

#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include <support/codes.hpp>

#include "support/fuzz.hpp"

namespace {

using flat = embit::flat_index<embit::block_store<>, embit::hamming>;
using labelled = embit::labelled_index<flat>;

embit::code_store<> some_codes(std::uint64_t seed) {
  embit::rng rng{seed};
  return support::make_codes(3, 70, support::code_kind::uniform, rng);
}

// An index on disk that has an empty log, and is removed with it. Its file is as it was whenever it is opened: a log of
// an earlier version becomes part of the file.
template <class Index>
class base {
 public:
  base(std::string path, Index index) : path_(std::move(path)) {
    remove();
    embit::durable_index<Index>::create(path_, std::move(index), {.sync = false});
    std::filesystem::copy_file(path_, kept());
  }
  base(const base&) = delete;
  base& operator=(const base&) = delete;
  ~base() { remove(); }

  embit::durable_index<Index> open() const {
    std::filesystem::copy_file(kept(), path_, std::filesystem::copy_options::overwrite_existing);
    return embit::durable_index<Index>::open(path_, {.sync = false});
  }
  std::string log() const { return path_ + ".log"; }

 private:
  std::string kept() const { return path_ + ".kept"; }
  void remove() const {
    std::remove(path_.c_str());
    std::remove(kept().c_str());
    std::remove(log().c_str());
  }
  std::string path_;
};

flat flat_rows() { return embit::flat_index{some_codes(1)}; }
labelled labelled_rows() { return labelled{flat_rows(), std::vector<embit::row_label>{5, 6, 7}}; }

}  // namespace

void fuzz::write_seeds(const folder& seeds) {
  const base rows(seeds / "a", flat_rows());
  const base names(seeds / "b", labelled_rows());
  {
    auto index = rows.open();
    index.add(some_codes(2));
    index.remove(embit::row_id{1});
    auto other = names.open();
    const std::vector<embit::row_label> labels{6, 8, 9};
    other.add(some_codes(3), labels, embit::duplicate_labels::replace);
    other.remove(embit::row_label{5});
  }
  std::filesystem::copy_file(rows.log(), seeds / "rows");
  std::filesystem::copy_file(names.log(), seeds / "labels");
}

void fuzz::read(const std::string& path) {
  static const base rows(path + "_flat", flat_rows());
  static const base names(path + "_labelled", labelled_rows());
  const auto open = [&](const auto& opened) {
    std::filesystem::copy_file(path, opened.log(), std::filesystem::copy_options::overwrite_existing);
    attempt([&] {
      const auto index = opened.open();
      if (index.index().search(some_codes(1), 4)[0].size() != std::min<std::size_t>(index.index().size(), 4))
        __builtin_trap();
    });
  };
  open(rows);
  open(names);
}
