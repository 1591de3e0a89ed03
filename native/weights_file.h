// Model and state files: named tensors to and from safetensors, from any device.
#pragma once

#include <string>
#include <vector>

#include "model.h"

namespace grouper {

// Writes `tensors` into one file, in their own types.
void write_tensors(const std::string& path, const NamedTensors& tensors);

// Writes `dir`/model.safetensors at `dtype`, or shards of at most 4 GB with `dir`/model.safetensors.index.json.
void write_model(const std::string& dir, const NamedTensors& tensors, at::ScalarType dtype);

struct TensorCopy {
  at::Tensor from, to;
};

// Reads a file that must hold exactly `tensors`, by name, shape and type; copies nothing yet.
std::vector<TensorCopy> plan_read(const std::string& path, const NamedTensors& tensors);

}  // namespace grouper
