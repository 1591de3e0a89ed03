#include "sampler.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>

#include <ATen/core/grad_mode.h>

#include "block_pool.h"
#include "choose_token.h"
#include "decoder.h"
#include "random.h"

namespace grouper {

namespace {

// Tokens of prompts that one step takes in, so that a flood of new requests cannot hold up the running ones for long.
constexpr int64_t kMaxPrefillTokens = 8192;

// What the requests with one prompt share. Its keys and values are computed once, with the logits that every first token is drawn from.
struct Prompt {
  std::vector<int64_t> tokens;
  std::vector<int32_t> blocks;  // empty: not in the cache
  at::Tensor logits;            // [1, vocab]; undefined: not computed
  int64_t num_running = 0;

  int64_t num_tokens() const { return static_cast<int64_t>(tokens.size()); }
  // Blocks that no token of a completion is written into.
  int64_t num_whole_blocks() const { return num_tokens() / kBlockTokens; }
};

struct Sequence {
  uint64_t id = 0;
  uint64_t seed = 0;
  SamplingParams params;
  std::shared_ptr<Prompt> prompt;
  std::vector<int32_t> blocks;  // empty while it waits
  int64_t num_cached = 0;       // tokens, prompt included, whose keys and values are in `blocks`
  SampleResult result;
  bool ended = false;

  int64_t num_tokens() const { return prompt->num_tokens() + static_cast<int64_t>(result.tokens.size()); }
};

}  // namespace

struct Sampler::State {
  State(const ModelConfig& config_, const Weights& weights, at::Device device, at::ScalarType compute_dtype, SamplerOptions options_)
      : config(config_), options(options_), pool(options_.max_cache_tokens / kBlockTokens) {
    TORCH_CHECK(options.max_batch >= 1 && pool.num_blocks() >= 1, "Expected maxBatch of at least 1 and maxCacheTokens of at least ",
                kBlockTokens, ", got ", options.max_batch, " and ", options.max_cache_tokens, ".");
    const bool by_hand = device.is_cpu() && compute_dtype == at::kFloat && !options.portable;
    decoder = by_hand ? make_cpu_decoder(config, weights) : make_aten_decoder(config, weights, device, compute_dtype);
  }

  void check(const SampleRequest& request) const;
  std::shared_ptr<Prompt> prompt_of(std::vector<int64_t> tokens);

  void admit();
  bool make_room(int64_t num_blocks);
  void forget_prompt(Prompt& prompt);
  void suspend(size_t index);
  void prefill(int64_t policy_version);
  void decode(int64_t policy_version);
  bool grow(size_t index);
  void draw(const at::Tensor& logits, const std::vector<std::pair<Sequence*, int64_t>>& rows, int64_t policy_version);
  std::vector<SampleResult> collect();
  void leave(Sequence& sequence);
  void clear();

