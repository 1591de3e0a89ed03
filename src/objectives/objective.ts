/**
 * What an objective is: a pure function from per-token outputs to a loss and its derivative by those outputs.
 *
 * Every loss of this family reaches the weights only through per-token log-probabilities (and entropies, and values), so the
 * engine needs nothing else to compute weight gradients, and the mathematics of each variant stands in one file that can be
 * diffed against its neighbour.
 */
import type { Batch, Example, ScoredGroup, SequenceLoss, TokenOutputs } from "../types.ts";

/**
 * What an objective reads beyond the current log-probabilities; the loop computes only what is asked for. "oldLogprobs" and
 * "values" mean that `advantages` reads them: an on-policy step then cannot do without a forward pass before its first update.
 * "greedyReward" asks for one more completion per prompt, sampled greedily. "stepOutputs" asks for `prepare` before every update.
 * "everyToken" means that tokens of advantage 0 have a loss too.
 */
export type OptionalInput =
  | "oldLogprobs"
  | "refLogprobs"
  | "entropies"
  | "values"
  | "greedyReward"
  | "stepOutputs"
  | "everyToken";

/** One line of what a run minimises, with the recipe's numbers in it; ASCII, for people. */
export interface Formula {
  /** e.g. "A_i" */
  readonly symbol: string;
  /** e.g. "(R_i - mean(R)) / (std(R) + 1e-6)" */
  readonly expression: string;
  /** Authors, title or number, equation. */
  readonly source: string;
}

export interface Objective {
  /** The `type` of the recipe, e.g. "dapo". */
  readonly name: string;
  /** An empty list promises that tokens of advantage 0 have neither loss nor gradient: the loop then does not run them. */
  readonly needs: readonly OptionalInput[];
  /** True where an answer is judged against its siblings alone: a group of one, or of equal rewards, then teaches nothing. */
  readonly comparesSiblings: boolean;
  /** True where ratios are to the policy that sampled: a correction between sampler and trainer would count the same gap twice. */
  readonly anchorsToSampling?: boolean;
  /** The scalar as it is computed: rewards, advantages, token terms, sum, in this order. */
  readonly formula: readonly Formula[];
  /** Examples whose reward is above it are positive (Batch.numPositiveTokens); absent where the objective does not ask. */
  readonly positiveReward?: number;
  /** What the critic learns, for objectives that need "values". */
  readonly critic?: Critic;
  /**
   * [groups][G][L] advantages of one rollout batch, 0 where lossMask is 0 and for rollouts whose reward total is null.
   * `old` (and `ref`, where "refLogprobs" is needed) are [groups][G], in rollout order.
   */
  advantages(
    groups: readonly ScoredGroup[],
    old: readonly (readonly TokenOutputs[])[],
    ref: readonly (readonly TokenOutputs[])[] | undefined,
  ): Float32Array[][];
  /**
   * What depends on every token of an optimizer step, such as a quantile: the examples of the step with other weights or
   * penalties. `current` are [S] outputs of the policy before the step; `random` is uniform in [0, 1).
   */
  prepare?(examples: readonly Example[], current: readonly TokenOutputs[], random: () => number): Example[];
  /** One sequence's share of the step's loss, divided by the batch's constants, with its gradient. */
  loss(example: Example, outputs: TokenOutputs, batch: Batch): SequenceLoss;
}

export interface Critic {
  /** Steps at the start of the stage in which the critic alone learns, from rollouts of the policy as it stands. */
  readonly pretrainingSteps: number;
  /** [groups][G][L] what the values are fitted to. `old` and `ref` are those of `advantages`; `old` holds values. */
  returns(
    groups: readonly ScoredGroup[],
    old: readonly (readonly TokenOutputs[])[],
    ref: readonly (readonly TokenOutputs[])[] | undefined,
  ): Float32Array[][];
  /** One sequence's share of the step's value loss; its gradient is by the values alone. */
  loss(example: Example, outputs: TokenOutputs, batch: Batch): SequenceLoss;
}
