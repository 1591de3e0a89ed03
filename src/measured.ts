/** What a run's rollout logs show of each stage, for the warnings that only rollouts can give. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { RecipeError } from "./errors.ts";
import { allEqual, median } from "./math/statistics.ts";
import type { Measured } from "./recipe/lint/rule.ts";
import type { MeasuredStages } from "./recipe/lint.ts";
import { type LoggedRollout, readRolloutLog } from "./rollout-log.ts";

/** The newest steps tell what the policy does now; this many completions are enough for a median. */
const ENOUGH_COMPLETIONS = 1000;
const MAX_STEPS = 10;

/** By stage name; empty for a run that logged nothing yet. Throws RecipeError when `runPath` is no folder or a log cannot be read. */
export async function measureRun(runPath: string): Promise<MeasuredStages> {
  if (!(await stat(runPath).catch(() => null))?.isDirectory()) {
    throw new RecipeError(
      `Expected a run folder at ${runPath}, but there is none. Give the folder that train printed.`,
    );
  }
  const root = join(runPath, "rollouts");
  const measured: Record<string, Measured> = {};
  for (const stage of await readdir(root).catch(() => [])) {
    const steps = await newestSteps(join(root, stage));
    if (steps.length > 0) measured[stage] = measureSteps(steps, runPath);
  }
  return measured;
}

/** [steps][completions] */
async function newestSteps(dir: string): Promise<LoggedRollout[][]> {
  const files = (await readdir(dir).catch(() => [])).filter((name) => /^step-\d+\.jsonl\.gz$/.test(name)).sort();
  const steps: LoggedRollout[][] = [];
  let numCompletions = 0;
  for (const file of files.reverse().slice(0, MAX_STEPS)) {
    if (numCompletions >= ENOUGH_COMPLETIONS) break;
    const rollouts = await readRolloutLog(join(dir, file));
    if (rollouts.length === 0) continue;
    steps.push(rollouts);
    numCompletions += rollouts.length;
  }
  return steps;
}

/** `steps` is [steps][completions], at least one completion in all; groups are numbered within their step. */
export function measureSteps(steps: readonly (readonly LoggedRollout[])[], run: string): Measured {
  const rollouts = steps.flat();
  const mixed = steps.flatMap(groupsOf).filter((group) => !allEqual(totalsOf(group)));
  const names = new Set(rollouts.flatMap(({ outcomes }) => Object.keys(outcomes)));
  return {
    run,
    numCompletions: rollouts.length,
    medianTokens: median(rollouts.map(({ tokenIds }) => tokenIds.length)),
    truncatedShare: rollouts.filter(({ finishReason }) => finishReason === "length").length / rollouts.length,
    numMixedGroups: mixed.length,
    numEqualBy: Object.fromEntries(
      [...names].map((name) => [name, mixed.filter((group) => allEqual(scoresOf(group, name))).length]),
    ),
  };
}

function groupsOf(step: readonly LoggedRollout[]): LoggedRollout[][] {
  const groups = new Map<number, LoggedRollout[]>();
  for (const rollout of step) groups.set(rollout.group, [...(groups.get(rollout.group) ?? []), rollout]);
  return [...groups.values()];
}

function totalsOf(group: readonly LoggedRollout[]): number[] {
  return group.map(({ reward }) => reward).filter((reward) => reward !== null);
}

/** Of the rollouts that count. */
function scoresOf(group: readonly LoggedRollout[], name: string): number[] {
  return group.flatMap(({ reward, outcomes }) => {
    const outcome = outcomes[name];
    return reward !== null && outcome?.status === "scored" ? [outcome.score] : [];
  });
}
