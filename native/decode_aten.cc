// The decoder on any device and in any type, through ATen: the same steps as by hand, on all rows at once. Neighbours may change the
// last bits of a row here, because the device's matrix kernels depend on the number of rows.
#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "decoder.h"

namespace grouper {

namespace {

// Bounds the memory of activations and of gathered keys.
constexpr size_t kChunkRows = 512;
constexpr int64_t kMaxGatheredTokens = 1 << 17;

class AtenDecoder final : public Decoder {
 public:
  AtenDecoder(const ModelConfig& config, const Weights& weights, at::Device device, at::ScalarType dtype)
      : config_(config), weights_(weights), device_(device), dtype_(dtype) {
    std::tie(cos_, sin_) = rotary_tables(config, device);
  }

  at::Tensor forward(const std::vector<DecodeRow>& rows) override {
    if (layers_.empty()) cast_weights();
    std::vector<at::Tensor> logits;
    for (size_t first = 0; first < rows.size(); first += kChunkRows) {
      const auto begin = rows.begin() + static_cast<std::ptrdiff_t>(first);
      const std::vector<DecodeRow> chunk(begin, begin + static_cast<std::ptrdiff_t>(std::min(kChunkRows, rows.size() - first)));
      if (const at::Tensor part = run_chunk(chunk); part.defined()) logits.push_back(part);
    }
    return logits.empty() ? at::empty({0, config_.vocab_size}, at::TensorOptions().device(device_)) : at::cat(logits);
  }

  // Doubles, since growing copies.
  void reserve(int64_t num_blocks) override {
    if (num_blocks <= num_blocks_) return;
    const int64_t grown = std::max(num_blocks, 2 * num_blocks_);
    const at::Tensor more = at::zeros({(grown - num_blocks_) * kBlockTokens, config_.num_key_value_heads, config_.head_dim},
                                      at::TensorOptions().device(device_).dtype(dtype_));
    keys_.resize(static_cast<size_t>(config_.num_hidden_layers));
    values_.resize(keys_.size());
    for (size_t layer = 0; layer < keys_.size(); ++layer) {
      keys_[layer] = num_blocks_ == 0 ? more.clone() : at::cat({keys_[layer], more});
      values_[layer] = num_blocks_ == 0 ? more.clone() : at::cat({values_[layer], more});
    }
    num_blocks_ = grown;
  }

  void copy_block(int32_t from, int32_t to) override {
    for (std::vector<at::Tensor>* cache : {&keys_, &values_}) {
      for (at::Tensor& layer : *cache) layer.narrow(0, to * kBlockTokens, kBlockTokens).copy_(layer.narrow(0, from * kBlockTokens, kBlockTokens));
    }
  }

  void drop_cache() override {
    keys_.clear();
    values_.clear();
    num_blocks_ = 0;
  }

  void weights_changed() override { layers_.clear(); }

 private:
  struct CastLinear {
    at::Tensor weight, bias;
  };
  struct CastLayer {
    CastLinear qkv, output, gate_up, down;
  };
  // Rows that attend together: alone in their sequences, or all of one sequence.
  struct Span {
    int64_t first, count;
    bool one_sequence;
    at::Tensor slots;  // [sequences, tokens]: places in the cache
    at::Tensor mask;   // [rows, tokens] float32: 0, or -inf for tokens that the row may not see
  };

  CastLinear cast(const std::vector<const Linear*>& parts) const {
    std::vector<at::Tensor> weights, biases;
    for (const Linear* part : parts) {
      at::Tensor weight = part->weight.detach();
      if (part->lora_a.defined()) weight = weight + part->lora_b.detach().matmul(part->lora_a.detach()) * part->lora_scale;
      weights.push_back(weight.to(dtype_));
      if (part->bias.defined()) biases.push_back(part->bias.detach().to(dtype_));
    }
    return {at::cat(weights), biases.empty() ? at::Tensor() : at::cat(biases)};
  }

  void cast_weights() {
    for (const Layer& layer : weights_.layers) {
      layers_.push_back({cast({&layer.q_proj, &layer.k_proj, &layer.v_proj}), cast({&layer.o_proj}), cast({&layer.gate_proj, &layer.up_proj}),
                         cast({&layer.down_proj})});
    }
    embeddings_ = weights_.embed_tokens.detach().to(dtype_);
    lm_head_ = weights_.lm_head.is_same(weights_.embed_tokens) ? embeddings_ : weights_.lm_head.detach().to(dtype_);
  }

