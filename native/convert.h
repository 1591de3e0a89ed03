// Between JavaScript's values and the engine's records. All of this runs on the JavaScript thread; every reader throws a TypeError that
// names the field, and copies, so that nothing of JavaScript's memory is read after the call returns.
#pragma once

#include <napi.h>

#include <cstdint>
#include <exception>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "engine.h"

namespace grouper {

// What went wrong on the engine thread: a kind, the first sentence for people, and all of it for a log.
struct Failure {
  std::string name, message, detail;
};

Failure describe(const std::exception_ptr& exception);

Napi::Error type_error(Napi::Env env, const std::string& name, const char* expected);
double number_at(const Napi::Object& object, const char* name);
std::string string_of(const Napi::Value& value, const char* name);
Napi::Object object_of(const Napi::Value& value, const char* name);
// Undefined stays undefined: an absent gradient is zero.
at::Tensor gradient_of(const Napi::Value& value, const char* name);

EngineOptions engine_options(const Napi::Object& from);
ForwardOptions forward_options(const Napi::Object& from);
AdamParams adam_params(const Napi::Object& from);
MicroBatch micro_batch(const Napi::Object& from);
SampleRequest sample_request(const Napi::Object& from);

Napi::Value float32_array(Napi::Env env, const at::Tensor& tensor);
Napi::Object outputs_object(Napi::Env env, const Outputs& outputs);
Napi::Object info_object(Napi::Env env, const EngineInfo& info, int64_t policy_version);
Napi::Object step_object(Napi::Env env, const StepResult& result, int64_t policy_version);
Napi::Object sample_object(Napi::Env env, const SampleResult& result);
Napi::Object tensor_object(Napi::Env env, const std::string& name, const at::Tensor& tensor);
Napi::Value error_object(Napi::Env env, const Failure& failure);

}  // namespace grouper
