#include "engine.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/version.h>

#include "attention.h"
#include "head.h"
#include "weights_file.h"

namespace grouper {
namespace {

using at::Tensor;

at::Device choose_device(const std::string& wish) {
  if (wish == "cpu") return at::kCPU;
  if (wish == "auto") return at::hasCUDA() ? at::Device(at::kCUDA, 0) : at::Device(at::kCPU);
  TORCH_CHECK(wish == "cuda" || wish.starts_with("cuda:"), "Expected device to be auto, cpu, cuda or cuda:N, got ", wish, ".");
  TORCH_CHECK(
      at::hasCUDA(), "Expected a CUDA device, got none: libtorch ", TORCH_VERSION, " sees no GPU. Use device: cpu, or install a CUDA build.");
  return wish == "cuda" ? at::Device(at::kCUDA, 0) : at::Device(wish);
}

at::ScalarType choose_dtype(const std::string& wish, const at::Device& device) {
  if (wish == "auto") return device.is_cuda() ? at::kBFloat16 : at::kFloat;
  TORCH_CHECK(wish == "float32" || wish == "bfloat16", "Expected dtype to be auto, float32 or bfloat16, got ", wish, ".");
  return wish == "float32" ? at::kFloat : at::kBFloat16;
}

void check_config(const ModelConfig& config) {
  const auto positive = [](const char* name, int64_t value) {
    TORCH_CHECK(value > 0, "Expected the model's ", name, " to be positive, got ", value, ".");
  };
  positive("vocab_size", config.vocab_size);
  positive("hidden_size", config.hidden_size);
  positive("intermediate_size", config.intermediate_size);
  positive("num_hidden_layers", config.num_hidden_layers);
  positive("num_attention_heads", config.num_attention_heads);
  positive("num_key_value_heads", config.num_key_value_heads);
  positive("head_dim", config.head_dim);
  positive("max_position_embeddings", config.max_position_embeddings);
  TORCH_CHECK(
      config.num_attention_heads % config.num_key_value_heads == 0, "Expected num_key_value_heads to divide num_attention_heads, got ",
      config.num_key_value_heads, " and ", config.num_attention_heads, ".");
  TORCH_CHECK(config.head_dim % 2 == 0, "Expected an even head_dim, got ", config.head_dim, ": rotary positions pair its halves.");
}

// Where the trained tokens are: entry i of every [N] tensor speaks of token `tokens[i]` of the micro-batch, predicted from the hidden
// state one row before it.
struct TrainedTokens {
  Tensor tokens;   // [N] int64, CPU
  Tensor rows;     // [N] int64, on the device: tokens - 1
  Tensor targets;  // [N] int64, on the device
};

TrainedTokens find_trained(const MicroBatch& batch, const PackedSequences& packed, const ModelConfig& config, const at::Device& device) {
  const Tensor mask = batch.loss_mask.contiguous();
  TORCH_CHECK(
      mask.scalar_type() == at::kByte && mask.numel() == packed.token_ids.numel(), "Expected a uint8 loss mask of ",
      packed.token_ids.numel(), " entries, got ", mask.numel(), " of ", mask.scalar_type(), ".");
  const int64_t smallest = batch.token_ids.min().item<int64_t>(), largest = batch.token_ids.max().item<int64_t>();
  TORCH_CHECK(
      smallest >= 0 && largest < config.vocab_size, "Expected token ids from 0 to ", config.vocab_size - 1, ", got ",
      smallest < 0 ? smallest : largest, ": does the tokenizer belong to this model?");
  const uint8_t* trained = mask.const_data_ptr<uint8_t>();
  std::vector<int64_t> tokens;
  int64_t first = 0;
  for (const int64_t length : packed.lengths) {
    TORCH_CHECK(trained[first] == 0, "Expected position 0 of a sequence never to be trained: nothing comes before it to predict it from.");
    for (int64_t t = first + 1; t < first + length; ++t) {
      if (trained[t] != 0) tokens.push_back(t);
    }
    first += length;
  }
  const Tensor index = at::tensor(tokens, at::kLong);
  return {index, (index - 1).to(device), batch.token_ids.to(at::kLong).index_select(0, index).to(device)};
}

// [total] float32 on the CPU: `values` at the trained tokens, 0 elsewhere.
Tensor scatter(const Tensor& values, const Tensor& tokens, int64_t total) {
  return at::zeros({total}, at::kFloat).index_copy_(0, tokens, values.detach().to(at::kCPU, at::kFloat));
}

}  // namespace

struct Engine::State {
  // What a backward needs of the forward_train before it.
  struct Pending {
    Tensor hidden;  // [N, hidden] with its graph
    TrainedTokens trained;
    HeadOutputs head;
    bool values = false;
    int64_t total = 0;
    HeadOptions head_options;
  };

