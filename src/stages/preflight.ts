/** What a stage needs of the machine, tried before an earlier stage trains for hours: its rewards load, its files are there. */
import { openShadowRewards } from "../audit/shadow-rewards.ts";
import { demandFile } from "../dataset/read.ts";
import type { DataSpec, Stage } from "../recipe/schema.ts";
import { Closers } from "./closers.ts";
import { openScorer } from "./open.ts";

/** Throws RecipeError for the first thing that is not there or does not load. */
export async function checkStage(stage: Stage): Promise<void> {
  for (const spec of dataOf(stage)) {
    if (spec.type !== "file") continue;
    for (const path of [spec.path].flat()) await demandFile(path);
  }
  await checkRewards(stage);
}

/** Loads every reward of a stage once, those of its evaluation and its audit too. Throws RecipeError. */
export async function checkRewards(stage: Stage): Promise<void> {
  if (stage.type === "sft") return;
  await using closers = new Closers();
  await openScorer({ ...stage.rewards, threads: 1 }, closers);
  if (stage.type !== "rl") return;
  if (stage.eval?.rewards !== undefined) await openScorer({ ...stage.eval.rewards, threads: 1 }, closers);
  if (stage.audit.enabled && stage.audit.shadow.length > 0)
    closers.use(await openShadowRewards({ ...stage.audit, threads: 1 }));
}

function dataOf(stage: Stage): readonly DataSpec[] {
  return stage.type === "rl" && stage.eval !== undefined ? [stage.data, stage.eval.data] : [stage.data];
}
