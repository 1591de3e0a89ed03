/**
 * A server with vLLM's contract, for tests where no vLLM runs: routes, fields, defaults, refusals and control endpoints as its
 * documentation and source have them, over a real (bigram) model. Weights are read from the folders that are published, so a
 * client that believes a 200 can be caught. Faults are injected per request.
 */

import { existsSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { SamplingParams } from "../../src/engine/engine.ts";
import { endId, letters, vocabSize } from "./letters.ts";
import { TableEngine } from "./table-engine.ts";

export interface ContractOptions {
  readonly version?: string;
  readonly model?: string;
  readonly maxModelLen?: number;
  readonly apiKey?: string;
  /** VLLM_SERVER_DEV_MODE=1 */
  readonly devMode?: boolean;
  /** --enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True */
  readonly lora?: boolean;
  readonly logprobsMode?: "raw" | "processed";
  /** False: prompt_logprobs is refused. */
  readonly promptLogprobs?: boolean;
  /** True: reload_weights and load_lora_adapter say 200 and do nothing. */
  readonly lies?: boolean;
  /** Pause before each sampled reply. */
  readonly latencyMs?: number;
  /** How long an idle connection is kept; clients are told and let go of it earlier. */
  readonly keepAliveMs?: number;
  /** Noise on the log-probabilities of prompts, as between two kernels. */
  readonly noise?: number;
}

// biome-ignore lint/suspicious/noExplicitAny: the contract server reads bodies as a dynamic language does
type Json = any;

/** What happens to one request instead of, or to, its answer. */
export type Fault =
  | { readonly status: number; readonly body?: string; readonly headers?: Record<string, string> }
  /** Accepts the request and never answers. */
  | "hold"
  /** Closes the socket at once. */
  | "reset"
  /** Sends half of the body and closes the socket. */
  | "cut"
  /** Sends one byte of the body every few milliseconds. */
  | "drip"
  /** Changes the reply of a completion request. */
  | { readonly mutate: (reply: Json) => Json };

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: Json;
}

export interface ContractServer extends AsyncDisposable {
  readonly url: string;
  readonly root: string;
  readonly requests: SeenRequest[];
  /** The base weights, and the adapters by name. */
  readonly base: TableEngine;
  readonly adapters: Map<string, TableEngine>;
  paused: boolean;
  /** Most sequences that were in flight at once. */
  peak: number;
  /** Asked for each request, in order of arrival. */
  fault: ((request: SeenRequest, count: number) => Fault | undefined) | undefined;
  /** Dies with all connections. */
  stop(): Promise<void>;
  /** Comes back on the same port with the weights it was started with. */
  start(): Promise<void>;
  /** What a restart behind a proxy looks like: the first weights are back, and idle connections are closed. */
  loseWeights(): void;
  count(path: string): number;
}

/** What a Qwen model ships in generation_config.json: the values of fields that are left out. */
const generationConfig = { temperature: 0.6, top_p: 0.8, top_k: 20, repetition_penalty: 1.1 };

