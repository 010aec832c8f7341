// A durable index after crashes: every change that was acknowledged is there, and nothing that was not asked for.
#include <embit/index/durable.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/index/lsh_table.hpp>
#include <embit/index/multi_index.hpp>
#include <embit/index/versioned.hpp>

#include "support/catch.hpp"
#include "support/codes.hpp"
#include "support/container_bytes.hpp"
#include "support/refusal.hpp"
#include "support/temp_dir.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace {

using plain = embit::durable_index<embit::flat_index<>>;
using named = embit::durable_index<embit::labelled_index<embit::flat_index<>>>;
constexpr std::size_t bits = 70;

/// The code that row `i` has in these tests.
embit::code_store<> code_of(std::uint64_t i) {
  embit::code_store<> codes(1, bits);
  embit::rng rng{i};
  codes.row(0)[0] = rng();
  codes.row(0)[1] = rng() & embit::tail_mask(bits);
  return codes;
}

template <class Index>
bool holds(const Index& index, std::uint64_t i, std::uint64_t id) {
  const auto found = index.range_search(code_of(i), 0);
  for (const auto& hit : found[0])
    if (hit.id == id) return true;
  return false;
}

/// The same log as version 1 wrote it.
std::string old_log(const std::string& log) {
  std::string old = log.substr(0, 32);
  support::put(old, 8, 1u);
  for (std::size_t at = 32; at < log.size();) {
    const std::size_t size = support::get<std::uint32_t>(log, at), padded = (size + 7) / 8 * 8;
    old += log.substr(at, 16) + log.substr(at + 24, 8) + log.substr(at + 32, padded);
    at += 32 + padded;
  }
  support::repair_log(old);
  return old;
}

}  // namespace

TEST_CASE("what was done to an index is there when it is opened again") {
  const support::temp_dir dir;
  {
    auto index = plain::create(dir / "a", embit::flat_index{embit::block_store<>{bits}});
    for (std::uint64_t i = 0; i < 20; ++i) CHECK(index.add(code_of(i)) == i);
    index.remove(embit::row_id{3});
    CHECK(support::contains(support::refusal([&] { index.remove(embit::row_id{99}); }), "out_of_range: "));
    CHECK(support::contains(support::refusal([&] { (void)plain::open(dir / "a"); }), "held by another writer"));
    CHECK(support::contains(
        support::refusal([&] { (void)plain::create(dir / "a", embit::flat_index{embit::block_store<>{bits}}); }),
        "is there already"));
  }
  for (const bool checkpoint : {false, true, false}) {
    auto index = plain::open(dir / "a");
    CHECK(index.index().rows() == 20);
    CHECK(index.index().size() == 19);
    for (std::uint64_t i = 0; i < 20; ++i) CHECK(holds(index.index(), i, i) == (i != 3));
    if (checkpoint) {
      index.checkpoint();
      CHECK(index.log_size() == 32);
    }
  }
  auto index = plain::open(dir / "a");
  const auto renumbered = index.compact();
  CHECK(renumbered[4] == 3);
  CHECK(index.index().rows() == 19);
}

TEST_CASE("codes of another width are refused, and neither index nor log change") {
  const support::temp_dir dir;
  auto index = plain::create(dir / "a", embit::flat_index{embit::block_store<>{bits}});
  const auto before = index.log_size();
  CHECK(support::contains(support::refusal([&] { index.add(embit::code_store<>(1, 64)); }),
                          "shape: codes: 64 bits, the index holds codes of 70"));
  CHECK(index.log_size() == before);
  CHECK(index.index().size() == 0);
}

TEST_CASE("labels survive too, and a refused label leaves no trace") {
  const support::temp_dir dir;
  {
    auto index = named::create(dir / "a", embit::labelled_index{embit::flat_index{embit::block_store<>{bits}}});
    for (std::uint64_t i = 0; i < 9; ++i) index.add(code_of(i), std::vector<embit::row_label>{100 * i});
    const auto size = index.log_size();
    CHECK(support::contains(support::refusal([&] { index.add(code_of(50), std::vector<embit::row_label>{300}); }),
                            "label: 300"));
    CHECK(index.log_size() == size);
    index.add(code_of(77), std::vector<embit::row_label>{400}, embit::duplicate_labels::replace);
    CHECK(index.remove(embit::row_label{500}));
    CHECK_FALSE(index.remove(embit::row_label{501}));
  }
  const auto index = named::open(dir / "a");
  CHECK(index.index().size() == 8);
  CHECK(holds(index.index(), 77, 400));
  CHECK_FALSE(holds(index.index(), 4, 400));
  CHECK_FALSE(index.index().contains(500));
  CHECK(holds(index.index(), 8, 800));
}

