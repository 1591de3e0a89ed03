/**
 * From scored groups to the examples of optimizer steps: advantages, weights, and the constants every micro-batch divides by.
 *
 * A rollout leaves the loss in one of two ways. Excluded (null total) or truncated with `maskTruncated`: it is no example, so it
 * leaves the denominators too. Weight 0: its tokens pull nowhere, but still count in the denominators.
 */
import type { LossFunction } from "./engine/engine.ts";
import type { Objective } from "./objectives/objective.ts";
import { countTrained } from "./objectives/terms/aggregation.ts";
import { type Correction, samplingMetrics, tokenWeights } from "./objectives/terms/off-policy.ts";
import type { Batch, Example, Floats, ScoredGroup, TokenOutputs } from "./types.ts";

export interface AssembleOptions {
  /** Completions that hit the generation limit are not trained; their rewards still count in the baseline. Default false. */
  readonly maskTruncated?: boolean;
  /** Token weights between server and trainer. Default: every weight is 1. */
  readonly correction?: Correction | undefined;
}

/**
 * Examples in the order of groups and rollouts. `old` and `ref` are [groups][G]; `ref` may be undefined unless the objective
 * needs "refLogprobs". `old` may be undefined for a step whose first and only update is on-policy, unless the objective needs
 * "oldLogprobs": the examples must then be trained with `onPolicyLoss`.
 */
export function assemble(
  groups: readonly ScoredGroup[],
  old: readonly (readonly TokenOutputs[])[] | undefined,
  ref: readonly (readonly TokenOutputs[])[] | undefined,
  objective: Objective,
  { maskTruncated = false, correction }: AssembleOptions = {},
): Example[] {
  if (old === undefined && objective.needs.includes("oldLogprobs")) {
    throw new Error(`${objective.name} needs the old log-probabilities before the first update`);
  }
  if (ref === undefined && objective.needs.includes("refLogprobs")) {
    throw new Error(`${objective.name} needs reference log-probabilities`);
  }
  return groups.flatMap((group, g) => {
    const groupOld = outputsOf("old", old, g, group);
    const groupRef = outputsOf("reference", ref, g, group);
    const advantages = objective.advantages(group, groupOld ?? [], groupRef);
    return group.rollouts.flatMap(({ completion, sequence }, i): Example[] => {
      if (group.rewards[i]!.total === null) return [];
      if (maskTruncated && completion.finishReason === "length") return [];
      return [
        {
          sequence,
          advantages: advantages[i]!,
          weights: tokenWeights(sequence, groupOld?.[i]?.logprobs, correction),
          old: groupOld?.[i] ?? { logprobs: absent(sequence.lossMask.length) },
          ...(groupRef === undefined ? {} : { ref: groupRef[i]! }),
        },
      ];
    });
  });
}

/** [G] outputs of one group, checked for length: outputs of another group would train silently. */
function outputsOf(
  kind: string,
  outputs: readonly (readonly TokenOutputs[])[] | undefined,
  index: number,
  group: ScoredGroup,
): readonly TokenOutputs[] | undefined {
  if (outputs === undefined) return undefined;
  const ofGroup = outputs[index] ?? [];
  const fits = group.rollouts.every(({ sequence }, i) => ofGroup[i]?.logprobs.length === sequence.tokenIds.length);
  if (!fits || ofGroup.length !== group.rollouts.length) {
    throw new Error(
      `the ${kind} log-probabilities of group ${index} do not fit its ${group.rollouts.length} sequences`,
    );
  }
  return ofGroup;
}

/** [L] NaN, so that a ratio to old log-probabilities that nobody computed cannot pass for a number. */
function absent(length: number): Floats {
  return new Float32Array(length).fill(Number.NaN);
}

/** The examples of one optimizer step with its constants. */
export function makeBatch(examples: readonly Example[], maxCompletionTokens: number): Batch {
  const lengths = examples.map(({ sequence }) => countTrained(sequence.lossMask));
  return {
    examples,
    numSequences: lengths.filter((length) => length > 0).length,
    numTokens: lengths.reduce((sum, length) => sum + length, 0),
    maxCompletionTokens,
  };
}

/**
 * Splits a rollout batch into at most `numUpdates` optimizer steps of sizes that differ by at most one, none empty. More than one
 * are filled in random order, so that each sees many prompts; `random` returns uniform numbers in [0, 1).
 */
export function splitUpdates(examples: readonly Example[], numUpdates: number, random: () => number): Example[][] {
  const numParts = Math.min(numUpdates, examples.length);
  const order = numParts > 1 ? shuffled(examples, random) : [...examples];
  return Array.from({ length: numParts }, (_, part) =>
    order.slice(Math.floor((part * order.length) / numParts), Math.floor(((part + 1) * order.length) / numParts)),
  );
}

/** Fisher and Yates. */
function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  const order = [...items];
  for (let last = order.length - 1; last > 0; last--) {
    const pick = Math.floor(random() * (last + 1));
    [order[last], order[pick]] = [order[pick]!, order[last]!];
  }
  return order;
}

/** The loss of examples whose old log-probabilities are known. */
export function anchoredLoss(objective: Objective, batch: Batch): LossFunction {
  return (example, outputs) => {
    const { loss, gradient, metrics } = objective.loss(example, outputs, batch);
    return { loss, gradient, metrics: { ...metrics, ...samplingMetrics(example.sequence, example.old.logprobs) } };
  };
}

/**
 * The loss of an update whose policy is the old policy: the outputs of the pass that trains are the old ones, so no pass before
 * it is needed. Ratios are exactly 1 in value, and differentiate as ratios.
 */
export function onPolicyLoss(objective: Objective, batch: Batch, correction?: Correction): LossFunction {
  const loss = anchoredLoss(objective, batch);
  return (example, outputs) =>
    loss({ ...example, old: outputs, weights: tokenWeights(example.sequence, outputs.logprobs, correction) }, outputs);
}
