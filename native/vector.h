// A vector register of floats, as wide as the processor that the compiler was told of has them. GCC and Clang split or emulate it
// where it is wider than the machine, so the code is the same everywhere.
#pragma once

#include <cstdint>
#include <cstring>

#include "vector_math.h"

namespace grouper {

#if defined(__AVX512F__)
constexpr int64_t kLanes = 16;
#elif defined(__AVX__)
constexpr int64_t kLanes = 8;
#else
constexpr int64_t kLanes = 4;
#endif

typedef float Vector __attribute__((vector_size(kLanes * sizeof(float))));

inline Vector load(const float* from) {
  Vector vector;
  std::memcpy(&vector, from, sizeof(vector));
  return vector;
}

inline void store(float* to, Vector vector) { std::memcpy(to, &vector, sizeof(vector)); }

inline Vector broadcast(float value) { return value - Vector{}; }

// Lane by lane; the loop becomes vector instructions.
inline Vector exp(Vector x) {
  Vector y;
  for (int64_t lane = 0; lane < kLanes; ++lane) y[lane] = fast_exp(x[lane]);
  return y;
}

constexpr int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace grouper
