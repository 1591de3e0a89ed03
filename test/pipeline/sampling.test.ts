/** Strategies and growing contexts in whole runs of the native engine: they do what they say, and resume bit for bit. */
import { writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { PipelineResult } from "../../src/pipeline.ts";
import { silentReporter } from "../../src/progress.ts";
import { type Recipe, recipe } from "../../src/recipe/schema.ts";
import { readRolloutLog } from "../../src/rollout-log.ts";
import { metricsOf, run, tinyModel } from "./tiny.ts";

let work: string;
let whole: PipelineResult;
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "grouper-sampling-"));
  const rows = Array.from({ length: 40 }, (_, i) => ({ question: `${i}+1=`, answer: `${i + 1}`, level: i % 4 }));
  writeFileSync(join(work, "sums.jsonl"), rows.map((row) => JSON.stringify(row)).join("\n"));
  whole = await run(growing(), join(work, "whole"));
});

/** Random weights end a completion early by chance alone, so a longer limit cuts fewer off. */
function growing(): Recipe {
  return recipe.parse({
    name: "growing",
    seed: 3,
    model: tinyModel,
    engine: { numThreads: 1, device: "cpu" },
    stages: [
      {
        type: "rl",
        data: { type: "file", path: join(work, "sums.jsonl") },
        // Its limit is the step's: what it punishes moves with the context.
        rewards: { functions: ["accuracy", { name: "soft-overlong", params: { bufferTokens: 4 } }], threads: 1 },
        algorithm: { type: "drgrpo" },
        rollout: {
          promptsPerStep: 16,
          groupSize: 8,
          sampling: { maxTokens: 8 },
          dynamicSampling: { minInformativeShare: 0.5 },
          prompts: {
            metric: "accuracy",
            online: { max: 0.9, ends: "open", over: "all", minSamples: 8 },
            easyPool: { share: 0.1 },
            curriculum: {
              type: "stages",
              column: "level",
              stages: [
                { afterStep: 0, max: 1 },
                { afterStep: 3, min: 1 },
              ],
            },
          },
          contextSchedule: [
            { maxTokens: 12, afterStep: 2 },
            { maxTokens: 16, groupSize: 10, whenTruncated: { above: 0.01, overSteps: 2 } },
          ],
        },
        steps: 6,
        optimizer: { learningRate: 1e-3, schedule: "linear" },
        checkpoint: { everySteps: 2 },
      },
    ],
  });
}

const column = (name: string) => metricsOf(join(work, "whole")).map((line) => Number(line[name]));

describe("a stage whose context grows", () => {
  it("samples 8, 12 and 16 tokens, and each switch cuts fewer completions off", () => {
    expect(column("rollout/max_tokens")).toEqual([8, 8, 12, 12, 16, 16]);
    expect(column("rollout/group_size")).toEqual([8, 8, 8, 8, 10, 10]);
    expect(Math.max(...column("completions/max_length"))).toBe(16);
    const truncated = column("completions/clipped_ratio");
    const shareAt = (step: number) => (truncated[step]! + truncated[step + 1]!) / 2;
    expect(shareAt(2)).toBeLessThan(shareAt(0));
    expect(shareAt(4)).toBeLessThan(shareAt(2));
  });

  it("is one stage: the learning rate and the policy's version go on", () => {
    const rates = column("learning_rate");
    for (let i = 1; i < rates.length; i++) expect(rates[i]).toBeLessThan(rates[i - 1]!);
    const versions = column("policy_version");
    expect(versions).toEqual(versions.map((_, i) => versions[0]! + i));
  });

  it("the ledger sees every sampled prompt", () => {
    const seen = column("prompts/seen");
    // 20 prompts of levels 0 and 1 first, then those of levels 1 to 3.
    expect(seen[2]).toBe(20);
    expect(seen.at(-1)).toBe(40);
    for (const name of ["solved_none", "solved_some", "solved_all"]) {
      for (const share of column(name)) expect(share).toBeGreaterThanOrEqual(0);
    }
    expect(column("solved_none").map((none, i) => none + column("solved_some")[i]! + column("solved_all")[i]!)).toEqual(
      Array.from({ length: 6 }, () => expect.closeTo(1, 9)),
    );
  });

  it.each([1, 3, 4, 5])("stopped after step %i and resumed it ends as if never stopped", async (after) => {
    const path = join(work, `stopped-${after}`);
    let steps = 0;
    const reporter = { ...silentReporter, step: () => void steps++ };
    const first = await run(growing(), path, { reporter, stopRequested: () => steps >= after });
    expect(first.interrupted).toBe(true);
    const second = await run(growing(), path, { resume: true });
    expect(second.finished.map((stage) => stage.weightsHash)).toEqual(whole.finished.map((stage) => stage.weightsHash));
    expect(metricsOf(path)).toEqual(metricsOf(join(work, "whole")));
  });
});

describe("a stage of remax", () => {
  it("samples one greedy completion per prompt and judges the others by its reward", async () => {
    const [stage] = growing().stages;
    if (stage?.type !== "rl") throw new Error("no rl stage");
    const { contextSchedule: _, prompts: __, dynamicSampling: ___, ...rollout } = stage.rollout;
    const remax = recipe.parse({
      ...growing(),
      stages: [
        {
          ...stage,
          algorithm: { type: "remax" },
          rewards: { functions: [{ name: "soft-overlong", params: { bufferTokens: 4 } }], threads: 1 },
          rollout: { ...rollout, groupSize: 1, sampling: { maxTokens: 8 } },
          steps: 2,
        },
      ],
    });
    const path = join(work, "remax");
    await run(remax, path);
    const lines = metricsOf(path);
    expect(lines.map((line) => line["num_samples"])).toEqual([32, 64]);
    for (const line of lines) {
      // Greedily, random weights repeat themselves to the limit, where the reward is -1.
      expect(Number(line["greedy/reward"])).toBeLessThanOrEqual(0);
      expect(Number(line["greedy/mean_length"])).toBeLessThanOrEqual(8);
      expect(line["dynamic_sampling/rollouts_per_trained_rollout"]).toBe(2);
      expect(Number(line["grad_norm"])).toBeGreaterThan(0);
    }
    const logged = await readRolloutLog(join(path, "rollouts", "rl", "step-000001.jsonl.gz"));
    expect(logged.length).toBe(16);
    for (const { reward, greedyReward, advantages } of logged) {
      expect(advantages[0]).toBeCloseTo(Number(reward) - Number(greedyReward), 6);
    }
    expect(
      new Set(logged.map(({ reward, greedyReward }) => Number(reward) - Number(greedyReward))).size,
    ).toBeGreaterThan(1);
  });
});
