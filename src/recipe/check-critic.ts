/** Checks of a stage's `critic` against its algorithm: values are learned where they are needed, and nowhere else. */
import { createObjective } from "../objectives/create.ts";
import type { RlStage } from "./schema.ts";
import type { Path } from "./source.ts";

/** Where problems go. */
export interface CriticReport {
  problem(path: Path, message: string, part?: "key" | "value"): void;
}

/** Options of a critic that only a model of its own has. */
const OF_ITS_OWN = ["path", "device", "optimizer", "updatesPerBatch", "epochsPerBatch"] as const;

/** `at` is the stage's path. */
export function checkCritic(stage: RlStage, at: Path, report: CriticReport): void {
  const { algorithm, critic, rollout, steps } = stage;
  const { critic: learner } = createObjective(algorithm);
  if (learner === undefined || critic === undefined) {
    if (learner !== undefined)
      report.problem(
        at,
        `expected critic: ${algorithm.type} learns values; write critic: {} for a model of its own`,
        "key",
      );
    if (critic !== undefined)
      report.problem([...at, "critic"], `expected no critic: ${algorithm.type} learns no values`, "key");
    return;
  }
  const { pretrainingSteps } = learner;
  if (pretrainingSteps >= steps)
    report.problem(
      [...at, "algorithm", "pretrainingSteps"],
      `expected fewer than the ${steps} steps of the stage, after which the policy learns, got ${pretrainingSteps}`,
    );
  const path: Path = [...at, "critic"];
  if (critic.weights === "own") {
    if (critic.coefficient !== undefined)
      report.problem(
        [...path, "coefficient"],
        "expected weights: shared beside it: a critic of its own has a loss of its own",
      );
    const numSamples = rollout.promptsPerStep * rollout.groupSize;
    if (critic.updatesPerBatch !== undefined && critic.updatesPerBatch > numSamples)
      report.problem(
        [...path, "updatesPerBatch"],
        `expected at most the ${numSamples} completions of a step, got ${critic.updatesPerBatch}`,
      );
    return;
  }
  if (pretrainingSteps > 0)
    report.problem(
      [...path, "weights"],
      `expected own: ${algorithm.type} trains the critic alone for ${pretrainingSteps} steps, and on a shared trunk that would move the policy; or set algorithm.pretrainingSteps to 0`,
    );
  for (const option of OF_ITS_OWN) {
    if (critic[option] === undefined) continue;
    report.problem(
      [...path, option],
      "expected weights: own beside it: on a shared trunk the policy's steps are the critic's",
    );
  }
}
