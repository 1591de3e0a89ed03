// Reads and writes the safetensors format: an 8-byte little-endian header length, a JSON header, raw tensors.
// Hostile files are expected: every length, offset, dtype and shape is checked before a byte is used.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

namespace grouper {

// Name -> tensor on the CPU, in the dtype of the file. Reads `dir`/model.safetensors, or the shards that
// `dir`/model.safetensors.index.json names. Throws c10::Error with one sentence that names the file and the fault.
std::map<std::string, at::Tensor> read_safetensors_dir(const std::string& dir);

std::map<std::string, at::Tensor> read_safetensors(const std::string& path);

// Writes tensors in the given order (vLLM wants them grouped by layer), contiguous, then fsyncs the file.
void write_safetensors(
    const std::string& path,
    const std::vector<std::pair<std::string, at::Tensor>>& tensors,
    const std::map<std::string, std::string>& metadata = {{"format", "pt"}});

}  // namespace grouper
