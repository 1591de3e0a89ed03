/**
 * The shapes that cross HTTP: vLLM's dialect of the OpenAI API, as far as the client reads it and the embedded server speaks it.
 *
 * What the client reads is checked loosely (unknown fields are another version's business); what the embedded server accepts is
 * checked strictly, because a sampling field that is silently ignored changes the distribution that is trained on.
 */
import { z } from "zod";

const tokenId = z.int().nonnegative();
const tokenIds = z.array(tokenId);

// ---------------------------------------------------------------------------------------------------------------- requests

/** `stream_options`: vLLM refuses it without `stream: true`. */
const streamOptions = z.strictObject({
  include_usage: z.boolean().optional(),
  continuous_usage_stats: z.boolean().optional(),
});

/** Fields that completions and chat completions share. Fields of vLLM that this server lacks are allowed at the value that means off. */
const samplingFields = {
  model: z.string().optional(),
  n: z.int().min(1).max(1024).nullish(),
  seed: z.int().nullish(),
  temperature: z.number().min(0).max(100).nullish(),
  top_p: z.number().gt(0).max(1).nullish(),
  top_k: z.int().min(-1).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  max_tokens: z.int().min(1).nullish(),
  min_tokens: z.int().min(0).nullish(),
  stop: z.union([z.string(), z.array(z.string())]).nullish(),
  stop_token_ids: tokenIds.nullish(),
  include_stop_str_in_output: z.boolean().nullish(),
  ignore_eos: z.boolean().nullish(),
  skip_special_tokens: z.boolean().nullish(),
  spaces_between_special_tokens: z.literal(true).nullish(),
  prompt_logprobs: z.int().min(0).max(0, "this server returns the prompt's own tokens only: 0").nullish(),
  return_token_ids: z.boolean().nullish(),
  return_tokens_as_token_ids: z.boolean().nullish(),
  stream: z.boolean().nullish(),
  stream_options: streamOptions.nullish(),
  repetition_penalty: z.literal(1, "penalties are not supported: 1").nullish(),
  presence_penalty: z.literal(0, "penalties are not supported: 0").nullish(),
  frequency_penalty: z.literal(0, "penalties are not supported: 0").nullish(),
  priority: z.literal(0, "this server has no priority scheduling: 0").nullish(),
  cache_salt: z.string().min(1).max(1024).nullish(),
  request_id: z.string().nullish(),
  user: z.string().nullish(),
  add_special_tokens: z.boolean().nullish(),
  truncate_prompt_tokens: z.null().optional(),
};

export const completionRequest = z.strictObject({
  ...samplingFields,
  prompt: z.union([
    z.string(),
    tokenIds.min(1),
    z.array(z.string()).min(1).max(1024),
    z.array(tokenIds.min(1)).min(1).max(1024),
  ]),
  logprobs: z.int().min(0).max(1, "this server returns the sampled token only: 0 or 1").nullish(),
  echo: z.literal(false, "echo is not supported: false").nullish(),
  best_of: z.literal(1, "best_of is not supported: 1").nullish(),
  suffix: z.null().optional(),
});

export const chatMessage = z.looseObject({ role: z.string(), content: z.string() });

export const chatRequest = z.strictObject({
  ...samplingFields,
  messages: z.array(chatMessage).min(1),
  max_completion_tokens: z.int().min(1).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: z.int().min(0).max(1, "this server returns the sampled token only: 0 or 1").nullish(),
  add_generation_prompt: z.boolean().nullish(),
  continue_final_message: z.literal(false, "continue_final_message is not supported: false").nullish(),
  chat_template_kwargs: z.record(z.string(), z.unknown()).nullish(),
});

export const tokenizeRequest = z.union([
  z.strictObject({ model: z.string().optional(), prompt: z.string(), add_special_tokens: z.boolean().nullish() }),
  z.strictObject({
    model: z.string().optional(),
    messages: z.array(chatMessage).min(1),
    add_generation_prompt: z.boolean().nullish(),
    add_special_tokens: z.boolean().nullish(),
    chat_template_kwargs: z.record(z.string(), z.unknown()).nullish(),
  }),
]);

export const detokenizeRequest = z.strictObject({ model: z.string().optional(), tokens: tokenIds });

