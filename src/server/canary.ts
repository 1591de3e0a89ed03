/**
 * The proof that weights arrived: the server scores a sequence whose log-probabilities the trainer knows.
 *
 * Two questions. Do the two agree, up to the noise between kernels? And, since one step of training moves log-probabilities by
 * less than that noise: did the server's numbers move at all when the trainer's did? A server that says 200 and keeps its old
 * weights gives, to the last bit, the numbers it gave before.
 */
import { type Caller, CallFailure, parseReply } from "./call.ts";
import { type Canary, ServerError } from "./server.ts";
import { completionReply, topLogprobs } from "./wire.ts";

/** Scores by position: entry t speaks of token t. Servers without prompt_logprobs give one position only. */
export type CanaryScores = ReadonlyMap<number, number>;

export interface ScoreOptions {
  readonly model: string;
  readonly cacheSalt: string;
  readonly deadlineMs: number;
}

/** All at temperature 1 without filters: there raw and processed log-probabilities are the same numbers. */
const plainSampling = { n: 1, temperature: 1, top_p: 1, top_k: 0, min_p: 0, repetition_penalty: 1, max_tokens: 1 };

/** The server's log-probabilities of the canary's tokens. */
export async function scoreCanary(caller: Caller, canary: Canary, options: ScoreOptions): Promise<CanaryScores> {
  if (canary.tokenIds.length < 2) throw new RangeError("expected a canary of at least two tokens");
  try {
    return await scorePrompt(caller, canary, options);
  } catch (error) {
    const unsupported =
      error instanceof CallFailure && error.kind === "refused" && (error.status === 400 || error.status === 501);
    if (!unsupported) throw error;
    return scoreOneToken(caller, canary, options);
  }
}

async function scorePrompt(caller: Caller, canary: Canary, options: ScoreOptions): Promise<CanaryScores> {
  const body = {
    ...plainSampling,
    model: options.model,
    prompt: canary.tokenIds,
    seed: 0,
    prompt_logprobs: 0,
    cache_salt: options.cacheSalt,
  };
  const reply = await complete(caller, body, options.deadlineMs);
  const positions = reply.prompt_logprobs;
  if (positions === undefined || positions === null) return scoreOneToken(caller, canary, options);
  const scores = new Map<number, number>();
  for (let t = 1; t < canary.tokenIds.length; t++) {
    // by id, never the first key: with k > 0 the alternatives may come first
    const logprob = positions[t]?.[String(canary.tokenIds[t])]?.logprob;
    if (logprob === undefined)
      throw new CallFailure("garbled", `prompt_logprobs lack token ${canary.tokenIds[t]} at position ${t}`);
    scores.set(t, logprob);
  }
  return scores;
}

/** For servers without prompt_logprobs: samples one token where the canary's next token is likely, and finds it among the top. */
async function scoreOneToken(caller: Caller, canary: Canary, options: ScoreOptions): Promise<CanaryScores> {
  const t = likeliestPosition(canary);
  const body = {
    ...plainSampling,
    model: options.model,
    prompt: canary.tokenIds.slice(0, t),
    seed: 0,
    logprobs: 20,
    return_tokens_as_token_ids: true,
    cache_salt: options.cacheSalt,
  };
  const reply = await complete(caller, body, options.deadlineMs);
  const top = topLogprobs.safeParse(reply.logprobs?.top_logprobs);
  const logprob = top.success ? top.data[0]?.[`token_id:${canary.tokenIds[t]}`] : undefined;
  if (logprob === undefined) {
    throw new CallFailure(
      "refused",
      "the server offers neither prompt_logprobs nor enough top logprobs to verify its weights",
    );
  }
  return new Map([[t, logprob]]);
}

function likeliestPosition(canary: Canary): number {
  let best = 1;
  for (let t = 2; t < canary.tokenIds.length; t++) {
    if (canary.logprobs[t]! > canary.logprobs[best]!) best = t;
  }
  return best;
}

async function complete(caller: Caller, body: object, deadlineMs: number) {
  const text = await caller.call("/v1/completions", { body, deadlineMs });
  const choice = parseReply(text, completionReply, "the canary request").choices[0];
  if (choice === undefined) throw new CallFailure("garbled", "the canary request was answered without a choice");
  return choice;
}

export interface Evidence {
  readonly canary: Canary;
  /** Of the server, now. */
  readonly after: CanaryScores;
  /** Of the server, before the new weights; undefined when it did not serve this model yet. */
  readonly before: CanaryScores | undefined;
  /** The canary of the weights before, if there was one. */
  readonly previous: Canary | undefined;
  /** Largest mean |difference| that counts as the same weights, in nats. */
  readonly tolerance: number;
}

/** Throws ServerError when the server's scores are not those of the trainer's weights. */
export function judgeCanary({ canary, after, before, previous, tolerance }: Evidence): void {
  const difference = meanDifference(canary, after);
  if (!(difference <= tolerance)) {
    throw new ServerError(
      `the canary's log-probabilities differ from the trainer's by ${difference.toFixed(4)} nats on average, more than ` +
        `${tolerance}: the server does not sample from the published weights`,
    );
  }
  if (before === undefined || previous === undefined || !sameTokens(previous, canary)) return;
  let trainerMoved = false;
  for (const [t, score] of after) {
    if (before.get(t) !== score) return;
    trainerMoved ||= Math.abs(canary.logprobs[t]! - previous.logprobs[t]!) > movementFloor;
  }
  if (trainerMoved) {
    throw new ServerError(
      "the trainer's canary moved and the server's did not, to the last digit: it still has the old weights",
    );
  }
}

/** Above float32 rounding of a log-probability and below what any real step does to some token of a canary. */
const movementFloor = 1e-4;

/** Mean |server - trainer| over the scored positions, in nats. */
export function meanDifference(canary: Canary, scores: CanaryScores): number {
  let sum = 0;
  for (const [t, score] of scores) sum += Math.abs(score - canary.logprobs[t]!);
  return sum / scores.size;
}

/** Mean |a - b| over the positions of `b`; NaN when `a` lacks one. */
export function meanDistance(a: CanaryScores, b: CanaryScores): number {
  let sum = 0;
  for (const [t, score] of b) sum += Math.abs((a.get(t) ?? Number.NaN) - score);
  return sum / b.size;
}

export function sameTokens(a: Canary, b: Canary): boolean {
  return a.tokenIds.length === b.tokenIds.length && a.tokenIds.every((id, t) => id === b.tokenIds[t]);
}
