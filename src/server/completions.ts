/**
 * The embedded server's answers: from a checked request over engine.sample to the bodies that vLLM would send.
 *
 * Stop strings are matched on text after a sequence is sampled and cut it at the token that completed the match; its tokens and
 * log-probabilities are those that vLLM, which stops while sampling, would have returned.
 */
import { randomInt, randomUUID } from "node:crypto";
import type { Engine, SampleRequest, SampleResult } from "../engine/engine.ts";
import { messageOf } from "../errors.ts";
import type { ChatTokenizer } from "./chat-tokenizer.ts";
import { type ChatRequest, type CompletionRequest, HttpError } from "./wire.ts";

/** What answers are made with. */
export interface Model {
  readonly engine: Engine;
  readonly tokenizer: ChatTokenizer;
  readonly name: string;
  readonly maxModelLen: number;
  /** Tokens that end a completion unless ignore_eos. */
  readonly eosTokenIds: readonly number[];
}

/** The fields of either endpoint under one name. */
export type SamplingFields = Omit<CompletionRequest, "prompt" | "logprobs" | "echo" | "best_of" | "suffix">;

/** One sampled sequence as text and tokens, ready for either endpoint. */
export interface Choice {
  readonly index: number;
  readonly promptTokenIds: readonly number[];
  readonly tokenIds: readonly number[];
  readonly logprobs: readonly number[];
  readonly text: string;
  readonly finishReason: "stop" | "length";
  readonly stopReason: string | number | null;
  readonly policyVersion: number;
}

/** The prompts of a completion request as ids. */
export function promptsOf(request: CompletionRequest, model: Model): readonly (readonly number[])[] {
  const { prompt } = request;
  const encode = (text: string) => encodeText(model.tokenizer, text, request.add_special_tokens ?? true);
  const parts = typeof prompt === "string" || isTokenIds(prompt) ? [prompt] : prompt;
  return parts.map((part) => (typeof part === "string" ? encode(part) : part));
}

function isTokenIds(prompt: Exclude<CompletionRequest["prompt"], string>): prompt is number[] {
  return typeof prompt[0] === "number";
}

export function chatPromptOf(request: ChatRequest, model: Model): readonly number[] {
  const text = renderChat(
    model.tokenizer,
    request.messages,
    request.add_generation_prompt ?? true,
    request.chat_template_kwargs,
  );
  // the template writes its own special tokens
  return encodeText(model.tokenizer, text, request.add_special_tokens ?? false);
}

/** A tokenizer of characters refuses those that it has no token for: the client's fault, not the server's. */
export function encodeText(tokenizer: ChatTokenizer, text: string, addSpecialTokens: boolean): number[] {
  try {
    return tokenizer.encode(text, { addSpecialTokens });
  } catch (cause) {
    throw new HttpError(400, `the text cannot be tokenised: ${messageOf(cause)}`, "prompt");
  }
}

export function renderChat(
  tokenizer: ChatTokenizer,
  messages: ChatRequest["messages"],
  addGenerationPrompt: boolean,
  kwargs: ChatRequest["chat_template_kwargs"],
): string {
  try {
    return tokenizer.applyChatTemplate(messages, { ...kwargs, addGenerationPrompt });
  } catch (cause) {
    throw new HttpError(400, `the chat template refused the messages: ${messageOf(cause)}`, "messages");
  }
}

