/** The keys that choose prompts and contexts: what is accepted, refused, warned of and planned. */
import { describe, expect, it } from "vitest";
import { RecipeError } from "../../src/errors.ts";
import { parseRecipe } from "../../src/recipe/load.ts";
import { planOf } from "../../src/recipe/plan.ts";

const good = `model: { path: models/tiny }
stage:
  type: rl
  data: { type: file, path: data/train.jsonl }
  rewards: { functions: [accuracy] }
  algorithm: { type: grpo }
  rollout:
    promptsPerStep: 4
    groupSize: 8
    sampling: { maxTokens: 64 }
  steps: 10
  updatesPerBatch: 4
  optimizer: { learningRate: 1e-6 }
`;

function resolve(...set: string[]) {
  const { recipe, warnings } = parseRecipe(good, {
    label: "recipe.yaml",
    dir: "/r",
    set: set.map((entry) => `stage.rollout.${entry}`),
    workingDir: "/w",
  });
  const [stage] = recipe.stages;
  if (stage?.type !== "rl") throw new Error("no rl stage");
  return { recipe, stage, warnings };
}

function failure(...set: string[]): string {
  try {
    resolve(...set);
  } catch (error) {
    if (error instanceof RecipeError) return error.message;
    throw error;
  }
  throw new Error("the recipe was accepted");
}

describe("the strategies of the README", () => {
  it.each([
    ["Light-R1", "prompts={window: {column: pass_rate, min: 0.25, max: 0.625, ends: closed}}"],
    ["Skywork-OR1", "prompts={window: {column: failures, min: 1, max: 15, ends: closed}}"],
    ["SRPO", "prompts={online: {max: 1, ends: open}}"],
    ["ScaleRL", "prompts={online: {max: 0.9, ends: open, over: all, minSamples: 16}}"],
    ["MiMo", "prompts={online: {max: 0.9, ends: closed, over: all, minSamples: 16}}"],
    ["Open-Reasoner-Zero", "prompts={online: {max: 0.0625, ends: open, over: all, minSamples: 64}}"],
    ["MiMo's easy pool", "prompts={easyPool: {}}"],
    ["sorted", "prompts={curriculum: {type: sorted, column: level, easiest: lowest}}"],
    [
      "stages",
      "prompts={curriculum: {type: stages, column: level, stages: [{afterStep: 0, max: 2}, {afterStep: 5, min: 3}]}}",
    ],
    ["DAPO", "dynamicSampling={}"],
    ["GPG", "dynamicSampling={minInformativeShare: 0.6}"],
    ["Skywork-OR1's rejection", "dynamicSampling={refill: false}"],
    ["DeepScaleR", "contextSchedule=[{maxTokens: 128, groupSize: 16, afterStep: 4}, {maxTokens: 192, afterStep: 7}]"],
    ["by truncation", "contextSchedule=[{maxTokens: 128, whenTruncated: {above: 0.2}}]"],
  ])("%s is a recipe without doubts", (_, set) => {
    expect(resolve(set).warnings).toEqual([]);
  });

  it("have the defaults of their papers", () => {
    expect(resolve("prompts={easyPool: {}}").stage.rollout.prompts).toEqual({ easyPool: { share: 0.1 } });
    expect(resolve("prompts={online: {max: 1, ends: open}}").stage.rollout.prompts?.online).toEqual({
      max: 1,
      ends: "open",
      over: "last",
      minSamples: 1,
    });
    expect(resolve("dynamicSampling={}").stage.rollout.dynamicSampling).toEqual({
      maxBatches: 10,
      minInformativeShare: 1,
      refill: true,
    });
  });
});

describe("what cannot be meant is refused", () => {
  it.each([
    ["prompts={window: {column: c, min: 0.1}}", /rollout\.prompts\.window\.ends: .*missing/],
    ["prompts={window: {column: c, min: 2, max: 1, ends: open}}", /window\.min: expected at most max 1, got 2/],
    ["prompts={window: {column: c, min: 1, max: 1, ends: open}}", /no value lies between 1 and 1 with open ends/],
    ["prompts={online: {min: 0.6, max: 0.5, ends: closed}}", /online\.min: expected at most max 0\.5, got 0\.6/],
    ["prompts={online: {min: 0.1, ends: open}, easyPool: {}}", /online: expected max beside easyPool/],
    ["prompts={metric: acuracy}", /prompts\.metric: expected the name of a reward .*did you mean accuracy\?/],
    [
      "prompts={curriculum: {type: stages, column: c, stages: [{afterStep: 1}]}}",
      /stages\.0\.afterStep: expected 0 in the first stage, got 1/,
    ],
    [
      "prompts={curriculum: {type: stages, column: c, stages: [{afterStep: 0}, {afterStep: 3}, {afterStep: 3}]}}",
      /stages\.2\.afterStep: expected more than the 3 of the stage before, got 3/,
    ],
    [
      "contextSchedule=[{maxTokens: 64, afterStep: 1}]",
      /contextSchedule\.0\.maxTokens: expected more than the 64 of the context before: contexts only grow, got 64/,
    ],
    [
      "contextSchedule=[{maxTokens: 65, afterStep: 4}, {maxTokens: 66, afterStep: 4}]",
      /contextSchedule\.1\.afterStep: expected more than 4, got 4/,
    ],
    ["contextSchedule=[{maxTokens: 65, afterStep: 4, groupSize: 1}]", /contextSchedule\.0\.groupSize/],
    ["dynamicSampling={minInformativeShare: 0}", /minInformativeShare/],
  ])("%s", (set, message) => {
    expect(failure(set)).toMatch(message);
  });
});

