/**
 * GMPO's clip of a token's log ratio, on the side towards which the advantage pushes; the other side is free.
 *
 *   x_t = min(logp_t - old_t, clipHigh) where A > 0,   max(logp_t - old_t, -clipLow) where A < 0
 *
 * Zhao et al., Geometric-Mean Policy Optimization, arXiv 2507.20673.
 */
import { z } from "zod";
import type { Formula } from "../objective.ts";
import type { Term } from "./term.ts";

export interface LogClip {
  readonly clipLow: number;
  readonly clipHigh: number;
}

export function logClipOption(side: "low" | "high", value: number) {
  return z
    .number()
    .min(0)
    .default(value)
    .describe(
      side === "low"
        ? "A token's log ratio counts as at least -clipLow where the advantage is negative. Nats, from 0 up: 0.4 is a ratio of 0.67."
        : "A token's log ratio counts as at most clipHigh where the advantage is positive. Nats, from 0 up: 0.4 is a ratio of 1.49.",
    );
}

/** x_t and its derivative by logp. */
export function oneSidedLogRatio(
  logprob: number,
  oldLogprob: number,
  advantage: number,
  { clipLow, clipHigh }: LogClip,
): Term {
  const logRatio = logprob - oldLogprob;
  const isHeld = (advantage > 0 && logRatio > clipHigh) || (advantage < 0 && logRatio < -clipLow);
  if (!isHeld) return { value: logRatio, dLogprob: 1 };
  return { value: advantage > 0 ? clipHigh : -clipLow, dLogprob: 0 };
}

export function oneSidedFormula({ clipLow, clipHigh }: LogClip): Formula {
  return {
    symbol: "x_t",
    expression: `min(logp_t - old_t, ${clipHigh}) where A_i > 0, max(logp_t - old_t, -${clipLow}) where A_i < 0`,
    source: "GMPO, arXiv 2507.20673",
  };
}
