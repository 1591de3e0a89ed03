/** The two sampling endpoints of the embedded server: one request in, one whole body or the events of a stream out. */
import type { SampleRequest } from "../engine/engine.ts";
import {
  type Choice,
  chatChoice,
  chatPromptOf,
  completionChoice,
  envelope,
  type Model,
  planSampling,
  promptLogprobs,
  promptsOf,
  type SamplingFields,
  toChoice,
  usageOf,
} from "./completions.ts";
import type { ServerMetrics } from "./server-metrics.ts";
import { type ChatRequest, type CompletionRequest, HttpError } from "./wire.ts";

export type Answer =
  | { readonly kind: "whole"; readonly body: object }
  | { readonly kind: "stream"; readonly events: AsyncIterable<object> };

/** What a request is answered with. */
export interface Sampling {
  readonly model: Model;
  readonly metrics: ServerMetrics;
  /** Aborted when the client hangs up. */
  readonly signal: AbortSignal;
}

/** vLLM's default on /v1/completions. */
const defaultMaxTokens = 16;

export async function answerCompletion(request: CompletionRequest, sampling: Sampling): Promise<Answer> {
  const { model } = sampling;
  const prompts = promptsOf(request, model);
  const requests = planSampling(request, prompts, request.max_tokens ?? defaultMaxTokens, model);
  const head = envelope("cmpl", "text_completion", model);
  const withLogprobs = (request.logprobs ?? null) !== null;
  const write = (choice: Choice) => completionChoice(choice, request, withLogprobs, model);
  if (request.stream === true) return { kind: "stream", events: stream(head, requests, request, sampling, write) };

  const choices = await sample(requests, request, sampling);
  const n = request.n ?? 1;
  const usage = usageOf(choices, n);
  if ((request.prompt_logprobs ?? null) === null) {
    return { kind: "whole", body: { ...head, choices: choices.map(write), usage } };
  }
  const scored: object[] = [];
  for (const prompt of prompts) scored.push(await promptLogprobs(prompt, model));
  const bodies = choices.map((choice, i) => ({ ...write(choice), prompt_logprobs: scored[Math.floor(i / n)] }));
  return { kind: "whole", body: { ...head, choices: bodies, usage } };
}

export async function answerChat(request: ChatRequest, sampling: Sampling): Promise<Answer> {
  const { model } = sampling;
  const prompt = chatPromptOf(request, model);
  const rest = model.maxModelLen - prompt.length;
  if (rest < 1) {
    throw new HttpError(
      400,
      `This model's maximum context length is ${model.maxModelLen} tokens. However, your prompt contains ${prompt.length} input tokens.`,
      "messages",
    );
  }
  const requests = planSampling(request, [prompt], request.max_completion_tokens ?? request.max_tokens ?? rest, model);
  const withTop = (request.top_logprobs ?? 0) > 0;
  const write = (choice: Choice) => chatChoice(choice, request, request.logprobs === true, withTop, model);
  const ids = request.return_token_ids === true ? prompt : null;
  if (request.stream === true) {
    const head = { ...envelope("chatcmpl", "chat.completion.chunk", model), prompt_token_ids: ids };
    const writeDelta = (choice: Choice) => {
      const { message, ...body } = write(choice);
      return { ...body, delta: { role: message.role, content: message.content } };
    };
    return { kind: "stream", events: stream(head, requests, request, sampling, writeDelta) };
  }
  const choices = await sample(requests, request, sampling);
  const scored = (request.prompt_logprobs ?? null) === null ? null : await promptLogprobs(prompt, model);
  const head = { ...envelope("chatcmpl", "chat.completion", model), prompt_token_ids: ids, prompt_logprobs: scored };
  return { kind: "whole", body: { ...head, choices: choices.map(write), usage: usageOf(choices, request.n ?? 1) } };
}

/** All choices of a request in one call, so that they share the engine's running batch. */
async function sample(
  requests: readonly SampleRequest[],
  fields: SamplingFields,
  { model, metrics, signal }: Sampling,
  firstIndex = 0,
): Promise<Choice[]> {
  metrics.running += requests.length;
  try {
    const results = await model.engine.sample(requests, signal);
    if (results.length !== requests.length)
      throw new Error(`expected ${requests.length} samples, got ${results.length}`);
    const choices = results.map((result, i) => toChoice(firstIndex + i, requests[i]!, result, fields, model));
    metrics.countFinished(choices, fields.n ?? 1, firstIndex);
    return choices;
  } catch (error) {
    if (signal.aborted) metrics.countAborted(requests.length);
    throw error;
  } finally {
    metrics.running -= requests.length;
  }
}

/** One event per choice, with all of its tokens, as soon as it is done; then the usage where it was asked for. */
async function* stream(
  head: object,
  requests: readonly SampleRequest[],
  fields: SamplingFields,
  sampling: Sampling,
  write: (choice: Choice) => object,
): AsyncGenerator<object> {
  const pending = new Map(
    requests.map((request, i) => [i, sample([request], fields, sampling, i).then(([choice]) => choice!)]),
  );
  // whoever reads this stops at the first failure; the others fail with it and must not go unheard
  for (const choice of pending.values()) choice.catch(() => undefined);
  const done: Choice[] = [];
  while (pending.size > 0) {
    const choice = await Promise.race(pending.values());
    pending.delete(choice.index);
    done.push(choice);
    yield { ...head, choices: [write(choice)] };
  }
  if (fields.stream_options?.include_usage === true) {
    done.sort((a, b) => a.index - b.index);
    yield { ...head, choices: [], usage: usageOf(done, fields.n ?? 1) };
  }
}
