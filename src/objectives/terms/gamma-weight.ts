/**
 * VESPO's weight of an answer by the ratio of its probabilities: 1 on-policy, falling smoothly to 0 on both sides.
 *
 *   log W_i = sum_t (logp_t - old_t)              + sum_t (old_t - sampling_t) with `mismatch`
 *   phi_i   = exp(lambda) W_i^k exp(-lambda W_i)
 *
 * k and lambda differ by the sign of the advantage. Token log ratios are held at +-20 and log W_i between ln 1e-8 and 20, as in TRL.
 * The weight is held constant while the gradient is taken.
 *
 * VESPO: Variational Sequence-Level Soft Policy Optimization, arXiv 2602.10693.
 */
import { z } from "zod";
import { clamp } from "../../math/statistics.ts";
import type { Example, Floats } from "../../types.ts";
import type { Formula } from "../objective.ts";

const MAX_LOG_RATIO = 20;
const MIN_LOG_WEIGHT = Math.log(1e-8);

export interface Gamma {
  readonly kPositive: number;
  readonly lambdaPositive: number;
  readonly kNegative: number;
  readonly lambdaNegative: number;
}

export function gammaOption(meaning: "shape k" | "rate lambda", side: "not negative" | "negative", value: number) {
  return z
    .number()
    .positive()
    .default(value)
    .describe(
      meaning === "shape k"
        ? `Shape k of the weight where the advantage is ${side}; above 0. Larger: answers that became less likely lose weight sooner.`
        : `Rate lambda of the weight where the advantage is ${side}; above 0. Larger: answers that became more likely lose weight sooner.`,
    );
}

/** log W_i, held. */
export function logSequenceRatio({ sequence, old }: Example, logprobs: Floats, mismatch: boolean): number {
  const { lossMask, samplingLogprobs } = sequence;
  let sum = 0;
  for (let t = 0; t < lossMask.length; t++) {
    if (lossMask[t] === 0) continue;
    sum += clamp(logprobs[t]! - old.logprobs[t]!, -MAX_LOG_RATIO, MAX_LOG_RATIO);
    if (mismatch) sum += clamp(old.logprobs[t]! - samplingLogprobs[t]!, MIN_LOG_WEIGHT, MAX_LOG_RATIO);
  }
  return clamp(sum, MIN_LOG_WEIGHT, MAX_LOG_RATIO);
}

/** phi_i of log W_i. */
export function gammaWeight(logRatio: number, k: number, lambda: number): number {
  return Math.exp(lambda + k * logRatio - lambda * Math.exp(logRatio));
}

export function gammaFormulas(gamma: Gamma, mismatch: boolean): Formula[] {
  const source = "VESPO, arXiv 2602.10693";
  const phi = (k: number, lambda: number) => `exp(${lambda}) W_i^${k} exp(-${lambda} W_i)`;
  const { kPositive, lambdaPositive, kNegative, lambdaNegative } = gamma;
  return [
    { symbol: "W_i", expression: `exp(sum_t (logp_t - ${mismatch ? "sampling" : "old"}_t))`, source },
    {
      symbol: "phi_i",
      expression: `${phi(kPositive, lambdaPositive)} where A_i >= 0, ${phi(kNegative, lambdaNegative)} where A_i < 0`,
      source,
    },
    { symbol: "l_t", expression: "-A_i sg(phi_i) logp_t", source },
  ];
}
