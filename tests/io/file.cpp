// SPDX-License-Identifier: MIT
#include <embit/io/file.hpp>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/refusal.hpp"
#include "support/temp_dir.hpp"

using support::bytes_of;
using support::contains;
using support::refusal;
using support::slurp;
using support::spill;

TEST_CASE("a file is read wholly or in part") {
  const support::temp_dir dir;
  spill(dir / "a", "0123456789");
  const auto bytes = embit::read_file(dir / "a");
  REQUIRE(bytes.size() == 10);
  CHECK(bytes[9] == std::byte{'9'});

  const embit::input_file file(dir / "a");
  std::string part(4, ' ');
  file.read(3, std::as_writable_bytes(std::span(part)));
  CHECK(part == "3456");
}

TEST_CASE("an empty file is no bytes") {
  const support::temp_dir dir;
  spill(dir / "empty", "");
  CHECK(embit::read_file(dir / "empty").empty());
}

TEST_CASE("what is not a readable file is refused by name") {
  const support::temp_dir dir;
  const auto missing = refusal([&] { embit::read_file(dir / "missing"); });
  CHECK(contains(missing, "io: " + (dir / "missing")));
  CHECK(contains(missing, "No such file"));
  CHECK(contains(refusal([&] { embit::read_file(dir.path()); }), dir.path() + ": is a directory"));
  REQUIRE(::mkfifo((dir / "pipe").c_str(), 0600) == 0);
  CHECK(contains(refusal([&] { embit::read_file(dir / "pipe"); }), "not a regular file"));
  CHECK(contains(refusal([&] { embit::atomic_file{dir / "pipe"}; }), "not a regular file"));
  CHECK(contains(refusal([&] { embit::atomic_file{dir.path()}; }), "is a directory"));
  CHECK(contains(refusal([&] { embit::atomic_file{dir / "no/such"}; }), "No such file"));
}

TEST_CASE("reading past the end says where the file ends") {
  const support::temp_dir dir;
  spill(dir / "short", "12345");
  std::string part(4, ' ');
  const auto message =
      refusal([&] { embit::input_file(dir / "short").read(3, std::as_writable_bytes(std::span(part))); });
  CHECK(contains(message, "ends at byte 5"));
  CHECK(contains(message, "2 more bytes"));
}

TEST_CASE("a committed file replaces the old one, an abandoned one leaves it and nothing else") {
  const support::temp_dir dir;
  spill(dir / "a", "old");
  {
    embit::atomic_file file(dir / "a");
    file.write(bytes_of("new and longer"));
    CHECK(dir.entries() == 2);
    CHECK(slurp(dir / "a") == "old");
  }
  CHECK(dir.entries() == 1);
  CHECK(slurp(dir / "a") == "old");

  embit::atomic_file first(dir / "a");
  first.write(bytes_of("____ and longer"));
  embit::atomic_file file = std::move(first);
  file.overwrite(0, bytes_of("new!"));
  CHECK_THROWS_AS(file.overwrite(12, bytes_of("wide")), embit::error);
  CHECK(slurp(dir / "a") == "old");
  file.commit();
  CHECK(slurp(dir / "a") == "new! and longer");
  CHECK(dir.entries() == 1);
  CHECK_THROWS_AS(file.write(bytes_of("more")), embit::error);
  CHECK_THROWS_AS(file.commit(), embit::error);
  CHECK(slurp(dir / "a") == "new! and longer");
}

TEST_CASE("small and large writes arrive in order") {
  const support::temp_dir dir;
  std::string all;
  embit::atomic_file file(dir / "big");
  for (const std::size_t size : {1u, 65535u, 65536u, 3u, 70000u, 40000u, 40000u, 0u, 5u}) {
    const std::string piece(size, static_cast<char>('a' + size % 26));
    file.write(bytes_of(piece));
    all += piece;
    CHECK(file.size() == all.size());
  }
  file.commit();
  CHECK(slurp(dir / "big") == all);
}

TEST_CASE("permissions and symbolic links outlive a replacement") {
  const support::temp_dir dir;
  spill(dir / "real", "old");
  REQUIRE(::chmod((dir / "real").c_str(), 0640) == 0);
  REQUIRE(::symlink("real", (dir / "link").c_str()) == 0);
  embit::atomic_file file(dir / "link");
  file.write(bytes_of("new"));
  file.commit();
  CHECK(slurp(dir / "real") == "new");
  struct stat status {};
  REQUIRE(::lstat((dir / "link").c_str(), &status) == 0);
  CHECK(S_ISLNK(status.st_mode));
  REQUIRE(::stat((dir / "real").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777u) == 0640);
}

