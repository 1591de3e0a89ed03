// AdamW with decoupled weight decay and global-norm clipping (Loshchilov & Hutter, arXiv 1711.05101, algorithm 2):
//   g <- g min(1, max_grad_norm / |g|),  m <- beta1 m + (1 - beta1) g,  v <- beta2 v + (1 - beta2) g^2
//   w <- w - lr decay w - lr (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps)
// Decay applies to matrices only. A step with a gradient that is not finite changes nothing but the gradient, which it drops.
#pragma once

#include <cstdint>
#include <vector>

#include "model.h"

namespace grouper {

struct AdamParams {
  double learning_rate, beta1, beta2, eps, weight_decay, max_grad_norm, value_learning_rate;
};

struct StepResult {
  double grad_norm = 0.0;  // before clipping; not finite when the step was skipped
  bool skipped = false;
};

class Optimizer {
 public:
  // Moments in bfloat16 halve their memory and cost precision: updates are computed in float32 and rounded on the way back.
  Optimizer(std::vector<Parameter> parameters, bool bf16_moments);

  StepResult step(const AdamParams& params);
  void zero_grad();

  const std::vector<Parameter>& parameters() const { return parameters_; }
  int64_t num_steps() const { return num_steps_; }

  // Moments under "exp_avg.<name>" and "exp_avg_sq.<name>", shared with the optimizer; load copies them back.
  NamedTensors state() const;
  void set_num_steps(int64_t num_steps) { num_steps_ = num_steps; }

 private:
  void step_float(const AdamParams& params, double clip);
  void step_bf16(const AdamParams& params, double clip);

  std::vector<Parameter> parameters_;
  std::vector<at::Tensor> exp_avg_, exp_avg_sq_;
  int64_t num_steps_ = 0;
  bool bf16_moments_ = false;
};

}  // namespace grouper
