// What takes queries to the codes of an encoder of levels that is known at run time only.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/moved.hpp>
#include <embit/kernel/asymmetric.hpp>
#include <embit/kernel/level_scan.hpp>
#include <embit/kernel/mapped_symmetric.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// Any `QueryMap`: float queries taken to the space of codes, by one virtual call a batch. Copies share what they hold.
class any_query_map {
 public:
  template <class M>
    requires(!std::same_as<M, any_query_map> && QueryMap<M>)  // in this order: whether a map can be copied must not ask this
  explicit any_query_map(M map) : map_(std::make_shared<const held<M>>(std::move(map))) {}

  std::size_t dim() const noexcept { return map_->dim(); }
  const level_format& format() const& noexcept { return map_->format(); }
  const level_format& format() const&& = delete;
  /// @throws error as the map does.
  mapped_queries operator()(matrix_view<const float> queries) const { return map_->mapped(queries); }

 private:
  struct erased {
    virtual ~erased() = default;
    virtual std::size_t dim() const noexcept = 0;
    virtual const level_format& format() const noexcept = 0;
    virtual mapped_queries mapped(matrix_view<const float> queries) const = 0;
  };
  template <class M>
  struct held final : erased {
    explicit held(M map) : of(std::move(map)) {}
    std::size_t dim() const noexcept override { return of.dim(); }
    const level_format& format() const noexcept override { return of.format(); }
    mapped_queries mapped(matrix_view<const float> queries) const override { return of(queries); }
    M of;
  };

  detail::shared_state<const erased> map_;
};

/// Any `CodeMap`: codes made to score other codes, by one virtual call a code. Copies share what they hold.
class any_code_map {
 public:
  template <class M>
    requires(!std::same_as<M, any_code_map> && CodeMap<M>)  // in this order: whether a map can be copied must not ask this
  explicit any_code_map(M map) : map_(std::make_shared<const held<M>>(std::move(map))) {}

  const level_format& format() const& noexcept { return map_->format(); }
  const level_format& format() const&& = delete;
  void prepare(const level_row& code, level_query& into) const { map_->prepare(code, into); }

 private:
  struct erased {
    virtual ~erased() = default;
    virtual const level_format& format() const noexcept = 0;
    virtual void prepare(const level_row& code, level_query& into) const = 0;
  };
  template <class M>
  struct held final : erased {
    explicit held(M map) : of(std::move(map)) {}
    const level_format& format() const noexcept override { return of.format(); }
    void prepare(const level_row& code, level_query& into) const override { of.prepare(code, into); }
    M of;
  };

  detail::shared_state<const erased> map_;
};

/// Float queries against codes of levels, and codes against codes, whatever encoder made them.
using any_asymmetric = asymmetric<any_query_map>;
using any_symmetric = mapped_symmetric<any_code_map>;

}  // namespace embit::inline EMBIT_ABI
