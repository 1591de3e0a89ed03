/** `grouper train`: runs a recipe, or goes on with a run. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { z } from "zod";
import { RecipeError, UsageError } from "../errors.ts";
import { measureRun } from "../measured.ts";
import { type PipelineResult, runPipeline } from "../pipeline.ts";
import { lintRecipe } from "../recipe/lint.ts";
import { loadRecipe } from "../recipe/load.ts";
import { type Recipe, recipe as recipeSchema } from "../recipe/schema.ts";
import { freeRunPath } from "../run-directory.ts";
import { provenance } from "./provenance.ts";
import { createReporter, type Output } from "./reporters.ts";

export interface TrainArguments {
  readonly recipe: string | undefined;
  readonly set: readonly string[];
  readonly name: string | undefined;
  readonly resume: string | undefined;
  readonly json: boolean;
}

/** The exit code: 0; 130 or 143 when a signal stopped it and it can be resumed. */
export async function runTrain(args: TrainArguments, output: Output, print: (text: string) => void): Promise<number> {
  const reporter = createReporter(output, args);
  const { recipe, runPath, resume, warnings } =
    args.resume === undefined ? await newRun(args) : await resumedRun(args.resume, args);
  for (const warning of warnings) reporter.note(warning);
  const resumeCommand = `grouper train --resume ${shellWord(runPath)}`;
  reporter.note(
    `Run folder: ${runPath}. ${resume ? "Going on with it." : `If it is stopped, go on with: ${resumeCommand}`}`,
  );
  const interrupt = listenForInterrupts(reporter.note);
  try {
    const stopRequested = () => interrupt.signal() !== null;
    const result = await runPipeline({
      recipe,
      provenance: {
        ...provenance(),
        recipeFile: args.recipe === undefined ? null : resolve(args.recipe),
        set: args.set,
      },
      runPath,
      resume,
      reporter,
      stopRequested,
    });
    reporter.close();
    if (result.interrupted) reporter.note(`Stopped and saved. Go on with: ${resumeCommand}`);
    else if (result.wasComplete) reporter.note("The run was complete already: nothing was trained.");
    printResult(result, args.json, print);
    return result.interrupted ? (interrupt.signal() === "SIGTERM" ? 143 : 130) : 0;
  } catch (error) {
    reporter.close();
    if (existsSync(join(runPath, "progress.json")))
      reporter.note(`What was saved is kept. Go on with: ${resumeCommand}`);
    throw error;
  } finally {
    interrupt.dispose();
  }
}

function printResult(
  { runPath, interrupted, finished }: PipelineResult,
  json: boolean,
  print: (text: string) => void,
): void {
  const last = finished.findLast((stage) => stage.checkpoint !== null);
  const model = interrupted || last?.checkpoint == null ? null : join(runPath, last.checkpoint, "model");
  if (json) print(`${JSON.stringify({ run: runPath, interrupted, model, stages: finished })}\n`);
  else if (model !== null) print(`Trained model: ${model}\nAsk it: grouper serve ${shellWord(model)}\n`);
  else if (!interrupted) print(`Done: ${runPath}\n`);
}

/** As a shell takes it for one word. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

interface RunToStart {
  readonly recipe: Recipe;
  readonly runPath: string;
  readonly resume: boolean;
  readonly warnings: readonly string[];
}

async function newRun({ recipe: path, set, name }: TrainArguments): Promise<RunToStart> {
  if (path === undefined)
    throw new UsageError("Expected a recipe, e.g. grouper train recipes/quickstart.yaml, or --resume RUN.");
  const { recipe, warnings } = loadRecipe(path, { set });
  const runPath =
    name === undefined
      ? await freeRunPath(recipe.outputDir, recipe.name ?? "run")
      : join(recipe.outputDir, runName(name));
  return { recipe, runPath, resume: false, warnings };
}

function runName(name: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) return name;
  throw new UsageError(
    `Expected --name of letters, digits, dot, dash and underscore, got ${JSON.stringify(name)}. To choose the folder around it: --set outputDir=DIR.`,
  );
}

async function resumedRun(path: string, { recipe: recipePath, set, name }: TrainArguments): Promise<RunToStart> {
  if (recipePath !== undefined || name !== undefined || set.length > 0) {
    throw new UsageError(
      "Expected --resume RUN alone: a run goes on with the recipe that it began with. Start a new run to change it.",
    );
  }
  const file = join(path, "recipe.json");
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    throw new RecipeError(
      `Expected a run folder at ${path}, but ${file} cannot be read. Give the folder that train printed.`,
    );
  }
  const parsed = z.looseObject({ recipe: recipeSchema }).safeParse(value);
  if (!parsed.success)
    throw new RecipeError(`${file} is not a recipe of this version of Grouper: ${z.prettifyError(parsed.error)}`);
  const { recipe } = parsed.data;
  const warnings = lintRecipe(recipe, await measureRun(path)).map(
    ({ name, path: where, message }) => `${where.join(".")}: ${message} [${name}]`,
  );
  return { recipe, runPath: path, resume: true, warnings };
}

/**
 * The first Ctrl-C finishes the step and saves; the second ends at once, which loses the step and nothing else. A terminal that is
 * closed does not end the run: its folder says how far it came.
 */
function listenForInterrupts(note: (text: string) => void): {
  signal: () => NodeJS.Signals | null;
  dispose: () => void;
} {
  let first: NodeJS.Signals | null = null;
  const onStop = (signal: NodeJS.Signals) => {
    if (first !== null) process.exit(signal === "SIGTERM" ? 143 : 130);
    first = signal;
    note(`${signal}: finishing this step, then saving. Once more to stop at once.`);
  };
  const onHangUp = () => note("The terminal is gone; the run goes on.");
  process.on("SIGINT", onStop).on("SIGTERM", onStop).on("SIGHUP", onHangUp);
  return {
    signal: () => first,
    dispose: () => void process.off("SIGINT", onStop).off("SIGTERM", onStop).off("SIGHUP", onHangUp),
  };
}
