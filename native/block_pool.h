// Hands out the blocks of the key-value cache. A block holds kBlockTokens consecutive tokens of one sequence, or of a prompt that
// several sequences share; it is free again when its last owner releases it.
#pragma once

#include <cstdint>
#include <vector>

#include <c10/util/Exception.h>

namespace grouper {

constexpr int64_t kBlockTokens = 16;

inline int64_t blocks_for(int64_t num_tokens) { return (num_tokens + kBlockTokens - 1) / kBlockTokens; }

class BlockPool {
 public:
  explicit BlockPool(int64_t num_blocks) : num_blocks_(num_blocks) {}

  int64_t num_blocks() const { return num_blocks_; }
  int64_t num_free() const { return num_blocks_ - static_cast<int64_t>(num_owners_.size() - free_.size()); }
  // Blocks that were ever in use: what the cache must have memory for.
  int64_t num_touched() const { return static_cast<int64_t>(num_owners_.size()); }

  int32_t take() {
    TORCH_INTERNAL_ASSERT(num_free() > 0, "the key-value cache has no free block");
    if (free_.empty()) {
      num_owners_.push_back(1);
      return static_cast<int32_t>(num_owners_.size() - 1);
    }
    const int32_t block = free_.back();
    free_.pop_back();
    num_owners_[static_cast<size_t>(block)] = 1;
    return block;
  }

  int32_t share(int32_t block) {
    ++num_owners_[static_cast<size_t>(block)];
    return block;
  }

  void release(std::vector<int32_t>& blocks) {
    for (const int32_t block : blocks) {
      if (--num_owners_[static_cast<size_t>(block)] == 0) free_.push_back(block);
    }
    blocks.clear();
  }

 private:
  int64_t num_blocks_;
  std::vector<int32_t> num_owners_;
  std::vector<int32_t> free_;
};

}  // namespace grouper
