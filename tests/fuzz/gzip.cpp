#include <embit/adapt/gzip.hpp>
#include <embit/io/delimited.hpp>

#include <zlib.h>

#include "support/fuzz.hpp"

namespace {

// One more member of the file, compressed at `level`.
void append(const std::string& path, const char* text, const char* mode) {
  const gzFile file = gzopen(path.c_str(), mode);
  gzputs(file, text);
  gzclose(file);
}

void read_rows(const std::string& path, const embit::delimited_options& options) {
  embit::delimited_reader rows(embit::gzip_text(path), options);
  while (rows.next())
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (rows[i].size() > options.longest_row) __builtin_trap();
  if (rows.bytes_read() != rows.bytes()) __builtin_trap();
}

}  // namespace

void fuzz::write_seeds(const folder& seeds) {
  append(seeds / "members", "id\thash\n1\t00ff\n", "wb9");
  append(seeds / "members", "2\tff00\n3\tff00\n", "ab1");
  append(seeds / "stored", "\"a\tb\"\tc\n", "wb0");
}

void fuzz::read(const std::string& path) {
  attempt([&] { read_rows(path, {}); });
  attempt([&] { read_rows(path, {.longest_row = 24, .buffer_size = 5}); });
}
