#include "attention.h"

#include <cmath>
#include <optional>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/custom_function.h>

#include "attention_cpu.h"

namespace grouper {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

AttentionShape shape_of(const ModelConfig& config) {
  return {config.num_attention_heads, config.num_key_value_heads, config.head_dim};
}

struct CpuAttention : Function<CpuAttention> {
  static Tensor forward(
      AutogradContext* ctx, const Tensor& qkv_in, const PackedSequences& batch, const Tensor& cos, const Tensor& sin,
      int64_t num_heads, int64_t num_kv_heads, int64_t head_dim) {
    const Tensor qkv = qkv_in.contiguous();
    Tensor out, lse;
    attention_cpu_forward({num_heads, num_kv_heads, head_dim}, qkv, batch, cos, sin, out, lse);
    ctx->save_for_backward({qkv, out, lse, cos, sin});
    ctx->saved_data["lengths"] = batch.lengths;
    ctx->saved_data["shape"] = std::vector<int64_t>{num_heads, num_kv_heads, head_dim};
    return out;
  }

  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto shape = ctx->saved_data["shape"].toIntVector();
    PackedSequences batch;
    batch.lengths = ctx->saved_data["lengths"].toIntVector();
    Tensor dqkv = attention_cpu_backward(
        {shape[0], shape[1], shape[2]}, grads[0].contiguous(), saved[0], saved[1], saved[2], batch, saved[3], saved[4]);
    return {dqkv, Tensor(), Tensor(), Tensor(), Tensor(), Tensor(), Tensor()};
  }
};

// x [total, heads, dim] turned by cos and sin [total, 1, dim / 2]; the derivative turns back.
Tensor turn(const Tensor& x, const Tensor& cos, const Tensor& sin, bool back) {
  const int64_t half = x.size(-1) / 2;
  const Tensor a = x.narrow(-1, 0, half), b = x.narrow(-1, half, half);
  Tensor out = at::empty(x.sizes(), x.options());
  out.narrow(-1, 0, half).copy_(back ? at::mul(a, cos).add_(at::mul(b, sin)) : at::mul(a, cos).sub_(at::mul(b, sin)));
  out.narrow(-1, half, half).copy_(back ? at::mul(b, cos).sub_(at::mul(a, sin)) : at::mul(b, cos).add_(at::mul(a, sin)));
  return out;
}

struct Rotate : Function<Rotate> {
  static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& cos, const Tensor& sin) {
    ctx->save_for_backward({cos, sin});
    return turn(x, cos, sin, false);
  }
  static variable_list backward(AutogradContext* ctx, variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    return {turn(grads[0], saved[0], saved[1], true), Tensor(), Tensor()};
  }
};

struct RotatedHeads {
  Tensor q, k, v;  // [total, heads, dim]
};

RotatedHeads rotated_heads(
    const ModelConfig& config, const Tensor& qkv, const PackedSequences& batch, const std::pair<Tensor, Tensor>& rotary) {
  const int64_t heads = config.num_attention_heads, kv_heads = config.num_key_value_heads, dim = config.head_dim;
  const Tensor all = qkv.view({qkv.size(0), heads + 2 * kv_heads, dim});
  const Tensor cos = rotary.first.narrow(1, 0, dim / 2).index_select(0, batch.positions).unsqueeze(1);
  const Tensor sin = rotary.second.narrow(1, 0, dim / 2).index_select(0, batch.positions).unsqueeze(1);
  const Tensor turned = Rotate::apply(all.narrow(1, 0, heads + kv_heads), cos, sin);
  return {turned.narrow(1, 0, heads), turned.narrow(1, heads, kv_heads), all.narrow(1, heads + kv_heads, kv_heads)};
}

// The flash kernel's schema gains arguments from one libtorch to the next, so arguments go by name and those we do not know keep
// their defaults.
class VarlenFlash {
 public:
  static const VarlenFlash& instance() {
    static const VarlenFlash flash;
    return flash;
  }

  const std::string& why_not() const { return why_not_; }

  Tensor operator()(const RotatedHeads& heads, const PackedSequences& batch, double scale) const {
    const auto& arguments = handle_->schema().arguments();
    torch::jit::Stack stack;
    stack.reserve(arguments.size());
    for (const auto& argument : arguments) {
      const std::string& name = argument.name();
      if (name == "query") stack.emplace_back(heads.q);
      else if (name == "key") stack.emplace_back(heads.k);
      else if (name == "value") stack.emplace_back(heads.v);
      else if (name == "cum_seq_q" || name == "cum_seq_k") stack.emplace_back(batch.cu_seqlens);
      else if (name == "max_q" || name == "max_k") stack.emplace_back(batch.max_length);
      else if (name == "dropout_p") stack.emplace_back(0.0);
      else if (name == "is_causal") stack.emplace_back(true);
      else if (name == "return_debug_mask") stack.emplace_back(false);
      else if (name == "scale") stack.emplace_back(scale);
      else stack.emplace_back(*argument.default_value());
    }
    handle_->callBoxed(&stack);
    return stack.front().toTensor();
  }

