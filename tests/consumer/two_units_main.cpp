#include "two_units.hpp"

#include <cstdio>

embit::code_store<> random_codes(std::size_t size, embit::rng engine) {
  embit::code_store<> codes(size, 100);
  for (std::size_t i = 0; i < size; ++i) {
    for (embit::word& w : codes.row(i)) w = embit::random_bits(engine);
    codes.row(i).back() &= embit::tail_mask(codes.bits());
  }
  return codes;
}

int main() {
  const auto codes = random_codes(200, embit::rng(1));
  const auto found = nearest(codes, embit::thread_pool(2));
  unsigned long sum = 0;
  for (std::size_t q = 0; q < found.queries(); ++q) {
    if (found[q].size() != 3 || found[q][0].id != q || found[q][0].distance != 0) return 1;
    for (const auto& n : found[q]) sum = sum * 31 + n.id * 7 + n.distance;
  }
  std::printf("two_units %lu\n", sum);
  try {
    codes.view().middle_rows(150, 51);
  } catch (const embit::error& e) {
    std::printf("%s\n", e.what());
    return 0;
  }
  return 1;
}
