#include <embit/core/matrix.hpp>
#include <embit/core/matrix_view.hpp>
#include <embit/core/thread_pool.hpp>
#include <embit/kernel/gemm.hpp>

#include <Eigen/Core>
#include <cstdio>

int main() {
  Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> x(3, 2);
  x << 1, 1, 1, 1, 0, 1;
  embit::matrix<float> squares(3, 3);
  embit::gemm(embit::view(x), embit::view(x), squares, embit::thread_pool(2));
  float sum = 0;
  for (const float value : squares.values()) sum += value;
  std::printf("one_unit %g\n", double{sum});
  return 0;
}
