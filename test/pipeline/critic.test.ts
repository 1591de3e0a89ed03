/** Recipes with a critic, from start to end: they train, stop, crash and go on as if nothing had been. */
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { readCheckpoint } from "../../src/checkpoint.ts";
import type { PipelineResult } from "../../src/pipeline.ts";
import { silentReporter } from "../../src/progress.ts";
import type { Recipe } from "../../src/recipe/schema.ts";
import { readRolloutLog } from "../../src/rollout-log.ts";
import { metricsOf, run, tinyRecipe, tinyStages } from "./tiny.ts";

/** Six steps; of the second, VC-PPO, the critic alone learns in the first two. */
function recipeOf(algorithm: object, critic: object): Recipe {
  const rl = { ...tinyStages[1]!, eval: undefined, algorithm, critic };
  return tinyRecipe({ stages: [rl] as typeof tinyStages });
}

const kinds = {
  own: recipeOf({ type: "vc-ppo", pretrainingSteps: 2 }, { updatesPerBatch: 3, headLearningRate: 1e-2 }),
  shared: recipeOf({ type: "ppo", kl: { coefficient: 0.01 } }, { weights: "shared", coefficient: 0.5 }),
};

let work: string;
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "grouper-critic-"));
});

describe.each(Object.entries(kinds))("a stage with a critic, %s weights", (kind, recipe) => {
  let whole: PipelineResult;
  beforeAll(async () => {
    whole = await run(recipe, join(work, kind));
  });

  it("trains to its end, reports the critic, and logs values and returns of every rollout", async () => {
    const steps = metricsOf(join(work, kind));
    expect(steps).toHaveLength(6);
    expect(steps.at(-1)!["critic/vf_loss"]).toBeTypeOf("number");
    expect(steps[0]!["critic/values/mean"]).toBe(0);
    expect(steps.at(-1)!["critic/values/mean"]).not.toBe(0);
    const isPretrained = kind === "own";
    expect(steps.map((line) => line["policy_version"])).toEqual(
      isPretrained ? [0, 0, 2, 4, 6, 8] : [2, 4, 6, 8, 10, 12],
    );
    expect(steps.map((line) => "grad_norm" in line)).toEqual(steps.map((_, i) => !isPretrained || i >= 2));
    const rollouts = await readRolloutLog(join(work, kind, "rollouts", "rl", "step-000006.jsonl.gz"));
    expect(rollouts).toHaveLength(16);
    for (const { tokenIds, values, returns } of rollouts) {
      expect(values).toHaveLength(tokenIds.length);
      expect(returns).toHaveLength(tokenIds.length);
    }
  });

  it.each([1, 3])("stopped after step %i and resumed it ends as if never stopped", async (after) => {
    const path = join(work, `${kind}-stopped-${after}`);
    let steps = 0;
    const reporter = { ...silentReporter, step: () => void steps++ };
    expect((await run(recipe, path, { reporter, stopRequested: () => steps >= after })).interrupted).toBe(true);
    await expectSame(path);
  });

  it("ended by an error between two checkpoints it goes back to the first of them, and ends the same", async () => {
    const path = join(work, `${kind}-broken`);
    const reporter = {
      ...silentReporter,
      step: ({ step }: { step: number }) => {
        if (step === 5) throw new Error("broken");
      },
    };
    await expect(run(recipe, path, { reporter })).rejects.toThrow("broken");
    await expectSame(path);
  });

  async function expectSame(path: string): Promise<void> {
    const resumed = await run(recipe, path, { resume: true });
    expect(resumed.finished.map((stage) => stage.weightsHash)).toEqual(
      whole.finished.map((stage) => stage.weightsHash),
    );
    expect(metricsOf(path)).toEqual(metricsOf(join(work, kind)));
    const [end, same] = [whole, resumed].map(({ finished }) => finished[0]!.checkpoint!);
    const manifests = await Promise.all([readCheckpoint(join(work, kind, end!)), readCheckpoint(join(path, same!))]);
    expect(manifests[1]!.loop).toEqual(manifests[0]!.loop);
  }
});
