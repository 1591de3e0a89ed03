#include "engine_thread.h"

#include <utility>

namespace grouper {

EngineThread::EngineThread(Background background)
    : background_(std::move(background)), thread_([this] { run(); }) {}

EngineThread::~EngineThread() { stop(); }

void EngineThread::post(Kind kind, Command command) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    queue_.push_back({kind, std::move(command)});
  }
  wake_.notify_one();
}

void EngineThread::stop() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    queue_.clear();
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

bool EngineThread::stopping() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return stopping_;
}

void EngineThread::run() {
  bool background_left = false;
  while (true) {
    Posted next{Kind::kWork, nullptr};
    {
      std::unique_lock<std::mutex> lock(mutex_);
      if (!background_left) wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      if (!queue_.empty()) {
        next = std::move(queue_.front());
        queue_.pop_front();
      }
    }
    if (next.command) next.command();
    if (next.command && next.kind == Kind::kBrief) {
      background_left = true;
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!queue_.empty() && queue_.front().kind == Kind::kBrief) continue;
    }
    background_left = background_();
  }
}

}  // namespace grouper
