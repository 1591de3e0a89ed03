// Samples sequences with a key-value cache and continuous batching: requests join and leave the running batch between
// tokens. A request's tokens depend on its own prompt, seed and parameters alone, never on what else is in the batch.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "model.h"

namespace grouper {

struct SamplingParams {
  double temperature = 1.0;  // 0: greedy
  double top_p = 1.0;
  int64_t top_k = 0;  // 0: off
  double min_p = 0.0;
  int64_t max_tokens = 16;
  int64_t min_tokens = 0;
  std::vector<int64_t> stop_token_ids;
};

struct SampleRequest {
  uint64_t id = 0;
  std::vector<int64_t> prompt;
  uint64_t seed = 0;
  SamplingParams params;
};

struct SampleResult {
  uint64_t id = 0;
  std::vector<int64_t> tokens;   // the stop token included
  std::vector<float> logprobs;   // of the distribution sampled from
  bool stopped = false;          // false: the length limit ended it
  int64_t policy_version = 0;    // that its first token came from
};

struct SamplerOptions {
  int64_t max_batch = 256;           // sequences decoded together
  int64_t max_cache_tokens = 1 << 18;  // key-value slots in all; memory is taken as they fill
  bool portable = false;               // use ATen's operations even where there is hand-written code
};

class Sampler {
 public:
  // `weights` must outlive the sampler; it is read at every step, so an optimizer step in between is seen at once.
  Sampler(const ModelConfig& config, const Weights& weights, at::Device device, at::ScalarType compute_dtype,
          SamplerOptions options);
  ~Sampler();

  // Throws when the prompt and max_tokens cannot fit into max_position_embeddings or the cache, or an id is out of range.
  void add(SampleRequest request);
  void cancel(uint64_t id);
  bool idle() const;

  // Admits what fits, decodes one token for every running sequence, and returns the ones that ended. When it throws, e.g. because the
  // logits are not finite, all requests are gone.
  std::vector<SampleResult> step(int64_t policy_version);

  // Must be called when weights changed: drops copies derived from them (packed matrices, bf16 casts) and all keys and values. Running
  // sequences keep their tokens, whose keys and values are computed again under the new weights.
  void weights_changed();

  int64_t num_running() const;
  int64_t num_waiting() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace grouper
