/**
 * What a critic makes of a completion: generalised advantages on every trained token, and the returns that it learns from.
 *
 *   R_t  = -beta k_t, and on the last trained token the completion's reward besides
 *   d_t  = R_t + gamma V_{t+1} - V_t
 *   A_t  = d_t + gamma lambda A_{t+1}          returns_t = A_t + V_t          V, A = 0 beyond the last trained token
 *
 * Schulman et al., GAE, arXiv 1506.02438, eq. 16. t + 1 is the next trained token: where lossMask is 0, in what the
 * environment wrote, value and advantage pass through, as in verl. With gamma = lambda = 1, A_t is the return less the value.
 *
 *   lambda(l) = max(0, 1 - 1 / (alpha l))      l: trained tokens of the completion
 *
 * Yue et al., VAPO, arXiv 2504.05118: the weights of the deltas then sum to about alpha l, however long the answer is.
 *
 * Excluded rollouts get null here, and 0 when whitening.ts has finished the advantages.
 */
import { z } from "zod";
import type { Floats, ScoredGroup, Sequence, TokenOutputs } from "../../types.ts";
import type { Formula } from "../objective.ts";
import { countTrained } from "./aggregation.ts";
import { type Kl, klEstimate, rewardFormula } from "./kl.ts";
import { whitenedFormula } from "./whitening.ts";

export function gammaOption() {
  return z
    .number()
    .min(0)
    .max(1)
    .default(1)
    .describe("Discount of the reward per token, from 0 to 1. 1: a right answer is worth the same however long it is.");
}

export function lambdaOption(value: number, meaning: string) {
  return z.number().min(0).max(1).default(value).describe(meaning);
}

export function whitenOption() {
  return z
    .boolean()
    .default(true)
    .describe("Bring the advantages of all trained tokens of a rollout batch to mean 0 and variance 1.");
}

/** VAPO's lambda for an answer of `numTokens`; never below 0. */
export function lengthAdaptiveLambda(alpha: number, numTokens: number): number {
  return Math.max(0, 1 - 1 / (alpha * numTokens));
}

export interface GaeOptions {
  readonly gamma: number;
  /** Of an answer with so many trained tokens. */
  readonly lambdaOf: (numTokens: number) => number;
  readonly kl: Kl;
}

/** [groups][G][L] float64 advantages before whitening, 0 where lossMask is 0; null for excluded rollouts. `old` holds values. */
export function generalizedAdvantages(
  groups: readonly ScoredGroup[],
  old: readonly (readonly TokenOutputs[])[],
  ref: readonly (readonly TokenOutputs[])[] | undefined,
  { gamma, lambdaOf, kl }: GaeOptions,
): (Float64Array | null)[][] {
  return groups.map(({ rewards, rollouts }, g) =>
    rewards.map(({ total }, i) => {
      if (total === null) return null;
      const { sequence } = rollouts[i]!;
      const values = valuesOf(old[g]?.[i]);
      const divergences =
        kl.coefficient > 0 && kl.placement === "reward" ? tokenKl(sequence, old, ref, g, i, kl) : null;
      const lambda = lambdaOf(countTrained(sequence.lossMask));
      return backwards(sequence.lossMask, values, total, divergences, gamma, lambda);
    }),
  );
}

/** [L] The recursion, from the last trained token to the first. `divergences` are what each token pays. */
function backwards(
  lossMask: Uint8Array,
  values: Floats,
  reward: number,
  divergences: Float64Array | null,
  gamma: number,
  lambda: number,
): Float64Array {
  const advantages = new Float64Array(lossMask.length);
  let tokenReward = reward;
  let nextValue = 0;
  let nextAdvantage = 0;
  for (let t = lossMask.length - 1; t >= 0; t--) {
    if (lossMask[t] === 0) continue;
    if (divergences !== null) tokenReward -= divergences[t]!;
    const delta = tokenReward + gamma * nextValue - values[t]!;
    nextAdvantage = delta + gamma * lambda * nextAdvantage;
    nextValue = values[t]!;
    tokenReward = 0;
    advantages[t] = nextAdvantage;
  }
  return advantages;
}

/** [L] coefficient * k_t of the old policy. */
export function tokenKl(
  { lossMask }: Sequence,
  old: readonly (readonly TokenOutputs[])[],
  ref: readonly (readonly TokenOutputs[])[] | undefined,
  g: number,
  i: number,
  { coefficient, estimator }: Kl,
): Float64Array {
  const oldLogprobs = old[g]?.[i]?.logprobs;
  const refLogprobs = ref?.[g]?.[i]?.logprobs;
  if (oldLogprobs === undefined || refLogprobs === undefined) {
    throw new Error(`KL in the reward needs old and reference log-probabilities of rollout ${i} of group ${g}`);
  }
  const divergences = new Float64Array(lossMask.length);
  for (let t = 0; t < lossMask.length; t++) {
    if (lossMask[t] === 1) divergences[t] = coefficient * klEstimate(estimator, oldLogprobs[t]!, refLogprobs[t]!).value;
  }
  return divergences;
}

/** [groups][G][L] A_t + V_t; 0 where lossMask is 0 and for excluded rollouts. */
export function returnsOf(
  groups: readonly ScoredGroup[],
  old: readonly (readonly TokenOutputs[])[],
  advantages: readonly (readonly (Float64Array | null)[])[],
): Float32Array[][] {
  return groups.map(({ rollouts }, g) =>
    rollouts.map(({ sequence: { lossMask } }, i) => {
      const returns = new Float32Array(lossMask.length);
      const ofTokens = advantages[g]![i]!;
      if (ofTokens === null) return returns;
      const values = valuesOf(old[g]?.[i]);
      for (let t = 0; t < lossMask.length; t++) if (lossMask[t] === 1) returns[t] = ofTokens[t]! + values[t]!;
      return returns;
    }),
  );
}

function valuesOf(outputs: TokenOutputs | undefined): Floats {
  if (outputs?.values === undefined) throw new Error("generalised advantages need the critic's values");
  return outputs.values;
}

/** The lines from the reward to the advantage; `lambda` as it shall be read, e.g. "0.95" or "max(0, 1 - 1/(0.05 l))". */
export function gaeFormula(gamma: number, lambda: string, kl: Kl, whiten: boolean): Formula[] {
  const divergence = rewardFormula(kl).filter(({ symbol }) => symbol === "k_t");
  const paid = divergence.length > 0 ? `, less ${kl.coefficient} k_t` : "";
  const [discount, decay] = [gamma === 1 ? "" : `${gamma} `, gamma === 1 ? lambda : `${gamma} ${lambda}`];
  const source = "GAE, arXiv 1506.02438, eq. 16";
  return [
    ...divergence,
    {
      symbol: "R_t",
      expression: `reward_i on the last token, else 0${paid}`,
      source: "the recipe's rewards, weighted",
    },
    { symbol: "d_t", expression: `R_t + ${discount}V_{t+1} - V_t`, source },
    { symbol: "A_t", expression: `d_t + ${decay} A_{t+1}`, source },
    ...(whiten ? [whitenedFormula("sample")] : []),
  ];
}
