#include "weights_file.h"

#include <cstdio>
#include <map>
#include <memory>
#include <optional>

#include <unistd.h>

#include <ATen/ATen.h>

#include "safetensors.h"

namespace grouper {
namespace {

using at::Tensor;

constexpr int64_t kMaxShardBytes = int64_t{4'000'000'000};

NamedTensors on_cpu(const NamedTensors& tensors, std::optional<at::ScalarType> dtype) {
  NamedTensors copies;
  for (const auto& [name, tensor] : tensors) {
    copies.emplace_back(name, tensor.detach().to(at::kCPU, dtype.value_or(tensor.scalar_type())).contiguous());
  }
  return copies;
}

void write_text(const std::string& path, const std::string& text) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "wb"), &std::fclose);
  const bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file.get()) == text.size() &&
                       std::fflush(file.get()) == 0 && ::fsync(::fileno(file.get())) == 0;
  TORCH_CHECK(written, "Could not write ", path, ": is the disk full, or the folder gone?");
}

}  // namespace

void write_tensors(const std::string& path, const NamedTensors& tensors) { write_safetensors(path, on_cpu(tensors, std::nullopt)); }

void write_model(const std::string& dir, const NamedTensors& tensors, at::ScalarType dtype) {
  std::vector<NamedTensors> shards(1);
  int64_t shard_bytes = 0, total_bytes = 0;
  for (const auto& entry : tensors) {
    const auto bytes = static_cast<int64_t>(entry.second.numel() * c10::elementSize(dtype));
    if (shard_bytes > 0 && shard_bytes + bytes > kMaxShardBytes) {
      shards.emplace_back();
      shard_bytes = 0;
    }
    shards.back().push_back(entry);
    shard_bytes += bytes;
    total_bytes += bytes;
  }
  if (shards.size() == 1) {
    write_safetensors(dir + "/model.safetensors", on_cpu(tensors, dtype));
    return;
  }
  std::string weight_map;
  for (size_t i = 0; i < shards.size(); ++i) {
    char file[64];
    std::snprintf(file, sizeof(file), "model-%05zu-of-%05zu.safetensors", i + 1, shards.size());
    write_safetensors(dir + "/" + file, on_cpu(shards[i], dtype));
    for (const auto& [name, tensor] : shards[i]) {
      if (!weight_map.empty()) weight_map += ',';
      weight_map.append("\n    \"").append(name).append("\": \"").append(file).append("\"");
    }
  }
  write_text(
      dir + "/model.safetensors.index.json",
      "{\n  \"metadata\": {\"total_size\": " + std::to_string(total_bytes) + "},\n  \"weight_map\": {" + weight_map + "\n  }\n}\n");
}

std::vector<TensorCopy> plan_read(const std::string& path, const NamedTensors& tensors) {
  std::map<std::string, Tensor> file = read_safetensors(path);
  TORCH_CHECK(
      file.size() == tensors.size(), "Expected ", tensors.size(), " tensors in ", path, ", got ", file.size(),
      ": was it saved by an engine with other options (LoRA, value head, reference)?");
  std::vector<TensorCopy> copies;
  for (const auto& [name, tensor] : tensors) {
    const auto found = file.find(name);
    TORCH_CHECK(found != file.end(), "Expected a tensor ", name, " in ", path, ", which has none: was it saved by an engine with other options?");
    TORCH_CHECK(
        found->second.sizes() == tensor.sizes() && found->second.scalar_type() == tensor.scalar_type(), "Expected ", name, " in ",
        path, " to be ", tensor.scalar_type(), " ", tensor.sizes(), ", got ", found->second.scalar_type(), " ", found->second.sizes(),
        ": was it saved from another model?");
    copies.push_back({found->second, tensor});
  }
  return copies;
}

}  // namespace grouper
