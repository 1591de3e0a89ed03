// The decoder for float32 on a CPU. A small model spends its time in dispatch, fork and join rather than in arithmetic, so a call
// crosses from one thread to many once: each takes whole sequences through all layers, with no barrier on the way. Every sum runs
// in an order that depends on the row alone.
#include <algorithm>
#include <cmath>
#include <cstring>

#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include "decode_attention.h"
#include "decoder.h"
#include "packed_matrix.h"
#include "vector.h"

namespace grouper {

namespace {

// Rows that go through the layers together: enough for the matrix kernels, few enough that their activations stay in cache.
constexpr int64_t kChunkRows = 96;
// With fewer rows per thread than this, threads share the matrices instead of the rows.
constexpr int64_t kMinRowsPerThread = 4;
constexpr int64_t kBlocksPerChunk = 64;

using Output = PackedMatrix::Output;

// [rows, width], each row padded: rows a power of two apart would fall into the same cache sets.
struct Buffer {
  at::Tensor memory;
  Rows rows;

  explicit Buffer(int64_t width) {
    rows.stride = round_up(width, 16) + 16;
    memory = at::zeros({kChunkRows, rows.stride}, at::kFloat);
    rows.data = memory.mutable_data_ptr<float>();
  }
  float* operator[](int64_t row) const { return rows.data + row * rows.stride; }
};

struct Workspace {
  Buffer hidden, normed, qkv, attended, activated;
  explicit Workspace(const ModelConfig& config)
      : hidden(config.hidden_size),
        normed(config.hidden_size),
        qkv((config.num_attention_heads + 2 * config.num_key_value_heads) * config.head_dim),
        attended(config.num_attention_heads * config.head_dim),
        activated(config.intermediate_size) {}
};

struct PackedLayer {
  PackedMatrix qkv, output, gate_up, down;
};

at::Tensor effective_weight(const Linear& linear) {
  const at::Tensor weight = linear.weight.detach();
  if (!linear.lora_a.defined()) return weight;
  return weight + linear.lora_b.detach().matmul(linear.lora_a.detach()) * linear.lora_scale;
}

at::Tensor bias_of(const Linear& linear) { return linear.bias.defined() ? linear.bias.detach() : at::Tensor(); }

PackedLayer pack_layer(const Layer& layer) {
  const at::Tensor qkv = at::cat({effective_weight(layer.q_proj), effective_weight(layer.k_proj), effective_weight(layer.v_proj)});
  at::Tensor qkv_bias;
  if (layer.q_proj.bias.defined()) qkv_bias = at::cat({bias_of(layer.q_proj), bias_of(layer.k_proj), bias_of(layer.v_proj)});
  TORCH_CHECK(!layer.gate_proj.bias.defined() && !layer.up_proj.bias.defined(), "The decoder expects gate and up projections without bias.");
  return {PackedMatrix::pack(qkv, qkv_bias), PackedMatrix::pack(effective_weight(layer.o_proj), bias_of(layer.o_proj)),
          PackedMatrix::pack_gate_up(effective_weight(layer.gate_proj), effective_weight(layer.up_proj)),
          PackedMatrix::pack(effective_weight(layer.down_proj), bias_of(layer.down_proj))};
}

void rms_norm(const float* x, const float* weight, int64_t n, float eps, float* y) {
  const float scale = 1.0f / std::sqrt(dot(x, x, n) / static_cast<float>(n) + eps);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] * scale * weight[i];
}

class CpuDecoder final : public Decoder {
 public:
  CpuDecoder(const ModelConfig& config, const Weights& weights)
      : config_(config), weights_(weights), cache_shape_{config.num_hidden_layers, config.num_key_value_heads, config.head_dim} {
    std::tie(cos_, sin_) = rotary_tables(config, at::kCPU);
  }

  at::Tensor forward(const std::vector<DecodeRow>& rows) override {
    if (layers_.empty()) pack_weights();
    const auto num_rows = static_cast<int64_t>(rows.size());
    int64_t num_wanted = 0;
    for (const DecodeRow& row : rows) num_wanted += row.logits ? 1 : 0;
    if (!logits_.defined() || logits_.size(0) < num_wanted) logits_ = at::empty({num_wanted, config_.vocab_size}, at::kFloat);

    const std::vector<Slice> slices = split(rows);
    while (workspaces_.size() < slices.size()) workspaces_.emplace_back(config_);
    if (slices.size() == 1) {
      run(rows, slices[0], workspaces_[0]);
    } else {
      at::parallel_for(0, static_cast<int64_t>(slices.size()), 1, [&](int64_t first, int64_t last) {
        for (int64_t slice = first; slice < last; ++slice) run(rows, slices[static_cast<size_t>(slice)], workspaces_[static_cast<size_t>(slice)]);
      });
    }
    TORCH_INTERNAL_ASSERT(num_rows == 0 || slices.back().last == num_rows);
    return logits_.narrow(0, 0, num_wanted);
  }

