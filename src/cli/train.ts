/** `grouper train`: runs a recipe, or goes on with a run. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { RecipeError, UsageError } from "../errors.ts";
import { packageRoot } from "../paths.ts";
import { runPipeline } from "../pipeline.ts";
import { loadRecipe } from "../recipe/load.ts";
import { type Recipe, recipe as recipeSchema } from "../recipe/schema.ts";
import { freeRunPath } from "../run-directory.ts";
import { createReporter, type Output } from "./reporters.ts";

export interface TrainArguments {
  readonly recipe: string | undefined;
  readonly set: readonly string[];
  readonly name: string | undefined;
  readonly resume: string | undefined;
  readonly json: boolean;
}

/** The exit code: 0, or 130 when it was interrupted and can be resumed. */
export async function runTrain(args: TrainArguments, output: Output, print: (text: string) => void): Promise<number> {
  const reporter = createReporter(output, args);
  const { recipe, runPath, resume, warnings } = args.resume === undefined ? await newRun(args) : resumedRun(args.resume, args);
  for (const warning of warnings) reporter.note(warning);
  reporter.note(`Run folder: ${runPath}. ${resume ? "Resuming." : `Resume it with: grouper train --resume ${runPath}`}`);
  const stop = listenForInterrupts(reporter.note);
  try {
    const provenance = provenanceOf(args);
    const result = await runPipeline({ recipe, provenance, runPath, resume, reporter, stopRequested: stop.requested });
    reporter.close();
    if (result.interrupted) {
      reporter.note(`Stopped and saved. Go on with: grouper train --resume ${runPath}`);
      return 130;
    }
    const last = result.finished.findLast((stage) => stage.checkpoint !== null);
    const model = last?.checkpoint == null ? null : join(runPath, last.checkpoint, "model");
    if (args.json) print(`${JSON.stringify({ run: runPath, model, stages: result.finished })}\n`);
    else print(model === null ? `Done: ${runPath}\n` : `Trained model: ${model}\nAsk it: grouper serve ${model}\n`);
    return 0;
  } finally {
    reporter.close();
    stop.dispose();
  }
}

interface RunToStart {
  readonly recipe: Recipe;
  readonly runPath: string;
  readonly resume: boolean;
  readonly warnings: readonly string[];
}

async function newRun({ recipe: path, set, name }: TrainArguments): Promise<RunToStart> {
  if (path === undefined) throw new UsageError("Expected a recipe, e.g. grouper train recipes/quickstart.yaml, or --resume RUN.");
  const { recipe, warnings } = loadRecipe(path, { set });
  const runPath = name === undefined ? await freeRunPath(recipe.outputDir, recipe.name ?? "run") : join(recipe.outputDir, name);
  return { recipe, runPath, resume: false, warnings };
}

function resumedRun(path: string, { recipe: recipePath, set, name }: TrainArguments): RunToStart {
  if (recipePath !== undefined || name !== undefined || set.length > 0) {
    throw new UsageError("Expected --resume RUN alone: a run goes on with the recipe that it began with. Start a new run to change it.");
  }
  const file = join(path, "recipe.json");
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    throw new RecipeError(`Expected a run folder at ${path}, but ${file} cannot be read. Give the folder that train printed.`);
  }
  const parsed = z.looseObject({ recipe: recipeSchema }).safeParse(value);
  if (!parsed.success) throw new RecipeError(`${file} is not a recipe of this version of Grouper: ${z.prettifyError(parsed.error)}`);
  return { recipe: parsed.data.recipe, runPath: path, resume: true, warnings: [] };
}

/** The first Ctrl-C finishes the step and saves; the second ends at once, which loses the step and nothing else. */
function listenForInterrupts(note: (text: string) => void): { requested: () => boolean; dispose: () => void } {
  let count = 0;
  const onSignal = (signal: NodeJS.Signals) => {
    count++;
    if (count > 1) process.exit(130);
    note(`${signal}: finishing this step, then saving. Once more to stop at once.`);
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  return {
    requested: () => count > 0,
    dispose() {
      process.off("SIGINT", onSignal);
      process.off("SIGTERM", onSignal);
    },
  };
}

/** What a reader of the run needs to repeat it. */
function provenanceOf({ recipe, set }: TrainArguments): Record<string, unknown> {
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")));
  const commit = spawnSync("git", ["-C", packageRoot, "rev-parse", "HEAD"], { encoding: "utf8" });
  const changed = spawnSync("git", ["-C", packageRoot, "status", "--porcelain"], { encoding: "utf8" });
  return {
    grouper: version,
    commit: commit.status === 0 ? commit.stdout.trim() : null,
    uncommittedChanges: changed.status === 0 ? changed.stdout.trim() !== "" : null,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    recipeFile: recipe === undefined ? null : resolve(recipe),
    set,
    startedAt: new Date().toISOString(),
  };
}
