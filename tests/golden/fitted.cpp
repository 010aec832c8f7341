// Fitted encoders go through floating point sums, whose last bits depend on flags and SIMD level: they must agree with
// golden codes within a tolerance, not to the bit. Prints one line a fit; the test compares with fitted.txt.
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/fit/fit_itq.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdio>

namespace {

constexpr std::size_t rows = 512, dim = 24, bits = 16, checked_rows = 32;

// Clusters, so that the principal components are well apart.
embit::matrix<float> clustered_rows() {
  embit::rng engine(7);
  embit::matrix<float> centers(12, dim), x(rows, dim);
  for (std::size_t i = 0; i < centers.rows(); ++i)
    for (std::size_t j = 0; j < dim; ++j) centers[i][j] = embit::normal(engine) / static_cast<float>(1 + j);
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < dim; ++j)
      x[i][j] = centers[i % 12][j] + .25f * embit::normal(engine) / static_cast<float>(1 + j);
  return x;
}

// The first 32 codes of 16 bits, four to a word.
constexpr std::uint64_t golden[checked_rows / 4] = {0x1b26190ae6f9afb5, 0x175b0015a7b5e6b5, 0xb3fddc4afc4221b5,
                                                    0x1b26190a66fdafb5, 0x37db0055a7b5e6b5, 0x33fddc4afe5221b5,
                                                    0x1b26190ae6e8afb5, 0x175b4055a7b5e6b5};

}  // namespace

int main() {
  const auto x = clustered_rows();
  embit::rng engine(42);
  const auto codes = embit::fit_itq(x, {.bits = bits, .iterations = 10}, engine).encode(x);
  int differing = 0;
  for (std::size_t i = 0; i < checked_rows; i += 4) {
    std::uint64_t word = 0;
    for (std::size_t j = 0; j < 4; ++j) word |= codes[i + j][0] << 16 * j;
    differing += std::popcount(word ^ golden[i / 4]);
  }
  const int tolerance = checked_rows * bits / 50;
  if (differing <= tolerance)
    std::puts("itq: codes agree within 2 %");
  else
    std::printf("itq: %d of %zu bits differ\n", differing, checked_rows * bits);
}
