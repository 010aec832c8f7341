// Searching takes no Eigen: who includes that alone waits for none of it.
#include <embit/search.hpp>

#if defined(EIGEN_WORLD_VERSION)
#error "embit/search.hpp includes Eigen"
#endif

int main() {
  embit::code_store<> codes(3, 64);
  codes.row(1)[0] = 1;
  const embit::multi_index<> empty;
  const embit::flat_index index{codes};
  return empty.size() == 0 && index.search(codes, 1)[1][0].id == 1 ? 0 : 1;
}
