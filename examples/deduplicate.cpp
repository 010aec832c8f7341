// Near-duplicates of your own collection: hashes of pictures, lines of a text file, or the files of a folder.
//
//   hashes ──────────────────────▶ codes ──pairs within a radius──▶ groups
//   texts ──SimHash or MinHash──▶
//
// SPDX-License-Identifier: MIT
#include "support/command_line.hpp"
#include "support/corpus.hpp"
#include "support/run.hpp"
#include "support/table.hpp"
#include "support/terminal.hpp"

#include <embit/adapt/bit_order.hpp>
#ifdef EMBIT_EXAMPLE_ZLIB
#include <embit/adapt/gzip.hpp>
#endif
#include <embit/codes/code_view.hpp>
#include <embit/codes/plan_bands.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/encode/min_hash.hpp>
#include <embit/encode/shingles.hpp>
#include <embit/encode/sim_hash.hpp>
#include <embit/io/delimited.hpp>
#include <embit/io/dtype.hpp>
#include <embit/io/npy.hpp>
#include <embit/search/duplicate_groups.hpp>
#include <embit/search/join.hpp>
#include <embit/search/similar_groups.hpp>
#include <embit/store/code_store.hpp>

#include <CLI/CLI.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

using embit::row_id;

constexpr std::size_t hashes = 128, bits_per_hash = 8, shingle = 5;

struct options {
  std::string input, hash = "minhash";
  std::uint32_t radius = 3;
  double similarity = .8;
  std::size_t threads = 1;
  bool text = false, pairs = false;
};

options parse_command_line(int argc, char** argv) {
  options out;
  CLI::App app("Finds near-duplicates and prints them as groups, tab-separated: number of the group, id of a row.",
               "deduplicate");
  app.footer(
      "Input is a file of hexadecimal hashes, one a line; a .csv of id, hash; a .npy of a hash a row, as bytes or as\n"
      "64-bit numbers; with --text the lines of a text file; or a folder, whose text files are compared. Lines may be "
      "compressed\n"
      "(hashes.csv.gz).\n"
      "Ids are numbers of lines from 1, of rows of a .npy from 0, those of the .csv, or paths.\n"
      "Examples:\n"
      "  deduplicate hashes.csv --radius 4 --threads 2\n"
      "  deduplicate ~/notes --similarity 0.7 --pairs");
  app.add_option("input", out.input, "Hashes or texts")->required()->option_text("PATH");
  auto* text = app.add_flag("--text", out.text, "The input is text, a document a line");
  auto* hash = app.add_option("--hash", out.hash, "What texts are compared by")
                   ->check(CLI::IsMember({"minhash", "simhash"}))
                   ->option_text("minhash | simhash");
  auto* radius =
      app.add_option("--radius", out.radius, "Hashes and SimHashes that differ in so many bits are duplicates")
          ->option_text("N (3)");
  app.add_option("--similarity", out.similarity,
                 "Texts with so many of their pieces in common are duplicates (MinHash)")
      ->check(CLI::Range(.05, 1.))
      ->excludes(radius)
      ->option_text("S (0.8)");
  app.add_option("--threads", out.threads, "Threads to use")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1024}))
      ->option_text("N (1)");
  app.add_flag("--pairs", out.pairs, "Print pairs and their distance, or similarity, in place of groups");
  example::parse(app, argc, argv);
  out.text |= std::filesystem::is_directory(out.input);
  if (hash->count() != 0 && !out.text)
    throw std::runtime_error("--hash: the input is hashes (--text for lines of text)");
  if (text->count() == 0 && !out.text && out.similarity != .8)
    throw std::runtime_error("--similarity: the input is hashes, give --radius");
  if (out.text && out.hash == "minhash" && radius->count() != 0)
    throw std::runtime_error("--radius: MinHash takes --similarity (or give --hash simhash)");
  return out;
}

/// What is compared, and what its rows are called.
struct collection {
  embit::code_store<> codes;
  std::vector<std::string> ids;
};

/// The codes of hashes of one width: it grows by doubling.
class hash_list {
 public:
  void add(const embit::delimited_reader& rows, std::size_t field, std::string id) {
    if (bytes_.empty()) {
      const std::size_t digits = rows[field].size();
      if (digits == 0 || digits % 2 != 0) rows.refuse(field, digits, " hexadecimal digits, not two a byte");
      bytes_.resize(digits / 2);
    }
    rows.hex(field, bytes_);
    all_.insert(all_.end(), bytes_.begin(), bytes_.end());
    ids_.push_back(std::move(id));
  }
  collection finish() && {
    if (ids_.empty()) return {};
    const embit::matrix_view<const std::uint8_t> rows(all_.data(), ids_.size(), bytes_.size());
    return {embit::from_msb_first(rows, bytes_.size() * 8), std::move(ids_)};
  }

 private:
  std::vector<std::uint8_t> bytes_, all_;
  std::vector<std::string> ids_;
};

embit::delimited_reader open_lines(const std::string& path, const embit::delimited_options& options) {
  if (!path.ends_with(".gz")) return embit::delimited_reader(path, options);
#ifdef EMBIT_EXAMPLE_ZLIB
  return embit::delimited_reader(embit::gzip_text(path), options);
#else
  throw std::runtime_error(path + ": this program was built without zlib: run gunzip");
#endif
}

collection read_hashes(const std::string& path, example::progress_bar& progress) {
  const bool csv = path.ends_with(".csv") || path.ends_with(".csv.gz");
  embit::delimited_reader rows =
      open_lines(path, {.separator = csv ? ',' : '\t', .quotes = csv, .fields = csv ? 2u : 1u});
  hash_list list;
  while (rows.next()) {
    list.add(rows, csv ? 1 : 0, csv ? std::string(rows[0]) : std::to_string(rows.line()));
    progress("reading", static_cast<std::size_t>(rows.bytes_read()), static_cast<std::size_t>(rows.bytes()));
  }
  return std::move(list).finish();
}

