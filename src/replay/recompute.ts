/**
 * The losses of a logged step, computed again: the same assembly, the same split into updates, the same objective, and the
 * log-probabilities of the pass that trained each rollout in place of a model.
 *
 *   loss = mean over the step's updates of the sum of their sequences' losses                                     as in update.ts
 */
import { anchoredLoss, assemble, makeBatch, splitUpdates } from "../assemble.ts";
import { RecipeError } from "../errors.ts";
import { mergeMetrics, metricValues } from "../metrics.ts";
import type { Objective } from "../objectives/objective.ts";
import type { RolloutSpec } from "../recipe/schema.ts";
import type { Batch, Example, Sequence, SequenceLoss, TokenOutputs } from "../types.ts";
import { type LoggedStep, oldOutputs, refOutputs } from "./reconstruct.ts";

export interface RecomputeOptions {
  readonly objective: Objective;
  readonly maskTruncated: boolean;
  readonly correction: RolloutSpec["correction"];
  readonly maxCompletionTokens: number;
  /** Optimizer steps that the rollouts are split into; 1 takes them all together. */
  readonly updatesPerBatch: number;
  readonly epochsPerBatch: number;
  /** As the step had it: it decides which examples share an update. */
  readonly random: () => number;
}

/** One optimizer step. */
export interface RecomputedUpdate {
  /** Examples as the loss reads them: with the weights and penalties of this update. */
  readonly batch: Batch;
  /** [S] of batch.examples; null for one that rests: its tokens have neither loss nor gradient. */
  readonly losses: readonly (SequenceLoss | null)[];
  /** [S] what the losses were given; null for one that rests. */
  readonly outputs: readonly (TokenOutputs | null)[];
}

export interface Recomputed {
  /** Of the last epoch, the only one whose log-probabilities are kept. */
  readonly updates: readonly RecomputedUpdate[];
  readonly loss: number;
  /** Under the names of metrics.jsonl. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** What the policy says of a sequence; undefined where nobody knows. */
export type CurrentOutputs = (sequence: Sequence) => TokenOutputs | undefined;

/**
 * `current` is by default the log's own. Throws RecipeError, in one sentence, when the objective needs what neither the log nor
 * `current` has: nothing is guessed.
 */
export function recompute(step: LoggedStep, options: RecomputeOptions, current = loggedOutputs(step)): Recomputed {
  const { objective, updatesPerBatch, epochsPerBatch, random } = options;
  const examples = examplesOf(step, options);
  const resting = objective.needs.length === 0 ? examples.filter(isStill) : [];
  const still = new Set(resting.map(({ sequence }) => sequence));
  demandOutputs(objective, examples, still, current);

  let updates: RecomputedUpdate[] = [];
  for (let epoch = 0; epoch < epochsPerBatch; epoch++) {
    updates = splitUpdates(examples, updatesPerBatch, random).map((split) => {
      const outputs = split.map(({ sequence }) => (still.has(sequence) ? null : current(sequence)!));
      const prepared = objective.prepare === undefined ? split : objective.prepare(split, present(outputs), random);
      const batch = makeBatch(prepared, options.maxCompletionTokens, objective.positiveReward);
      const lossOf = anchoredLoss(objective, batch, options.correction);
      return {
        batch,
        outputs,
        losses: prepared.map((example, i) => (outputs[i] == null ? null : lossOf(example, outputs[i]))),
      };
    });
  }
  const losses = updates.flatMap((update) => present(update.losses));
  if (losses.some(({ loss, gradient }) => !Number.isFinite(loss) || gradient.dLogprobs.some(Number.isNaN)))
    throw new RecipeError(`${objective.name} is not computable: its loss is not a number on what the log holds.`);
  const loss = losses.reduce((sum, own) => sum + own.loss, 0) / Math.max(1, updates.length);
  const metrics = metricValues(mergeMetrics(losses.map((own) => own.metrics)));
  // Where sequences rest, a mean over the others is not the step's; the loss has no other part there (update.ts).
  return {
    updates,
    loss,
    metrics: { ...metrics, ...(objective.needs.length === 0 ? { policy_loss: loss } : {}), loss },
  };
}

/** The examples of the step under this objective. Throws RecipeError where its advantages need what the log does not have. */
export function examplesOf(
  step: LoggedStep,
  { objective, maskTruncated, correction }: Pick<RecomputeOptions, "objective" | "maskTruncated" | "correction">,
): Example[] {
  const { groups, trained } = step;
  const needsRef = objective.needs.includes("refLogprobs");
  const ref = needsRef ? refOutputs(step) : undefined;
  const lacks = (what: string): never => {
    throw new RecipeError(`${objective.name} is not computable: the log has no ${what}.`);
  };
  const logged = trained.flat();
  if (needsRef && ref === undefined) lacks("reference log-probabilities");
  if (objective.needs.includes("values") && !logged.some(({ values }) => values !== undefined))
    lacks("critic's values");
  if (objective.needs.includes("greedyReward") && groups.some(({ greedyReward }) => greedyReward === undefined))
    lacks("greedy completions");
  const examples = assemble(groups, oldOutputs(step), ref, objective, { maskTruncated, correction });
  if (examples.some(({ advantages }) => advantages.some(Number.isNaN)))
    lacks("old or reference log-probabilities of rollouts that the step did not run, which its advantages read");
  return examples;
}

/** The log-probabilities of the pass that trained. */
export function loggedOutputs({ groups, trained }: LoggedStep): CurrentOutputs {
  const bySequence = new Map<Sequence, TokenOutputs>();
  groups.forEach(({ rollouts }, g) => {
    rollouts.forEach(({ sequence }, i) => {
      const { logprobs, entropies } = trained[g]![i]!;
      if (logprobs === undefined) return;
      bySequence.set(sequence, entropies === undefined ? { logprobs } : { logprobs, entropies });
    });
  });
  return (sequence) => bySequence.get(sequence);
}

/** A ratio to, or of, a policy that nobody asked is not a number. */
function demandOutputs(
  objective: Objective,
  examples: readonly Example[],
  still: ReadonlySet<Sequence>,
  current: CurrentOutputs,
): void {
  const moving = examples.filter(({ sequence }) => !still.has(sequence));
  const unknown = moving.filter(
    ({ sequence, old }) => current(sequence) === undefined || old.logprobs.some(Number.isNaN),
  );
  if (unknown.length > 0) {
    throw new RecipeError(
      `${objective.name} is not computable: it moves ${unknown.length} of ${examples.length} rollouts whose log-probabilities the log does not have, because the run's own objective did not move them.`,
    );
  }
  const needsEntropies = objective.needs.some((need) => need === "entropies" || need === "stepOutputs");
  if (needsEntropies && moving.some(({ sequence }) => current(sequence)!.entropies === undefined))
    throw new RecipeError(`${objective.name} is not computable: the log has no entropies.`);
}

function isStill({ advantages }: Example): boolean {
  return advantages.every((advantage) => advantage === 0);
}

function present<Value>(values: readonly (Value | null)[]): Value[] {
  return values.filter((value) => value !== null);
}
