// Mutations of bytes and of the structure of containers.
#include <embit/core/random.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include <support/container_bytes.hpp>

#include "fuzz.hpp"

namespace {

using support::get;
using support::put;

struct section {
  std::string name;
  std::string bytes;
};

// A container whose sections lie inside it, taken apart.
struct container {
  std::string header;  // 64 bytes
  std::vector<section> sections;
};

container take_apart(const std::string& bytes) {
  container parts{bytes.substr(0, 64), {}};
  for (std::size_t i = 0; i < support::sections_of(bytes); ++i) {
    const std::size_t entry = 64 + 64 * i;
    const auto at = get<std::uint64_t>(bytes, entry + 32), size = get<std::uint64_t>(bytes, entry + 40);
    if (at <= bytes.size() && size <= bytes.size() - at)
      parts.sections.push_back(
          {bytes.substr(entry, 32), bytes.substr(static_cast<std::size_t>(at), static_cast<std::size_t>(size))});
  }
  return parts;
}

std::string put_together(const container& parts) {
  std::string bytes = parts.header;
  put(bytes, 48, static_cast<std::uint32_t>(parts.sections.size()));
  bytes.resize(64 + 64 * parts.sections.size(), '\0');
  for (std::size_t i = 0; i < parts.sections.size(); ++i) {
    const section& s = parts.sections[i];
    bytes.resize((bytes.size() + 63) / 64 * 64, '\0');
    std::memcpy(bytes.data() + 64 + 64 * i, s.name.data(), 32);
    put(bytes, 64 + 64 * i + 32, std::uint64_t{bytes.size()});
    put(bytes, 64 + 64 * i + 40, std::uint64_t{s.bytes.size()});
    bytes += s.bytes;
  }
  return bytes;
}

class mutator {
 public:
  explicit mutator(std::uint64_t seed) : rng_(seed) {}

  std::size_t below(std::size_t n) { return static_cast<std::size_t>(embit::uniform_index(rng_, n)); }

  // One change of plain bytes.
  void change(std::string& bytes, const std::string& other) {
    if (bytes.empty()) {
      bytes.assign(1 + below(80), static_cast<char>(below(256)));
      return;
    }
    const std::size_t at = below(bytes.size()), length = std::min(bytes.size() - at, 1 + below(16));
    switch (below(10)) {
      case 0: bytes[at] = static_cast<char>(bytes[at] ^ (1 << below(8))); break;
      case 1: bytes[at] = static_cast<char>(below(256)); break;
      case 2: bytes.erase(at, length); break;
      case 3: bytes.insert(at, length, static_cast<char>(below(4) == 0 ? below(256) : 0)); break;
      case 4: bytes.insert(at, bytes.substr(below(bytes.size()), length)); break;
      case 5: bytes.resize(at); break;
      case 6:
        if (!other.empty()) {
          const std::size_t from = below(other.size());
          bytes.replace(at, length, other, from, length);
        }
        break;
      case 7: bytes.replace(at, length, bytes.substr(below(bytes.size()), length)); break;
      default: set_number(bytes, at); break;
    }
  }

  void change_container(std::string& bytes, const std::string& other) {
    container parts = take_apart(bytes);
    const std::size_t n = parts.sections.size(), which = n == 0 ? 0 : below(n);
    switch (n == 0 ? 0 : below(8)) {
      case 0:
        if (support::looks_like_container(other)) {
          const container others = take_apart(other);
          if (!others.sections.empty()) parts.sections.push_back(others.sections[below(others.sections.size())]);
        }
        break;
      case 1: parts.sections.erase(parts.sections.begin() + static_cast<std::ptrdiff_t>(which)); break;
      case 2: std::swap(parts.sections[which].bytes, parts.sections[below(n)].bytes); break;
      case 3: std::swap(parts.sections[which], parts.sections[below(n)]); break;
      case 4: change(parts.header, other), parts.header.resize(64, '\0'); break;
      default: change(parts.sections[which].bytes, other); break;
    }
    std::copy(support::container_magic.begin(), support::container_magic.end(), parts.header.begin());
    bytes = put_together(parts);
  }

 private:
  // A number of 1 to 8 bytes that sizes and counts are likely to go wrong at.
  void set_number(std::string& bytes, std::size_t at) {
    constexpr std::array<std::uint64_t, 20> special{
        0,   1,   2,     7,          8,          63,         64,         65,         127,        128,
        255, 256, 65535, 0x7fffffff, 0x80000000, 0xffffffff, 1ull << 32, 1ull << 61, 1ull << 63, ~0ull};
    const std::size_t size = std::min(std::size_t{1} << below(4), bytes.size());
    at = std::min(at, bytes.size() - size);
    if (below(2) == 0) at = at / size * size;
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data() + at, size);
    switch (below(4)) {
      case 0: value += 1 + below(32); break;
      case 1: value -= 1 + below(32); break;
      default: value = special[below(special.size())] + (below(4) == 0 ? below(3) - 1 : 0); break;
    }
    std::memcpy(bytes.data() + at, &value, size);
  }

  embit::rng rng_;
};

}  // namespace

std::string fuzz::mutated(std::string bytes, const std::string& other, std::uint64_t seed, std::size_t most) {
  mutator m(seed);
  for (std::size_t changes = 1 + m.below(4); changes > 0; --changes) {
    if (support::looks_like_container(bytes) && m.below(3) != 0)
      m.change_container(bytes, other);
    else
      m.change(bytes, other);
  }
  if (bytes.size() > most) bytes.resize(most);
  if (m.below(16) != 0) support::repair(bytes);
  return bytes;
}
