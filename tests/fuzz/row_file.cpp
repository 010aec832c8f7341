#include <embit/io/matrix_section.hpp>
#include <embit/io/row_file.hpp>
#include <embit/io/row_file_writer.hpp>
#include <embit/io/save.hpp>

#include <unistd.h>

#include <filesystem>
#include <string>

#include "support/fuzz.hpp"

namespace {

void write_rows(const std::string& path, embit::row_file_shape shape, const std::string& extension) {
  embit::row_file_writer writer(path + extension, shape);
  writer.append(embit::matrix<float>(3, shape.cols, 7.f));
  writer.finish();
  std::filesystem::rename(path + extension, path);
}

struct rows_section {
  static constexpr embit::file_kind file{"rows", 1};
  void write_to(const embit::section_writer& out) const {
    embit::detail::add_matrix(out, "rows", embit::matrix<float>(3, 5, 1.5f));
  }
};

// Another name of the file, which says what is in it.
class extended_name {
 public:
  extended_name(const std::string& path, const std::string& extension) : name_(path + extension) {
    std::filesystem::remove(name_);
    std::filesystem::create_symlink(path, name_);
  }
  extended_name(const extended_name&) = delete;
  extended_name& operator=(const extended_name&) = delete;
  ~extended_name() { ::unlink(name_.c_str()); }
  const std::string& operator*() const { return name_; }

 private:
  std::string name_;
};

void read_rows(const std::string& path, const embit::row_source& source = {}) {
  for (const auto reads : {embit::file_reads::mapped, embit::file_reads::pread})
    fuzz::attempt([&] { embit::row_file(path, {.reads = reads, .cache_bytes = 1 << 15, .source = source}).read(); });
}

// Whatever can be continued is a file of just its rows afterwards.
void continue_rows(const std::string& path) {
  fuzz::attempt([&] {
    auto writer = embit::row_file_writer::continuing(path);
    if (writer.cols() < 1000) writer.append(embit::matrix<float>(1, writer.cols(), 1.f));
    writer.finish();
    const embit::row_file whole(path);
    if (whole.rows() != writer.rows() || whole.cols() != writer.cols()) __builtin_trap();
  });
}

}  // namespace

void fuzz::write_seeds(const folder& seeds) {
  write_rows(seeds / "npy_f16", {5, embit::dtype::f16}, ".npy");
  write_rows(seeds / "npy_i8", {5, embit::dtype::i8}, ".npy");
  write_rows(seeds / "fvecs", {4, {}}, ".fvecs");
  write_rows(seeds / "bvecs", {9, {}}, ".bvecs");
  write_rows(seeds / "fbin", {2, {}}, ".fbin");
  write_rows(seeds / "u8bin", {11, {}}, ".u8bin");
  embit::save(seeds / "section", rows_section{});
}

void fuzz::read(const std::string& path) {
  static const std::string extensions[] = {".npy", ".fvecs", ".bvecs", ".fbin", ".u8bin", ".i8bin"};
  read_rows(path);
  read_rows(path, {.raw = embit::raw_rows{embit::dtype::f16, 3, 2}});
  read_rows(path, {.raw = embit::raw_rows{embit::dtype::f32, 2, 7, 2}});
  for (const auto& extension : extensions) read_rows(*extended_name(path, extension));
  for (const auto& extension : extensions) continue_rows(*extended_name(path, extension));
}
