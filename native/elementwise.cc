#include "elementwise.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "vector_math.h"

namespace grouper {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

constexpr int64_t kGrainElements = 16384;

bool is_cpu_float(const Tensor& x) { return x.is_cpu() && x.scalar_type() == at::kFloat; }

int64_t grain_rows(int64_t width) { return std::max<int64_t>(1, kGrainElements / width); }

void rms_norm_rows(const Tensor& x, const Tensor& delta, const Tensor& weight, double eps, Tensor& sum, Tensor& normed, Tensor& rstd) {
  const int64_t width = x.size(-1);
  const float* px = x.const_data_ptr<float>();
  const float* pd = delta.defined() ? delta.const_data_ptr<float>() : nullptr;
  const float* pw = weight.const_data_ptr<float>();
  float* ps = pd == nullptr ? nullptr : sum.data_ptr<float>();
  float* py = normed.data_ptr<float>();
  float* pr = rstd.data_ptr<float>();
  at::parallel_for(0, rstd.numel(), grain_rows(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const float* s = px + row * width;
      if (pd != nullptr) {
        const float* d = pd + row * width;
        float* out = ps + row * width;
#pragma omp simd
        for (int64_t i = 0; i < width; ++i) out[i] = s[i] + d[i];
        s = out;
      }
      const float r = 1.0f / std::sqrt(dot(s, s, width) / static_cast<float>(width) + static_cast<float>(eps));
      float* y = py + row * width;
#pragma omp simd
      for (int64_t i = 0; i < width; ++i) y[i] = s[i] * r * pw[i];
      pr[row] = r;
    }
  });
}

// With h = s r: dL/ds = r (w dy - h mean(w dy h)), and dL/dw = sum over rows of dy h. Rows are summed in fixed blocks, one
// partial sum each, so that the result does not depend on how threads share them.
Tensor rms_norm_rows_backward(
    const Tensor& dsum, const Tensor& dnormed, const Tensor& sum, const Tensor& weight, const Tensor& rstd, Tensor& dweight) {
  constexpr int64_t kBlockRows = 256;
  const int64_t width = sum.size(-1), rows = rstd.numel(), blocks = (rows + kBlockRows - 1) / kBlockRows;
  Tensor dx = at::empty_like(sum);
  Tensor partial = at::zeros({blocks, width}, sum.options());
  const float* pds = dsum.defined() ? dsum.const_data_ptr<float>() : nullptr;
  const float* pdy = dnormed.const_data_ptr<float>();
  const float* ps = sum.const_data_ptr<float>();
  const float* pw = weight.const_data_ptr<float>();
  const float* pr = rstd.const_data_ptr<float>();
  float* pdx = dx.data_ptr<float>();
  float* ppartial = partial.data_ptr<float>();
  at::parallel_for(0, blocks, 1, [&](int64_t first_block, int64_t last_block) {
    for (int64_t block = first_block; block < last_block; ++block) {
      float* dw = ppartial + block * width;
      for (int64_t row = block * kBlockRows; row < std::min(rows, (block + 1) * kBlockRows); ++row) {
        const float* dy = pdy + row * width;
        const float* s = ps + row * width;
        float* d = pdx + row * width;
        const float r = pr[row];
        float projection = 0.0f;
#pragma omp simd reduction(+ : projection)
        for (int64_t i = 0; i < width; ++i) {
          projection += pw[i] * dy[i] * s[i];
          dw[i] += dy[i] * s[i] * r;
        }
        const float shared = projection * r * r * r / static_cast<float>(width);
        if (pds == nullptr) {
#pragma omp simd
          for (int64_t i = 0; i < width; ++i) d[i] = pw[i] * dy[i] * r - s[i] * shared;
        } else {
          const float* extra = pds + row * width;
#pragma omp simd
          for (int64_t i = 0; i < width; ++i) d[i] = extra[i] + pw[i] * dy[i] * r - s[i] * shared;
        }
      }
    }
  });
  dweight = partial.sum(0);
  return dx;
}

