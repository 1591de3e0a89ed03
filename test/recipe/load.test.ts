import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { RecipeError } from "../../src/errors.ts";
import { objectiveTypes } from "../../src/objectives/create.ts";
import { loadRecipe, parseRecipe } from "../../src/recipe/load.ts";
import { editDistance, nearest } from "../../src/recipe/nearest.ts";
import type { RlStage } from "../../src/recipe/schema.ts";

const dir = mkdtempSync(join(tmpdir(), "grouper-recipe-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const good = `name: tiny
model:
  path: models/tiny
stage:
  type: rl
  data: { type: file, path: data/train.jsonl }
  rewards: { functions: [accuracy, { file: rewards/mine.ts, weight: 0.5 }] }
  algorithm: { type: grpo }
  rollout:
    promptsPerStep: 4
    groupSize: 8
    sampling: { maxTokens: 64 }
  steps: 10
  optimizer: { learningRate: 1e-6 }
`;

function failure(text: string, set: readonly string[] = []): string {
  try {
    parseRecipe(text, { label: "recipe.yaml", dir: "/r", set, workingDir: "/w" });
  } catch (error) {
    if (error instanceof RecipeError) return error.message;
    throw error;
  }
  throw new Error("the recipe was accepted");
}

function rl(text: string, set: readonly string[] = []): RlStage {
  const { recipe } = parseRecipe(text, { dir: "/r", set, workingDir: "/w" });
  const [stage] = recipe.stages;
  if (stage?.type !== "rl") throw new Error("no rl stage");
  return stage;
}

describe("loading", () => {
  it("fills in defaults and resolves inputs against the recipe, outputs against the working directory", () => {
    const { recipe } = parseRecipe(good, { label: "x.yaml", dir: "/r", workingDir: "/w" });
    expect(recipe.name).toBe("tiny");
    expect(recipe.model.path).toBe("/r/models/tiny");
    expect(recipe.outputDir).toBe("/w/runs");
    expect(recipe.server).toMatchObject({ type: "embedded", host: "127.0.0.1" });
    const stage = rl(good);
    expect(stage.data).toMatchObject({ path: "/r/data/train.jsonl" });
    expect(stage.rewards.functions[1]).toMatchObject({ file: "/r/rewards/mine.ts", weight: 0.5 });
    expect(stage.optimizer.learningRate).toBe(1e-6);
    expect(stage.updatesPerBatch).toBe(1);
  });

  it("evaluation overrides only the sampling that it names", () => {
    const stage = rl(good, ["stage.eval={data: {type: task, task: arithmetic, size: 9}, sampling: {topP: 0.7}}"]);
    expect(stage.eval?.sampling).toEqual({ topP: 0.7 });
  });

  it("a file without a name is called after itself", () => {
    const path = join(dir, "my-run.yaml");
    writeFileSync(path, good.replace("name: tiny\n", ""));
    expect(loadRecipe(path).recipe.name).toBe("my-run");
  });

  it("a file that is not there is named", () => {
    expect(() => loadRecipe(join(dir, "absent.yaml"))).toThrow(
      /Expected a recipe at .*absent\.yaml, but there is none/,
    );
  });

  it("extends: mappings merge, lists are replaced, and paths stay relative to the file that names them", () => {
    mkdirSync(join(dir, "base"), { recursive: true });
    writeFileSync(join(dir, "base", "base.yaml"), good);
    const path = join(dir, "child.yaml");
    writeFileSync(
      path,
      "extends: base/base.yaml\nname: child\nengine: { numThreads: 2 }\nmodel: { lora: { rank: 8 } }\n",
    );
    const { recipe } = loadRecipe(path);
    expect(recipe.name).toBe("child");
    expect(recipe.engine.numThreads).toBe(2);
    expect(recipe.model).toMatchObject({ path: join(dir, "base", "models/tiny"), lora: { rank: 8, alpha: 32 } });
  });

  it("extends: a mapping of stages changes those that it names, and its faults are found in its own lines", () => {
    mkdirSync(join(dir, "base"), { recursive: true });
    const sft =
      "  - { type: sft, data: { type: task, task: arithmetic, size: 9 }, steps: 3, batchSize: 2, optimizer: { learningRate: 1e-3 } }\n";
    const [head, stage] = [good.slice(0, good.indexOf("stage:")), good.slice(good.indexOf("stage:"))];
    const rlLines = stage
      .split("\n")
      .slice(1)
      .map((line) => `  ${line}`)
      .join("\n")
      .replace("    ", "  - ");
    writeFileSync(join(dir, "base", "two.yaml"), `${head}stages:\n${sft}${rlLines}`);
    const path = join(dir, "change.yaml");
    const write = (text: string) => writeFileSync(path, `extends: base/two.yaml\nname: change\n${text}`);

    write("stages:\n  rl: { algorithm: { type: dapo }, steps: 77 }\n");
    const [before, after] = [loadRecipe(join(dir, "base", "two.yaml")).recipe, loadRecipe(path).recipe];
    expect(after.stages[0]).toEqual(before.stages[0]);
    expect(after.stages[1]).toMatchObject({ type: "rl", steps: 77, algorithm: { type: "dapo" } });
    expect(after.stages[1]!.data).toEqual(before.stages[1]!.data);

    write("stages:\n  rl:\n    stesp: 3\n");
    expect(() => loadRecipe(path)).toThrow(/change\.yaml:5:5 stages\.1\.stesp: .*steps/);
    write("stages:\n  lr: { steps: 3 }\n");
    expect(() => loadRecipe(path)).toThrow(
      /change\.yaml:4:3 stages: expected the name of a stage of the recipe that it extends \(sft, rl\), got "lr"/,
    );
    writeFileSync(path, "stages:\n  rl: { steps: 3 }\n");
    expect(() => loadRecipe(path)).toThrow(/expected a list of stages, since the file extends no recipe/);
  });

  it("a circle of extends is refused", () => {
    const path = join(dir, "circle.yaml");
    writeFileSync(path, "extends: circle.yaml\n");
    expect(() => loadRecipe(path)).toThrow(/is there a circle/);
  });
});

describe("--set", () => {
  it("reaches stages by index, by name and through the short form, and reads the value as YAML", () => {
    expect(rl(good, ["stages.0.steps=3"]).steps).toBe(3);
    expect(rl(good, ["stages.rl.steps=4"]).steps).toBe(4);
    expect(rl(good, ["stage.steps=5", "stage.optimizer.learningRate=1e-3"])).toMatchObject({
      steps: 5,
      optimizer: { learningRate: 0.001 },
    });
    expect(rl(good, ["stage.rewards.functions=[format]"]).rewards.functions).toEqual(["format"]);
    expect(rl(good, ["stage.rewards.functions.1.weight=2"]).rewards.functions[1]).toMatchObject({ weight: 2 });
  });

  it("resolves its paths against the working directory", () => {
    const { recipe } = parseRecipe(good, { dir: "/r", set: ["model.path=m"], workingDir: "/w" });
    expect(recipe.model.path).toBe("/w/m");
  });

  it("does not reach values that share a YAML anchor", () => {
    const text = good
      .replace("path: models/tiny", "path: models/tiny\nengine: &e { numThreads: 1 }")
      .replace("name: tiny", "name: tiny");
    expect(parseRecipe(text, { set: ["engine.numThreads=4"] }).recipe.engine.numThreads).toBe(4);
  });

  it.each([
    ["steps", /^--set #1: expected key=value/],
    ["stages.sft.steps=3", /^--set #1: expected an index or the name of one stage \(rl\) after stages, got "sft"/],
    ["stages.7.steps=3", /^--set #1: stages has 1 entries/],
    ["name.first=3", /^--set #1: cannot set first in name, which is "tiny"/],
    ["__proto__.x=3", /^--set #1: __proto__ cannot be a key/],
    ["seed=[1", /^--set #1 is not valid YAML/],
    [
      "engine.numThread=2",
      /^--set #1 \(engine\.numThread=2\) engine\.numThread: unknown key numThread; did you mean numThreads\?/,
    ],
    ["stage.steps=many", /^--set #1 \(stage\.steps=many\) stages\.0\.steps: expected a number, got "many"/],
  ])("%s is refused with its number and reason", (set, message) => {
    expect(failure(good, [set])).toMatch(message);
  });

  it("only the override that is wrong is blamed", () => {
    expect(failure(good, ["seed=1", "stage.steps=0", "seed=2"])).toMatch(/^--set #2 \(stage\.steps=0\)/);
  });
});

describe("problems", () => {
  it("are all told in one round, each with line, column and path", () => {
    const text = good
      .replace("groupSize: 8", "groupsize: 8")
      .replace("type: grpo", "type: grpp")
      .replace("steps: 10", "steps: ten")
      .replace(
        "  path: models/tiny",
        "  path: models/tiny\n  init: { hiddenSize: 8, intermediateSize: 8, numHiddenLayers: 1, numAttentionHeads: 2 }",
      );
    const message = failure(text);
    expect(message).toContain(
      "recipe.yaml:12:5 stages.0.rollout.groupsize: unknown key groupsize; did you mean groupSize?",
    );
    expect(message).not.toContain("groupSize: expected");
    expect(message).toContain(
      `recipe.yaml:9:22 stages.0.algorithm.type: expected one of ${objectiveTypes.join(", ")}, got "grpp"; did you mean grpo?`,
    );
    expect(message).toContain('recipe.yaml:14:10 stages.0.steps: expected a number, got "ten"');
    expect(message).toContain(
      "recipe.yaml:2:1 model: expected either path (a Hugging Face folder) or init (random weights), got both",
    );
  });

  it.each([
    [
      "a missing key points at the mapping that should have it",
      good.replace("    groupSize: 8\n", ""),
      "recipe.yaml:9:3 stages.0.rollout.groupSize: expected a number, it is missing",
    ],
    [
      "a number that is too small",
      good.replace("steps: 10", "steps: 0"),
      "stages.0.steps: expected a number of more than 0, got 0",
    ],
    [
      "a fraction where a count is wanted",
      good.replace("steps: 10", "steps: 1.5"),
      "stages.0.steps: expected a whole number, got 1.5",
    ],
    [
      "a stage without a type",
      good.replace("  type: rl\n", ""),
      "stages.0.type: expected one of rl, sft, eval, it is missing",
    ],
    [
      "an unknown stage",
      good.replace("type: rl", "type: rll"),
      'expected one of rl, sft, eval, got "rll"; did you mean rl?',
    ],
    [
      "an unknown option of the algorithm",
      good.replace("type: grpo", "type: grpo, clipHi: 0.3"),
      "stages.0.algorithm.clipHi: unknown key clipHi; did you mean clipHigh?",
    ],
    ["an unknown template", good.replace("  steps: 10", "  template: r1zero\n  steps: 10"), "did you mean r1-zero?"],
    [
      "a wrong key in a template",
      good.replace("  steps: 10", "  template: { type: chat, sytem: hi }\n  steps: 10"),
      "stages.0.template.sytem: unknown key sytem; did you mean system?",
    ],
    [
      "an unknown kind of template",
      good.replace("  steps: 10", "  template: { type: chatt }\n  steps: 10"),
      'stages.0.template.type: expected one of chat, text, got "chatt"; did you mean chat?',
    ],
    [
      "a reward without name and file",
      good.replace("[accuracy,", "[{ weight: 2 },"),
      "stages.0.rewards.functions.0: expected name or file",
    ],
    [
      "a wrong key of a reward",
      good.replace("weight: 0.5", "wieght: 0.5"),
      "stages.0.rewards.functions.1.wieght: unknown key wieght; did you mean weight?",
    ],
    ["a group of one", good.replace("groupSize: 8", "groupSize: 1"), "stages.0.rollout.groupSize: "],
    [
      "a correction with an objective whose ratios are to the server",
      good.replace("type: grpo", "type: dppo").replace("groupSize: 8", "groupSize: 8\n    correction: { type: tis }"),
      "stages.0.rollout.correction: Expected no importance weight with dppo",
    ],
    [
      "updates that do not divide the batch",
      good.replace("steps: 10", "steps: 10\n  updatesPerBatch: 5"),
      "expected a divisor of the 32 completions of a step (4 prompts x 8), got 5",
    ],
    [
      "an eval metric that no reward has",
      good.replace(
        "steps: 10",
        "steps: 10\n  eval: { data: { type: task, task: arithmetic, size: 9 }, metric: acuracy }",
      ),
      "got acuracy; did you mean accuracy?",
    ],
    [
      "one reward twice",
      good.replace("[accuracy,", "[accuracy, accuracy,"),
      "expected rewards with different names, got accuracy twice",
    ],
    [
      "training on greedy completions",
      good.replace("maxTokens: 64", "maxTokens: 64, temperature: 0"),
      "expected more than 0 for training",
    ],
    [
      "from a stage that does not exist",
      good.replace("  type: rl\n", "  type: rl\n  from: warmup\n"),
      "expected an earlier stage that trains, or base (base), got warmup",
    ],
    [
      "init without a tokenizer",
      good.replace(
        "  path: models/tiny",
        "  init: { hiddenSize: 8, intermediateSize: 8, numHiddenLayers: 1, numAttentionHeads: 3 }",
      ),
      "expected tokenizer",
    ],
    [
      "heads that do not divide the width",
      good.replace(
        "  path: models/tiny",
        "  tokenizer: { characters: ab }\n  init: { hiddenSize: 8, intermediateSize: 8, numHiddenLayers: 1, numAttentionHeads: 3 }",
      ),
      "expected a multiple of numAttentionHeads 3",
    ],
    [
      "prefetch from the weights that train",
      good.replace("groupSize: 8", "groupSize: 8\n    prefetch: 1"),
      "stages.0.rollout.prefetch: expected 0 with the embedded server",
    ],
    [
      "an adapter published as whole weights",
      `${good}server: { type: vllm, url: "http://h/v1", publish: { method: lora, dir: /w } }\n`,
      "server.publish.method: expected disk, since model.lora is not given, got lora",
    ],
    [
      "an adapter of a base that the server has not",
      `model: { path: m, lora: { rank: 8 } }\nserver: { type: vllm, url: "http://h/v1", publish: { method: lora, dir: /w } }\nstages:\n${["first", "second"].map((name) => `  - { type: sft, name: ${name}, data: { type: file, path: d.jsonl }, steps: 1, batchSize: 4, optimizer: { learningRate: 1 } }\n`).join("")}`,
      "stages.1.from: expected base: the server adds adapters",
    ],
    ["stage and stages", `${good}stages: []\n`, "expected stage or stages, got both"],
    ["a list for a recipe", "- 1\n", "recipe.yaml: expected a mapping with model and stages"],
    ["nothing", "", "recipe.yaml: expected a mapping with model and stages, got null"],
    ["a key twice", `${good}name: again\n`, "recipe.yaml:15:1 Map keys must be unique"],
    ["a custom tag", good.replace("name: tiny", "name: !!js/function tiny"), "recipe.yaml:1:7 Unresolved tag"],
    ["two documents", `${good}---\n${good}`, "Source contains multiple documents"],
    ["a key that reaches a prototype", `${good}__proto__: { x: 1 }\n`, "recipe.yaml:15:1 __proto__ cannot be a key"],
    ["a mapping as a key", `${good}? { a: b }\n: c\n`, "cannot be a key"],
    ["deep nesting", `x: ${"[".repeat(20_000)}`, "recipe.yaml"],
    [
      "a billion laughs",
      `a: &a [x, x, x, x, x, x, x, x, x]\n${[..."bcdefghi"].map((key, i) => `${key}: &${key} [${Array(9).fill(`*${"abcdefgh"[i]}`).join(", ")}]`).join("\n")}\n`,
      "Excessive alias count",
    ],
    ["a megabyte", `x: ${"y".repeat(1 << 20)}`, "larger than 1 MiB"],
  ])("%s", (_, text, message) => {
    expect(failure(text)).toContain(message);
  });

  it("sft takes either steps or epochs", () => {
    const sft = (rest: string) =>
      `model: { path: m }\nstage: { type: sft, data: { type: file, path: d.jsonl }, batchSize: 4, optimizer: { learningRate: 1 }${rest} }\n`;
    expect(failure(sft(""))).toContain("expected either steps or epochs, got neither");
    expect(failure(sft(", steps: 1, epochs: 1"))).toContain("expected either steps or epochs, got both");
    expect(parseRecipe(sft(", epochs: 2")).recipe.stages[0]).toMatchObject({ epochs: 2 });
  });

  it("two stages of one name are refused, and `from` may name an earlier one", () => {
    const sft = (name: string, from: string) =>
      `  - { type: sft, name: ${name}, from: ${from}, steps: 1, data: { type: file, path: d.jsonl }, batchSize: 4, optimizer: { learningRate: 1 } }\n`;
    const stages = (...list: string[]) => `model: { path: m }\nstages:\n${list.join("")}`;
    expect(failure(stages(sft("a", "base"), sft("a", "base")))).toContain("an earlier stage is called a too");
    expect(failure(stages(sft("warm", "base"), sft("b", "wram")))).toContain("got wram; did you mean warm?");
    expect(parseRecipe(stages(sft("a", "base"), sft("b", "a"))).recipe.stages).toHaveLength(2);
  });
});

describe("warnings", () => {
  it.each([
    ["sampling-temperature", "stage.rollout.sampling.temperature=0.7"],
    ["sampling-filters", "stage.rollout.sampling.topP=0.9"],
    ["unused-reference", "stage.refreshReferenceEverySteps=5"],
    ["off-policy", "stage.rollout.prefetch=1"],
    ["unclipped-updates", "stage.updatesPerBatch=4"],
    ["warmup-never-ends", "stage.optimizer.warmupSteps=10"],
  ])("%s", (name, set) => {
    const server = "server: { type: vllm, url: http://127.0.0.1:8000/v1, publish: { method: disk, dir: /w } }\n";
    const text = server + good.replace("type: grpo", name === "unclipped-updates" ? "type: reinforce" : "type: dapo");
    const warnings = (sets: readonly string[]) =>
      parseRecipe(text, { set: sets }).warnings.filter((line) => line.endsWith(`[${name}]`));
    expect(warnings([])).toEqual([]);
    expect(warnings([set])).toHaveLength(1);
  });
});

describe("any text", () => {
  const outcome = (text: string, set: readonly string[] = []) => {
    try {
      parseRecipe(text, { set });
      return "accepted";
    } catch (error) {
      if (error instanceof RecipeError) return "refused";
      throw error;
    }
  };

  it("is a recipe or a RecipeError", () => {
    const yamlish = fc.stringMatching(/^[-a-z:{}[\]"'&*!|>?#%@,. \n0-9]{0,80}$/);
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: "binary" }), yamlish), (text) => outcome(text) !== null),
      { numRuns: 1500, seed: 1 },
    );
  });

  it("cut or spliced out of a good recipe is a recipe or a RecipeError", () => {
    let refused = 0;
    const splice = fc.tuple(
      fc.nat(good.length),
      fc.nat(20),
      fc.oneof(fc.string(), fc.constantFrom("null", "[]", "{}", "- ", ": ", "\n  ", "1e999", "&a", "*a")),
    );
    fc.assert(
      fc.property(splice, ([at, length, text]) => {
        if (outcome(good.slice(0, at) + text + good.slice(at + length)) === "refused") refused++;
      }),
      { numRuns: 1500, seed: 2 },
    );
    expect(refused).toBeGreaterThan(500);
  });

  it("any JSON in any place is a recipe or a RecipeError", () => {
    const keys = fc.constantFrom(
      "model",
      "model.path",
      "stages",
      "stages.0",
      "stage.data",
      "stage.rewards",
      "stage.rewards.functions.1",
      "stage.algorithm",
      "stage.template",
      "server",
      "stage.eval",
      "engine",
      "name",
    );
    fc.assert(
      fc.property(
        keys,
        fc.jsonValue({ maxDepth: 2 }),
        (key, value) => outcome(good, [`${key}=${JSON.stringify(value)}`]) !== null,
      ),
      { numRuns: 1000, seed: 3 },
    );
  });
});

describe("nearest", () => {
  it("counts insertions, deletions, substitutions and swaps", () => {
    expect(editDistance("kitten", "sitting")).toBe(3);
    expect(editDistance("wieght", "weight")).toBe(1);
    expect(editDistance("", "abc")).toBe(3);
  });

  it("case and dashes are free, and nothing is suggested from afar", () => {
    expect(nearest("group_size", ["groupSize", "steps"])).toBe("groupSize");
    expect(nearest("banana", ["groupSize", "steps"])).toBeNull();
  });
});
