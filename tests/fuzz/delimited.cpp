#include <embit/io/delimited.hpp>

#include <array>
#include <cstdint>
#include <fstream>

#include "support/fuzz.hpp"

namespace {

void write(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

// Every field is looked at, and the bytes of each are inside its row.
void read_rows(const std::string& path, const embit::delimited_options& options) {
  embit::delimited_reader rows(path, options);
  while (rows.next()) {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      for (const char c : rows[i]) bytes += c != '\0';
      if (bytes > options.longest_row) __builtin_trap();
    }
  }
}

}  // namespace

void fuzz::write_seeds(const folder& seeds) {
  write(seeds / "csv", "id,hash,text\r\n1,00ff,\"a, \"\"b\"\"\r\nc\"\r\n2,ff00,\r\n");
  write(seeds / "tsv",
        "\xef\xbb\xbf"
        "12\t-1.5e3\tffa0\n7\t.25\t0000\n18446744073709551615\t1e30\tAbCd");
}

void fuzz::read(const std::string& path) {
  attempt([&] { read_rows(path, {}); });
  attempt([&] { read_rows(path, {.separator = ',', .longest_row = 24, .buffer_size = 5}); });
  attempt([&] { read_rows(path, {.quotes = false, .fields = 3, .buffer_size = 1}); });
  attempt([&] {
    embit::delimited_reader rows(path);
    std::array<std::uint8_t, 2> bytes{};
    while (rows.next()) {
      rows.number<std::uint64_t>(0);
      if (rows.size() > 1) rows.real<float>(1);
      if (rows.size() > 2) rows.hex(2, bytes);
    }
  });
}
