// Threads for one search: an executor that is chosen where work is asked for, not where an index is made.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/error.hpp>
#include <embit/core/executor.hpp>

#include <algorithm>
#include <atomic>
#include <concepts>
#include <cstddef>
#include <utility>

namespace embit::inline EMBIT_ABI {

namespace detail {

/// Of this thread; null: none, so that work runs in it.
inline constinit thread_local const executor_ref* executor_in_scope = nullptr;

}  // namespace detail

/// Runs work on an executor for as long as it lives, whatever of this thread's work asks for a `scoped_executor`:
///
///     const flat_index index{codes, scoped_executor{}};
///     index.search(query, 10);               // in this thread
///     const executor_scope threads(pool);
///     index.search(batch, 10);               // on the pool
///
/// Scopes nest; other threads know nothing of them. The executor must outlive it.
class executor_scope {
 public:
  template <class Exec>
    requires(!std::same_as<Exec, executor_scope> && Executor<Exec>)
  explicit executor_scope(const Exec& executor) : executor_(executor), before_(detail::executor_in_scope) {
    detail::executor_in_scope = &executor_;
  }
  template <class Exec>
    requires(!std::same_as<Exec, executor_scope> && Executor<Exec>)
  explicit executor_scope(const Exec&&) = delete;  // it is viewed
  executor_scope(const executor_scope&) = delete;
  executor_scope& operator=(const executor_scope&) = delete;
  ~executor_scope() { detail::executor_in_scope = before_; }

 private:
  executor_ref executor_;
  const executor_ref* before_;
};

/// The executor of the innermost `executor_scope` of the thread that asks; without one work runs in that thread. An
/// index that was made with it takes its threads from whoever searches, through all that is put around it.
struct scoped_executor {
  std::size_t concurrency() const noexcept {
    return detail::executor_in_scope == nullptr ? 1 : detail::executor_in_scope->concurrency();
  }
  template <class F>
  void bulk(std::size_t items, F&& f) const {
    if (detail::executor_in_scope == nullptr)
      inline_executor{}.bulk(items, std::forward<F>(f));
    else
      detail::executor_in_scope->bulk(items, std::forward<F>(f));
  }
};

/// At most so many threads of an executor. Copies it, which for a `thread_pool` is a handle.
template <Executor Exec>
class limited_executor {
 public:
  /// @throws error errc::argument for no threads.
  limited_executor(Exec executor, std::size_t threads) : executor_(std::move(executor)), most_(threads) {
    if (threads == 0) raise(errc::argument, "threads: 0, but at least 1 is needed");
  }

  std::size_t concurrency() const { return (std::min)(most_, static_cast<std::size_t>(executor_.concurrency())); }

  template <class F>
  void bulk(std::size_t items, F&& f) const {
    const std::size_t workers = (std::min)(items, concurrency());
    std::atomic<std::size_t> next{0};
    executor_.bulk(workers, [&](std::size_t worker, std::size_t) {
      for (std::size_t item; (item = next.fetch_add(1, std::memory_order_relaxed)) < items;) f(item, worker);
    });
  }

 private:
  Exec executor_;
  std::size_t most_;
};

}  // namespace embit::inline EMBIT_ABI
