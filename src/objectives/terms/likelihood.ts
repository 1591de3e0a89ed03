/**
 * Policy-gradient terms that move the log-likelihood itself.
 *
 *   l_t = -A logp_t               no ratio, so nothing corrects for an old policy                      Williams (1992)
 *   l_t = -A sg(c_t) logp_t       c_t: a weight that is held constant while the gradient is taken
 */
import type { Formula } from "../objective.ts";
import type { Term } from "./term.ts";

export function logLikelihoodTerm(logprob: number, advantage: number): Term {
  return { value: -advantage * logprob, dLogprob: -advantage };
}

/** The second term: its derivative leaves the weight's own out, so it is not that of the value. */
export function weightedLikelihoodTerm(logprob: number, weight: number, advantage: number): Term {
  return { value: -advantage * weight * logprob, dLogprob: -advantage * weight };
}

export const likelihoodFormula: Formula = { symbol: "l_t", expression: "-A_i logp_t", source: "Williams (1992)" };
