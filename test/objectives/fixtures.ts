/** Small batches for the tests of objectives. Position 0 is an untrained prompt token, so that an index that ignores it shows. */
import { createObjective, type ObjectiveSpec } from "../../src/objectives/create.ts";
import type { Batch, Example, FinishReason, Reward, ScoredGroup, Sequence, TokenOutputs } from "../../src/types.ts";

/** [1 + T] with a leading 0 for the prompt token. */
export function withPrompt(values: readonly number[]): Float64Array {
  return Float64Array.from([0, ...values]);
}

export function sequenceOf(numTokens: number, samplingLogprobs: readonly number[] = []): Sequence {
  return {
    tokenIds: new Int32Array(numTokens + 1),
    lossMask: Uint8Array.from({ length: numTokens + 1 }, (_, t) => (t === 0 ? 0 : 1)),
    samplingLogprobs: Float32Array.from({ length: numTokens + 1 }, (_, t) => samplingLogprobs[t - 1] ?? 0),
  };
}

export interface Row {
  readonly logp: readonly number[];
  readonly old: readonly number[];
  /** What the server said; default: 0. */
  readonly sampling?: readonly number[];
  readonly ref?: readonly number[];
  readonly weights?: readonly number[];
  readonly advantage: number;
  readonly group?: number;
  readonly reward?: number;
}

export function exampleOf({ logp, old, sampling, ref, weights, advantage, group = 0, reward = 0 }: Row): Example {
  return {
    sequence: sequenceOf(logp.length, sampling),
    group,
    reward,
    advantages: Float32Array.from(withPrompt(logp), (_, t) => (t === 0 ? 0 : advantage)),
    weights: Float32Array.from(withPrompt(weights ?? logp.map(() => 1))),
    old: { logprobs: withPrompt(old) },
    ...(ref === undefined ? {} : { ref: { logprobs: withPrompt(ref) } }),
  };
}

export function outputsOf({ logp }: Row): TokenOutputs {
  return { logprobs: withPrompt(logp) };
}

/** A null is an excluded rollout. */
export function groupOf(
  totals: readonly (number | null)[],
  lengths: readonly number[] = totals.map(() => 3),
  finishReasons: readonly FinishReason[] = totals.map(() => "stop"),
): ScoredGroup {
  return {
    prompt: { id: "p", text: "?", tokenIds: [0], prefill: "", answer: null, fields: {} },
    rollouts: totals.map((_, i) => ({
      completion: {
        tokenIds: new Array<number>(lengths[i]!).fill(0),
        logprobs: new Float32Array(lengths[i]!),
        text: "",
        finishReason: finishReasons[i]!,
        policyVersion: 0,
      },
      sequence: sequenceOf(lengths[i]!),
    })),
    rewards: totals.map(
      (total): Reward => ({
        total,
        outcomes: { score: total === null ? { status: "failed", error: "broke" } : { status: "scored", score: total } },
      }),
    ),
  };
}

/** [G] first trained token's advantage of each rollout of a group. */
export function advantagesOf(spec: ObjectiveSpec, totals: readonly (number | null)[]): number[] {
  return createObjective(spec)
    .advantages([groupOf(totals)], [], undefined)[0]!
    .map((advantages) => advantages[1]!);
}

/** The step's loss and [S][L] gradient: the plain sum that an engine makes. */
export function stepOf(spec: ObjectiveSpec, batch: Batch, outputs: readonly TokenOutputs[]) {
  const objective = createObjective(spec);
  const losses = batch.examples.map((example, i) => objective.loss(example, outputs[i]!, batch));
  return {
    loss: losses.reduce((sum, { loss }) => sum + loss, 0),
    gradient: losses.map(({ gradient }) => gradient.dLogprobs),
    metrics: losses.map(({ metrics }) => metrics),
  };
}
