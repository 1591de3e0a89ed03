/**
 * A run that begins where another ended: its first stages are those of a finished run, its own follow.
 *
 * A stage reads the recipe, the run's seed and the weights of the stage before it, and nothing else of the run; so a run that takes
 * finished stages over ends with the bits of one that trained them itself.
 */
import { copyFile, link, mkdir, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { RecipeError } from "../errors.ts";
import { syncFolder } from "../files.ts";
import type { Recipe } from "../recipe/schema.ts";
import { createRunDirectory, resumeRunDirectory } from "../run-directory.ts";

export interface NewRun {
  /** The run's folder; nothing may be there. */
  readonly path: string;
  readonly recipe: Recipe;
  /** Kept in recipe.json beside the recipe. */
  readonly provenance: Readonly<Record<string, unknown>>;
  /** Folder of the complete run whose stages this one begins with; null: none. */
  readonly from: string | null;
}

/** Makes the folder of a run that `runPipeline` can resume, as a whole or not at all. Throws RecipeError where `from` is not complete. */
export async function branchRun({ path, recipe, provenance, from }: NewRun): Promise<void> {
  const temporary = `${path}.new`;
  await rm(temporary, { recursive: true, force: true });
  {
    await using run = await createRunDirectory(temporary);
    if (from !== null) await takeStages(from, run);
    await run.writeJson("recipe.json", { recipe, ...provenance });
  }
  await rename(temporary, path);
  await syncFolder(dirname(path));
}

/** Everything that the finished stages of `from` left behind; large files, which nobody changes, as links. */
async function takeStages(from: string, run: Awaited<ReturnType<typeof createRunDirectory>>): Promise<void> {
  await using source = await resumeRunDirectory(from);
  const { finished, complete } = source.progress;
  if (!complete) throw new RecipeError(`Expected a complete run at ${from} to begin with, but it has stages to go.`);
  for (const name of await readdir(from)) {
    if (["recipe.json", "progress.json", "metrics.jsonl", "lock"].includes(name)) continue;
    await linkAll(join(from, name), join(run.path, name));
  }
  for (const line of (await readFile(join(from, "metrics.jsonl"), "utf8")).split("\n")) {
    if (line !== "") await run.appendMetrics(metricsLine.parse(JSON.parse(line)));
  }
  await run.setProgress({ finished, checkpoint: null, kept: [], best: null, complete: false });
}

const metricsLine = z.record(z.string(), z.unknown());

async function linkAll(from: string, to: string): Promise<void> {
  if ((await stat(from)).isDirectory()) {
    await mkdir(to, { recursive: true });
    for (const name of await readdir(from)) await linkAll(join(from, name), join(to, name));
    return;
  }
  // Files of a run are replaced, never written into, so two names for one content stay apart; some file systems have no links.
  await link(from, to).catch(() => copyFile(from, to));
}
