// The one thread that touches the engine: commands run on it in the order they were posted, and between commands the sampler
// decodes. libgomp builds a team of workers for every thread that enters a parallel region, so there must be exactly one.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace grouper {

class EngineThread {
 public:
  // A command must not throw.
  using Command = std::function<void()>;
  // Runs between commands, on the thread; returns true while there is more of it to do. Must not throw.
  using Background = std::function<bool()>;
  // Brief commands (a request joins the running batch) are all taken before the background runs again; after every other
  // command it runs once, so that neither training nor sampling starves the other.
  enum class Kind { kBrief, kWork };

  explicit EngineThread(Background background);
  ~EngineThread();
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  void post(Kind kind, Command command);
  // Lets the running command end, drops the others and joins. Safe twice.
  void stop();
  bool stopping() const;

 private:
  struct Posted {
    Kind kind;
    Command command;
  };

  void run();

  Background background_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Posted> queue_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace grouper
