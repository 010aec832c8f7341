// The executor of programs that use oneTBB, which the user links.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>

#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <cstddef>
#include <memory>

namespace embit::inline EMBIT_ABI {

/// Runs work in a task arena of oneTBB; copies share the arena.
class tbb_executor {
 public:
  /// @param threads  workers at most, the calling thread among them; 0 takes as many as TBB would
  explicit tbb_executor(std::size_t threads = 0)
      : arena_(std::make_shared<tbb::task_arena>(threads != 0 ? static_cast<int>(threads)
                                                              : int{tbb::task_arena::automatic})) {}

  std::size_t concurrency() const { return static_cast<std::size_t>(arena_->max_concurrency()); }

  /// A thread that waits here takes no items of a call around this one: a worker is never inside two items at once.
  template <class F>
  void bulk(std::size_t items, F&& f) const {
    arena_->execute([&] {
      tbb::this_task_arena::isolate([&] {
        tbb::parallel_for(std::size_t{0}, items, [&](std::size_t item) {
          f(item, static_cast<std::size_t>(tbb::this_task_arena::current_thread_index()));
        });
      });
    });
  }

 private:
  std::shared_ptr<tbb::task_arena> arena_;
};

}  // namespace embit::inline EMBIT_ABI
