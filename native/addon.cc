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
#include <new>
#include <optional>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <c10/util/Exception.h>

#include "engine.h"
#include "engine_thread.h"
#include "preload.h"
#include "safetensors.h"

namespace {

// ---- JavaScript to C++ ----------------------------------------------------------------------------------------------------

Napi::Error type_error(Napi::Env env, const std::string& name, const char* expected) {
  return Napi::TypeError::New(env, "Expected " + name + " to be " + expected + ".");
}

double number_at(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsNumber()) throw type_error(object.Env(), name, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

int64_t integer_at(const Napi::Object& object, const char* name) { return static_cast<int64_t>(number_at(object, name)); }

bool boolean_at(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsBoolean()) throw type_error(object.Env(), name, "a boolean");
  return value.As<Napi::Boolean>().Value();
}

std::string string_of(const Napi::Value& value, const char* name) {
  if (!value.IsString()) throw type_error(value.Env(), name, "a string");
  return value.As<Napi::String>().Utf8Value();
}

std::string string_at(const Napi::Object& object, const char* name) { return string_of(object.Get(name), name); }

Napi::Object object_of(const Napi::Value& value, const char* name) {
  if (!value.IsObject()) throw type_error(value.Env(), name, "an object");
  return value.As<Napi::Object>();
}

template <typename Array>
Array typed_array_of(const Napi::Value& value, const char* name, napi_typedarray_type type, const char* expected) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    throw type_error(value.Env(), name, expected);
  }
  return value.As<Array>();
}

Napi::Int32Array int32_of(const Napi::Value& value, const char* name) {
  return typed_array_of<Napi::Int32Array>(value, name, napi_int32_array, "an Int32Array");
}

// A copy, so that nothing of JavaScript's memory is read after the call returns.
template <typename Array>
at::Tensor tensor_of(const Array& array, at::ScalarType type) {
  at::Tensor tensor = at::empty({static_cast<int64_t>(array.ElementLength())}, at::TensorOptions().dtype(type));
  if (array.ByteLength() > 0) std::memcpy(tensor.data_ptr(), array.Data(), array.ByteLength());
  return tensor;
}

// Undefined stays undefined: an absent gradient is zero.
at::Tensor gradient_of(const Napi::Value& value, const char* name) {
  if (value.IsUndefined()) return {};
  const auto array = typed_array_of<Napi::Float32Array>(value, name, napi_float32_array, "a Float32Array or undefined");
  return tensor_of(array, at::kFloat);
}

std::vector<int64_t> int64_vector(const Napi::Int32Array& array) {
  return {array.Data(), array.Data() + array.ElementLength()};
}

grouper::ModelConfig model_config(const Napi::Object& from) {
  grouper::ModelConfig config;
  config.model_type = string_at(from, "modelType");
  config.vocab_size = integer_at(from, "vocabSize");
  config.hidden_size = integer_at(from, "hiddenSize");
  config.intermediate_size = integer_at(from, "intermediateSize");
  config.num_hidden_layers = integer_at(from, "numHiddenLayers");
  config.num_attention_heads = integer_at(from, "numAttentionHeads");
  config.num_key_value_heads = integer_at(from, "numKeyValueHeads");
  config.head_dim = integer_at(from, "headDim");
  config.max_position_embeddings = integer_at(from, "maxPositionEmbeddings");
  config.rms_norm_eps = number_at(from, "rmsNormEps");
  config.rope_theta = number_at(from, "ropeTheta");
  config.tie_word_embeddings = boolean_at(from, "tieWordEmbeddings");
  config.attention_bias = boolean_at(from, "attentionBias");
  config.qk_norm = boolean_at(from, "qkNorm");
  config.initializer_range = number_at(from, "initializerRange");
  if (const Napi::Value scaling = from.Get("ropeScaling"); !scaling.IsNull()) {
    const Napi::Object object = object_of(scaling, "ropeScaling");
    config.rope_scaling = grouper::RopeScaling{
        number_at(object, "factor"),
        number_at(object, "lowFreqFactor"),
        number_at(object, "highFreqFactor"),
        integer_at(object, "originalMaxPositionEmbeddings")};
  }
  return config;
}

grouper::EngineOptions engine_options(const Napi::Object& from) {
  grouper::EngineOptions options;
  options.model = model_config(object_of(from.Get("model"), "model"));
  options.weights_dir = string_at(from, "weightsDir");
  options.init_seed = integer_at(from, "initSeed");
  options.device = string_at(from, "device");
  options.reference = boolean_at(from, "reference");
  options.value_head = boolean_at(from, "valueHead");
  options.lora.rank = integer_at(from, "loraRank");
  options.lora.alpha = number_at(from, "loraAlpha");
  const Napi::Object targets = object_of(from.Get("loraTargets"), "loraTargets");
  for (uint32_t i = 0; i < targets.As<Napi::Array>().Length(); ++i) {
    options.lora.target_modules.push_back(string_of(targets.Get(i), "loraTargets"));
  }
  options.activation_checkpointing = boolean_at(from, "activationCheckpointing");
  options.bf16_moments = boolean_at(from, "bf16Moments");
  options.head_chunk_tokens = integer_at(from, "headChunkTokens");
  options.num_threads = integer_at(from, "numThreads");
  options.sampler.max_batch = integer_at(from, "maxBatch");
  options.sampler.max_cache_tokens = integer_at(from, "maxCacheTokens");
  return options;
}

