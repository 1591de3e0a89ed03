/**
 * How token terms become one loss: what each token's term is divided by.
 *
 *   seq-mean-token-mean       1/S sum_i 1/|o_i| sum_t l     every answer weighs the same          (GRPO)
 *   token-mean                1/N sum_i sum_t l             every token weighs the same           (DAPO)
 *   seq-mean-token-sum        1/S sum_i sum_t l             an answer's log-probability as a whole (REINFORCE, RLOO)
 *   seq-mean-token-sum-norm   1/(S Lmax) sum_i sum_t l      the same over a constant length        (Dr. GRPO)
 *   prompt-mean               1/P sum_p 1/N_p sum_i sum_t l every prompt weighs the same           (ScaleRL)
 *
 * S, P, N and N_p (the tokens of prompt p's answers) count the whole optimizer step. A denominator taken from a micro-batch instead changes loss and gradient with the
 * memory setting. The names are verl's; the last is SkyRL's.
 */
import { z } from "zod";
import type { Batch, Example } from "../../types.ts";
import type { Formula } from "../objective.ts";

export const aggregations = [
  "seq-mean-token-mean",
  "token-mean",
  "seq-mean-token-sum",
  "seq-mean-token-sum-norm",
  "prompt-mean",
] as const;
export type Aggregation = (typeof aggregations)[number];

export function aggregationOption(value: Aggregation) {
  return z
    .enum(aggregations)
    .default(value)
    .describe("What token losses are divided by; always constants of the whole optimizer step.");
}

const SUMS: Readonly<Record<Aggregation, readonly [string, string]>> = {
  "seq-mean-token-mean": ["1/S sum_i 1/|o_i| sum_t", "DeepSeekMath, arXiv 2402.03300, eq. 3"],
  "token-mean": ["1/N sum_i sum_t", "DAPO, arXiv 2503.14476, eq. 12"],
  "seq-mean-token-sum": ["1/S sum_i sum_t", "the log-probability of the whole answer"],
  "seq-mean-token-sum-norm": ["1/(S Lmax) sum_i sum_t", "Dr. GRPO, arXiv 2503.20783"],
  "prompt-mean": ["1/P sum_p 1/N_p sum_i sum_t", "ScaleRL; SkyRL's prompt_mean"],
};

/** `term` is what each token adds, e.g. "w_t l_t". */
export function aggregationFormula(aggregation: Aggregation, term: string): Formula {
  const [sum, source] = SUMS[aggregation];
  return { symbol: "L", expression: `${sum} ${term}`, source };
}

/** What every token term of an example with `numTokens` trained tokens is divided by. */
export function denominatorOf(aggregation: Aggregation, { group }: Example, numTokens: number, batch: Batch): number {
  switch (aggregation) {
    case "seq-mean-token-mean":
      return batch.numSequences * numTokens;
    case "token-mean":
      return batch.numTokens;
    case "seq-mean-token-sum":
      return batch.numSequences;
    case "seq-mean-token-sum-norm":
      return batch.numSequences * batch.maxCompletionTokens;
    case "prompt-mean":
      // An example without tokens has no terms, and a group without tokens is not counted.
      return batch.tokensOfGroup.size * (batch.tokensOfGroup.get(group) ?? 1);
    default:
      throw new Error(`unknown aggregation ${aggregation satisfies never}`);
  }
}

/** T: trained tokens of one sequence. */
export function countTrained(lossMask: Uint8Array): number {
  let numTokens = 0;
  for (let t = 0; t < lossMask.length; t++) numTokens += lossMask[t]!;
  return numTokens;
}
