#include "head.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <c10/core/GradMode.h>

#include "vector_math.h"

namespace grouper {
namespace {

using at::Tensor;

constexpr int64_t kMaxChunkElements = int64_t{64} << 20;  // 256 MiB of float32
constexpr int64_t kCacheElements = int64_t{1} << 20;      // small vocabularies: stay near the cache
constexpr int64_t kEfficientRows = 256;

bool is_cpu_float(const Tensor& x) { return x.is_cpu() && x.scalar_type() == at::kFloat; }

// A product of bfloat16 matrices that leaves its sums in float32, which libtorch has from 2.8 on and for CUDA only.
using MmWithDtype = Tensor(const Tensor&, const Tensor&, at::ScalarType);
std::optional<c10::TypedOperatorHandle<MmWithDtype>> mm_with_dtype() {
  static const auto handle = c10::Dispatcher::singleton().findSchema({"aten::mm", "dtype"});
  if (!handle.has_value()) return std::nullopt;
  return handle->typed<MmWithDtype>();
}

// Logits of some rows, float32, over the temperature. `buffer` [chunk, vocab] is reused from chunk to chunk on the CPU.
Tensor scaled_logits(const Tensor& hidden, const Tensor& weight_t, Tensor& buffer, double temperature) {
  Tensor logits;
  if (hidden.scalar_type() == at::kFloat) {
    if (!buffer.defined()) buffer = at::empty({hidden.size(0), weight_t.size(1)}, hidden.options());
    logits = buffer.narrow(0, 0, hidden.size(0));
    at::mm_out(logits, hidden, weight_t);
  } else if (const auto mm = mm_with_dtype(); mm.has_value() && hidden.is_cuda()) {
    logits = mm->call(hidden, weight_t, at::kFloat);
  } else {
    logits = at::mm(hidden, weight_t).to(at::kFloat);
  }
  return temperature == 1.0 ? logits : logits.div_(temperature);
}

void reduce_rows(const Tensor& logits, const Tensor& targets, Tensor logprobs, Tensor lse, Tensor entropies) {
  if (!is_cpu_float(logits)) {
    at::logsumexp_out(lse, logits, {1});
    logprobs.copy_(logits.gather(1, targets.unsqueeze(1)).squeeze(1).sub_(lse));
    Tensor p = at::sub(logits, lse.unsqueeze(1)).exp_();
    entropies.copy_(at::sub(lse, p.mul_(logits).sum(1)));
    return;
  }
  const int64_t vocab = logits.size(1);
  const float* z = logits.const_data_ptr<float>();
  const int64_t* target = targets.const_data_ptr<int64_t>();
  float *plogprobs = logprobs.data_ptr<float>(), *plse = lse.data_ptr<float>(), *pentropies = entropies.data_ptr<float>();
  at::parallel_for(0, logits.size(0), std::max<int64_t>(1, 16384 / vocab), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      const float* row = z + r * vocab;
      float maximum = row[0];
#pragma omp simd reduction(max : maximum)
      for (int64_t j = 0; j < vocab; ++j) maximum = row[j] > maximum ? row[j] : maximum;
      float sum = 0.0f, weighted = 0.0f;
#pragma omp simd reduction(+ : sum, weighted)
      for (int64_t j = 0; j < vocab; ++j) {
        const float shifted = row[j] - maximum;
        const float e = fast_exp(shifted);
        sum += e;
        weighted += e * shifted;
      }
      const float log_sum = std::log(sum);
      plse[r] = maximum + log_sum;
      plogprobs[r] = (row[target[r]] - maximum) - log_sum;
      pentropies[r] = log_sum - weighted / sum;
    }
  });
}