  at::Tensor to_device(const std::vector<int64_t>& values) const { return at::tensor(values, at::kLong).to(device_); }

  static at::Tensor apply(const CastLinear& linear, const at::Tensor& x) { return at::linear(x, linear.weight, linear.bias); }

  at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight) const {
    const at::Tensor wide = x.to(at::kFloat);
    return (wide * (wide.square().mean(-1, true) + config_.rms_norm_eps).rsqrt() * weight.detach()).to(x.scalar_type());
  }

  // x [rows, heads, head_dim]; cos and sin [rows, 1, head_dim].
  static at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
    const auto halves = x.chunk(2, -1);
    const at::Tensor turned = at::cat({-halves[1], halves[0]}, -1);
    return (x * cos + turned * sin).to(x.scalar_type());
  }

  at::Tensor run_chunk(const std::vector<DecodeRow>& rows) {
    std::vector<int64_t> tokens, positions, slots, wanted;
    for (size_t row = 0; row < rows.size(); ++row) {
      tokens.push_back(rows[row].token);
      positions.push_back(rows[row].position);
      slots.push_back(rows[row].blocks[rows[row].position / kBlockTokens] * kBlockTokens + rows[row].position % kBlockTokens);
      if (rows[row].logits) wanted.push_back(static_cast<int64_t>(row));
    }
    const std::vector<Span> spans = spans_of(rows);
    const at::Tensor places = to_device(slots), position = to_device(positions);
    const at::Tensor cos = cos_.index_select(0, position).unsqueeze(1).to(dtype_), sin = sin_.index_select(0, position).unsqueeze(1).to(dtype_);
    const int64_t num_rows = static_cast<int64_t>(rows.size()), heads = config_.num_attention_heads, kv_heads = config_.num_key_value_heads;

    at::Tensor hidden = embeddings_.index_select(0, to_device(tokens));
    for (size_t index = 0; index < layers_.size(); ++index) {
      const Layer& layer = weights_.layers[index];
      const CastLayer& matrices = layers_[index];
      const at::Tensor qkv = apply(matrices.qkv, rms_norm(hidden, layer.input_layernorm)).view({num_rows, heads + 2 * kv_heads, config_.head_dim});
      at::Tensor queries = qkv.narrow(1, 0, heads), keys = qkv.narrow(1, heads, kv_heads);
      if (layer.q_norm.defined()) {
        queries = rms_norm(queries, layer.q_norm);
        keys = rms_norm(keys, layer.k_norm);
      }
      queries = rotate(queries, cos, sin);
      keys_[index].index_copy_(0, places, rotate(keys, cos, sin));
      values_[index].index_copy_(0, places, qkv.narrow(1, heads + kv_heads, kv_heads));
      std::vector<at::Tensor> attended;
      for (const Span& span : spans) attended.push_back(attend(span, queries, keys_[index], values_[index]));
      hidden = hidden + apply(matrices.output, at::cat(attended).view({num_rows, heads * config_.head_dim}));
      const auto gate_up = apply(matrices.gate_up, rms_norm(hidden, layer.post_attention_layernorm)).chunk(2, -1);
      hidden = hidden + apply(matrices.down, at::silu(gate_up[0]) * gate_up[1]);
    }
    if (wanted.empty()) return {};
    return at::linear(rms_norm(hidden.index_select(0, to_device(wanted)), weights_.norm), lm_head_).to(at::kFloat);
  }

