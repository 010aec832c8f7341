#include "two_units.hpp"

embit::knn_result<std::uint32_t> nearest(const embit::code_store<>& codes, const embit::thread_pool& pool) {
  const embit::flat_index index{codes, embit::hamming{}, pool};
  return index.search(codes, 3);
}
