/**
 * What an objective is: a pure function from per-token outputs to a loss and its derivative by those outputs.
 *
 * Every loss of this family reaches the weights only through per-token log-probabilities (and entropies, and values), so the
 * engine needs nothing else to compute weight gradients, and the mathematics of each variant stands in one file that can be
 * diffed against its neighbour.
 */
import type { Batch, Example, ScoredGroup, SequenceLoss, TokenOutputs } from "../types.ts";

/**
 * What an objective reads beyond the current log-probabilities; the loop computes only what is asked for. "oldLogprobs" means that
 * `advantages` reads them: an on-policy step then cannot do without a forward pass before its first update.
 */
export type OptionalInput = "oldLogprobs" | "refLogprobs" | "entropies" | "values";

export interface Objective {
  /** The `type` of the recipe, e.g. "dapo". */
  readonly name: string;
  /** An empty list promises that tokens of advantage 0 have neither loss nor gradient: the loop then does not run them. */
  readonly needs: readonly OptionalInput[];
  /**
   * [G][L] advantages of one group, 0 where lossMask is 0 and for rollouts whose reward total is null.
   * `old` (and `ref`, where "refLogprobs" is needed) are [G], in rollout order.
   */
  advantages(
    group: ScoredGroup,
    old: readonly TokenOutputs[],
    ref: readonly TokenOutputs[] | undefined,
  ): Float32Array[];
  /** One sequence's share of the step's loss, divided by the batch's constants, with its gradient. */
  loss(example: Example, outputs: TokenOutputs, batch: Batch): SequenceLoss;
}
