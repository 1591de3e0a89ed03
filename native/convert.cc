#include "convert.h"

#include <cstring>
#include <new>

#include <c10/util/Exception.h>

namespace grouper {

namespace {

int64_t integer_at(const Napi::Object& object, const char* name) { return static_cast<int64_t>(number_at(object, name)); }

bool boolean_at(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsBoolean()) throw type_error(object.Env(), name, "a boolean");
  return value.As<Napi::Boolean>().Value();
}

std::string string_at(const Napi::Object& object, const char* name) { return string_of(object.Get(name), name); }

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

template <typename Array>
at::Tensor tensor_of(const Array& array, at::ScalarType type) {
  at::Tensor tensor = at::empty({static_cast<int64_t>(array.ElementLength())}, at::TensorOptions().dtype(type));
  if (array.ByteLength() > 0) std::memcpy(tensor.data_ptr(), array.Data(), array.ByteLength());
  return tensor;
}

std::vector<int64_t> int64_vector(const Napi::Int32Array& array) {
  return {array.Data(), array.Data() + array.ElementLength()};
}

ModelConfig model_config(const Napi::Object& from) {
  ModelConfig config;
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
    config.rope_scaling = RopeScaling{
        number_at(object, "factor"),
        number_at(object, "lowFreqFactor"),
        number_at(object, "highFreqFactor"),
        integer_at(object, "originalMaxPositionEmbeddings")};
  }
  return config;
}

}  // namespace

Napi::Error type_error(Napi::Env env, const std::string& name, const char* expected) {
  return Napi::TypeError::New(env, "Expected " + name + " to be " + expected + ".");
}

double number_at(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsNumber()) throw type_error(object.Env(), name, "a number");
  return value.As<Napi::Number>().DoubleValue();
}

std::string string_of(const Napi::Value& value, const char* name) {
  if (!value.IsString()) throw type_error(value.Env(), name, "a string");
  return value.As<Napi::String>().Utf8Value();
}

Napi::Object object_of(const Napi::Value& value, const char* name) {
  if (!value.IsObject()) throw type_error(value.Env(), name, "an object");
  return value.As<Napi::Object>();
}

at::Tensor gradient_of(const Napi::Value& value, const char* name) {
  if (value.IsUndefined()) return {};
  const auto array = typed_array_of<Napi::Float32Array>(value, name, napi_float32_array, "a Float32Array or undefined");
  return tensor_of(array, at::kFloat);
}

EngineOptions engine_options(const Napi::Object& from) {
  EngineOptions options;
  options.model = model_config(object_of(from.Get("model"), "model"));
  options.weights_dir = string_at(from, "weightsDir");
  options.init_seed = integer_at(from, "initSeed");
  options.device = string_at(from, "device");
  options.dtype = string_at(from, "dtype");
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

ForwardOptions forward_options(const Napi::Object& from) {
  return {boolean_at(from, "reference"), boolean_at(from, "entropies"), boolean_at(from, "values"), number_at(from, "temperature")};
}

AdamParams adam_params(const Napi::Object& from) {
  return {
      number_at(from, "learningRate"),
      number_at(from, "beta1"),
      number_at(from, "beta2"),
      number_at(from, "eps"),
      number_at(from, "weightDecay"),
      number_at(from, "maxGradNorm"),
      number_at(from, "valueLearningRate")};
}

MicroBatch micro_batch(const Napi::Object& from) {
  MicroBatch batch;
  batch.token_ids = tensor_of(int32_of(from.Get("tokenIds"), "tokenIds"), at::kInt);
  batch.lengths = int64_vector(int32_of(from.Get("lengths"), "lengths"));
  batch.loss_mask = tensor_of(
      typed_array_of<Napi::Uint8Array>(from.Get("lossMask"), "lossMask", napi_uint8_array, "a Uint8Array"), at::kByte);
  return batch;
}

SampleRequest sample_request(const Napi::Object& from) {
  SampleRequest request;
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

Napi::Value float32_array(Napi::Env env, const at::Tensor& tensor) {
  if (!tensor.defined()) return env.Undefined();
  auto array = Napi::Float32Array::New(env, static_cast<size_t>(tensor.numel()));
  if (tensor.numel() > 0) std::memcpy(array.Data(), tensor.data_ptr<float>(), tensor.numel() * sizeof(float));
  return array;
}

Napi::Object outputs_object(Napi::Env env, const Outputs& outputs) {
  const Napi::Object object = Napi::Object::New(env);
  object.Set("logprobs", float32_array(env, outputs.logprobs));
  if (outputs.entropies.defined()) object.Set("entropies", float32_array(env, outputs.entropies));
  if (outputs.values.defined()) object.Set("values", float32_array(env, outputs.values));
  return object;
}

Napi::Object info_object(Napi::Env env, const EngineInfo& info, int64_t policy_version) {
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

Napi::Object step_object(Napi::Env env, const StepResult& result, int64_t policy_version) {
  const Napi::Object object = Napi::Object::New(env);
  object.Set("gradNorm", result.grad_norm);
  object.Set("skipped", result.skipped);
  object.Set("policyVersion", static_cast<double>(policy_version));
  return object;
}

Napi::Object sample_object(Napi::Env env, const SampleResult& result) {
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

Napi::Object tensor_object(Napi::Env env, const std::string& name, const at::Tensor& tensor) {
  const Napi::Object object = Napi::Object::New(env);
  const Napi::Array shape = Napi::Array::New(env);
  for (uint32_t i = 0; i < tensor.dim(); ++i) shape.Set(i, static_cast<double>(tensor.size(i)));
  auto data = Napi::Uint8Array::New(env, tensor.nbytes());
  if (tensor.nbytes() > 0) std::memcpy(data.Data(), tensor.contiguous().data_ptr(), tensor.nbytes());
  object.Set("name", name);
  object.Set("dtype", c10::toString(tensor.scalar_type()));
  object.Set("shape", shape);
  object.Set("data", data);
  return object;
}

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

}  // namespace grouper