export async function contractServer(options: ContractOptions = {}): Promise<ContractServer> {
  const { version = "0.28.1", model = "base", maxModelLen = 128, devMode = false, lora = false, apiKey } = options;
  const {
    logprobsMode = "raw",
    promptLogprobs = true,
    lies = false,
    latencyMs = 0,
    noise = 0,
    keepAliveMs = 5000,
  } = options;
  const fresh = () => new TableEngine({ vocabSize, seed: 9 });
  let base = fresh();
  let http: Server | undefined;
  let port = 0;
  let inFlight = 0;
  let waiting: (() => void)[] = [];
  let received = 0;
  const adapters = new Map<string, TableEngine>();

  const server: ContractServer = {
    get url() {
      return `http://127.0.0.1:${port}/v1`;
    },
    get root() {
      return `http://127.0.0.1:${port}`;
    },
    requests: [],
    get base() {
      return base;
    },
    adapters,
    paused: false,
    peak: 0,
    fault: undefined,
    async stop() {
      const dying = http;
      http = undefined;
      if (dying === undefined) return;
      await new Promise<void>((resolve) => {
        dying.close(() => resolve());
        dying.closeAllConnections();
      });
    },
    async start() {
      base = fresh();
      adapters.clear();
      server.paused = false;
      const born = createServer(
        { keepAliveTimeout: keepAliveMs },
        (request, response) => void handle(request, response),
      );
      await new Promise<void>((resolve) => born.listen(port, "127.0.0.1", resolve));
      port = (born.address() as AddressInfo).port;
      http = born;
    },
    loseWeights() {
      base = fresh();
      http?.closeIdleConnections();
    },
    count: (path) => server.requests.filter((request) => request.path === path).length,
    [Symbol.asyncDispose]: () => server.stop(),
  };
  await server.start();
  return server;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return;
    }
    const url = new URL(request.url ?? "/", "http://x");
    const text = Buffer.concat(chunks).toString();
    const seen: SeenRequest = {
      method: request.method ?? "",
      path: url.pathname,
      query: url.searchParams,
      body: text === "" ? undefined : JSON.parse(text),
    };
    server.requests.push(seen);
    const fault = server.fault?.(seen, received++);
    if (fault === "hold") return;
    if (fault === "reset") {
      response.socket?.resetAndDestroy();
      return;
    }
    if (typeof fault === "object" && "status" in fault) {
      response.writeHead(fault.status, { "content-type": "application/json", ...fault.headers });
      response.end(fault.body ?? errorBody(fault.status, "injected"));
      return;
    }
    if (apiKey !== undefined && seen.path.startsWith("/v1/") && request.headers.authorization !== `Bearer ${apiKey}`) {
      reply(response, 401, { error: "Unauthorized" });
      return;
    }
    let [status, body] = await answer(seen);
    if (typeof fault === "object" && "mutate" in fault) body = fault.mutate(body);
    if (fault === "cut" || fault === "drip") {
      const whole = JSON.stringify(body);
      response.writeHead(status, { "content-type": "application/json", "content-length": whole.length });
      if (fault === "drip") return drip(response, whole);
      response.write(whole.slice(0, whole.length / 2), () => response.socket?.destroy());
      return;
    }
    reply(response, status, body);
  }

  async function answer({ method, path, query, body }: SeenRequest): Promise<[number, Json]> {
    const route = `${method} ${path}`;
    switch (route) {
      case "GET /health":
        return [200, ""];
      case "GET /version":
        return [200, { version }];
      case "GET /v1/models": {
        const cards = [{ id: model, root: model, parent: null, max_model_len: maxModelLen }];
        for (const name of adapters.keys())
          cards.push({ id: name, root: "/x", parent: model as unknown as null, max_model_len: maxModelLen });
        return [200, { object: "list", data: cards }];
      }
      case "POST /v1/completions":
        return completions(body);
      case "POST /v1/load_lora_adapter":
      case "POST /v1/unload_lora_adapter":
        return lora ? adapter(path, body) : [404, { detail: "Not Found" }];
      default:
        return devMode ? control(route, query, body) : [404, { detail: "Not Found" }];
    }
  }

  function adapter(path: string, body: Json): [number, Json] {
    const name = body.lora_name;
    if (path.endsWith("unload_lora_adapter")) {
      if (!adapters.delete(name)) return error(404, `The lora adapter '${name}' cannot be found.`);
      return [200, `Success: LoRA adapter '${name}' removed successfully.`];
    }
    if (adapters.has(name)) return error(400, `The lora adapter '${name}' has already been loaded.`);
    if (!existsSync(join(body.lora_path, "table.json")))
      return error(404, `Loading lora ${name} failed: No adapter found for ${body.lora_path}`);
    const engine = fresh();
    if (!lies) engine.loadWeights(body.lora_path);
    adapters.set(name, engine);
    return [200, `Success: LoRA adapter '${name}' added successfully.`];
  }

  async function control(route: string, query: URLSearchParams, body: Json): Promise<[number, Json]> {
    switch (route) {
      case "POST /pause":
        server.paused = true;
        while (query.get("mode") === "wait" && inFlight > 0) await sleep(5);
        return [200, { status: "paused" }];
      case "POST /resume":
        server.paused = false;
        for (const wake of waiting) wake();
        waiting = [];
        return [200, { status: "resumed" }];
      case "GET /is_paused":
        return [200, { is_paused: server.paused }];
      case "POST /reset_prefix_cache":
        return [200, ""];
      case "POST /collective_rpc":
        if (body.method !== "reload_weights") return error(500, `no method ${body.method}`);
        if (!existsSync(join(body.kwargs.weights_path, "table.json")))
          return error(500, `no weights in ${body.kwargs.weights_path}`);
        if (!lies) base.loadWeights(body.kwargs.weights_path);
        return [200, ""];
      default:
        return [404, { detail: "Not Found" }];
    }
  }

  async function completions(sent: Json): Promise<[number, Json]> {
    const engine = sent.model === model ? base : adapters.get(sent.model);
    if (engine === undefined) return error(404, `The model \`${sent.model}\` does not exist.`);
    const body = { n: 1, max_tokens: 16, min_p: 0, ...generationConfig, ...sent };
    if (body.repetition_penalty !== 1)
      return error(500, "the contract server has no penalties: the client left them out");
    if (body.prompt.length + body.max_tokens > maxModelLen) {
      const message =
        `This model's maximum context length is ${maxModelLen} tokens. However, you requested ${body.max_tokens} output tokens ` +
        `and your prompt contains at least ${body.prompt.length} input tokens.`;
      return error(400, message);
    }
    if (typeof body.logprobs === "boolean" || body.logprobs > 20)
      return error(400, "logprobs must be an integer of at most 20");
    if (body.temperature === 0 && body.n > 1)
      return error(400, `n must be 1 when using greedy sampling, got ${body.n}.`);
    if (body.prompt_logprobs !== undefined && !promptLogprobs) return error(400, "prompt_logprobs are not supported");
    while (server.paused) await new Promise<void>((resolve) => waiting.push(resolve));
    inFlight += body.n;
    server.peak = Math.max(server.peak, inFlight);
    try {
      if (latencyMs > 0) await sleep(latencyMs);
      return [200, await sampled(engine, body)];
    } finally {
      inFlight -= body.n;
    }
  }

  async function sampled(engine: TableEngine, body: Json): Promise<Json> {
    const params: SamplingParams = {
      temperature: body.temperature,
      topP: body.top_p,
      topK: Math.max(0, body.top_k),
      minP: body.min_p,
      maxTokens: body.max_tokens,
      minTokens: body.min_tokens ?? 0,
      stopTokenIds: [...(body.stop_token_ids ?? []), endId],
    };
    const seed = body.seed ?? 0;
    const requests = Array.from({ length: body.n }, (_, i) => ({
      promptTokenIds: body.prompt,
      seed: seed + i,
      params,
    }));
    const results = await engine.sample(requests);
    const choices = results.map((result, index) => {
      const contexts = [body.prompt.at(-1), ...result.tokenIds.slice(0, -1)];
      const tables = contexts.map((previous: number) => shown(engine, previous, params));
      const name = (id: number) => (body.return_tokens_as_token_ids ? `token_id:${id}` : letters.decode([id]));
      const block = {
        tokens: result.tokenIds.map(name),
        token_logprobs: result.tokenIds.map((id, t) => tables[t]![id]),
        top_logprobs: result.tokenIds.map((id, t) => {
          const order = tables[t]!.map((_, v) => v).sort((a, b) => tables[t]![b]! - tables[t]![a]!);
          const ids = new Set([id, ...order.slice(0, body.logprobs)]);
          return Object.fromEntries([...ids].map((v) => [name(v), Math.max(-9999, tables[t]![v]!)]));
        }),
      };
      const stop = result.finishReason === "stop";
      const text = letters.decode(stop ? result.tokenIds.slice(0, -1) : result.tokenIds, {
        skipSpecialTokens: body.skip_special_tokens ?? true,
      });
      const choice = { index, text, finish_reason: result.finishReason, stop_reason: null };
      const logprobs = body.logprobs === undefined || body.logprobs === null ? null : block;
      const scores = body.prompt_logprobs === undefined ? null : promptScores(engine, body.prompt);
      const modern = body.return_token_ids === true && !/^0\.(9|10\.[01])/.test(version);
      const ids = modern ? { token_ids: result.tokenIds, prompt_token_ids: body.prompt } : {};
      return { ...choice, logprobs, prompt_logprobs: scores, ...ids };
    });
    const usage = { prompt_tokens: body.prompt.length, completion_tokens: 0, total_tokens: 0 };
    return { id: "cmpl-1", object: "text_completion", model: body.model, choices, usage };
  }

  /** [V] the log-probabilities that the server reports after `previous`. */
  function shown(engine: TableEngine, previous: number, params: SamplingParams): number[] {
    const plain = { ...params, temperature: 1, topP: 1, topK: 0, minP: 0 };
    return engine.distribution(previous, logprobsMode === "raw" ? plain : params).map(Math.log);
  }

  function promptScores(engine: TableEngine, prompt: readonly number[]): Json {
    const plain = { temperature: 1, topP: 1, topK: 0, minP: 0, maxTokens: 1, stopTokenIds: [] };
    return prompt.map((id, t) => {
      if (t === 0) return null;
      const logprob = Math.log(engine.distribution(prompt[t - 1]!, plain)[id]!) + noise * Math.sin(37 * t);
      // an alternative before the true token, as with k > 0: the order of keys means nothing, and "99" sorts after any id
      return {
        "99": { logprob: -0.1, rank: 1, decoded_token: "?" },
        [String(id)]: { logprob, rank: 2, decoded_token: "" },
      };
    });
  }
}

function error(status: number, message: string): [number, Json] {
  return [status, JSON.parse(errorBody(status, message))];
}

function errorBody(status: number, message: string): string {
  return JSON.stringify({ error: { message, type: "Error", param: null, code: status } });
}

function reply(response: ServerResponse, status: number, body: Json): void {
  const isText = typeof body === "string";
  response.writeHead(status, isText ? {} : { "content-type": "application/json" });
  response.end(isText ? body : JSON.stringify(body));
}

async function drip(response: ServerResponse, text: string): Promise<void> {
  for (const byte of text) {
    if (response.destroyed) return;
    response.write(byte);
    await sleep(20);
  }
  response.end();
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