// Turns logits (over temperature) into d logits, in place.
void differentiate_rows(
    Tensor& logits, const Tensor& targets, const Tensor& lse, const Tensor& entropies, const Tensor& dlogprobs,
    const Tensor& dentropies, double temperature) {
  if (!is_cpu_float(logits)) {
    Tensor logp = logits.sub_(lse.unsqueeze(1));
    const Tensor p = at::exp(logp);
    if (dentropies.defined()) {
      logp.add_(entropies.unsqueeze(1)).mul_(dentropies.neg().unsqueeze(1)).sub_(dlogprobs.unsqueeze(1)).mul_(p);
    } else {
      at::mul_out(logp, p, dlogprobs.neg().unsqueeze(1));
    }
    logp.scatter_add_(1, targets.unsqueeze(1), dlogprobs.unsqueeze(1));
    if (temperature != 1.0) logp.div_(temperature);
    return;
  }
  const int64_t vocab = logits.size(1);
  float* z = logits.data_ptr<float>();
  const int64_t* target = targets.const_data_ptr<int64_t>();
  const float *plse = lse.const_data_ptr<float>(), *pentropies = entropies.const_data_ptr<float>();
  const float* pdlogprobs = dlogprobs.const_data_ptr<float>();
  const float* pdentropies = dentropies.defined() ? dentropies.const_data_ptr<float>() : nullptr;
  const auto inverse = static_cast<float>(1.0 / temperature);
  at::parallel_for(0, logits.size(0), std::max<int64_t>(1, 16384 / vocab), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      float* row = z + r * vocab;
      const float dlogprob = pdlogprobs[r] * inverse, dentropy = pdentropies == nullptr ? 0.0f : pdentropies[r] * inverse;
      const float row_lse = plse[r], entropy = pentropies[r];
#pragma omp simd
      for (int64_t j = 0; j < vocab; ++j) {
        const float logp = row[j] - row_lse;
        row[j] = -fast_exp(logp) * (dlogprob + dentropy * (logp + entropy));
      }
      row[target[r]] += dlogprob;
    }
  });
}

int64_t rows_per_chunk(const HeadOptions& options, const Tensor& weight) {
  return options.chunk_rows > 0 ? options.chunk_rows : head_chunk_rows(weight.size(0));
}

}  // namespace

int64_t head_chunk_rows(int64_t vocab_size) {
  return std::max<int64_t>(1, std::min(std::max(kEfficientRows, kCacheElements / vocab_size), kMaxChunkElements / vocab_size));
}

HeadOutputs head_forward(const Tensor& hidden, const Tensor& weight, const Tensor& targets, const HeadOptions& options) {
  c10::NoGradGuard no_grad;
  const int64_t num_rows = hidden.size(0), chunk = std::min(num_rows, rows_per_chunk(options, weight));
  const auto float_options = hidden.options().dtype(at::kFloat);
  HeadOutputs outputs{at::empty({num_rows}, float_options), at::empty({num_rows}, float_options), at::empty({num_rows}, float_options)};
  const Tensor weight_t = weight.detach().to(hidden.scalar_type()).t();
  Tensor buffer;
  for (int64_t first = 0; first < num_rows; first += chunk) {
    const int64_t rows = std::min(chunk, num_rows - first);
    const Tensor logits = scaled_logits(hidden.narrow(0, first, rows), weight_t, buffer, options.temperature);
    reduce_rows(
        logits, targets.narrow(0, first, rows), outputs.logprobs.narrow(0, first, rows), outputs.lse.narrow(0, first, rows),
        outputs.entropies.narrow(0, first, rows));
  }
  return outputs;
}

Tensor head_backward(
    const Tensor& hidden, const Tensor& weight, const Tensor& targets, const HeadOutputs& outputs, const Tensor& dlogprobs,
    const Tensor& dentropies, Tensor dweight, const HeadOptions& options) {
  c10::NoGradGuard no_grad;
  const int64_t num_rows = hidden.size(0), chunk = std::min(num_rows, rows_per_chunk(options, weight));
  const Tensor compute_weight = weight.detach().to(hidden.scalar_type());
  Tensor dhidden = at::empty_like(hidden), buffer;
  for (int64_t first = 0; first < num_rows; first += chunk) {
    const int64_t rows = std::min(chunk, num_rows - first);
    const auto part = [&](const Tensor& x) { return x.defined() ? x.narrow(0, first, rows) : x; };
    const Tensor chunk_hidden = part(hidden);
    Tensor dlogits = scaled_logits(chunk_hidden, compute_weight.t(), buffer, options.temperature);
    differentiate_rows(
        dlogits, part(targets), part(outputs.lse), part(outputs.entropies), part(dlogprobs), part(dentropies), options.temperature);
    dlogits = dlogits.to(hidden.scalar_type());
    Tensor chunk_dhidden = part(dhidden);
    at::mm_out(chunk_dhidden, dlogits, compute_weight);
    if (!dweight.defined()) continue;
    if (hidden.scalar_type() == at::kFloat) dweight.addmm_(dlogits.t(), chunk_hidden);
    else dweight.add_(at::mm(dlogits.t(), chunk_hidden));
  }
  return dhidden;
}

std::string head_note(const at::Device& device, at::ScalarType dtype) {
  if (dtype == at::kFloat) return "Logits are float32.";
  if (device.is_cuda() && mm_with_dtype().has_value()) return "Logits are float32 sums of bfloat16 products.";
  return "Logits are rounded to bfloat16 before their float32 log-sum-exp: this libtorch has no aten::mm with an output type here.";
}

}  // namespace grouper
