// N-API and nothing else: JavaScript values in, a command for the engine thread, a promise out. Only typed arrays, numbers,
// booleans and strings cross. napi_env is touched on the JavaScript thread alone; everything else runs on the engine thread.
#include <napi.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include "convert.h"
#include "engine.h"
#include "engine_thread.h"
#include "preload.h"
#include "safetensors.h"

namespace grouper {

namespace {

struct Nothing {};

class NativeEngine : public Napi::ObjectWrap<NativeEngine> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(
        env,
        "NativeEngine",
        {InstanceMethod<&NativeEngine::open>("open"),
         InstanceMethod<&NativeEngine::forward>("forward"),
         InstanceMethod<&NativeEngine::forward_train>("forwardTrain"),
         InstanceMethod<&NativeEngine::backward>("backward"),
         InstanceMethod<&NativeEngine::optim_step>("optimStep"),
         InstanceMethod<&NativeEngine::zero_grad>("zeroGrad"),
         InstanceMethod<&NativeEngine::sample>("sample"),
         InstanceMethod<&NativeEngine::cancel>("cancel"),
         InstanceMethod<&NativeEngine::refresh_reference>("refreshReference"),
         InstanceMethod<&NativeEngine::save_weights>("saveWeights"),
         InstanceMethod<&NativeEngine::save_adapter>("saveAdapter"),
         InstanceMethod<&NativeEngine::save_state>("saveState"),
         InstanceMethod<&NativeEngine::load_state>("loadState"),
         InstanceMethod<&NativeEngine::visit_weights>("visitWeights"),
         InstanceMethod<&NativeEngine::gradient>("gradient"),
         InstanceMethod<&NativeEngine::dispose>("dispose")});
  }

  explicit NativeEngine(const Napi::CallbackInfo& info) : Napi::ObjectWrap<NativeEngine>(info) {
    const Napi::Function nothing = Napi::Function::New(info.Env(), [](const Napi::CallbackInfo&) {});
    to_javascript_ = Napi::ThreadSafeFunction::New(info.Env(), nothing, "grouper engine", 0, 1);
    to_javascript_.Unref(info.Env());
    thread_ = std::make_unique<EngineThread>([this] { return decode(); });
  }

  ~NativeEngine() override {
    thread_->stop();
    to_javascript_.Abort();
  }

 private:
  // Runs `work` on the engine thread and resolves with `convert(env, its result)`.
  template <typename Work, typename Convert>
  Napi::Value submit(Napi::Env env, Work work, Convert convert) {
    const Napi::Promise::Deferred deferred(env);
    if (!admit(env, deferred)) return deferred.Promise();
    thread_->post(EngineThread::Kind::kWork, [this, deferred, work = std::move(work), convert = std::move(convert)] {
      try {
        settle([deferred, convert, result = work()](Napi::Env env) {
          try {
            deferred.Resolve(convert(env, result));
          } catch (const Napi::Error& error) {
            deferred.Reject(error.Value());
          }
        });
      } catch (...) {
        reject(deferred, describe(std::current_exception()));
      }
    });
    return deferred.Promise();
  }

  // For work without a result.
  template <typename Work>
  Napi::Value submit(Napi::Env env, Work work) {
    return submit(
        env,
        [work = std::move(work)] {
          work();
          return Nothing{};
        },
        [](Napi::Env env, const Nothing&) { return env.Undefined(); });
  }

  // JavaScript thread. Counts the promise as pending, which keeps this object and the event loop alive until it is settled.
  bool admit(Napi::Env env, const Napi::Promise::Deferred& deferred) {
    if (disposed_) {
      deferred.Reject(error_object(env, {"EngineError", "The engine is disposed.", ""}));
      return false;
    }
    Ref();
    if (num_pending_++ == 0) to_javascript_.Ref(env);
    return true;
  }

  // Engine thread. `settlement` runs on the JavaScript thread; it may resolve or reject one pending promise.
  void settle(std::function<void(Napi::Env)> settlement) {
    to_javascript_.NonBlockingCall([this, settlement = std::move(settlement)](Napi::Env env, const Napi::Function&) {
      settlement(env);
      if (--num_pending_ == 0) to_javascript_.Unref(env);
      Unref();
    });
  }

  void reject(const Napi::Promise::Deferred& deferred, Failure failure) {
    settle([deferred, failure = std::move(failure)](Napi::Env env) { deferred.Reject(error_object(env, failure)); });
  }

  // Engine thread.
  Engine& engine() {
    TORCH_CHECK(engine_ != nullptr, disposing_ ? "The engine is disposed." : "The engine is not open.");
    return *engine_;
  }

  // Engine thread: one token for every running sequence. A sampler that threw is in an unknown state, so all its requests fail.
  bool decode() {
    if (engine_ == nullptr || engine_->sampler().idle()) return false;
    try {
      for (const SampleResult& result : engine_->sampler().step(engine_->policy_version())) {
        const auto found = samples_.find(result.id);
        TORCH_CHECK(found != samples_.end(), "The sampler ended request ", result.id, ", which nobody asked for.");
        settle([deferred = found->second, result](Napi::Env env) { deferred.Resolve(sample_object(env, result)); });
        samples_.erase(found);
      }
      return !engine_->sampler().idle();
    } catch (...) {
      fail_samples(describe(std::current_exception()));
      return false;
    }
  }

