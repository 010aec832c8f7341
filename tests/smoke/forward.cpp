// A header of a user's own that names what embit holds, and includes nothing but the names.
#include <embit/fwd.hpp>

#include <cstdint>
#include <memory>
#include <vector>

namespace {

struct catalogue {
  catalogue();
  ~catalogue();

  embit::knn_result<std::uint32_t> search(embit::code_view<> queries) const;
  embit::range_result<float, embit::row_label> near_rows(embit::matrix_view<const float> rows, float radius) const;
  embit::knn_result<float, embit::row_label> found(const embit::matrix<float>& queries) const;

  std::unique_ptr<embit::flat_index<>> flat;
  std::unique_ptr<embit::multi_index<>> multi;
  std::unique_ptr<embit::lsh_table<>> tables;
  std::unique_ptr<embit::ivf_index<>> lists;
  std::unique_ptr<embit::prefix_index<>> nested;
  std::unique_ptr<embit::flat_index<embit::level_store>> levels;
  std::unique_ptr<embit::flat_index<embit::matrix<float>, embit::l2, embit::thread_pool>> floats;
  std::unique_ptr<embit::labelled_index<embit::flat_index<embit::matrix<float>>>> labelled;
  std::unique_ptr<embit::concurrent_index<embit::versioned_index<embit::flat_index<>>>> served;
  std::unique_ptr<embit::durable_index<embit::labelled_index<embit::multi_index<>>>> durable;
  std::unique_ptr<embit::any_index<embit::code_view<>, std::uint32_t>> any;
  std::unique_ptr<embit::retriever<embit::sign_projection, embit::flat_index<>, embit::owned_float_rerank<>>> two;
  std::unique_ptr<embit::ivf_levels<embit::rabitq>> float_lists;
  std::unique_ptr<embit::thread_pool> pool;
};

}  // namespace

#include <embit/search.hpp>

#include <concepts>

namespace {

catalogue::catalogue() = default;
catalogue::~catalogue() = default;

embit::knn_result<std::uint32_t> catalogue::search(embit::code_view<> queries) const {
  return flat->search(queries, 1);
}
embit::range_result<float, embit::row_label> catalogue::near_rows(embit::matrix_view<const float> rows,
                                                                  float radius) const {
  return labelled->range_search(rows, radius);
}
embit::knn_result<float, embit::row_label> catalogue::found(const embit::matrix<float>& queries) const {
  return labelled->search(queries, 1);
}

// Named by the names alone, and by what defines them, a type is one type.
static_assert(std::same_as<embit::flat_index<>::kernel_type, embit::hamming>);
static_assert(std::same_as<embit::flat_index<embit::level_store>::kernel_type, embit::symmetric>);
static_assert(std::same_as<embit::default_kernel<embit::mapped_level_store>, embit::symmetric>);
static_assert(std::same_as<embit::default_kernel<embit::popcount_store<>>, embit::hamming>);
static_assert(std::same_as<embit::default_kernel<embit::matrix_view<const float>>, embit::inner_product>);

}  // namespace

int main() {
  catalogue shop;
  embit::code_store<> codes(2, 64);
  codes.row(1)[0] = 0xff;
  shop.flat = std::make_unique<embit::flat_index<>>(codes);

  embit::matrix<float> rows(2, 3);
  rows[0][0] = rows[1][1] = 1;
  shop.labelled = std::make_unique<embit::labelled_index<embit::flat_index<embit::matrix<float>>>>(
      embit::flat_index<embit::matrix<float>>(rows), std::vector<embit::row_label>{70, 80});
  const bool found =
      shop.search(codes)[1][0].id == 1 && shop.found(rows)[1][0].id == 80 && shop.near_rows(rows, .5f)[0].size() == 1;
  return found ? 0 : 1;
}
