// The parts of a block between its matrix products, each one autograd node with its derivative written by hand: on a small model
// the dispatch of many little operations would cost more than the arithmetic, and on a large one their saved intermediates would
// cost memory. Float32 on a CPU runs loops of our own; everything else runs the same formulas through ATen.
#pragma once

#include <utility>

#include <ATen/core/Tensor.h>

namespace grouper {

// (sum, normed): sum = x + delta (x when delta is undefined), normed = sum * rsqrt(mean(sum^2) + eps) * weight over the last
// dimension, with statistics in float32.
std::pair<at::Tensor, at::Tensor> add_rms_norm(
    const at::Tensor& x, const at::Tensor& delta, const at::Tensor& weight, double eps);

// [rows, 2 n] -> [rows, n]: silu(first half) * second half.
at::Tensor swiglu(const at::Tensor& gate_up);

}  // namespace grouper
