// Rotary positions and causal attention in one function for float32 on a CPU, forward and backward.
#pragma once

#include <ATen/core/Tensor.h>

#include "model.h"

namespace grouper {

struct AttentionShape {
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;
  int64_t head_dim = 0;
};

// out [total, heads * head_dim] and lse [heads, total]: log-sum-exp of every query's scores, which the backward needs.
void attention_cpu_forward(
    const AttentionShape& shape, const at::Tensor& qkv, const PackedSequences& batch, const at::Tensor& cos,
    const at::Tensor& sin, at::Tensor& out, at::Tensor& lse);

// d qkv, given d out.
at::Tensor attention_cpu_backward(
    const AttentionShape& shape, const at::Tensor& dout, const at::Tensor& qkv, const at::Tensor& out, const at::Tensor& lse,
    const PackedSequences& batch, const at::Tensor& cos, const at::Tensor& sin);

}  // namespace grouper
