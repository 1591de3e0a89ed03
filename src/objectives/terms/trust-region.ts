/**
 * Trust regions on the probability of the sampled token, where PPO's is on its ratio: twice as likely is nothing at p = 1e-4, and all at
 * p = 0.5.
 *
 *   with q the anchor's probability of the token and p the policy's:
 *   tv   |p - q|                                                      total variation of the two outcomes "this token" and "any other"
 *   kl   q log(q / p) + (1 - q) log((1 - q) / (1 - p))                their divergence, anchor to policy
 *
 * A token that left the region has no policy term. For DPPO it leaves only the way its advantage pushes: p > q where A > 0, p < q where
 * A < 0. Qi et al., Rethinking the Trust Region in LLM Reinforcement Learning, arXiv 2602.04879.
 */
import { z } from "zod";
import type { Metric } from "../../types.ts";
import type { Formula } from "../objective.ts";

export const divergences = ["tv", "kl"] as const;
export type Divergence = (typeof divergences)[number];

/** SkyRL's; prime-rl's too for tv. */
const THRESHOLDS: Readonly<Record<Divergence, number>> = { tv: 0.2, kl: 0.05 };

/** So that a certain token has a finite divergence; verl's. */
const MIN_PROBABILITY = 1e-8;

export interface TrustRegion {
  readonly divergence: Divergence;
  readonly thresholdLow: number;
  readonly thresholdHigh: number;
}

export function divergenceOption() {
  return z
    .enum(divergences)
    .default("tv")
    .describe(
      "How far a token's probability moved: tv, |p - q|; or kl, that of the two outcomes this token and any other.",
    );
}

export function thresholdOption(side: "low" | "high") {
  return z
    .number()
    .positive()
    .nullable()
    .default(null)
    .describe(
      `Furthest a token may ${side === "low" ? "fall where its advantage is negative" : "rise where its advantage is positive"} and still pull; probability (tv) or nats (kl). null = 0.2 for tv, 0.05 for kl.`,
    );
}

/** The region of options whose null means the usual threshold. */
export function trustRegion(options: {
  readonly divergence: Divergence;
  readonly thresholdLow: number | null;
  readonly thresholdHigh: number | null;
}): TrustRegion {
  const { divergence, thresholdLow, thresholdHigh } = options;
  const usual = THRESHOLDS[divergence];
  return { divergence, thresholdLow: thresholdLow ?? usual, thresholdHigh: thresholdHigh ?? usual };
}

/** p - q */
export function probabilityShift(logprob: number, anchorLogprob: number): number {
  return Math.exp(logprob) - Math.exp(anchorLogprob);
}

/** Of the two outcomes; no unit (tv) or nats (kl). */
export function binaryDivergence(divergence: Divergence, logprob: number, anchorLogprob: number): number {
  if (divergence === "tv") return Math.abs(probabilityShift(logprob, anchorLogprob));
  const others = Math.max(-Math.expm1(logprob), MIN_PROBABILITY);
  const anchorOthers = Math.max(-Math.expm1(anchorLogprob), MIN_PROBABILITY);
  return Math.exp(anchorLogprob) * (anchorLogprob - logprob) + anchorOthers * Math.log(anchorOthers / others);
}

/** True where DPPO takes the token's policy term away. */
export function hasLeft(
  { divergence, thresholdLow, thresholdHigh }: TrustRegion,
  logprob: number,
  anchorLogprob: number,
  advantage: number,
): boolean {
  const isPushed = advantage > 0 ? logprob > anchorLogprob : advantage < 0 && logprob < anchorLogprob;
  if (!isPushed) return false;
  return binaryDivergence(divergence, logprob, anchorLogprob) > (advantage > 0 ? thresholdHigh : thresholdLow);
}

export function regionFormula({ divergence, thresholdLow, thresholdHigh }: TrustRegion): Formula {
  return {
    symbol: "m_t",
    expression: `0 where ${divergence}(p_t, q_t) > ${thresholdHigh} and A_i > 0 and p_t > q_t, or > ${thresholdLow} and A_i < 0 and p_t < q_t; else 1`,
    source: "DPPO, arXiv 2602.04879",
  };
}

/** Under prime-rl's names: shares of one sequence's tokens that left, by falling and by rising. */
export function maskMetrics(numLow: number, numHigh: number, count: number): Record<string, Metric> {
  return {
    is_masked: { sum: numLow + numHigh, count },
    is_masked_low: { sum: numLow, count },
    is_masked_high: { sum: numHigh, count },
  };
}
