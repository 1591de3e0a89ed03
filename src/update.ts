/** From scored groups to changed weights: all optimizer steps that share one rollout batch. */
import { anchoredLoss, assemble, makeBatch, onPolicyLoss, splitUpdates } from "./assemble.ts";
import type { AdamParams, Engine, ForwardOptions } from "./engine/engine.ts";
import { hasZeroVariance, mergeMetrics, metricValues } from "./metrics.ts";
import type { Objective } from "./objectives/objective.ts";
import type { OptimizerSpec } from "./recipe/schema.ts";
import { learningRateAt } from "./schedule.ts";
import type { Example, ScoredGroup, SequenceLoss, TokenOutputs } from "./types.ts";

export interface UpdateOptions {
  readonly engine: Engine;
  readonly objective: Objective;
  readonly updatesPerBatch: number;
  readonly epochsPerBatch: number;
  readonly maskTruncated: boolean;
  readonly correction: { readonly type: "tis"; readonly cap: number } | undefined;
  /** Of the sampling: ratios compare policies at the temperature that sampled. */
  readonly temperature: number;
  readonly maxCompletionTokens: number;
  readonly optimizer: OptimizerSpec;
  /** Optimizer steps taken before, and in the whole stage. */
  readonly numUpdatesBefore: number;
  readonly numUpdatesTotal: number;
  /** Uniform in [0, 1); decides which examples share an update. */
  readonly random: () => number;
}

export interface Update {
  readonly metrics: Readonly<Record<string, number>>;
  /** [groups][G][L] */
  readonly advantages: readonly (readonly Float32Array[])[];
  /** Optimizer steps that changed the weights, and those that were skipped because the gradient was not finite. */
  readonly numUpdates: number;
  readonly numSkipped: number;
  /** Trained tokens. */
  readonly numTokens: number;
  /** L2 norms before clipping, one per optimizer step, skipped ones included. */
  readonly gradNorms: readonly number[];
  readonly learningRate: number;
}

export async function updatePolicy(groups: readonly ScoredGroup[], options: UpdateOptions): Promise<Update> {
  const { engine, objective, updatesPerBatch, epochsPerBatch, maskTruncated, correction, maxCompletionTokens } =
    options;
  const forward: ForwardOptions = { temperature: options.temperature };
  const needsRef = objective.needs.includes("refLogprobs");
  // The first update's own forward pass yields the old log-probabilities when there is no second update to divide by them.
  const isOnPolicy = updatesPerBatch * epochsPerBatch === 1 && !objective.needs.includes("oldLogprobs");
  // Nothing moves a token of advantage 0 when the objective needs no more: such examples count in the denominators and are not run.
  const mayRest = objective.needs.length === 0;
  const old = isOnPolicy
    ? undefined
    : await forwardGroups(engine, groups, forward, mayRest ? hasZeroVariance : () => false);
  const ref = needsRef ? await forwardGroups(engine, groups, { ...forward, weights: "reference" }) : undefined;
  const examples = assemble(groups, old, ref, objective, { maskTruncated, correction });

  const losses: SequenceLoss[] = [];
  const gradNorms: number[] = [];
  let numUpdates = 0;
  let learningRate = 0;
  for (let epoch = 0; epoch < epochsPerBatch; epoch++) {
    for (const part of splitUpdates(examples, updatesPerBatch, options.random)) {
      const batch = makeBatch(part, maxCompletionTokens);
      const loss = isOnPolicy ? onPolicyLoss(objective, batch, correction) : anchoredLoss(objective, batch);
      const moving = mayRest ? part.filter(({ advantages }) => advantages.some((advantage) => advantage !== 0)) : part;
      losses.push(...(await engine.forwardBackward(moving, loss, { ...forward, entropies: true })));
      learningRate = learningRateAt(options.numUpdatesBefore + numUpdates, options.numUpdatesTotal, options.optimizer);
      const { gradNorm, skipped } = await engine.optimStep(adamParams(options.optimizer, learningRate));
      gradNorms.push(gradNorm);
      if (!skipped) numUpdates++;
    }
  }
  const finite = gradNorms.filter(Number.isFinite);
  const loss = losses.reduce((sum, own) => sum + own.loss, 0) / gradNorms.length;
  // policy_loss is a mean over the step's sequences, of which those at rest are missing; but where they may rest, it is all of the loss.
  const stepLoss = mayRest ? { loss, policy_loss: loss } : { loss };
  return {
    metrics: {
      ...metricValues(mergeMetrics(losses.map(({ metrics }) => metrics))),
      ...(gradNorms.length === 0 ? {} : stepLoss),
      ...(finite.length === 0 ? {} : { grad_norm: finite.reduce((a, b) => a + b) / finite.length }),
      learning_rate: learningRate,
    },
    advantages: advantagesOf(groups, examples),
    numUpdates,
    numSkipped: gradNorms.length - numUpdates,
    numTokens: makeBatch(examples, maxCompletionTokens).numTokens,
    gradNorms,
    learningRate,
  };
}

/** AdamW's numbers for one step at this rate. */
export function adamParams(optimizer: OptimizerSpec, learningRate: number): AdamParams {
  const { beta1, beta2, eps, weightDecay, maxGradNorm } = optimizer;
  return { learningRate, beta1, beta2, eps, weightDecay, maxGradNorm };
}

/** [groups][G] outputs of every rollout; NaN for groups that are left out, so that reading them cannot pass for a number. */
async function forwardGroups(
  engine: Engine,
  groups: readonly ScoredGroup[],
  options: ForwardOptions,
  isLeftOut: (group: ScoredGroup) => boolean = () => false,
): Promise<TokenOutputs[][]> {
  const included = groups.filter((group) => !isLeftOut(group));
  const outputs = await engine.forward(
    included.flatMap(({ rollouts }) => rollouts.map(({ sequence }) => sequence)),
    options,
  );
  let start = 0;
  return groups.map((group) => {
    if (isLeftOut(group)) return group.rollouts.map(({ sequence }) => absentOutputs(sequence.tokenIds.length));
    const end = start + group.rollouts.length;
    const own = outputs.slice(start, end);
    start = end;
    return own;
  });
}

function absentOutputs(length: number): TokenOutputs {
  return { logprobs: new Float32Array(length).fill(Number.NaN) };
}

/** The advantages in the order of the rollouts; zeros for those that were not trained. */
function advantagesOf(groups: readonly ScoredGroup[], examples: readonly Example[]): Float32Array[][] {
  const bySequence = new Map(examples.map(({ sequence, advantages }) => [sequence, advantages]));
  return groups.map(({ rollouts }) =>
    rollouts.map(({ sequence }) => bySequence.get(sequence) ?? new Float32Array(sequence.lossMask.length)),
  );
}
