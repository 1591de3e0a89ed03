#include "model.h"

#include <cmath>
#include <functional>
#include <numbers>
#include <optional>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

#include "attention.h"
#include "elementwise.h"

namespace grouper {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// The residual stream between two blocks: `stream + update`, whose sum the next norm computes on its way.
struct Residual {
  Tensor stream, update;
};

Tensor adapter_share(const Linear& layer, const Tensor& x) {
  const auto dtype = x.scalar_type();
  return at::linear(at::linear(x, layer.lora_a.to(dtype)), layer.lora_b.to(dtype)).mul_(layer.lora_scale);
}

// One product for all parts, then the adapters of those that have one.
Tensor fused_linear(const Linear& fused, std::initializer_list<const Linear*> parts, const Tensor& x) {
  Tensor y = linear(fused, x);
  bool adapted = false;
  for (const Linear* part : parts) adapted = adapted || part->lora_a.defined();
  if (!adapted) return y;
  std::vector<Tensor> columns;
  int64_t first = 0;
  for (const Linear* part : parts) {
    const int64_t width = part->weight.size(0);
    Tensor piece = y.narrow(1, first, width);
    columns.push_back(part->lora_a.defined() ? piece + adapter_share(*part, x) : piece);
    first += width;
  }
  return at::cat(columns, 1);
}

// RMSNorm over each head's queries and keys; values pass through.
Tensor norm_heads(const ModelConfig& config, const Layer& layer, const Tensor& qkv) {
  const int64_t heads = config.num_attention_heads, kv_heads = config.num_key_value_heads, dim = config.head_dim;
  const auto normed = [&](int64_t first_head, int64_t num_heads, const Tensor& weight) {
    const Tensor rows = qkv.narrow(1, first_head * dim, num_heads * dim).reshape({-1, dim});
    return add_rms_norm(rows, Tensor(), weight, config.rms_norm_eps).second.view({qkv.size(0), num_heads * dim});
  };
  return at::cat(
      {normed(0, heads, layer.q_norm), normed(heads, kv_heads, layer.k_norm), qkv.narrow(1, (heads + kv_heads) * dim, kv_heads * dim)},
      1);
}

Residual block(
    const ModelConfig& config, const Layer& layer, const PackedSequences& batch, const std::pair<Tensor, Tensor>& rotary,
    const Residual& in) {
  auto [before_attention, normed] = add_rms_norm(in.stream, in.update, layer.input_layernorm, config.rms_norm_eps);
  Tensor qkv = fused_linear(layer.qkv_proj, {&layer.q_proj, &layer.k_proj, &layer.v_proj}, normed);
  if (config.qk_norm) qkv = norm_heads(config, layer, qkv);
  const Tensor attended = linear(layer.o_proj, attention(config, qkv, batch, rotary));
  auto [before_mlp, normed_again] = add_rms_norm(before_attention, attended, layer.post_attention_layernorm, config.rms_norm_eps);
  const Tensor gate_up = fused_linear(layer.gate_up_proj, {&layer.gate_proj, &layer.up_proj}, normed_again);
  return {before_mlp, linear(layer.down_proj, swiglu(gate_up))};
}

using Block = std::function<Residual(const Residual&)>;

struct BlockHolder : torch::CustomClassHolder {
  explicit BlockHolder(Block run) : run(std::move(run)) {}
  Block run;
};

// Keeps a block's inputs alone and runs it again in the backward, where the weights' gradients accumulate directly.
struct Checkpoint : Function<Checkpoint> {
  static variable_list forward(AutogradContext* ctx, const Tensor& stream, const std::optional<Tensor>& maybe_update, const Block& run) {
    const Tensor update = maybe_update.value_or(Tensor());
    ctx->save_for_backward({stream, update});
    ctx->saved_data["block"] = c10::IValue::make_capsule(c10::make_intrusive<BlockHolder>(run));
    c10::NoGradGuard no_grad;
    const Residual out = run({stream, update});
    return {out.stream, out.update};
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto holder = c10::static_intrusive_pointer_cast<BlockHolder>(ctx->saved_data["block"].toCapsule());
    c10::AutoGradMode with_grad(true);
    Residual in{saved[0].detach().requires_grad_(true), saved[1]};
    if (in.update.defined()) in.update = in.update.detach().requires_grad_(true);
    const Residual out = holder->run(in);
    torch::autograd::backward({out.stream, out.update}, {grads[0], grads[1]});
    return {in.stream.grad(), in.update.defined() ? in.update.grad() : Tensor(), Tensor()};
  }
};

}  // namespace

