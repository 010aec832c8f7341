// The Walsh–Hadamard transform and what goes with it, stamped once per SIMD level: neither compiler inlines across
// levels. Included inside the namespace of a level, which defines EMBIT_STAMP_TARGET, the function `signs`, and
// `lanes`:
//   vector              a register of `lanes::width` floats
//   load, store, broadcast, add, sub, mul
//   inner(x)            the stages with strides below the width
//   flip(x, bits)       changes the signs where the low bits are set
//   registers           that a block may take: 8 or 16
// SPDX-License-Identifier: MIT
#ifdef EMBIT_STAMP_TARGET

/// The stages between Count registers, the neighbours first.
template <std::size_t Count, std::size_t Half = 1>
EMBIT_STAMP_TARGET EMBIT_ALWAYS_INLINE void cross(lanes::vector* v) noexcept {
  if constexpr (Half < Count) {
#pragma GCC unroll 16
    for (std::size_t i = 0; i < Count / 2; ++i) {
      const std::size_t low = i / Half * 2 * Half + i % Half;
      const lanes::vector a = v[low], b = v[low + Half];
      v[low] = lanes::add(a, b);
      v[low + Half] = lanes::sub(a, b);
    }
    cross<Count, 2 * Half>(v);
  }
}

/// All stages of every block of Count registers.
template <std::size_t Count>
EMBIT_STAMP_TARGET inline void blocks(float* x, std::size_t n) noexcept {
  for (const float* end = x + n; x != end; x += Count * lanes::width) {
    lanes::vector v[Count];
#pragma GCC unroll 16
    for (std::size_t i = 0; i < Count; ++i) v[i] = lanes::inner(lanes::load(x + i * lanes::width));
    cross<Count>(v);
#pragma GCC unroll 16
    for (std::size_t i = 0; i < Count; ++i) lanes::store(x + i * lanes::width, v[i]);
  }
}

/// The stages with strides `stride`, …, Count / 2 · stride.
template <std::size_t Count>
EMBIT_STAMP_TARGET inline void strides(float* x, std::size_t n, std::size_t stride) noexcept {
  for (const float* end = x + n; x != end; x += Count * stride)
    for (std::size_t at = 0; at < stride; at += lanes::width) {
      lanes::vector v[Count];
#pragma GCC unroll 8
      for (std::size_t i = 0; i < Count; ++i) v[i] = lanes::load(x + at + i * stride);
      cross<Count>(v);
#pragma GCC unroll 8
      for (std::size_t i = 0; i < Count; ++i) lanes::store(x + at + i * stride, v[i]);
    }
}

/// The stages from `stride` up.
inline void far_stages(float* x, std::size_t n, std::size_t stride) noexcept {
  for (; n / stride >= 8; stride *= 8) strides<8>(x, n, stride);
  if (n / stride == 4) strides<4>(x, n, stride);
  if (n / stride == 2) strides<2>(x, n, stride);
}

inline void transform(float* x, std::size_t n) noexcept {
  if (n < lanes::width) return hadamard_scalar(x, n);
  if (n > hadamard_cached) {
    for (std::size_t first = 0; first < n; first += hadamard_cached) transform(x + first, hadamard_cached);
    return far_stages(x, n, hadamard_cached);
  }
  const std::size_t count = n / lanes::width < lanes::registers ? n / lanes::width : lanes::registers;
  switch (count) {
    case 1: blocks<1>(x, n); break;
    case 2: blocks<2>(x, n); break;
    case 4: blocks<4>(x, n); break;
    case 8: blocks<8>(x, n); break;
    default: blocks<lanes::registers>(x, n); break;
  }
  far_stages(x, n, count * lanes::width);
}

EMBIT_STAMP_TARGET inline void flip(const float* from, float* to, const word* bits, std::size_t n) noexcept {
  std::size_t j = 0;
  for (; j + lanes::width <= n; j += lanes::width)
    lanes::store(to + j, lanes::flip(lanes::load(from + j), bits[j / word_bits] >> j % word_bits));
  flip_scalar(from, to, bits, j, n);
}

EMBIT_STAMP_TARGET inline void turn(float* x, float* y, float factor, std::size_t n) noexcept {
  const lanes::vector f = lanes::broadcast(factor);
  std::size_t j = 0;
  for (; j + lanes::width <= n; j += lanes::width) {
    const lanes::vector a = lanes::load(x + j), b = lanes::load(y + j);
    lanes::store(x + j, lanes::mul(f, lanes::add(a, b)));
    lanes::store(y + j, lanes::mul(f, lanes::sub(a, b)));
  }
  turn_scalar(x, y, factor, j, n);
}

EMBIT_STAMP_TARGET inline void scale(float* x, float factor, std::size_t n) noexcept {
  const lanes::vector f = lanes::broadcast(factor);
  std::size_t j = 0;
  for (; j + lanes::width <= n; j += lanes::width) lanes::store(x + j, lanes::mul(f, lanes::load(x + j)));
  for (; j < n; ++j) x[j] *= factor;
}

inline constexpr hadamard_ops ops{transform, flip, turn, scale, signs};

#endif  // EMBIT_STAMP_TARGET
