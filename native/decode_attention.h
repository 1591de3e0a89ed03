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

// Query heads that share a key head are taken together, so that a key or value once loaded serves all of them: at most this many.
constexpr int kMaxHeads = 4;
// And this many vectors of a head's values.
constexpr int kMaxVectors = 4;

// scores[head][t] = query_head . key_t, for every token of kBlocks blocks. `keys` points to each block's keys.
template <int kHeads, int kBlocks>
void score_blocks(const float* queries, int64_t head_dim, const float* const* keys, float* scores, int64_t stride) {
  constexpr int kVectors = kBlockTokens / kLanes;
  Vector sums[kHeads][kBlocks][kVectors] = {};
  for (int64_t i = 0; i < head_dim; ++i) {
#pragma GCC unroll 4
    for (int block = 0; block < kBlocks; ++block) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) {
        const Vector key = load(keys[block] + i * kBlockTokens + v * kLanes);
#pragma GCC unroll 4
        for (int head = 0; head < kHeads; ++head) sums[head][block][v] += broadcast(queries[head * head_dim + i]) * key;
      }
    }
  }
#pragma GCC unroll 4
  for (int head = 0; head < kHeads; ++head) {
#pragma GCC unroll 4
    for (int block = 0; block < kBlocks; ++block) {
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) store(scores + head * stride + block * kBlockTokens + v * kLanes, sums[head][block][v]);
    }
  }
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

// out[head] = scales[head] * sum_t probability_t * value_t, for kVectors vectors of every head. Tokens take turns among kTurns sums, so that
// additions need not wait for each other.
template <int kHeads, int kVectors>
void weigh_values(const CacheShape& shape, const float* const* values, int64_t num_blocks, const float* probabilities, int64_t stride,
                  const float* scales, float (*out)[kMaxVectors * kLanes]) {
  constexpr int kTurns = kHeads * kVectors >= 8 ? 1 : kHeads * kVectors >= 4 ? 2 : kHeads * kVectors >= 2 ? 4 : 8;
  Vector sums[kTurns][kHeads][kVectors] = {};
  const int64_t width = shape.padded_head_dim();
  for (int64_t block = 0; block < num_blocks; ++block, probabilities += kBlockTokens) {
    for (int64_t t = 0; t < kBlockTokens; t += kTurns) {
#pragma GCC unroll 8
      for (int turn = 0; turn < kTurns; ++turn) {
        const float* value = values[block] + (t + turn) * width;
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) {
          const Vector part = load(value + v * kLanes);
#pragma GCC unroll 4
          for (int head = 0; head < kHeads; ++head) sums[turn][head][v] += broadcast(probabilities[head * stride + t + turn]) * part;
        }
      }
    }
  }
#pragma GCC unroll 4
  for (int head = 0; head < kHeads; ++head) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      Vector sum = sums[0][head][v];
#pragma GCC unroll 8
      for (int turn = 1; turn < kTurns; ++turn) sum += sums[turn][head][v];
      store(out[head] + v * kLanes, sum * scales[head]);
    }
  }
}

// What one call of attention reads and writes. `keys` and `values` point to each block's part for the key head in question.
struct AttentionScratch {
  std::vector<const float*> keys, values;
  std::vector<float> scores;  // [kMaxHeads, blocks * kBlockTokens]
};

template <int kHeads>
void attend_heads(const CacheShape& shape, AttentionScratch& scratch, int64_t num_tokens, const float* queries, float* out) {
  const auto num_blocks = static_cast<int64_t>(scratch.keys.size());
  const int64_t stride = num_blocks * kBlockTokens, head_dim = shape.head_dim;
  float* scores = scratch.scores.data();
  int64_t block = 0;
  constexpr int kBlocks = kHeads == 1 ? 4 : 2;
  for (; block + kBlocks <= num_blocks; block += kBlocks) {
    score_blocks<kHeads, kBlocks>(queries, head_dim, &scratch.keys[static_cast<size_t>(block)], scores + block * kBlockTokens, stride);
  }
  for (; block < num_blocks; ++block) {
    score_blocks<kHeads, 1>(queries, head_dim, &scratch.keys[static_cast<size_t>(block)], scores + block * kBlockTokens, stride);
  }
  float scales[kHeads];
  for (int head = 0; head < kHeads; ++head) scales[head] = softmax(scores + head * stride, num_tokens, stride);

  alignas(64) float part[kHeads][kMaxVectors * kLanes];
  std::vector<const float*>& values = scratch.values;
  for (int64_t offset = 0; offset < head_dim;) {
    const int64_t num_vectors = (shape.padded_head_dim() - offset) / kLanes;
    const int64_t width = num_vectors >= 4 ? 4 : num_vectors >= 2 ? 2 : 1;
    if (width == 4) weigh_values<kHeads, 4>(shape, values.data(), num_blocks, scores, stride, scales, part);
    else if (width == 2) weigh_values<kHeads, 2>(shape, values.data(), num_blocks, scores, stride, scales, part);
    else weigh_values<kHeads, 1>(shape, values.data(), num_blocks, scores, stride, scales, part);
    const int64_t count = std::min(width * kLanes, head_dim - offset);
    for (int head = 0; head < kHeads; ++head) std::copy(part[head], part[head] + count, out + head * head_dim + offset);
    for (const float*& value : values) value += width * kLanes;
    offset += width * kLanes;
  }
}

// out [num_heads, head_dim] = softmax(queries . keys) values over the first num_tokens tokens, for all query heads of key head
// `kv_head`. `queries` are already scaled.
inline void attend_group(const CacheShape& shape, const std::vector<float*>& blocks, int64_t layer, int64_t kv_head, int64_t num_heads,
                         int64_t num_tokens, const float* queries, AttentionScratch& scratch, float* out) {
  scratch.keys.resize(blocks.size());
  scratch.values.resize(blocks.size());
  scratch.scores.resize(kMaxHeads * blocks.size() * kBlockTokens);
  for (int64_t head = 0; head < num_heads;) {
    for (size_t index = 0; index < blocks.size(); ++index) {
      scratch.keys[index] = shape.keys(blocks[index], layer, kv_head);
      scratch.values[index] = shape.values(blocks[index], layer, kv_head);
    }
    const int64_t count = std::min<int64_t>(kMaxHeads, num_heads - head);
    const float* query = queries + head * shape.head_dim;
    float* to = out + head * shape.head_dim;
    if (count == 4) attend_heads<4>(shape, scratch, num_tokens, query, to);
    else if (count == 3) attend_heads<3>(shape, scratch, num_tokens, query, to);
    else if (count == 2) attend_heads<2>(shape, scratch, num_tokens, query, to);
    else attend_heads<1>(shape, scratch, num_tokens, query, to);
    head += count;
  }
}

}  // namespace grouper
