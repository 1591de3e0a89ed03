/** The recipes that we ship: each loads, resolves and plans, with the numbers of the paper that it names. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import countdown from "../../rewards/countdown.ts";
import logicRl from "../../rewards/logic-rl.ts";
import { createObjective } from "../../src/objectives/create.ts";
import { loadRecipe } from "../../src/recipe/load.ts";
import { planOf } from "../../src/recipe/plan.ts";
import type { Recipe, RlStage } from "../../src/recipe/schema.ts";
import { taskRows } from "../../src/tasks/tasks.ts";

const dir = resolve(import.meta.dirname, "../../recipes");
const files = readdirSync(dir).filter((file) => file.endsWith(".yaml"));

function load(name: string): Recipe {
  return loadRecipe(join(dir, `${name}.yaml`)).recipe;
}

function rlOf(recipe: Recipe): RlStage {
  const stage = recipe.stages.find((candidate) => candidate.type === "rl");
  if (stage?.type !== "rl") throw new Error(`${recipe.name} has no rl stage`);
  return stage;
}

/** What a stage sums up to, by the words of landscape and papers alike: prompts x samples, updates, tokens. */
function numbersOf(recipe: Recipe): Readonly<Record<string, number>> {
  const plan = planOf(recipe, null).stages.find(({ type }) => type === "rl");
  if (plan === undefined) throw new Error(`${recipe.name} has no rl stage`);
  return plan.numbers;
}

describe("every recipe", () => {
  it("there are twelve", () => {
    expect(files.sort()).toEqual([
      "countdown.yaml",
      "dapo-qwen2.5-7b.yaml",
      "knights-knaves.yaml",
      "open-r1-qwen2.5-1.5b.yaml",
      "orz-7b.yaml",
      "ppo-quickstart.yaml",
      "ppo-qwen2.5-1.5b-gsm8k.yaml",
      "quickstart-grpo.yaml",
      "quickstart.yaml",
      "r1-zero-qwen2.5-1.5b-gsm8k.yaml",
      "r1-zero-qwen2.5-7b-math.yaml",
      "vapo-32b.yaml",
    ]);
  });

  it.each(files)("%s loads without a warning, makes a plan, and is named after its file", (file) => {
    const { recipe, warnings } = loadRecipe(join(dir, file));
    expect(warnings).toEqual([]);
    expect(`${recipe.name}.yaml`).toBe(file);
    const plan = planOf(recipe, 32);
    expect(plan.stages.map(({ type }) => type)).toEqual(recipe.stages.map(({ type }) => type));
    expect(plan.numParameters).toBeGreaterThan(10_000);
  });

  it.each(files)("%s begins with the editor's schema line and a header that says command and hardware", (file) => {
    const text = readFileSync(join(dir, file), "utf8");
    const header = text.split("\n").filter((line) => line.startsWith("#"));
    expect(header[0]).toBe("# yaml-language-server: $schema=../recipe.schema.json");
    expect(header.join("\n")).toMatch(
      new RegExp(`grouper train recipes/${file.replaceAll(".", "\\.")}|npm run quickstart`),
    );
    expect(header.join("\n")).toMatch(/Hardware: /);
    expect(header.join("\n")).toMatch(/Run so far: /);
  });

  it.each(files)("%s: the characters of its tokenizer write every question and demonstration of its tasks", (file) => {
    const { recipe } = loadRecipe(join(dir, file));
    const { tokenizer } = recipe.model;
    if (typeof tokenizer !== "object") return;
    const known = new Set([...tokenizer.characters]);
    let checked = 0;
    for (const { data } of recipe.stages) {
      if (data.type !== "task") continue;
      for (const { question, fields } of taskRows({ ...data, size: Math.min(data.size, 1000) })) {
        let text = `${question}${String(fields["demonstration"])}`;
        for (const special of tokenizer.specialTokens) text = text.replaceAll(special, "");
        expect([...text].filter((character) => !known.has(character))).toEqual([]);
        checked++;
      }
    }
    expect(checked).toBeGreaterThan(500);
  });
});

describe("parameters", () => {
  // Totals that Hugging Face shows for the safetensors of each model.
  it.each([
    ["Qwen2.5-0.5B", 494_032_768],
    ["Qwen2.5-1.5B-Instruct", 1_543_714_304],
    ["Qwen2.5-Math-7B", 7_615_616_512],
  ])("%s has %d", (name, numParameters) => {
    const recipe = { ...load("r1-zero-qwen2.5-7b-math"), model: { path: `/m/${name}` } };
    expect(planOf(recipe, null).numParameters).toBe(numParameters);
  });

  it("a 7B model with bfloat16 moments takes 12 bytes per parameter; an adapter of rank 64 needs only the base and its own", () => {
    const recipe = load("r1-zero-qwen2.5-7b-math");
    expect(planOf(recipe, null).trainingBytes).toBe(7_615_616_512 * 12);
    const lora = { rank: 1, alpha: 32, targets: ["q_proj" as const] };
    const adapted = planOf({ ...recipe, model: { ...recipe.model, lora } }, null);
    // 28 layers, rank 1: 3584 + 3584 per q_proj.
    expect(adapted.trainingBytes).toBe(7_615_616_512 * 4 + 28 * 7168 * 12);
  });
});

