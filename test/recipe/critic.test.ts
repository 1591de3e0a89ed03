/** `critic` in a recipe: where it belongs, which options go together, and what it takes. */
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { diffRecipes } from "../../src/compare/recipe-diff.ts";
import { loadRecipe } from "../../src/recipe/load.ts";
import { planOf } from "../../src/recipe/plan.ts";

const quickstart = resolve(import.meta.dirname, "../../recipes/quickstart.yaml");
const load = (...set: string[]) => loadRecipe(quickstart, { set: set.map((change) => `stages.rl.${change}`) });

describe("critic", () => {
  it.each<[string, string[], RegExp]>([
    [
      "an objective that learns values needs one",
      ["algorithm={type: ppo}"],
      /rl|stages\.1.*expected critic: ppo learns values/,
    ],
    ["others have none", ["critic={}"], /stages\.1\.critic: expected no critic: dapo learns no values/],
    [
      "pretraining on a shared trunk would move the policy",
      ["algorithm={type: vapo}", "critic={weights: shared}"],
      /critic\.weights: expected own: vapo trains the critic alone for 50 steps, and on a shared trunk that would move the policy/,
    ],
    [
      "pretraining must end",
      ["algorithm={type: vapo, pretrainingSteps: 200}", "critic={}"],
      /pretrainingSteps: expected fewer than the 200 steps/,
    ],
    [
      "a shared trunk has the policy's optimizer",
      ["algorithm={type: ppo}", "critic={weights: shared, updatesPerBatch: 12}"],
      /critic\.updatesPerBatch: expected weights: own/,
    ],
    [
      "a critic of its own has no coefficient",
      ["algorithm={type: ppo}", "critic={coefficient: 0.5}"],
      /critic\.coefficient: expected weights: shared/,
    ],
    [
      "no more updates than completions",
      ["algorithm={type: ppo}", "critic={updatesPerBatch: 513}"],
      /critic\.updatesPerBatch: expected at most the 512 completions/,
    ],
  ])("%s", (_, set, message) => {
    expect(() => load(...set)).toThrow(message);
  });

  it("shared weights without pretraining, and a model of its own, load", () => {
    expect(load("algorithm={type: vapo, pretrainingSteps: 0}", "critic={weights: shared}").recipe.name).toBe(
      "quickstart",
    );
    const [, rl] = load("algorithm={type: orz}", "critic={updatesPerBatch: 12}").recipe.stages;
    expect(rl).toMatchObject({ critic: { weights: "own", updatesPerBatch: 12 } });
  });

  it("its path starts from the file that names it", () => {
    const [, rl] = load("algorithm={type: ppo}", "critic={path: models/reward}").recipe.stages;
    expect(rl).toMatchObject({ critic: { path: join(process.cwd(), "models/reward") } });
  });

  it("the plan counts weights, gradient and moments twice, and says how often it learns", () => {
    const alone = planOf(load("algorithm={type: dapo}").recipe, 18);
    const own = planOf(load("algorithm={type: vapo}", "critic={updatesPerBatch: 12}").recipe, 18);
    const shared = planOf(load("algorithm={type: ppo}", "critic={weights: shared}").recipe, 18);
    expect(own.trainingBytes).toBe(2 * alone.trainingBytes!);
    expect(shared.trainingBytes).toBe(alone.trainingBytes);
    expect(own.stages[1]!.sentence).toMatch(
      /The critic is a model of its own, with 12 optimizer steps per step; it learns alone for the first 50 steps\.$/,
    );
    expect(shared.stages[1]!.sentence).toMatch(/The critic is a head on the policy\.$/);
  });
});

describe("the recipe of VAPO", () => {
  const vapo = resolve(import.meta.dirname, "../../recipes/vapo-32b.yaml");
  const full = loadRecipe(vapo).recipe;

  it.each<[string, string[], string[]]>([
    ["value pretraining", ["algorithm.pretrainingSteps=0"], ["rl.algorithm.pretrainingSteps"]],
    ["decoupled GAE", ["algorithm.lambdaCritic=0.95"], ["rl.algorithm.lambdaCritic"]],
    ["length-adaptive GAE", ["algorithm.lengthAdaptiveAlpha=null"], ["rl.algorithm.lengthAdaptiveAlpha"]],
    ["clip-higher", ["algorithm.clipHigh=0.2"], ["rl.algorithm.clipHigh"]],
    ["the token-level loss", ["algorithm.aggregation=seq-mean-token-mean"], ["rl.algorithm.aggregation"]],
    ["likelihood of right answers", ["algorithm.positiveNll=0"], ["rl.algorithm.positiveNll"]],
    [
      "group sampling",
      ["rollout.groupSize=1", "rollout.promptsPerStep=8192"],
      ["rl.rollout.groupSize", "rl.rollout.promptsPerStep"],
    ],
  ])("without %s differs in that alone, and loads", (_, set, keys) => {
    const without = loadRecipe(vapo, { set: set.map((change) => `stages.rl.${change}`) }).recipe;
    const differing = diffRecipes([full, without]).map(({ key }) => key);
    expect(differing.sort()).toEqual(keys);
    expect(planOf(without, null).stages[0]!.numbers).toMatchObject({
      completionsPerStep: 8192,
      completionsPerUpdate: 512,
    });
  });
});
