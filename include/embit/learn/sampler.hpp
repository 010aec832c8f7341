// Which rows a training step sees.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/config.hpp>
#include <embit/core/error.hpp>
#include <embit/core/random.hpp>
#include <embit/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace embit::inline EMBIT_ABI {

/// Passes over items in ever new orders: each comes once a pass, and none twice in a batch. The last items of a pass
/// that fill no batch wait for another.
class shuffled_batches {
 public:
  /// @throws error errc::argument when a batch is empty or longer than all items.
  shuffled_batches(std::size_t items, std::size_t batch, rng engine)
      : order_(items), batch_(batch), next_(items), engine_(engine) {
    if (batch == 0 || batch > items) raise(errc::argument, "batches of ", batch, " of ", items, " items");
    std::iota(order_.begin(), order_.end(), std::size_t{0});
  }

  /// Valid until the next call.
  std::span<const std::size_t> next() {
    if (order_.size() - next_ < batch_) {
      shuffle(std::span(order_), engine_);
      next_ = 0;
    }
    const auto found = std::span<const std::size_t>(order_).subspan(next_, batch_);
    next_ += batch_;
    return found;
  }

  std::size_t batch() const noexcept { return batch_; }

 private:
  std::vector<std::size_t> order_;
  std::size_t batch_;
  std::size_t next_;
  rng engine_;
};

/// Batches of as many items from each of a few labels, so that every item has positives and negatives beside it.
class balanced_batches {
 public:
  /// @param labels  one an item. @param groups labels in a batch. @param each items of each; fewer are repeated.
  /// @throws error errc::argument when there are fewer labels, or `groups` or `each` is 0.
  balanced_batches(std::span<const std::uint32_t> labels, std::size_t groups, std::size_t each, rng engine)
      : groups_(groups), each_(each), engine_(engine) {
    std::map<std::uint32_t, std::vector<std::size_t>> of_label;
    for (std::size_t i = 0; i < labels.size(); ++i) of_label[labels[i]].push_back(i);
    if (groups == 0 || each == 0 || groups > of_label.size())
      raise(errc::argument, "balanced_batches: ", groups, " labels of ", of_label.size(), ", ", each, " items of each");
    for (auto& entry : of_label) members_.push_back(std::move(entry.second));
  }

  /// Valid until the next call.
  std::span<const std::size_t> next() {
    found_.clear();
    shuffle(std::span(members_), engine_);
    for (std::size_t g = 0; g < groups_; ++g) {
      auto& items = members_[g];
      for (std::size_t i = 0; i < each_; ++i) {
        if (i % items.size() == 0) shuffle(std::span(items), engine_);
        found_.push_back(items[i % items.size()]);
      }
    }
    return found_;
  }

 private:
  std::vector<std::vector<std::size_t>> members_;
  std::size_t groups_, each_;
  std::vector<std::size_t> found_;
  rng engine_;
};

/// Two rows that belong together.
struct row_pair {
  row_id first, second;
  friend bool operator==(const row_pair&, const row_pair&) = default;
};

/// For each row a number that it shares with all rows to which pairs lead, directly or through others.
/// O(rows + pairs), nearly.
/// @throws error errc::out_of_range naming the pair.
inline std::vector<std::uint32_t> pair_groups(std::span<const row_pair> pairs, std::size_t rows) {
  std::vector<std::uint32_t> parent(rows);
  std::iota(parent.begin(), parent.end(), std::uint32_t{0});
  const auto root = [&](std::uint32_t i) {
    while (parent[i] != i) i = parent[i] = parent[parent[i]];
    return i;
  };
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (pairs[i].first >= rows || pairs[i].second >= rows)
      raise(errc::out_of_range, "pairs: pair ", i, " is (", pairs[i].first, ", ", pairs[i].second, ") of ", rows,
            " rows");
    const auto a = root(pairs[i].first), b = root(pairs[i].second);
    parent[(std::max)(a, b)] = (std::min)(a, b);
  }
  for (std::uint32_t i = 0; i < rows; ++i) parent[i] = root(i);
  return parent;
}

/// Pairs of rows of one label: each row that is not alone with its label, with `each` others drawn at random.
template <class Label, class Engine>
std::vector<row_pair> pairs_of_labels(std::span<const Label> labels, std::size_t each, Engine& engine) {
  std::map<Label, std::vector<row_id>> of_label;
  for (std::size_t i = 0; i < labels.size(); ++i) of_label[labels[i]].push_back(static_cast<row_id>(i));
  std::vector<row_pair> pairs;
  for (const auto& entry : of_label) {
    const std::vector<row_id>& members = entry.second;
    for (std::size_t i = 0; members.size() > 1 && i < members.size(); ++i)
      for (std::size_t k = 0; k < each; ++k) {
        const auto skip = 1 + static_cast<std::size_t>(uniform_index(engine, members.size() - 1));
        pairs.push_back({members[i], members[(i + skip) % members.size()]});
      }
  }
  return pairs;
}

}  // namespace embit::inline EMBIT_ABI
