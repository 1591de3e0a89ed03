// One query against the cached keys and values of its sequence, on a CPU. Keys lie transposed within a block of kBlockTokens tokens,
// so that a vector of scores fills without a horizontal sum; values lie token by token, so that a vector of the result does.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "block_pool.h"
#include "vector.h"

namespace grouper {

// Where things are in a block: for every layer and head, keys [head_dim, kBlockTokens], then values [kBlockTokens, padded head_dim].
struct CacheShape {
  int64_t num_layers, num_heads, head_dim;

  int64_t padded_head_dim() const { return round_up(head_dim, kLanes); }
  int64_t head_size() const { return kBlockTokens * (head_dim + padded_head_dim()); }
  int64_t block_size() const { return num_layers * num_heads * head_size(); }
  float* keys(float* block, int64_t layer, int64_t head) const { return block + (layer * num_heads + head) * head_size(); }
  float* values(float* block, int64_t layer, int64_t head) const { return keys(block, layer, head) + kBlockTokens * head_dim; }
};

inline void write_key(float* keys, int64_t slot, const float* key, int64_t head_dim) {
  for (int64_t i = 0; i < head_dim; ++i) keys[i * kBlockTokens + slot] = key[i];
}

// Rotates halves as Hugging Face's rotary embedding does, and scales.
inline void rotate(float* x, const float* cos, const float* sin, int64_t head_dim, float scale) {
  const int64_t half = head_dim / 2;
#pragma omp simd
  for (int64_t i = 0; i < half; ++i) {
    const float low = x[i], high = x[i + half];
    x[i] = (low * cos[i] - high * sin[i]) * scale;
    x[i + half] = (high * cos[i + half] + low * sin[i + half]) * scale;
  }
}

// scores[t] = query . key_t, for every token of the block.
inline void score_block(const float* query, const float* keys, int64_t head_dim, float* scores) {
  constexpr int64_t kVectors = kBlockTokens / kLanes;
  Vector sums[kVectors] = {};
  for (int64_t i = 0; i < head_dim; ++i, keys += kBlockTokens) {
    const Vector factor = broadcast(query[i]);
#pragma GCC unroll 4
    for (int64_t v = 0; v < kVectors; ++v) sums[v] += factor * load(keys + v * kLanes);
  }
#pragma GCC unroll 4
  for (int64_t v = 0; v < kVectors; ++v) store(scores + v * kLanes, sums[v]);
}

// Turns scores into unnormalised probabilities, 0 past num_tokens, and returns one over their sum.
inline float softmax(float* scores, int64_t num_tokens, int64_t num_padded) {
  std::fill(scores + num_tokens, scores + num_padded, -std::numeric_limits<float>::infinity());
  float peak = scores[0];
#pragma omp simd reduction(max : peak)
  for (int64_t t = 1; t < num_tokens; ++t) peak = std::max(peak, scores[t]);
  Vector sums = {};
  for (int64_t t = 0; t < num_padded; t += kLanes) {
    const Vector probability = exp(load(scores + t) - peak);
    store(scores + t, probability);
    sums += probability;
  }
  float sum = 0.0f;
  for (int64_t lane = 0; lane < kLanes; ++lane) sum += sums[lane];
  return 1.0f / sum;
}

// kVectors vectors of sum_t probability_t * value_t. Tokens take turns among kTurns sums, so that additions need not wait for each other.
template <int kVectors, int kTurns>
void weigh_values(const CacheShape& shape, const std::vector<float*>& blocks, int64_t layer, int64_t head, int64_t offset,
                  const float* probabilities, float scale, float* out) {
  Vector sums[kTurns][kVectors] = {};
  const int64_t stride = shape.padded_head_dim();
  for (float* block : blocks) {
    const float* values = shape.values(block, layer, head) + offset;
    for (int64_t t = 0; t < kBlockTokens; t += kTurns, probabilities += kTurns) {
#pragma GCC unroll 8
      for (int turn = 0; turn < kTurns; ++turn) {
        const Vector factor = broadcast(probabilities[turn]);
#pragma GCC unroll 8
        for (int v = 0; v < kVectors; ++v) sums[turn][v] += factor * load(values + (t + turn) * stride + v * kLanes);
      }
    }
  }
#pragma GCC unroll 8
  for (int v = 0; v < kVectors; ++v) {
    Vector sum = sums[0][v];
#pragma GCC unroll 8
    for (int turn = 1; turn < kTurns; ++turn) sum += sums[turn][v];
    store(out + v * kLanes, sum * scale);
  }
}

// out [head_dim] = softmax(query . keys) values over the first num_tokens tokens. `query` is already scaled; `scores` is scratch for
// blocks.size() * kBlockTokens floats.
inline void attend_head(const CacheShape& shape, const std::vector<float*>& blocks, int64_t layer, int64_t head, int64_t num_tokens,
                        const float* query, float* scores, float* out) {
  for (size_t index = 0; index < blocks.size(); ++index) {
    score_block(query, shape.keys(blocks[index], layer, head), shape.head_dim, scores + static_cast<int64_t>(index) * kBlockTokens);
  }
  const float scale = softmax(scores, num_tokens, static_cast<int64_t>(blocks.size()) * kBlockTokens);
  const int64_t num_vectors = shape.padded_head_dim() / kLanes;
  for (int64_t first = 0; first < num_vectors;) {
    const int64_t offset = first * kLanes;
    alignas(64) float part[4 * kLanes];
    const int64_t width = num_vectors - first >= 4 ? 4 : num_vectors - first >= 2 ? 2 : 1;
    if (width == 4) weigh_values<4, 2>(shape, blocks, layer, head, offset, scores, scale, part);
    else if (width == 2) weigh_values<2, 4>(shape, blocks, layer, head, offset, scores, scale, part);
    else weigh_values<1, 8>(shape, blocks, layer, head, offset, scores, scale, part);
    std::copy(part, part + std::min(width * kLanes, shape.head_dim - offset), out + offset);
    first += width;
  }
}

}  // namespace grouper
