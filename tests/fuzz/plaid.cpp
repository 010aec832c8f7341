// A file of a PLAID index in a folder whose others are sound: the first byte says which.
#include <embit/adapt/plaid.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "support/fuzz.hpp"

#include <support/plaid_files.hpp>
#include <support/temp_dir.hpp>

namespace {

constexpr std::array names{"metadata.json",  "centroids.npy", "bucket_weights.npy",
                           "doclens.0.json", "0.codes.npy",   "0.residuals.npy"};

support::plaid_numbers small_index() {
  support::plaid_numbers index{
      .bits = 2, .centroids = embit::matrix<float>(2, 4, .5f), .weights = {-.2f, -.1f, .1f, .2f}, .chunks = {}};
  index.chunks.push_back({{2, 0, 1}, {0, 1, 1}, embit::matrix<std::uint8_t>(3, 4, 1)});
  return index;
}

std::string content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct index_folder {
  support::temp_dir dir{support::temp_dir::in_memory()};
  std::vector<std::string> files;

  index_folder() {
    support::write_plaid(dir / "", small_index());
    for (const char* name : names) files.push_back(content(dir / name));
  }
};

}  // namespace

void fuzz::write_seeds(const folder& seeds) {
  const index_folder index;
  for (std::size_t i = 0; i < names.size(); ++i)
    support::write_text(seeds / names[i], static_cast<char>(i) + index.files[i]);
}

void fuzz::read(const std::string& path) {
  static const index_folder index;
  const std::string bytes = content(path);
  if (bytes.empty()) return;
  const std::size_t which = static_cast<std::uint8_t>(bytes[0]) % names.size();
  support::write_text(index.dir / names[which], bytes.substr(1));
  attempt([&] {
    const embit::plaid_index read(index.dir / "");
    for (std::size_t d = 0; d < read.size(); ++d)
      for (std::size_t t = 0; t < read[d].rows(); ++t) {
        const auto tokens = read[d];
        for (const float x : tokens.view()[t])
          if (!(x >= -1.01f && x <= 1.01f)) __builtin_trap();
      }
  });
  support::write_text(index.dir / names[which], index.files[which]);
}