collection read_array(const std::string& path) {
  collection out;
  if (embit::read_npy_header(path).type == embit::dtype::u64) {
    const auto rows = embit::read_npy<std::uint64_t>(path);
    out.codes = embit::code_store<>(rows.rows(), rows.cols() * 64);
    for (std::size_t i = 0; i < rows.rows(); ++i)
      for (std::size_t j = 0; j < rows.cols(); ++j) out.codes.row(i)[j] = rows[i][j];
  } else {
    const auto rows = embit::read_npy<std::uint8_t>(path);
    out.codes = embit::from_lsb_first(rows, rows.cols() * 8);
  }
  for (std::size_t row = 0; row < out.codes.size(); ++row) out.ids.push_back(std::to_string(row));
  return out;
}

/// Calls `f(id, text)` for every text.
template <class F>
void for_each_text(const std::string& path, example::progress_bar& progress, F&& f) {
  if (!std::filesystem::is_directory(path)) {
    embit::delimited_reader lines = open_lines(path, {.quotes = false});
    std::string line;
    while (lines.next()) {
      line.clear();
      for (std::size_t i = 0; i < lines.size(); ++i) line.append(i == 0 ? "" : " ").append(lines[i]);
      f(std::to_string(lines.line()), line);
      progress("reading", static_cast<std::size_t>(lines.bytes_read()), static_cast<std::size_t>(lines.bytes()));
    }
    return;
  }
  const auto files = example::detail::text_files(path);
  std::string text;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (example::detail::read_text(files[i], text)) f(files[i].string(), text);
    progress("reading", i + 1, files.size());
  }
}

/// The codes of texts in which case and white space do not count; texts without any other character are left out.
collection hash_texts(const options& options, const embit::min_hash& min_hash, example::progress_bar& progress) {
  const embit::sim_hash sim_hash({.bits = 64}, 1);
  const bool minhash = options.hash == "minhash";
  const std::size_t bits = minhash ? min_hash.bits() : 64, words = embit::words_for(bits);
  std::vector<embit::word> all, code(words);
  std::vector<embit::weighted_feature> features;
  collection out;
  for_each_text(options.input, progress, [&](std::string id, std::string_view text) {
    std::string folded;
    for (const char c : text) {
      if (static_cast<unsigned char>(c) > ' ')
        folded += example::detail::to_lower(c);
      else if (!folded.empty() && folded.back() != ' ')
        folded += ' ';
    }
    const auto pieces = embit::char_shingles(folded, shingle);
    if (pieces.empty()) return;
    if (minhash) {
      min_hash.encode_into(pieces, code);
    } else {
      features.clear();
      for (const std::uint64_t piece : pieces) features.push_back({piece, 1});
      sim_hash.encode_into(features, code);
    }
    all.insert(all.end(), code.begin(), code.end());
    out.ids.push_back(std::move(id));
  });
  if (!out.ids.empty()) out.codes = embit::code_store<>(embit::code_view<>(all.data(), out.ids.size(), bits));
  return out;
}

void print_groups(const embit::duplicate_groups& groups, const std::vector<std::string>& ids) {
  std::size_t shown = 0;
  for (std::size_t group = 0; group < groups.size(); ++group) {
    const auto rows = groups.rows_of(group);
    if (rows.size() == 1) continue;
    ++shown;
    for (const row_id row : rows) std::printf("%zu\t%s\n", shown, ids[row].c_str());
  }
  std::fprintf(stderr, "%zu rows, %zu of them duplicates of others, in %zu groups\n", groups.rows(),
               groups.duplicates(), shown);
}

void deduplicate(const options& options) {
  const example::stopwatch time;
  example::progress_bar progress;
  const embit::min_hash hash({hashes, bits_per_hash}, 1);
  const collection rows = options.text                      ? hash_texts(options, hash, progress)
                          : options.input.ends_with(".npy") ? read_array(options.input)
                                                            : read_hashes(options.input, progress);
  progress.clear();
  if (rows.ids.empty()) throw std::runtime_error(options.input + ": there is nothing to compare");
  const embit::code_view<> codes(rows.codes);
  const embit::thread_pool pool(options.threads);
  const auto print = [&](row_id a, row_id b, const std::string& measure) {
    std::printf("%s\t%s\t%s\n", rows.ids[a].c_str(), rows.ids[b].c_str(), measure.c_str());
  };
  if (options.text && options.hash == "minhash") {
    const auto similarity = [&](embit::code_span<> a, embit::code_span<> b) { return hash.jaccard(a, b); };
    const embit::band_join_options bands{bits_per_hash, embit::plan_bands({hashes, bits_per_hash, options.similarity}),
                                         options.similarity};
    if (options.pairs)
      embit::similar_pairs(
          codes, bands, similarity, [&](row_id a, row_id b, double s) { print(a, b, example::fixed(s, 3)); }, pool);
    else
      print_groups(embit::group_duplicates(codes, bands, similarity, pool), rows.ids);
  } else if (options.pairs) {
    embit::pairs_within(
        codes, options.radius, [&](row_id a, row_id b, std::uint32_t d) { print(a, b, std::to_string(d)); }, pool);
  } else {
    print_groups(embit::group_duplicates(codes, {.radius = options.radius}, pool), rows.ids);
  }
  std::fprintf(stderr, "%s\n", example::seconds(time.elapsed()).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  return example::run_program("deduplicate", [&] { deduplicate(parse_command_line(argc, argv)); });
}