TEST_CASE("what changes nothing is not logged, and what cannot be is refused before the log") {
  const support::temp_dir dir;
  const auto rows = [] {
    embit::rng rng{3};
    return support::make_codes(5, bits, support::code_kind::uniform, rng);
  }();
  {
    auto index = plain::create(dir / "a", embit::flat_index{rows});
    index.remove(4);
    const auto size = index.log_size();
    CHECK(index.add(embit::code_view<>{}) == 5);
    CHECK(index.add(embit::code_store<>(0, 64)) == 5);
    CHECK_FALSE(index.remove(4));
    for (const std::uint64_t row : {std::uint64_t{5}, std::uint64_t{4294967295}, std::uint64_t{4294967299}})
      CHECK(
          support::contains(support::refusal([&] { index.remove(row); }), "out_of_range: row: " + std::to_string(row)));
    CHECK(support::contains(support::refusal([&] { index.remove(-1); }), "out_of_range: row: -1"));
    CHECK(index.log_size() == size);
    CHECK(index.index().contains(3));
  }
  const auto a = plain::open(dir / "a");
  CHECK(a.index().size() == 4);
  {
    const std::vector<embit::row_label> labels{1, 2, 3, 4, 5}, twice{8, 8};
    auto index = named::create(dir / "b", embit::labelled_index{embit::flat_index{rows}, labels});
    const auto size = index.log_size();
    index.add(embit::code_view<>{}, {});
    CHECK_FALSE(index.remove(6u));
    CHECK(support::contains(support::refusal([&] { index.remove(-1); }), "out_of_range: label: -1"));
    CHECK(support::contains(support::refusal([&] { index.add(rows, labels); }), "label: 1 is in use already"));
    CHECK(support::contains(support::refusal([&] { index.add(rows, twice); }), "shape: labels: 2 for 5 rows"));
    CHECK(support::contains(support::refusal([&] { index.add(rows.view().middle_rows(0, 2), twice); }),
                            "label: 8 is in use already"));
    CHECK(index.log_size() == size);
    CHECK(index.remove(std::uint8_t{5}));
  }
  const auto b = named::open(dir / "b");
  CHECK(b.index().size() == 4);
}

TEST_CASE("indexes of other kinds are durable too") {
  const support::temp_dir dir;
  embit::rng rng{4};
  const auto rows = support::make_codes(300, bits, support::code_kind::uniform, rng);
  const auto survives = [&](const std::string& path, auto index) {
    using durable = embit::durable_index<decltype(index)>;
    {
      auto there = durable::create(path, std::move(index));
      CHECK(there.add(rows) == 300);
      CHECK(there.remove(7));
      there.compact();
      CHECK(there.remove(8));
      CHECK(there.add(rows.view().middle_rows(0, 2)) == 599);
    }
    const auto again = durable::open(path);
    CHECK(again.index().rows() == 601);
    CHECK(again.index().size() == 600);
    CHECK(again.index().search(rows.view().middle_rows(1, 1), 3)[0].size() == 3);
  };
  survives(dir / "multi", embit::multi_index{rows});
  survives(dir / "lsh", embit::lsh_table{rows, {.tables = 4, .bits = 12}});
  survives(dir / "versioned", embit::versioned_index{embit::flat_index{rows}, 3});

  // A table of given keys takes no codes alone: that is found out before the log, not by `open`.
  const std::vector<std::uint32_t> numbers(600, 5);
  const embit::matrix_view<const std::uint32_t> keys{numbers.data(), 300, 2};
  using keyed = embit::lsh_table<>;
  auto index = embit::durable_index<keyed>::create(dir / "keyed", keyed{rows, keys, {.tables = 2, .bits = 8}});
  const auto size = index.log_size();
  CHECK(support::contains(support::refusal([&] { index.add(rows); }), "add: the index was given keys"));
  CHECK(index.log_size() == size);
}

