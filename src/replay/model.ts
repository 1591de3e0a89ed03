/** The model of a run that its rollouts are looked at with: a checkpoint near the step, or any folder that the user names. */
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type NativeEngine, openNativeEngine } from "../engine/native.ts";
import { stageName } from "../pipeline.ts";
import type { Recipe, RlStage } from "../recipe/schema.ts";
import type { LoggedRun } from "./run.ts";

export interface ModelChoice {
  readonly dir: string;
  /** Steps that it was trained when `step` began, less those that it had when saved; null for a folder from elsewhere. */
  readonly stepsBehind: number | null;
}

/** The stage's checkpoint whose weights are nearest to those that sampled `step`; null where the run keeps none. */
export async function nearestCheckpoint(run: LoggedRun, stage: RlStage, step: number): Promise<ModelChoice | null> {
  const root = join(run.path, "checkpoints");
  const prefix = `${stageName(stage)}-step-`;
  const saved = (await readdir(root).catch(() => []))
    .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
    .map((name) => ({ dir: join(root, name, "model"), stepsBehind: step - 1 - Number(name.slice(prefix.length)) }))
    .sort((a, b) => Math.abs(a.stepsBehind) - Math.abs(b.stepsBehind) || b.stepsBehind - a.stepsBehind);
  return saved[0] ?? null;
}

/** All weights are open to the gradient, also those that an adapter would freeze. Throws RecipeError where there is no engine or model. */
export function openModelFolder({ engine }: Recipe, dir: string): Promise<NativeEngine> {
  const { device, activationCheckpointing, maxTokensPerMicroBatch, numThreads, callTimeoutSeconds } = engine;
  return openNativeEngine({
    modelDir: dir,
    device,
    activationCheckpointing,
    maxTokensPerMicroBatch,
    numThreads,
    callTimeoutMs: callTimeoutSeconds * 1000,
  });
}
