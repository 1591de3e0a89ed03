/** What a procedural task is: problems as a pure function of a seed and an index. */
import type { z } from "zod";
import type { Random } from "../random.ts";

export interface TaskProblem {
  /** The problem without its clothes (order of addends, names of people): equal keys never stand on both sides of a split. */
  readonly key: string;
  readonly question: string;
  readonly answer: string;
  /** What the task's verifier needs, and what demonstrations are made of. */
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface Task<Params = unknown> {
  readonly name: string;
  /** One sentence: what is asked, and which reward method verifies it. */
  readonly description: string;
  /** Parameters with defaults. */
  readonly params: z.ZodType<Params>;
  /** One problem, all randomness from `random`; null when the draw made none and another should be tried. */
  readonly generate: (random: Random, params: Params) => TaskProblem | null;
}

/** Types a task; returns it unchanged. */
export function defineTask<Params>(task: Task<Params>): Task<Params> {
  return task;
}

/** One of `items`, uniformly. */
export function pick<Item>(random: Random, items: readonly Item[]): Item {
  const item = items[random.below(items.length)];
  if (item === undefined) throw new Error("nothing to pick from");
  return item;
}

/** Uniform integer in [low, high]. */
export function between(random: Random, low: number, high: number): number {
  return low + random.below(high - low + 1);
}
