/**
 * The gap between the server that sampled and the trainer that learns: the same weights give two log-probabilities.
 *
 *   rho_t = exp(old_t - sampling_t)         old: the trainer's, before the update;  sampling: the server's
 *   w_t   = min(rho_t, cap)                 truncated importance sampling on each token
 *
 * Yao et al., Your Efficient RL Framework Secretly Brings You Off-Policy RL Training (2025); cap 2. Per token and not per sequence:
 * the product over a long answer shrinks the whole gradient while the share of kept sequences still looks healthy.
 */
import type { Floats, Metric, Sequence } from "../../types.ts";
import { importanceRatio } from "./ratio.ts";

/** Token-level truncated importance sampling. */
export interface Correction {
  readonly type: "tis";
  /** Largest weight of a token; no unit, above 0. */
  readonly cap: number;
}

/** [L] Weight of each trained token; 1 without a correction. */
export function tokenWeights(
  sequence: Sequence,
  oldLogprobs: Floats | undefined,
  correction?: Correction,
): Float32Array {
  const weights = new Float32Array(sequence.lossMask.length).fill(1);
  if (correction === undefined || oldLogprobs === undefined) return weights;
  for (let t = 0; t < weights.length; t++) {
    if (sequence.lossMask[t] === 0) continue;
    weights[t] = Math.min(importanceRatio(oldLogprobs[t]!, sequence.samplingLogprobs[t]!).value, correction.cap);
  }
  return weights;
}

/** Under TRL's names: |old - sampling| in nats, and rho, over the trained tokens of one sequence. */
export function samplingMetrics({ lossMask, samplingLogprobs }: Sequence, oldLogprobs: Floats): Record<string, Metric> {
  let count = 0;
  let differenceSum = 0;
  let differenceMax = 0;
  let ratioSum = 0;
  let ratioMax = 0;
  for (let t = 0; t < lossMask.length; t++) {
    if (lossMask[t] === 0) continue;
    const difference = Math.abs(oldLogprobs[t]! - samplingLogprobs[t]!);
    const ratio = importanceRatio(oldLogprobs[t]!, samplingLogprobs[t]!).value;
    count++;
    differenceSum += difference;
    differenceMax = Math.max(differenceMax, difference);
    ratioSum += ratio;
    ratioMax = Math.max(ratioMax, ratio);
  }
  return {
    "sampling/sampling_logp_difference/mean": { sum: differenceSum, count },
    "sampling/sampling_logp_difference/max": { max: differenceMax },
    "sampling/importance_sampling_ratio/mean": { sum: ratioSum, count },
    "sampling/importance_sampling_ratio/max": { max: ratioMax },
  };
}