grouper::ForwardOptions forward_options(const Napi::Object& from) {
  return {boolean_at(from, "reference"), boolean_at(from, "entropies"), boolean_at(from, "values"), number_at(from, "temperature")};
}

grouper::MicroBatch micro_batch(const Napi::Object& from) {
  grouper::MicroBatch batch;
  batch.token_ids = tensor_of(int32_of(from.Get("tokenIds"), "tokenIds"), at::kInt);
  batch.lengths = int64_vector(int32_of(from.Get("lengths"), "lengths"));
  batch.loss_mask = tensor_of(
      typed_array_of<Napi::Uint8Array>(from.Get("lossMask"), "lossMask", napi_uint8_array, "a Uint8Array"), at::kByte);
  return batch;
}

grouper::SampleRequest sample_request(const Napi::Object& from) {
  grouper::SampleRequest request;
  request.id = static_cast<uint64_t>(integer_at(from, "id"));
  request.prompt = int64_vector(int32_of(from.Get("promptTokenIds"), "promptTokenIds"));
  request.seed = static_cast<uint64_t>(integer_at(from, "seed"));
  request.params.temperature = number_at(from, "temperature");
  request.params.top_p = number_at(from, "topP");
  request.params.top_k = integer_at(from, "topK");
  request.params.min_p = number_at(from, "minP");
  request.params.max_tokens = integer_at(from, "maxTokens");
  request.params.min_tokens = integer_at(from, "minTokens");
  request.params.stop_token_ids = int64_vector(int32_of(from.Get("stopTokenIds"), "stopTokenIds"));
  return request;
}

// ---- C++ to JavaScript ----------------------------------------------------------------------------------------------------

Napi::Value float32_array(Napi::Env env, const at::Tensor& tensor) {
  if (!tensor.defined()) return env.Undefined();
  auto array = Napi::Float32Array::New(env, static_cast<size_t>(tensor.numel()));
  if (tensor.numel() > 0) std::memcpy(array.Data(), tensor.data_ptr<float>(), tensor.numel() * sizeof(float));
  return array;
}

Napi::Object outputs_object(Napi::Env env, const grouper::Outputs& outputs) {
  const Napi::Object object = Napi::Object::New(env);
  object.Set("logprobs", float32_array(env, outputs.logprobs));
  if (outputs.entropies.defined()) object.Set("entropies", float32_array(env, outputs.entropies));
  if (outputs.values.defined()) object.Set("values", float32_array(env, outputs.values));
  return object;
}

Napi::Object info_object(Napi::Env env, const grouper::EngineInfo& info, int64_t policy_version) {
  const Napi::Object object = Napi::Object::New(env);
  object.Set("device", info.device);
  object.Set("dtype", info.dtype);
  object.Set("torchVersion", info.torch_version);
  object.Set("numParameters", static_cast<double>(info.num_parameters));
  object.Set("numTrainableParameters", static_cast<double>(info.num_trainable_parameters));
  object.Set("policyVersion", static_cast<double>(policy_version));
  const Napi::Array notes = Napi::Array::New(env, info.notes.size());
  for (uint32_t i = 0; i < info.notes.size(); ++i) notes.Set(i, info.notes[i]);
  object.Set("notes", notes);
  return object;
}

Napi::Object sample_object(Napi::Env env, const grouper::SampleResult& result) {
  const Napi::Object object = Napi::Object::New(env);
  auto tokens = Napi::Int32Array::New(env, result.tokens.size());
  for (size_t i = 0; i < result.tokens.size(); ++i) tokens[i] = static_cast<int32_t>(result.tokens[i]);
  auto logprobs = Napi::Float32Array::New(env, result.logprobs.size());
  for (size_t i = 0; i < result.logprobs.size(); ++i) logprobs[i] = result.logprobs[i];
  object.Set("tokenIds", tokens);
  object.Set("logprobs", logprobs);
  object.Set("stopped", result.stopped);
  object.Set("policyVersion", static_cast<double>(result.policy_version));
  return object;
}

// What went wrong on the engine thread: a kind, the first sentence for people, and all of it for a log.
struct Failure {
  std::string name, message, detail;
};

Failure describe(const std::exception_ptr& exception) {
  const auto first_line = [](const std::string& text) { return text.substr(0, text.find('\n')); };
  try {
    std::rethrow_exception(exception);
  } catch (const c10::OutOfMemoryError& error) {
    return {"OutOfMemoryError", first_line(error.what_without_backtrace()), error.what()};
  } catch (const c10::Error& error) {
    return {"EngineError", first_line(error.what_without_backtrace()), error.what()};
  } catch (const std::bad_alloc& error) {
    return {"OutOfMemoryError", "The engine process ran out of host memory.", error.what()};
  } catch (const std::exception& error) {
    return {"EngineError", first_line(error.what()), error.what()};
  } catch (...) {
    return {"EngineError", "The engine threw something that is not a std::exception.", ""};
  }
}

