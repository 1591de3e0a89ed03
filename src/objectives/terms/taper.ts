/**
 * TOPR's taper: what should become less likely counts no more than the policy still says it.
 *
 *   c_t = 1                                              where A >= 0
 *   c_t = min(exp(sum_t (logp_t - anchor_t)), 1)         where A < 0; taper: answer
 *   c_t = min(exp(logp_t - anchor_t), 1)                 where A < 0; taper: token
 *
 * Right answers are learned at full weight however old they are; wrong ones are let go as soon as they have become unlikely, so that
 * their log-likelihood is not driven down without end. The weight is held constant while the gradient is taken.
 *
 * Le Roux et al., Tapered Off-Policy REINFORCE, arXiv 2503.14286.
 */
import { z } from "zod";
import type { Floats } from "../../types.ts";
import type { Formula } from "../objective.ts";
import type { Anchor } from "./anchor.ts";

export const tapers = ["answer", "token"] as const;
export type Taper = (typeof tapers)[number];

export function taperOption(value: Taper) {
  return z
    .enum(tapers)
    .default(value)
    .describe("Whose ratio tapers a negative advantage: the whole answer's, as in the paper, or each token's own.");
}

/** [L] c_t where the advantage is negative; 0 where lossMask is 0. */
export function taperWeights(taper: Taper, lossMask: Uint8Array, logprobs: Floats, anchored: Floats): Float64Array {
  const weights = new Float64Array(lossMask.length);
  let sum = 0;
  for (let t = 0; t < lossMask.length; t++) if (lossMask[t] === 1) sum += logprobs[t]! - anchored[t]!;
  const ofAnswer = Math.exp(Math.min(sum, 0));
  for (let t = 0; t < lossMask.length; t++) {
    if (lossMask[t] === 0) continue;
    weights[t] = taper === "answer" ? ofAnswer : Math.exp(Math.min(logprobs[t]! - anchored[t]!, 0));
  }
  return weights;
}

export function taperFormulas(taper: Taper, anchor: Anchor): Formula[] {
  const source = "TOPR, arXiv 2503.14286";
  const logRatio = taper === "answer" ? `sum_t (logp_t - ${anchor}_t)` : `logp_t - ${anchor}_t`;
  return [
    { symbol: "c_t", expression: `1 where A_i >= 0, min(exp(${logRatio}), 1) where A_i < 0`, source },
    { symbol: "l_t", expression: "-A_i sg(c_t) logp_t", source },
  ];
}
