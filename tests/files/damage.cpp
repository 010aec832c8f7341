// Damaged files of every kind are refused, or what is damaged does not matter; never anything else.
#include <embit/core/types.hpp>
#include <embit/io/container.hpp>
#include <embit/io/metadata.hpp>
#include <embit/io/save.hpp>
#include <embit/store/code_store.hpp>
#include <embit/store/level_store.hpp>
#include <embit/store/mapped_level_store.hpp>
#include <embit/store/mapped_store.hpp>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include <support/catch.hpp>
#include <support/container_bytes.hpp>
#include <support/refusal.hpp>
#include <support/saved_kind.hpp>
#include <support/temp_dir.hpp>

using namespace support;

namespace {

// A file whose bytes are changed in place, which is much faster than writing it anew.
class open_file {
 public:
  open_file(std::string path, const std::string& bytes) : path_(std::move(path)) {
    spill(path_, bytes);
    descriptor_ = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
    REQUIRE(descriptor_ >= 0);
  }
  open_file(const open_file&) = delete;
  open_file& operator=(const open_file&) = delete;
  ~open_file() { ::close(descriptor_); }
  const std::string& path() const { return path_; }
  void write(std::size_t at, const std::string& bytes) const {
    REQUIRE(::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(at)) ==
            static_cast<ssize_t>(bytes.size()));
  }
  void cut(std::size_t size) const { REQUIRE(::ftruncate(descriptor_, static_cast<off_t>(size)) == 0); }

 private:
  std::string path_;
  int descriptor_ = -1;
};

struct counts {
  std::size_t tried = 0, refused = 0, harmless = 0;
};

const std::vector<std::string> refusals_of_damage{"truncated", "checksum", "format",    "version",
                                                  "kind",      "shape",    "byte_order"};

// Whether a file is refused as damaged files are. What is not refused was copied to `to`.
template <class Copy>
bool is_refused(const Copy& copy, const std::string& from, const std::string& to) {
  const std::string outcome = refusal([&] { copy(from, to); });
  if (outcome == "accepted") return false;
  const std::string code = outcome.substr(0, outcome.find(':'));
  INFO(outcome);
  REQUIRE(std::ranges::find(refusals_of_damage, code) != refusals_of_damage.end());
  REQUIRE(contains(outcome, from));
  CHECK((contains(outcome, "byte") || contains(outcome, "section")));
  return true;
}

std::string file_of(const saved_kind& kind, const temp_dir& dir) {
  kind.save(dir / "good");
  return slurp(dir / "good");
}

std::string outcome_of(const saved_kind& kind, const temp_dir& dir, const std::string& bytes) {
  spill(dir / "bad", bytes);
  return refusal([&] { kind.copy[0](dir / "bad", dir / "copy"); });
}

}  // namespace

TEST_CASE("every truncation of every kind is refused") {
  const temp_dir dir(temp_dir::in_memory());
  for (const saved_kind& kind : all_saved_kinds()) {
    const std::string good = file_of(kind, dir);
    const open_file bad(dir / "bad", good);
    std::size_t refused = 0;
    for (std::size_t size = good.size(); size-- > 0;) {
      bad.cut(size);
      for (const auto& copy : kind.copy) {
        const auto outcome = refusal([&] { copy(bad.path(), dir / "copy"); });
        INFO(kind.name << " cut to " << size << " bytes: " << outcome);
        REQUIRE(contains(outcome, "truncated: " + bad.path() + ": "));
        ++refused;
      }
    }
    std::printf("%-18s %5zu truncations refused\n", kind.name.c_str(), refused);
  }
}

TEST_CASE("every flipped bit and byte of every kind is refused or harmless") {
  const temp_dir dir(temp_dir::in_memory());
  for (const saved_kind& kind : all_saved_kinds()) {
    const std::string good = file_of(kind, dir);
    const open_file bad(dir / "bad", good);
    counts found;
    std::size_t padding = 0;
    for (std::size_t at = 0; at < good.size(); ++at) {
      bool matters = false;
      for (const unsigned mask : {1u, 2u, 4u, 8u, 16u, 32u, 64u, 128u, 255u}) {
        bad.write(at, std::string(1, static_cast<char>(static_cast<unsigned char>(good[at]) ^ mask)));
        for (const auto& copy : kind.copy) {
          ++found.tried;
          INFO(kind.name << ", byte " << at << " ^ " << mask);
          if (is_refused(copy, bad.path(), dir / "copy")) {
            ++found.refused;
            matters = true;
            continue;
          }
          REQUIRE(slurp(dir / "copy") == good);
          ++found.harmless;
          if (!matters) break;  // a second way to read padding shows nothing new, and writing copies is slow
        }
        if (!matters) break;
      }
      padding += !matters;
      bad.write(at, good.substr(at, 1));
    }
    std::printf("%-18s %5zu bytes (%zu of padding): %6zu flips, %6zu refused, %4zu harmless\n", kind.name.c_str(),
                good.size(), padding, found.tried, found.refused, found.harmless);
    CHECK(found.refused + found.harmless == found.tried);
    CHECK(found.harmless == padding);  // all else is under a checksum
  }
}

