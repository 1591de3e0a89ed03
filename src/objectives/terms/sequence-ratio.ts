/**
 * The ratio of a whole answer, the geometric mean of its tokens' ratios.
 *
 *   s_i = exp(1/|o_i| sum_t (logp_t - old_t))        d s / d logp_t = s / |o_i|        GSPO, arXiv 2507.18071, eq. 7
 *
 * It needs all tokens of the answer before the first of them has a term: its losses pass over the tokens twice. The product of the
 * ratios, without 1/|o_i|, is that of the answers' probabilities (gamma-weight.ts); on long answers it is 0 or huge.
 */
import type { Example, Floats, Metric } from "../../types.ts";
import type { Formula } from "../objective.ts";
import { type Clip, importanceRatio } from "./ratio.ts";
import type { Term } from "./term.ts";

/** s_i and its derivative by the mean log ratio, held beyond +-20 nats like every ratio; 1 for a sequence without trained tokens. */
export function geometricMeanRatio(lossMask: Uint8Array, logprobs: Floats, oldLogprobs: Floats): Term {
  let sum = 0;
  let count = 0;
  for (let t = 0; t < lossMask.length; t++) {
    if (lossMask[t] === 0) continue;
    sum += logprobs[t]! - oldLogprobs[t]!;
    count++;
  }
  return importanceRatio(count === 0 ? 0 : sum / count, 0);
}

export const geometricMeanFormula: Formula = {
  symbol: "s_i",
  expression: "exp(1/|o_i| sum_t (logp_t - old_t))",
  source: "GSPO, arXiv 2507.18071, eq. 7",
};

/**
 * Shares of sequences at which the clip takes the gradient away, under the names of the token clip, and ratio/sequence_max. A sequence
 * is judged by the advantage of its first trained token.
 */
export function sequenceClipMetrics(
  { sequence: { lossMask }, advantages }: Example,
  ratio: number,
  { clipLow, clipHigh, dualClip }: Clip,
): Record<string, Metric> {
  const first = lossMask.indexOf(1);
  if (first === -1) return {};
  const advantage = advantages[first]!;
  const isLow = advantage < 0 && ratio < 1 - clipLow;
  const isHigh = advantage > 0 && ratio > 1 + clipHigh;
  const isDual = advantage < 0 && dualClip !== null && ratio > dualClip;
  return {
    "ratio/sequence_max": { max: ratio },
    "clip_ratio/low_mean": { sum: Number(isLow), count: 1 },
    "clip_ratio/high_mean": { sum: Number(isHigh), count: 1 },
    "clip_ratio/region_mean": { sum: Number(isLow || isHigh), count: 1 },
    ...(dualClip === null ? {} : { "clip_ratio/dual_mean": { sum: Number(isDual), count: 1 } }),
  };
}
