// Files that earlier versions wrote are read by this one, with the contents that they had.
#include <embit/version.hpp>

#include <filesystem>
#include <string>

#include <support/catch.hpp>
#include <support/saved_kind.hpp>
#include <support/temp_dir.hpp>

using namespace support;

namespace {

// A folder a version, named by its first two numbers.
const std::string folder = EMBIT_TESTS_FOLDER "/golden/files/";
const std::string now = folder + std::to_string(EMBIT_VERSION_MAJOR) + "." + std::to_string(EMBIT_VERSION_MINOR);

}  // namespace

TEST_CASE("every golden file is read and holds what it held") {
  const temp_dir dir;
  std::size_t files = 0;
  for (const auto& version : std::filesystem::directory_iterator(folder))
    for (const saved_kind& kind : all_saved_kinds()) {
      const std::string path = version.path().string() + "/" + kind.name + ".embit";
      if (!std::filesystem::exists(path)) continue;  // a kind that this version did not have
      INFO(path);
      if (kind.exact)
        kind.save(dir / "expected");
      else
        kind.copy[0](path, dir / "expected");  // it can be read; of what it holds nothing more is known
      for (const auto& copy : kind.copy) {
        copy(path, dir / "found");
        CHECK(slurp(dir / "found") == slurp(dir / "expected"));
      }
      ++files;
    }
  CHECK(files >= 6);
}

TEST_CASE("this version writes its golden files byte for byte") {
  const temp_dir dir;
  for (const saved_kind& kind : all_saved_kinds()) {
    INFO(kind.name << ": test_files [write] writes the golden files that are missing");
    if (!kind.exact) continue;
    kind.save(dir / "x");
    CHECK(slurp(dir / "x") == slurp(now + "/" + kind.name + ".embit"));
  }
}

TEST_CASE("the golden files that are missing are written", "[.][write]") {
  std::filesystem::create_directories(now);
  for (const saved_kind& kind : all_saved_kinds()) {
    const std::string path = now + "/" + kind.name + ".embit";
    if (!std::filesystem::exists(path)) kind.save(path);
  }
}
