// Where work runs: in the calling thread by default, elsewhere only where the user says so.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/erased.hpp>

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <exception>
#include <memory>
#include <mutex>
#include <type_traits>

namespace embit::inline EMBIT_ABI {

/// Runs everything in the calling thread.
struct inline_executor {
  static constexpr std::size_t concurrency() noexcept { return 1; }
  template <class F>
  void bulk(std::size_t items, F&& f) const {
    for (std::size_t i = 0; i < items; ++i) f(i, std::size_t{0});
  }
};

/// A view of any executor, so that what runs on one is compiled once, whatever it is: work is handed over an item at a
/// time through one function pointer. The executor must outlive it.
class executor_ref {
 public:
  template <class Exec>
    requires(!std::same_as<Exec, executor_ref>)
  &&Executor<Exec> executor_ref(const Exec& executor)
      : executor_(std::addressof(executor)),
  concurrency_(executor.concurrency()), bulk_([](const void* exec, std::size_t items, void* f, call* on) {
    static_cast<const Exec*>(exec)->bulk(items, [=](std::size_t item, std::size_t worker) { on(f, item, worker); });
  }) {}

  std::size_t concurrency() const noexcept { return concurrency_; }
  template <class F>
  void bulk(std::size_t items, F&& f) const {
    bulk_(executor_, items, detail::erased(f), [](void* work, std::size_t item, std::size_t worker) {
      detail::restored<std::remove_reference_t<F>>(work)(item, worker);
    });
  }

 private:
  using call = void(void* f, std::size_t item, std::size_t worker);

  const void* executor_;
  std::size_t concurrency_;
  void (*bulk_)(const void* executor, std::size_t items, void* f, call* on);
};

/// Calls `f(item, worker)` for every item below `items` on the executor. The first exception thrown by `f` is
/// carried over to the caller; items not yet started by then are skipped.
template <Executor Exec, class F>
void run_bulk(const Exec& executor, std::size_t items, F&& f) {
  if (items == 0) return;
#if EMBIT_EXCEPTIONS
  std::atomic<bool> failed{false};
  std::exception_ptr first;
  std::mutex guard;
  executor.bulk(items, [&](std::size_t item, std::size_t worker) noexcept {
    if (failed.load(std::memory_order_relaxed)) return;
    try {
      f(item, worker);
    } catch (...) {
      const std::lock_guard lock(guard);
      if (!first) first = std::current_exception();
      failed.store(true, std::memory_order_relaxed);
    }
  });
  if (first) std::rethrow_exception(first);
#else
  executor.bulk(items, f);
#endif
}

/// Cuts [0, n) into at most `pieces` ranges of whole `grain`s and calls `f(first, last, worker)` for each.
template <Executor Exec, class F>
void run_ranges(const Exec& executor, std::size_t n, std::size_t grain, std::size_t pieces, F&& f) {
  const std::size_t grains = n / grain + (n % grain != 0);
  const std::size_t ranges = (std::min)(std::max<std::size_t>(pieces, 1), grains);
  run_bulk(executor, ranges, [&](std::size_t i, std::size_t worker) {
    const std::size_t first = grains / ranges * i + (std::min)(i, grains % ranges);
    const std::size_t last = first + grains / ranges + (i < grains % ranges);
    f(first * grain, (std::min)(last * grain, n), worker);
  });
}

}  // namespace embit::inline EMBIT_ABI
