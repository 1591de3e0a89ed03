/** A recipe that runs in seconds: a random 30k-parameter model on one-digit sums. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type PipelineResult, runPipeline } from "../../src/pipeline.ts";
import { type Reporter, silentReporter } from "../../src/progress.ts";
import { type Recipe, type RecipeInput, recipe } from "../../src/recipe/schema.ts";

export const tinyModel: RecipeInput["model"] = {
  init: {
    hiddenSize: 32,
    intermediateSize: 64,
    numHiddenLayers: 2,
    numAttentionHeads: 4,
    numKeyValueHeads: 2,
    maxPositionEmbeddings: 64,
  },
  tokenizer: { characters: "0123456789+=! ", specialTokens: ["<think>", "</think>", "<answer>", "</answer>"] },
};

const data = { type: "task" as const, task: "arithmetic", params: { digits: 2 }, size: 200 };
const optimizer = { learningRate: 1e-3 };

export const tinyStages: RecipeInput["stages"] = [
  { type: "sft", data, response: "{demonstration}", steps: 6, batchSize: 8, optimizer, checkpoint: { everySteps: 2 } },
  {
    type: "rl",
    data,
    // A random model never answers right, but its lengths differ: soft-overlong gives it something to learn from.
    rewards: {
      functions: [
        "accuracy",
        { name: "format", weight: 0.5 },
        { name: "soft-overlong", params: { maxTokens: 12, bufferTokens: 8 } },
      ],
      threads: 1,
    },
    algorithm: { type: "grpo" },
    rollout: { promptsPerStep: 4, groupSize: 4, sampling: { maxTokens: 12 } },
    steps: 6,
    updatesPerBatch: 2,
    optimizer,
    eval: { everySteps: 3, data: { ...data, split: "eval", size: 8 } },
    checkpoint: { everySteps: 2 },
  },
];

export function tinyRecipe(overrides: Partial<RecipeInput> = {}): Recipe {
  return recipe.parse({
    name: "tiny",
    seed: 3,
    model: tinyModel,
    engine: { numThreads: 1, device: "cpu" },
    stages: tinyStages,
    ...overrides,
  });
}

export function run(
  parsed: Recipe,
  runPath: string,
  {
    resume = false,
    reporter = silentReporter,
    stopRequested = () => false,
  }: { resume?: boolean; reporter?: Reporter; stopRequested?: () => boolean } = {},
): Promise<PipelineResult> {
  return runPipeline({ recipe: parsed, provenance: {}, runPath, resume, reporter, stopRequested });
}

/** metrics.jsonl without what differs from run to run: times. */
export function metricsOf(runPath: string): Record<string, unknown>[] {
  return readFileSync(join(runPath, "metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => Object.fromEntries(Object.entries(JSON.parse(line)).filter(([name]) => !name.startsWith("time/"))));
}
