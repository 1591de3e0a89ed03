import { describe, expect, it } from "vitest";
import type { Arm } from "../../src/compare/arm.ts";
import { unfairness } from "../../src/compare/fairness.ts";
import { diffRecipes } from "../../src/compare/recipe-diff.ts";
import type { RecipeInput } from "../../src/recipe/schema.ts";
import { tinyRecipe, tinyStages } from "../pipeline/tiny.ts";

const [sft, rl] = tinyStages;
const base: Arm = { label: "a", recipe: tinyRecipe() };

function against(overrides: Partial<RecipeInput>): string {
  return unfairness([base, { label: "b", recipe: tinyRecipe(overrides) }]).join("\n");
}
const withRl = (changes: object) => against({ stages: [sft!, { ...rl!, ...changes } as never] });

describe("what is not equal is told", () => {
  it("nothing of two recipes that differ in their algorithm alone", () => {
    expect(withRl({ algorithm: { type: "dapo" } })).toBe("");
  });

  it.each([
    ["the model", { model: { ...tinyRecipe().model, init: { ...tinyRecipe().model.init!, hiddenSize: 64 } } }],
    ["stages before reinforcement learning", { stages: [{ ...sft!, steps: 9 } as never, rl!] }],
    ["precision or memory settings", { engine: { numThreads: 1, device: "cpu", bf16Moments: true } }],
  ] as [string, Partial<RecipeInput>][])("%s", (what, overrides) => {
    expect(against(overrides)).toMatch(new RegExp(`^The recipes differ in ${what}.* \\(a \\| b\\): `));
  });

  it.each([
    ["training data", { data: { type: "task", task: "arithmetic", params: { digits: 1 }, size: 200 } }],
    ["template", { template: "r1-zero" }],
    ["rewards", { rewards: { functions: ["accuracy"], threads: 1 } }],
    [
      "what the evaluation asks",
      { eval: { everySteps: 3, data: { type: "task", task: "arithmetic", size: 9, split: "eval" } } },
    ],
    ["what the evaluation asks", { rollout: { promptsPerStep: 4, groupSize: 4, sampling: { maxTokens: 9 } } }],
  ])("%s", (what, changes) => {
    expect(withRl(changes)).toContain(`The recipes differ in ${what}`);
  });

  it("who gets more samples and tokens, and how many times as many", () => {
    // 6 steps of 4 x 4 are 96 samples of at most 12 tokens; 9 steps are 144 and 1,728.
    const said = withRl({ steps: 9 });
    expect(said).toContain("b gets more samples to train on than a: 144 against 96, 1.50 times as many.");
    expect(said).toContain("b gets more tokens at most than a: 1,728 against 1,152, 1.50 times as many.");
    expect(said).toContain("b gets more optimizer steps than a: 18 against 12");
  });

  it("who alone samples more than it trains on", () => {
    const { rollout } = rl as { rollout: object };
    expect(withRl({ rollout: { ...rollout, dynamicSampling: {} } })).toContain("Only b samples more to fill batches");
  });

  it("an evaluation with the sampling that the stage has anyway is the same evaluation", () => {
    const { eval: held } = rl as { eval: object };
    expect(withRl({ eval: { ...held, sampling: { maxTokens: 12 } } })).toBe("");
  });
});

describe("the difference of recipes", () => {
  it("is the keys that differ, by stage, with null where a recipe lacks one", () => {
    const dapo = tinyRecipe({
      name: "x",
      seed: 9,
      stages: [sft!, { ...rl!, algorithm: { type: "dapo" }, name: "rl" } as never],
    });
    const rows = diffRecipes([base.recipe, dapo]);
    const values = Object.fromEntries(rows.map(({ key, values }) => [key, values]));
    expect(values["rl.algorithm.type"]).toEqual(['"grpo"', '"dapo"']);
    expect(values["rl.algorithm.clipHigh"]).toEqual(["0.2", "0.28"]);
    expect(rows.every(({ key }) => key.startsWith("rl.algorithm."))).toBe(true);
    expect(diffRecipes([base.recipe, tinyRecipe({ stages: [sft!] })])[0]).toEqual({
      key: "rl.type",
      values: ['"rl"', null],
    });
  });
});