  // Rows that stand alone go together as far as memory allows; a run of rows of one sequence is a span of its own, its keys gathered once.
  std::vector<Span> spans_of(const std::vector<DecodeRow>& rows) const {
    const auto num_rows = static_cast<int64_t>(rows.size());
    const auto run_from = [&](int64_t first) {
      int64_t last = first + 1;
      while (last < num_rows && rows[static_cast<size_t>(last)].blocks == rows[static_cast<size_t>(first)].blocks) ++last;
      return last;
    };
    std::vector<Span> spans;
    for (int64_t first = 0; first < num_rows;) {
      int64_t last = run_from(first);
      const bool one_sequence = last - first > 1;
      int64_t longest = rows[static_cast<size_t>(last - 1)].position + 1;
      while (!one_sequence && last < num_rows && run_from(last) == last + 1) {
        const int64_t longer = std::max(longest, rows[static_cast<size_t>(last)].position + 1);
        if (longer * (last + 1 - first) > kMaxGatheredTokens) break;
        longest = longer;
        ++last;
      }
      spans.push_back(make_span(rows, first, last, one_sequence, longest));
      first = last;
    }
    return spans;
  }

  Span make_span(const std::vector<DecodeRow>& rows, int64_t first, int64_t last, bool one_sequence, int64_t longest) const {
    std::vector<int64_t> slots, ends;
    for (int64_t index = first; index < last; ++index) {
      const DecodeRow& row = rows[static_cast<size_t>(index)];
      ends.push_back(row.position);
      if (one_sequence && index + 1 < last) continue;
      // Past the row's end any place will do: the mask hides it.
      for (int64_t token = 0; token < longest; ++token) {
        slots.push_back(token <= row.position ? row.blocks[token / kBlockTokens] * kBlockTokens + token % kBlockTokens : 0);
      }
    }
    const at::Tensor end = to_device(ends).unsqueeze(1);
    const at::Tensor hidden = at::arange(longest, end.options()).unsqueeze(0).gt(end);
    const at::Tensor mask = at::zeros(hidden.sizes(), hidden.options().dtype(at::kFloat)).masked_fill(hidden, -std::numeric_limits<float>::infinity());
    return {first, last - first, one_sequence, to_device(slots).view({-1, longest}), mask};
  }

  // [rows of the span, heads * head_dim]
  at::Tensor attend(const Span& span, const at::Tensor& queries, const at::Tensor& keys, const at::Tensor& values) const {
    const int64_t kv_heads = config_.num_key_value_heads, group = config_.num_attention_heads / kv_heads;
    const int64_t num_sequences = span.slots.size(0), num_tokens = span.slots.size(1), per_sequence = span.count / num_sequences;
    const auto gather = [&](const at::Tensor& cache) {
      return cache.index_select(0, span.slots.view(-1)).view({num_sequences, num_tokens, kv_heads, config_.head_dim}).transpose(1, 2);
    };
    // [sequences, kv_heads, rows of the sequence * group, head_dim]
    const at::Tensor query = queries.narrow(0, span.first, span.count)
                                 .reshape({num_sequences, per_sequence, kv_heads, group, config_.head_dim})
                                 .transpose(1, 2)
                                 .reshape({num_sequences, kv_heads, per_sequence * group, config_.head_dim});
    at::Tensor scores = at::matmul(query, gather(keys).transpose(2, 3)).to(at::kFloat) / std::sqrt(static_cast<double>(config_.head_dim));
    scores = scores.view({num_sequences, kv_heads, per_sequence, group, num_tokens}) + span.mask.view({num_sequences, 1, per_sequence, 1, num_tokens});
    const at::Tensor shares = scores.softmax(-1).to(dtype_).view({num_sequences, kv_heads, per_sequence * group, num_tokens});
    return at::matmul(shares, gather(values))
        .view({num_sequences, kv_heads, per_sequence, group, config_.head_dim})
        .transpose(1, 2)
        .reshape({span.count, config_.num_attention_heads * config_.head_dim});
  }

  ModelConfig config_;
  const Weights& weights_;
  at::Device device_;
  at::ScalarType dtype_;
  at::Tensor cos_, sin_;  // [max_position_embeddings, head_dim]
  std::vector<CastLayer> layers_;
  at::Tensor embeddings_, lm_head_;
  int64_t num_blocks_ = 0;
  std::vector<at::Tensor> keys_, values_;  // per layer: [num_blocks * kBlockTokens, kv_heads, head_dim]
};

}  // namespace

std::unique_ptr<Decoder> make_aten_decoder(
    const ModelConfig& config, const Weights& weights, at::Device device, at::ScalarType compute_dtype) {
  return std::make_unique<AtenDecoder>(config, weights, device, compute_dtype);
}

}  // namespace grouper
