// The calls themselves: they take the place of those of the C library in this program, and go straight to the kernel.
#undef _FORTIFY_SOURCE  // which has definitions of its own for some of these
#include "recorded_disk.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#if defined(__linux__) && defined(__LP64__)
#include <sys/syscall.h>
#define EMBIT_TEST_RECORDS 1
#else
#define EMBIT_TEST_RECORDS 0
#endif

namespace {

struct recording {
  bool on = false;
  std::string folder;
  support::folder_state before;
  std::vector<support::disk_call> calls;
  std::map<std::string, std::size_t> names;
  std::map<int, std::size_t> open;  // descriptor → file
  std::size_t files = 0;

  std::size_t chances = 0, failing = ~std::size_t{0};
  int number = 0;
  support::disk_recorder::failures how = support::disk_recorder::once;
  bool failed = false, failing_now = false, rest_fails = false;
  std::size_t calls_before = 0;

  std::string awaited;
  void (*happens)(void*) = nullptr;
  void* with = nullptr;

  bool knows(const char* path) const { return on && std::string(path).compare(0, folder.size(), folder) == 0; }
  std::string name(const char* path) const { return std::string(path).substr(folder.size()); }
  // Whether the call about to be made fails, with errno set.
  bool fails() {
    const bool now = chances++ == failing || rest_fails;
    if (!now) return false;
    if (!failed) calls_before = calls.size();
    failed = failing_now = true;
    rest_fails = rest_fails || how == support::disk_recorder::onwards;
    errno = number;
    return true;
  }
};
recording now;

using support::disk_call;

}  // namespace

#if EMBIT_TEST_RECORDS
extern "C" {

int open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list rest;
    va_start(rest, flags);
    mode = va_arg(rest, mode_t);
    va_end(rest);
  }
  const bool known = now.knows(path) && (flags & O_DIRECTORY) == 0;
  if (known && now.name(path) == now.awaited) {
    now.awaited.clear();
    now.happens(now.with);
  }
  const bool makes = known && (flags & O_CREAT) != 0 && now.names.count(now.name(path)) == 0;
  if (makes && now.fails()) return -1;
  const int file = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
  if (file < 0 || !known) return file;
  if (makes) {
    now.names[now.name(path)] = now.files;
    now.calls.push_back({disk_call::create, now.files++, now.name(path), {}, 0, {}});
  }
  const auto found = now.names.find(now.name(path));
  if (found != now.names.end()) now.open[file] = found->second;
  return file;
}

int close(int file) {
  if (now.on) now.open.erase(file);
  return static_cast<int>(::syscall(SYS_close, file));
}

ssize_t pwrite(int file, const void* from, size_t size, off_t at) {
  const bool known = now.on && now.open.count(file) != 0;
  if (known && now.fails()) {
    if (now.how != support::disk_recorder::half || size < 2) return -1;
    size /= 2;
    now.failing = now.chances;  // what is left of it fails outright
    now.how = support::disk_recorder::once;
  }
  const auto done = static_cast<ssize_t>(::syscall(SYS_pwrite64, file, from, size, at));
  if (known && done > 0)
    now.calls.push_back({disk_call::write,
                         now.open[file],
                         {},
                         {},
                         static_cast<std::size_t>(at),
                         std::string(static_cast<const char*>(from), static_cast<std::size_t>(done))});
  return done;
}

int ftruncate(int file, off_t size) noexcept {
  const bool known = now.on && now.open.count(file) != 0;
  if (known && now.fails()) return -1;
  const int done = static_cast<int>(::syscall(SYS_ftruncate, file, size));
  if (known && done == 0)
    now.calls.push_back({disk_call::cut, now.open[file], {}, {}, static_cast<std::size_t>(size), {}});
  return done;
}

int fsync(int file) {
  struct stat status {};
  const bool folder = now.on && ::fstat(file, &status) == 0 && S_ISDIR(status.st_mode);
  const bool known = now.on && (folder || now.open.count(file) != 0);
  if (!known) return static_cast<int>(::syscall(SYS_fsync, file));
  if (now.fails()) {
    if (!folder) now.calls.push_back({disk_call::failed_sync, now.open[file], {}, {}, 0, {}});
    return -1;
  }
  now.calls.push_back({folder ? disk_call::sync_folder : disk_call::sync, folder ? 0 : now.open[file], {}, {}, 0, {}});
  return 0;
}

int rename(const char* from, const char* to) noexcept {
  const bool known = now.knows(from);
  if (known && now.fails()) return -1;
  const int done = static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
  if (known && done == 0) {
    const std::size_t file = now.names[now.name(from)];
    now.calls.push_back({disk_call::rename, file, now.name(from), now.name(to), 0, {}});
    now.names.erase(now.name(from));
    now.names[now.name(to)] = file;
  }
  return done;
}

int unlink(const char* path) noexcept {
  const bool known = now.knows(path);
  if (known && now.fails()) return -1;
  const int done = static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
  if (known && done == 0) {
    now.calls.push_back({disk_call::remove, 0, now.name(path), {}, 0, {}});
    now.names.erase(now.name(path));
  }
  return done;
}

}  // extern "C"
#endif

