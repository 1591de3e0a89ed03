// Each task is one key-value head of one sequence. It gathers its keys and values into small dense buffers, rotating the keys on
// the way, and walks the queries of its heads in blocks of rows; scores of a block live in cache and nowhere else. The
// backward recomputes them from the saved log-sum-exp:
//   P = exp(S - lse),  dV = P^T dO,  dP = dO V^T,  dS = P (dP - rowsum(dO O)),  dQ = dS K,  dK = dS^T Q
// Tasks write disjoint rows and columns, and every sum runs in a fixed order: results do not depend on the number of threads.
#include "attention_cpu.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "small_gemm.h"
#include "vector_math.h"

namespace grouper {
namespace {

constexpr int64_t kBlockQueries = 48;

struct Task {
  int64_t first = 0;  // row of the sequence's first token
  int64_t length = 0;
  int64_t kv_head = 0;
};

struct Geometry {
  AttentionShape shape;
  const float* cos = nullptr;
  const float* sin = nullptr;
  int64_t qkv_stride = 0, out_stride = 0, total = 0;
  int64_t dim = 0;         // head_dim padded to whole vectors
  int64_t group = 0;       // query heads of a key-value head
  float scale = 0.0f;

  int64_t query_column(int64_t head) const { return head * shape.head_dim; }
  int64_t key_column(int64_t kv_head) const { return (shape.num_heads + kv_head) * shape.head_dim; }
  int64_t value_column(int64_t kv_head) const { return (shape.num_heads + shape.num_kv_heads + kv_head) * shape.head_dim; }
};

Geometry geometry(const AttentionShape& shape, const at::Tensor& qkv, const at::Tensor& cos, const at::Tensor& sin) {
  Geometry g;
  g.shape = shape;
  g.cos = cos.const_data_ptr<float>();
  g.sin = sin.const_data_ptr<float>();
  g.qkv_stride = qkv.size(1);
  g.out_stride = shape.num_heads * shape.head_dim;
  g.total = qkv.size(0);
  g.dim = round_up(shape.head_dim, kLanes);
  g.group = shape.num_heads / shape.num_kv_heads;
  g.scale = 1.0f / std::sqrt(static_cast<float>(shape.head_dim));
  return g;
}

// Runs all tasks, longest work shared evenly: a thread's share is a contiguous range of tasks of nearly equal cost.
template <typename Run>
void for_each_task(const Geometry& g, const PackedSequences& batch, const Run& run) {
  std::vector<Task> tasks;
  std::vector<double> cost_before;
  double cost = 0.0;
  int64_t first = 0;
  for (const int64_t length : batch.lengths) {
    for (int64_t head = 0; head < g.shape.num_kv_heads; ++head) {
      tasks.push_back({first, length, head});
      cost_before.push_back(cost);
      // Scores grow with the square of the length; gathering grows with the length.
      cost += static_cast<double>(length) * static_cast<double>(length + 64);
    }
    first += length;
  }
  const int64_t shares = std::max(1, at::get_num_threads());
  const auto start_of = [&](int64_t share) {
    return std::lower_bound(cost_before.begin(), cost_before.end(), cost * static_cast<double>(share) / static_cast<double>(shares)) -
           cost_before.begin();
  };
  at::parallel_for(0, shares, 1, [&](int64_t begin, int64_t end) {
    const int64_t last = end == shares ? static_cast<int64_t>(tasks.size()) : start_of(end);
    for (int64_t i = start_of(begin); i < last; ++i) run(tasks[i]);
  });
}

// row[c] of a head at `position`, rotated and multiplied by `scale`.
void rotate(const Geometry& g, const float* in, int64_t position, float scale, float* out) {
  const int64_t half = g.shape.head_dim / 2;
  const float* cos = g.cos + position * g.shape.head_dim;
  const float* sin = g.sin + position * g.shape.head_dim;
#pragma omp simd
  for (int64_t c = 0; c < half; ++c) {
    const float a = in[c], b = in[c + half];
    out[c] = (a * cos[c] - b * sin[c]) * scale;
    out[c + half] = (b * cos[c] + a * sin[c]) * scale;
  }
}

// The transpose of `rotate`: carries a derivative by the rotated row back to the row.
void rotate_back(const Geometry& g, const float* in, int64_t position, float scale, float* out) {
  const int64_t half = g.shape.head_dim / 2;
  const float* cos = g.cos + position * g.shape.head_dim;
  const float* sin = g.sin + position * g.shape.head_dim;
#pragma omp simd
  for (int64_t c = 0; c < half; ++c) {
    const float a = in[c], b = in[c + half];
    out[c] = (a * cos[c] + b * sin[c]) * scale;
    out[c + half] = (b * cos[c] - a * sin[c]) * scale;
  }
}

// [dim, padded length] from [length, dim].
void transpose(const float* in, int64_t rows, int64_t dim, int64_t head_dim, float* out, int64_t ld_out) {
  for (int64_t c = 0; c < head_dim; ++c) {
    float* row = out + c * ld_out;
    for (int64_t r = 0; r < rows; ++r) row[r] = in[r * dim + c];
  }
}

struct Buffers {
  std::vector<float> keys, keys_t, values, values_t, queries, scores, dscores, out, dout, dkeys, dvalues;
};

// A buffer of at least `size` floats. Padding columns hold whatever the last task left: they are computed on and never read.
float* reserve(std::vector<float>& buffer, int64_t size) {
  if (static_cast<int64_t>(buffer.size()) < size) buffer.assign(static_cast<size_t>(size), 0.0f);
  return buffer.data();
}

void gather_keys(const Geometry& g, const Task& task, const float* qkv, float* keys) {
  for (int64_t i = 0; i < task.length; ++i) {
    rotate(g, qkv + (task.first + i) * g.qkv_stride + g.key_column(task.kv_head), i, 1.0f, keys + i * g.dim);
  }
}

void gather(const float* in, int64_t stride, int64_t rows, int64_t head_dim, float* out, int64_t dim) {
  for (int64_t i = 0; i < rows; ++i) std::copy_n(in + i * stride, head_dim, out + i * dim);
}

void forward_task(const Geometry& g, const Task& task, const float* qkv, float* out, float* lse) {
  thread_local Buffers buffers;
  const int64_t padded = round_up(task.length, kLanes), head_dim = g.shape.head_dim;
  float* keys = reserve(buffers.keys, task.length * g.dim);
  float* keys_t = reserve(buffers.keys_t, head_dim * padded);
  float* values = reserve(buffers.values, task.length * g.dim);
  float* queries = reserve(buffers.queries, kBlockQueries * g.dim);
  float* scores = reserve(buffers.scores, kBlockQueries * padded);
  float* block_out = reserve(buffers.out, kBlockQueries * g.dim);
  gather_keys(g, task, qkv, keys);
  transpose(keys, task.length, g.dim, head_dim, keys_t, padded);
  gather(qkv + task.first * g.qkv_stride + g.value_column(task.kv_head), g.qkv_stride, task.length, head_dim, values, g.dim);
  for (int64_t head = task.kv_head * g.group; head < (task.kv_head + 1) * g.group; ++head) {
    float* head_lse = lse + head * g.total + task.first;
    for (int64_t start = 0; start < task.length; start += kBlockQueries) {
      const int64_t rows = std::min(kBlockQueries, task.length - start), columns = start + rows;
      for (int64_t r = 0; r < rows; ++r) {
        rotate(g, qkv + (task.first + start + r) * g.qkv_stride + g.query_column(head), start + r, g.scale, queries + r * g.dim);
      }
      small_gemm<false>(rows, round_up(columns, kLanes), head_dim, queries, g.dim, 1, keys_t, padded, scores, padded);
      for (int64_t r = 0; r < rows; ++r) {
        float* row = scores + r * padded;
        const int64_t visible = start + r + 1;
        float maximum = row[0];
#pragma omp simd reduction(max : maximum)
        for (int64_t j = 0; j < visible; ++j) maximum = row[j] > maximum ? row[j] : maximum;
        float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
        for (int64_t j = 0; j < visible; ++j) {
          row[j] = fast_exp(row[j] - maximum);
          sum += row[j];
        }
        const float inverse = 1.0f / sum;
#pragma omp simd
        for (int64_t j = 0; j < visible; ++j) row[j] *= inverse;
        std::fill(row + visible, row + columns, 0.0f);
        head_lse[start + r] = maximum + std::log(sum);
      }
      small_gemm<false>(rows, g.dim, columns, scores, padded, 1, values, g.dim, block_out, g.dim);
      for (int64_t r = 0; r < rows; ++r) {
        std::copy_n(block_out + r * g.dim, head_dim, out + (task.first + start + r) * g.out_stride + g.query_column(head));
      }
    }
  }
}

void backward_task(
    const Geometry& g, const Task& task, const float* dout, const float* qkv, const float* out, const float* lse, float* dqkv) {
  thread_local Buffers buffers;
  const int64_t padded = round_up(task.length, kLanes), head_dim = g.shape.head_dim;
  float* keys = reserve(buffers.keys, task.length * g.dim);
  float* keys_t = reserve(buffers.keys_t, head_dim * padded);
  float* values = reserve(buffers.values, task.length * g.dim);
  float* values_t = reserve(buffers.values_t, head_dim * padded);
  float* queries = reserve(buffers.queries, kBlockQueries * g.dim);
  float* scores = reserve(buffers.scores, kBlockQueries * padded);
  float* dscores = reserve(buffers.dscores, kBlockQueries * padded);
  float* block_dout = reserve(buffers.dout, kBlockQueries * g.dim);
  float* dqueries = reserve(buffers.out, kBlockQueries * g.dim);
  float* dkeys = reserve(buffers.dkeys, task.length * g.dim);
  float* dvalues = reserve(buffers.dvalues, task.length * g.dim);
  std::fill_n(dkeys, task.length * g.dim, 0.0f);
  std::fill_n(dvalues, task.length * g.dim, 0.0f);
  gather_keys(g, task, qkv, keys);
  transpose(keys, task.length, g.dim, head_dim, keys_t, padded);
  gather(qkv + task.first * g.qkv_stride + g.value_column(task.kv_head), g.qkv_stride, task.length, head_dim, values, g.dim);
  transpose(values, task.length, g.dim, head_dim, values_t, padded);
  for (int64_t head = task.kv_head * g.group; head < (task.kv_head + 1) * g.group; ++head) {
    const float* head_lse = lse + head * g.total + task.first;
    for (int64_t start = 0; start < task.length; start += kBlockQueries) {
      const int64_t rows = std::min(kBlockQueries, task.length - start), columns = start + rows;
      const int64_t first_row = task.first + start;
      for (int64_t r = 0; r < rows; ++r) {
        rotate(g, qkv + (first_row + r) * g.qkv_stride + g.query_column(head), start + r, g.scale, queries + r * g.dim);
      }
      gather(dout + first_row * g.out_stride + g.query_column(head), g.out_stride, rows, head_dim, block_dout, g.dim);
      small_gemm<false>(rows, round_up(columns, kLanes), head_dim, queries, g.dim, 1, keys_t, padded, scores, padded);
      small_gemm<false>(rows, round_up(columns, kLanes), head_dim, block_dout, g.dim, 1, values_t, padded, dscores, padded);
      for (int64_t r = 0; r < rows; ++r) {
        float* p = scores + r * padded;
        float* ds = dscores + r * padded;
        const int64_t visible = start + r + 1;
        const float row_lse = head_lse[start + r];
        const float* o = out + (first_row + r) * g.out_stride + g.query_column(head);
        const float mean = dot(block_dout + r * g.dim, o, head_dim);
#pragma omp simd
        for (int64_t j = 0; j < visible; ++j) {
          p[j] = fast_exp(p[j] - row_lse);
          ds[j] = p[j] * (ds[j] - mean);
        }
        std::fill(p + visible, p + columns, 0.0f);
        std::fill(ds + visible, ds + columns, 0.0f);
      }
      small_gemm<false>(rows, g.dim, columns, dscores, padded, 1, keys, g.dim, dqueries, g.dim);
      small_gemm<true>(columns, g.dim, rows, dscores, 1, padded, queries, g.dim, dkeys, g.dim);
      small_gemm<true>(columns, g.dim, rows, scores, 1, padded, block_dout, g.dim, dvalues, g.dim);
      for (int64_t r = 0; r < rows; ++r) {
        rotate_back(g, dqueries + r * g.dim, start + r, g.scale, dqkv + (first_row + r) * g.qkv_stride + g.query_column(head));
      }
    }
  }
  for (int64_t i = 0; i < task.length; ++i) {
    float* row = dqkv + (task.first + i) * g.qkv_stride;
    rotate_back(g, dkeys + i * g.dim, i, 1.0f, row + g.key_column(task.kv_head));
    std::copy_n(dvalues + i * g.dim, head_dim, row + g.value_column(task.kv_head));
  }
}

}  // namespace

void attention_cpu_forward(
    const AttentionShape& shape, const at::Tensor& qkv, const PackedSequences& batch, const at::Tensor& cos,
    const at::Tensor& sin, at::Tensor& out, at::Tensor& lse) {
  const Geometry g = geometry(shape, qkv, cos, sin);
  out = at::empty({g.total, g.out_stride}, qkv.options());
  lse = at::empty({shape.num_heads, g.total}, qkv.options());
  const float* pqkv = qkv.const_data_ptr<float>();
  float* pout = out.data_ptr<float>();
  float* plse = lse.data_ptr<float>();
  for_each_task(g, batch, [&](const Task& task) { forward_task(g, task, pqkv, pout, plse); });
}

at::Tensor attention_cpu_backward(
    const AttentionShape& shape, const at::Tensor& dout, const at::Tensor& qkv, const at::Tensor& out, const at::Tensor& lse,
    const PackedSequences& batch, const at::Tensor& cos, const at::Tensor& sin) {
  const Geometry g = geometry(shape, qkv, cos, sin);
  at::Tensor dqkv = at::empty_like(qkv);
  const float* pdout = dout.const_data_ptr<float>();
  const float* pqkv = qkv.const_data_ptr<float>();
  const float* pout = out.const_data_ptr<float>();
  const float* plse = lse.const_data_ptr<float>();
  float* pdqkv = dqkv.data_ptr<float>();
  for_each_task(g, batch, [&](const Task& task) { backward_task(g, task, pdout, pqkv, pout, plse, pdqkv); });
  return dqkv;
}

}  // namespace grouper
