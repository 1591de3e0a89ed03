/** Checkpoints of a stage inside its run: written, pointed to, pruned, in this order, so that a crash between any two is harmless. */
import { join, relative } from "node:path";
import { pruneCheckpoints, writeCheckpoint } from "../checkpoint.ts";
import type { StageContext } from "./stage.ts";
import type { OpenModel } from "./open.ts";

/** Saves model, engine state and `loop` as the stage's newest checkpoint; returns its path relative to the run. */
export async function saveCheckpoint(
  { run, name, stage }: StageContext,
  { engine, tokenizer }: OpenModel,
  loop: { readonly step: number },
  isBest: boolean,
): Promise<string> {
  const dir = join(run.path, "checkpoints", `${name}-step-${String(loop.step).padStart(6, "0")}`);
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
  const staying = await pruneCheckpoints(kept.map((other) => join(run.path, other)), keep, protectedDirs);
  await run.setProgress({ ...run.progress, kept: staying.map((other) => relative(run.path, other)) });
  return path;
}
