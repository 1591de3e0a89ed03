/** All procedural tasks, and the rows that a recipe takes from one. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { RecipeError } from "../errors.ts";
import { createRandom, seedFrom } from "../random.ts";
import { arithmetic } from "./arithmetic.ts";
import { countdown } from "./countdown.ts";
import { knightsKnaves } from "./knights-knaves.ts";
import { multipleChoice } from "./multiple-choice.ts";
import type { Task, TaskProblem } from "./task.ts";

/** One line per task; a new one is a file beside these. */
export const TASKS: readonly Task[] = [
  arithmetic as Task,
  countdown as Task,
  knightsKnaves as Task,
  multipleChoice as Task,
];

export interface TaskRowsOptions {
  readonly task: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly size: number;
  readonly split: "train" | "eval";
  readonly seed: number;
}

/** One problem in ten, by its key, is held out; so the splits never meet, whatever the seeds and sizes. */
const EVAL_SHARE = 10;
/** Draws in a row without a new problem. */
const MAX_TRIES = 20_000;

/** `size` different problems of one split. Throws RecipeError for a wrong name, wrong parameters, or too few problems. */
export function taskRows({ task: name, params, size, split, seed }: TaskRowsOptions): TaskProblem[] {
  const task = TASKS.find((candidate) => candidate.name === name);
  if (task === undefined) {
    throw new RecipeError(
      `Expected a task, one of ${TASKS.map((candidate) => candidate.name).join(", ")}, got ${JSON.stringify(name)}.`,
    );
  }
  const parsed = task.params.safeParse(params);
  if (!parsed.success) throw new RecipeError(`Parameters of task ${name}: ${z.prettifyError(parsed.error)}`);
  const seen = new Set<string>();
  const rows: TaskProblem[] = [];
  for (let index = 0, lastFound = 0; rows.length < size; index++) {
    if (index - lastFound > MAX_TRIES) {
      throw new RecipeError(
        `Expected ${size} different ${split} problems of task ${name}, but only ${rows.length} were found: its parameters allow few. Lower size or widen the parameters.`,
      );
    }
    const problem = task.generate(createRandom(seedFrom(seed, name, index)), parsed.data);
    if (problem === null || splitOf(problem.key) !== split || seen.has(problem.question)) continue;
    seen.add(problem.question);
    rows.push(problem);
    lastFound = index;
  }
  return rows;
}

/** Which side a problem stands on: decided by its key alone. */
export function splitOf(key: string): "train" | "eval" {
  return createHash("sha256").update(key).digest().readUInt32BE(0) % EVAL_SHARE === 0 ? "eval" : "train";
}
