// Float32 matrix products for decoding on a CPU: a weight packed into panels of output columns, multiplied by a few rows of
// activations. Every output is one sum over the inner dimension in ascending order, whatever the number of rows, so a row's result
// never depends on its neighbours; the BLAS that libtorch calls changes kernels, and last bits, with the number of rows.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

namespace grouper {

// Rows of activations: `data` + row * `stride`.
struct Rows {
  float* data = nullptr;
  int64_t stride = 0;
};

class PackedMatrix {
 public:
  enum class Output {
    kStore,   // y = x W^T + b
    kAdd,     // y += x W^T + b
    kSwiGlu,  // y = silu(x G^T) * (x U^T), for pack_gate_up
  };

  // `weight` is [out, in] float32, `bias` [out] or undefined.
  static PackedMatrix pack(const at::Tensor& weight, const at::Tensor& bias);
  // Gate and up interleaved by vectors, so that their product is taken while both are in registers. No biases.
  static PackedMatrix pack_gate_up(const at::Tensor& gate, const at::Tensor& up);

  // y [num_rows, num_outputs] from x [num_rows, in]. Splits the panels over threads unless it already runs inside a parallel region.
  void multiply(Rows x, int64_t num_rows, Rows y, Output output) const;

  int64_t num_outputs() const { return num_outputs_; }

 private:
  void allocate(int64_t num_panels);
  void multiply_panels(int64_t first, int64_t last, Rows x, int64_t num_rows, Rows y, Output output) const;

  int64_t num_inputs_ = 0;
  int64_t num_outputs_ = 0;
  int64_t num_panels_ = 0;
  at::Tensor panels_;  // [num_panels, in, panel width]: memory that libtorch aligns to 64 bytes
  at::Tensor biases_;  // [num_panels, panel width]; undefined: none
};

}  // namespace grouper