TEST_CASE("a checkpoint or compaction that cannot be written changes nothing") {
  const support::temp_dir dir;
  {
    auto index = plain::create(dir / "a", embit::flat_index{embit::block_store<>{bits}});
    for (std::uint64_t i = 0; i < 6; ++i) index.add(code_of(i));
    index.remove(0);
    rlimit old{};
    ::getrlimit(RLIMIT_FSIZE, &old);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit full{100, old.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &full);
    const std::string compact = support::refusal([&] { index.compact(); });
    const std::string checkpoint = support::refusal([&] { index.checkpoint(); });
    ::setrlimit(RLIMIT_FSIZE, &old);
    std::signal(SIGXFSZ, handler);
    CHECK(support::contains(compact, "no_space: "));
    CHECK(support::contains(checkpoint, "no_space: "));
    CHECK_FALSE(index.needs_reopening());
    CHECK(index.index().rows() == 6);
    CHECK(index.remove(2));
    CHECK(holds(index.index(), 3, 3));
    CHECK(dir.entries() == 2);
  }
  const auto index = plain::open(dir / "a");
  for (std::uint64_t i = 0; i < 6; ++i) CHECK(holds(index.index(), i, i) == (i != 0 && i != 2));
}

TEST_CASE("a file that is no log is never written over") {
  const support::temp_dir dir;
  const std::string notes = "my own notes, 28 bytes long\n";
  support::spill(dir / "a.log", notes);
  const auto create = [&] { (void)plain::create(dir / "a", embit::flat_index{embit::block_store<>{bits}}); };
  CHECK(support::contains(support::refusal(create), "a.log: byte 0: not a log"));
  CHECK(dir.entries() == 1);
  std::filesystem::remove(dir / "a.log");
  create();
  support::spill(dir / "a.log", notes);
  CHECK(support::contains(support::refusal([&] { (void)plain::open(dir / "a"); }), "a.log: byte 0: not a log"));
  CHECK(support::slurp(dir / "a.log") == notes);
  // Nor is a log whose file is gone.
  std::filesystem::remove(dir / "a.log");
  plain::open(dir / "a").add(code_of(1));
  std::filesystem::remove(dir / "a");
  const std::string log = support::slurp(dir / "a.log");
  CHECK(support::contains(support::refusal(create), "a.log: holds changes to a file that is not there"));
  CHECK(support::slurp(dir / "a.log") == log);
  CHECK(support::contains(support::refusal([&] { (void)plain::open(dir / "b"); }), "No such file"));
  CHECK(dir.entries() == 1);
}

TEST_CASE("a log of version 1 is done once, and goes on as one of this version") {
  const support::temp_dir dir;
  {
    auto index = named::create(dir / "a", embit::labelled_index{embit::flat_index{embit::block_store<>{bits}}});
    for (std::uint64_t i = 0; i < 9; ++i) index.add(code_of(i), std::vector<embit::row_label>{100 * i});
    index.remove(300u);
  }
  support::spill(dir / "a.log", old_log(support::slurp(dir / "a.log")));
  for (const bool first : {true, false}) {
    auto index = named::open(dir / "a");
    CHECK(index.index().size() == (first ? 8 : 9));
    for (std::uint64_t i = 0; i < 9; ++i) CHECK(holds(index.index(), i, 100 * i) == (i != 3));
    if (first) CHECK(index.log_size() == 32);
    if (first) index.add(code_of(20), std::vector<embit::row_label>{7});
  }
}