  void reserve(int64_t num_blocks) override {
    // Zeroed, because masked positions of a block are multiplied by a probability of zero and must be finite.
    while (static_cast<int64_t>(cache_.size()) * kBlocksPerChunk < num_blocks) {
      cache_.push_back(at::zeros({kBlocksPerChunk * cache_shape_.block_size()}, at::kFloat));
    }
  }

  void copy_block(int32_t from, int32_t to) override {
    std::memcpy(block_data(to), block_data(from), static_cast<size_t>(cache_shape_.block_size()) * sizeof(float));
  }

  void drop_cache() override { cache_.clear(); }

  void weights_changed() override { layers_.clear(); }

 private:
  // Rows [first, last) for one thread; the first of them that asks for logits gets row first_logits of the result.
  struct Slice {
    int64_t first, last, first_logits;
  };

  void pack_weights() {
    for (const Layer& layer : weights_.layers) layers_.push_back(pack_layer(layer));
    lm_head_ = PackedMatrix::pack(weights_.lm_head.detach(), {});
  }

  float* block_data(int32_t block) {
    return cache_[static_cast<size_t>(block / kBlocksPerChunk)].mutable_data_ptr<float>() + block % kBlocksPerChunk * cache_shape_.block_size();
  }

  // Sequences stay whole: a row reads the keys that the rows before it wrote.
  std::vector<Slice> split(const std::vector<DecodeRow>& rows) const {
    const auto num_rows = static_cast<int64_t>(rows.size());
    const int64_t num_slices = std::clamp<int64_t>(num_rows / kMinRowsPerThread, 1, at::in_parallel_region() ? 1 : at::get_num_threads());
    std::vector<Slice> slices;
    int64_t first = 0, first_logits = 0;
    for (int64_t slice = 1; slice <= num_slices && first < num_rows; ++slice) {
      int64_t last = std::max(first + 1, num_rows * slice / num_slices);
      while (last < num_rows && rows[static_cast<size_t>(last)].blocks == rows[static_cast<size_t>(last - 1)].blocks) ++last;
      slices.push_back({first, last, first_logits});
      for (; first < last; ++first) first_logits += rows[static_cast<size_t>(first)].logits ? 1 : 0;
    }
    return slices;
  }

  void run(const std::vector<DecodeRow>& rows, Slice slice, Workspace& work) {
    for (int64_t first = slice.first; first < slice.last; first += kChunkRows) {
      const DecodeRow* chunk = rows.data() + first;
      slice.first_logits += run_chunk(chunk, std::min(kChunkRows, slice.last - first), work, slice.first_logits);
    }
  }

  int64_t run_chunk(const DecodeRow* rows, int64_t num_rows, Workspace& work, int64_t first_logits) {
    const auto eps = static_cast<float>(config_.rms_norm_eps);
    const float* embeddings = weights_.embed_tokens.const_data_ptr<float>();
    for (int64_t row = 0; row < num_rows; ++row) {
      std::memcpy(work.hidden[row], embeddings + rows[row].token * config_.hidden_size, static_cast<size_t>(config_.hidden_size) * sizeof(float));
    }
    std::vector<DecodeRow> wanted;
    for (size_t index = 0; index < layers_.size(); ++index) {
      const Layer& layer = weights_.layers[index];
      norm_rows(work.hidden, layer.input_layernorm, num_rows, eps, work.normed);
      layers_[index].qkv.multiply(work.normed.rows, num_rows, work.qkv.rows, Output::kStore);
      for (int64_t row = 0; row < num_rows; ++row) place(rows[row], layer, static_cast<int64_t>(index), work.qkv[row]);
      if (index + 1 == layers_.size()) {
        // Nothing reads what the last layer makes of the other rows.
        num_rows = keep_wanted(rows, num_rows, work, wanted);
        rows = wanted.data();
        if (num_rows == 0) return 0;
      }
      at::parallel_for(0, num_rows, 1, [&](int64_t first, int64_t last) {
        for (int64_t row = first; row < last; ++row) attend(rows[row], static_cast<int64_t>(index), work.qkv[row], work.attended[row]);
      });
      layers_[index].output.multiply(work.attended.rows, num_rows, work.hidden.rows, Output::kAdd);
      norm_rows(work.hidden, layer.post_attention_layernorm, num_rows, eps, work.normed);
      layers_[index].gate_up.multiply(work.normed.rows, num_rows, work.activated.rows, Output::kSwiGlu);
      layers_[index].down.multiply(work.activated.rows, num_rows, work.hidden.rows, Output::kAdd);
    }
    norm_rows(work.hidden, weights_.norm, num_rows, eps, work.normed);
    float* logits = logits_.mutable_data_ptr<float>() + first_logits * config_.vocab_size;
    lm_head_.multiply(work.normed.rows, num_rows, {logits, config_.vocab_size}, Output::kStore);
    return num_rows;
  }