TEST_CASE("every flipped byte under checksums that were made right again is refused or read as something else") {
  const temp_dir dir(temp_dir::in_memory());
  for (const saved_kind& kind : all_saved_kinds()) {
    const std::string good = file_of(kind, dir);
    const open_file bad(dir / "bad", good);
    counts found;
    for (std::size_t at = 0; at < good.size(); ++at)
      for (const unsigned mask : {1u, 128u, 255u}) {
        std::string flipped = good;
        flipped[at] = static_cast<char>(static_cast<unsigned char>(flipped[at]) ^ mask);
        repair_checksums(flipped);
        bad.write(0, flipped);
        ++found.tried;
        INFO(kind.name << ", byte " << at << " ^ " << mask);
        // Ways after the first must agree with it.
        const bool refused = is_refused(kind.copy[0], bad.path(), "");
        for (std::size_t way = 1; way < kind.copy.size(); ++way)
          REQUIRE(is_refused(kind.copy[way], bad.path(), "") == refused);
        refused ? ++found.refused : ++found.harmless;
      }
    std::printf("%-18s %6zu flips under right checksums, %6zu refused, %6zu read\n", kind.name.c_str(), found.tried,
                found.refused, found.harmless);
    CHECK(found.refused > 100);
  }
}

namespace {

// A container of any kind and sections.
struct lying {
  embit::file_kind kind;
  std::vector<std::pair<std::string, embit::metadata_writer>> sections;
  void save(const std::string& path) const {
    embit::container_writer writer(path, kind);
    for (const auto& [name, values] : sections) writer.sections().add(name, values);
    writer.finish();
  }
};

embit::metadata_writer values_of(const std::vector<std::uint64_t>& values) {
  embit::metadata_writer out;
  for (const auto v : values) out.u64(v);
  return out;
}

// The shape of levels of one segment without factors.
embit::metadata_writer level_shape(std::uint64_t rows, std::uint64_t dims, std::uint32_t bits) {
  embit::metadata_writer out;
  out.u64(rows).u32(1).u64(dims).u32(bits).f32(1);
  const auto weights = embit::level_segment::uniform(1, bits).weights;
  for (const auto w : weights) out.u8(w);
  out.u8(0).u8(0);
  for (std::size_t f = 0; f < embit::row_factors; ++f) out.f32(1);
  return out;
}

}  // namespace

TEST_CASE("counts beyond the file are refused before memory is taken") {
  const temp_dir dir;
  const std::string bad = dir / "bad";
  const auto codes = [&](std::uint64_t bits, std::uint64_t rows) {
    lying{{"codes", 1}, {{"shape", values_of({bits, rows})}, {"blocks", values_of({0})}}}.save(bad);
    const auto outcome = refusal([&] { embit::load<embit::code_store<>>(bad); });
    CHECK(refusal([&] { embit::mapped_store<>{bad}; }) == outcome);
    CHECK(contains(outcome, "format: " + bad));
    CHECK(contains(outcome, "byte"));
  };
  for (const std::uint64_t bits : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{64}, std::uint64_t{1} << 32,
                                   (std::uint64_t{1} << 32) + 1, ~std::uint64_t{0}})
    for (const std::uint64_t rows : {std::uint64_t{9}, std::uint64_t{0xffffffff}, std::uint64_t{1} << 32,
                                     std::uint64_t{1} << 61, ~std::uint64_t{0}})
      codes(bits, rows);

  const auto levels = [&](std::uint64_t rows, std::uint64_t dims, std::uint32_t bits) {
    lying{{"levels", 1}, {{"shape", level_shape(rows, dims, bits)}, {"levels", {}}}}.save(bad);
    const auto outcome = refusal([&] { embit::load<embit::level_store>(bad); });
    INFO(rows << " rows of " << dims << " dimensions of " << bits << " bits: " << outcome);
    CHECK(contains(outcome, "format: " + bad));
    CHECK(contains(outcome, "byte"));
  };
  for (const std::uint64_t dims : {std::uint64_t{1}, std::uint64_t{1} << 32})
    for (const std::uint64_t rows : {std::uint64_t{1}, std::uint64_t{0xffffffe1}, std::uint64_t{0xffffffff}})
      for (const std::uint32_t bits : {1u, 8u}) levels(rows, dims, bits);  // 2^32 rows of 2^32 bytes are 0 of 64 bits
}

