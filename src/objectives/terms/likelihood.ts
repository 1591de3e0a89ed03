/** The plain policy-gradient term, -A logp: no ratio, so nothing corrects for an old policy. Williams (1992). */
import type { Formula } from "../objective.ts";
import type { Term } from "./term.ts";

export function logLikelihoodTerm(logprob: number, advantage: number): Term {
  return { value: -advantage * logprob, dLogprob: -advantage };
}

export const likelihoodFormula: Formula = { symbol: "l_t", expression: "-A_i logp_t", source: "Williams (1992)" };
