// Threads that wait for work: the executor to use where nothing else in the program has a pool.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/moved.hpp>

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// An executor over a fixed set of threads, the calling one included. Copies share the threads, which end with the
/// last copy. `bulk` may be called from several threads at once, and from inside work that runs on the pool; the
/// calling thread always takes part, so it never waits for a busy pool. In a process that was forked from its own it
/// has no threads but the caller.
class thread_pool {
 public:
  /// @param threads  workers in all, the calling thread among them; 0 takes one a processor.
  /// @throws error errc::argument for more than 65536.
  explicit thread_pool(std::size_t threads = 0) : pool_(std::shared_ptr<pool>(new pool, end)) {
    constexpr std::size_t most = std::size_t{1} << 16;
    if (threads > most) raise(errc::argument, "thread_pool: ", threads, " threads, not 1 to ", most);
    if (threads == 0) threads = (std::max)(1u, std::thread::hardware_concurrency());
    concurrency_ = threads;
    pool_->threads.reserve(threads - 1);
    for (std::size_t i = 1; i < threads; ++i) pool_->threads.emplace_back([p = pool_.get()] { p->serve(); });
  }

  std::size_t concurrency() const noexcept { return concurrency_; }

  template <class F>
  void bulk(std::size_t items, F&& f) const {
    if (items == 0) return;
    const std::size_t helpers = (std::min)(items, concurrency_) - 1;
    if (helpers == 0 || !pool_->has_threads()) {
      for (std::size_t i = 0; i < items; ++i) f(i, std::size_t{0});
      return;
    }
    job work;
    work.items = items;
    work.places = helpers;
    work.context = std::addressof(f);
    work.call = [](const void* context, std::size_t item, std::size_t worker) {
      (*static_cast<std::remove_reference_t<F>*>(const_cast<void*>(context)))(item, worker);
    };
    pool_->publish(work);
    work.take_part(0);
    pool_->retire(work);
  }

 private:
  // One call of bulk. It lives on the caller's stack: `retire` waits until no thread of the pool is inside.
  struct job {
    std::size_t items = 0;
    std::size_t places = 0;  // how many threads of the pool may still join; guarded by the pool's mutex
    std::size_t joined = 0;
    std::size_t inside = 0;
    const void* context = nullptr;
    void (*call)(const void*, std::size_t, std::size_t) = nullptr;
    std::atomic<std::size_t> next{0};

    void take_part(std::size_t worker) {
      for (std::size_t i; (i = next.fetch_add(1, std::memory_order_relaxed)) < items;) call(context, i, worker);
    }
  };

  // A forked child has a copy of all this without the threads, and perhaps with a mutex that was locked: there is
  // nothing to wait for, and nothing may be touched. The caller does the work alone then.
  struct pool {
    const pid_t owner = ::getpid();
    std::mutex guard;
    std::condition_variable work_came, job_left;
    std::vector<job*> open;
    bool ending = false;
    std::vector<std::thread> threads;

    bool has_threads() const noexcept { return ::getpid() == owner; }

    void join() {
      {
        const std::lock_guard lock(guard);
        ending = true;
      }
      work_came.notify_all();
      for (auto& t : threads) t.join();
    }

    void publish(job& work) {
      {
        const std::lock_guard lock(guard);
        open.push_back(&work);
      }
      work_came.notify_all();
    }

    void retire(job& work) {
      if (!has_threads()) return;  // forked by the work itself
      std::unique_lock lock(guard);
      std::erase(open, &work);
      job_left.wait(lock, [&] { return work.inside == 0; });
    }

    void serve() {
      std::unique_lock lock(guard);
      for (;;) {
        work_came.wait(lock, [&] { return ending || !open.empty(); });
        if (open.empty()) return;
        job& work = *open.back();
        const std::size_t worker = ++work.joined;
        ++work.inside;
        if (work.joined == work.places) open.pop_back();
        lock.unlock();
        work.take_part(worker);
        lock.lock();
        std::erase(open, &work);  // no items are left to start
        --work.inside;
        job_left.notify_all();
      }
    }
  };

  // In a forked child the pool is left where it is: its threads cannot be joined, nor its condition variables
  // destroyed.
  static void end(pool* ended) noexcept {
    if (!ended->has_threads()) return;
    ended->join();
    delete ended;
  }

  detail::shared_state<pool> pool_;
  std::size_t concurrency_ = 1;
};

}  // namespace embit::inline EMBIT_ABI
