/**
 * A policy that is a table of logits by (prompt, position, previous token): the smallest model that answers, learns and forgets. With a
 * critic, the value of a state stands in a table beside it.
 */
import type { LossFunction } from "../../src/engine/engine.ts";
import type { Example, Rollout, Sequence, TokenOutputs } from "../../src/types.ts";

export interface TabularPolicy {
  readonly numTokens: number;
  readonly maxLength: number;
  readonly end: number;
  /** [prompt][position][previous token, the first of which is "none"][token] */
  readonly logits: Float64Array;
  /** [prompt][position][previous token], the critic's; absent without one. */
  readonly values?: Float64Array;
}

/** mulberry32: uniform numbers in [0, 1). */
export function uniform(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function rowStart(policy: TabularPolicy, prompt: number, position: number, previous: number): number {
  return ((prompt * policy.maxLength + position) * (policy.numTokens + 1) + previous + 1) * policy.numTokens;
}

/** [V] probabilities of one row, written into `out`. */
function softmax({ logits, numTokens }: TabularPolicy, start: number, out: Float64Array): void {
  let sum = 0;
  for (let k = 0; k < numTokens; k++) {
    out[k] = Math.exp(logits[start + k]!);
    sum += out[k]!;
  }
  for (let k = 0; k < numTokens; k++) out[k]! /= sum;
}

/** Samples one answer to prompt number `prompt`, which stands as the sequence's only prompt token. */
export function sample(policy: TabularPolicy, prompt: number, random: () => number): Rollout {
  const probabilities = new Float64Array(policy.numTokens);
  const tokens: number[] = [];
  const logprobs: number[] = [];
  while (tokens.length < policy.maxLength && tokens.at(-1) !== policy.end) {
    softmax(policy, rowStart(policy, prompt, tokens.length, tokens.at(-1) ?? -1), probabilities);
    let token = 0;
    for (let rest = random() - probabilities[0]!; rest >= 0 && token < policy.numTokens - 1; )
      rest -= probabilities[++token]!;
    tokens.push(token);
    logprobs.push(Math.log(probabilities[token]!));
  }
  return {
    completion: {
      tokenIds: tokens,
      logprobs: Float32Array.from(logprobs),
      text: "",
      finishReason: tokens.at(-1) === policy.end ? "stop" : "length",
      policyVersion: 0,
    },
    sequence: {
      tokenIds: Int32Array.from([prompt, ...tokens]),
      lossMask: Uint8Array.from([0, ...tokens.map(() => 1)]),
      samplingLogprobs: Float32Array.from([0, ...logprobs]),
    },
  };
}

export function forward(policy: TabularPolicy, { tokenIds }: Sequence): TokenOutputs {
  const probabilities = new Float64Array(policy.numTokens);
  const logprobs = new Float64Array(tokenIds.length);
  const entropies = new Float64Array(tokenIds.length);
  const values = new Float64Array(tokenIds.length);
  for (let t = 1; t < tokenIds.length; t++) {
    const start = rowStart(policy, tokenIds[0]!, t - 1, t === 1 ? -1 : tokenIds[t - 1]!);
    softmax(policy, start, probabilities);
    logprobs[t] = Math.log(probabilities[tokenIds[t]!]!);
    entropies[t] = entropyOf(probabilities);
    values[t] = policy.values?.[start / policy.numTokens] ?? 0;
  }
  return { logprobs, entropies, ...(policy.values === undefined ? {} : { values }) };
}

/** nats */
function entropyOf(probabilities: Float64Array): number {
  return probabilities.reduce((sum, p) => (p === 0 ? sum : sum - p * Math.log(p)), 0);
}

/** One step of plain gradient descent on the summed losses; the critic's table has a rate of its own. */
export function update(
  policy: TabularPolicy,
  examples: readonly Example[],
  loss: LossFunction,
  learningRate: number,
  valueLearningRate = learningRate,
): void {
  const before: TabularPolicy = {
    ...policy,
    logits: Float64Array.from(policy.logits),
    ...(policy.values === undefined ? {} : { values: Float64Array.from(policy.values) }),
  };
  const probabilities = new Float64Array(policy.numTokens);
  for (const example of examples) {
    const { tokenIds } = example.sequence;
    const { dLogprobs, dEntropies, dValues } = loss(example, forward(before, example.sequence)).gradient;
    for (let t = 1; t < tokenIds.length; t++) {
      const start = rowStart(policy, tokenIds[0]!, t - 1, t === 1 ? -1 : tokenIds[t - 1]!);
      const step = -learningRate * dLogprobs[t]!;
      softmax(before, start, probabilities);
      for (let k = 0; k < policy.numTokens; k++) policy.logits[start + k]! -= step * probabilities[k]!;
      policy.logits[start + tokenIds[t]!]! += step;
      if (policy.values !== undefined && dValues !== undefined)
        policy.values[start / policy.numTokens]! -= valueLearningRate * dValues[t]!;
      if (dEntropies === undefined) continue;
      // d H / d logit_k = -p_k (log p_k + H)
      const entropy = entropyOf(probabilities);
      for (let k = 0; k < policy.numTokens; k++) {
        const p = probabilities[k]!;
        policy.logits[start + k]! += learningRate * dEntropies[t]! * p * (Math.log(p) + entropy);
      }
    }
  }
}
