/**
 * CISPO's bounds on the ratio that weighs a token. One option name hides two readings in other trainers:
 *
 *   absolute   clip(r, clipLow, clipHigh)             TRL's epsilon_high and ScaleRL: 5 caps the ratio at 5
 *   offset     clip(r, 1 - clipLow, 1 + clipHigh)     MiniMax-M1 as printed, verl, NeMo-RL, SkyRL, open-instruct: 5 caps it at 6
 *
 * A clipLow of null means that there is no lower bound.
 */
import { z } from "zod";
import type { Formula } from "../objective.ts";
import { round } from "./ratio.ts";

export interface RatioCap {
  readonly cap: "absolute" | "offset";
  readonly clipLow: number | null;
  readonly clipHigh: number;
}

/** The three options with these defaults. */
export function ratioCapOptions(defaults: RatioCap) {
  return {
    cap: z
      .enum(["absolute", "offset"])
      .default(defaults.cap)
      .describe(
        "absolute: ratios are held in [clipLow, clipHigh] (TRL, ScaleRL). offset: in [1 - clipLow, 1 + clipHigh] (MiniMax-M1, verl, NeMo-RL, SkyRL, open-instruct).",
      ),
    clipLow: z
      .number()
      .min(0)
      .max(1)
      .nullable()
      .default(defaults.clipLow)
      .describe("Lower bound of the ratio, or its distance from 1 (see cap). From 0 to 1; no unit. null = none."),
    clipHigh: z
      .number()
      .min(0)
      .default(defaults.clipHigh)
      .describe("Upper bound of the ratio, at least 1, or its distance from 1 (see cap). No unit."),
  };
}

/** A range without 1 would weigh the old policy's own tokens. */
export function capHoldsOne({ cap, clipHigh }: RatioCap): boolean {
  return cap === "offset" || clipHigh >= 1;
}

export const capProblem = {
  path: ["clipHigh"],
  message: "expected clipHigh to be at least 1 with cap: absolute; 0.2 above 1 is clipHigh: 1.2, or cap: offset",
};

/** Least and largest ratio. */
export function capBounds({ cap, clipLow, clipHigh }: RatioCap): readonly [number, number] {
  if (cap === "absolute") return [clipLow ?? 0, clipHigh];
  return [clipLow === null ? 0 : round(1 - clipLow), round(1 + clipHigh)];
}

export function capFormula(cap: RatioCap): Formula {
  const [low, high] = capBounds(cap);
  return {
    symbol: "c_t",
    expression: low === 0 ? `min(r_t, ${high})` : `clip(r_t, ${low}, ${high})`,
    source: "CISPO, MiniMax-M1, arXiv 2506.13585, eq. 5",
  };
}

export const cappedFormula: Formula = {
  symbol: "l_t",
  expression: "-A_i sg(c_t) logp_t",
  source: "CISPO, MiniMax-M1, arXiv 2506.13585, eq. 4",
};
