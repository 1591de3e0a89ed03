import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { readCheckpoint } from "../../src/checkpoint.ts";
import type { PipelineResult } from "../../src/pipeline.ts";
import { silentReporter } from "../../src/progress.ts";
import { readRolloutLog } from "../../src/rollout-log.ts";
import { metricsOf, run, tinyRecipe, tinyStages } from "./tiny.ts";

let work: string;
let whole: PipelineResult;
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "grouper-pipeline-"));
  whole = await run(tinyRecipe(), join(work, "whole"));
});

describe("what a later stage lacks", () => {
  const [sft, rl] = tinyRecipe().stages;
  it.each([
    ["a reward that does not load", { rewards: { functions: ["acuracy"] } }, /"acuracy"\. Did you mean accuracy\?/],
    [
      "a file that is not there",
      { data: { type: "file", path: "/nowhere/train.jsonl" } },
      /at \/nowhere\/train\.jsonl/,
    ],
  ])("%s is said before the first one trains, and nothing is left", async (name, change, message) => {
    const dir = join(work, name.replaceAll(" ", "-"));
    const recipe = tinyRecipe({ stages: [sft!, { ...rl, ...change } as never] });
    await expect(run(recipe, dir)).rejects.toThrow(message);
    expect(existsSync(dir)).toBe(false);
  });
});

describe("a recipe of two stages", () => {
  it("runs to its end and leaves a loadable model, metrics and every rollout", async () => {
    expect(whole.interrupted).toBe(false);
    expect(whole.finished.map(({ name }) => name)).toEqual(["sft", "rl"]);
    const dir = join(work, "whole");
    const { modelDir } = await readCheckpoint(join(dir, whole.finished[1]!.checkpoint!));
    expect(readdirSync(modelDir).sort()).toEqual(
      expect.arrayContaining(["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]),
    );
    const rollouts = await readRolloutLog(join(dir, "rollouts", "rl", "step-000006.jsonl.gz"));
    expect(rollouts.length).toBe(16);
    for (const { tokenIds, samplingLogprobs, advantages, outcomes } of rollouts) {
      expect(tokenIds.length).toBeGreaterThan(0);
      expect(samplingLogprobs.length).toBe(tokenIds.length);
      expect(advantages.length).toBe(tokenIds.length);
      expect(Object.keys(outcomes)).toEqual(["accuracy", "format", "soft-overlong"]);
    }
  });

  it("its metrics have the names that users know, and trainer and sampler agree", () => {
    const last = metricsOf(join(work, "whole"))
      .filter((line) => line["stage"] === "rl" && line["reward"] !== undefined)
      .at(-1)!;
    for (const name of [
      "reward",
      "reward_std",
      "frac_reward_zero_std",
      "rewards/accuracy/mean",
      "completions/mean_length",
      "completions/clipped_ratio",
      "loss",
      "kl",
      "entropy",
      "clip_ratio/region_mean",
      "grad_norm",
      "learning_rate",
    ]) {
      expect(last[name], name).toBeTypeOf("number");
    }
    // The same weights sampled and scored: only the order of float32 sums differs.
    expect(last["sampling/sampling_logp_difference/max"]).toBeLessThan(1e-3);
  });

  it("every step of the rl stage moves the weights", () => {
    const norms = metricsOf(join(work, "whole"))
      .filter((line) => line["stage"] === "rl" && line["grad_norm"] !== undefined)
      .map((line) => Number(line["grad_norm"]));
    expect(norms.length).toBe(6);
    expect(Math.min(...norms)).toBeGreaterThan(1e-3);
  });

  it("the same seed gives the same weights and metrics, another seed does not", async () => {
    const again = await run(tinyRecipe(), join(work, "again"));
    expect(again.finished.map((stage) => stage.weightsHash)).toEqual(whole.finished.map((stage) => stage.weightsHash));
    expect(metricsOf(join(work, "again"))).toEqual(metricsOf(join(work, "whole")));
    const other = await run(tinyRecipe({ seed: 4 }), join(work, "other"));
    expect(other.finished[1]!.weightsHash).not.toBe(whole.finished[1]!.weightsHash);
  });

  it.each([1, 3, 7, 9, 11])("stopped after step %i and resumed it ends as if never stopped", async (after) => {
    const path = join(work, `stopped-${after}`);
    let steps = 0;
    const reporter = { ...silentReporter, step: () => void steps++ };
    const first = await run(tinyRecipe(), path, { reporter, stopRequested: () => steps >= after });
    expect(first.interrupted).toBe(true);
    expect(existsSync(join(path, "lock"))).toBe(false);
    const second = await run(tinyRecipe(), path, { resume: true });
    expect(second.finished.map((stage) => stage.weightsHash)).toEqual(whole.finished.map((stage) => stage.weightsHash));
    expect(metricsOf(path)).toEqual(metricsOf(join(work, "whole")));
    expect(steps).toBe(after);
  });

  it("keeps the newest checkpoints of the last stage and the result of every earlier one", () => {
    const names = readdirSync(join(work, "whole", "checkpoints")).sort();
    expect(names).toContain("sft-step-000006");
    expect(names).toContain("rl-step-000006");
    expect(names.filter((name) => name.startsWith("rl-")).length).toBeLessThanOrEqual(3);
  });

  it("the lineage names what every stage read and made", () => {
    const lineage = JSON.parse(readFileSync(join(work, "whole", "lineage.json"), "utf8"));
    expect(lineage.map((entry: { stage: string }) => entry.stage)).toEqual(["sft", "rl"]);
    expect(lineage[1].weightsHash).toBe(whole.finished[1]!.weightsHash);
    expect(lineage[1].inputs.data).toMatch(/^[0-9a-f]{64}$/);
  });

  it("a stage may start from the base again: without training its weights are the initial ones", async () => {
    const [sft, rl] = tinyStages;
    const stages = [
      sft!,
      { ...rl!, from: "base", steps: 1, eval: undefined, optimizer: { learningRate: 1e-12 } },
    ] as typeof tinyStages;
    const fromBase = await run(tinyRecipe({ stages }), join(work, "from-base"));
    const only = await run(
      tinyRecipe({ stages: [{ ...stages[1]!, from: undefined } as (typeof stages)[1]] }),
      join(work, "only"),
    );
    expect(fromBase.finished[1]!.weightsHash).toBe(only.finished[0]!.weightsHash);
  });
});

describe("a run that cannot learn", () => {
  it("says why: every reward is 0", async () => {
    const notes: string[] = [];
    const [, rl] = tinyStages;
    const stages = [{ ...rl!, eval: undefined, rewards: { functions: ["accuracy"], threads: 1 } }] as typeof tinyStages;
    await run(tinyRecipe({ stages }), join(work, "hopeless"), {
      reporter: { ...silentReporter, note: (text) => void notes.push(text) },
    });
    expect(notes.join("\n")).toMatch(/100 % of groups \(24 of 24\) have zero variance: every reward is 0/);
  });
});
