// The trainer behind the verbs: forward, backward, optimizer step, state. One object, one thread, no N-API.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "model.h"
#include "optimizer.h"
#include "sampler.h"

namespace grouper {

struct EngineOptions {
  ModelConfig model;
  std::string weights_dir;  // empty: random weights from init_seed
  int64_t init_seed = 0;
  std::string device = "auto";  // auto | cpu | cuda | cuda:N
  std::string dtype = "auto";   // of the matrix products: auto (bfloat16 on CUDA, float32 on the CPU) | float32 | bfloat16
  bool reference = false;       // keep a frozen copy of the weights
  bool value_head = false;
  LoraConfig lora;
  bool activation_checkpointing = false;
  bool bf16_moments = false;
  int64_t head_chunk_tokens = 0;  // rows of logits that exist at a time; 0: chosen, at most 256 MiB of them
  int64_t num_threads = 0;        // 0: libtorch's own choice
  SamplerOptions sampler;
};

struct EngineInfo {
  std::string device;
  std::string dtype;  // float32 | bfloat16
  std::string torch_version;
  int64_t num_parameters = 0;
  int64_t num_trainable_parameters = 0;
  std::vector<std::string> notes;  // one sentence each: kernels chosen, fallbacks taken
};

struct ForwardOptions {
  bool reference = false;
  bool entropies = false;
  bool values = false;
  double temperature = 1.0;
};

// A micro-batch as it crosses from JavaScript: sequences end to end, one mask entry per token.
struct MicroBatch {
  at::Tensor token_ids;          // [total] int32, CPU
  std::vector<int64_t> lengths;
  at::Tensor loss_mask;          // [total] uint8, CPU; position 0 of a sequence is never 1
};

// [total] float32 on the CPU, 0 where the mask is 0; undefined when not asked for.
struct Outputs {
  at::Tensor logprobs, entropies, values;
};

// [total] float32 on the CPU; undefined = zero.
struct OutputGradients {
  at::Tensor logprobs, entropies, values;
};

class Engine {
 public:
  explicit Engine(EngineOptions options);
  ~Engine();

  const EngineInfo& info() const;
  int64_t policy_version() const;

  // No gradient.
  Outputs forward(const MicroBatch& batch, const ForwardOptions& options);
  // Keeps the graph of the hidden states for one backward; a second forward_train drops it.
  Outputs forward_train(const MicroBatch& batch, const ForwardOptions& options);
  // Adds to the gradient; the logits are recomputed chunk by chunk, so full logits never exist.
  void backward(const OutputGradients& gradients);
  StepResult optim_step(const AdamParams& params);
  void zero_grad();

  void refresh_reference();
  // model.safetensors (or shards above 4 GB) with names in model order; a LoRA engine writes merged weights here and its PEFT adapter
  // (adapter_model.safetensors) to save_adapter. config.json is written by the caller, who has the original.
  void save_weights(const std::string& dir, at::ScalarType dtype = at::kFloat);
  void save_adapter(const std::string& dir);
  // weights.safetensors (what trains, by name), optimizer.safetensors (moments, step count, policy version) and, with a reference,
  // reference.safetensors. load_state takes them back into an engine opened with the same options, bit for bit.
  void save_state(const std::string& dir);
  void load_state(const std::string& dir);
  // SHA-256 is computed by the caller: calls `sink` with the bytes of every policy tensor in name order.
  void visit_weights(const std::function<void(const std::string& name, const void* data, size_t size)>& sink);

  // Gradient of one named tensor, for tests; undefined when there is none.
  at::Tensor gradient(const std::string& name) const;

  Sampler& sampler();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace grouper
