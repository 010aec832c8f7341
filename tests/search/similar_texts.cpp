// Near-duplicates among real texts, found by the bands of their MinHash codes.
#include <embit/codes/plan_bands.hpp>
#include <embit/core/types.hpp>
#include <embit/encode/min_hash.hpp>
#include <embit/encode/shingles.hpp>
#include <embit/search/band_join.hpp>
#include <embit/search/similar_groups.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <support/catch.hpp>
#include <support/exact_jaccard.hpp>
#include <support/real_data.hpp>
#include <support/records.hpp>

using embit::row_id;

TEST_CASE("bands of MinHash codes find the similar texts, and nothing else once sets are compared", "[band_join]") {
  EMBIT_NEEDS_REAL_DATA();
  support::element_sets sets;
  for (const char* const file : {"er_dblp_acm/dblp.tsv.gz", "er_dblp_acm/acm.tsv.gz"})
    for (const std::string& text : support::records(support::real_data(file)))
      sets.push_back(embit::char_shingles(text, 5));
  const std::size_t records = sets.size();
  for (const std::string& line : support::gzipped_lines(support::real_data("news20/test.tsv.gz")))
    sets.push_back(embit::char_shingles(std::string_view(line).substr(line.find('\t') + 1), 5));
  std::erase_if(sets, [](const auto& set) { return set.empty(); });
  REQUIRE(records == 4910);
  REQUIRE(sets.size() > 12'000);
  const auto expected = support::exact_pairs(sets, .8);
  REQUIRE(expected.size() > 50);

  const embit::min_hash hash({.hashes = 128, .bits_per_hash = 8}, 5);
  const auto codes = hash.encode(sets);
  const embit::band_join_options options{
      .bits_per_hash = 8,
      .bands = embit::plan_bands({.hashes = 128, .bits_per_hash = 8, .similarity = .8}),
      .similarity = .8};
  std::vector<std::pair<row_id, row_id>> found;
  std::size_t compared = 0;
  const auto exact = [&](row_id a, row_id b) { return ++compared, support::exact_jaccard(sets[a], sets[b]); };
  embit::similar_pairs(codes, options, exact, [&](row_id a, row_id b, double) { found.emplace_back(a, b); });
  std::sort(found.begin(), found.end());
  auto all = expected;
  std::sort(all.begin(), all.end());
  CHECK(std::includes(all.begin(), all.end(), found.begin(), found.end()));
  const double recall = static_cast<double>(found.size()) / static_cast<double>(all.size());
  CAPTURE(all.size(), found.size(), compared, options.bands.bands, options.bands.hashes);
  CHECK(recall >= .95);
  CHECK(compared < 20 * all.size());

  compared = 0;
  const auto groups = embit::group_duplicates(codes, options, exact);
  for (const auto& [a, b] : found) REQUIRE(groups.group_of(a) == groups.group_of(b));
  CHECK(groups.duplicates() <= found.size());
}
