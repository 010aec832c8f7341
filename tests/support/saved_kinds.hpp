// One small thing of every kind that can be a file: what the golden files hold, what damage is done to, and what
// fuzzing begins with. A new kind is one more entry of `saved_kinds`.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/core/random.hpp>
#include <embit/index/flat.hpp>
#include <embit/index/labelled.hpp>
#include <embit/io/save.hpp>
#include <embit/store/block_store.hpp>
#include <embit/store/code_store.hpp>
#include <embit/store/level_store.hpp>
#include <embit/store/mapped_store.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <support/codes.hpp>

namespace support {

struct saved_kind {
  std::string name;  ///< of its golden file
  /// Writes the example. Later versions of the library write the same contents, if in other bytes.
  std::function<void(const std::string& path)> save;
  /// The ways to read a file, each of which writes what it read to another, unless that has no name.
  std::vector<std::function<void(const std::string& from, const std::string& to)>> copy;
};

template <class T>
void load_and_save(const std::string& from, const std::string& to) {
  const T loaded = embit::load<T>(from);
  if (!to.empty()) embit::save(to, loaded);
}

/// What `make` makes, which is loaded as a T.
template <class T, class Make>
saved_kind kind_of(std::string name, Make make) {
  return {std::move(name), [make](const std::string& path) { embit::save(path, make()); }, {load_and_save<T>}};
}

/// A file of codes read where it lies.
inline void map_and_save(const std::string& from, const std::string& to) {
  const embit::mapped_store<> mapped(from);
  mapped.verify();
  std::vector<embit::row_id> rows(mapped.size());
  std::iota(rows.begin(), rows.end(), embit::row_id{0});
  if (!to.empty()) embit::save(to, mapped.bits() == 0 ? embit::code_store<>() : embit::code_store<>(mapped, rows));
}

inline embit::code_store<> small_codes() {
  embit::rng rng{1};
  return make_codes(9, 70, code_kind::uniform, rng);
}

inline embit::level_store small_levels(bool halves) {
  embit::level_format format{
      .segments = {embit::level_segment::uniform(5, 3, 0.5f), embit::level_segment::uniform(9, 1)}};
  format.factors.fill(true);
  format.half_factors = halves;
  embit::level_store levels(std::move(format), 3);
  for (std::size_t row = 0; row < levels.size(); ++row) {
    std::vector<std::uint8_t> values(14, static_cast<std::uint8_t>(row % 2));
    values[row] = 1;
    levels.set_levels(row, values);
    for (std::size_t f = 0; f < embit::row_factors; ++f)
      levels.set_factor(row, static_cast<embit::row_factor>(f), 0.25f * static_cast<float>(row + f));
  }
  return levels;
}

inline auto small_labelled_index() {
  std::vector<embit::row_label> labels(9);
  std::iota(labels.begin(), labels.end(), embit::row_label{1} << 40);
  embit::labelled_index index{embit::flat_index{small_codes()}, labels};
  index.remove(labels[4]);
  return index;
}

inline std::vector<saved_kind> saved_kinds() {
  using flat = embit::flat_index<embit::block_store<>, embit::hamming>;
  using flat_levels = embit::flat_index<embit::level_store, embit::symmetric>;
  std::vector<saved_kind> kinds{
      kind_of<embit::code_store<>>("codes", small_codes),
      kind_of<embit::level_store>("levels", [] { return small_levels(false); }),
      kind_of<embit::level_store>("levels_half", [] { return small_levels(true); }),
      kind_of<flat>("flat_index",
                    [] {
                      embit::flat_index index{small_codes()};
                      index.remove(2);
                      return index;
                    }),
      kind_of<flat_levels>("flat_index_levels", [] { return embit::flat_index{small_levels(false)}; }),
      kind_of<embit::labelled_index<flat>>("labelled_index", small_labelled_index),
  };
  kinds[0].copy.push_back(load_and_save<embit::block_store<>>);
  kinds[0].copy.push_back(map_and_save);
  return kinds;
}

}  // namespace support
