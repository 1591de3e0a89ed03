// Weights: their storage, their names, where they come from.
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <set>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>
#include <c10/core/GradMode.h>

#include "model.h"
#include "safetensors.h"

namespace grouper {
namespace {

using at::Tensor;

Tensor rows_of(const Tensor& fused, int64_t first, int64_t count) {
  return fused.defined() ? fused.detach().narrow(0, first, count) : Tensor();
}

// Points q_proj, k_proj, v_proj, gate_proj and up_proj at their rows of the fused tensors; adapters stay.
void share_rows(Layer& layer, int64_t query_rows, int64_t key_rows, int64_t gate_rows) {
  const auto point = [](Linear& part, const Linear& fused, int64_t first, int64_t count) {
    part.weight = rows_of(fused.weight, first, count);
    part.bias = rows_of(fused.bias, first, count);
  };
  point(layer.q_proj, layer.qkv_proj, 0, query_rows);
  point(layer.k_proj, layer.qkv_proj, query_rows, key_rows);
  point(layer.v_proj, layer.qkv_proj, query_rows + key_rows, key_rows);
  point(layer.gate_proj, layer.gate_up_proj, 0, gate_rows);
  point(layer.up_proj, layer.gate_up_proj, gate_rows, gate_rows);
}

void share_rows(Layer& layer) {
  share_rows(layer, layer.q_proj.weight.size(0), layer.k_proj.weight.size(0), layer.gate_proj.weight.size(0));
}

// All tensors of `config`, uninitialised.
Weights allocate(const ModelConfig& config, const at::Device& device) {
  const auto options = at::TensorOptions().dtype(at::kFloat).device(device);
  const int64_t hidden = config.hidden_size, inner = config.intermediate_size;
  const int64_t query_rows = config.num_attention_heads * config.head_dim;
  const int64_t key_rows = config.num_key_value_heads * config.head_dim;
  Weights weights;
  weights.embed_tokens = at::empty({config.vocab_size, hidden}, options);
  weights.layers.resize(static_cast<size_t>(config.num_hidden_layers));
  for (Layer& layer : weights.layers) {
    layer.input_layernorm = at::empty({hidden}, options);
    layer.post_attention_layernorm = at::empty({hidden}, options);
    layer.qkv_proj.weight = at::empty({query_rows + 2 * key_rows, hidden}, options);
    if (config.attention_bias) layer.qkv_proj.bias = at::empty({query_rows + 2 * key_rows}, options);
    layer.o_proj.weight = at::empty({hidden, query_rows}, options);
    if (config.qk_norm) {
      layer.q_norm = at::empty({config.head_dim}, options);
      layer.k_norm = at::empty({config.head_dim}, options);
    }
    layer.gate_up_proj.weight = at::empty({2 * inner, hidden}, options);
    layer.down_proj.weight = at::empty({hidden, inner}, options);
    share_rows(layer, query_rows, key_rows, inner);
  }
  weights.norm = at::empty({hidden}, options);
  weights.lm_head = config.tie_word_embeddings ? weights.embed_tokens : at::empty({config.vocab_size, hidden}, options);
  return weights;
}

std::string layer_name(size_t index) { return "model.layers." + std::to_string(index) + "."; }

// Every weight of the base model in model order, fused tensors with the names of their rows.
std::vector<Parameter> base_parameters(const Weights& weights) {
  std::vector<Parameter> all;
  const auto add = [&](const Tensor& tensor, const std::vector<std::pair<std::string, int64_t>>& parts) {
    if (!tensor.defined()) return;
    Parameter parameter{tensor, tensor.dim() > 1, false, {}};
    int64_t first = 0;
    for (const auto& [name, count] : parts) {
      parameter.parts.push_back({name, first, count});
      first += count;
    }
    all.push_back(std::move(parameter));
  };
  const auto add_whole = [&](const std::string& name, const Tensor& tensor) {
    if (tensor.defined()) add(tensor, {{name, tensor.size(0)}});
  };
  add_whole("model.embed_tokens.weight", weights.embed_tokens);
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    const Layer& layer = weights.layers[i];
    const std::string attention = layer_name(i) + "self_attn.", mlp = layer_name(i) + "mlp.";
    const int64_t query_rows = layer.q_proj.weight.size(0), key_rows = layer.k_proj.weight.size(0);
    const int64_t inner = layer.gate_proj.weight.size(0);
    const auto qkv = [&](const char* suffix) {
      return std::vector<std::pair<std::string, int64_t>>{{attention + "q_proj." + suffix, query_rows},
                                                          {attention + "k_proj." + suffix, key_rows},
                                                          {attention + "v_proj." + suffix, key_rows}};
    };
    add(layer.qkv_proj.weight, qkv("weight"));
    add(layer.qkv_proj.bias, qkv("bias"));
    add_whole(attention + "o_proj.weight", layer.o_proj.weight);
    add_whole(attention + "q_norm.weight", layer.q_norm);
    add_whole(attention + "k_norm.weight", layer.k_norm);
    add(layer.gate_up_proj.weight, {{mlp + "gate_proj.weight", inner}, {mlp + "up_proj.weight", inner}});
    add_whole(mlp + "down_proj.weight", layer.down_proj.weight);
    add_whole(layer_name(i) + "input_layernorm.weight", layer.input_layernorm);
    add_whole(layer_name(i) + "post_attention_layernorm.weight", layer.post_attention_layernorm);
  }
  add_whole("model.norm.weight", weights.norm);
  if (!weights.lm_head.is_same(weights.embed_tokens)) add_whole("lm_head.weight", weights.lm_head);
  return all;
}

// The linear layers that an adapter may target, with their names inside the layer.
template <typename AnyLayer, typename Visit>
void for_each_linear(AnyLayer& layer, const Visit& visit) {
  visit("self_attn.q_proj", layer.q_proj);
  visit("self_attn.k_proj", layer.k_proj);
  visit("self_attn.v_proj", layer.v_proj);
  visit("self_attn.o_proj", layer.o_proj);
  visit("mlp.gate_proj", layer.gate_proj);
  visit("mlp.up_proj", layer.up_proj);
  visit("mlp.down_proj", layer.down_proj);
}

std::string shape_text(at::IntArrayRef shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

}  // namespace

NamedTensors Weights::named() const {
  NamedTensors all;
  for (const Parameter& parameter : base_parameters(*this)) {
    for (const NamedRows& part : parameter.parts) all.emplace_back(part.name, rows_of(parameter.tensor, part.first, part.count));
  }
  return all;
}

NamedTensors Weights::named_lora() const {
  NamedTensors all;
  for (size_t i = 0; i < layers.size(); ++i) {
    for_each_linear(layers[i], [&](const char* name, const Linear& linear) {
      if (!linear.lora_a.defined()) return;
      const std::string prefix = "base_model.model." + layer_name(i) + name;
      all.emplace_back(prefix + ".lora_A.weight", linear.lora_a);
      all.emplace_back(prefix + ".lora_B.weight", linear.lora_b);
    });
  }
  return all;
}

bool Weights::has_lora() const { return !named_lora().empty(); }

std::vector<Parameter> Weights::parameters() const {
  std::vector<Parameter> all;
  for (const auto& [name, tensor] : named_lora()) all.push_back({tensor, true, false, {{name, 0, tensor.size(0)}}});
  if (all.empty()) all = base_parameters(*this);
  if (value_head.defined()) all.push_back({value_head, true, true, {{"value_head.weight", 0, value_head.size(0)}}});
  return all;
}

Weights Weights::merged() const {
  c10::NoGradGuard no_grad;
  Weights merged = *this;
  for (Layer& layer : merged.layers) {
    layer.qkv_proj.weight = layer.qkv_proj.weight.clone();
    layer.gate_up_proj.weight = layer.gate_up_proj.weight.clone();
    layer.o_proj.weight = layer.o_proj.weight.clone();
    layer.down_proj.weight = layer.down_proj.weight.clone();
    share_rows(layer);
    for_each_linear(layer, [](const char*, Linear& linear) {
      if (!linear.lora_a.defined()) return;
      linear.weight.add_(at::mm(linear.lora_b, linear.lora_a), linear.lora_scale);
      linear.lora_a = linear.lora_b = Tensor();
    });
  }
  return merged;
}

Weights Weights::frozen_copy() const {
  c10::NoGradGuard no_grad;
  const bool share_base = has_lora();
  const auto copy = [](Tensor& tensor) {
    if (tensor.defined()) tensor = tensor.detach().clone();
  };
  const bool tied = lm_head.is_same(embed_tokens);
  Weights frozen = *this;
  frozen.value_head = Tensor();
  for (Layer& layer : frozen.layers) {
    for_each_linear(layer, [&](const char*, Linear& linear) {
      copy(linear.lora_a);
      copy(linear.lora_b);
    });
    if (share_base) continue;
    for (Tensor* tensor : {&layer.input_layernorm, &layer.post_attention_layernorm, &layer.qkv_proj.weight, &layer.qkv_proj.bias,
                           &layer.o_proj.weight, &layer.q_norm, &layer.k_norm, &layer.gate_up_proj.weight, &layer.down_proj.weight}) {
      copy(*tensor);
    }
    share_rows(layer);
  }
  if (share_base) return frozen;
  copy(frozen.embed_tokens);
  copy(frozen.norm);
  if (tied) frozen.lm_head = frozen.embed_tokens;
  else copy(frozen.lm_head);
  return frozen;
}

Weights random_weights(const ModelConfig& config, int64_t seed, const at::Device& device) {
  Weights weights = allocate(config, device);
  at::Generator generator = at::detail::createCPUGenerator(static_cast<uint64_t>(seed));
  for (auto& [name, tensor] : weights.named()) {
    if (tensor.dim() > 1) {
      tensor.copy_(at::empty(tensor.sizes(), at::kFloat).normal_(0.0, config.initializer_range, generator));
    } else {
      tensor.fill_(name.ends_with(".bias") ? 0.0 : 1.0);
    }
  }
  return weights;
}

Weights load_weights(const ModelConfig& config, const std::string& dir, const at::Device& device) {
  Weights weights = allocate(config, device);
  std::map<std::string, Tensor> file = read_safetensors_dir(dir);
  for (auto& [name, tensor] : weights.named()) {
    const auto found = file.find(name);
    TORCH_CHECK(found != file.end(), "The weights in ", dir, " have no tensor ", name, ", which its config.json calls for.");
    TORCH_CHECK(
        found->second.sizes() == tensor.sizes(), "The weights in ", dir, " have ", name, " with shape ",
        shape_text(found->second.sizes()), "; its config.json calls for ", shape_text(tensor.sizes()), ".");
    TORCH_CHECK(found->second.is_floating_point(), "The weights in ", dir, " have ", name, " in a type that is not floating-point.");
    tensor.copy_(found->second);
    file.erase(found);
  }
  // Some exporters write a tied head a second time, and old Llama files carry the rotary table.
  for (const auto& [name, tensor] : file) {
    const bool redundant = name.ends_with("rotary_emb.inv_freq") || (config.tie_word_embeddings && name == "lm_head.weight");
    TORCH_CHECK(
        redundant, "The weights in ", dir, " have a tensor ", name, " that a ", config.model_type,
        " of this config.json does not have: the model would compute something else without it.");
  }
  return weights;
}

void add_lora(Weights& weights, const LoraConfig& config, int64_t seed) {
  TORCH_CHECK(config.rank > 0, "Expected a LoRA rank from 1 up, got ", config.rank, ".");
  const std::set<std::string> targets(config.target_modules.begin(), config.target_modules.end());
  std::set<std::string> missing = targets;
  at::Generator generator = at::detail::createCPUGenerator(static_cast<uint64_t>(seed));
  for (Layer& layer : weights.layers) {
    for_each_linear(layer, [&](const std::string& name, Linear& linear) {
      const std::string module = name.substr(name.find('.') + 1);
      if (!targets.contains(module)) return;
      missing.erase(module);
      const int64_t rows = linear.weight.size(0), columns = linear.weight.size(1);
      const double bound = 1.0 / std::sqrt(static_cast<double>(columns));
      linear.lora_a = at::empty({config.rank, columns}, at::kFloat).uniform_(-bound, bound, generator).to(linear.weight.device());
      linear.lora_b = at::zeros({rows, config.rank}, linear.weight.options());
      linear.lora_scale = config.alpha / static_cast<double>(config.rank);
    });
  }
  TORCH_CHECK(
      missing.empty() && !targets.empty(), "Expected LoRA target modules among q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, ",
      "down_proj, got ", targets.empty() ? std::string("none") : *missing.begin(), ".");
}

void require_gradients(Weights& weights) {
  for (Parameter& parameter : weights.parameters()) parameter.tensor.set_requires_grad(true);
}

}  // namespace grouper
