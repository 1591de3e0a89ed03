/**
 * SAPO's gate: near r = 1 the ratio itself, far from it flat, with no edge in between.
 *
 *   f(r) = 4/tau sigma(tau (r - 1))        d f / d r = 4 sigma (1 - sigma), which is 1 at r = 1
 *
 * tau is tauPositive where A > 0 and tauNegative elsewhere: a larger tau closes the gate sooner.
 *
 * Gao et al., Soft Adaptive Policy Optimization, arXiv 2511.20347.
 */
import { z } from "zod";
import type { Formula } from "../objective.ts";
import type { Term } from "./term.ts";

export interface Gate {
  readonly tauPositive: number;
  readonly tauNegative: number;
}

export function tauOption(side: "positive" | "negative", value: number) {
  return z
    .number()
    .positive()
    .default(value)
    .describe(
      `Steepness of the gate where the advantage is ${side}; above 0, no unit. Larger holds the ratio closer to 1.`,
    );
}

/** -A f(r) and its derivative by logp. */
export function gatedSurrogate(ratio: Term, advantage: number, { tauPositive, tauNegative }: Gate): Term {
  const tau = advantage > 0 ? tauPositive : tauNegative;
  const sigma = 1 / (1 + Math.exp(-tau * (ratio.value - 1)));
  return {
    value: (-advantage * 4 * sigma) / tau,
    dLogprob: -advantage * 4 * sigma * (1 - sigma) * ratio.dLogprob,
  };
}

export function gatedFormula({ tauPositive, tauNegative }: Gate): Formula {
  const gate = (tau: number) => `${tau === 1 ? "4" : `4/${tau}`} sigma(${tau === 1 ? "" : `${tau} `}(r_t - 1))`;
  return {
    symbol: "l_t",
    expression: `-A_i ${gate(tauPositive)} where A_i > 0, -A_i ${gate(tauNegative)} elsewhere`,
    source: "SAPO, arXiv 2511.20347",
  };
}
