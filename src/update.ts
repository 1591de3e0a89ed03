/** From scored groups to changed weights: all optimizer steps that share one rollout batch. */
import { anchoredLoss, assemble, makeBatch, onPolicyLoss, splitUpdates } from "./assemble.ts";
import {
  criticMetrics,
  type OwnCritic,
  type SharedCritic,
  updateCritic,
  withHeadRate,
  withValueLoss,
} from "./critic.ts";
import type { Engine, ForwardOptions } from "./engine/engine.ts";
import { mergeMetrics, metricValues } from "./metrics.ts";
import type { Objective, OptionalInput } from "./objectives/objective.ts";
import type { Corrections } from "./objectives/terms/off-policy.ts";
import type { OptimizerSpec } from "./recipe/schema.ts";
import { adamParams, learningRateAt } from "./schedule.ts";
import type { Example, ScoredGroup, Sequence, SequenceLoss, TokenOutputs, TrainedRollout } from "./types.ts";

export interface UpdateOptions {
  readonly engine: Engine;
  readonly objective: Objective;
  readonly updatesPerBatch: number;
  readonly epochsPerBatch: number;
  readonly maskTruncated: boolean;
  readonly correction: Corrections | undefined;
  /** Of the sampling: ratios compare policies at the temperature that sampled. */
  readonly temperature: number;
  readonly maxCompletionTokens: number;
  readonly optimizer: OptimizerSpec;
  /** Present where the objective needs "values". */
  readonly critic: OwnCritic | SharedCritic | undefined;
  /** The critic alone learns; the policy stays as it is. */
  readonly isPretraining: boolean;
  /** Optimizer steps taken before, and in the whole stage. */
  readonly numUpdatesBefore: number;
  readonly numUpdatesTotal: number;
  /** Uniform in [0, 1); decides which examples share an update. */
  readonly random: () => number;
}

export interface Update {
  readonly metrics: Readonly<Record<string, number>>;
  /** [groups][G] */
  readonly trained: readonly (readonly TrainedRollout[])[];
  /** Optimizer steps of the policy that changed its weights, and those that were skipped because the gradient was not finite. */
  readonly numUpdates: number;
  readonly numSkipped: number;
  /** Trained tokens. */
  readonly numTokens: number;
  /** L2 norms before clipping, one per optimizer step, skipped ones included. */
  readonly gradNorms: readonly number[];
  /** The same of a critic of its own. */
  readonly criticGradNorms: readonly number[];
  /** The policy's; the critic's while it learns alone. */
  readonly learningRate: number;
}

export async function updatePolicy(groups: readonly ScoredGroup[], options: UpdateOptions): Promise<Update> {
  const { engine, objective, critic, isPretraining, maskTruncated, correction, maxCompletionTokens } = options;
  const forward: ForwardOptions = { temperature: options.temperature };
  const needsRef = objective.needs.includes("refLogprobs");
  // The first update's own forward pass yields the old log-probabilities when there is no second update to divide by them.
  const sharesTrunk = critic?.weights === "shared";
  const needsOld = sharesTrunk || objective.needs.some((need) => NEEDS_OLD.includes(need));
  const isSingle = options.updatesPerBatch * options.epochsPerBatch === 1;
  const isOnPolicy = !needsOld && (isSingle || isPretraining);
  // Nothing moves a token of advantage 0 when the objective needs no more: such examples count in the denominators and are not run.
  const mayRest = objective.needs.length === 0;
  const resting = mayRest ? restingSequences(groups, objective) : new Set<Sequence>();
  const entropies = objective.needs.includes("stepOutputs");
  const ofPolicy = { ...forward, entropies, values: sharesTrunk };
  const [before, values] = await Promise.all([
    isOnPolicy ? undefined : forwardGroups(engine, groups, ofPolicy, resting),
    critic?.weights === "own" ? forwardGroups(critic.engine, groups, { values: true }) : undefined,
  ]);
  const old = values === undefined ? before : withValues(groups, before, values);
  const ref = needsRef ? await forwardGroups(engine, groups, { ...forward, weights: "reference" }) : undefined;
  const examples = assemble(groups, old, ref, objective, { maskTruncated, correction });

  // Two engines on one batch: neither waits for what the other learns from it.
  const [policy, learned] = await Promise.all([
    isPretraining ? noSteps : stepPolicy(examples, resting, isOnPolicy, options),
    critic?.weights === "own" ? updateCritic(examples, objective.critic!, critic, maxCompletionTokens) : undefined,
  ]);
  return {
    metrics: {
      ...policyMetrics(policy, mayRest),
      ...learned?.metrics,
      ...(critic === undefined ? {} : criticMetrics(examples)),
    },
    trained: trainedRollouts(groups, examples, policy.outputs, old, ref),
    numUpdates: policy.numUpdates,
    numSkipped: policy.gradNorms.length - policy.numUpdates,
    numTokens: makeBatch(examples, maxCompletionTokens).numTokens,
    gradNorms: policy.gradNorms,
    criticGradNorms: learned?.gradNorms ?? [],
    learningRate: isPretraining ? (learned?.learningRate ?? 0) : policy.learningRate,
  };
}

