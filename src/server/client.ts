/**
 * One client for vLLM and for the embedded server: samples groups over /v1/completions, token ids in and out, and publishes
 * weights.
 *
 * What may be relied on: every completion passed the checks of check-reply.ts; a group comes whole or not at all; nothing waits
 * without a deadline or tries without a bound; and no completion is returned whose policy version is in doubt (weights.ts).
 */
import { messageOf } from "../errors.ts";
import type { Completion } from "../types.ts";
import { type Caller, CallFailure, createCaller, parseReply, seconds, sleep } from "./call.ts";
import { checkReply } from "./check-reply.ts";
import { Gate } from "./gate.ts";
import { createTransport } from "./http.ts";
import {
  detectLogprobsMode,
  isAtLeast,
  readModels,
  readVersion,
  refusal,
  type ServedModels,
  waitUntilHealthy,
} from "./preflight.ts";
import { createPublisher, type Publisher, type PublishOptions } from "./publish.ts";
import {
  type Canary,
  type GroupRequest,
  type PolicyServer,
  type PublishedWeights,
  ServerError,
  type ServerInfo,
} from "./server.ts";
import { allOrAbort, linkSignals } from "./signals.ts";
import { ServedWeights, saltOf } from "./weights.ts";
import { completionReply } from "./wire.ts";

export interface ConnectOptions {
  /** OpenAI base URL, e.g. "http://127.0.0.1:8000/v1". */
  readonly url: string;
  /** Served model name; default: the only one that the server has. */
  readonly model?: string | undefined;
  readonly apiKey?: string | undefined;
  /** Version of the weights that the server has now. */
  readonly policyVersion: number;
  /** How new weights reach it; without, publish() throws. */
  readonly publish?: PublishOptions | undefined;
  /** Completions in flight, all groups together. */
  readonly maxConcurrency?: number;
  /** Largest mean |difference| of the canary's log-probabilities, in nats. */
  readonly canaryTolerance?: number;
  /** Deadline until the server answers: model loading takes minutes. Also how long a server that died is waited for. */
  readonly startTimeoutMs?: number;
  /** Deadline of one request; default 60 s plus 0.1 s for each token of maxTokens. */
  readonly requestTimeoutMs?: number | undefined;
  /** Tries of one group before ServerError, the first included. */
  readonly maxTries?: number;
  /** Pause before the second try; doubles from there, with jitter. */
  readonly retryDelayMs?: number;
  /** A token id that every vocabulary has, to probe with. */
  readonly probeTokenId?: number;
  /** Jitter of the pauses, in [0, 1). */
  readonly random?: () => number;
  /** Told of every try that failed and will be repeated, in one sentence. */
  readonly onRetry?: (sentence: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** A Retry-After beyond this is cut: the bound on tries is a bound on time too. */
const maxPauseMs = 300_000;

/** Waits for the server, proves with one small sample that it returns what training needs, and opens the client. */
export async function connectPolicyServer(options: ConnectOptions): Promise<PolicyServer> {
  const { url, maxConcurrency = 256, startTimeoutMs = 600_000, probeTokenId = 0, signal } = options;
  const transport = createTransport({ maxConnections: maxConcurrency + spareConnections });
  try {
    const caller = createCaller(url, options.apiKey, transport);
    await waitUntilHealthy(caller, startTimeoutMs, signal);
    const version = await readVersion(caller);
    requireVersion(caller, version, options.publish?.method);
    const models = await readModels(caller, options.model);
    const publisher =
      options.publish === undefined ? undefined : createPublisher(options.publish, caller, models.model);
    await publisher?.prepare();
    const info: ServerInfo = { url: caller.url, version, model: models.model, maxModelLen: models.maxModelLen };
    const server = new HttpPolicyServer(caller, info, models, publisher, options);
    await server.probe([probeTokenId], signal);
    return server;
  } catch (error) {
    await transport.close();
    throw error;
  }
}

/** Control calls must not wait behind a full house of samples. */
const spareConnections = 4;

function requireVersion(caller: Caller, version: string, method: PublishOptions["method"] | undefined): void {
  if (!isAtLeast(version, [0, 10, 2])) {
    throw new ServerError(`${caller.root} is ${version}; return_token_ids needs vLLM 0.10.2 or newer: upgrade it`);
  }
  if (method === "disk" && !isAtLeast(version, [0, 16, 0])) {
    throw new ServerError(
      `${caller.root} is ${version}; publishing through a folder needs vLLM 0.16 or newer: upgrade it or use lora`,
    );
  }
}

/** Choices start .. start + count - 1 of a group. */
interface Run {
  readonly start: number;
  readonly count: number;
}

class HttpPolicyServer implements PolicyServer {
  readonly info: ServerInfo;
  readonly #caller: Caller;
  readonly #models: ServedModels;
  readonly #publisher: Publisher | undefined;
  readonly #gate: Gate;
  readonly #options: ConnectOptions;
  readonly #weights: ServedWeights;
  #logprobsMode: Promise<"raw" | "processed"> | undefined;
  readonly #closing = new AbortController();

  constructor(
    caller: Caller,
    info: ServerInfo,
    models: ServedModels,
    publisher: Publisher | undefined,
    options: ConnectOptions,
  ) {
    this.info = info;
    this.#caller = caller;
    this.#models = models;
    this.#publisher = publisher;
    this.#options = options;
    this.#gate = new Gate(options.maxConcurrency ?? 256);
    this.#weights = new ServedWeights({
      ...options,
      caller,
      publisher,
      model: models.model,
      closing: this.#closing.signal,
    });
  }

