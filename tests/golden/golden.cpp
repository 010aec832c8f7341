// Prints hashes of what must be the same bits everywhere. The test compiles this with every compiler at hand, with
// and without optimization and contraction to fused multiply-adds, and compares with golden.txt.
#include <embit/core/matrix.hpp>
#include <embit/core/random.hpp>
#include <embit/encode/cross_polytope.hpp>
#include <embit/encode/sign_lsh.hpp>
#include <embit/multivector/muvera.hpp>

#include <bit>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <numeric>
#include <span>
#include <vector>

namespace {

/// FNV-1a over 64-bit words.
class hash {
 public:
  void add(std::uint64_t bits) { state_ = (state_ ^ bits) * 0x100000001b3u; }
  void add(float number) { add(std::uint64_t{std::bit_cast<std::uint32_t>(number)}); }
  void print(const char* name) const { std::printf("%s %016" PRIx64 "\n", name, state_); }

 private:
  std::uint64_t state_ = 0xcbf29ce484222325u;
};

template <class Draw>
void print_draws(const char* name, embit::rng engine, Draw draw) {
  hash seen;
  for (int i = 0; i < 20000; ++i) seen.add(draw(engine));
  seen.print(name);
}

void print_numbers() {
  const embit::rng engine(42);
  print_draws("bits", engine, [](embit::rng& e) { return e(); });
  print_draws("split", engine.split(7), [](embit::rng& e) { return e(); });
  print_draws("uniform", engine, [](embit::rng& e) { return embit::uniform(e); });
  print_draws("uniform_index", engine, [](embit::rng& e) { return embit::uniform_index(e, 0xc000000000000001u); });
  print_draws("normal", engine, [](embit::rng& e) { return embit::normal(e); });
}

void print_shuffle() {
  embit::rng engine(42);
  std::vector<std::uint64_t> items(1000);
  std::iota(items.begin(), items.end(), std::uint64_t{0});
  embit::shuffle(std::span<std::uint64_t>(items), engine);
  hash seen;
  for (const std::uint64_t item : items) seen.add(item);
  seen.print("shuffle");
}

void print_first_numbers() {
  embit::rng engine(1);
  for (int i = 0; i < 3; ++i) std::printf("bits %016" PRIx64 "\n", engine());
  for (int i = 0; i < 3; ++i) std::printf("uniform %a\n", static_cast<double>(embit::uniform(engine)));
  for (int i = 0; i < 3; ++i) std::printf("normal %a\n", static_cast<double>(embit::normal(engine)));
}

void print_planes() {
  embit::rng engine(42);
  const auto planes = embit::sign_lsh({.dim = 65, .bits = 127}, engine).planes();
  hash seen;
  for (const float x : planes.values()) seen.add(x);
  seen.print("planes");
}

void print_cross_polytope() {
  for (const std::size_t dim : {1u, 3u, 20u, 100u, 300u, 5000u}) {
    embit::rng engine(42);
    const std::size_t rows = dim > 1000 ? 3 : 50, hashes = dim < 100 ? 2 : 1;
    const embit::cross_polytope hasher({.dim = dim, .tables = 4, .hashes = hashes}, engine);
    embit::matrix<float> x(rows, dim);
    for (float& number : x.values()) number = embit::normal(engine);
    hash seen;
    const auto keys = hasher.encode(x), probed = hasher.probes(x, 4);
    for (const std::uint32_t key : keys.values()) seen.add(std::uint64_t{key});
    for (const std::uint32_t key : probed.values()) seen.add(std::uint64_t{key});
    seen.print("cross_polytope");
  }
}

void print_muvera() {
  using embit::fde_planes, embit::fde_projection;
  embit::rng engine(42);
  for (const auto planes : {fde_planes::gaussian, fde_planes::structured})
    for (const auto projection : {fde_projection::dense, fde_projection::count_sketch}) {
      const embit::muvera fde({.dim = 65,
                               .repetitions = 7,
                               .simhash_bits = 4,
                               .projected_dim = 11,
                               .planes = planes,
                               .projection = projection,
                               .final_dim = 100},
                              engine);
      hash seen;
      const auto drawn = fde.planes(), projections = fde.projections();
      for (const float x : drawn.values()) seen.add(x);
      for (const float x : projections.values()) seen.add(x);
      seen.add(fde.fingerprint());
      seen.print("muvera");
    }
}

}  // namespace

int main() {
  print_first_numbers();
  print_numbers();
  print_shuffle();
  print_planes();
  print_cross_polytope();
  print_muvera();
}