PackedSequences pack(const Tensor& token_ids, const std::vector<int64_t>& lengths, const at::Device& device) {
  PackedSequences batch;
  batch.lengths = lengths;
  std::vector<int32_t> boundaries{0};
  std::vector<int64_t> positions;
  positions.reserve(static_cast<size_t>(token_ids.numel()));
  for (const int64_t length : lengths) {
    TORCH_CHECK(length > 0, "Expected sequences of at least one token, got a length of ", length, ".");
    for (int64_t position = 0; position < length; ++position) positions.push_back(position);
    boundaries.push_back(static_cast<int32_t>(positions.size()));
    batch.max_length = std::max(batch.max_length, length);
  }
  TORCH_CHECK(
      static_cast<int64_t>(positions.size()) == token_ids.numel(), "Expected the lengths to sum to ", token_ids.numel(),
      " tokens, got ", positions.size(), ".");
  batch.token_ids = token_ids.to(device, at::kLong);
  batch.cu_seqlens = at::tensor(boundaries, at::kInt).to(device);
  batch.positions = at::tensor(positions, at::kLong).to(device);
  return batch;
}

std::pair<Tensor, Tensor> rotary_tables(const ModelConfig& config, const at::Device& device) {
  const Tensor exponents = at::arange(0, config.head_dim, 2, at::kLong).to(at::kFloat).div_(static_cast<double>(config.head_dim));
  Tensor frequencies = at::reciprocal(at::pow(config.rope_theta, exponents));
  if (config.rope_scaling.has_value()) {
    // Wavelengths beyond the original context are stretched by `factor`, short ones kept, those between blended (Llama 3.1).
    const RopeScaling& scaling = *config.rope_scaling;
    const auto context = static_cast<double>(scaling.original_max_position_embeddings);
    const Tensor wavelengths = at::reciprocal(frequencies).mul_(2.0 * std::numbers::pi);
    const Tensor stretched = frequencies / scaling.factor;
    const Tensor keep = ((context / wavelengths) - scaling.low_freq_factor)
                            .div_(scaling.high_freq_factor - scaling.low_freq_factor)
                            .clamp_(0.0, 1.0);
    frequencies = stretched * (1.0 - keep) + frequencies * keep;
  }
  const Tensor angles = at::outer(at::arange(config.max_position_embeddings, at::kFloat), frequencies);
  const Tensor both = at::cat({angles, angles}, 1);
  return {at::cos(both).to(device), at::sin(both).to(device)};
}

Tensor linear(const Linear& layer, const Tensor& x) {
  const auto dtype = x.scalar_type();
  const Tensor weight = layer.weight.to(dtype);
  Tensor y = layer.bias.defined() ? at::linear(x, weight, layer.bias.to(dtype)) : at::linear(x, weight);
  return layer.lora_a.defined() ? y + adapter_share(layer, x) : y;
}

Tensor hidden_states(
    const ModelConfig& config, const Weights& weights, const PackedSequences& batch, const std::pair<Tensor, Tensor>& rotary,
    at::ScalarType compute_dtype, bool activation_checkpointing) {
  TORCH_CHECK(
      batch.max_length <= config.max_position_embeddings, "Expected sequences of at most ", config.max_position_embeddings,
      " tokens (max_position_embeddings), got one of ", batch.max_length, ".");
  Residual residual{at::embedding(weights.embed_tokens, batch.token_ids).to(compute_dtype), Tensor()};
  const bool checkpointing = activation_checkpointing && at::GradMode::is_enabled();
  // Under an adapter the embedding is frozen; without this the first checkpointed block would have nothing to differentiate by.
  if (checkpointing && !residual.stream.requires_grad()) residual.stream.requires_grad_(true);
  for (const Layer& layer : weights.layers) {
    const Block run = [&config, &layer, batch, &rotary](const Residual& in) { return block(config, layer, batch, rotary, in); };
    if (checkpointing) {
      const auto out = Checkpoint::apply(
          residual.stream, residual.update.defined() ? std::optional<Tensor>(residual.update) : std::nullopt, run);
      residual = {out[0], out[1]};
    } else {
      residual = run(residual);
    }
  }
  return add_rms_norm(residual.stream, residual.update, weights.norm, config.rms_norm_eps).second;
}

}  // namespace grouper
