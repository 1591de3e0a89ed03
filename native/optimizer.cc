#include "optimizer.h"

#include <cmath>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

namespace grouper {

using at::Tensor;

Optimizer::Optimizer(std::vector<Parameter> parameters, bool bf16_moments)
    : parameters_(std::move(parameters)), bf16_moments_(bf16_moments) {
  const at::ScalarType dtype = bf16_moments ? at::kBFloat16 : at::kFloat;
  for (const Parameter& parameter : parameters_) {
    exp_avg_.push_back(at::zeros(parameter.tensor.sizes(), parameter.tensor.options().dtype(dtype).requires_grad(false)));
    exp_avg_sq_.push_back(at::zeros_like(exp_avg_.back()));
  }
}

void Optimizer::zero_grad() {
  for (Parameter& parameter : parameters_) parameter.tensor.mutable_grad().reset();
}

StepResult Optimizer::step(const AdamParams& params) {
  c10::NoGradGuard no_grad;
  std::vector<Tensor> gradients;
  for (Parameter& parameter : parameters_) {
    // No loss reached it: its gradient is zero, and its moments decay like all others.
    if (!parameter.tensor.grad().defined()) parameter.tensor.mutable_grad() = at::zeros_like(parameter.tensor);
    gradients.push_back(parameter.tensor.grad());
  }
  const double norm = at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients)).to(at::kDouble)).item<double>();
  if (!std::isfinite(norm)) {
    zero_grad();
    return {norm, true};
  }
  const double clip = norm > params.max_grad_norm ? params.max_grad_norm / norm : 1.0;
  ++num_steps_;
  if (bf16_moments_) step_bf16(params, clip);
  else step_float(params, clip);
  zero_grad();
  return {norm, false};
}

void Optimizer::step_float(const AdamParams& params, double clip) {
  const Tensor& any = parameters_.front().tensor;
  const Tensor step = at::full({}, static_cast<double>(num_steps_), any.options().requires_grad(false));
  // The fused kernel divides gradients by grad_scale.
  const Tensor inverse_clip = at::full({}, 1.0 / clip, any.options().requires_grad(false));
  const auto run = [&](bool decay, bool value_head) {
    std::vector<Tensor> weights, gradients, exp_avg, exp_avg_sq;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      const Parameter& parameter = parameters_[i];
      if (parameter.decay != decay || parameter.value_head != value_head) continue;
      weights.push_back(parameter.tensor);
      gradients.push_back(parameter.tensor.grad());
      exp_avg.push_back(exp_avg_[i]);
      exp_avg_sq.push_back(exp_avg_sq_[i]);
    }
    if (weights.empty()) return;
    const std::vector<Tensor> steps(weights.size(), step);
    at::_fused_adamw_(
        weights, gradients, exp_avg, exp_avg_sq, {}, steps, value_head ? params.value_learning_rate : params.learning_rate,
        params.beta1, params.beta2, decay ? params.weight_decay : 0.0, params.eps, false, false,
        clip == 1.0 ? std::optional<Tensor>() : std::optional<Tensor>(inverse_clip), std::nullopt);
  };
  run(true, false);
  run(false, false);
  run(true, true);
}

void Optimizer::step_bf16(const AdamParams& params, double clip) {
  const double correction1 = 1.0 - std::pow(params.beta1, static_cast<double>(num_steps_));
  const double correction2 = 1.0 - std::pow(params.beta2, static_cast<double>(num_steps_));
  // Slices bound the float32 temporaries.
  constexpr int64_t kSlice = int64_t{1} << 24;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& parameter = parameters_[i];
    const double rate = parameter.value_head ? params.value_learning_rate : params.learning_rate;
    const Tensor weight = parameter.tensor.detach().view({-1}), gradient = parameter.tensor.grad().contiguous().view({-1});
    const Tensor exp_avg = exp_avg_[i].view({-1}), exp_avg_sq = exp_avg_sq_[i].view({-1});
    for (int64_t first = 0; first < weight.numel(); first += kSlice) {
      const int64_t count = std::min(kSlice, weight.numel() - first);
      const auto slice = [&](const Tensor& x) { return x.narrow(0, first, count); };
      const Tensor g = at::mul(slice(gradient), clip);
      Tensor m = slice(exp_avg).to(at::kFloat).mul_(params.beta1).add_(g, 1.0 - params.beta1);
      Tensor v = slice(exp_avg_sq).to(at::kFloat).mul_(params.beta2).addcmul_(g, g, 1.0 - params.beta2);
      slice(exp_avg).copy_(m);
      slice(exp_avg_sq).copy_(v);
      Tensor w = slice(weight);
      if (parameter.decay) w.mul_(1.0 - rate * params.weight_decay);
      w.addcdiv_(m, v.div_(correction2).sqrt_().add_(params.eps), -rate / correction1);
    }
  }
}

NamedTensors Optimizer::state() const {
  NamedTensors all;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    for (const NamedRows& part : parameters_[i].parts) {
      all.emplace_back("exp_avg." + part.name, exp_avg_[i].narrow(0, part.first, part.count));
      all.emplace_back("exp_avg_sq." + part.name, exp_avg_sq_[i].narrow(0, part.first, part.count));
    }
  }
  return all;
}

}  // namespace grouper
