/**
 * The critic in the loop: what it learns from a rollout batch.
 *
 *   own      a model of its own in a second engine: it takes its own optimizer steps while the policy takes its
 *   shared   a value head on the policy: both losses go through one pass, and the policy's steps are the critic's
 */
import { makeBatch, splitUpdates } from "./assemble.ts";
import type { AdamParams, Engine, LossFunction } from "./engine/engine.ts";
import { mergeMetrics, metricValues } from "./metrics.ts";
import type { Critic } from "./objectives/objective.ts";
import type { OptimizerSpec, RlStage } from "./recipe/schema.ts";
import { adamParams, learningRateAt } from "./schedule.ts";
import type { Batch, Example, SequenceLoss } from "./types.ts";

export interface OwnCritic {
  readonly weights: "own";
  readonly engine: Engine;
  readonly updatesPerBatch: number;
  readonly epochsPerBatch: number;
  readonly optimizer: OptimizerSpec;
  /** Peak rate of the value head; undefined: the optimizer's. */
  readonly headLearningRate: number | undefined;
  /** Optimizer steps of the whole stage; the engine counts those taken. */
  readonly numUpdatesTotal: number;
  /** Uniform in [0, 1); decides which examples share an update. */
  readonly random: () => number;
}

export interface SharedCritic {
  readonly weights: "shared";
  /** Of the value loss beside the policy's. */
  readonly coefficient: number;
  readonly headLearningRate: number | undefined;
}

/** As in TRL's PPO. */
const DEFAULT_COEFFICIENT = 0.1;

/** The critic of a stage as its recipe says; undefined where it has none. `engine` is the critic's own. */
export function criticOf(
  { critic, steps, optimizer, updatesPerBatch, epochsPerBatch }: RlStage,
  engine: Engine | null,
  random: () => number,
): OwnCritic | SharedCritic | undefined {
  if (critic === undefined) return undefined;
  const { coefficient = DEFAULT_COEFFICIENT, headLearningRate } = critic;
  if (critic.weights === "shared") return { weights: "shared", coefficient, headLearningRate };
  if (engine === null) throw new Error("a critic of its own needs an engine of its own");
  const own = {
    updatesPerBatch: critic.updatesPerBatch ?? updatesPerBatch,
    epochsPerBatch: critic.epochsPerBatch ?? epochsPerBatch,
  };
  const numUpdatesTotal = steps * own.updatesPerBatch * own.epochsPerBatch;
  return {
    weights: "own",
    engine,
    ...own,
    optimizer: critic.optimizer ?? optimizer,
    headLearningRate,
    numUpdatesTotal,
    random,
  };
}

export interface CriticUpdate {
  readonly metrics: Readonly<Record<string, number>>;
  /** L2 norms before clipping, one per optimizer step, skipped ones included. */
  readonly gradNorms: readonly number[];
  readonly learningRate: number;
}

/** All optimizer steps of a critic of its own on one rollout batch. `examples` hold returns, and their `old` the values. */
export async function updateCritic(
  examples: readonly Example[],
  learner: Critic,
  critic: OwnCritic,
  maxCompletionTokens: number,
): Promise<CriticUpdate> {
  const { engine, optimizer, numUpdatesTotal } = critic;
  const losses: SequenceLoss[] = [];
  const gradNorms: number[] = [];
  let learningRate = 0;
  for (let epoch = 0; epoch < critic.epochsPerBatch; epoch++) {
    for (const part of splitUpdates(examples, critic.updatesPerBatch, critic.random)) {
      const batch = makeBatch(part, maxCompletionTokens);
      const lossOf: LossFunction = (example, outputs) => learner.loss(example, outputs, batch);
      losses.push(...(await engine.forwardBackward(part, lossOf, { values: true })));
      learningRate = learningRateAt(engine.policyVersion, numUpdatesTotal, optimizer);
      const adam = withHeadRate(adamParams(optimizer, learningRate), optimizer, critic.headLearningRate);
      gradNorms.push((await engine.optimStep(adam)).gradNorm);
    }
  }
  const finite = gradNorms.filter(Number.isFinite);
  const metrics = {
    ...metricValues(mergeMetrics(losses.map((own) => own.metrics))),
    ...(finite.length === 0 ? {} : { "critic/grad_norm": finite.reduce((a, b) => a + b) / finite.length }),
    "critic/lr": learningRate,
  };
  return { metrics, gradNorms, learningRate };
}

/** The policy's loss with the value loss added, for a critic that shares its trunk. */
export function withValueLoss(loss: LossFunction, learner: Critic, coefficient: number, batch: Batch): LossFunction {
  return (example, outputs) => {
    const policy = loss(example, outputs);
    const value = learner.loss(example, outputs, batch);
    const dValues = value.gradient.dValues!.map((derivative) => coefficient * derivative);
    return {
      loss: policy.loss + coefficient * value.loss,
      gradient: { ...policy.gradient, dValues },
      metrics: { ...policy.metrics, ...value.metrics },
    };
  };
}

/** The value head starts at zero and may learn faster than its trunk, on the trunk's schedule. */
export function withHeadRate(adam: AdamParams, optimizer: OptimizerSpec, headLearningRate?: number): AdamParams {
  if (headLearningRate === undefined) return adam;
  return { ...adam, valueLearningRate: (adam.learningRate / optimizer.learningRate) * headLearningRate };
}

/**
 * What the critic said before the first update and what came of it, over all trained tokens of a rollout batch, under verl's names:
 * critic/values, returns and advantages (mean, max, min), and critic/vf_explained_var = 1 - var(returns - values) / var(returns),
 * which is left out where all returns are equal.
 */
export function criticMetrics(examples: readonly Example[]): Record<string, number> {
  const values = summary();
  const returns = summary();
  const advantages = summary();
  const errors = summary();
  for (const example of examples) {
    const { lossMask } = example.sequence;
    for (let t = 0; t < lossMask.length; t++) {
      if (lossMask[t] === 0) continue;
      const [value, target] = [example.old.values![t]!, example.returns![t]!];
      values.add(value);
      returns.add(target);
      advantages.add(example.advantages[t]!);
      errors.add(target - value);
    }
  }
  if (values.count() === 0) return {};
  return {
    ...values.metrics("critic/values"),
    ...returns.metrics("critic/returns"),
    ...advantages.metrics("critic/advantages"),
    ...(returns.variance() === 0 ? {} : { "critic/vf_explained_var": 1 - errors.variance() / returns.variance() }),
  };
}

/** Mean, extremes and variance of numbers that come one by one (Welford). */
function summary() {
  let count = 0;
  let mean = 0;
  let squares = 0;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  return {
    add(value: number): void {
      count++;
      const before = value - mean;
      mean += before / count;
      squares += before * (value - mean);
      min = Math.min(min, value);
      max = Math.max(max, value);
    },
    count: () => count,
    variance: () => squares / count,
    metrics: (name: string) => ({ [`${name}/mean`]: mean, [`${name}/max`]: max, [`${name}/min`]: min }),
  };
}
