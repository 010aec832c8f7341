// Searches beside changes: every result is that of the index at one moment. Run under the thread sanitizer too.
#include <embit/core/isa.hpp>
#include <embit/index/concurrent.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/io/save.hpp>

#include "support/catch.hpp"
#include "support/codes.hpp"
#include "support/refusal.hpp"
#include "support/temp_dir.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t bits = 64;
constexpr std::uint64_t window = 40;

embit::word code_of(embit::row_label label) {
  embit::rng rng{label};
  return rng();
}

embit::code_view<> view_of(const embit::word& code) { return {&code, 1, bits}; }

/// How much longer than usual the soak runs.
std::size_t effort() {
  const char* times = std::getenv("EMBIT_SOAK");
  return times == nullptr ? 1 : std::strtoul(times, nullptr, 10);
}

}  // namespace

TEST_CASE("a soak of searches against additions, removals, compactions and saves", "[threads]") {
  static_cast<void>(embit::active_isa());  // a level that is refused is refused here, not in a thread
  using rows = embit::labelled_index<embit::flat_index<>>;
  embit::concurrent_index index{rows{embit::flat_index{embit::block_store<>{bits}}}};
  const std::size_t mutations = 2000 * effort();
  std::atomic<std::uint64_t> added{0}, removed{0};  // changes that have returned
  std::atomic<bool> done{false};
  std::atomic<std::size_t> searches{0}, wrong{0};

  // The live labels are always [first, last): one label is added at the end, then one removed at the front. A search
  // for more rows than there are must give exactly such a range, at the right distances, and no older than it began.
  const auto search = [&](std::uint64_t seed) {
    embit::rng rng{seed};
    while (!done.load(std::memory_order_acquire)) {
      const embit::word query = rng();
      const std::uint64_t least_last = added.load(std::memory_order_acquire);
      const std::uint64_t least_first = removed.load(std::memory_order_acquire);
      const auto found = index.search(view_of(query), 2 * window);
      std::set<std::uint64_t> labels;
      bool right = true;
      for (const auto& hit : found[0]) {
        labels.insert(hit.id);
        const embit::word code = code_of(hit.id);
        right = right && hit.distance == support::hamming_distance({&query, 1}, {&code, 1});
      }
      if (!labels.empty()) {
        const std::uint64_t first = *labels.begin(), last = *labels.rbegin() + 1;
        right = right && labels.size() == found[0].size() && labels.size() == last - first;
        right = right && last >= least_last && first >= least_first && last - first <= window + 1;
      }
      right = right && (!labels.empty() || least_last == 0);
      wrong += !right;
      ++searches;
    }
  };
  std::vector<std::thread> readers;
  for (std::uint64_t seed : {1u, 2u}) readers.emplace_back(search, seed);
  std::thread saver([&] {
    const support::temp_dir dir;
    while (!done.load(std::memory_order_acquire)) {
      const auto now = index.snapshot();
      embit::save(dir / "soak", *now);
      const auto loaded = embit::load<rows>(dir / "soak");
      wrong += loaded.size() != now->size();
    }
  });

  for (std::uint64_t i = 0, first = 0; i < mutations; ++i) {
    if (i % 2 == 0 || added - first < window) {
      const embit::row_label label = added;
      const embit::word code = code_of(label);
      index.add(view_of(code), std::vector<embit::row_label>{label});
      added.store(label + 1, std::memory_order_release);
    } else {
      index.remove(embit::row_label{first});
      removed.store(++first, std::memory_order_release);
    }
    if (i % 500 == 499) index.compact();
  }
  while (searches < 10 * mutations) std::this_thread::yield();
  done.store(true, std::memory_order_release);
  for (auto& reader : readers) reader.join();
  saver.join();
  WARN(mutations << " changes, " << searches << " searches");
  CHECK(wrong == 0);
  CHECK(index.size() == added - removed);
}

TEST_CASE("a change that fails is not seen, and a snapshot does not change", "[threads]") {
  embit::rng rng{1};
  const auto codes = support::make_codes(10, bits, support::code_kind::uniform, rng);
  embit::concurrent_index index{embit::flat_index{codes}};
  const auto before = index.snapshot();
  CHECK(support::contains(support::refusal([&] {
                            index.update([&](auto& flat) {
                              flat.add(codes);
                              flat.remove(99);
                            });
                          }),
                          "out_of_range: "));
  CHECK(index.size() == 10);
  index.update([&](auto& flat) {
    flat.add(codes);
    flat.remove(0);
  });
  CHECK(index.size() == 19);
  CHECK(index.search(codes, 1)[0][0].id == 10);
  CHECK(before->size() == 10);
  CHECK(before->search(codes, 1)[0][0].id == 0);
}

// Writers wait for one another: each change is made to the index that the one before left.
TEST_CASE("several writers at the same time lose no change, and readers see each whole", "[threads]") {
  static_cast<void>(embit::active_isa());  // a level that is refused is refused here, not in a thread
  using rows = embit::labelled_index<embit::flat_index<>>;
  embit::concurrent_index index{rows{embit::flat_index{embit::block_store<>{bits}}}};
  constexpr std::uint64_t writers = 3;
  const std::uint64_t changes = 300 * effort();
  std::atomic<std::size_t> wrong{0};
  std::atomic<std::uint64_t> writing{writers};
  // Writer w owns the labels that are w modulo the number of writers. It adds them in pairs, in one change or in one
  // `update`, and takes every fourth pair away again.
  const auto write = [&](std::uint64_t writer) {
    for (std::uint64_t i = 0; i < changes; ++i) {
      const std::vector<embit::row_label> pair{2 * i * writers + writer, (2 * i + 1) * writers + writer};
      const embit::word codes[]{code_of(pair[0]), code_of(pair[1])};
      const embit::code_view<> both{codes, 2, bits};
      if (i % 2 == 0)
        index.add(both, pair);
      else
        index.update([&](rows& all) {
          all.add(both.middle_rows(0, 1), std::span(pair).first(1));
          all.add(both.middle_rows(1, 1), std::span(pair).last(1));
        });
      if (i % 4 == 3) index.update([&](rows& all) { wrong += !all.remove(pair[0]) || !all.remove(pair[1]); });
      if (i % 100 == 99) index.compact();
    }
    --writing;
  };
  std::vector<std::thread> threads;
  for (std::uint64_t writer = 0; writer < writers; ++writer) threads.emplace_back(write, writer);
  std::size_t last = 0;
  while (writing.load(std::memory_order_acquire) != 0) {
    const auto now = index.snapshot();
    wrong += now->size() % 2 != 0;
    const auto labels = now->labels().labels();
    for (std::size_t row = last = std::min(last, labels.size()); row < labels.size(); ++row)
      if (now->index().contains(static_cast<embit::row_id>(row)) && now->row_of(labels[row]) != row) ++wrong;
    last = labels.size();
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(index.size() == 2 * writers * changes * 3 / 4);
  for (std::uint64_t label = 0; label < 2 * writers * changes; ++label) {
    const embit::word code = code_of(label);
    const auto found = index.search(view_of(code), 1);
    const bool removed = label / writers / 2 % 4 == 3;
    REQUIRE(index.snapshot()->contains(label) == !removed);
    if (!removed) REQUIRE(found[0][0] == embit::neighbor<std::uint32_t, embit::row_label>{label, 0});
  }
}