Napi::Value error_object(Napi::Env env, const Failure& failure) {
  const Napi::Object error = Napi::Error::New(env, failure.message).Value();
  error.Set("name", failure.name);
  error.Set("detail", failure.detail);
  return error;
}

// ---- The exported class ---------------------------------------------------------------------------------------------------

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
    thread_ = std::make_unique<grouper::EngineThread>([this] { return decode(); });
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
    thread_->post(grouper::EngineThread::Kind::kWork, [this, deferred, work = std::move(work), convert = std::move(convert)] {
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
  grouper::Engine& engine() {
    TORCH_CHECK(engine_ != nullptr, disposing_ ? "The engine is disposed." : "The engine is not open.");
    return *engine_;
  }

  // Engine thread: one token for every running sequence. A sampler that threw is in an unknown state, so all its requests fail.
  bool decode() {
    if (engine_ == nullptr || engine_->sampler().idle()) return false;
    try {
      for (const grouper::SampleResult& result : engine_->sampler().step(engine_->policy_version())) {
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
          engine_ = std::make_unique<grouper::Engine>(options);
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
    const grouper::OutputGradients gradients{
        gradient_of(info[0], "dLogprobs"), gradient_of(info[1], "dEntropies"), gradient_of(info[2], "dValues")};
    return submit(info.Env(), [this, gradients] { engine().backward(gradients); });
  }

  Napi::Value optim_step(const Napi::CallbackInfo& info) {
    const Napi::Object from = object_of(info[0], "adam");
    const grouper::AdamParams params{
        number_at(from, "learningRate"),
        number_at(from, "beta1"),
        number_at(from, "beta2"),
        number_at(from, "eps"),
        number_at(from, "weightDecay"),
        number_at(from, "maxGradNorm"),
        number_at(from, "valueLearningRate")};
    return submit(
        info.Env(),
        [this, params] {
          const auto result = engine().optim_step(params);
          return std::pair(result, engine().policy_version());
        },
        [](Napi::Env env, const auto& stepped) {
          const Napi::Object object = Napi::Object::New(env);
          object.Set("gradNorm", stepped.first.grad_norm);
          object.Set("skipped", stepped.first.skipped);
          object.Set("policyVersion", static_cast<double>(stepped.second));
          return object;
        });
  }

  Napi::Value zero_grad(const Napi::CallbackInfo& info) {
    return submit(info.Env(), [this] { engine().zero_grad(); });
  }

  // Resolves when the request's last token is sampled.
  Napi::Value sample(const Napi::CallbackInfo& info) {
    auto request = sample_request(object_of(info[0], "request"));
    const Napi::Promise::Deferred deferred(info.Env());
    if (!admit(info.Env(), deferred)) return deferred.Promise();
    thread_->post(grouper::EngineThread::Kind::kBrief, [this, deferred, request = std::move(request)] {
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
    thread_->post(grouper::EngineThread::Kind::kBrief, [this, id] {
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
  std::unique_ptr<grouper::Engine> engine_;
  std::unordered_map<uint64_t, Napi::Promise::Deferred> samples_;
  bool disposing_ = false;

  // Last, so that it is joined before what it uses goes.
  std::unique_ptr<grouper::EngineThread> thread_;
};

// Every tensor of one file or folder, for tests and tools: [{ name, dtype, shape, data }].
Napi::Value read_safetensors(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const std::string path = string_of(info[0], "path");
  const bool is_file = path.ends_with(".safetensors");
  try {
    const auto tensors = is_file ? grouper::read_safetensors(path) : grouper::read_safetensors_dir(path);
    const Napi::Array list = Napi::Array::New(env);
    for (const auto& [name, tensor] : tensors) {
      const Napi::Object entry = Napi::Object::New(env);
      const Napi::Array shape = Napi::Array::New(env);
      for (uint32_t i = 0; i < tensor.dim(); ++i) shape.Set(i, static_cast<double>(tensor.size(i)));
      auto data = Napi::Uint8Array::New(env, tensor.nbytes());
      if (tensor.nbytes() > 0) std::memcpy(data.Data(), tensor.contiguous().data_ptr(), tensor.nbytes());
      entry.Set("name", name);
      entry.Set("dtype", c10::toString(tensor.scalar_type()));
      entry.Set("shape", shape);
      entry.Set("data", data);
      list.Set(list.Length(), entry);
    }
    return list;
  } catch (const Napi::Error&) {
    throw;
  } catch (...) {
    throw Napi::Error(env, error_object(env, describe(std::current_exception())));
  }
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  grouper::preload_cuda_companions();
  exports.Set("torchVersion", GROUPER_TORCH_VERSION);
  exports.Set("NativeEngine", NativeEngine::define(env));
  exports.Set("readSafetensors", Napi::Function::New(env, read_safetensors));
  return exports;
}

}  // namespace

NODE_API_MODULE(grouper, initialise)