  ModelConfig config;
  SamplerOptions options;
  BlockPool pool;
  std::unique_ptr<Decoder> decoder;
  std::map<std::vector<int64_t>, std::weak_ptr<Prompt>> prompts;
  std::deque<std::unique_ptr<Sequence>> waiting;
  std::vector<std::unique_ptr<Sequence>> running;  // in order of admission
};

void Sampler::State::check(const SampleRequest& request) const {
  const SamplingParams& params = request.params;
  const auto prompt_tokens = static_cast<int64_t>(request.prompt.size());
  TORCH_CHECK(prompt_tokens > 0, "Expected a prompt of at least one token, got an empty one.");
  TORCH_CHECK(params.max_tokens >= 1, "Expected maxTokens of at least 1, got ", params.max_tokens, ".");
  TORCH_CHECK(params.temperature >= 0.0 && std::isfinite(params.temperature), "Expected a temperature from 0 up, got ", params.temperature, ".");
  TORCH_CHECK(params.top_p > 0.0 && params.top_p <= 1.0, "Expected topP above 0 and at most 1, got ", params.top_p, ".");
  TORCH_CHECK(params.min_p >= 0.0 && params.min_p <= 1.0, "Expected minP from 0 to 1, got ", params.min_p, ".");
  TORCH_CHECK(params.top_k >= 0 && params.min_tokens >= 0, "Expected topK and minTokens from 0 up, got ", params.top_k, " and ",
              params.min_tokens, ".");
  const auto check_id = [&](int64_t id, const char* what) {
    TORCH_CHECK(id >= 0 && id < config.vocab_size, "Expected ", what, " below the vocabulary's ", config.vocab_size, ", got ", id, ".");
  };
  for (const int64_t id : request.prompt) check_id(id, "token ids of the prompt");
  for (const int64_t id : params.stop_token_ids) check_id(id, "stop token ids");
  const int64_t most = config.max_position_embeddings - prompt_tokens;
  TORCH_CHECK(params.max_tokens <= most, "A prompt of ", prompt_tokens, " tokens leaves room for ", std::max<int64_t>(0, most), " of the model's ",
              config.max_position_embeddings, " positions, but maxTokens is ", params.max_tokens, ".");
  // The last block of the prompt exists twice: once as the prompt's, once as the completion's.
  TORCH_CHECK(blocks_for(prompt_tokens + params.max_tokens) + 1 <= pool.num_blocks(), "A prompt of ", prompt_tokens, " tokens and maxTokens of ",
              params.max_tokens, " do not fit into the ", options.max_cache_tokens, " tokens of the cache; raise maxCacheTokens.");
}

std::shared_ptr<Prompt> Sampler::State::prompt_of(std::vector<int64_t> tokens) {
  std::weak_ptr<Prompt>& known = prompts[tokens];
  std::shared_ptr<Prompt> prompt = known.lock();
  if (prompt == nullptr) {
    prompt = std::make_shared<Prompt>();
    prompt->tokens = std::move(tokens);
    known = prompt;
  }
  return prompt;
}

// First come, first served: a request that does not fit holds up those behind it, or it might wait for ever.
void Sampler::State::admit() {
  int64_t num_prefilled = 0;
  while (!waiting.empty() && static_cast<int64_t>(running.size()) < options.max_batch) {
    Sequence& sequence = *waiting.front();
    Prompt& prompt = *sequence.prompt;
    const bool fresh = prompt.blocks.empty();
    if (fresh && num_prefilled > 0 && num_prefilled + prompt.num_tokens() > kMaxPrefillTokens) break;
    ++prompt.num_running;  // so that making room spares it
    const int64_t own = blocks_for(sequence.num_tokens() + 1) - prompt.num_whole_blocks();
    if (!make_room(own + (fresh ? blocks_for(prompt.num_tokens()) : 0))) {
      --prompt.num_running;
      break;
    }
    if (fresh) {
      for (int64_t block = blocks_for(prompt.num_tokens()); block > 0; --block) prompt.blocks.push_back(pool.take());
      num_prefilled += prompt.num_tokens();
    }
    for (int64_t block = 0; block < prompt.num_whole_blocks(); ++block) {
      sequence.blocks.push_back(pool.share(prompt.blocks[static_cast<size_t>(block)]));
    }
    for (int64_t block = 0; block < own; ++block) sequence.blocks.push_back(pool.take());
    sequence.num_cached = 0;
    running.push_back(std::move(waiting.front()));
    waiting.pop_front();
  }
}

// Prompts that only waiting requests hold are the first to go.
bool Sampler::State::make_room(int64_t num_blocks) {
  if (pool.num_free() >= num_blocks) return true;
  for (const auto& [tokens, known] : prompts) {
    const std::shared_ptr<Prompt> prompt = known.lock();
    if (prompt != nullptr && prompt->num_running == 0) forget_prompt(*prompt);
  }
  return pool.num_free() >= num_blocks;
}

void Sampler::State::forget_prompt(Prompt& prompt) {
  pool.release(prompt.blocks);
  prompt.logits = at::Tensor();
}

// Back to the head of the queue, with its tokens; their keys and values will be computed again.
void Sampler::State::suspend(size_t index) {
  Sequence& sequence = *running[index];
  pool.release(sequence.blocks);
  --sequence.prompt->num_running;
  waiting.push_front(std::move(running[index]));
  running.erase(running.begin() + static_cast<std::ptrdiff_t>(index));
}

// Runs the prompts that are new, then gives every sequence that has just joined its copy of the prompt's last block, and its first token.
void Sampler::State::prefill(int64_t policy_version) {
  std::vector<DecodeRow> rows;
  std::vector<Prompt*> fresh;
  for (const auto& sequence : running) {
    Prompt& prompt = *sequence->prompt;
    if (prompt.logits.defined() || std::find(fresh.begin(), fresh.end(), &prompt) != fresh.end()) continue;
    fresh.push_back(&prompt);
    for (int64_t position = 0; position < prompt.num_tokens(); ++position) {
      rows.push_back({prompt.tokens[static_cast<size_t>(position)], position, prompt.blocks.data(), position + 1 == prompt.num_tokens()});
    }
  }
  decoder->reserve(pool.num_touched());
  if (!fresh.empty()) {
    const at::Tensor logits = decoder->forward(rows);
    for (size_t index = 0; index < fresh.size(); ++index) fresh[index]->logits = logits.narrow(0, static_cast<int64_t>(index), 1).clone();
  }
  std::map<Prompt*, std::vector<std::pair<Sequence*, int64_t>>> first_tokens;
  for (const auto& sequence : running) {
    if (sequence->num_cached > 0) continue;
    const Prompt& prompt = *sequence->prompt;
    const auto tail = static_cast<size_t>(prompt.num_whole_blocks());
    if (tail < prompt.blocks.size()) decoder->copy_block(prompt.blocks[tail], sequence->blocks[tail]);
    sequence->num_cached = prompt.num_tokens();
    if (sequence->result.tokens.empty()) first_tokens[sequence->prompt.get()].emplace_back(sequence.get(), 0);
  }
  for (const auto& [prompt, sequences] : first_tokens) draw(prompt->logits, sequences, policy_version);
}

// One token for every sequence. One that was suspended first runs all its tokens again.
void Sampler::State::decode(int64_t policy_version) {
  for (size_t index = 0; index < running.size();) {
    if (running[index]->ended || grow(index)) ++index;
  }
  decoder->reserve(pool.num_touched());
  std::vector<DecodeRow> rows;
  std::vector<std::pair<Sequence*, int64_t>> drawn;
  for (const auto& sequence : running) {
    if (sequence->ended) continue;
    const int64_t prompt_tokens = sequence->prompt->num_tokens(), end = sequence->num_tokens();
    for (int64_t position = sequence->num_cached; position < end; ++position) {
      rows.push_back({sequence->result.tokens[static_cast<size_t>(position - prompt_tokens)], position, sequence->blocks.data(), position + 1 == end});
    }
    sequence->num_cached = end;
    drawn.emplace_back(sequence.get(), static_cast<int64_t>(drawn.size()));
  }
  if (!rows.empty()) draw(decoder->forward(rows), drawn, policy_version);
}

// Gives sequence `index` a block for its newest token. When there is none, the youngest steps back: the oldest always proceeds, because
// any one request fits into the whole cache. Returns false when the youngest was the sequence itself.
bool Sampler::State::grow(size_t index) {
  Sequence& sequence = *running[index];
  while (static_cast<int64_t>(sequence.blocks.size()) < blocks_for(sequence.num_tokens())) {
    if (make_room(1)) {
      sequence.blocks.push_back(pool.take());
      continue;
    }
    size_t youngest = running.size() - 1;
    while (running[youngest]->ended) --youngest;
    suspend(youngest);
    if (youngest == index) return false;
  }
  return true;
}

void Sampler::State::draw(const at::Tensor& logits, const std::vector<std::pair<Sequence*, int64_t>>& rows, int64_t policy_version) {
  std::vector<Draw> draws;
  for (const auto& [sequence, row] : rows) {
    const auto position = static_cast<int64_t>(sequence->result.tokens.size());
    draws.push_back({row, &sequence->params, uniform_at(sequence->seed, static_cast<uint64_t>(position)), position >= sequence->params.min_tokens});
  }
  const std::vector<Choice> choices = choose_tokens(logits, draws);
  for (size_t index = 0; index < rows.size(); ++index) {
    Sequence& sequence = *rows[index].first;
    SampleResult& result = sequence.result;
    // Of tokens from several policies, the oldest counts: staleness is never understated.
    if (result.tokens.empty()) result.policy_version = policy_version;
    result.tokens.push_back(choices[index].token);
    result.logprobs.push_back(choices[index].logprob);
    const std::vector<int64_t>& stops = sequence.params.stop_token_ids;
    result.stopped = std::find(stops.begin(), stops.end(), choices[index].token) != stops.end();
    sequence.ended = result.stopped || static_cast<int64_t>(result.tokens.size()) >= sequence.params.max_tokens;
  }
}

std::vector<SampleResult> Sampler::State::collect() {
  std::vector<SampleResult> results;
  for (const auto& sequence : running) {
    if (!sequence->ended) continue;
    leave(*sequence);
    results.push_back(std::move(sequence->result));
  }
  std::erase_if(running, [](const auto& sequence) { return sequence->ended; });
  return results;
}

void Sampler::State::leave(Sequence& sequence) {
  if (!sequence.blocks.empty()) --sequence.prompt->num_running;
  pool.release(sequence.blocks);
  if (sequence.prompt.use_count() > 1) return;
  forget_prompt(*sequence.prompt);
  prompts.erase(sequence.prompt->tokens);
}

void Sampler::State::clear() {
  waiting.clear();
  running.clear();
  prompts.clear();
  pool = BlockPool(pool.num_blocks());
  decoder->drop_cache();
}

Sampler::Sampler(const ModelConfig& config, const Weights& weights, at::Device device, at::ScalarType compute_dtype, SamplerOptions options)
    : state_(std::make_unique<State>(config, weights, device, compute_dtype, options)) {}

Sampler::~Sampler() = default;

void Sampler::add(SampleRequest request) {
  state_->check(request);
  auto sequence = std::make_unique<Sequence>();
  sequence->id = request.id;
  sequence->seed = request.seed;
  sequence->params = std::move(request.params);
  sequence->prompt = state_->prompt_of(std::move(request.prompt));
  sequence->result.id = request.id;
  state_->waiting.push_back(std::move(sequence));
}

void Sampler::cancel(uint64_t id) {
  const auto drop = [&](auto& sequences) {
    const auto found = std::find_if(sequences.begin(), sequences.end(), [&](const auto& sequence) { return sequence->id == id; });
    if (found == sequences.end()) return;
    state_->leave(**found);
    sequences.erase(found);
  };
  drop(state_->waiting);
  drop(state_->running);
}

bool Sampler::idle() const { return state_->waiting.empty() && state_->running.empty(); }

std::vector<SampleResult> Sampler::step(int64_t policy_version) {
  const at::NoGradGuard no_grad;
  try {
    state_->admit();
    state_->prefill(policy_version);
    state_->decode(policy_version);
    return state_->collect();
  } catch (...) {
    // Half a step cannot be taken back, and keys that are not finite would spoil whoever gets their block next.
    state_->clear();
    throw;
  }
}

void Sampler::weights_changed() {
  state_->decoder->weights_changed();
  while (!state_->running.empty()) state_->suspend(state_->running.size() - 1);
  for (const auto& [tokens, known] : state_->prompts) {
    if (const std::shared_ptr<Prompt> prompt = known.lock()) state_->forget_prompt(*prompt);
  }
}

int64_t Sampler::num_running() const { return static_cast<int64_t>(state_->running.size()); }

int64_t Sampler::num_waiting() const { return static_cast<int64_t>(state_->waiting.size()); }

}  // namespace grouper