TEST_CASE("a log cut anywhere loses only what had not returned; damage before its end is an error") {
  const support::temp_dir dir;
  std::vector<std::uint64_t> sizes;  // of the log after each change
  {
    auto index = plain::create(dir / "a", embit::flat_index{embit::block_store<>{bits}});
    sizes.push_back(index.log_size());
    for (std::uint64_t i = 0; i < 5; ++i) {
      index.add(code_of(i));
      sizes.push_back(index.log_size());
    }
  }
  const std::string log = support::slurp(dir / "a.log");
  for (std::size_t size = 0; size <= log.size(); ++size) {
    support::spill(dir / "a.log", log.substr(0, size));
    const auto index = plain::open(dir / "a");
    std::size_t whole = 0;
    while (whole + 1 < sizes.size() && sizes[whole + 1] <= size) ++whole;
    CHECK(index.index().rows() == whole);
  }
  std::size_t refused = 0, shorter = 0;
  for (std::size_t at = 0; at < log.size(); ++at) {
    std::string damaged = log;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    support::spill(dir / "a.log", damaged);
    const std::string said = support::refusal([&] {
      const auto index = plain::open(dir / "a");
      // Only the last record can pass for one that a crash cut short; padding says nothing.
      CHECK((index.index().rows() == 5 || (at >= sizes[4] && index.index().rows() == 4)));
      shorter += index.index().rows() == 4;
    });
    if (said == "accepted") continue;
    ++refused;
    CHECK(support::contains(said, "a.log: byte "));
  }
  CHECK(refused > log.size() / 2);
  CHECK(shorter > 0);
}

TEST_CASE("a full disk refuses a change and leaves log and index as they were") {
  const support::temp_dir dir;
  auto index = plain::create(dir / "a", embit::flat_index{embit::block_store<>{bits}}, {.sync = false});
  index.add(code_of(0));
  const auto size = index.log_size();
  rlimit old{};
  ::getrlimit(RLIMIT_FSIZE, &old);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit full{static_cast<rlim_t>(size + 20), old.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &full);
  const std::string said = support::refusal([&] { index.add(code_of(1)); });
  ::setrlimit(RLIMIT_FSIZE, &old);
  std::signal(SIGXFSZ, handler);
  CHECK(support::contains(said, "a.log: cannot append"));
  CHECK(index.log_size() == size);
  CHECK(index.index().size() == 1);
  CHECK(index.add(code_of(1)) == 1);
}

// A child process adds rows and now and then writes a checkpoint; it is killed at a random moment. Everything that it
// had reported before must be there, and nothing but one more change.
TEST_CASE("kill -9 at 200 random moments loses no acknowledged row") {
  const support::temp_dir dir;
  embit::rng rng{5};
  std::uint64_t rows = 0;
  { plain::create(dir / "a", embit::flat_index{embit::block_store<>{bits}}); }
  for (int round = 0; round < 200; ++round) {
    int channel[2];
    REQUIRE(::pipe(channel) == 0);
    const std::uint64_t seed = rng();
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      ::close(channel[0]);
      embit::rng own{seed};
      auto index = plain::open(dir / "a", {.sync = false});
      for (std::uint64_t i = index.index().rows();; ++i) {
        index.add(code_of(i));
        const std::uint64_t done = i + 1;
        if (::write(channel[1], &done, sizeof done) != sizeof done) ::_exit(1);
        if (embit::uniform_index(own, 8) == 0) index.checkpoint();
      }
    }
    ::close(channel[1]);
    // After some rows, however slow the machine is, and then at any moment of what comes next.
    std::uint64_t acknowledged = rows, done = 0;
    for (std::uint64_t wanted = embit::uniform_index(rng, 8); wanted != 0; --wanted) {
      REQUIRE(::read(channel[0], &done, sizeof done) == sizeof done);
      acknowledged = done;
    }
    ::usleep(static_cast<useconds_t>(embit::uniform_index(rng, 1000)));
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    while (::read(channel[0], &done, sizeof done) == sizeof done) acknowledged = done;
    ::close(channel[0]);

    const auto index = plain::open(dir / "a");
    const std::uint64_t found = index.index().rows();
    REQUIRE(found >= acknowledged);
    REQUIRE(found <= acknowledged + 1);
    for (std::uint64_t i = rows; i < found; ++i) REQUIRE(holds(index.index(), i, i));
    rows = found;
  }
  const auto index = plain::open(dir / "a");
  for (std::uint64_t i = 0; i < rows; ++i) REQUIRE(holds(index.index(), i, i));
  CHECK(rows > 200);
}
