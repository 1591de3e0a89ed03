// The language-model head where a log-probability is needed and nowhere else, in chunks of rows: full logits never exist.
#pragma once

#include <string>

#include <ATen/core/Tensor.h>

namespace grouper {

// [N] float32, one entry per trained position.
struct HeadOutputs {
  at::Tensor logprobs;   // of the target
  at::Tensor lse;        // log-sum-exp of the logits over temperature: the backward needs it
  at::Tensor entropies;  // of the whole distribution
};

struct HeadOptions {
  double temperature = 1.0;
  int64_t chunk_rows = 0;  // 0: chosen by head_chunk_rows
};

// Rows of logits that exist at a time: enough for the matrix products to run well, at most 256 MiB of them in float32.
int64_t head_chunk_rows(int64_t vocab_size);

// hidden [N, hidden] at the compute dtype, weight [vocab, hidden] float32, targets [N] int64. No gradient is recorded.
HeadOutputs head_forward(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets, const HeadOptions& options);

// d hidden [N, hidden] at hidden's dtype. Recomputes the logits z of every chunk; with p = softmax(z / temperature), H its entropy:
//   dz = (dlogprob (onehot(target) - p) - dentropy p (log p + H)) / temperature
// Adds d weight into `dweight` (float32) unless that is undefined. dentropies may be undefined.
at::Tensor head_backward(
    const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets, const HeadOutputs& outputs,
    const at::Tensor& dlogprobs, const at::Tensor& dentropies, at::Tensor dweight, const HeadOptions& options);

// One sentence on the precision of the logits.
std::string head_note(const at::Device& device, at::ScalarType dtype);

}  // namespace grouper