describe("numbers of the papers", () => {
  it("DAPO (arXiv 2503.14476): 512 prompts x 16, 16 updates of 512, clip 0.2 and 0.28, no KL, overlong from 16,384 to 20,480", () => {
    const recipe = load("dapo-qwen2.5-7b");
    const rl = rlOf(recipe);
    expect(numbersOf(recipe)).toMatchObject({
      completionsPerStep: 8192,
      completionsPerUpdate: 512,
      updatesPerStep: 16,
    });
    expect(rl.rollout).toMatchObject({ promptsPerStep: 512, groupSize: 16, maskTruncated: false, prefetch: 0 });
    expect(rl.rollout.dynamicSampling).toEqual({
      maxBatches: 10,
      metric: "accuracy",
      minInformativeShare: 1,
      refill: true,
    });
    expect(rl.rollout.sampling).toMatchObject({ temperature: 1, topP: 1, topK: 0, minP: 0, maxTokens: 20_480 });
    expect(rl.algorithm).toMatchObject({
      type: "dapo",
      clipLow: 0.2,
      clipHigh: 0.28,
      aggregation: "token-mean",
      kl: { coefficient: 0 },
    });
    expect(createObjective(rl.algorithm).needs).not.toContain("refLogprobs");
    expect(rl.optimizer).toMatchObject({ learningRate: 1e-6, schedule: "constant", weightDecay: 0.1, maxGradNorm: 1 });
    expect(rl.optimizer.warmupSteps).toBe(20 * 16);
    expect(rl.data.maxPromptTokens).toBe(2048);
    expect(rl.template).toBe("dapo");
    expect(rl.rewards.functions).toEqual([
      {
        name: "accuracy",
        weight: 1,
        params: { method: "dapo", right: 1, wrong: -1, unparseable: -1 },
      },
      { name: "soft-overlong", weight: 1, params: { maxTokens: 20_480, bufferTokens: 4096 } },
    ]);
    expect(rl.eval?.sampling).toEqual({ temperature: 1, topP: 0.7 });
  });

  it("Open-Reasoner-Zero (arXiv 2503.24290): 128 x 64, one policy update and 12 of the critic, 1e-6 and 5e-6, 8,000 tokens, cut off is wrong", () => {
    const recipe = load("orz-7b");
    const rl = rlOf(recipe);
    expect(numbersOf(recipe)).toMatchObject({
      completionsPerStep: 8192,
      completionsPerUpdate: 8192,
      updatesPerStep: 1,
    });
    expect(rl.algorithm).toMatchObject({ type: "orz", gamma: 1, lambda: 1, clipHigh: 0.2, kl: { coefficient: 0 } });
    expect(createObjective(rl.algorithm).needs).toEqual(["values"]);
    expect(rl.critic).toMatchObject({
      weights: "own",
      updatesPerBatch: 12,
      optimizer: { learningRate: 5e-6, beta2: 0.95 },
    });
    expect(rl.optimizer).toMatchObject({
      learningRate: 1e-6,
      warmupSteps: 50,
      beta1: 0.9,
      beta2: 0.95,
      weightDecay: 0,
    });
    expect(rl.rollout.sampling).toMatchObject({ temperature: 1, topP: 1, maxTokens: 8000 });
    expect(rl.rewards.functions[0]).toMatchObject({ name: "accuracy", params: { requireStop: true } });
    expect(planOf(recipe, null).trainingBytes).toBe(2 * 12 * 7_615_616_512);
  });

  it("VAPO (arXiv 2504.05118): 512 x 16 in updates of 512, and the seven switches at their defaults", () => {
    const recipe = load("vapo-32b");
    const rl = rlOf(recipe);
    expect(numbersOf(recipe)).toMatchObject({
      completionsPerStep: 8192,
      completionsPerUpdate: 512,
      updatesPerStep: 16,
    });
    expect(rl.algorithm).toMatchObject({
      pretrainingSteps: 50,
      lambdaCritic: 1,
      lengthAdaptiveAlpha: 0.05,
      clipLow: 0.2,
      clipHigh: 0.28,
      aggregation: "token-mean",
      positiveNll: 0.1,
    });
    expect(rl.rollout.groupSize).toBe(16);
  });

  it("Oat-Zero (arXiv 2503.20783): Dr. GRPO, 8 per prompt, batch 128, 1e-6 constant, 1,024 + 3,000 tokens, cut off is wrong", () => {
    const recipe = load("r1-zero-qwen2.5-7b-math");
    const rl = rlOf(recipe);
    expect(numbersOf(recipe)).toMatchObject({ completionsPerStep: 1024, completionsPerUpdate: 128 });
    expect(rl.rollout).toMatchObject({ promptsPerStep: 128, groupSize: 8 });
    expect(rl.rollout.sampling).toMatchObject({ temperature: 1, topP: 1, maxTokens: 3000 });
    expect(rl.algorithm).toMatchObject({
      type: "drgrpo",
      kl: { coefficient: 0 },
      aggregation: "seq-mean-token-sum-norm",
    });
    expect(rl.optimizer).toMatchObject({ learningRate: 1e-6, schedule: "constant", warmupSteps: 0 });
    expect(rl).toMatchObject({ epochsPerBatch: 1, template: "qwen-math", data: { maxPromptTokens: 1024 } });
    expect(rl.rewards.functions[0]).toMatchObject({ name: "accuracy", params: { requireStop: true } });
  });

  it("R1-Zero (arXiv 2501.12948): its prompt, accuracy and format of equal weight, GRPO with KL, no supervised stage", () => {
    const recipe = load("r1-zero-qwen2.5-1.5b-gsm8k");
    const rl = rlOf(recipe);
    expect(recipe.stages.map(({ type }) => type)).toEqual(["rl"]);
    expect(rl.template).toBe("r1-zero");
    expect(rl.rollout.sampling.temperature).toBe(1);
    expect(rl.algorithm).toMatchObject({ type: "grpo", kl: { estimator: "k3", placement: "loss" } });
    expect(createObjective(rl.algorithm).needs).toContain("refLogprobs");
    expect(rl.rewards.functions).toEqual([
      { name: "accuracy", weight: 1, params: { method: "math", from: "answer-tag" } },
      "format",
    ]);
  });

  it("Open-R1's demonstration: 2e-5 cosine, a tenth warm-up, 16 per prompt, 64 completions per device, 512 + 1,024 tokens, three equal rewards", () => {
    const recipe = load("open-r1-qwen2.5-1.5b");
    const rl = rlOf(recipe);
    expect(numbersOf(recipe)).toMatchObject({
      completionsPerStep: 16 * 4,
      completionsPerUpdate: 64,
      updatesPerStep: 1,
    });
    expect(rl.rollout.groupSize).toBe(16);
    expect(rl.optimizer).toMatchObject({ learningRate: 2e-5, schedule: "cosine" });
    expect(rl.optimizer.warmupSteps / numbersOf(recipe)["optimizerSteps"]!).toBeCloseTo(0.1, 12);
    expect(rl.data.maxPromptTokens).toBe(512);
    expect(rl.rollout.sampling.maxTokens).toBe(1024);
    expect(
      rl.rewards.functions.map((spec) => (typeof spec === "string" ? [spec, 1] : [spec.name, spec.weight])),
    ).toEqual([
      ["accuracy", 1],
      ["format", 1],
      ["tag-count", 1],
    ]);
    expect(rl.algorithm).toMatchObject({
      clipLow: 0.2,
      clipHigh: 0.2,
      stdEpsilon: 1e-4,
      kl: { coefficient: 0 },
      aggregation: "token-mean",
    });
  });

  it("Logic-RL's reward (arXiv 2502.14768): format 1 or -1, answer 2, -1.5, -2", () => {
    expect(rlOf(load("knights-knaves")).rewards.functions).toEqual([
      { name: "logic-rl", weight: 1, params: { style: "r1" } },
    ]);
    expect(logicRl.params!.parse({})).toMatchObject({
      ...{ right: 2, wrong: -1.5, unparseable: -2 },
      ...{ goodFormat: 1, badFormat: -1 },
    });
  });

  it("TinyZero's reward: 1, 0.1, 0", () => {
    expect(rlOf(load("countdown")).rewards.functions[0]).toBe("countdown");
    expect(countdown.params!.parse({})).toMatchObject({ from: "answer-tag", right: 1, wrong: 0.1, missing: 0 });
  });
});

describe("quickstart", () => {
  it("takes the options that its learning benchmark sets", () => {
    const set = ["seed=3", "stages.rl.data.params.shuffleAnswers=true"];
    const { recipe } = loadRecipe(join(dir, "quickstart.yaml"), { set });
    expect(recipe.seed).toBe(3);
    expect(rlOf(recipe).data).toMatchObject({ params: { shuffleAnswers: true } });
    expect(parse(readFileSync(join(dir, "quickstart.yaml"), "utf8"))).not.toHaveProperty("outputDir");
  });
});
