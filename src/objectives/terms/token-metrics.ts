/** What is worth watching of one sequence's update, apart from the loss; under the names that TRL and verl users know. */
import type { Batch, Example, Metric, MetricSum, TokenOutputs } from "../../types.ts";
import { type KlEstimator, klEstimate } from "./kl.ts";
import { type Clip, importanceRatio } from "./ratio.ts";

/** A share of the step's loss: the mean over the sequences that count is the step's total. */
export function stepTotal(share: number, numTokens: number, batch: Batch): MetricSum {
  return { sum: share * batch.numSequences, count: numTokens > 0 ? 1 : 0 };
}

/**
 * ppo_kl: mean of old - logp, the k1 estimate from the old policy to the current one. ratio/max. And where a clip is given, the
 * shares of tokens at which it takes the gradient away: clip_ratio/low_mean (advantage < 0), high_mean (> 0), their sum
 * region_mean, and dual_mean, the dual clip's.
 */
export function policyMetrics(
  { sequence: { lossMask }, advantages, old }: Example,
  { logprobs, entropies }: TokenOutputs,
  clip?: Clip,
): Record<string, Metric> {
  let count = 0;
  let drift = 0;
  let entropy = 0;
  let maxRatio = 0;
  let numLow = 0;
  let numHigh = 0;
  let numDual = 0;
  for (let t = 0; t < lossMask.length; t++) {
    if (lossMask[t] === 0) continue;
    const ratio = importanceRatio(logprobs[t]!, old.logprobs[t]!).value;
    count++;
    drift += old.logprobs[t]! - logprobs[t]!;
    entropy += entropies === undefined ? 0 : entropies[t]!;
    maxRatio = Math.max(maxRatio, ratio);
    if (clip === undefined) continue;
    if (advantages[t]! < 0 && ratio < 1 - clip.clipLow) numLow++;
    if (advantages[t]! > 0 && ratio > 1 + clip.clipHigh) numHigh++;
    if (advantages[t]! < 0 && clip.dualClip !== null && ratio > clip.dualClip) numDual++;
  }
  return {
    ppo_kl: { sum: drift, count },
    "ratio/max": { max: maxRatio },
    ...(entropies === undefined ? {} : { entropy: { sum: entropy, count } }),
    ...(clip === undefined
      ? {}
      : {
          "clip_ratio/low_mean": { sum: numLow, count },
          "clip_ratio/high_mean": { sum: numHigh, count },
          "clip_ratio/region_mean": { sum: numLow + numHigh, count },
          ...(clip.dualClip === null ? {} : { "clip_ratio/dual_mean": { sum: numDual, count } }),
        }),
  };
}

/** kl: mean per token of the chosen estimator between the policy and the reference; nothing without a reference. */
export function referenceMetrics(
  { sequence: { lossMask }, ref }: Example,
  { logprobs }: TokenOutputs,
  estimator: KlEstimator,
): Record<string, Metric> {
  if (ref === undefined) return {};
  let sum = 0;
  let count = 0;
  for (let t = 0; t < lossMask.length; t++) {
    if (lossMask[t] === 0) continue;
    sum += klEstimate(estimator, logprobs[t]!, ref.logprobs[t]!).value;
    count++;
  }
  return { kl: { sum, count } };
}
