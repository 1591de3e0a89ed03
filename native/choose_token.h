// From logits to a token: temperature, min-p, top-k, top-p (in this order, as vLLM has it), then the inverse of the cumulative
// distribution at a given uniform number.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "sampler.h"

namespace grouper {

struct Draw {
  int64_t row = 0;  // of the logits
  const SamplingParams* params = nullptr;
  double uniform = 0.0;     // in [0, 1)
  bool may_stop = true;     // false: stop tokens have no probability
};

struct Choice {
  int64_t token = 0;
  // Under the distribution that the token was drawn from; of a greedy choice, under temperature 1.
  float logprob = 0.0F;
};

// `logits` is [rows, vocab] float32. Float64 throughout. Throws when a row has no finite maximum.
std::vector<Choice> choose_tokens(const at::Tensor& logits, const std::vector<Draw>& draws);

}  // namespace grouper
