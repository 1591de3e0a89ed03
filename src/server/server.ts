/**
 * The policy server as the loops see it: something that samples from a policy version over HTTP, and takes new weights.
 *
 * Tokens in, tokens out: the prompt's ids are sent, the completion's ids and log-probabilities come back, and text is never
 * tokenised again.
 */
import type { SamplingParams } from "../engine/engine.ts";
import type { Completion, Prompt } from "../types.ts";

export interface ServerInfo {
  /** e.g. "http://127.0.0.1:8000/v1". */
  readonly url: string;
  /** What the server calls itself, e.g. "vllm 0.26.0" or "grouper 0.1.0". */
  readonly version: string;
  readonly model: string;
  /** Context length in tokens, prompt and completion together. */
  readonly maxModelLen: number;
}

export interface GroupRequest {
  readonly prompt: Prompt;
  /** G */
  readonly numCompletions: number;
  /** Completion i runs with seed + i; callers space the seeds of two groups by at least G. */
  readonly seed: number;
  readonly params: SamplingParams;
  /**
   * False when nobody trains on the log-probabilities (evaluation). Otherwise a server that cannot return them for the
   * distribution it samples from, at temperature 1 without filters or elsewhere, is refused. Default true.
   */
  readonly exactLogprobs?: boolean;
}

/** Where the current weights are, for servers that must be told. */
export interface PublishedWeights {
  readonly policyVersion: number;
  /** Hugging Face folder, or PEFT adapter folder when `kind` is "lora"; null when server and engine share memory. */
  readonly dir: string | null;
  readonly kind: "full" | "lora";
}

/**
 * A sequence whose log-probabilities the trainer knows: a server that has the new weights reproduces them. Use the same tokens for
 * every version: that the server's numbers move when the trainer's do shows what one small step would hide in kernel noise.
 */
export interface Canary {
  readonly tokenIds: readonly number[];
  /** [L] nats, at temperature 1; entry 0 is unused. */
  readonly logprobs: Float32Array;
}

export interface PolicyServer extends AsyncDisposable {
  readonly info: ServerInfo;
  /** The version every following completion carries. */
  readonly policyVersion: number;
  /** [G] completions of one prompt, all or none: throws ServerError after bounded retries. */
  sample(request: GroupRequest, signal?: AbortSignal): Promise<Completion[]>;
  /** Returns when the server provably samples from the new weights; throws ServerError otherwise. */
  publish(weights: PublishedWeights, canary: Canary | null): Promise<void>;
}

/** A server failed past its retries. `message` names the URL, the call, the number of tries and the last answer. */
export class ServerError extends Error {
  override readonly name = "ServerError";
}
