// Files with right checksums and impossible numbers: every kind refuses them, or what it loads can be used.
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <support/catch.hpp>
#include <support/container_bytes.hpp>
#include <support/exercise.hpp>
#include <support/refusal.hpp>
#include <support/saved_kinds.hpp>
#include <support/temp_dir.hpp>

#include <support/counting_new.hpp>

using namespace support;

namespace {

// What a file of a few kilobytes may take, all that is allocated and given back on the way included.
constexpr std::size_t most_memory = std::size_t{64} << 20;

// The bytes of the numbers that are tried, in every width.
std::vector<std::string> hostile_numbers() {
  std::vector<std::string> all;
  const auto add = [&](auto value) {
    std::string bytes(sizeof value, '\0');
    std::memcpy(bytes.data(), &value, sizeof value);
    all.push_back(bytes);
  };
  for (const std::uint64_t v : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 31, std::uint64_t{1} << 32,
                                std::uint64_t{1} << 63, ~std::uint64_t{0}})
    add(v);
  for (const std::uint32_t v : {0u, 1u, 1u << 31, ~0u}) add(v);
  const float inf = std::numeric_limits<float>::infinity();
  for (const float v : {std::bit_cast<float>(0x7fc00000u), inf, -inf, -0.f, 1e38f}) add(v);
  return all;
}

struct section {
  std::string name;
  std::size_t first, size;
};

std::vector<section> sections_in(const std::string& bytes) {
  std::vector<section> all;
  for (std::size_t i = 0; i < sections_of(bytes); ++i) {
    const std::size_t entry = 64 + 64 * i;
    all.push_back({bytes.substr(entry, bytes.find('\0', entry) - entry),
                   static_cast<std::size_t>(get<std::uint64_t>(bytes, entry + 32)),
                   static_cast<std::size_t>(get<std::uint64_t>(bytes, entry + 40))});
  }
  return all;
}

// Where numbers may begin: anywhere in small sections, whose values are packed; in arrays at whole words, the first
// ones and the last.
std::vector<std::size_t> places_in(const section& s) {
  constexpr std::size_t of_an_array = 6;
  std::vector<std::size_t> places;
  const bool packed = s.size <= 32 || (s.size % 4 != 0 && s.size <= 128);
  if (packed || s.size <= 8 * of_an_array) {
    for (std::size_t at = 0; at < s.size; at += packed ? 1 : 4) places.push_back(at);
    return places;
  }
  for (std::size_t i = 0; i < of_an_array; ++i) places.push_back(4 * i);
  for (std::size_t i = of_an_array; i > 0; --i) places.push_back((s.size / 4 - i) * 4);
  return places;
}

// "refused", "used" or what is wrong.
template <class T>
std::string outcome(const std::string& bytes, const std::string& to) {
  const memory_limit limit(most_memory);
  try {
    embit::aligned_vector<std::byte> copy(bytes.size());
    std::memcpy(copy.data(), bytes.data(), bytes.size());
    const auto reader = embit::container_reader::from_bytes(std::move(copy), "file", T::file);
    T loaded = T::read_from(reader.sections());
    exercise(loaded);
    embit::save(to, loaded);
  } catch (const embit::error&) {
    return "refused";
  } catch (const std::exception& e) {
    return e.what();
  }
  return "used";
}

}  // namespace

TEST_CASE("every number of every section of every kind is checked for what is done with it") {
  const temp_dir dir(temp_dir::in_memory());
  const auto numbers = hostile_numbers();
  std::size_t kinds = 0, all = 0;
  each_saved_kind([&]<class T>(type<T>, const std::string& name, auto make) {
    embit::save(dir / "good", make());
    const std::string good = slurp(dir / "good");
    REQUIRE(outcome<T>(good, dir / "copy") == "used");
    std::size_t tried = 0, refused = 0;
    for (const section& s : sections_in(good))
      for (const std::size_t at : places_in(s))
        for (const std::string& number : numbers) {
          if (number.size() > s.size - at) continue;
          std::string bytes = good;
          bytes.replace(s.first + at, number.size(), number);
          if (bytes == good) continue;
          repair_checksums(bytes);
          std::uint64_t value = 0;
          std::memcpy(&value, number.data(), number.size());
          INFO(name << ", section '" << s.name << "' + " << at << " = " << value << " of " << number.size()
                    << " bytes");
          const std::string found = outcome<T>(bytes, dir / "copy");
          ++tried;
          refused += found == "refused";
          if (found != "refused") CHECK(found == "used");
        }
    std::printf("%-20s %5zu numbers, %5zu refused, %5zu used\n", name.c_str(), tried, refused, tried - refused);
    std::fflush(stdout);
    ++kinds;
    all += tried;
  });
  std::printf("%zu kinds, %zu hostile numbers\n", kinds, all);
}