namespace support {

disk_recorder::disk_recorder(std::string folder) {
  now = {};
  now.folder = std::move(folder) + "/";
  for (const auto& entry : std::filesystem::directory_iterator(now.folder)) {
    std::ifstream in(entry.path(), std::ios::binary);
    now.before[entry.path().filename().string()] = {std::istreambuf_iterator<char>(in), {}};
  }
  for (const auto& [name, bytes] : now.before) now.names[name] = now.files++;
  now.on = true;
}

disk_recorder::~disk_recorder() { now.on = false; }

bool disk_recorder::works() { return EMBIT_TEST_RECORDS != 0; }

void disk_recorder::fail(std::size_t call, int number, failures how) {
  now.failing = now.chances + call;
  now.number = number;
  now.how = how;
  now.failed = now.failing_now = now.rest_fails = false;
}

bool disk_recorder::repair() {
  if (!std::exchange(now.failing_now, false)) return false;
  now.failing = ~std::size_t{0};
  now.rest_fails = false;
  return true;
}

bool disk_recorder::has_failed() const { return now.failed; }
std::size_t disk_recorder::calls_before_failure() const { return now.calls_before; }
std::size_t disk_recorder::chances() const { return now.chances; }

void disk_recorder::before_opening(const std::string& name, void (*happens)(void*), void* with) {
  now.awaited = name;
  now.happens = happens;
  now.with = with;
}

const std::vector<disk_call>& disk_recorder::calls() const { return now.calls; }
const folder_state& disk_recorder::before() const { return now.before; }

namespace {

constexpr std::size_t sector = 512;

void write_to(std::string& bytes, const disk_call& call) {
  if (call.kind == disk_call::cut) {
    bytes.resize(call.at, '\0');
    return;
  }
  bytes.resize(std::max(bytes.size(), call.at + call.bytes.size()), '\0');
  bytes.replace(call.at, call.bytes.size(), call.bytes);
}

// Those sectors of a write for which `written(i)`; the file has its new size whichever they are.
template <class Written>
void write_sectors(std::string& bytes, const disk_call& call, Written&& written) {
  std::string all = bytes;
  write_to(all, call);
  bytes.resize(all.size(), '\0');
  const std::size_t first = call.at / sector, last = (call.at + call.bytes.size() + sector - 1) / sector;
  for (std::size_t i = first; i < last; ++i) {
    const std::size_t begin = i * sector, size = std::min(sector, all.size() - begin);
    if (written(i - first)) bytes.replace(begin, size, all, begin, size);
  }
}

void rename_in(std::map<std::string, std::size_t>& names, const disk_call& call) {
  if (call.kind == disk_call::create)
    names[call.name] = call.file;
  else if (call.kind == disk_call::remove)
    names.erase(call.name);
  else {
    names[call.to] = call.file;
    names.erase(call.name);
  }
}

}  // namespace

disk_model::disk_model(const folder_state& before) : last_{} {
  for (const auto& [name, bytes] : before) {
    names_[name] = files_.size();
    files_.push_back({bytes, {}});
  }
}

void disk_model::call(const disk_call& made) {
  last_is_write_ = made.kind == disk_call::write;
  last_ = made;
  if (made.kind == disk_call::create) files_.resize(made.file + 1);
  switch (made.kind) {
    case disk_call::create:
    case disk_call::rename:
    case disk_call::remove: renames_.push_back(made); return;
    case disk_call::sync_folder:
      for (const disk_call& call : renames_) rename_in(names_, call);
      renames_.clear();
      return;
    case disk_call::write:
    case disk_call::cut: files_[made.file].changes.push_back({made}); return;
    case disk_call::sync:
    case disk_call::failed_sync: break;
  }
  file& synced = files_[made.file];
  for (change& c : synced.changes)
    if (c.state == change::open) c.state = made.kind == disk_call::sync ? change::sure : change::doubtful;
  while (!synced.changes.empty() && synced.changes.front().state == change::sure) {
    write_to(synced.synced, synced.changes.front().call);
    synced.changes.erase(synced.changes.begin());
  }
}

folder_state disk_model::ordered() const { return torn(last_sectors()); }

std::size_t disk_model::last_sectors() const {
  return last_is_write_ ? (last_.at + last_.bytes.size() + sector - 1) / sector - last_.at / sector : 0;
}

folder_state disk_model::torn(std::size_t sectors) const {
  auto names = names_;
  for (const disk_call& call : renames_) rename_in(names, call);
  folder_state state;
  for (const auto& [name, number] : names) {
    const file& f = files_[number];
    std::string bytes = f.synced;
    for (std::size_t i = 0; i < f.changes.size(); ++i) {
      const bool last = last_is_write_ && number == last_.file && i + 1 == f.changes.size();
      if (last)
        write_sectors(bytes, f.changes[i].call, [&](std::size_t s) { return s < sectors; });
      else
        write_to(bytes, f.changes[i].call);
    }
    state[name] = std::move(bytes);
  }
  return state;
}

folder_state disk_model::weak(std::mt19937& random) const {
  auto names = names_;
  const std::size_t kept = random() % (renames_.size() + 1);  // a folder keeps the order of its names
  for (std::size_t i = 0; i < kept; ++i) rename_in(names, renames_[i]);
  folder_state state;
  for (const auto& [name, number] : names) {
    const file& f = files_[number];
    std::string bytes = f.synced;
    for (const change& c : f.changes) {
      const auto how = random() % 4;
      if (c.state == change::sure || how == 0)
        write_to(bytes, c.call);
      else if (how != 1 && c.call.kind == disk_call::write)
        write_sectors(bytes, c.call, [&](std::size_t) { return random() % 2 == 0; });
    }
    state[name] = std::move(bytes);
  }
  return state;
}

}  // namespace support