TEST_CASE("each way for a file to be bad has its own code, and the message the place") {
  const temp_dir dir;
  const std::string bad = dir / "bad";
  for (const saved_kind& kind : all_saved_kinds()) {
    INFO(kind.name);
    const std::string good = file_of(kind, dir);
    const auto changed = [&](auto&& change) {
      std::string bytes = good;
      change(bytes);
      return outcome_of(kind, dir, bytes);
    };
    CHECK(contains(outcome_of(kind, dir, good.substr(0, good.size() - 1)), "truncated: " + bad + ": byte 40: "));
    CHECK(contains(outcome_of(kind, dir, good + "x"), "format: " + bad + ": byte 40: "));
    CHECK(contains(changed([](auto& b) {
                     const auto first = static_cast<std::size_t>(get<std::uint64_t>(b, 64 + 32));
                     b[first] = static_cast<char>(b[first] ^ 1);
                   }),
                   "checksum: " + bad + ": section '"));
    CHECK(contains(changed([](auto& b) { b[3] = 'x'; }), "format: " + bad + ": byte 0: not an embit file"));
    CHECK(contains(changed([](auto& b) { put(b, 8, 0x01000000u); }), "byte_order: " + bad + ": byte 8: "));
    CHECK(contains(changed([](auto& b) { put(b, 8, 2u); }), "version: " + bad + ": byte 8: "));
    CHECK(contains(changed([](auto& b) {
                     put(b, 12, 1000u);
                     repair_checksums(b);
                   }),
                   "version: " + bad + ": byte 12: version 1000"));
    CHECK(contains(changed([](auto& b) {
                     b[16] = 'X';
                     repair_checksums(b);
                   }),
                   "kind: " + bad + ": byte 16: holds 'X"));
    CHECK(contains(changed([](auto& b) {
                     put(b, 48, ~0u);
                     repair_checksums(b);
                   }),
                   "format: " + bad + ": byte 48: 4294967295 sections"));
    CHECK(contains(changed([](auto& b) {
                     put(b, 64 + 40, ~std::uint64_t{0});
                     repair_checksums(b);
                   }),
                   "reaches beyond the"));
    CHECK(contains(refusal([&] { kind.copy[0](dir.path(), dir / "copy"); }), "not_a_file: " + dir.path()));
    CHECK(contains(refusal([&] { kind.copy[0]("/dev/null", dir / "copy"); }), "not_a_file: /dev/null"));
    CHECK(contains(refusal([&] { kind.copy[0](dir / "none", dir / "copy"); }), "io: " + (dir / "none")));
  }
}

TEST_CASE("a save that fails leaves the old file and nothing else") {
  for (const saved_kind& kind : all_saved_kinds()) {
    INFO(kind.name);
    const temp_dir dir;
    const std::string path = dir / "x";
    spill(path, "old");
    CHECK(contains(refusal([&] { kind.save(dir.path()); }), "not_a_file: " + dir.path()));
    CHECK(contains(refusal([&] { kind.save("/dev/full"); }), "not_a_file: /dev/full"));
    CHECK(contains(refusal([&] { kind.save(dir / "no/x"); }), "io: " + (dir / "no/x")));

    struct rlimit before {};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    struct rlimit limit = before;
    limit.rlim_cur = 100;
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
    const std::string full = refusal([&] { kind.save(path); });
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    CHECK(contains(full, "no_space: " + path));

    REQUIRE(::chmod(dir.path().c_str(), 0555) == 0);
    const bool root = ::geteuid() == 0;  // whom no permission stops, while it is root
    if (root) REQUIRE(::seteuid(65534) == 0);
    const std::string closed = refusal([&] { kind.save(path); });
    if (root) REQUIRE(::seteuid(0) == 0);
    REQUIRE(::chmod(dir.path().c_str(), 0755) == 0);
    CHECK(contains(closed, "denied: " + path));

    CHECK(slurp(path) == "old");
    CHECK(dir.entries() == 1);
  }
}