 private:
  VarlenFlash() {
    const auto handle = c10::Dispatcher::singleton().findSchema({"aten::_flash_attention_forward", ""});
    if (!handle.has_value()) {
      why_not_ = "this libtorch has no aten::_flash_attention_forward";
      return;
    }
    static constexpr const char* kKnown[] = {"query", "key", "value", "cum_seq_q", "cum_seq_k", "max_q", "max_k",
                                             "dropout_p", "is_causal", "return_debug_mask", "scale"};
    size_t num_known = 0;
    for (const auto& argument : handle->schema().arguments()) {
      bool known = false;
      for (const char* name : kKnown) known = known || argument.name() == name;
      num_known += known ? 1 : 0;
      if (!known && !argument.default_value().has_value()) why_not_ = "its argument " + argument.name() + " is unknown here";
    }
    if (num_known != std::size(kKnown)) why_not_ = "its schema is " + toString(handle->schema());
    if (why_not_.empty()) handle_ = handle;
  }

  std::optional<c10::OperatorHandle> handle_;
  std::string why_not_;
};

bool own_kernel_fits(const at::Device& device, at::ScalarType dtype) { return device.is_cpu() && dtype == at::kFloat; }

// Empty when the flash kernel takes this model, else why it does not.
std::string why_no_flash(const ModelConfig& config, const at::Device& device, at::ScalarType dtype) {
  if (!device.is_cuda()) return "there is no CUDA device";
  if (dtype != at::kBFloat16) return "it takes half precision only";
  if (config.head_dim % 8 != 0 || config.head_dim > 256) return "it takes heads of 8 to 256 in steps of 8";
  return VarlenFlash::instance().why_not();
}

}  // namespace

Tensor attention_by_sequence(
    const ModelConfig& config, const Tensor& qkv, const PackedSequences& batch, const std::pair<Tensor, Tensor>& rotary) {
  const RotatedHeads heads = rotated_heads(config, qkv, batch, rotary);
  const double scale = 1.0 / std::sqrt(static_cast<double>(config.head_dim));
  const auto part = [](const Tensor& x, int64_t first, int64_t length) {
    return x.narrow(0, first, length).transpose(0, 1).unsqueeze(0);
  };
  std::vector<Tensor> outputs;
  outputs.reserve(batch.lengths.size());
  int64_t first = 0;
  for (const int64_t length : batch.lengths) {
    const Tensor out = at::scaled_dot_product_attention(
        part(heads.q, first, length), part(heads.k, first, length), part(heads.v, first, length), std::nullopt, 0.0, true, scale,
        config.num_attention_heads != config.num_key_value_heads);
    outputs.push_back(out.squeeze(0).transpose(0, 1).reshape({length, config.num_attention_heads * config.head_dim}));
    first += length;
  }
  return at::cat(outputs, 0);
}

Tensor attention(
    const ModelConfig& config, const Tensor& qkv, const PackedSequences& batch, const std::pair<Tensor, Tensor>& rotary) {
  if (own_kernel_fits(qkv.device(), qkv.scalar_type())) {
    const AttentionShape shape = shape_of(config);
    return CpuAttention::apply(qkv, batch, rotary.first, rotary.second, shape.num_heads, shape.num_kv_heads, shape.head_dim);
  }
  if (!why_no_flash(config, qkv.device(), qkv.scalar_type()).empty()) return attention_by_sequence(config, qkv, batch, rotary);
  const RotatedHeads heads = rotated_heads(config, qkv, batch, rotary);
  const double scale = 1.0 / std::sqrt(static_cast<double>(config.head_dim));
  return VarlenFlash::instance()(heads, batch, scale).reshape({qkv.size(0), config.num_attention_heads * config.head_dim});
}

std::string attention_note(const ModelConfig& config, const at::Device& device, at::ScalarType dtype) {
  if (own_kernel_fits(device, dtype)) return "Attention is a fused function of our own.";
  const std::string why = why_no_flash(config, device, dtype);
  if (why.empty()) return "Attention is libtorch's flash kernel for variable lengths.";
  return "Attention runs one sequence at a time: the flash kernel for variable lengths is out, since " + why + ".";
}

}  // namespace grouper
