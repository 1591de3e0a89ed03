import { describe, expect, it } from "vitest";
import type { Arm } from "../../src/compare/arm.ts";
import { chooseConcurrency, type Job, planRuns } from "../../src/compare/jobs.ts";
import type { RecipeInput } from "../../src/recipe/schema.ts";
import { tinyRecipe, tinyStages } from "../pipeline/tiny.ts";

const [sft, rl] = tinyStages;

function arm(label: string, overrides: Partial<RecipeInput>): Arm {
  return { label, recipe: tinyRecipe(overrides) };
}

const grpo = arm("grpo", {});
const dapo = arm("dapo", { stages: [sft!, { ...rl!, algorithm: { type: "dapo" } } as never] });
const other = arm("other", { stages: [{ ...sft!, steps: 9 } as never, rl!] });
const longer = arm("longer", { stages: [sft!, rl!, { ...rl!, name: "more" } as never] });
const longest = arm("longest", { stages: [sft!, rl!, { ...rl!, name: "most" } as never] });

const plan = (arms: readonly Arm[], seeds = [1, 2]) => planRuns({ dir: "/study", arms, seeds, numThreads: null });
const sharedOf = (jobs: readonly Job[]) => [...new Set(jobs.map(({ after }) => after))];

describe("the runs of a study", () => {
  it("are one for each seed and recipe, seed by seed, alike in all but the recipe", () => {
    const jobs = plan([grpo, dapo]);
    expect(jobs.map(({ name }) => name)).toEqual(["grpo, seed 1", "dapo, seed 1", "grpo, seed 2", "dapo, seed 2"]);
    expect(jobs.map(({ recipe }) => recipe.seed)).toEqual([1, 1, 2, 2]);
    expect(new Set(jobs.map(({ path }) => path)).size).toBe(4);
  });

  it("share the stages that their recipes have in common, once for each seed", () => {
    const jobs = plan([grpo, dapo]);
    const [one, two] = [jobs[0]!.after!, jobs[2]!.after!];
    expect(jobs.map(({ after }) => after)).toEqual([one, one, two, two]);
    expect(one.recipe.stages).toEqual(grpo.recipe.stages.slice(0, 1));
    expect([one.recipe.seed, two.recipe.seed]).toEqual([1, 2]);
    expect(one.path).not.toBe(two.path);
  });

  it("share nothing where the first stages, the model or the engine differ", () => {
    expect(sharedOf(plan([grpo, other]))).toEqual([null]);
    const init = { ...grpo.recipe.model.init!, ropeTheta: 5000 };
    expect(sharedOf(plan([grpo, arm("theta", { ...dapo.recipe, model: { ...grpo.recipe.model, init } })]))).toEqual([
      null,
    ]);
    const engine = { ...dapo.recipe.engine, numThreads: 2 };
    expect(sharedOf(plan([grpo, arm("threads", { ...dapo.recipe, engine })]))).toEqual([null]);
  });

  it("each goes with those that it has most in common with; who is left alone shares nothing", () => {
    const jobs = plan([longer, longest, grpo, dapo, other], [1]);
    const numShared = Object.fromEntries(jobs.map(({ label, after }) => [label, after?.recipe.stages.length ?? 0]));
    expect(numShared).toEqual({ longer: 2, longest: 2, grpo: 1, dapo: 1, other: 0 });
  });

  it("never share a recipe's last stage", () => {
    const [first] = plan([grpo, longer], [1]);
    expect(first!.after!.recipe.stages.length).toBe(1);
  });

  it("take the study's threads and a port of their own", () => {
    const server = { type: "embedded", port: 8123 } as const;
    const [job] = planRuns({ dir: "/s", arms: [arm("a", { server }), dapo], seeds: [1], numThreads: 3 });
    expect(job!.recipe.engine.numThreads).toBe(3);
    expect(job!.recipe.server).toMatchObject({ port: 0 });
  });
});

describe("how many runs go at a time", () => {
  it("one, with the threads of its recipe, where a GPU trains or a server holds the weights", () => {
    const cuda = arm("cuda", { engine: { device: "cuda", numThreads: 2 } });
    expect(chooseConcurrency([cuda, dapo], 10, undefined)).toEqual({ numJobs: 1, numThreads: null });
  });

  it("as asked, each on its share of the cores, and never on none", () => {
    expect(chooseConcurrency([grpo, dapo], 10, 1)).toEqual({ numJobs: 1, numThreads: null });
    expect(chooseConcurrency([grpo, dapo], 4000, 3000)).toEqual({ numJobs: 3000, numThreads: 1 });
  });

  it("no more than there are runs", () => {
    expect(chooseConcurrency([grpo, dapo], 1, undefined).numJobs).toBe(1);
  });

  it("one at a time of a model whose size only its folder knows", () => {
    const folder = { label: "folder", recipe: { ...grpo.recipe, model: { path: "/models/unknown" } } };
    expect(chooseConcurrency([folder, dapo], 10, undefined).numJobs).toBe(1);
  });
});
