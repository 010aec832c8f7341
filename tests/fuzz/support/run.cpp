// The driver that needs no libFuzzer.
//
//   fuzz_<reader> <corpus> [<mutations> [<seed>]]   reads each file of the folder, then so many mutations of them
//   fuzz_<reader> --write-seeds <folder>            writes the valid files that the corpus begins with
//
// A finding ends the program; the bytes are then in the file that it names.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <new>
#include <string>
#include <vector>

#include "fuzz.hpp"

namespace {

std::string current;  // what is being read
bool reading = false;

extern "C" void keep_current(int signal) {
  std::signal(signal, SIG_DFL);
  const int fd = ::creat("fuzz-finding", 0644);
  if (fd >= 0) {
    const auto done = ::write(fd, current.data(), current.size());
    static_cast<void>(done);
    ::close(fd);
  }
  const char text[] = "the finding is in ./fuzz-finding\n";
  const auto done = ::write(2, text, sizeof text - 1);
  static_cast<void>(done);
  std::raise(signal);
}

void* allocate(std::size_t size, std::size_t alignment) {
  if (reading && size > fuzz::free_memory + fuzz::memory_factor * current.size()) {
    std::fprintf(stderr, "%zu bytes of memory for a file of %zu bytes\n", size, current.size());
    std::abort();
  }
  void* const memory = alignment <= alignof(std::max_align_t)
                           ? std::malloc(size == 0 ? 1 : size)
                           : std::aligned_alloc(alignment, (size + alignment) / alignment * alignment);
  if (memory == nullptr) std::abort();
  return memory;
}

void try_one(const std::string& bytes) {
  current = bytes;
  reading = true;
  fuzz::read_bytes(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  reading = false;
}

std::vector<std::string> files_of(const std::string& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> files;
  for (const auto& path : paths) {
    std::ifstream in(path, std::ios::binary);
    files.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  return files;
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size, 1); }
void* operator new[](std::size_t size) { return allocate(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size, 1); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return allocate(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

int main(int count, char** arguments) {
  const std::vector<std::string> words(arguments + 1, arguments + count);
  if (words.size() == 2 && words[0] == "--write-seeds") {
    std::filesystem::create_directories(words[1]);
    fuzz::write_seeds(fuzz::folder(words[1]));
    return 0;
  }
  if (words.empty() || words.size() > 3) {
    std::fprintf(stderr, "fuzz_<reader> <corpus> [<mutations> [<seed>]] | --write-seeds <folder>\n");
    return 2;
  }
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP}) std::signal(signal, keep_current);
  const std::vector<std::string> corpus = files_of(words[0]);
  if (corpus.empty()) {
    std::fprintf(stderr, "%s: no files\n", words[0].c_str());
    return 2;
  }
  std::size_t largest = 0;
  for (const std::string& file : corpus) {
    largest = std::max(largest, file.size());
    try_one(file);
  }
  const auto whole = fuzz::outcomes;
  const auto number = [&](std::size_t i, std::uint64_t otherwise) {
    return words.size() > i ? std::strtoull(words[i].c_str(), nullptr, 10) : otherwise;
  };
  const std::uint64_t mutations = number(1, 0), seed = number(2, 1);
  for (std::uint64_t i = 0; i < mutations; ++i) {
    const std::string& other = corpus[(i / corpus.size()) % corpus.size()];
    try_one(fuzz::mutated(corpus[i % corpus.size()], other, seed + i, 2 * largest + 256));
  }
  std::printf("%zu files, %llu reads accepted, %llu refused; %llu mutations, %llu accepted, %llu refused\n",
              corpus.size(), static_cast<unsigned long long>(whole.accepted),
              static_cast<unsigned long long>(whole.refused), static_cast<unsigned long long>(mutations),
              static_cast<unsigned long long>(fuzz::outcomes.accepted - whole.accepted),
              static_cast<unsigned long long>(fuzz::outcomes.refused - whole.refused));
  return fuzz::outcomes.accepted == 0;  // a corpus of which nothing can be read tests nothing
}
