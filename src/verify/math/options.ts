/** How two answers are compared, and what a comparison carries along. */
import type { Random } from "../../random.ts";
import type { Budget } from "./budget.ts";

export interface EqualOptions {
  /** `lenient`: as Math-Verify; `strict`: for rewards, where chains of equations and other hedges do not count. Default lenient. */
  readonly mode?: "lenient" | "strict";
  /**
   * Decimals that a number with a decimal point is compared at, when the other side is no whole number. From 0 to 15, default 6.
   * Below 1e-4 three significant digits count instead, so that 1e-7 is not 2e-7.
   */
  readonly floatRounding?: number;
  /**
   * drop: 5 cm = 5 m = 5, and 5 cm = 0.05 m; but $5 is not 5 cents. compare: 5 cm = 0.05 m, not 5 m, and a missing unit is forgiven. keep: a unit must be
   * there on both sides, the same one. Default: drop when lenient, compare when strict.
   */
  readonly units?: "drop" | "compare" | "keep";
  /** value: 28% = 0.28. optional: 28% = 28 as well. Default value. */
  readonly percent?: "value" | "optional";
  /** May an inequality stand for a set that is the gold answer? Echoing the question would then score. Default false. */
  readonly allowSetRelation?: boolean;
}

/** EqualOptions with the defaults in place, and the budget and randomness of one comparison. */
export interface Context {
  readonly mode: "lenient" | "strict";
  readonly floatRounding: number;
  readonly units: "drop" | "compare" | "keep";
  readonly percent: "value" | "optional";
  readonly allowSetRelation: boolean;
  readonly budget: Budget;
  readonly random: Random;
}

export interface Verdict {
  readonly equal: boolean;
  /** One sentence: by what the two are equal, or where they differ. */
  readonly reason: string;
}

export function same(reason: string): Verdict {
  return { equal: true, reason };
}

export function different(reason: string): Verdict {
  return { equal: false, reason };
}
