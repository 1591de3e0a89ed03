/** Checks of what a step samples: `rollout.prompts` and `rollout.contextSchedule` against each other and the rest of the stage. */
import { messageOf } from "../errors.ts";
import { checkGroupSize } from "../objectives/create.ts";
import type { RlStage } from "./schema.ts";
import type { Path } from "./source.ts";

/** Where problems go; what is valid and doubtful is for lint/prompts.ts. */
export interface SamplingReport {
  problem(path: Path, message: string): void;
}

/** `at` is the stage's path. */
export function checkSampling(stage: RlStage, at: Path, report: SamplingReport): void {
  checkPrompts(stage, [...at, "rollout", "prompts"], report);
  checkContexts(stage, [...at, "rollout", "contextSchedule"], report);
}

function checkPrompts({ rollout: { prompts = {} } }: RlStage, at: Path, report: SamplingReport): void {
  const { window, online, curriculum, easyPool } = prompts;
  if (window !== undefined) checkWindow(window, [...at, "window"], report);
  if (online !== undefined) {
    checkWindow(online, [...at, "online"], report);
    if (easyPool !== undefined && online.max === undefined)
      report.problem(
        [...at, "online"],
        "expected max beside easyPool: without it no prompt is ever too easy, and the pool stays empty",
      );
  }
  if (curriculum?.type !== "stages") return;
  const path = [...at, "curriculum", "stages"];
  curriculum.stages.forEach((part, i) => {
    checkWindow({ ...part, ends: "closed" }, [...path, i], report);
    const before = curriculum.stages[i - 1]?.afterStep;
    if (before === undefined ? part.afterStep !== 0 : part.afterStep <= before) {
      report.problem(
        [...path, i, "afterStep"],
        `expected ${before === undefined ? "0 in the first stage" : `more than the ${before} of the stage before`}, got ${part.afterStep}`,
      );
    }
  });
}

function checkWindow(
  { min, max, ends }: { readonly min?: number | undefined; readonly max?: number | undefined; readonly ends: string },
  at: Path,
  report: SamplingReport,
): void {
  if (min === undefined || max === undefined) return;
  if (min > max) report.problem([...at, "min"], `expected at most max ${max}, got ${min}`);
  else if (min === max && ends === "open")
    report.problem([...at, "min"], `expected less than max: no value lies between ${min} and ${max} with open ends`);
}

function checkContexts(stage: RlStage, at: Path, report: SamplingReport): void {
  const { rollout, algorithm, updatesPerBatch } = stage;
  let maxTokens = rollout.sampling.maxTokens;
  let afterStep = 0;
  (rollout.contextSchedule ?? []).forEach((context, i) => {
    if (context.maxTokens <= maxTokens)
      report.problem(
        [...at, i, "maxTokens"],
        `expected more than the ${maxTokens} of the context before: contexts only grow, got ${context.maxTokens}`,
      );
    maxTokens = context.maxTokens;
    if (context.afterStep !== undefined) {
      if (context.afterStep <= afterStep)
        report.problem([...at, i, "afterStep"], `expected more than ${afterStep}, got ${context.afterStep}`);
      afterStep = context.afterStep;
    }
    if (context.groupSize !== undefined) checkGroups(context.groupSize, i);
  });

  function checkGroups(groupSize: number, i: number): void {
    const path = [...at, i, "groupSize"];
    try {
      checkGroupSize(algorithm, groupSize);
    } catch (error) {
      report.problem(path, messageOf(error));
    }
    if (rollout.dynamicSampling !== undefined && groupSize === 1)
      report.problem(path, "expected at least 2 with dynamicSampling: the rewards of a group of one never differ");
    const numSamples = rollout.promptsPerStep * groupSize;
    if (numSamples % updatesPerBatch !== 0)
      report.problem(
        path,
        `expected a groupSize with which updatesPerBatch ${updatesPerBatch} divides the completions of a step, got ${rollout.promptsPerStep} prompts x ${groupSize} = ${numSamples}`,
      );
  }
}