  get policyVersion(): number {
    return this.#weights.policyVersion;
  }

  /** One tiny group through the same path as every other: return_token_ids, logprobs and n work, or the run does not start. */
  async probe(promptTokenIds: readonly number[], signal: AbortSignal | undefined): Promise<void> {
    const prompt = { id: "probe", text: "", tokenIds: promptTokenIds, prefill: "", answer: null, fields: {} };
    const params = { temperature: 1, topP: 1, topK: 0, minP: 0, maxTokens: 1, stopTokenIds: [] };
    await this.sample({ prompt, numCompletions: 2, seed: 0, params }, signal);
  }

  async sample(request: GroupRequest, signal?: AbortSignal): Promise<Completion[]> {
    const { prompt, numCompletions, params } = request;
    const room = this.info.maxModelLen - prompt.tokenIds.length;
    if (params.maxTokens > room) {
      throw new ServerError(
        `prompt ${prompt.id} has ${prompt.tokenIds.length} tokens and maxTokens is ${params.maxTokens}, but the context of ` +
          `${this.info.model} at ${this.info.url} is ${this.info.maxModelLen}: lower maxTokens or maxPromptTokens`,
      );
    }
    const { maxTries = 4 } = this.#options;
    const found: (Completion | undefined)[] = Array.from({ length: numCompletions });
    let last: CallFailure | undefined;
    const scope = linkSignals(signal, this.#closing.signal);
    try {
      await this.#requireExactLogprobs(request);
      for (let attempt = 1; attempt <= maxTries; attempt++) {
        if (last !== undefined) await this.#pauseAfter(last, attempt, prompt.id, scope.signal);
        const runs = missingRuns(found, params.temperature === 0);
        const failures = await allOrAbort(scope, runs, (run) => this.#attempt(request, run, found, scope.signal));
        last = failures.find((failure) => failure !== undefined);
        if (last === undefined) return found.filter((completion) => completion !== undefined);
        if (last.kind === "refused")
          throw new ServerError(await this.#explain(last, params.maxTokens), { cause: last });
      }
    } finally {
      scope.unlink();
    }
    throw new ServerError(
      `sampling prompt ${prompt.id} from ${this.info.url} failed ${maxTries} times; last: ${last?.message}; ` +
        `the server ${await this.#condition()}`,
      { cause: last },
    );
  }

  /** One request for a run of missing choices. Fills `found`, and returns the failure if some are still missing. */
  async #attempt(
    request: GroupRequest,
    run: Run,
    found: (Completion | undefined)[],
    signal: AbortSignal,
  ): Promise<CallFailure | undefined> {
    const leave = await this.#gate.enter(run.count, signal);
    try {
      const life = await this.#weights.provenLife();
      const { model, policyVersion } = this.#weights;
      const body = samplingBody(request, run, model, policyVersion);
      const deadlineMs = this.#options.requestTimeoutMs ?? 60_000 + 100 * request.params.maxTokens;
      const text = await this.#caller.call("/v1/completions", { body, deadlineMs, signal });
      const checked = await this.#caller.transport.slices.run(() =>
        checkReply(parseReply(text, completionReply, "/v1/completions"), {
          promptTokenIds: request.prompt.tokenIds,
          numCompletions: run.count,
          maxTokens: request.params.maxTokens,
          policyVersion,
          accepts: (name) => name === model || (this.#models.names.has(model) && this.#models.names.has(name)),
          serverVersion: this.info.version,
        }),
      );
      if ((await this.#weights.provenLife()) !== life) {
        return new CallFailure("unreachable", "the server lost its weights while it sampled");
      }
      const problems: string[] = [];
      checked.forEach((choice, i) => {
        if (typeof choice === "string") problems.push(choice);
        else found[run.start + i] = choice;
      });
      return problems.length === 0 ? undefined : new CallFailure("garbled", problems.join("; "));
    } catch (error) {
      if (!(error instanceof CallFailure)) throw error;
      if (error.status === 404 && this.#publisher?.method === "lora" && this.#weights.published) {
        // An adapter does not survive a restart of its server: prove it anew, which loads it again.
        this.#weights.doubt();
        return new CallFailure("unreachable", error.message, { cause: error });
      }
      return error;
    } finally {
      leave();
    }
  }

  /** Pauses before the next try: as long as the server asks for, until it is back, or with growing random delays. */
  async #pauseAfter(failure: CallFailure, attempt: number, promptId: string, signal: AbortSignal): Promise<void> {
    const { retryDelayMs = 500, random = Math.random, startTimeoutMs = 600_000, maxTries = 4, onRetry } = this.#options;
    onRetry?.(`${this.info.url}, prompt ${promptId}: ${failure.message} (try ${attempt} of ${maxTries} follows)`);
    const backoffMs = retryDelayMs * 2 ** (attempt - 2) * (0.5 + random());
    await sleep(Math.min(maxPauseMs, Math.max(backoffMs, (failure.retryAfterMs ?? 0) * (1 + 0.1 * random()))), signal);
    if (failure.kind === "unreachable") await waitUntilHealthy(this.#caller, startTimeoutMs, signal);
  }

  async publish(weights: PublishedWeights, canary: Canary | null): Promise<void> {
    const drained = this.#publisher?.exclusive === true ? await this.#drain() : undefined;
    try {
      await this.#weights.publish(weights, canary);
    } finally {
      drained?.();
    }
  }

  /** Takes the whole gate: completions in flight end first, new ones wait. */
  async #drain(): Promise<() => void> {
    const timeoutMs = this.#options.requestTimeoutMs ?? 3_600_000;
    const timeout = new AbortController();
    const timer = setTimeout(() => {
      const message = `completions in flight at ${this.info.url} did not end within ${seconds(timeoutMs)}, so weights cannot be published`;
      timeout.abort(new ServerError(message));
    }, timeoutMs);
    try {
      return await this.#gate.enter(this.#gate.capacity, timeout.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Away from temperature 1 without filters, raw log-probabilities are not those of the distribution that was sampled from. */
  async #requireExactLogprobs({ params, exactLogprobs = true }: GroupRequest): Promise<void> {
    const plain = params.temperature === 1 && params.topP === 1 && params.topK === 0 && params.minP === 0;
    if (plain || !exactLogprobs || this.#publisher?.method === "embedded" || this.info.version.startsWith("grouper "))
      return;
    this.#logprobsMode ??= detectLogprobsMode(this.#caller, this.#weights.model, [this.#options.probeTokenId ?? 0]);
    let mode: "raw" | "processed";
    try {
      mode = await this.#logprobsMode;
    } catch (error) {
      this.#logprobsMode = undefined;
      throw new ServerError(`finding out the logprobs mode of ${this.info.url} failed: ${messageOf(error)}`, {
        cause: error,
      });
    }
    if (mode === "processed") return;
    throw new ServerError(
      `${this.info.url} returns raw log-probabilities, which at temperature ${params.temperature}, topP ${params.topP}, topK ` +
        `${params.topK}, minP ${params.minP} are not those it samples from: start it with --logprobs-mode processed_logprobs`,
    );
  }

  /** The sentence for a request that would be refused again. */
  async #explain(failure: CallFailure, maxTokens: number): Promise<string> {
    const sentence = refusal(this.#caller, "/v1/completions", failure);
    if (contextPhrases.test(failure.message))
      return `${sentence}; lower maxTokens (now ${maxTokens}) or maxPromptTokens`;
    if (failure.status !== 404) return sentence;
    const { names } = await readModels(this.#caller, undefined).catch(() => ({ names: new Set<string>() }));
    return `${this.info.url}: ${failure.message}; wanted ${this.#weights.model}, the server has: ${[...names].join(", ") || "unknown"}`;
  }

  async #condition(): Promise<string> {
    try {
      await this.#caller.call("/health", { deadlineMs: 5_000 });
      return "is healthy, so it is this request that it cannot serve";
    } catch (error) {
      return `is not healthy (${messageOf(error)})`;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new ServerError(`the connection to ${this.info.url} was closed`));
    await this.#caller.transport.close();
  }
}

const contextPhrases = /maximum context length|context length is|longer than the maximum model length|max_model_len/i;

/**
 * Every field that shapes the distribution is sent every time: what is left out, vLLM takes from the model's generation_config.
 * Choice i of a request runs with seed + i, so a run that starts at choice s keeps each choice's stream.
 */
function samplingBody({ prompt, seed, params }: GroupRequest, run: Run, model: string, policyVersion: number): object {
  return {
    model,
    prompt: prompt.tokenIds,
    n: run.count,
    seed: seed + run.start,
    temperature: params.temperature,
    top_p: params.topP,
    top_k: params.topK === 0 ? -1 : params.topK,
    min_p: params.minP,
    repetition_penalty: 1,
    presence_penalty: 0,
    frequency_penalty: 0,
    max_tokens: params.maxTokens,
    min_tokens: params.minTokens ?? 0,
    stop_token_ids: params.stopTokenIds,
    skip_special_tokens: false,
    logprobs: 0,
    return_token_ids: true,
    // A new salt per version: the prefix cache never mixes two policies.
    cache_salt: saltOf(policyVersion),
  };
}

/** Stretches of choices that are still missing; vLLM refuses n > 1 at temperature 0, so there each stretch is one choice. */
function missingRuns(found: readonly (Completion | undefined)[], greedy: boolean): Run[] {
  const runs: { start: number; count: number }[] = [];
  found.forEach((completion, i) => {
    if (completion !== undefined) return;
    const open = runs.at(-1);
    if (open !== undefined && !greedy && open.start + open.count === i) open.count++;
    else runs.push({ start: i, count: 1 });
  });
  return runs;
}
