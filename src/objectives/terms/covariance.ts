/**
 * How much each token of an optimizer step drives the policy's entropy down: the covariance of its advantage and its likelihood.
 *
 *   c_t = (A_t - mean A) (logp_t - mean logp)          means over the trained tokens of the step; logp of the policy before it
 *
 * Cui et al., The Entropy Mechanism of Reinforcement Learning for Reasoning Language Models, arXiv 2505.22617. Departure: verl and
 * SkyRL take the means over a micro-batch, so that the chosen tokens change with the memory setting; and SkyRL divides the advantages by
 * the batch's tokens first, so that no window and no coefficient means what it says (its kl_cov loss is 7 times that of its rule).
 */
import { z } from "zod";
import { kthSmallest } from "../../math/statistics.ts";
import type { Example, Floats, TokenOutputs } from "../../types.ts";
import type { Formula } from "../objective.ts";
import { countTrained } from "./aggregation.ts";

export function fractionOption(value: number, what: string) {
  return z
    .number()
    .gt(0)
    .max(1)
    .default(value)
    .describe(`Share of the step's tokens that ${what}; above 0, and at least one token.`);
}

export const covarianceFormula: Formula = {
  symbol: "c_t",
  expression: "(A_i - mean(A)) (logp_t - mean(logp)), over the tokens of the step before it",
  source: "Cui et al., arXiv 2505.22617",
};

/** [N] each: the trained tokens of a step, in the order of examples and positions. */
export interface TokenCovariances {
  /** Which example of the step. */
  readonly examples: Int32Array;
  /** Where in its sequence. */
  readonly positions: Int32Array;
  readonly covariances: Float64Array;
}

/** `current` are [S] outputs of the policy before the step. */
export function tokenCovariances(examples: readonly Example[], current: readonly TokenOutputs[]): TokenCovariances {
  const numTokens = examples.reduce((sum, { sequence }) => sum + countTrained(sequence.lossMask), 0);
  const tokens = {
    examples: new Int32Array(numTokens),
    positions: new Int32Array(numTokens),
    covariances: new Float64Array(numTokens),
  };
  const meanAdvantage = meanOverTokens(examples, numTokens, (s) => examples[s]!.advantages);
  const meanLogprob = meanOverTokens(examples, numTokens, (s) => current[s]!.logprobs);
  let n = 0;
  for (const [s, { sequence, advantages }] of examples.entries()) {
    const { logprobs } = current[s]!;
    for (let t = 0; t < sequence.lossMask.length; t++) {
      if (sequence.lossMask[t] === 0) continue;
      tokens.examples[n] = s;
      tokens.positions[n] = t;
      tokens.covariances[n++] = (advantages[t]! - meanAdvantage) * (logprobs[t]! - meanLogprob);
    }
  }
  return tokens;
}

/** NaN of no tokens, which then read it nowhere. */
function meanOverTokens(examples: readonly Example[], numTokens: number, valuesOf: (s: number) => Floats): number {
  let sum = 0;
  for (const [s, { sequence }] of examples.entries()) {
    const values = valuesOf(s);
    for (let t = 0; t < values.length; t++) if (sequence.lossMask[t] === 1) sum += values[t]!;
  }
  return sum / numTokens;
}

/** Tokens to choose of N: the whole part of the share, and at least one where there is one. */
export function numChosen(fraction: number, numTokens: number): number {
  return Math.min(Math.max(Math.floor(fraction * numTokens), 1), numTokens);
}

/** Indices of the `count` largest; of equal ones, the first. */
export function indicesOfLargest(values: Float64Array, count: number): number[] {
  if (count === 0) return [];
  const threshold = kthSmallest(values, values.length - count);
  let numAtThreshold = count;
  for (const value of values) if (value > threshold) numAtThreshold--;
  const chosen: number[] = [];
  for (let n = 0; n < values.length; n++) {
    if (values[n]! > threshold || (values[n] === threshold && numAtThreshold-- > 0)) chosen.push(n);
  }
  return chosen;
}
