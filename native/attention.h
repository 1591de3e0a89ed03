// Causal self-attention over sequences packed end to end: exact per sequence, no padding, grouped-query heads.
#pragma once

#include <string>
#include <utility>

#include "model.h"

namespace grouper {

// [total, heads * head_dim] from the packed projections qkv [total, (heads + 2 kv_heads) * head_dim]: rotates queries and keys
// (Hugging Face's half rotation) by their positions, then softmax(q k^T / sqrt(head_dim)) v under the causal mask. Differentiable.
// On a CPU in float32 one fused function of our own does all of it; on CUDA the flash kernel of libtorch for variable lengths, or,
// where this libtorch has none that fits, scaled_dot_product_attention on one sequence at a time.
at::Tensor attention(
    const ModelConfig& config, const at::Tensor& qkv, const PackedSequences& batch,
    const std::pair<at::Tensor, at::Tensor>& rotary);

// The same by rotation and scaled_dot_product_attention, one sequence at a time, on any device: what the others are tested against.
at::Tensor attention_by_sequence(
    const ModelConfig& config, const at::Tensor& qkv, const PackedSequences& batch,
    const std::pair<at::Tensor, at::Tensor>& rotary);

// One sentence: which of them runs on `device` at `dtype`.
std::string attention_note(const ModelConfig& config, const at::Device& device, at::ScalarType dtype);

}  // namespace grouper