export type CompletionRequest = z.output<typeof completionRequest>;
export type ChatRequest = z.output<typeof chatRequest>;
export type ChatMessage = z.output<typeof chatMessage>;

// ------------------------------------------------------------------------------------------------------------------- replies

// A thousand tokens per reply: one plain loop, where zod would make a checked object of each number.
const replyTokenIds = z.custom<number[]>(
  (value) => Array.isArray(value) && value.every((id) => Number.isSafeInteger(id) && id >= 0),
  "expected an array of token ids",
);
/** Numbers and null; their values are check-reply's business. */
const replyLogprobs = z.custom<(number | null)[]>(
  (value) => Array.isArray(value) && value.every((logprob) => typeof logprob === "number" || logprob === null),
  "expected an array of log-probabilities",
);

/** One entry of prompt_logprobs: the position's tokens by decimal id. With k > 0 the true token need not come first. */
const promptPosition = z.record(z.string(), z.looseObject({ logprob: z.number() }));

const choice = z.looseObject({
  index: z.int().nonnegative(),
  text: z.string(),
  finish_reason: z.string().nullable(),
  token_ids: replyTokenIds.nullish(),
  prompt_token_ids: replyTokenIds.nullish(),
  logprobs: z
    .looseObject({
      token_logprobs: replyLogprobs,
      top_logprobs: z.unknown().optional(),
    })
    .nullish(),
  prompt_logprobs: z.array(promptPosition.nullable()).nullish(),
  /** Policy version of the weights; the embedded server says it, vLLM's completions endpoint does not. */
  weight_version: z.string().nullish(),
});

export const completionReply = z.looseObject({ model: z.string(), choices: z.array(choice) });
export type CompletionReply = z.output<typeof completionReply>;
export type CompletionChoice = z.output<typeof choice>;

export const modelsReply = z.looseObject({
  data: z.array(
    z.looseObject({ id: z.string(), parent: z.string().nullish(), max_model_len: z.int().positive().nullish() }),
  ),
});

export const versionReply = z.looseObject({ version: z.string(), server: z.string().optional() });

export const pausedReply = z.looseObject({ is_paused: z.boolean() });

/** By position: log-probabilities by token string. Parsed only where one position was asked for. */
export const topLogprobs = z.array(z.record(z.string(), z.number()));

/** vLLM's error body, and the two shapes of proxies and older versions that carry a message. */
const errorReply = z.union([
  z.looseObject({ error: z.looseObject({ message: z.string() }) }).transform((body) => body.error.message),
  z.looseObject({ message: z.string() }).transform((body) => body.message),
  z.looseObject({ error: z.string() }).transform((body) => body.error),
  z.looseObject({ detail: z.unknown() }).transform((body) => JSON.stringify(body.detail)),
]);

/** The sentence inside an error body, or the start of the body itself. */
export function messageOfErrorBody(body: string): string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return body.trim() === "" ? "(empty body)" : body.trim().slice(0, 300);
  }
  const known = errorReply.safeParse(parsed);
  return (known.success ? known.data : body.trim()).slice(0, 600);
}

/** Where the first problem of a zod error is, and what it is: `choices.0.token_ids: expected array`. */
export function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return "unknown problem";
  const path = issue.path.map(String).join(".");
  return path === "" ? issue.message : `${path}: ${issue.message}`;
}

// -------------------------------------------------------------------------------------------------------------------- errors

/** vLLM's name for an HTTP status. */
export function errorType(status: number): string {
  switch (status) {
    case 400:
      return "BadRequestError";
    case 401:
      return "AuthenticationError";
    case 403:
      return "PermissionDeniedError";
    case 404:
      return "NotFoundError";
    case 413:
      return "RequestEntityTooLargeError";
    case 422:
      return "UnprocessableEntityError";
    case 501:
      return "NotImplementedError";
    case 503:
      return "ServiceUnavailableError";
    default:
      return "InternalServerError";
  }
}

export function errorBody(status: number, message: string, param: string | null = null) {
  return { error: { message, type: errorType(status), param, code: status } };
}

/** A request that the embedded server refuses, with the status and the message of its reply. */
export class HttpError extends Error {
  override readonly name = "HttpError";
  readonly status: number;
  readonly param: string | null;
  constructor(status: number, message: string, param: string | null = null) {
    super(message);
    this.status = status;
    this.param = param;
  }
}
