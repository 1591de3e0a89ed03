/** A study as a list of run folders to complete: what each runs, and which one it begins with. */
import { existsSync } from "node:fs";
import { availableParallelism, freemem } from "node:os";
import { join } from "node:path";
import { stageName } from "../pipeline.ts";
import { planOf } from "../recipe/plan.ts";
import type { Recipe } from "../recipe/schema.ts";
import type { Arm } from "./arm.ts";

export interface Job {
  /** "dapo, seed 3"; one of a kind in the study. */
  readonly name: string;
  readonly kind: "shared" | "run" | "samples";
  readonly path: string;
  readonly recipe: Recipe;
  /** The job that must be complete before, whose stages this one begins with. */
  readonly after: Job | null;
}

export interface RunJob extends Job {
  readonly kind: "run";
  readonly label: string;
  readonly seed: number;
}

export interface Plan {
  readonly dir: string;
  readonly arms: readonly Arm[];
  readonly seeds: readonly number[];
  readonly numThreads: number | null;
}

/** Runs by seed, then recipe: an interrupted study has whole pairs. Each follows the shared run that it begins with. */
export function planRuns({ dir, arms, seeds, numThreads }: Plan): RunJob[] {
  const shared = shareStages(arms);
  return seeds.flatMap((seed) => {
    const firsts = new Map<SharedStages, Job>();
    const firstOf = (group: SharedStages): Job => {
      const name = `${group.stages.map(stageName).join(", ")} of ${group.labels.join(" and ")}, seed ${seed}`;
      const path = join(dir, "shared", `${group.labels[0]}-seed-${seed}`);
      const recipe = { ...settle(group.recipe, path), stages: [...group.stages] };
      return { name, kind: "shared", path, recipe: withSeed(recipe, seed, numThreads), after: null };
    };
    return arms.map(({ label, recipe }): RunJob => {
      const group = shared.find(({ labels }) => labels.includes(label)) ?? null;
      if (group !== null && !firsts.has(group)) firsts.set(group, firstOf(group));
      const path = join(dir, "runs", `${label}-seed-${seed}`);
      const after = group === null ? null : firsts.get(group)!;
      const seeded = withSeed(settle(recipe, path), seed, numThreads);
      return { name: `${label}, seed ${seed}`, kind: "run", label, seed, path, recipe: seeded, after };
    });
  });
}

function settle(recipe: Recipe, path: string): Recipe {
  const server = recipe.server.type === "embedded" ? { ...recipe.server, port: 0 } : recipe.server;
  return { ...recipe, server, outputDir: join(path, "..") };
}

function withSeed(recipe: Recipe, seed: number, numThreads: number | null): Recipe {
  return { ...recipe, seed, engine: numThreads === null ? recipe.engine : { ...recipe.engine, numThreads } };
}

interface SharedStages {
  readonly labels: readonly string[];
  readonly recipe: Recipe;
  readonly stages: Recipe["stages"];
}

/** Recipes that begin with equal stages of equal models: each goes with those that it has most in common with. */
function shareStages(arms: readonly Arm[]): SharedStages[] {
  const groups = new Map<string, SharedStages>();
  for (const { label, recipe } of arms) {
    const others = arms.filter((other) => other.label !== label);
    const numCommon = Math.max(0, ...others.map((other) => numCommonStages(recipe, other.recipe)));
    if (numCommon === 0) continue;
    const stages = recipe.stages.slice(0, numCommon);
    const key = JSON.stringify([settingsOf(recipe), stages]);
    groups.set(key, { recipe, stages, labels: [...(groups.get(key)?.labels ?? []), label] });
  }
  return [...groups.values()].filter(({ labels }) => labels.length > 1);
}

function settingsOf({ model, engine, server }: Recipe): unknown {
  return [model, engine, server];
}

function numCommonStages(a: Recipe, b: Recipe): number {
  if (JSON.stringify(settingsOf(a)) !== JSON.stringify(settingsOf(b))) return 0;
  // The last stage of a recipe is its own.
  const most = Math.min(a.stages.length, b.stages.length) - 1;
  let count = 0;
  while (count < most && JSON.stringify(a.stages[count]) === JSON.stringify(b.stages[count])) count++;
  return count;
}

/** How a machine is shared among runs. */
export interface Concurrency {
  /** Runs at a time. */
  readonly numJobs: number;
  /** engine.numThreads of each; null: as its recipe says. */
  readonly numThreads: number | null;
}

/**
 * As many runs at a time as there are cores, each on its share of them, where CPUs train; else one. Two quickstart runs of one thread
 * took 18 s beside each other where one of two threads took 22 s (README, Comparing recipes): small tensors gain little from threads.
 */
export function chooseConcurrency(arms: readonly Arm[], numRuns: number, asked: number | undefined): Concurrency {
  const isAlone = arms.some(({ recipe }) => recipe.server.type !== "embedded" || usesGpu(recipe));
  const numCores = availableParallelism();
  const numJobs = asked ?? (isAlone ? 1 : Math.max(1, Math.min(numCores, numRuns, numThatFit(arms))));
  if (isAlone || numJobs === 1) return { numJobs, numThreads: null };
  return { numJobs, numThreads: Math.max(1, Math.floor(numCores / numJobs)) };
}

function usesGpu({ engine: { device } }: Recipe): boolean {
  return device.startsWith("cuda") || (device === "auto" && existsSync("/dev/nvidiactl"));
}

/** What a run takes beside its weights: Node, libtorch, activations of a micro-batch. */
const BYTES_OF_A_RUN = 600e6;

/** Runs in half of the free memory; a model that only its folder knows counts as one at a time. */
function numThatFit(arms: readonly Arm[]): number {
  // The vocabulary of a character tokenizer is small; a folder's is not known here.
  const bytes = arms.map(({ recipe }) => planOf(recipe, recipe.model.init === undefined ? null : 512).trainingBytes);
  if (bytes.includes(null)) return 1;
  const largest = Math.max(...bytes.map((size) => size ?? 0));
  return Math.max(1, Math.floor(freemem() / 2 / (BYTES_OF_A_RUN + 2 * largest)));
}