  void fail_samples(const Failure& failure) {
    for (const auto& [id, deferred] : samples_) {
      if (engine_ != nullptr) engine_->sampler().cancel(id);
      reject(deferred, failure);
    }
    samples_.clear();
  }

  Napi::Value open(const Napi::CallbackInfo& info) {
    auto options = engine_options(object_of(info[0], "options"));
    return submit(
        info.Env(),
        [this, options = std::move(options)] {
          TORCH_CHECK(engine_ == nullptr, "The engine is already open.");
          engine_ = std::make_unique<Engine>(options);
          return std::pair(engine_->info(), engine_->policy_version());
        },
        [](Napi::Env env, const auto& opened) { return info_object(env, opened.first, opened.second); });
  }

  Napi::Value forward(const Napi::CallbackInfo& info) {
    auto batch = micro_batch(object_of(info[0], "batch"));
    const auto options = forward_options(object_of(info[1], "options"));
    return submit(
        info.Env(), [this, batch = std::move(batch), options] { return engine().forward(batch, options); }, outputs_object);
  }

  Napi::Value forward_train(const Napi::CallbackInfo& info) {
    auto batch = micro_batch(object_of(info[0], "batch"));
    const auto options = forward_options(object_of(info[1], "options"));
    return submit(
        info.Env(), [this, batch = std::move(batch), options] { return engine().forward_train(batch, options); }, outputs_object);
  }

  Napi::Value backward(const Napi::CallbackInfo& info) {
    const OutputGradients gradients{
        gradient_of(info[0], "dLogprobs"), gradient_of(info[1], "dEntropies"), gradient_of(info[2], "dValues")};
    return submit(info.Env(), [this, gradients] { engine().backward(gradients); });
  }

  Napi::Value optim_step(const Napi::CallbackInfo& info) {
    const auto params = adam_params(object_of(info[0], "adam"));
    return submit(
        info.Env(),
        [this, params] {
          const auto result = engine().optim_step(params);
          return std::pair(result, engine().policy_version());
        },
        [](Napi::Env env, const auto& stepped) { return step_object(env, stepped.first, stepped.second); });
  }

  Napi::Value zero_grad(const Napi::CallbackInfo& info) {
    return submit(info.Env(), [this] { engine().zero_grad(); });
  }

  // Resolves when the request's last token is sampled.
  Napi::Value sample(const Napi::CallbackInfo& info) {
    auto request = sample_request(object_of(info[0], "request"));
    const Napi::Promise::Deferred deferred(info.Env());
    if (!admit(info.Env(), deferred)) return deferred.Promise();
    thread_->post(EngineThread::Kind::kBrief, [this, deferred, request = std::move(request)] {
      try {
        TORCH_CHECK(samples_.count(request.id) == 0, "Sample request ", request.id, " is already running.");
        engine().sampler().add(request);
        samples_.emplace(request.id, deferred);
      } catch (...) {
        reject(deferred, describe(std::current_exception()));
      }
    });
    return deferred.Promise();
  }

  // The request's promise is rejected with an AbortError; nothing happens when it has already ended.
  void cancel(const Napi::CallbackInfo& info) {
    if (!info[0].IsNumber()) throw type_error(info.Env(), "id", "a number");
    const auto id = static_cast<uint64_t>(info[0].As<Napi::Number>().Int64Value());
    thread_->post(EngineThread::Kind::kBrief, [this, id] {
      const auto found = samples_.find(id);
      if (found == samples_.end()) return;
      const Napi::Promise::Deferred deferred = found->second;
      samples_.erase(found);
      try {
        engine().sampler().cancel(id);
        reject(deferred, {"AbortError", "The sample request was cancelled.", ""});
      } catch (...) {
        reject(deferred, describe(std::current_exception()));
      }
    });
  }

  Napi::Value refresh_reference(const Napi::CallbackInfo& info) {
    return submit(info.Env(), [this] { engine().refresh_reference(); });
  }

  Napi::Value save_weights(const Napi::CallbackInfo& info) {
    return submit(info.Env(), [this, dir = string_of(info[0], "dir")] { engine().save_weights(dir); });
  }

  Napi::Value save_adapter(const Napi::CallbackInfo& info) {
    return submit(info.Env(), [this, dir = string_of(info[0], "dir")] { engine().save_adapter(dir); });
  }

  Napi::Value save_state(const Napi::CallbackInfo& info) {
    return submit(info.Env(), [this, dir = string_of(info[0], "dir")] { engine().save_state(dir); });
  }

  Napi::Value load_state(const Napi::CallbackInfo& info) {
    return submit(
        info.Env(),
        [this, dir = string_of(info[0], "dir")] {
          engine().load_state(dir);
          return engine().policy_version();
        },
        [](Napi::Env env, int64_t version) { return Napi::Number::New(env, static_cast<double>(version)); });
  }

