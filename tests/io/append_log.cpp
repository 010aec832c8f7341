// What an append log takes for a record, and what it refuses to write over.
#include <embit/io/append_log.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <support/catch.hpp>
#include <support/container_bytes.hpp>
#include <support/refusal.hpp>
#include <support/temp_dir.hpp>

using support::bytes_of;
using support::contains;
using support::refusal;
using support::slurp;
using support::spill;

namespace {

constexpr std::size_t header_size = support::log_header_size;

std::vector<std::string> records_in(const std::string& path, std::uint64_t generation = 1) {
  std::vector<std::string> found;
  embit::append_log log(path, true);
  log.replay(generation, [&](std::span<const std::byte> bytes) {
    found.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  });
  return found;
}

/// The bytes of a log of these records.
std::string log_of(const std::vector<std::string>& records, const support::temp_dir& dir,
                   std::uint64_t generation = 1) {
  std::filesystem::remove(dir / "log");
  embit::append_log log(dir / "log", true);
  log.begin(generation);
  for (const std::string& record : records) log.append(bytes_of(record));
  return slurp(dir / "log");
}

/// A log as version 1 wrote it.
std::string old_log_of(const std::vector<std::string>& records, std::uint64_t generation) {
  std::string bytes(header_size, '\0');
  std::copy(support::log_magic.begin(), support::log_magic.end(), bytes.begin());
  support::put(bytes, 8, 1u);
  support::put(bytes, 16, generation);
  for (const std::string& record : records) {
    const std::size_t at = bytes.size();
    bytes.resize(at + support::record_header_size(1));
    support::put(bytes, at, static_cast<std::uint32_t>(record.size()));
    bytes += record;
    bytes.resize((bytes.size() + 7) / 8 * 8);
  }
  support::repair_log(bytes);
  return bytes;
}

}  // namespace

TEST_CASE("records come back in order, whatever their sizes") {
  const support::temp_dir dir;
  const std::vector<std::string> records{"", "a", "eight by", std::string(1000, 'x'), "last"};
  const std::string bytes = log_of(records, dir);
  CHECK(bytes.size() % 8 == 0);
  CHECK(records_in(dir / "log") == records);
  CHECK(slurp(dir / "log") == bytes);
}

// Bytes of a log may turn up elsewhere in it: blocks of a file that was cut and grew again.
TEST_CASE("a record counts only where it was written") {
  const support::temp_dir dir;
  const std::string bytes = log_of({"first...", "second..", "third...", "fourth.."}, dir);
  const std::size_t size = (bytes.size() - header_size) / 4;
  const auto record = [&](std::size_t i) { return bytes.substr(header_size + i * size, size); };

  spill(dir / "log", bytes + record(3));  // at the end it is not one more
  CHECK(records_in(dir / "log").size() == 4);
  CHECK(slurp(dir / "log") == bytes);

  spill(dir / "log", bytes.substr(0, header_size) + record(1) + record(0) + record(2) + record(3));
  CHECK(contains(refusal([&] { records_in(dir / "log"); }), "checksum: " + (dir / "log") + ": byte 32: "));
}

TEST_CASE("a record counts only in the generation that it was written in") {
  const support::temp_dir dir;
  const std::string old = log_of({"first...", "second..", "third..."}, dir, 4);
  const std::string now = log_of({"fourth.."}, dir, 5);
  // What is left where the cut of an old log was lost, before and after something was written over it.
  spill(dir / "log", now.substr(0, header_size) + old.substr(header_size));
  CHECK(records_in(dir / "log", 5).empty());
  CHECK(slurp(dir / "log") == now.substr(0, header_size));
  spill(dir / "log", now + old.substr(now.size()));
  CHECK(records_in(dir / "log", 5) == std::vector<std::string>{"fourth.."});
  CHECK(slurp(dir / "log") == now);

  spill(dir / "log", old);
  CHECK(contains(refusal([&] { records_in(dir / "log", 3); }), "continues generation 4"));
  CHECK(slurp(dir / "log") == old);
  CHECK(records_in(dir / "log", 5).empty());
  CHECK(slurp(dir / "log") == now.substr(0, header_size));
}

