/**
 * What is learnt of a policy server before the first rollout depends on it: that it answers, which version it is, which models it
 * has, and whether its log-probabilities are of the distribution that it samples from.
 */
import { messageOf } from "../errors.ts";
import { type Caller, CallFailure, parseReply, seconds, sleep } from "./call.ts";
import { ServerError } from "./server.ts";
import { completionReply, modelsReply, topLogprobs, versionReply } from "./wire.ts";

const probeDeadlineMs = 10_000;

/** Waits, with growing pauses, until GET /health says 200; a server without that endpoint counts as healthy. */
export async function waitUntilHealthy(caller: Caller, timeoutMs: number, signal?: AbortSignal): Promise<void> {
  const end = performance.now() + timeoutMs;
  for (let delayMs = 100; ; delayMs = Math.min(delayMs * 1.6, 5_000)) {
    try {
      await caller.call("/health", {
        deadlineMs: Math.max(1, Math.min(probeDeadlineMs, end - performance.now())),
        signal,
      });
      return;
    } catch (error) {
      if (!(error instanceof CallFailure)) throw error;
      if (error.status === 404 || error.status === 405) return;
      if (error.status === 401 || error.status === 403)
        throw new ServerError(refusal(caller, "/health", error), { cause: error });
      if (performance.now() + delayMs > end) {
        throw new ServerError(
          `expected a policy server at ${caller.root}, but GET /health did not answer 200 within ${seconds(timeoutMs)} ` +
            `(last: ${error.message}); start it, or mend server.url`,
          { cause: error },
        );
      }
    }
    await sleep(delayMs, signal);
  }
}

/** e.g. "vllm 0.26.0" or "grouper 0.1.0"; "unknown" for servers that do not say. */
export async function readVersion(caller: Caller): Promise<string> {
  try {
    const reply = parseReply(
      await caller.call("/version", { deadlineMs: probeDeadlineMs }),
      versionReply,
      "GET /version",
    );
    return `${reply.server ?? "vllm"} ${reply.version}`;
  } catch (error) {
    if (error instanceof CallFailure && error.kind !== "unreachable" && error.kind !== "late") return "unknown";
    throw new ServerError(`GET ${caller.root}/version failed: ${messageOf(error)}`, { cause: error });
  }
}

/** Compares "vllm 0.9.2.dev3+cpu" with [0, 10, 2]; true when the version cannot be read, since probes follow. */
export function isAtLeast(version: string, minimum: readonly [number, number, number]): boolean {
  const found = /^vllm v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(version);
  if (found === null) return true;
  const parts = [found[1], found[2], found[3] ?? "0"].map(Number);
  for (let i = 0; i < minimum.length; i++) {
    if (parts[i] !== minimum[i]) return parts[i]! > minimum[i]!;
  }
  return true;
}

export interface ServedModels {
  /** The model that is sampled before anything is published. */
  readonly model: string;
  readonly maxModelLen: number;
  /** Every name that stands for the same weights as `model`. */
  readonly names: ReadonlySet<string>;
}

/** Finds the wanted model, or the only one. */
export async function readModels(caller: Caller, wanted: string | undefined): Promise<ServedModels> {
  let reply: ReturnType<typeof modelsReply.parse>;
  try {
    reply = parseReply(await caller.call("/v1/models", { deadlineMs: probeDeadlineMs }), modelsReply, "GET /v1/models");
  } catch (error) {
    if (!(error instanceof CallFailure)) throw error;
    throw new ServerError(refusal(caller, "/v1/models", error), { cause: error });
  }
  const bases = reply.data.filter((entry) => entry.parent === undefined || entry.parent === null);
  const names = reply.data.map((entry) => entry.id).join(", ") || "none";
  const chosen = wanted === undefined ? bases[0] : reply.data.find((entry) => entry.id === wanted);
  if (chosen === undefined) {
    throw new ServerError(
      `expected model ${JSON.stringify(wanted ?? "any")} at ${caller.url}, but the server has: ${names}; mend server.model`,
    );
  }
  const others = bases.filter((entry) => entry.max_model_len !== chosen.max_model_len);
  if (wanted === undefined && others.length > 0) {
    throw new ServerError(`${caller.url} serves several models (${names}); name one in server.model`);
  }
  if (chosen.max_model_len === undefined || chosen.max_model_len === null) {
    throw new ServerError(
      `GET ${caller.url}/models does not say max_model_len of ${chosen.id}; expected vLLM or the embedded server`,
    );
  }
  // Asked by one alias of the base, vLLM answers with another.
  const aliases = bases.includes(chosen) ? bases.map((entry) => entry.id) : [chosen.id];
  return { model: chosen.id, maxModelLen: chosen.max_model_len, names: new Set(aliases) };
}

/** What to do about a call that would be refused again. */
export function refusal(caller: Caller, path: string, error: CallFailure): string {
  const call = `${caller.root}${path}: ${error.message}`;
  switch (error.status) {
    case 401:
    case 403:
      return `${call}; the server wants an API key: name its environment variable in server.apiKeyEnv`;
    case 404:
      return `${call}; is ${caller.url} the base URL of an OpenAI-compatible server (it ends in /v1)?`;
    default:
      return call;
  }
}

/**
 * Are the server's log-probabilities those before temperature and filters ("raw", vLLM's default), or of the distribution that is
 * sampled from ("processed")? One token at temperature 1 and one at 2, same prompt: equal numbers are raw.
 */
export async function detectLogprobsMode(
  caller: Caller,
  model: string,
  probe: readonly number[],
): Promise<"raw" | "processed"> {
  const [plain, heated] = await Promise.all([topOf(caller, model, probe, 1), topOf(caller, model, probe, 2)]);
  let numShared = 0;
  for (const [token, logprob] of Object.entries(plain)) {
    const other = heated[token];
    if (other === undefined) continue;
    numShared++;
    if (Math.abs(other - logprob) > 1e-5) return "processed";
  }
  // top-20 lists of raw log-probabilities are the same list; of processed ones they have the same tokens in the same order
  if (numShared === 0) throw new CallFailure("garbled", "two top-20 lists of the same prompt have no token in common");
  return "raw";
}

async function topOf(caller: Caller, model: string, prompt: readonly number[], temperature: number) {
  const body = {
    ...{ model, prompt, n: 1, seed: 0, temperature, top_p: 1, top_k: 0, min_p: 0, repetition_penalty: 1 },
    ...{ max_tokens: 1, logprobs: 20, return_tokens_as_token_ids: true, cache_salt: "logprobs-mode" },
  };
  const text = await caller.call("/v1/completions", { body, deadlineMs: 60_000 });
  const reply = parseReply(text, completionReply, "the logprobs-mode probe");
  const top = topLogprobs.safeParse(reply.choices[0]?.logprobs?.top_logprobs);
  if (!top.success || top.data[0] === undefined)
    throw new CallFailure("garbled", "the logprobs-mode probe was answered without top_logprobs");
  return top.data[0];
}
