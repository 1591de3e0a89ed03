/** What a recipe minimises, and how the numbers of one batch come about: of a step that a run trained on, or of a made-up one. */
import { RecipeError } from "../errors.ts";
import { createObjective } from "../objectives/create.ts";
import { createRandom } from "../random.ts";
import type { Recipe, RlStage } from "../recipe/schema.ts";
import type { Path } from "../recipe/source.ts";
import { type Anatomy, anatomyOf, anatomyOptions } from "../replay/anatomy.ts";
import { examplesOf, type RecomputeOptions, recompute } from "../replay/recompute.ts";
import type { LoggedStep } from "../replay/reconstruct.ts";
import type { RunStep } from "../replay/run.ts";
import { exampleStep } from "./example.ts";
import { type Explained, explainStage } from "./terms.ts";

/** A number that the run wrote, beside the same number computed from its rollouts. */
export interface Comparison {
  readonly name: string;
  readonly recorded: number;
  readonly recomputed: number;
  readonly agrees: boolean;
}

export interface BatchReport {
  /** Null for the made-up batch. */
  readonly step: number | null;
  readonly loss: number;
  readonly metrics: Readonly<Record<string, number>>;
  readonly comparisons: readonly Comparison[];
  /** Why the numbers may differ, or cannot be compared; one sentence each. */
  readonly notes: readonly string[];
  /** True where the advantages computed from the rewards are those that were trained, bit for bit. */
  readonly advantagesAgree: boolean | null;
  readonly anatomy: Anatomy;
}

/** Of the recorded number, and at least 1e-6: losses are sums of float32 terms that cancel. */
const TOLERANCE = 1e-4;

export function explainRecipe(recipe: Recipe, stage: RlStage, placeOf: (path: Path) => string | null): Explained {
  return explainStage(stage, ["stages", recipe.stages.indexOf(stage)], placeOf);
}

/** A real step, against what the run recorded. Throws RecipeError when the loss needs what the log does not have. */
export function explainStep(stage: RlStage, { step, logged, algorithm, options, recorded }: RunStep): BatchReport {
  const pretrainingSteps = options.objective.critic?.pretrainingSteps ?? 0;
  if (step <= pretrainingSteps) {
    throw new RecipeError(
      `Expected a step in which the policy learned, got ${step}: in the first ${pretrainingSteps} the critic learns alone.`,
    );
  }
  const recomputed = recompute(logged, options);
  const { updatesPerBatch, epochsPerBatch } = options;
  const notes: string[] = [];
  if (epochsPerBatch > 1) {
    notes.push(
      `The run's numbers are means over ${epochsPerBatch} epochs; the log keeps the log-probabilities of the last one, which these are.`,
    );
  } else if (updatesPerBatch > 1) {
    notes.push(`The loss is the mean of ${updatesPerBatch} updates, each with the policy that it began with.`);
  }
  if (recorded === null) notes.push("metrics.jsonl has no line of this step, so there is nothing to compare with.");
  // The value loss needs the values of the pass that trained, which the log does not have.
  const hasValueLoss = stage.critic?.weights === "shared";
  if (hasValueLoss)
    notes.push("The run's loss holds the value loss of the shared critic, too; compared is the policy's.");
  const comparisons = (hasValueLoss ? ["policy_loss"] : ["policy_loss", "loss"]).flatMap((name): Comparison[] => {
    const [was, is] = [recorded?.[name], recomputed.metrics[name]];
    if (was === undefined || is === undefined || epochsPerBatch > 1) return [];
    return [
      { name, recorded: was, recomputed: is, agrees: Math.abs(is - was) <= Math.max(1e-6, TOLERANCE * Math.abs(was)) },
    ];
  });
  return {
    step,
    loss: recomputed.loss,
    metrics: recomputed.metrics,
    comparisons,
    notes,
    advantagesAgree: advantagesAgree(logged, options),
    anatomy: anatomyOf(logged, recomputed, anatomyOptions(algorithm, stage.rollout.maskTruncated)),
  };
}

/** The made-up batch as one update. */
export function explainExample(stage: RlStage): BatchReport {
  const step = exampleStep(stage);
  const random = createRandom(0);
  const recomputed = recompute(step, {
    objective: createObjective(stage.algorithm),
    maskTruncated: stage.rollout.maskTruncated,
    correction: stage.rollout.correction,
    maxCompletionTokens: stage.rollout.sampling.maxTokens,
    updatesPerBatch: 1,
    epochsPerBatch: 1,
    random: () => random.next(),
  });
  const { loss, metrics } = recomputed;
  const anatomy = anatomyOf(step, recomputed, anatomyOptions(stage.algorithm, stage.rollout.maskTruncated));
  return { step: null, loss, metrics, comparisons: [], notes: [], advantagesAgree: null, anatomy };
}

/** Bit for bit, over all rollouts that are examples. */
function advantagesAgree(step: LoggedStep, options: RecomputeOptions): boolean {
  const trained = new Map(
    step.groups.flatMap(({ rollouts }, g) =>
      rollouts.map(({ sequence }, i) => [sequence, step.trained[g]![i]!.advantages] as const),
    ),
  );
  return examplesOf(step, options).every(({ sequence, advantages }) => {
    const logged = trained.get(sequence)!;
    return advantages.every((advantage, t) => Object.is(advantage, logged[t]) || advantage === logged[t]);
  });
}