/** What the optimizer steps of one rollout batch came to. */
interface Steps {
  /** Of the pass that trained each sequence last. */
  readonly outputs: ReadonlyMap<Sequence, TokenOutputs>;
  readonly losses: readonly SequenceLoss[];
  readonly gradNorms: readonly number[];
  readonly numUpdates: number;
  readonly learningRate: number;
}

const noSteps: Steps = { outputs: new Map(), losses: [], gradNorms: [], numUpdates: 0, learningRate: 0 };

/** All optimizer steps of the policy, and with it of a critic that shares its trunk. */
async function stepPolicy(
  examples: readonly Example[],
  resting: ReadonlySet<Sequence>,
  isOnPolicy: boolean,
  options: UpdateOptions,
): Promise<Steps> {
  const { engine, objective, optimizer, correction } = options;
  const shared = options.critic?.weights === "shared" ? options.critic : undefined;
  const forward = { temperature: options.temperature, entropies: true, values: shared !== undefined };
  const keepsEntropies = objective.needs.includes("stepOutputs") || objective.needs.includes("entropies");
  const trainedOutputs = new Map<Sequence, TokenOutputs>();
  const losses: SequenceLoss[] = [];
  const gradNorms: number[] = [];
  let numUpdates = 0;
  let learningRate = 0;
  for (let epoch = 0; epoch < options.epochsPerBatch; epoch++) {
    for (const split of splitUpdates(examples, options.updatesPerBatch, options.random)) {
      const isFirst = gradNorms.length === 0;
      const part = objective.prepare === undefined ? split : await prepare(split, isFirst);
      const batch = makeBatch(part, options.maxCompletionTokens, objective.positiveReward);
      const policyLoss = isOnPolicy
        ? onPolicyLoss(objective, batch, correction)
        : anchoredLoss(objective, batch, correction);
      const lossOf =
        shared === undefined ? policyLoss : withValueLoss(policyLoss, objective.critic!, shared.coefficient, batch);
      const moving = part.filter(({ sequence }) => !resting.has(sequence));
      const results = await engine.forwardBackward(
        moving,
        (example, outputs) => {
          trainedOutputs.set(example.sequence, copyOf(outputs, keepsEntropies));
          return lossOf(example, outputs);
        },
        forward,
      );
      losses.push(...results);
      learningRate = learningRateAt(options.numUpdatesBefore + numUpdates, options.numUpdatesTotal, optimizer);
      const adam = withHeadRate(adamParams(optimizer, learningRate), optimizer, shared?.headLearningRate);
      const { gradNorm, skipped } = await engine.optimStep(adam);
      gradNorms.push(gradNorm);
      if (!skipped) numUpdates++;
    }
  }
  /** Before the first update the policy is the old one. */
  async function prepare(part: readonly Example[], isFirst: boolean): Promise<Example[]> {
    const sequences = part.map(({ sequence }) => sequence);
    const current = isFirst ? part.map((example) => example.old) : await engine.forward(sequences, forward);
    return objective.prepare!(part, current, options.random);
  }
  return { outputs: trainedOutputs, losses, gradNorms, numUpdates, learningRate };
}

/** Nothing of a policy that took no step. */
function policyMetrics({ losses, gradNorms, learningRate }: Steps, mayRest: boolean): Record<string, number> {
  if (gradNorms.length === 0) return {};
  const finite = gradNorms.filter(Number.isFinite);
  const loss = losses.reduce((sum, own) => sum + own.loss, 0) / gradNorms.length;
  return {
    ...metricValues(mergeMetrics(losses.map(({ metrics }) => metrics))),
    loss,
    // policy_loss is a mean over the step's sequences, of which those at rest are missing; but where they may rest, it is all of the loss.
    ...(mayRest ? { policy_loss: loss } : {}),
    ...(finite.length === 0 ? {} : { grad_norm: finite.reduce((a, b) => a + b) / finite.length }),
    learning_rate: learningRate,
  };
}