TEST_CASE("a folder that may not be written to is refused") {
  const support::temp_dir dir;
  spill(dir / "a", "old");
  REQUIRE(::chmod(dir.path().c_str(), 0555) == 0);
  const bool root = ::geteuid() == 0;  // whom no permission stops, while it is root
  if (root) REQUIRE(::seteuid(65534) == 0);
  const auto message = refusal([&] { embit::atomic_file{dir / "a"}; });
  if (root) REQUIRE(::seteuid(0) == 0);
  REQUIRE(::chmod(dir.path().c_str(), 0700) == 0);
  CHECK(contains(message, "denied: " + (dir / "a")));
  CHECK(contains(message, "Permission denied"));
  CHECK(slurp(dir / "a") == "old");
}

TEST_CASE("a disk that takes no more is reported, and the old file stays") {
  const support::temp_dir dir;
  spill(dir / "a", "old");
  struct rlimit before {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit limit = before;
  limit.rlim_cur = 100000;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  const std::string much(300000, 'x');
  const auto at_once = refusal([&] { embit::atomic_file(dir / "a").write(bytes_of(much)); });
  const std::size_t left_at_once = dir.entries();
  const auto little_by_little = refusal([&] {
    embit::atomic_file file(dir / "a");
    for (int i = 0; i < 30; ++i) file.write(std::span(bytes_of(much)).first(10000));
    file.commit();
  });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(contains(at_once, "no_space: " + (dir / "a")));
  CHECK(contains(at_once, "File too large"));
  CHECK(contains(little_by_little, "cannot write"));
  CHECK(contains(little_by_little, dir / "a"));
  CHECK(left_at_once == 1);
  CHECK(dir.entries() == 1);
  CHECK(slurp(dir / "a") == "old");
}

TEST_CASE("names of every length that the system takes can be written") {
  const support::temp_dir dir;
  for (const std::size_t length : {1u, 200u, 244u, 254u, 255u}) {
    const std::string path = dir / std::string(length, 'a');
    embit::atomic_file file(path);
    file.write(bytes_of("new"));
    file.commit();
    CHECK(slurp(path) == "new");
  }
  CHECK(contains(refusal([&] { embit::atomic_file{dir / std::string(256, 'a')}.commit(); }), "File name too long"));
  CHECK(dir.entries() == 5);
}

// Each child dies in the middle of a save.
TEST_CASE("what crashed saves left never gets in the way, and does not pile up") {
  const support::temp_dir dir;
  for (int i = 0; i < 200; ++i) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      embit::atomic_file file(dir / "a");
      file.write(bytes_of("half"));
      ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
    CHECK(dir.entries() == 1);
  }
  embit::atomic_file file(dir / "a");
  file.write(bytes_of("whole"));
  file.commit();
  CHECK(slurp(dir / "a") == "whole");
  CHECK(dir.entries() == 1);
}

TEST_CASE("saves to one name at the same time do not disturb each other") {
  const support::temp_dir dir;
  std::vector<embit::atomic_file> files;
  for (int i = 0; i < 20; ++i) {
    files.emplace_back(dir / "a");
    files.back().write(bytes_of(std::to_string(i)));
  }
  CHECK(dir.entries() == 20);
  for (int i = 0; i < 20; ++i) {
    files[static_cast<std::size_t>(i)].commit();
    CHECK(slurp(dir / "a") == std::to_string(i));
  }
  CHECK(dir.entries() == 1);
}

TEST_CASE("a file is in place when its name means it") {
  const support::temp_dir dir;
  embit::atomic_file file(dir / "a");
  file.write(bytes_of("new"));
  file.sync();
  CHECK_FALSE(file.in_place());
  CHECK(dir.entries() == 1);
  REQUIRE(::mkdir((dir / "a").c_str(), 0700) == 0);  // so that it cannot be
  CHECK(contains(refusal([&] { file.commit(); }), "cannot put into its place"));
  CHECK_FALSE(file.in_place());
  CHECK(dir.entries() == 1);
  REQUIRE(::rmdir((dir / "a").c_str()) == 0);
  embit::atomic_file again(dir / "a");
  again.commit();
  CHECK(again.in_place());
}
