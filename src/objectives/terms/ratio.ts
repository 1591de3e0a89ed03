/**
 * The importance ratio and PPO's clipped surrogate of it.
 *
 *   r = exp(clamp(logp - old, -20, 20))
 *   l = max(-A r, -A clip(r, 1 - clipLow, 1 + clipHigh))          Schulman et al., PPO, arXiv 1707.06347, eq. 7
 *   l = min(l, -A dualClip) where A < 0                           Ye et al., dual-clip PPO, arXiv 1912.09729, eq. 5
 *
 * Dual clip and the two-sided clip of INTELLECT-2 (`min(r, delta)` in the unclipped branch, TRL's `delta`) are the same function
 * as long as the bound is at least 1 + clipHigh: where A > 0 the ordinary clip already binds.
 */
import { z } from "zod";
import { clamp } from "../../math/statistics.ts";
import type { Formula } from "../objective.ts";
import type { Term } from "./term.ts";

/** Beyond it the ratio is held constant, so that a token that became impossible cannot overflow the loss. */
const MAX_LOG_RATIO = 20;

export interface Clip {
  readonly clipLow: number;
  readonly clipHigh: number;
  readonly dualClip: number | null;
}

export function clipLowOption(value: number) {
  return z
    .number()
    .min(0)
    .max(1)
    .default(value)
    .describe("The ratio counts as at least 1 - clipLow where the advantage is negative. From 0 to 1; no unit.");
}

export function clipHighOption(value: number) {
  return z
    .number()
    .min(0)
    .default(value)
    .describe("The ratio counts as at most 1 + clipHigh where the advantage is positive. From 0 up; no unit.");
}

export function dualClipOption() {
  return z
    .number()
    .min(1)
    .nullable()
    .default(null)
    .describe(
      "Largest ratio where the advantage is negative (dual clip's c, two-sided clipping's delta); at least 1 + clipHigh; usual values 3, 4 and 10. null = off.",
    );
}

/** A bound under 1 + clipHigh would make dual clip and two-sided clipping two different functions. */
export function dualClipLeavesRoom({ clipHigh, dualClip }: Clip): boolean {
  return dualClip === null || dualClip >= 1 + clipHigh;
}

export const dualClipProblem = {
  path: ["dualClip"],
  message: "expected dualClip to be null or at least 1 + clipHigh",
};

export const ratioFormula: Formula = {
  symbol: "r_t",
  expression: "exp(logp_t - old_t)",
  source: "PPO, arXiv 1707.06347, section 3",
};

/** The formula of `clippedSurrogate`; `A` is "A_t" where the advantage differs from token to token, `r` "s_i" for the ratio of an answer. */
export function clippedFormula(
  { clipLow, clipHigh, dualClip }: Clip,
  A: "A_i" | "A_t" = "A_i",
  r: "r_t" | "s_i" = "r_t",
): Formula {
  const clipped = `max(-${A} ${r}, -${A} clip(${r}, ${round(1 - clipLow)}, ${round(1 + clipHigh)}))`;
  if (dualClip === null) return { symbol: "l_t", expression: clipped, source: "PPO, arXiv 1707.06347, eq. 7" };
  return {
    symbol: "l_t",
    expression: `${clipped}, at most -${dualClip} ${A} where ${A} < 0`,
    source: "PPO, arXiv 1707.06347, eq. 7; dual clip, arXiv 1912.09729, eq. 5",
  };
}

/** 1.2, not 1.2000000000000002. */
export function round(value: number): number {
  return Number(value.toPrecision(12));
}

/** r and d r / d logp. */
export function importanceRatio(logprob: number, oldLogprob: number): Term {
  const logRatio = logprob - oldLogprob;
  const ratio = Math.exp(clamp(logRatio, -MAX_LOG_RATIO, MAX_LOG_RATIO));
  return { value: ratio, dLogprob: Math.abs(logRatio) > MAX_LOG_RATIO ? 0 : ratio };
}

/** l and d l / d logp of one token: where a clip binds, the token no longer pulls. */
export function clippedSurrogate(ratio: Term, advantage: number, { clipLow, clipHigh, dualClip }: Clip): Term {
  const unclipped = -advantage * ratio.value;
  const clipped = -advantage * clamp(ratio.value, 1 - clipLow, 1 + clipHigh);
  const ceiling = advantage < 0 && dualClip !== null ? -advantage * dualClip : Number.POSITIVE_INFINITY;
  const value = Math.min(Math.max(unclipped, clipped), ceiling);
  return { value, dLogprob: value === unclipped ? -advantage * ratio.dLogprob : 0 };
}
