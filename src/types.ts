/**
 * The records that flow through Grouper, one noun per arrow of the picture in train.ts. All are plain and readonly.
 *
 * Every per-token array is as long as its sequence: position t speaks of token t, given the tokens before it. So position 0
 * is never trained, and `lossMask[t] = 1` means that the model is trained on having produced token t.
 */

/** Per-token numbers. The engine computes in Float32Array; tests of objectives use Float64Array. */
export type Floats = Float32Array | Float64Array;

/** One question, rendered and tokenised once; its token ids are what every rollout and every training example starts with. */
export interface Prompt {
  /** Stable over runs and epochs: a row id of the dataset, or a hash of the row. */
  readonly id: string;
  /** The rendered text behind `tokenIds`, for people and for rewards; never re-tokenised. */
  readonly text: string;
  readonly tokenIds: readonly number[];
  /** The end of the prompt that belongs to the response, e.g. "<think>": format rewards score `prefill + completion`. */
  readonly prefill: string;
  /** The bare reference answer, or null where the task has none. */
  readonly answer: string | null;
  /** The row's other columns, for rewards that need more than the answer (numbers, people, tests, language …). */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Why sampling ended; every other word of a server is a failed sample and never reaches a Group. */
export type FinishReason = "stop" | "length";

/** One sampled answer as the policy server returned it. */
export interface Completion {
  /** [T] sampled ids, the stop token included. */
  readonly tokenIds: readonly number[];
  /** [T] nats, of the distribution that was sampled from (temperature and filters applied). */
  readonly logprobs: Float32Array;
  readonly text: string;
  readonly finishReason: FinishReason;
  /** The policy version that produced the tokens; staleness is a subtraction. */
  readonly policyVersion: number;
}

/** Prompt and completion as one row of training tokens. */
export interface Sequence {
  /** [L] */
  readonly tokenIds: Int32Array;
  /** [L] 1 where the token is trained. */
  readonly lossMask: Uint8Array;
  /** [L] nats, what the server said; 0 where lossMask is 0. */
  readonly samplingLogprobs: Float32Array;
}

export interface Rollout {
  readonly completion: Completion;
  readonly sequence: Sequence;
}

/** G rollouts of one prompt instance. Two rows with the same prompt make two groups. */
export interface Group {
  readonly prompt: Prompt;
  /** [G] */
  readonly rollouts: readonly Rollout[];
}

/** What one reward function made of one completion. An error is never a number. */
export type RewardOutcome =
  | { readonly status: "scored"; readonly score: number; readonly parts?: Readonly<Record<string, number>> }
  | { readonly status: "abstained" }
  | { readonly status: "failed"; readonly error: string };

/** All rewards of one completion. */
export interface Reward {
  /** Weighted sum of the scored rewards; null when all abstained or any failed: the rollout is excluded and gets advantage 0. */
  readonly total: number | null;
  /** By reward name, in recipe order. */
  readonly outcomes: Readonly<Record<string, RewardOutcome>>;
}

export interface ScoredGroup extends Group {
  /** [G] */
  readonly rewards: readonly Reward[];
  /** By reward name, in recipe order: what totals were summed with. Absent in groups that no recipe scored. */
  readonly rewardWeights?: Readonly<Record<string, number>>;
  /** Reward total of one greedy completion that is not trained; null where it has none, absent unless the objective asks. */
  readonly greedyReward?: number | null;
}

/** What a model says of a sequence. Arrays are [L]; 0 where lossMask is 0. */
export interface TokenOutputs {
  /** nats, at the sampling temperature. */
  readonly logprobs: Floats;
  /** nats, of the whole distribution at that position. */
  readonly entropies?: Floats;
  /** Critic's estimate of the return. */
  readonly values?: Floats;
}

/** One sequence with all that its loss needs. */
export interface Example {
  readonly sequence: Sequence;
  /** Which group of the rollout batch it belongs to. */
  readonly group: number;
  /** Reward total of the completion. */
  readonly reward: number;
  /** [L] 0 where lossMask is 0. */
  readonly advantages: Float32Array;
  /** [L] factor on each token's policy term: 1, or an off-policy correction, or 0 for a masked token. */
  readonly weights: Float32Array;
  /** [L] What the critic learns; absent without one. */
  readonly returns?: Float32Array;
  /** [L] Factor on a token's penalty, for objectives that choose tokens by the whole step (KL-Cov); absent elsewhere. */
  readonly penalties?: Float32Array;
  /** The policy that ratios divide by: the trainer's own log-probabilities before the first update of the batch. */
  readonly old: TokenOutputs;
  /** The frozen reference; absent unless the objective needs it. */
  readonly ref?: TokenOutputs;
}

/** The examples of one optimizer step, and the constants that every micro-batch of it divides by. */
export interface Batch {
  readonly examples: readonly Example[];
  /** S: sequences of the step that count, i.e. have at least one trained token. */
  readonly numSequences: number;
  /** N: trained tokens of the step. */
  readonly numTokens: number;
  /** Trained tokens of the step's positive examples; 0 unless the objective says which are (Objective.positiveReward). */
  readonly numPositiveTokens: number;
  /** Trained tokens of the step by Example.group; its size is the number of groups that count. */
  readonly tokensOfGroup: ReadonlyMap<number, number>;
  /** The recipe's generation limit, the length constant of Dr. GRPO. */
  readonly maxCompletionTokens: number;
}

/** What a rollout was trained with, for the log. Arrays are [L]; those that nobody computed are absent. */
export interface TrainedRollout {
  readonly advantages: Float32Array;
  /** nats, before the first update of the batch. */
  readonly oldLogprobs?: Floats;
  readonly refLogprobs?: Floats;
  /** nats, of the pass that trained it last: what the ratio compares with oldLogprobs. */
  readonly logprobs?: Floats;
  /** nats, of the same pass; kept where the objective reads entropies. */
  readonly entropies?: Floats;
  /** What the critic said before the first update, and what it learned. */
  readonly values?: Floats;
  readonly returns?: Float32Array;
}

/** A mean under construction: adding two of them is exact, so any split into micro-batches reports the same number. */
export interface MetricSum {
  readonly sum: number;
  readonly count: number;
}

/** The largest of what was seen: exact under any split, like MetricSum. */
export interface MetricMax {
  readonly max: number;
}

/** The smallest of what was seen. */
export interface MetricMin {
  readonly min: number;
}

/** The share of equal weights that would tell as much, sum^2 / (count sumOfSquares): Kish's effective sample size over the count. */
export interface MetricEffectiveShare extends MetricSum {
  readonly sumOfSquares: number;
}

export type Metric = MetricSum | MetricMax | MetricMin | MetricEffectiveShare;

/** One sequence's share of the step's loss, and its derivative by every output of the model. */
export interface SequenceLoss {
  /** Already divided by the Batch's constants: the step's loss is the plain sum over its sequences. */
  readonly loss: number;
  readonly gradient: TokenGradient;
  readonly metrics: Readonly<Record<string, Metric>>;
}

/** [L] each; d loss / d output, 0 where lossMask is 0. */
export interface TokenGradient {
  readonly dLogprobs: Float32Array;
  readonly dEntropies?: Float32Array;
  readonly dValues?: Float32Array;
}