/** Of the policy itself; "values" are the critic's. */
const NEEDS_OLD: readonly OptionalInput[] = ["oldLogprobs", "stepOutputs"];

/** The sequences whose tokens all have advantage 0; for objectives that need nothing but the current log-probabilities. */
function restingSequences(groups: readonly ScoredGroup[], objective: Objective): Set<Sequence> {
  const advantages = objective.advantages(groups, [], undefined);
  const resting = groups.flatMap(({ rollouts }, g) =>
    rollouts.filter((_, i) => advantages[g]![i]!.every((advantage) => advantage === 0)),
  );
  return new Set(resting.map(({ sequence }) => sequence));
}

/** [groups][G] outputs of every rollout; NaN for sequences that are left out, so that reading them cannot pass for a number. */
async function forwardGroups(
  engine: Engine,
  groups: readonly ScoredGroup[],
  options: ForwardOptions,
  leftOut: ReadonlySet<Sequence> = new Set(),
): Promise<TokenOutputs[][]> {
  const sequences = groups.flatMap(({ rollouts }) => rollouts.map(({ sequence }) => sequence));
  const included = sequences.filter((sequence) => !leftOut.has(sequence));
  const outputs = await engine.forward(included, options);
  const bySequence = new Map(included.map((sequence, i) => [sequence, outputs[i]!]));
  return groups.map(({ rollouts }) =>
    rollouts.map(({ sequence }) => bySequence.get(sequence) ?? absentOutputs(sequence.tokenIds.length)),
  );
}

/** The policy's outputs with the critic's values; NaN log-probabilities where nobody computed them. */
function withValues(
  groups: readonly ScoredGroup[],
  ofPolicy: readonly (readonly TokenOutputs[])[] | undefined,
  ofCritic: readonly (readonly TokenOutputs[])[],
): TokenOutputs[][] {
  return groups.map(({ rollouts }, g) =>
    rollouts.map(({ sequence }, i) => {
      const outputs = ofPolicy?.[g]?.[i] ?? absentOutputs(sequence.tokenIds.length);
      return { ...outputs, values: ofCritic[g]![i]!.values! };
    }),
  );
}

function absentOutputs(length: number): TokenOutputs {
  return { logprobs: new Float32Array(length).fill(Number.NaN) };
}

/** The engine may use its arrays again. */
function copyOf({ logprobs, entropies }: TokenOutputs, withEntropies: boolean): TokenOutputs {
  const copied = { logprobs: Float32Array.from(logprobs) };
  return withEntropies && entropies !== undefined ? { ...copied, entropies: Float32Array.from(entropies) } : copied;
}

/** In the order of the rollouts; those that are no examples have advantages of zero, and what their siblings' advantages read. */
function trainedRollouts(
  groups: readonly ScoredGroup[],
  examples: readonly Example[],
  outputs: ReadonlyMap<Sequence, TokenOutputs>,
  before: readonly (readonly TokenOutputs[])[] | undefined,
  ref: readonly (readonly TokenOutputs[])[] | undefined,
): TrainedRollout[][] {
  const bySequence = new Map(examples.map((example) => [example.sequence, example]));
  return groups.map(({ rollouts }, g) =>
    rollouts.map(({ sequence }, i): TrainedRollout => {
      const example = bySequence.get(sequence);
      if (example === undefined) {
        const own = before?.[g]?.[i];
        const hasLogprobs = own !== undefined && !own.logprobs.some(Number.isNaN);
        return {
          advantages: new Float32Array(sequence.lossMask.length),
          ...(hasLogprobs ? { oldLogprobs: own.logprobs } : {}),
          ...(ref === undefined ? {} : { refLogprobs: ref[g]![i]!.logprobs }),
          ...(own?.values === undefined ? {} : { values: own.values }),
        };
      }
      const { logprobs: trained, entropies } = outputs.get(sequence) ?? {};
      // On-policy, the pass that trained is the one before the update.
      const old = example.old.logprobs.some(Number.isNaN) ? trained : example.old.logprobs;
      return {
        advantages: example.advantages,
        ...(old === undefined ? {} : { oldLogprobs: old }),
        ...(trained === undefined ? {} : { logprobs: trained }),
        ...(entropies === undefined ? {} : { entropies }),
        ...(example.ref === undefined ? {} : { refLogprobs: example.ref.logprobs }),
        ...(example.old.values === undefined ? {} : { values: example.old.values }),
        ...(example.returns === undefined ? {} : { returns: example.returns }),
      };
    }),
  );
}
