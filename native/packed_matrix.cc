#include "packed_matrix.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <ATen/Parallel.h>
#include <ATen/ops/zeros.h>

#include "vector.h"

namespace grouper {

namespace {

// A block of kMaxRows x 2 vectors of sums fills the registers and leaves room for two vectors of weights.
constexpr int64_t kPanelWidth = 2 * kLanes;
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int64_t kMaxRows = 12;
#else
constexpr int64_t kMaxRows = 6;
#endif

using Output = PackedMatrix::Output;

struct Block {
  const float* panel;
  const float* bias;  // [kPanelWidth] or null
  int64_t num_inputs;
  int64_t num_columns;  // of the panel that exist in y
  // The share of the next panel that this block fetches while it computes: the first block to touch a panel would wait for memory.
  const float* ahead;
  int64_t lines_ahead_per_step;  // for every kStep inputs
  Rows x, y;
};

constexpr int64_t kStep = 8;
constexpr int64_t kLine = 64 / sizeof(float);

void store_columns(float* to, Vector left, Vector right, int64_t num_columns) {
  if (num_columns == kPanelWidth) {
    store(to, left);
    store(to + kLanes, right);
    return;
  }
  alignas(64) float both[kPanelWidth];
  store(both, left);
  store(both + kLanes, right);
  std::memcpy(to, both, static_cast<size_t>(num_columns) * sizeof(float));
}

void add_columns(float* to, Vector left, Vector right, int64_t num_columns) {
  if (num_columns == kPanelWidth) {
    store(to, load(to) + left);
    store(to + kLanes, load(to + kLanes) + right);
    return;
  }
  alignas(64) float both[kPanelWidth];
  store(both, left);
  store(both + kLanes, right);
  for (int64_t column = 0; column < num_columns; ++column) to[column] += both[column];
}

template <int kNumRows>
void multiply_block(const Block& block, Output output) {
  Vector left[kNumRows] = {}, right[kNumRows] = {};
  const float* weight = block.panel;
  const float* x = block.x.data;
  const int64_t stride = block.x.stride;
  const float* ahead = block.ahead;
  for (int64_t k = 0; k < block.num_inputs; ++k, weight += kPanelWidth) {
    if (k % kStep == 0) {
      for (int64_t line = 0; line < block.lines_ahead_per_step; ++line, ahead += kLine) __builtin_prefetch(ahead, 0, 2);
    }
    const Vector w_left = load(weight), w_right = load(weight + kLanes);
#pragma GCC unroll 12
    for (int row = 0; row < kNumRows; ++row) {
      const Vector factor = broadcast(x[row * stride + k]);
      left[row] += factor * w_left;
      right[row] += factor * w_right;
    }
  }
#pragma GCC unroll 12
  for (int row = 0; row < kNumRows; ++row) {
    float* y = block.y.data + row * block.y.stride;
    if (output == Output::kSwiGlu) {
      const Vector gate = left[row];
      const Vector gated = gate / (1.0f + exp(-gate)) * right[row];
      if (block.num_columns == kLanes) {
        store(y, gated);
      } else {
        std::memcpy(y, &gated, static_cast<size_t>(block.num_columns) * sizeof(float));
      }
      continue;
    }
    if (block.bias != nullptr) {
      left[row] += load(block.bias);
      right[row] += load(block.bias + kLanes);
    }
    if (output == Output::kStore) {
      store_columns(y, left[row], right[row], block.num_columns);
    } else {
      add_columns(y, left[row], right[row], block.num_columns);
    }
  }
}

using Kernel = void (*)(const Block&, Output);

template <int... kNumRows>
constexpr std::array<Kernel, sizeof...(kNumRows)> kernels(std::integer_sequence<int, kNumRows...>) {
  return {multiply_block<kNumRows + 1>...};
}

constexpr auto kKernels = kernels(std::make_integer_sequence<int, kMaxRows>{});

// Row `row` of `weight` becomes column `column` of the panels.
void pack_row(const float* weight, int64_t num_inputs, float* panels, int64_t column) {
  float* to = panels + column / kPanelWidth * num_inputs * kPanelWidth + column % kPanelWidth;
  for (int64_t k = 0; k < num_inputs; ++k) to[k * kPanelWidth] = weight[k];
}

}  // namespace

void PackedMatrix::allocate(int64_t num_panels) {
  num_panels_ = num_panels;
  panels_ = at::zeros({num_panels, num_inputs_, kPanelWidth}, at::kFloat);
}

PackedMatrix PackedMatrix::pack(const at::Tensor& weight, const at::Tensor& bias) {
  const at::Tensor rows = weight.contiguous();
  PackedMatrix packed;
  packed.num_outputs_ = rows.size(0);
  packed.num_inputs_ = rows.size(1);
  packed.allocate((packed.num_outputs_ + kPanelWidth - 1) / kPanelWidth);
  const float* from = rows.const_data_ptr<float>();
  float* panels = packed.panels_.mutable_data_ptr<float>();
  at::parallel_for(0, packed.num_outputs_, 256, [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) pack_row(from + row * packed.num_inputs_, packed.num_inputs_, panels, row);
  });
  if (bias.defined()) {
    packed.biases_ = at::zeros({packed.num_panels_, kPanelWidth}, at::kFloat);
    packed.biases_.view(-1).narrow(0, 0, packed.num_outputs_).copy_(bias);
  }
  return packed;
}

