// Readers take paths: the bytes go into a file in memory, which keeps its name from one call to the next.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "fuzz.hpp"

namespace {

class scratch_file {
 public:
  scratch_file() : path_(::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") {
    path_ += "/embit_fuzz_XXXXXX";
    descriptor_ = ::mkstemp(path_.data());
    if (descriptor_ < 0) std::abort();
  }
  scratch_file(const scratch_file&) = delete;
  scratch_file& operator=(const scratch_file&) = delete;
  ~scratch_file() {
    ::close(descriptor_);
    ::unlink(path_.c_str());
  }

  const std::string& holding(const std::uint8_t* data, std::size_t size) const {
    if (::ftruncate(descriptor_, 0) != 0 || ::pwrite(descriptor_, data, size, 0) != static_cast<ssize_t>(size))
      std::abort();
    return path_;
  }

 private:
  std::string path_;
  int descriptor_ = -1;
};

}  // namespace

void fuzz::read_bytes(const std::uint8_t* data, std::size_t size) {
  static const scratch_file file;
  read(file.holding(data, size));
}
