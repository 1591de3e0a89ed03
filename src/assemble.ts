/**
 * From scored groups to the examples of optimizer steps: advantages, weights, and the constants every micro-batch divides by.
 *
 * A rollout leaves the loss in one of two ways. Excluded (null total) or truncated with `maskTruncated`: it is no example, so it
 * leaves the denominators too. Weight 0: its tokens pull nowhere, but still count in the denominators.
 */
import type { LossFunction } from "./engine/engine.ts";
import type { Objective } from "./objectives/objective.ts";
import { countTrained } from "./objectives/terms/aggregation.ts";
import { type Corrections, checkCorrection, samplingMetrics, tokenWeights } from "./objectives/terms/off-policy.ts";
import type { Batch, Example, Floats, ScoredGroup, TokenOutputs } from "./types.ts";

export interface AssembleOptions {
  /** Completions that hit the generation limit are not trained; their rewards still count in the baseline. Default false. */
  readonly maskTruncated?: boolean;
  /** Token weights between server and trainer. Default: every weight is 1. */
  readonly correction?: Corrections | undefined;
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
  checkCorrection(objective, correction);
  demandFit("old", old, groups);
  demandFit("reference", ref, groups);
  const advantages = objective.advantages(groups, old ?? [], ref);
  const returns = objective.critic?.returns(groups, old ?? [], ref);
  return groups.flatMap(({ rollouts, rewards }, group) =>
    rollouts.flatMap(({ completion, sequence }, i): Example[] => {
      const reward = rewards[i]!.total;
      if (reward === null) return [];
      if (maskTruncated && completion.finishReason === "length") return [];
      const ownOld = old?.[group]?.[i];
      const ownAdvantages = advantages[group]![i]!;
      return [
        {
          sequence,
          group,
          reward,
          advantages: ownAdvantages,
          weights: tokenWeights({ sequence, advantages: ownAdvantages }, ownOld?.logprobs, correction),
          ...(returns === undefined ? {} : { returns: returns[group]![i]! }),
          old: ownOld ?? { logprobs: absent(sequence.lossMask.length) },
          ...(ref === undefined ? {} : { ref: ref[group]![i]! }),
        },
      ];
    }),
  );
}

/** Outputs of other sequences would train silently. */
function demandFit(
  kind: string,
  outputs: readonly (readonly TokenOutputs[])[] | undefined,
  groups: readonly ScoredGroup[],
): void {
  if (outputs === undefined) return;
  for (const [g, { rollouts }] of groups.entries()) {
    const ofGroup = outputs[g] ?? [];
    const fits = rollouts.every(({ sequence }, i) => ofGroup[i]?.logprobs.length === sequence.tokenIds.length);
    if (fits && ofGroup.length === rollouts.length) continue;
    throw new Error(`the ${kind} log-probabilities of group ${g} do not fit its ${rollouts.length} sequences`);
  }
}

/** [L] NaN, so that a ratio to old log-probabilities that nobody computed cannot pass for a number. */
function absent(length: number): Floats {
  return new Float32Array(length).fill(Number.NaN);
}

/** The examples of one optimizer step with its constants; `positiveReward` is the objective's. */
export function makeBatch(
  examples: readonly Example[],
  maxCompletionTokens: number,
  positiveReward = Number.POSITIVE_INFINITY,
): Batch {
  let numSequences = 0;
  let numTokens = 0;
  let numPositiveTokens = 0;
  const tokensOfGroup = new Map<number, number>();
  for (const { sequence, group, reward } of examples) {
    const length = countTrained(sequence.lossMask);
    if (length === 0) continue;
    numSequences++;
    numTokens += length;
    if (reward > positiveReward) numPositiveTokens += length;
    tokensOfGroup.set(group, (tokensOfGroup.get(group) ?? 0) + length);
  }
  return { examples, numSequences, numTokens, numPositiveTokens, tokensOfGroup, maxCompletionTokens };
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

/** The loss of examples whose old log-probabilities are known; `correction` is that of `assemble`, for the metrics. */
export function anchoredLoss(objective: Objective, batch: Batch, correction?: Corrections): LossFunction {
  return (example, outputs) => {
    const { loss, gradient, metrics } = objective.loss(example, outputs, batch);
    return { loss, gradient, metrics: { ...metrics, ...samplingMetrics(example, correction) } };
  };
}

/**
 * The loss of an update whose policy is the old policy: the outputs of the pass that trains are the old ones, so no pass before
 * it is needed. Ratios are exactly 1 in value, and differentiate as ratios.
 */
export function onPolicyLoss(objective: Objective, batch: Batch, correction?: Corrections): LossFunction {
  const loss = anchoredLoss(objective, batch, correction);
  return (example, outputs) =>
    loss({ ...example, old: outputs, weights: tokenWeights(example, outputs.logprobs, correction) }, outputs);
}
