/** Checkpoints of a stage inside its run: written, pointed to, pruned, in this order, so that a crash between any two is harmless. */
import { join, relative } from "node:path";
import { z } from "zod";
import { pruneCheckpoints, readCheckpoint, writeCheckpoint } from "../checkpoint.ts";
import { RecipeError } from "../errors.ts";
import type { OpenModel } from "./open.ts";
import type { StageContext } from "./stage.ts";

/** The loop's counters, and the hash of the rows that they count in. */
export interface SavedLoop {
  readonly step: number;
  readonly dataHash: string;
}

/** Saves model, engine state and `loop` as the stage's newest checkpoint; returns its path relative to the run. */
export async function saveCheckpoint(
  { run, name, stage }: StageContext,
  { engine, tokenizer }: OpenModel,
  loop: SavedLoop,
  isBest: boolean,
): Promise<string> {
  const dir = join(run.path, "checkpoints", `${name}-step-${String(loop.step).padStart(6, "0")}`);
  // Saved already, by everySteps or on interruption: to write it anew would leave the pointer without a checkpoint for a moment.
  if (run.progress.checkpoint === relative(run.path, dir)) return run.progress.checkpoint;
  await writeCheckpoint(dir, loop, async ({ modelDir, stateDir }) => {
    await engine.saveWeights(modelDir);
    await tokenizer.save(modelDir);
    await engine.saveState(stateDir);
  });
  const path = relative(run.path, dir);
  const kept = [...run.progress.kept.filter((other) => other !== path), path];
  const best = isBest ? path : run.progress.best;
  const keep = stage.type === "eval" ? 1 : stage.checkpoint.keep;
  // The pointer moves before old checkpoints go: it never names one that is not there.
  await run.setProgress({ ...run.progress, checkpoint: path, kept, best });
  const protectedDirs = best === null ? [] : [join(run.path, best)];
  const staying = await pruneCheckpoints(
    kept.map((other) => join(run.path, other)),
    keep,
    protectedDirs,
  );
  await run.setProgress({ ...run.progress, kept: staying.map((other) => relative(run.path, other)) });
  return path;
}

/**
 * Loads the checkpoint that the stage goes on from, if there is one, into the engine, and returns the loop's counters.
 * Throws RecipeError when the checkpoint is damaged, of another version, or was made from other data.
 */
export async function restore<Loop>(
  { resumeDir }: StageContext,
  { engine }: OpenModel,
  loopSchema: z.ZodType<Loop>,
  dataHash: string,
): Promise<Loop | null> {
  if (resumeDir === null) return null;
  const { stateDir, loop } = await readCheckpoint(resumeDir);
  const parsed = loopSchema.safeParse(loop);
  const data = z.object({ dataHash: z.string() }).safeParse(loop);
  if (!parsed.success || !data.success) {
    throw new RecipeError(
      `Expected the counters of this version of Grouper in ${join(resumeDir, "loop.json")}: ${z.prettifyError((parsed.error ?? data.error)!)}. Resume with the version that began the run, or start a new one.`,
    );
  }
  if (data.data.dataHash !== dataHash) {
    throw new RecipeError(
      `Expected the data that the run began with, but its rows have changed since checkpoint ${resumeDir} (SHA-256 ${dataHash.slice(0, 12)}…, then ${data.data.dataHash.slice(0, 12)}…). Restore the data, or start a new run.`,
    );
  }
  await engine.loadState(stateDir);
  return parsed.data;
}
