/**
 * The policy term of losses that mask tokens rather than clip ratios.
 *
 *   c_t = min(r_t, cap)                                truncated, so that one token cannot carry the step
 *   d l_t / d logp_t = -A c_t                          of both surrogates
 *   likelihood   l_t = -A sg(c_t) logp_t               as verl reports it
 *   ratio        l_t = -A c_t                          as prime-rl reports it; up to the cap its derivative in the plain sense
 */
import { z } from "zod";
import type { Formula } from "../objective.ts";
import type { Term } from "./term.ts";

export const surrogates = ["likelihood", "ratio"] as const;
export type Surrogate = (typeof surrogates)[number];

export function surrogateOption(value: Surrogate) {
  return z
    .enum(surrogates)
    .default(value)
    .describe(
      "What the loss reports: likelihood, -A c logp (verl), or ratio, -A c (prime-rl). The gradient is the same.",
    );
}

export function capOption(value: number | null) {
  return z
    .number()
    .min(1)
    .nullable()
    .default(value)
    .describe(
      "Largest ratio that weighs a token; at least 1. verl: 20 in its documentation, 3 in its configuration. null = none (prime-rl).",
    );
}

/** l_t and its derivative by logp. */
export function maskedSurrogate(
  surrogate: Surrogate,
  ratio: number,
  cap: number | null,
  logprob: number,
  advantage: number,
): Term {
  const weight = cap === null ? ratio : Math.min(ratio, cap);
  return {
    value: -advantage * weight * (surrogate === "likelihood" ? logprob : 1),
    dLogprob: -advantage * weight,
  };
}

export function maskedFormula(surrogate: Surrogate, cap: number | null): Formula {
  const weight = cap === null ? "r_t" : `min(r_t, ${cap})`;
  const expression = surrogate === "likelihood" ? `-m_t A_i sg(${weight}) logp_t` : `-m_t A_i ${weight}`;
  return { symbol: "l_t", expression, source: "DPPO, arXiv 2602.04879" };
}

/** prime-rl's kl_tau: weight of `squaredLogRatio` on every token. */
export function klTauOption(value: number) {
  return z
    .number()
    .min(0)
    .default(value)
    .describe(
      "Weight of the squared log ratio to the anchor, on every token; per squared nat, from 0 up. prime-rl: 1e-3.",
    );
}

/** The formula of the penalty; nothing without a weight. */
export function squaredRatioFormula(klTau: number): Formula[] {
  return klTau === 0 ? [] : [{ symbol: "d_t", expression: "(log r_t)^2", source: "prime-rl, kl_tau" }];
}

/** What each token adds to the loss, and the penalty. */
export function withSquaredRatio(term: string, klTau: number): string {
  return klTau === 0 ? term : `(${term} + ${klTau} d_t)`;
}