  void norm_rows(const Buffer& x, const at::Tensor& weight, int64_t num_rows, float eps, const Buffer& y) const {
    const float* scales = weight.const_data_ptr<float>();
    for (int64_t row = 0; row < num_rows; ++row) rms_norm(x[row], scales, config_.hidden_size, eps, y[row]);
  }

  int64_t keep_wanted(const DecodeRow* rows, int64_t num_rows, Workspace& work, std::vector<DecodeRow>& wanted) const {
    for (int64_t row = 0; row < num_rows; ++row) {
      if (!rows[row].logits) continue;
      const auto to = static_cast<int64_t>(wanted.size());
      if (to != row) {
        std::memcpy(work.hidden[to], work.hidden[row], static_cast<size_t>(work.hidden.rows.stride) * sizeof(float));
        std::memcpy(work.qkv[to], work.qkv[row], static_cast<size_t>(work.qkv.rows.stride) * sizeof(float));
      }
      wanted.push_back(rows[row]);
    }
    return static_cast<int64_t>(wanted.size());
  }

  // Normalises and rotates queries and keys in place, scales the queries, and writes keys and values into the cache.
  void place(const DecodeRow& row, const Layer& layer, int64_t layer_index, float* qkv) {
    const int64_t head_dim = config_.head_dim, num_queries = config_.num_attention_heads, num_keys = config_.num_key_value_heads;
    const auto eps = static_cast<float>(config_.rms_norm_eps);
    const float scale = 1.0f / std::sqrt(static_cast<float>(head_dim));
    const float* cos = cos_.const_data_ptr<float>() + row.position * head_dim;
    const float* sin = sin_.const_data_ptr<float>() + row.position * head_dim;
    for (int64_t head = 0; head < num_queries + num_keys; ++head) {
      float* values = qkv + head * head_dim;
      const bool query = head < num_queries;
      const at::Tensor& norm = query ? layer.q_norm : layer.k_norm;
      if (norm.defined()) rms_norm(values, norm.const_data_ptr<float>(), head_dim, eps, values);
      rotate(values, cos, sin, head_dim, query ? scale : 1.0f);
    }
    float* block = block_data(row.blocks[row.position / kBlockTokens]);
    const float* keys = qkv + num_queries * head_dim;
    for (int64_t head = 0; head < num_keys; ++head) {
      write_key(cache_shape_.keys(block, layer_index, head), row.position % kBlockTokens, keys + head * head_dim, head_dim);
      std::memcpy(cache_shape_.values(block, layer_index, head) + row.position % kBlockTokens * cache_shape_.padded_head_dim(),
                  keys + (num_keys + head) * head_dim, static_cast<size_t>(head_dim) * sizeof(float));
    }
  }

  void attend(const DecodeRow& row, int64_t layer_index, const float* queries, float* out) {
    const int64_t num_blocks = row.position / kBlockTokens + 1, group = config_.num_attention_heads / config_.num_key_value_heads;
    thread_local AttentionScratch scratch;
    thread_local std::vector<float*> blocks;
    blocks.resize(static_cast<size_t>(num_blocks));
    for (int64_t index = 0; index < num_blocks; ++index) blocks[static_cast<size_t>(index)] = block_data(row.blocks[index]);
    for (int64_t head = 0; head < config_.num_key_value_heads; ++head) {
      const int64_t offset = head * group * config_.head_dim;
      attend_group(cache_shape_, blocks, layer_index, head, group, row.position + 1, queries + offset, scratch, out + offset);
    }
  }

  ModelConfig config_;
  const Weights& weights_;
  CacheShape cache_shape_;
  at::Tensor cos_, sin_;  // [max_position_embeddings, head_dim]
  std::vector<PackedLayer> layers_;
  PackedMatrix lm_head_;
  std::vector<at::Tensor> cache_;
  std::vector<Workspace> workspaces_;
  at::Tensor logits_;
};

}  // namespace

std::unique_ptr<Decoder> make_cpu_decoder(const ModelConfig& config, const Weights& weights) {
  return std::make_unique<CpuDecoder>(config, weights);
}

}  // namespace grouper