// Every set of sectors of the last record, the others zero: what a disk may have after a cut.
TEST_CASE("a torn last record is dropped whichever of its sectors are there") {
  const support::temp_dir dir(support::temp_dir::in_memory());
  std::size_t states = 0;
  for (const std::size_t before : {0u, 400u, 431u, 448u, 472u})
    for (const std::size_t last : {1u, 500u, 2000u}) {
      const std::vector<std::string> kept{std::string(before, 'a')};
      const std::string old = log_of(kept, dir);
      const std::string now = log_of({kept[0], std::string(last, 'b')}, dir);
      const std::size_t first = old.size() / 512, sectors = (now.size() + 511) / 512 - first;
      for (std::size_t set = 0; set < std::size_t{1} << sectors; ++set) {
        std::string torn = old + std::string(now.size() - old.size(), '\0');
        for (std::size_t i = 0; i < sectors; ++i) {
          const std::size_t begin = std::max(old.size(), (first + i) * 512);
          const std::size_t size = std::min(now.size(), (first + i + 1) * 512) - begin;
          if ((set >> i & 1) != 0) torn.replace(begin, size, now, begin, size);
        }
        spill(dir / "log", torn);
        const auto found = records_in(dir / "log");
        CHECK(found.size() == (torn == now ? 2 : 1));
        CHECK(found[0] == kept[0]);
        CHECK(slurp(dir / "log") == (torn == now ? now : old));
        ++states;
      }
    }
  CHECK(states > 150);
}

TEST_CASE("a file that is no log is left as it is") {
  const support::temp_dir dir;
  for (const std::string& text : {std::string("x"), std::string("my own notes"), std::string("embitten"),
                                  std::string(33, '\0'), std::string(100, 'e'), "embit" + std::string(35, '\0')}) {
    spill(dir / "log", text);
    CHECK(contains(refusal([&] { records_in(dir / "log"); }), "format: " + (dir / "log") + ": byte 0: not a log"));
    CHECK(contains(refusal([&] { embit::append_log(dir / "log", true).begin(1); }), "byte 0: not a log"));
    CHECK(slurp(dir / "log") == text);
  }
  const std::string log = log_of({"a change"}, dir);
  CHECK(contains(refusal([&] { embit::append_log(dir / "log", true).begin(1); }),
                 "argument: " + (dir / "log") + ": holds changes to a file that is not there"));
  CHECK(slurp(dir / "log") == log);
}

TEST_CASE("a log of version 1 can be read, and goes on as one of this version after a reset") {
  const support::temp_dir dir;
  const std::vector<std::string> records{"first", "second one", ""};
  const std::string old = old_log_of(records, 7);
  for (const std::size_t cut : {0u, 1u, 24u}) {
    spill(dir / "log", old.substr(0, old.size() - cut));
    std::size_t found = 0;
    embit::append_log log(dir / "log", true);
    log.replay(7, [&](std::span<const std::byte> bytes) { CHECK(bytes.size() == records[found++].size()); });
    CHECK(found == (cut == 0 ? 3 : 2));
    CHECK(log.outdated());
    CHECK(contains(refusal([&] { log.append(bytes_of("more")); }), "version: "));
    log.reset(8);
    log.append(bytes_of("more"));
  }
  CHECK(records_in(dir / "log", 8) == std::vector<std::string>{"more"});
  std::string damaged = old;
  damaged[header_size + 24] ^= 1;
  spill(dir / "log", damaged);
  CHECK(contains(refusal([&] { records_in(dir / "log", 7); }), "checksum: "));
  std::string later = old;
  support::put(later, 8, 3u);
  support::repair_log(later);
  spill(dir / "log", later);
  CHECK(contains(refusal([&] { records_in(dir / "log", 7); }), "version 3 where this library reads up to 2"));
}
