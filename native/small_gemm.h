// Products of small float matrices on one thread, for attention over short sequences, where a BLAS call costs more in overhead
// and transposition than in arithmetic. A block of C stays in registers while the inner dimension runs.
#pragma once

#include <algorithm>
#include <cstdint>

#include "vector.h"

namespace grouper {

namespace small_gemm_detail {

template <int kRows, int kVectors, bool kAccumulate>
inline void block(
    int64_t k, const float* a, int64_t a_row, int64_t a_col, const float* b, int64_t ldb, float* c, int64_t ldc) {
  Vector sums[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) {
      sums[r][v] = kAccumulate ? load(c + r * ldc + v * kLanes) : Vector{};
    }
  }
  for (int64_t i = 0; i < k; ++i) {
    Vector row[kVectors];
    for (int v = 0; v < kVectors; ++v) row[v] = load(b + i * ldb + v * kLanes);
    for (int r = 0; r < kRows; ++r) {
      const float scalar = a[r * a_row + i * a_col];
      for (int v = 0; v < kVectors; ++v) sums[r][v] += row[v] * scalar;
    }
  }
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) store(c + r * ldc + v * kLanes, sums[r][v]);
  }
}

template <int kRows, bool kAccumulate>
inline void rows(
    int64_t n, int64_t k, const float* a, int64_t a_row, int64_t a_col, const float* b, int64_t ldb, float* c, int64_t ldc) {
  int64_t col = 0;
  for (; col + 2 * kLanes <= n; col += 2 * kLanes) {
    block<kRows, 2, kAccumulate>(k, a, a_row, a_col, b + col, ldb, c + col, ldc);
  }
  if (col < n) block<kRows, 1, kAccumulate>(k, a, a_row, a_col, b + col, ldb, c + col, ldc);
}

}  // namespace small_gemm_detail

// C[m, n] = A[m, k] B[k, n], or C += A B. A's element (i, j) lies at a[i * a_row + j * a_col], so that a transposed A costs nothing;
// rows of B and C are ldb and ldc apart; n is a multiple of kLanes.
template <bool kAccumulate>
inline void small_gemm(
    int64_t m, int64_t n, int64_t k, const float* a, int64_t a_row, int64_t a_col, const float* b, int64_t ldb, float* c,
    int64_t ldc) {
  namespace detail = small_gemm_detail;
  int64_t row = 0;
  for (; row + 6 <= m; row += 6) {
    detail::rows<6, kAccumulate>(n, k, a + row * a_row, a_row, a_col, b, ldb, c + row * ldc, ldc);
  }
  for (; row + 2 <= m; row += 2) {
    detail::rows<2, kAccumulate>(n, k, a + row * a_row, a_row, a_col, b, ldb, c + row * ldc, ldc);
  }
  if (row < m) detail::rows<1, kAccumulate>(n, k, a + row * a_row, a_row, a_col, b, ldb, c + row * ldc, ldc);
}

}  // namespace grouper
