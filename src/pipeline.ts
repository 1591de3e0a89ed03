/**
 * Runs a recipe: its stages in order, each from the weights of the one that it names, with a lineage of what came from what.
 * A run that was stopped or killed goes on from its pointer; finished stages are not run again.
 */
import { join } from "node:path";
import { z } from "zod";
import type { Reporter } from "./progress.ts";
import type { Recipe, Stage } from "./recipe/schema.ts";
import { createRunDirectory, type FinishedStage, type RunDirectory, resumeRunDirectory } from "./run-directory.ts";
import { runEvalStage } from "./stages/eval.ts";
import { checkStage } from "./stages/preflight.ts";
import { runRlStage } from "./stages/rl.ts";
import { openCheckpoint } from "./stages/save.ts";
import { runSftStage } from "./stages/sft.ts";
import type { StageContext, StageResult } from "./stages/stage.ts";

export interface PipelineOptions {
  readonly recipe: Recipe;
  /** Kept in recipe.json for people: versions of Grouper, Node and libtorch, the commit, the command. */
  readonly provenance: Readonly<Record<string, unknown>>;
  readonly runPath: string;
  readonly resume: boolean;
  readonly reporter: Reporter;
  readonly stopRequested: () => boolean;
}

export interface PipelineResult {
  readonly runPath: string;
  readonly interrupted: boolean;
  /** True when there was nothing left to do. */
  readonly wasComplete: boolean;
  readonly finished: readonly FinishedStage[];
}

export async function runPipeline(options: PipelineOptions): Promise<PipelineResult> {
  const { recipe, runPath, resume, provenance } = options;
  await using run = resume ? await resumeRunDirectory(runPath) : await createRunDirectory(runPath);
  try {
    if (!resume) await run.writeJson("recipe.json", { recipe, ...provenance });
    const wasComplete = run.progress.complete;
    // The first of them finds out by itself.
    const [, ...later] = recipe.stages.filter((stage) => !isFinished(run, stage));
    for (const stage of later) await checkStage(stage);
    const interrupted = await runStages(options, run);
    return { runPath, interrupted, wasComplete, finished: run.progress.finished };
  } catch (error) {
    await run.discardIfEmpty();
    throw error;
  }
}

/** True when it was stopped before the last stage ended. */
async function runStages({ recipe, reporter, stopRequested }: PipelineOptions, run: RunDirectory): Promise<boolean> {
  for (const [i, stage] of recipe.stages.entries()) {
    const name = stageName(stage);
    if (isFinished(run, stage)) continue;
    if (stopRequested()) return true;
    reporter.stage({ name, type: stage.type, index: i + 1, count: recipe.stages.length });
    const result = await runStage({
      recipe,
      stage,
      name,
      startDir: startOf(stage, i, recipe.stages, run),
      run,
      resumed: await openCheckpoint(run, reporter),
      reporter,
      stopRequested,
    });
    if (result.interrupted) return true;
    await finish(run, stage, result, i === recipe.stages.length - 1);
  }
  return false;
}

function isFinished(run: RunDirectory, stage: Stage): boolean {
  return run.progress.finished.some((done) => done.name === stageName(stage));
}

/** A stage's name: its own, or its type. */
export function stageName(stage: Stage): string {
  return stage.name ?? stage.type;
}

function runStage(context: StageContext): Promise<StageResult> {
  const { stage } = context;
  switch (stage.type) {
    case "rl":
      return runRlStage({ ...context, stage });
    case "sft":
      return runSftStage({ ...context, stage });
    case "eval":
      return runEvalStage({ ...context, stage });
    default:
      throw new Error(`unknown stage ${JSON.stringify(stage satisfies never)}`);
  }
}

/** The model folder to start from: of the stage that `from` names, else of the last one that trained; null for the base. */
function startOf(stage: Stage, index: number, stages: readonly Stage[], run: RunDirectory): string | null {
  if (stage.from === "base") return null;
  const earlier = stages.slice(0, index).map(stageName);
  const trained = run.progress.finished.filter(({ name, checkpoint }) => earlier.includes(name) && checkpoint !== null);
  const source = stage.from === undefined ? trained.at(-1) : trained.find(({ name }) => name === stage.from);
  return source?.checkpoint == null ? null : join(run.path, source.checkpoint, "model");
}

/** The lineage is written before the pointer moves: killed in between, the stage's end runs again and writes its entry again. */
async function finish(run: RunDirectory, stage: Stage, result: StageResult, isLast: boolean): Promise<void> {
  const name = stageName(stage);
  const { checkpoint, weightsHash } = result;
  const before = lineageSchema.parse((await run.readJson("lineage.json")) ?? []);
  const earlier = before.filter((entry) => run.progress.finished.some((done) => done.name === entry.stage));
  const { best } = run.progress;
  await run.writeJson("lineage.json", [...earlier, { stage: name, from: stage.from ?? null, ...result, best }]);
  await run.setProgress({
    finished: [...run.progress.finished, { name, checkpoint, weightsHash }],
    checkpoint: null,
    kept: [],
    best: null,
    complete: isLast,
  });
}

const lineageSchema = z.array(z.looseObject({ stage: z.string() }));
