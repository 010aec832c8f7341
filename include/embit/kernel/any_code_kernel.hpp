// Kernels for the codes of an encoder that is known at run time only.
// SPDX-License-Identifier: MIT
#pragma once

#include <embit/codes/level_view.hpp>
#include <embit/config.hpp>
#include <embit/core/concepts.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/moved.hpp>
#include <embit/kernel/level_scan.hpp>
#include <embit/kernel/table_scan.hpp>

#include <concepts>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>

namespace embit::inline EMBIT_ABI {

/// A kernel for rows of a `level_store` whose queries, once they are ready, are scanned as levels or through tables:
/// `asymmetric`, `mapped_symmetric`, `table_scan`.
template <class K, class QueryView>
concept CodeKernel = Kernel<K, level_row> && std::copy_constructible<K> &&
    std::same_as<typename K::query_view, QueryView> && std::same_as<typename K::compare, std::less<>> &&
    (std::same_as<typename K::batch, level_batch> ||
     std::same_as<typename K::batch, table_batch>)&&requires(const K& kernel) {
  { kernel.format() } -> std::convertible_to<const level_format&>;
};

/// Any `CodeKernel` for queries of one kind: they are made ready by a virtual call a batch and scanned as they would be
/// by the kernel itself. Copies share it.
template <class QueryView>
class any_code_kernel {
 public:
  using query_view = QueryView;
  using distance_type = float;
  using compare = std::less<>;
  using batch = table_batch;
  using query = std::remove_cvref_t<decltype(std::declval<const QueryView&>()[std::size_t{}])>;

  template <class K>
    requires(!std::same_as<K, any_code_kernel> && CodeKernel<K, QueryView>)  // in this order: copying must not ask this
  explicit any_code_kernel(K kernel) : kernel_(std::make_shared<const held<K>>(std::move(kernel))) {}

  /// Numbers of a query of floats.
  std::size_t dim() const noexcept requires std::same_as<QueryView, matrix_view<const float>> { return kernel_->dim(); }
  /// What the codes must look like.
  const level_format& format() const& noexcept { return kernel_->format(); }
  const level_format& format() const&& = delete;
  /// @throws error errc::shape for codes of another format, errc::argument for those of another encoder.
  void require_format(const level_format& codes) const { detail::require_level_format(codes, format()); }

  /// @throws error as the kernel does.
  table_query prepare(const query& one) const { return kernel_->prepare(one); }
  /// @param code  of the kernel's format
  float operator()(const table_query& one, const level_row& code) const noexcept { return one(code); }
  /// @throws error as the kernel does.
  void prepare_batch(const query_view& queries, std::size_t width, batch& into) const {
    kernel_->prepare_batch(queries, width, into);
  }

 private:
  struct erased {
    virtual ~erased() = default;
    virtual std::size_t dim() const noexcept = 0;
    virtual const level_format& format() const noexcept = 0;
    virtual table_query prepare(const query& one) const = 0;
    virtual void prepare_batch(const query_view& queries, std::size_t width, batch& into) const = 0;
  };
  template <class K>
  struct held final : erased {
    explicit held(K kernel) : of(std::move(kernel)) {}
    std::size_t dim() const noexcept override {
      if constexpr (requires { of.dim(); })
        return of.dim();
      else
        return 0;
    }
    const level_format& format() const noexcept override { return of.format(); }
    table_query prepare(const query& one) const override { return table_query(of.prepare(one)); }
    void prepare_batch(const query_view& queries, std::size_t width, batch& into) const override {
      if constexpr (std::same_as<typename K::batch, level_batch>)
        of.prepare_batch(queries, width, into.as_levels());
      else
        of.prepare_batch(queries, width, into);
    }
    K of;
  };

  detail::shared_state<const erased> kernel_;
};

/// Float queries against codes, and codes against codes, whatever encoder made them.
using any_asymmetric = any_code_kernel<matrix_view<const float>>;
using any_symmetric = any_code_kernel<level_view>;

static_assert(Kernel<any_asymmetric, level_row> && Kernel<any_symmetric, level_row>);

}  // namespace embit::inline EMBIT_ABI