/** Refuses what the model cannot do; returns one engine request per choice, in choice order: prompt by prompt, n each. */
export function planSampling(
  fields: SamplingFields,
  prompts: readonly (readonly number[])[],
  maxTokens: number,
  model: Model,
): SampleRequest[] {
  const { vocabSize } = model.engine.info.model;
  const n = fields.n ?? 1;
  const temperature = fields.temperature ?? 1;
  if (temperature === 0 && n > 1) throw new HttpError(400, `n must be 1 when using greedy sampling, got ${n}.`, "n");
  if ((fields.stream_options ?? null) !== null && fields.stream !== true) {
    throw new HttpError(400, "Stream options can only be defined when `stream=True`.", "stream_options");
  }
  if ((fields.prompt_logprobs ?? null) !== null && fields.stream === true) {
    throw new HttpError(400, "`prompt_logprobs` are not available when `stream=True`.", "prompt_logprobs");
  }
  for (const id of [...prompts.flat(), ...(fields.stop_token_ids ?? [])]) {
    if (id >= vocabSize)
      throw new HttpError(400, `Token id ${id} is out of vocabulary (${vocabSize} tokens)`, "prompt");
  }
  const minTokens = fields.min_tokens ?? 0;
  if (minTokens > maxTokens) {
    throw new HttpError(
      400,
      `min_tokens must be less than or equal to max_tokens=${maxTokens}, got ${minTokens}.`,
      "min_tokens",
    );
  }
  const eos = fields.ignore_eos === true ? [] : model.eosTokenIds;
  const params = {
    temperature,
    topP: fields.top_p ?? 1,
    topK: Math.max(0, fields.top_k ?? 0),
    minP: fields.min_p ?? 0,
    maxTokens,
    minTokens,
    stopTokenIds: [...new Set([...(fields.stop_token_ids ?? []), ...eos])],
  };
  const seed = fields.seed ?? randomInt(2 ** 47);
  return prompts.flatMap((promptTokenIds) => {
    if (promptTokenIds.length === 0) throw new HttpError(400, "The decoder prompt cannot be empty", "prompt");
    if (promptTokenIds.length + maxTokens > model.maxModelLen) {
      throw new HttpError(
        400,
        `This model's maximum context length is ${model.maxModelLen} tokens. However, you requested ${maxTokens} output tokens ` +
          `and your prompt contains ${promptTokenIds.length} input tokens. Please reduce the length of the input prompt or the ` +
          "number of requested output tokens.",
        "max_tokens",
      );
    }
    return Array.from({ length: n }, (_, i) => ({ promptTokenIds, seed: seed + i, params }));
  });
}

/** Cuts at stop strings and turns tokens into text. */
export function toChoice(
  index: number,
  request: SampleRequest,
  result: SampleResult,
  fields: SamplingFields,
  model: Model,
): Choice {
  const skipSpecialTokens = fields.skip_special_tokens ?? true;
  const decode = (ids: readonly number[]) =>
    ids.length === 0 ? "" : model.tokenizer.decode(ids, { skipSpecialTokens });
  const keepStop = fields.include_stop_str_in_output === true;
  const stops = (typeof fields.stop === "string" ? [fields.stop] : (fields.stop ?? [])).filter((stop) => stop !== "");
  const cut = stops.length === 0 ? undefined : firstStop(result.tokenIds, stops, decode, fields.min_tokens ?? 0);
  const length = cut?.numTokens ?? result.tokenIds.length;
  const tokenIds = result.tokenIds.slice(0, length);
  const lastId = tokenIds.at(-1);
  const stoppedByToken = cut === undefined && result.finishReason === "stop";
  // like vLLM: the token that stopped the text is among the ids and not in the text
  const text =
    cut !== undefined ? cut.text(keepStop) : decode(stoppedByToken && !keepStop ? tokenIds.slice(0, -1) : tokenIds);
  const askedFor = lastId !== undefined && (fields.stop_token_ids ?? []).includes(lastId);
  return {
    index,
    promptTokenIds: request.promptTokenIds,
    tokenIds,
    logprobs: Array.from(result.logprobs.subarray(0, length)),
    text,
    finishReason: cut !== undefined ? "stop" : result.finishReason,
    stopReason: cut?.stop ?? (stoppedByToken && askedFor ? lastId : null),
    policyVersion: result.policyVersion,
  };
}

/** The shortest run of tokens whose text holds a stop string, by bisection: a text that holds one holds it ever after. */
function firstStop(
  tokenIds: readonly number[],
  stops: readonly string[],
  decode: (ids: readonly number[]) => string,
  minTokens: number,
) {
  const found = (length: number) => {
    const text = decode(tokenIds.slice(0, length));
    const hits = stops.map((stop) => ({ stop, at: text.indexOf(stop) })).filter((hit) => hit.at >= 0);
    const first = hits.sort((a, b) => a.at - b.at)[0];
    return first === undefined ? undefined : { ...first, numTokens: length, whole: text };
  };
  let low = Math.max(1, minTokens);
  let high = tokenIds.length;
  if (high < low || found(high) === undefined) return undefined;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (found(middle) === undefined) low = middle + 1;
    else high = middle;
  }
  const hit = found(high)!;
  return {
    stop: hit.stop,
    numTokens: hit.numTokens,
    text: (keepStop: boolean) => hit.whole.slice(0, hit.at + (keepStop ? hit.stop.length : 0)),
  };
}

