// A disk that remembers: the calls that this program makes to the files of one folder are recorded while a recorder
// lives, can be made to fail, and can be done again as far as a power cut would have let them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace support {

/// One call, and what it was about. Files are numbered in the order in which they were made, whatever their names.
struct disk_call {
  enum kinds { create, write, cut, sync, failed_sync, sync_folder, rename, remove };
  kinds kind;
  std::size_t file = 0;
  std::string name, to;
  std::size_t at = 0;  // where `write` begins and `cut` ends
  std::string bytes;
};

/// The files of a folder, by name.
using folder_state = std::map<std::string, std::string>;

/// Records from its construction on. There is one at a time.
class disk_recorder {
 public:
  explicit disk_recorder(std::string folder);
  disk_recorder(const disk_recorder&) = delete;
  disk_recorder& operator=(const disk_recorder&) = delete;
  ~disk_recorder();

  /// Whether calls can be recorded on this system; where not, nothing ever is.
  static bool works();

  enum failures {
    once,    ///< without any effect
    half,    ///< a write gets half way
    onwards  ///< as does every later call, until `repair`
  };
  /// The call number `call`, counted from 0 and from here on, fails with `number` in errno.
  void fail(std::size_t call, int number, failures how);
  /// Ends the failure that has begun, if it has; says so.
  bool repair();
  /// Whether a call has failed since `fail`.
  bool has_failed() const;
  /// How many calls were recorded before that.
  std::size_t calls_before_failure() const;
  /// Calls that could have failed.
  std::size_t chances() const;
  /// What happens before the next time that a file of this name is opened.
  void before_opening(const std::string& name, void (*happens)(void*), void* with);

  const std::vector<disk_call>& calls() const;
  /// What was in the folder at the beginning.
  const folder_state& before() const;
};

/// What a disk may hold after a power cut, as calls are made one by one.
class disk_model {
 public:
  explicit disk_model(const folder_state& before);

  void call(const disk_call& made);

  /// Everything that was called: what a process finds after one that was killed, or on a disk that keeps the order.
  folder_state ordered() const;
  /// The last write torn: only the first `sectors` of its sectors of 512 bytes are there. Nothing beyond that is
  /// different from `ordered`.
  folder_state torn(std::size_t sectors) const;
  std::size_t last_sectors() const;
  /// What was synced, and of everything else any part: writes by sectors, cuts, names.
  folder_state weak(std::mt19937& random) const;

 private:
  struct change {
    disk_call call;
    enum { open, doubtful, sure } state = open;  // doubtful: a sync failed, and a later one may not have written it
  };
  struct file {
    std::string synced;
    std::vector<change> changes;
  };
  std::vector<file> files_;
  std::map<std::string, std::size_t> names_;  // that were synced
  std::vector<disk_call> renames_;            // those that were not, and new and removed names
  bool last_is_write_ = false;
  disk_call last_;
};

}  // namespace support
