// A decoder-only transformer of the Qwen2, Qwen3 or Llama 3 family: grouped-query attention, rotary positions, RMSNorm,
// SwiGLU. The model holds weights and runs sequences packed without padding; it knows nothing of losses or optimizers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

namespace grouper {

// "llama3" scaling of rotary frequencies, as config.json's rope_scaling states it.
struct RopeScaling {
  double factor = 1.0;
  double low_freq_factor = 1.0;
  double high_freq_factor = 1.0;
  int64_t original_max_position_embeddings = 0;
};

// The fields of config.json that the mathematics depends on; names as there.
struct ModelConfig {
  std::string model_type;  // "qwen2" | "qwen3" | "llama"
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t num_key_value_heads = 0;
  int64_t head_dim = 0;
  int64_t max_position_embeddings = 0;
  double rms_norm_eps = 1e-6;
  double rope_theta = 10000.0;
  std::optional<RopeScaling> rope_scaling;
  bool tie_word_embeddings = false;
  bool attention_bias = false;  // bias on q, k, v (Qwen2)
  bool qk_norm = false;         // RMSNorm on every head's q and k (Qwen3)
  double initializer_range = 0.02;
};

struct LoraConfig {
  int64_t rank = 0;  // 0 = no adapter
  double alpha = 0.0;
  std::vector<std::string> target_modules;  // q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj
};

// A linear layer's weight [out, in] and bias [out], with an optional low-rank adapter: W x + b + (alpha / rank) B (A x).
struct Linear {
  at::Tensor weight;
  at::Tensor bias;    // undefined: none
  at::Tensor lora_a;  // [rank, in]; undefined: none
  at::Tensor lora_b;  // [out, rank]
  double lora_scale = 0.0;
};

// q, k and v (gate and up) are rows of one matrix, so that one product computes them. The fused tensors are what trains;
// q_proj, k_proj, v_proj, gate_proj and up_proj are contiguous row ranges that share their memory and never ask for a gradient.
// Adapters belong to the parts: lora_a and lora_b are set on q_proj ... up_proj, never on the fused two.
struct Layer {
  at::Tensor input_layernorm;           // [hidden]
  at::Tensor post_attention_layernorm;  // [hidden]
  Linear qkv_proj;      // [(heads + 2 kv_heads) * head_dim, hidden]
  Linear gate_up_proj;  // [2 * intermediate, hidden]
  Linear q_proj, k_proj, v_proj, o_proj;
  at::Tensor q_norm, k_norm;  // [head_dim]; undefined unless qk_norm
  Linear gate_proj, up_proj, down_proj;
};

// All weights under their Hugging Face names, in model order (embedding, layers, final norm, head).
using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

// Some rows of a trained tensor under the name they have in a checkpoint.
struct NamedRows {
  std::string name;
  int64_t first = 0;
  int64_t count = 0;
};

// One trained tensor: what the optimizer steps and the gradient belongs to.
struct Parameter {
  at::Tensor tensor;            // float32 master
  bool decay = false;           // weight decay applies: a matrix
  bool value_head = false;
  std::vector<NamedRows> parts;  // one entry, or one for every part of a fused matrix
};

struct Weights {
  at::Tensor embed_tokens;  // [vocab, hidden]
  std::vector<Layer> layers;
  at::Tensor norm;     // [hidden]
  at::Tensor lm_head;  // [vocab, hidden]; the same tensor as embed_tokens when tied
  at::Tensor value_head;  // [1, hidden]; undefined: none

  // Names as in a Hugging Face checkpoint ("model.layers.0.self_attn.q_proj.weight" ...); a tied head is not repeated.
  NamedTensors named() const;
  // PEFT's names ("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight" ...); empty without an adapter.
  NamedTensors named_lora() const;
  // What trains: the adapters when there are any, else every weight; and the value head.
  std::vector<Parameter> parameters() const;
  bool has_lora() const;
  // The policy with its adapters added into the matrices they adapt; shares all other tensors.
  Weights merged() const;
  // A frozen copy; frozen base matrices under an adapter are shared.
  Weights frozen_copy() const;
};

// A micro-batch: sequences laid end to end.
struct PackedSequences {
  at::Tensor token_ids;          // [total] int64
  std::vector<int64_t> lengths;  // of each sequence; they sum to total
  at::Tensor cu_seqlens;         // [num_sequences + 1] int32, on the model's device
  at::Tensor positions;          // [total] int64, restarting at 0
  int64_t max_length = 0;
};

PackedSequences pack(const at::Tensor& token_ids, const std::vector<int64_t>& lengths, const at::Device& device);

// cos and sin tables, [max_position_embeddings, head_dim] float32.
std::pair<at::Tensor, at::Tensor> rotary_tables(const ModelConfig& config, const at::Device& device);

// Random weights: normal(0, initializer_range) for matrices, ones for norms, zeros for biases. Deterministic in `seed`.
Weights random_weights(const ModelConfig& config, int64_t seed, const at::Device& device);

// Weights from a Hugging Face folder, cast to float32 master copies. Throws with the name of a missing, surplus or misshapen tensor.
Weights load_weights(const ModelConfig& config, const std::string& dir, const at::Device& device);

// Adds adapters: A uniform in +-1/sqrt(in), B zero. Deterministic in `seed`. The base weights are frozen from then on.
void add_lora(Weights& weights, const LoraConfig& config, int64_t seed);

// Marks what trains as asking for gradients.
void require_gradients(Weights& weights);

// y = x W^T + b, plus the adapter's share. x and the result are at x's dtype; the master weights are cast to it.
at::Tensor linear(const Linear& layer, const at::Tensor& x);

// [total, hidden]: the final hidden states after the last norm, at the compute dtype. Differentiable when grad mode is on.
at::Tensor hidden_states(
    const ModelConfig& config,
    const Weights& weights,
    const PackedSequences& batch,
    const std::pair<at::Tensor, at::Tensor>& rotary,
    at::ScalarType compute_dtype,
    bool activation_checkpointing);

}  // namespace grouper