/** Per-token strings of the logprobs block. */
function tokenStrings(choice: Choice, fields: SamplingFields, model: Model): string[] {
  if (fields.return_tokens_as_token_ids === true) return choice.tokenIds.map((id) => `token_id:${id}`);
  const known = new Map<number, string>();
  return choice.tokenIds.map((id) => {
    let text = known.get(id);
    if (text === undefined) {
      text = model.tokenizer.decode([id], { skipSpecialTokens: false });
      known.set(id, text);
    }
    return text;
  });
}

/** What both endpoints write on a choice. */
function commonFields(choice: Choice, fields: SamplingFields) {
  return {
    index: choice.index,
    finish_reason: choice.finishReason,
    stop_reason: choice.stopReason,
    token_ids: fields.return_token_ids === true ? choice.tokenIds : null,
    // Beyond vLLM: which policy made the tokens, so that a client need not infer it.
    weight_version: String(choice.policyVersion),
  };
}

export function completionChoice(choice: Choice, fields: SamplingFields, withLogprobs: boolean, model: Model) {
  return {
    ...commonFields(choice, fields),
    text: choice.text,
    logprobs: withLogprobs ? completionLogprobs(choice, fields, model) : null,
    prompt_token_ids: fields.return_token_ids === true ? choice.promptTokenIds : null,
    prompt_logprobs: null,
  };
}

function completionLogprobs(choice: Choice, fields: SamplingFields, model: Model) {
  const tokens = tokenStrings(choice, fields, model);
  let offset = 0;
  const offsets = tokens.map((token) => {
    const start = offset;
    offset += token.length;
    return start;
  });
  return {
    tokens,
    token_logprobs: choice.logprobs,
    top_logprobs: tokens.map((token, t) => ({ [token]: choice.logprobs[t] })),
    text_offset: offsets,
  };
}

export function chatChoice(
  choice: Choice,
  fields: SamplingFields,
  withLogprobs: boolean,
  withTop: boolean,
  model: Model,
) {
  const content = () =>
    tokenStrings(choice, fields, model).map((token, t) => {
      const entry = { token, logprob: choice.logprobs[t], bytes: [...Buffer.from(token, "utf8")] };
      return { ...entry, top_logprobs: withTop ? [entry] : [] };
    });
  return {
    ...commonFields(choice, fields),
    message: { role: "assistant", content: choice.text, refusal: null, tool_calls: [] },
    logprobs: withLogprobs ? { content: content() } : null,
  };
}

export function usageOf(choices: readonly Choice[], n: number) {
  const prompts = choices.filter((_, i) => i % n === 0);
  const promptTokens = prompts.reduce((sum, choice) => sum + choice.promptTokenIds.length, 0);
  const completionTokens = choices.reduce((sum, choice) => sum + choice.tokenIds.length, 0);
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

export function envelope(kind: "cmpl" | "chatcmpl", object: string, model: Model) {
  return {
    id: `${kind}-${randomUUID().replaceAll("-", "")}`,
    object,
    created: Math.floor(Date.now() / 1000),
    model: model.name,
  };
}

/** prompt_logprobs: 0 — the log-probability of each prompt token, at temperature 1, by decimal id. */
export async function promptLogprobs(prompt: readonly number[], model: Model) {
  const sequence = {
    tokenIds: Int32Array.from(prompt),
    lossMask: Uint8Array.from(prompt, (_, t) => (t === 0 ? 0 : 1)),
    samplingLogprobs: new Float32Array(prompt.length),
  };
  const outputs = (await model.engine.forward([sequence]))[0]!;
  return prompt.map((id, t) => {
    if (t === 0) return null;
    const decoded = model.tokenizer.decode([id], { skipSpecialTokens: false });
    return { [String(id)]: { logprob: outputs.logprobs[t], rank: null, decoded_token: decoded } };
  });
}