  explicit State(EngineOptions given) : options(std::move(given)) {
    check_config(options.model);
    if (options.num_threads > 0) at::set_num_threads(static_cast<int>(options.num_threads));
    device = choose_device(options.device);
    dtype = choose_dtype(options.dtype, device);
    weights = options.weights_dir.empty() ? random_weights(options.model, options.init_seed, device)
                                          : load_weights(options.model, options.weights_dir, device);
    if (options.lora.rank > 0) add_lora(weights, options.lora, options.init_seed);
    if (options.value_head) {
      // Zero: before it has learnt, the critic says nothing.
      weights.value_head = at::zeros({1, options.model.hidden_size}, at::TensorOptions().dtype(at::kFloat).device(device));
    }
    if (options.reference) reference = weights.frozen_copy();
    require_gradients(weights);
    rotary = rotary_tables(options.model, device);
    optimizer = std::make_unique<Optimizer>(weights.parameters(), options.bf16_moments);
    sampler = std::make_unique<Sampler>(options.model, weights, device, dtype, options.sampler);
    describe();
  }

  void describe() {
    info.device = device.str();
    info.dtype = dtype == at::kFloat ? "float32" : "bfloat16";
    info.torch_version = TORCH_VERSION;
    for (const auto& [name, tensor] : weights.named()) info.num_parameters += tensor.numel();
    for (const Parameter& parameter : weights.parameters()) info.num_trainable_parameters += parameter.tensor.numel();
    info.notes = {attention_note(options.model, device, dtype), head_note(device, dtype)};
  }

  HeadOptions head_options(const ForwardOptions& forward) const {
    TORCH_CHECK(forward.temperature > 0.0, "Expected a temperature above 0, got ", forward.temperature, ".");
    return {forward.temperature, options.head_chunk_tokens};
  }

  // [N, hidden]: the hidden states that the trained tokens are predicted from.
  Tensor trained_hidden(const Weights& from, const PackedSequences& packed, const TrainedTokens& trained) const {
    const Tensor hidden = hidden_states(options.model, from, packed, rotary, dtype, options.activation_checkpointing);
    return hidden.index_select(0, trained.rows);
  }

  Outputs outputs(const Tensor& hidden, const HeadOutputs& head, const TrainedTokens& trained, const ForwardOptions& wanted, int64_t total) const {
    c10::NoGradGuard no_grad;
    Outputs result;
    result.logprobs = scatter(head.logprobs, trained.tokens, total);
    if (wanted.entropies) result.entropies = scatter(head.entropies, trained.tokens, total);
    if (wanted.values) result.values = scatter(at::mv(hidden.to(at::kFloat), weights.value_head[0]), trained.tokens, total);
    return result;
  }

  void check_wanted(const ForwardOptions& wanted) const {
    TORCH_CHECK(!wanted.reference || reference.has_value(), "Expected an engine opened with a reference: this one keeps none.");
    TORCH_CHECK(!wanted.values || weights.value_head.defined(), "Expected an engine opened with a value head: this one has none.");
    TORCH_CHECK(!(wanted.values && wanted.reference), "Expected values from the policy: the reference has no value head.");
  }