PackedMatrix PackedMatrix::pack_gate_up(const at::Tensor& gate, const at::Tensor& up) {
  const at::Tensor gates = gate.contiguous(), ups = up.contiguous();
  PackedMatrix packed;
  packed.num_outputs_ = gates.size(0);
  packed.num_inputs_ = gates.size(1);
  packed.allocate((packed.num_outputs_ + kLanes - 1) / kLanes);
  const float* from_gate = gates.const_data_ptr<float>();
  const float* from_up = ups.const_data_ptr<float>();
  float* panels = packed.panels_.mutable_data_ptr<float>();
  at::parallel_for(0, packed.num_outputs_, 256, [&](int64_t first, int64_t last) {
    for (int64_t row = first; row < last; ++row) {
      const int64_t column = row / kLanes * kPanelWidth + row % kLanes;
      pack_row(from_gate + row * packed.num_inputs_, packed.num_inputs_, panels, column);
      pack_row(from_up + row * packed.num_inputs_, packed.num_inputs_, panels, column + kLanes);
    }
  });
  return packed;
}

void PackedMatrix::multiply(Rows x, int64_t num_rows, Rows y, Output output) const {
  // A part of a long prompt asks for no logits.
  if (num_rows == 0) return;
  const int64_t work = num_inputs_ * kPanelWidth * num_rows;
  // A thread is woken for no less than about 20 microseconds of work.
  const int64_t grain = std::max<int64_t>(1, (int64_t{1} << 20) / std::max<int64_t>(1, work));
  at::parallel_for(0, num_panels_, grain, [&](int64_t first, int64_t last) { multiply_panels(first, last, x, num_rows, y, output); });
}

// Blocks of nearly equal height: twelve rows and one would leave the one waiting on the latency of its own sums.
void PackedMatrix::multiply_panels(int64_t first, int64_t last, Rows x, int64_t num_rows, Rows y, Output output) const {
  const int64_t width = output == Output::kSwiGlu ? kLanes : kPanelWidth;
  const float* panels = panels_.const_data_ptr<float>();
  const float* biases = biases_.defined() ? biases_.const_data_ptr<float>() : nullptr;
  const int64_t num_blocks = (num_rows + kMaxRows - 1) / kMaxRows;
  for (int64_t panel = first; panel < last; ++panel) {
    const int64_t column = panel * width;
    Block block{panels + panel * num_inputs_ * kPanelWidth, biases == nullptr ? nullptr : biases + panel * kPanelWidth, num_inputs_,
                std::min(width, num_outputs_ - column), panels, 0, {}, {}};
    // Rounded up, so that the blocks together cover the next panel.
    block.lines_ahead_per_step = panel + 1 < last ? (kStep * kPanelWidth / kLine + num_blocks - 1) / num_blocks : 0;
    for (int64_t index = 0; index < num_blocks; ++index) {
      const int64_t row = num_rows * index / num_blocks, end = num_rows * (index + 1) / num_blocks;
      block.ahead = block.panel + num_inputs_ * kPanelWidth * (num_blocks + index) / num_blocks;
      block.x = {x.data + row * x.stride, x.stride};
      block.y = {y.data + row * y.stride + column, y.stride};
      kKernels[static_cast<size_t>(end - row - 1)](block, output);
    }
  }
}

}  // namespace grouper
