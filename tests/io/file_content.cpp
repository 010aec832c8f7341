// SPDX-License-Identifier: MIT
#include <embit/io/container_reader.hpp>
#include <embit/io/file_content.hpp>
#include <embit/io/npy.hpp>
#include <embit/io/read_matrix.hpp>
#include <embit/io/safetensors.hpp>

#include <string>
#include <utility>
#include <vector>

#include "support/catch.hpp"
#include "support/refusal.hpp"
#include "support/temp_dir.hpp"

using support::contains;
using support::refusal;

namespace {

std::string lfs_pointer() {
  return "version https://git-lfs.github.com/spec/v1\n"
         "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 31457408\n";
}

}  // namespace

TEST_CASE("every reader names what a foreign file is") {
  const support::temp_dir dir;
  const std::string rest(200, '\x35');
  const std::vector<std::pair<std::string, std::string>> files{
      {lfs_pointer(), "is a Git LFS pointer: run git lfs pull; "},
      {std::string("\x1f\x8b\x08\0\0\0\0\0", 8) + rest, "is compressed by gzip: run gunzip; "},
      {"PK\x03\x04" + rest, "is a zip archive, as .npz and PyTorch's files are: unpack it; "},
      {"\x89HDF\r\n\x1a\n" + rest, "is an HDF5 file: read_hdf5 "},
      {"\x28\xb5\x2f\xfd" + rest, "is compressed by Zstandard"},
      {std::string("\3757zXZ\0", 6) + rest, "is compressed by xz"},
      {"PAR1" + rest, "is a Parquet file"},
      {"<!DOCTYPE html>" + rest, "is a web page"},
      {"IxF2" + rest, "is a FAISS index"}};
  for (const auto& file : files) {
    const std::string &content = file.first, &is = file.second;
    INFO(is);
    const auto refused = [&](const std::string& name, auto&& read) {
      support::spill(dir / name, content);
      const std::string text = refusal([&] { read(dir / name); });
      INFO(text);
      CHECK(contains(text, "kind: " + (dir / name) + ": " + is));
      CHECK(contains(text, " is expected"));
    };
    for (const std::string name : {"x.npy", "x.fvecs", "x.bvecs", "x.ivecs", "X.NPY", "X.FVECS"})
      refused(name, [](const std::string& path) { embit::read_matrix(path); });
    refused("x", [](const std::string& path) { embit::read_npy_header(path); });
    refused("x", [](const std::string& path) { embit::safetensors_reader{path}; });
    refused("x", [](const std::string& path) { embit::container_reader::open(path, {}); });
    refused("x", [](const std::string& path) { embit::container_reader::map(path, {}); });
    support::spill(dir / "x.data", content);
    CHECK(contains(refusal([&] { embit::read_matrix(dir / "x.data"); }),
                   "can be read; this one " + is.substr(0, is.find(';'))));
  }
}

TEST_CASE("files of other readers are told apart, and unknown ones are not guessed at") {
  CHECK(contains(std::string(embit::describe_content("\x93NUMPY\1")), "read_npy"));
  CHECK(contains(std::string(embit::describe_content("\211embit\r\n")), "load reads it"));
  for (const char* const unknown : {"", "v", "version http://", "\x1f", "PK", "\x93NUMPZ", "IxF"})
    CHECK(embit::describe_content(unknown).empty());
}
