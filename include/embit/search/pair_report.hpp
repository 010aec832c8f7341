// Tells a caller of the pairs that the workers of a search find.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/erased.hpp>
#include <embit/core/types.hpp>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <mutex>
#include <span>
#include <vector>

namespace embit::inline EMBIT_ABI::detail {

/// Two rows and their distance.
template <class Distance>
struct pair_found {
  row_id a, b;
  Distance distance;
};

/// Tells a caller of a pair; whether it wants more, as it also does where it returns nothing.
template <class Found, class Distance>
bool wants_more(Found& found, row_id a, row_id b, const Distance& distance) {
  if constexpr (std::same_as<decltype(found(a, b, distance)), bool>) {
    return found(a, b, distance);
  } else {
    found(a, b, distance);
    return true;
  }
}

/// Hands pairs to a caller's `found(a, b, distance)`, one call at a time whoever reports, until it throws, or
/// returns false where it returns bool. Its type is forgotten, a list of pairs at a time: a search for pairs is
/// compiled once.
template <class Distance>
class pair_report {
 public:
  template <class Found>
    requires std::invocable<Found&, row_id, row_id, Distance>
  explicit pair_report(Found& found) noexcept
      : found_(erased(found)), tell_([](void* context, std::span<const pair_found<Distance>> pairs) {
          Found& tell = restored<Found>(context);
          for (const auto& p : pairs)
            if (!wants_more(tell, p.a, p.b, p.distance)) return false;
          return true;
        }) {}

  /// Whether the caller wants no more.
  bool stopped() const noexcept { return stopped_.load(std::memory_order_relaxed); }

  void operator()(std::span<const pair_found<Distance>> pairs) {
    const std::lock_guard lock(one_at_a_time_);
    if (stopped()) return;
    struct stop_unless_told {  // also where the caller throws
      std::atomic<bool>& stopped;
      bool go_on = false;
      ~stop_unless_told() {
        if (!go_on) stopped.store(true, std::memory_order_relaxed);
      }
    } answer{stopped_};
    answer.go_on = tell_(found_, pairs);
  }

 private:
  void* found_;
  bool (*tell_)(void*, std::span<const pair_found<Distance>>);
  std::mutex one_at_a_time_;
  std::atomic<bool> stopped_{false};
};

/// Pairs of one worker, reported some thousands at a time: `flush` the last of them.
template <class Distance>
class pair_buffer {
 public:
  explicit pair_buffer(pair_report<Distance>& report) noexcept : report_(report) {}

  /// False where the caller wants no more.
  bool add(row_id a, row_id b, Distance distance) {
    pairs_.push_back({a, b, distance});
    return pairs_.size() < buffered || flush();
  }
  bool flush() {
    if (!pairs_.empty()) report_(pairs_);
    pairs_.clear();
    return !report_.stopped();
  }

 private:
  static constexpr std::size_t buffered = 4096;

  pair_report<Distance>& report_;
  std::vector<pair_found<Distance>> pairs_;
};

}  // namespace embit::inline EMBIT_ABI::detail
