/** One step of a run, read from its folder: what was trained, with which settings, and what the run said of it. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { RecipeError } from "../errors.ts";
import { createObjective, type ResolvedObjectiveSpec } from "../objectives/create.ts";
import { stageName } from "../pipeline.ts";
import { createRandom, seedFrom } from "../random.ts";
import { type Recipe, type RlStage, recipe as recipeSchema } from "../recipe/schema.ts";
import { type LoggedRollout, readRolloutLog, rolloutLogPath } from "../rollout-log.ts";
import type { RecomputeOptions } from "./recompute.ts";
import { type LoggedStep, reconstruct } from "./reconstruct.ts";

export interface LoggedRun {
  readonly path: string;
  readonly recipe: Recipe;
}

/** One step of an rl stage. */
export interface RunStep {
  readonly step: number;
  /** As the file has it, in order. */
  readonly log: readonly LoggedRollout[];
  readonly logged: LoggedStep;
  /** The stage's algorithm, with the coefficients that acted on this step. */
  readonly algorithm: ResolvedObjectiveSpec;
  /** What it was trained with; `random` is that of the step's own updates and may be drawn from once. */
  readonly options: RecomputeOptions;
  /** Numbers of the step in metrics.jsonl; null where the run was cut before it wrote them. */
  readonly recorded: Readonly<Record<string, number>> | null;
}

/** Throws RecipeError when `path` is no run folder of this version. */
export async function openRun(path: string): Promise<LoggedRun> {
  const file = join(path, "recipe.json");
  const text = await readFile(file, "utf8").catch(() => null);
  if (text === null) {
    throw new RecipeError(
      `Expected a run folder at ${path}, but ${file} cannot be read. Give the folder that train printed.`,
    );
  }
  const parsed = z.looseObject({ recipe: recipeSchema }).safeParse(parseJson(text));
  if (parsed.success) return { path, recipe: parsed.data.recipe };
  throw new RecipeError(`${file} is not a recipe of this version of Grouper: ${z.prettifyError(parsed.error)}`);
}

/** The rl stage called `name`, or the recipe's last one. Throws RecipeError when there is none. */
export function rlStageOf({ stages }: Recipe, name?: string): RlStage {
  const rl = stages.filter((stage): stage is RlStage => stage.type === "rl");
  const found = name === undefined ? rl.at(-1) : rl.find((stage) => stageName(stage) === name);
  if (found !== undefined) return found;
  if (rl.length === 0)
    throw new RecipeError("Expected a recipe with an rl stage, got none: there is no objective to speak of.");
  throw new RecipeError(`Expected the name of an rl stage (${rl.map(stageName).join(", ")}), got ${name}.`);
}

/** The steps of a stage whose rollouts are kept, in order. Throws RecipeError when there are none. */
export async function loggedSteps({ path }: LoggedRun, stage: RlStage): Promise<number[]> {
  const dir = join(path, "rollouts", stageName(stage));
  const steps = (await readdir(dir).catch(() => []))
    .map((name) => Number(/^step-(\d+)\.jsonl\.gz$/.exec(name)?.[1] ?? Number.NaN))
    .filter((step) => !Number.isNaN(step))
    .sort((a, b) => a - b);
  if (steps.length > 0) return steps;
  throw new RecipeError(
    `Expected rollouts of stage ${stageName(stage)} in ${dir}, but there are none yet. Train the stage for a step first.`,
  );
}

/** Throws RecipeError when the step was not logged, or its log is damaged. */
export async function readStep(run: LoggedRun, stage: RlStage, step: number): Promise<RunStep> {
  const steps = await loggedSteps(run, stage);
  if (!steps.includes(step)) {
    throw new RecipeError(
      `Expected a step that ${run.path} has rollouts of (${steps[0]} to ${steps.at(-1)}), got ${step}.`,
    );
  }
  const name = stageName(stage);
  const path = rolloutLogPath(run.path, name, step);
  const log = await readRolloutLog(path);
  if (log.length === 0) throw new RecipeError(`Expected a rollout log at ${path}, but it holds no completions.`);
  const recorded = await recordedMetrics(run.path, name, step);
  const algorithm = actingSpec(stage.algorithm, recorded ?? {});
  const random = createRandom(seedFrom(seedFrom(run.recipe.seed, name), "updates", step - 1));
  return {
    step,
    log,
    logged: reconstruct(log),
    algorithm,
    options: {
      objective: createObjective(algorithm),
      maskTruncated: stage.rollout.maskTruncated,
      correction: stage.rollout.correction,
      // A context schedule raises the limit within the stage, and says so.
      maxCompletionTokens: recorded?.["rollout/max_tokens"] ?? stage.rollout.sampling.maxTokens,
      updatesPerBatch: stage.updatesPerBatch,
      epochsPerBatch: stage.epochsPerBatch,
      random: () => random.next(),
    },
    recorded,
  };
}

/** Coefficients that follow a target are recorded as they acted (objectives/control.ts). */
function actingSpec(
  spec: ResolvedObjectiveSpec,
  { kl_coef, entropy_coef }: Readonly<Record<string, number>>,
): ResolvedObjectiveSpec {
  const { kl, entropy } = spec;
  const withKl =
    kl.adaptive === undefined || kl_coef === undefined ? spec : { ...spec, kl: { ...kl, coefficient: kl_coef } };
  if (entropy?.adaptive === undefined || entropy_coef === undefined) return withKl;
  return { ...withKl, entropy: { ...entropy, coefficient: entropy_coef } };
}

/** Lines of evaluations have the step, too, but no count of samples. */
async function recordedMetrics(runPath: string, stage: string, step: number): Promise<Record<string, number> | null> {
  const text = await readFile(join(runPath, "metrics.jsonl"), "utf8").catch(() => "");
  for (const line of text.split("\n")) {
    const record = z.record(z.string(), z.unknown()).safeParse(parseJson(line)).data;
    if (record?.["stage"] !== stage || record["step"] !== step || record["num_samples"] === undefined) continue;
    return Object.fromEntries(
      Object.entries(record).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
    );
  }
  return null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