  EngineOptions options;
  EngineInfo info;
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  Weights weights;
  std::optional<Weights> reference;
  std::pair<Tensor, Tensor> rotary;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<Sampler> sampler;
  std::optional<Pending> pending;
  int64_t policy_version = 0;
};

Engine::Engine(EngineOptions options) : state_(std::make_unique<State>(std::move(options))) {}
Engine::~Engine() = default;

const EngineInfo& Engine::info() const { return state_->info; }
int64_t Engine::policy_version() const { return state_->policy_version; }
Sampler& Engine::sampler() { return *state_->sampler; }

Outputs Engine::forward(const MicroBatch& batch, const ForwardOptions& options) {
  c10::NoGradGuard no_grad;
  State& state = *state_;
  state.check_wanted(options);
  const PackedSequences packed = pack(batch.token_ids, batch.lengths, state.device);
  const TrainedTokens trained = find_trained(batch, packed, state.options.model, state.device);
  const Weights& weights = options.reference ? *state.reference : state.weights;
  const Tensor hidden = state.trained_hidden(weights, packed, trained);
  const HeadOutputs head = head_forward(hidden, weights.lm_head, trained.targets, state.head_options(options));
  return state.outputs(hidden, head, trained, options, batch.token_ids.numel());
}

Outputs Engine::forward_train(const MicroBatch& batch, const ForwardOptions& options) {
  State& state = *state_;
  state.pending.reset();
  state.check_wanted(options);
  TORCH_CHECK(!options.reference, "Expected to train the policy: the reference is frozen.");
  const PackedSequences packed = pack(batch.token_ids, batch.lengths, state.device);
  TrainedTokens trained = find_trained(batch, packed, state.options.model, state.device);
  const HeadOptions head_options = state.head_options(options);
  c10::AutoGradMode with_grad(true);
  const Tensor hidden = state.trained_hidden(state.weights, packed, trained);
  HeadOutputs head = head_forward(hidden.detach(), state.weights.lm_head, trained.targets, head_options);
  Outputs result = state.outputs(hidden, head, trained, options, batch.token_ids.numel());
  state.pending = State::Pending{hidden, std::move(trained), std::move(head), options.values, batch.token_ids.numel(), head_options};
  return result;
}

void Engine::backward(const OutputGradients& gradients) {
  State& state = *state_;
  TORCH_CHECK(state.pending.has_value(), "Expected forward_train before backward: there is no graph to go back through.");
  const State::Pending pending = *std::exchange(state.pending, std::nullopt);
  const auto gather = [&](const Tensor& gradient) {
    if (!gradient.defined()) return gradient;
    TORCH_CHECK(gradient.numel() == pending.total, "Expected a gradient of ", pending.total, " entries, got ", gradient.numel(), ".");
    return gradient.to(at::kFloat).index_select(0, pending.trained.tokens).to(state.device);
  };
  TORCH_CHECK(
      !gradients.values.defined() || pending.values, "Expected a gradient by the values only after a forward_train that gave values.");
  if (pending.trained.tokens.numel() == 0) return;
  const Tensor hidden = pending.hidden.detach();
  Tensor dlogprobs = gather(gradients.logprobs);
  const Tensor dentropies = gather(gradients.entropies), dvalues = gather(gradients.values);
  Tensor dhidden = at::zeros_like(hidden);
  if (dlogprobs.defined() || dentropies.defined()) {
    if (!dlogprobs.defined()) dlogprobs = at::zeros_like(dentropies);
    Tensor& head = state.weights.lm_head;
    if (head.requires_grad() && !head.grad().defined()) head.mutable_grad() = at::zeros_like(head);
    dhidden = head_backward(hidden, head, pending.trained.targets, pending.head, dlogprobs, dentropies, head.grad(), pending.head_options);
  }
  if (dvalues.defined()) {
    c10::NoGradGuard no_grad;
    Tensor& value_head = state.weights.value_head;
    if (!value_head.grad().defined()) value_head.mutable_grad() = at::zeros_like(value_head);
    value_head.mutable_grad().add_(at::mm(dvalues.unsqueeze(0), hidden.to(at::kFloat)));
    dhidden.add_(at::outer(dvalues, value_head[0]));
  }
  torch::autograd::backward({pending.hidden}, {dhidden});
}

StepResult Engine::optim_step(const AdamParams& params) {
  State& state = *state_;
  state.pending.reset();
  const StepResult result = state.optimizer->step(params);
  if (!result.skipped) {
    ++state.policy_version;
    state.sampler->weights_changed();
  }
  return result;
}

void Engine::zero_grad() { state_->optimizer->zero_grad(); }

void Engine::refresh_reference() {
  TORCH_CHECK(state_->reference.has_value(), "Expected an engine opened with a reference: this one keeps none.");
  state_->reference.reset();
  state_->reference = state_->weights.frozen_copy();
}

void Engine::save_weights(const std::string& dir, at::ScalarType dtype) {
  write_model(dir, state_->weights.has_lora() ? state_->weights.merged().named() : state_->weights.named(), dtype);
}

void Engine::save_adapter(const std::string& dir) {
  TORCH_CHECK(state_->weights.has_lora(), "Expected an engine opened with LoRA: this one has no adapter to save.");
  write_tensors(dir + "/adapter_model.safetensors", state_->weights.named_lora());
}

namespace {

NamedTensors parts_of(const std::vector<Parameter>& parameters) {
  NamedTensors all;
  for (const Parameter& parameter : parameters) {
    for (const NamedRows& part : parameter.parts) {
      all.emplace_back(part.name, parameter.tensor.detach().narrow(0, part.first, part.count));
    }
  }
  return all;
}

// What of the reference differs from the base weights that the engine is opened with.
NamedTensors reference_tensors(const Weights& reference) { return reference.has_lora() ? reference.named_lora() : reference.named(); }

}  // namespace

void Engine::save_state(const std::string& dir) {
  const State& state = *state_;
  write_tensors(dir + "/weights.safetensors", parts_of(state.optimizer->parameters()));
  NamedTensors optimizer = state.optimizer->state();
  optimizer.emplace_back("num_steps", at::full({1}, state.optimizer->num_steps(), at::kLong));
  optimizer.emplace_back("policy_version", at::full({1}, state.policy_version, at::kLong));
  write_tensors(dir + "/optimizer.safetensors", optimizer);
  if (state.reference.has_value()) write_tensors(dir + "/reference.safetensors", reference_tensors(*state.reference));
}

void Engine::load_state(const std::string& dir) {
  State& state = *state_;
  const Tensor num_steps = at::zeros({1}, at::kLong), policy_version = at::zeros({1}, at::kLong);
  NamedTensors optimizer = state.optimizer->state();
  optimizer.emplace_back("num_steps", num_steps);
  optimizer.emplace_back("policy_version", policy_version);
  // All files are read and checked before the first tensor changes, so a bad checkpoint leaves the engine as it was.
  std::vector<TensorCopy> copies = plan_read(dir + "/weights.safetensors", parts_of(state.optimizer->parameters()));
  for (TensorCopy& copy : plan_read(dir + "/optimizer.safetensors", optimizer)) copies.push_back(std::move(copy));
  if (state.reference.has_value()) {
    for (TensorCopy& copy : plan_read(dir + "/reference.safetensors", reference_tensors(*state.reference))) copies.push_back(std::move(copy));
  }
  c10::NoGradGuard no_grad;
  for (TensorCopy& copy : copies) copy.to.copy_(copy.from);
  state.optimizer->set_num_steps(num_steps.item<int64_t>());
  state.optimizer->zero_grad();
  state.pending.reset();
  state.policy_version = policy_version.item<int64_t>();
  state.sampler->weights_changed();
}

void Engine::visit_weights(const std::function<void(const std::string& name, const void* data, size_t size)>& sink) {
  const Weights& weights = state_->weights;
  NamedTensors all = weights.named();
  for (auto& entry : weights.named_lora()) all.push_back(std::move(entry));
  if (weights.value_head.defined()) all.emplace_back("value_head.weight", weights.value_head);
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [name, tensor] : all) {
    const Tensor bytes = tensor.detach().to(at::kCPU).contiguous();
    sink(name, bytes.const_data_ptr(), bytes.nbytes());
  }
}

Tensor Engine::gradient(const std::string& name) const {
  for (const Parameter& parameter : state_->optimizer->parameters()) {
    for (const NamedRows& part : parameter.parts) {
      if (part.name != name) continue;
      const Tensor& gradient = parameter.tensor.grad();
      return gradient.defined() ? gradient.narrow(0, part.first, part.count) : Tensor();
    }
  }
  return Tensor();
}

}  // namespace grouper