  // Calls visit(name, bytes) with every policy tensor in name order, in pieces; the engine thread waits for each call to return, so
  // that no more than one piece exists at a time.
  Napi::Value visit_weights(const Napi::CallbackInfo& info) {
    if (!info[0].IsFunction()) throw type_error(info.Env(), "visit", "a function");
    if (!visitor_.IsEmpty()) throw Napi::Error::New(info.Env(), "The weights are already being visited.");
    visitor_ = Napi::Persistent(info[0].As<Napi::Function>());
    return submit(
        info.Env(),
        [this] {
          std::exception_ptr failure;
          try {
            engine().visit_weights([this](const std::string& name, const void* data, size_t size) {
              const auto* bytes = static_cast<const uint8_t*>(data);
              for (size_t begin = 0; begin < size; begin += kPieceBytes) {
                show_piece(name, {bytes + begin, bytes + std::min(size, begin + kPieceBytes)});
              }
            });
          } catch (...) {
            failure = std::current_exception();
          }
          return failure ? std::optional(describe(failure)) : std::nullopt;
        },
        [this](Napi::Env env, const std::optional<Failure>& failure) -> Napi::Value {
          visitor_.Reset();
          if (failure) throw Napi::Error(env, error_object(env, *failure));
          return env.Undefined();
        });
  }

  // Engine thread: hands one piece over and waits until JavaScript has seen it.
  void show_piece(const std::string& name, std::vector<uint8_t> piece) {
    struct Turn {
      std::mutex mutex;
      std::condition_variable changed;
      bool done = false;
      std::string error;
    };
    const auto turn = std::make_shared<Turn>();
    const auto status =
        to_javascript_.NonBlockingCall([this, turn, name, piece = std::move(piece)](Napi::Env env, const Napi::Function&) {
          std::string error;
          try {
            auto bytes = Napi::Uint8Array::New(env, piece.size());
            std::memcpy(bytes.Data(), piece.data(), piece.size());
            visitor_.Call({Napi::String::New(env, name), bytes});
          } catch (const Napi::Error& thrown) {
            error = thrown.Message();
          }
          {
            const std::lock_guard<std::mutex> lock(turn->mutex);
            turn->done = true;
            turn->error = error;
          }
          turn->changed.notify_one();
        });
    TORCH_CHECK(status == napi_ok, "The JavaScript side is closing.");
    std::unique_lock<std::mutex> lock(turn->mutex);
    while (!turn->changed.wait_for(lock, std::chrono::milliseconds(100), [&] { return turn->done; })) {
      TORCH_CHECK(!thread_->stopping(), "The engine is being disposed.");
    }
    TORCH_CHECK(turn->error.empty(), turn->error);
  }

  // A copy of the accumulated gradient of one named tensor, or undefined; for tests.
  Napi::Value gradient(const Napi::CallbackInfo& info) {
    return submit(
        info.Env(),
        [this, name = string_of(info[0], "name")] {
          const at::Tensor gradient = engine().gradient(name);
          return gradient.defined() ? gradient.to(at::kCPU, at::kFloat).contiguous() : gradient;
        },
        float32_array);
  }

  // Frees the engine now; the running command ends first and everything after it is refused. Safe twice.
  Napi::Value dispose(const Napi::CallbackInfo& info) {
    if (disposed_) {
      const Napi::Promise::Deferred deferred(info.Env());
      deferred.Resolve(info.Env().Undefined());
      return deferred.Promise();
    }
    const Napi::Value promise = submit(info.Env(), [this] {
      disposing_ = true;
      fail_samples({"EngineError", "The engine is disposed.", ""});
      engine_.reset();
    });
    disposed_ = true;
    return promise;
  }

  static constexpr size_t kPieceBytes = size_t{8} << 20;

  // JavaScript thread.
  Napi::ThreadSafeFunction to_javascript_;
  Napi::FunctionReference visitor_;
  size_t num_pending_ = 0;
  bool disposed_ = false;

  // Engine thread.
  std::unique_ptr<Engine> engine_;
  std::unordered_map<uint64_t, Napi::Promise::Deferred> samples_;
  bool disposing_ = false;

  // Last, so that it is joined before what it uses goes.
  std::unique_ptr<EngineThread> thread_;
};

// Every tensor of one file or folder, for tests and tools: [{ name, dtype, shape, data }].
Napi::Value read_tensors(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = string_of(info[0], "path");
  const bool is_file = path.ends_with(".safetensors");
  try {
    const auto tensors = is_file ? read_safetensors(path) : read_safetensors_dir(path);
    const Napi::Array list = Napi::Array::New(env);
    for (const auto& [name, tensor] : tensors) list.Set(list.Length(), tensor_object(env, name, tensor));
    return list;
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw Napi::Error(env, error_object(env, describe(std::current_exception())));
  }
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  preload_cuda_companions();
  exports.Set("torchVersion", GROUPER_TORCH_VERSION);
  exports.Set("NativeEngine", NativeEngine::define(env));
  exports.Set("readSafetensors", Napi::Function::New(env, read_tensors));
  return exports;
}

}  // namespace

NODE_API_MODULE(grouper, initialise)

}  // namespace grouper