describe("later contexts are checked as the first one is", () => {
  it("updatesPerBatch must divide the completions of every group size", () => {
    const contexts = "contextSchedule=[{maxTokens: 65, afterStep: 4, groupSize: 3}]";
    expect(resolve(contexts, "promptsPerStep=4").stage.updatesPerBatch).toBe(4);
    expect(failure(contexts, "promptsPerStep=2")).toMatch(
      /contextSchedule\.0\.groupSize: expected a groupSize with which updatesPerBatch 4 divides .*, got 2 prompts x 3 = 6/,
    );
  });
});

describe("doubts", () => {
  const warningsOf = (...set: string[]) => resolve(...set).warnings.join("\n");

  it("a window that holds every rate, and parts that never begin", () => {
    expect(warningsOf("prompts={online: {min: 0, max: 1, ends: closed}}")).toMatch(/online-window-holds-all/);
    expect(warningsOf("contextSchedule=[{maxTokens: 99, afterStep: 10}]")).toMatch(
      /begins after step 10, but the stage has 10 steps.*never-begins/,
    );
    const stages = "[{afterStep: 0}, {afterStep: 12, min: 1}]";
    expect(warningsOf(`prompts={curriculum: {type: stages, column: c, stages: ${stages}}}`)).toMatch(/never-begins/);
  });

  it("lengths that stay while the limit grows: a reward's own, and evaluation's", () => {
    const schedule = "contextSchedule=[{maxTokens: 99, afterStep: 5}]";
    const { warnings } = parseRecipe(good, {
      label: "recipe.yaml",
      dir: "/r",
      workingDir: "/w",
      set: [
        `stage.rollout.${schedule}`,
        "stage.rewards.functions=[accuracy, {name: soft-overlong, params: {maxTokens: 64}}]",
        "stage.eval={data: {type: task, task: arithmetic, size: 9}}",
      ],
    });
    expect(warnings.join("\n")).toMatch(/fixed-reward-length/);
    expect(warnings.join("\n")).toMatch(/eval-context/);
  });
});

describe("the plan", () => {
  const numbersOf = (...set: string[]) => planOf(resolve(...set).recipe, null).stages[0]!;

  it("counts completions and tokens context by context", () => {
    const { numbers, sentence } = numbersOf(
      "contextSchedule=[{maxTokens: 128, groupSize: 16, afterStep: 4}, {maxTokens: 192, afterStep: 7}]",
    );
    // 4 steps of 32, then 6 of 64: 3 of them at 128 tokens, 3 at 192.
    expect(numbers["completions"]).toBe(4 * 32 + 6 * 64);
    expect(numbers["maxCompletionTokens"]).toBe(4 * 32 * 64 + 3 * 64 * 128 + 3 * 64 * 192);
    expect(sentence).toMatch(
      /; completions have at most 64 tokens, then 128 \(16 completions per prompt\) after step 4, then 192 after step 7\.$/,
    );
  });

  it("enters one context at a time, also where the second could begin before the first", () => {
    const { numbers } = numbersOf(
      "contextSchedule=[{maxTokens: 128, whenTruncated: {above: 0.2, overSteps: 5}}, {maxTokens: 192, afterStep: 3}]",
    );
    expect(numbers["maxCompletionTokens"]).toBe(32 * (5 * 64 + 1 * 128 + 4 * 192));
  });

  it("bounds contexts that begin by truncation by their earliest begin", () => {
    const { numbers, sentence } = numbersOf(
      "contextSchedule=[{maxTokens: 128, whenTruncated: {above: 0.2, overSteps: 3}}]",
    );
    expect(numbers["maxCompletionTokens"]).toBe(3 * 32 * 64 + 7 * 32 * 128);
    expect(sentence).toMatch(/then 128 once more than 20 % of the completions of 3 steps are cut off\.$/);
  });
});
