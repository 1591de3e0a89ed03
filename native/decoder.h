// Runs tokens through the model against the key-value cache. A token is a row that knows its place and the blocks of its sequence;
// rows of prompts and of running sequences are alike.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "block_pool.h"
#include "model.h"

namespace grouper {

struct DecodeRow {
  int64_t token = 0;
  int64_t position = 0;
  const int32_t* blocks = nullptr;  // of the sequence, in order, as far as `position` needs them
  bool logits = false;
};

class Decoder {
 public:
  virtual ~Decoder() = default;

  // Writes the keys and values of every row into the cache and returns the logits of the rows that ask for them, in order:
  // [wanted, vocab] float32 on the model's device, valid until the next call. Rows of one sequence must be adjacent and ascending,
  // and all earlier positions of the sequence must be in the cache or among them.
  virtual at::Tensor forward(const std::vector<DecodeRow>& rows) = 0;

  // Makes room for blocks 0 to num_blocks - 1.
  virtual void reserve(int64_t num_blocks) = 0;
  virtual void copy_block(int32_t from, int32_t to) = 0;
  virtual void drop_cache() = 0;
  virtual void weights_changed() = 0;
};

// Float32 on a CPU, hand-written: a row's result does not depend on the other rows, bit for bit.
std::unique_ptr<Decoder> make_cpu_decoder(const ModelConfig& config, const Weights& weights);

// Any device and type, through ATen.
std::unique_ptr<Decoder> make_aten_decoder(
    const ModelConfig& config, const Weights& weights, at::Device device, at::ScalarType compute_dtype);

}  // namespace grouper
