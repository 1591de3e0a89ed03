/** Checkpoints of a stage inside its run: written, pointed to, pruned, in this order, so that a crash between any two is harmless. */
import { join, relative } from "node:path";
import { z } from "zod";
import { type Checkpoint, pruneCheckpoints, readCheckpoint, writeCheckpoint } from "../checkpoint.ts";
import { messageOf, RecipeError } from "../errors.ts";
import type { Reporter } from "../progress.ts";
import type { RunDirectory } from "../run-directory.ts";
import type { OpenModel } from "./open.ts";
import type { StageContext } from "./stage.ts";

/** The loop's counters, and the hash of the rows that they count in. */
export interface SavedLoop {
  readonly step: number;
  readonly dataHash: string;
}

/** Folder of a critic of its own in the engine state. */
const CRITIC = "critic";

/** Saves model, engine state and `loop` as the stage's newest checkpoint; returns its path relative to the run. */
export async function saveCheckpoint(
  { run, name, stage }: StageContext,
  { engine, critic, tokenizer }: OpenModel,
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
    await critic?.saveState(join(stateDir, CRITIC));
  });
  const path = relative(run.path, dir);
  const others = run.progress.kept.filter(({ checkpoint }) => checkpoint !== path);
  const kept = [...others, { checkpoint: path, metricsBytes: run.metricsBytes }];
  const best = isBest ? path : run.progress.best;
  const keep = stage.type === "eval" ? 1 : stage.checkpoint.keep;
  // The pointer moves before old checkpoints go: it never names one that is not there.
  await run.setProgress({ ...run.progress, checkpoint: path, kept, best });
  const protectedDirs = best === null ? [] : [join(run.path, best)];
  const dirs = kept.map(({ checkpoint }) => join(run.path, checkpoint));
  const staying = await pruneCheckpoints(dirs, keep, protectedDirs);
  await run.setProgress({ ...run.progress, kept: kept.filter((_, i) => staying.includes(dirs[i]!)) });
  return path;
}

/**
 * The checkpoint that the stage goes on from: the newest that is whole, or null at the start of a stage. A damaged one is told, and the
 * run goes back to the one before. Throws RecipeError when none is whole.
 */
export async function openCheckpoint(run: RunDirectory, reporter: Reporter): Promise<Checkpoint | null> {
  if (run.progress.checkpoint === null) return null;
  let fault: unknown;
  for (const entry of run.progress.kept.toReversed()) {
    try {
      const checkpoint = await readCheckpoint(join(run.path, entry.checkpoint));
      if (entry.checkpoint !== run.progress.checkpoint) {
        reporter.note(`${messageOf(fault)} Going back to ${entry.checkpoint}.`);
        await run.rewind(entry);
      }
      return checkpoint;
    } catch (error) {
      if (!(error instanceof RecipeError)) throw error;
      fault ??= error;
    }
  }
  throw new RecipeError(`${messageOf(fault)} No earlier checkpoint of the stage is whole: start a new run.`, {
    cause: fault,
  });
}

/**
 * Loads the checkpoint that the stage goes on from, if there is one, into the engine, and returns the loop's counters.
 * Throws RecipeError when it is of another version, or was made from other data.
 */
export async function restore<Loop>(
  { resumed }: StageContext,
  { engine, critic }: OpenModel,
  loopSchema: z.ZodType<Loop>,
  dataHash: string,
): Promise<Loop | null> {
  if (resumed === null) return null;
  const { dir, stateDir, loop } = resumed;
  const parsed = loopSchema.safeParse(loop);
  const data = z.object({ dataHash: z.string() }).safeParse(loop);
  if (!parsed.success || !data.success) {
    throw new RecipeError(
      `Expected the counters of this version of Grouper in ${join(dir, "loop.json")}: ${z.prettifyError((parsed.error ?? data.error)!)}. Resume with the version that began the run, or start a new one.`,
    );
  }
  if (data.data.dataHash !== dataHash) {
    throw new RecipeError(
      `Expected the data that the run began with, but its rows have changed since checkpoint ${dir} (SHA-256 ${dataHash.slice(0, 12)}…, then ${data.data.dataHash.slice(0, 12)}…). Restore the data, or start a new run.`,
    );
  }
  await engine.loadState(stateDir);
  await critic?.loadState(join(stateDir, CRITIC));
  return parsed.data;
}
