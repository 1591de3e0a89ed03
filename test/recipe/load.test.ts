import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RecipeError } from "../../src/errors.ts";
import { recipeJsonSchema } from "../../src/recipe/json-schema.ts";
import { parseRecipe } from "../../src/recipe/load.ts";
import { editDistance, nearest } from "../../src/recipe/nearest.ts";

const base = `model:
  init: { hiddenSize: 32, intermediateSize: 64, numHiddenLayers: 2, numAttentionHeads: 4 }
  tokenizer: { characters: "0123456789+=" }
stage:
  type: rl
  data: { type: task, task: arithmetic, size: 100 }
  rewards: { functions: [accuracy] }
  algorithm: { type: grpo }
  rollout:
    promptsPerStep: 4
    groupSize: 8
    sampling: { maxTokens: 16 }
  steps: 10
  optimizer: { learningRate: 1e-3 }
`;

function problemsOf(text: string, set: readonly string[] = []): string {
  try {
    parseRecipe(text, "r.yaml", set);
  } catch (error) {
    if (error instanceof RecipeError) return error.message;
    throw error;
  }
  return "";
}

describe("recipes", () => {
  it("a stage alone is a list of one, and defaults are filled in", () => {
    const { recipe, warnings } = parseRecipe(base, "runs/my-run.yaml");
    expect(recipe.stages.length).toBe(1);
    expect(recipe.name).toBe("my-run");
    expect(recipe.server).toMatchObject({ type: "embedded", host: "127.0.0.1" });
    expect(recipe.stages[0]).toMatchObject({ type: "rl", updatesPerBatch: 1, algorithm: { type: "grpo", clipLow: 0.2 } });
    expect(warnings).toEqual([]);
  });

  it("an unknown key is named with its line and the nearest valid one", () => {
    expect(problemsOf(base.replace("groupSize: 8", "groupsize: 8"))).toMatch(/r\.yaml:11:5 stage\.rollout\.groupsize: there is no such key\. Did you mean groupSize\?/);
    expect(problemsOf(base.replace("learningRate", "learning_rate"))).toMatch(/r\.yaml:14:16 stage\.optimizer\.learning_rate: there is no such key\. Did you mean learningRate\?/);
  });

  it("a wrong value is named with its line, what was expected and what came", () => {
    expect(problemsOf(base.replace("groupSize: 8", "groupSize: many"))).toMatch(/r\.yaml:11:16 stage\.rollout\.groupSize: expected number, got "many"\./);
    expect(problemsOf(base.replace("promptsPerStep: 4", "promptsPerStep: -1"))).toMatch(/r\.yaml:10:21 stage\.rollout\.promptsPerStep: .*>0, got -1/);
  });

  it("a missing key is named at the object that lacks it", () => {
    expect(problemsOf(base.replace("  steps: 10\n", ""))).toMatch(/r\.yaml:5:3 stage\.steps: expected a value, but the key is missing\./);
  });

  it("a wrong alternative lists the valid ones, and the nearest", () => {
    expect(problemsOf(base.replace("type: grpo", "type: grop"))).toMatch(/r\.yaml:8:\d+ stage\.algorithm\.type: .*grpo/);
    expect(problemsOf(base.replace("type: rl", "type: rlhf"))).toMatch(/stage\.type: .*(rl|sft)/);
  });

  it("all problems come in one round", () => {
    const message = problemsOf(base.replace("groupSize: 8", "groupsize: 8").replace("type: grpo", "type: grpo, clipLo: 1"));
    expect(message).toMatch(/r\.yaml has \d problems:/);
    expect(message).toMatch(/groupsize/);
    expect(message).toMatch(/clipLo: there is no such key\. Did you mean clipLow\?/);
  });

  it("contradictions between fields are named", () => {
    expect(problemsOf(base.replace("groupSize: 8", "groupSize: 1"))).toMatch(/r\.yaml:11:16 stage\.rollout\.groupSize: Expected .*1/);
    expect(problemsOf(`${base}  updatesPerBatch: 3\n`)).toMatch(/expected a divisor of the 32 completions of a step/);
    expect(problemsOf(base.replace("model:", "model:\n  path: x"))).toMatch(/expected either path or init, got both/);
    expect(problemsOf(base.replace("groupSize: 8", "groupSize: 8\n    prefetch: 1"))).toMatch(/prefetch needs a server of its own/);
  });

  it("a known trap is a warning", () => {
    const { warnings } = parseRecipe(base.replace("maxTokens: 16", "maxTokens: 16, topP: 0.9"), "r.yaml");
    expect(warnings[0]).toMatch(/r\.yaml:12:15 stage\.rollout\.sampling: topP, topK and minP .* ratios are biased/);
  });

  it("--set overrides before the checks, and its mistakes point at it", () => {
    const { recipe } = parseRecipe(base, "r.yaml", ["stage.rollout.groupSize=4", "seed=7", "model.init.numHiddenLayers=1"]);
    expect(recipe).toMatchObject({ seed: 7, model: { init: { numHiddenLayers: 1 } }, stages: [{ rollout: { groupSize: 4 } }] });
    expect(problemsOf(base, ["seed=1", "stage.rollout.groupSize=x"])).toMatch(/^--set #2 stage\.rollout\.groupSize: expected number, got "x"/);
    expect(problemsOf(base, ["stage.stepps=4"])).toMatch(/^--set #1 stage\.stepps: there is no such key\. Did you mean steps\?/);
    expect(problemsOf(base, ["seed"])).toMatch(/--set #1: expected a\.b=value, got "seed"/);
  });

  it("--set finds stages by name, type or index", () => {
    const text = readFileSync(resolve(import.meta.dirname, "../../recipes/quickstart.yaml"), "utf8");
    for (const key of ["rl", "1"]) {
      expect(parseRecipe(text, "quickstart.yaml", [`stages.${key}.steps=5`]).recipe.stages[1]).toMatchObject({ steps: 5 });
    }
    expect(problemsOf(text, ["stages.dpo.steps=5"])).toMatch(/expected an index below 2 or a name in the list stages, got "dpo"\. Names: sft, rl/);
  });

  it("YAML that is no plain data is refused with its line", () => {
    expect(problemsOf("model: !!js/function 'x'")).toMatch(/r\.yaml:1:8/);
    expect(problemsOf("a: 1\n__proto__: { polluted: 1 }")).toMatch(/r\.yaml:2:1: __proto__ cannot be a key/);
    expect(problemsOf("a: [1,\nb")).toMatch(/r\.yaml:\d+:\d+/);
    expect(problemsOf("- a\n- b")).toMatch(/Expected a recipe of keys and values in r\.yaml, got a list/);
    const bomb = `a: &a [1,1,1,1,1,1,1,1,1]\n${"bcdefgh".split("").map((key, i) => `${key}: &${key} [${Array(9).fill(`*${"abcdefg"[i]}`).join(",")}]`).join("\n")}`;
    expect(problemsOf(bomb)).toMatch(/at most 50 uses of anchors/);
  });

  it("any text gives a recipe or a RecipeError", () => {
    const lines = base.split("\n");
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.array(fc.nat(lines.length - 1)).map((kept) => kept.map((i) => lines[i]).join("\n")), fc.json()), (text) => {
        problemsOf(text);
      }),
      { seed: 3, numRuns: 400 },
    );
  });

  it("relative paths are relative to the recipe", () => {
    const text = base.replace("type: task, task: arithmetic, size: 100", "type: file, path: data.jsonl");
    expect(parseRecipe(text, "/some/where/r.yaml").recipe.stages[0]!.data).toMatchObject({ path: "/some/where/data.jsonl" });
  });
});

describe("the JSON Schema", () => {
  it("recipe.schema.json is what the code says; npm run schema writes it", () => {
    const committed = readFileSync(resolve(import.meta.dirname, "../../recipe.schema.json"), "utf8");
    expect(JSON.parse(committed)).toEqual(JSON.parse(JSON.stringify(recipeJsonSchema())));
  });
});

describe("the nearest word", () => {
  it("is the one with the fewest edits, or none when all are far", () => {
    expect(editDistance("kitten", "sitting")).toBe(3);
    expect(nearest("stpes", ["steps", "stage", "seed"])).toBe("steps");
    expect(nearest("zzzzzz", ["steps", "stage"])).toBeNull();
  });
});