struct AddRmsNorm : Function<AddRmsNorm> {
  static variable_list forward(
      AutogradContext* ctx, const Tensor& x_in, const std::optional<Tensor>& delta_in, const Tensor& weight, double eps) {
    Tensor x = x_in.contiguous();
    const Tensor delta = delta_in.has_value() ? delta_in->contiguous() : Tensor();
    Tensor sum, normed, rstd;
    if (is_cpu_float(x)) {
      sum = delta.defined() ? at::empty_like(x) : x;
      normed = at::empty_like(x);
      rstd = at::empty({x.numel() / x.size(-1)}, x.options());
      rms_norm_rows(x, delta, weight, eps, sum, normed, rstd);
    } else {
      sum = delta.defined() ? at::add(x, delta) : x;
      const Tensor wide = sum.to(at::kFloat);
      rstd = at::rsqrt(at::mean(at::square(wide), {-1}, true).add_(eps));
      normed = at::mul(wide, rstd).mul_(weight).to(x.scalar_type());
    }
    ctx->set_materialize_grads(false);
    ctx->saved_data["has_delta"] = delta.defined();
    ctx->save_for_backward({sum, weight, rstd});
    // A function may not return its input as it is.
    return {delta.defined() ? sum : sum.view_as(sum), normed};
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const Tensor &sum = saved[0], &weight = saved[1], &rstd = saved[2];
    const Tensor dsum = grads[0].defined() ? grads[0].contiguous() : grads[0];
    Tensor dx = dsum, dweight;
    if (grads[1].defined()) {
      const Tensor dnormed = grads[1].contiguous();
      if (is_cpu_float(sum)) {
        dx = rms_norm_rows_backward(dsum, dnormed, sum, weight, rstd, dweight);
      } else {
        const Tensor hat = sum.to(at::kFloat).mul_(rstd);
        Tensor wide = dnormed.to(at::kFloat);
        dweight = at::mul(wide, hat).sum(0);
        wide = at::mul(wide, weight);
        dx = wide.sub_(at::mul(hat, at::mul(wide, hat).mean({-1}, true))).mul_(rstd).to(sum.scalar_type());
        if (dsum.defined()) dx.add_(dsum);
      }
    }
    return {dx, ctx->saved_data["has_delta"].toBool() ? dx : Tensor(), dweight, Tensor()};
  }
};

struct SwiGlu : Function<SwiGlu> {
  static Tensor forward(AutogradContext* ctx, const Tensor& input) {
    const Tensor gate_up = input.contiguous();
    ctx->save_for_backward({gate_up});
    const int64_t width = gate_up.size(1) / 2, rows = gate_up.size(0);
    if (!is_cpu_float(gate_up)) return at::silu(gate_up.narrow(1, 0, width)).mul_(gate_up.narrow(1, width, width));
    Tensor out = at::empty({rows, width}, gate_up.options());
    const float* in = gate_up.const_data_ptr<float>();
    float* py = out.data_ptr<float>();
    at::parallel_for(0, rows, grain_rows(width), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const float* gate = in + row * 2 * width;
        const float* up = gate + width;
        float* y = py + row * width;
#pragma omp simd
        for (int64_t i = 0; i < width; ++i) y[i] = gate[i] * up[i] / (1.0f + fast_exp(-gate[i]));
      }
    });
    return out;
  }

  // d silu(g) / dg = s (1 + g (1 - s)) with s = sigmoid(g).
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const Tensor gate_up = ctx->get_saved_variables()[0];
    const int64_t width = gate_up.size(1) / 2, rows = gate_up.size(0);
    Tensor dout = grads[0].contiguous();
    Tensor din = at::empty_like(gate_up);
    if (!is_cpu_float(gate_up)) {
      const Tensor gate = gate_up.narrow(1, 0, width), up = gate_up.narrow(1, width, width);
      din.narrow(1, 0, width).copy_(at::silu_backward(at::mul(dout, up), gate));
      din.narrow(1, width, width).copy_(at::silu(gate).mul_(dout));
      return {din};
    }
    const float* in = gate_up.const_data_ptr<float>();
    const float* pdy = dout.const_data_ptr<float>();
    float* pdin = din.data_ptr<float>();
    at::parallel_for(0, rows, grain_rows(width), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const float* gate = in + row * 2 * width;
        const float* up = gate + width;
        const float* dy = pdy + row * width;
        float* dgate = pdin + row * 2 * width;
        float* dup = dgate + width;
#pragma omp simd
        for (int64_t i = 0; i < width; ++i) {
          const float s = 1.0f / (1.0f + fast_exp(-gate[i]));
          const float silu = gate[i] * s;
          dgate[i] = dy[i] * up[i] * (s + silu * (1.0f - s));
          dup[i] = dy[i] * silu;
        }
      }
    });
    return {din};
  }
};

}  // namespace

std::pair<at::Tensor, at::Tensor> add_rms_norm(const Tensor& x, const Tensor& delta, const Tensor& weight, double eps) {
  // A function takes an absent tensor as an empty optional only.
  auto outputs = AddRmsNorm::apply(x, delta.defined() ? std::optional<Tensor>(delta) : std::nullopt, weight, eps);
  return {std::move(outputs[0]), std::move(outputs[1])};
}

at::Tensor swiglu(const Tensor& gate_up) { return SwiGlu::apply(gate_up); }

}  // namespace grouper
