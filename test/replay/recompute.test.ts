/** What a run recorded of a step is what its rollout log gives: losses, advantages, and gradients by the weights of a real model. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type NativeEngine, openNativeEngine } from "../../src/engine/native.ts";
import { explainStep } from "../../src/explain/explain.ts";
import type { ObjectiveSpec } from "../../src/objectives/create.ts";
import { createObjective } from "../../src/objectives/create.ts";
import type { RecipeInput } from "../../src/recipe/schema.ts";
import { recompute } from "../../src/replay/recompute.ts";
import { loggedSteps, openRun, type RunStep, readStep, rlStageOf } from "../../src/replay/run.ts";
import { policyOutputs, weightSpace } from "../../src/replay/weight-space.ts";
import type { Sequence, TokenGradient } from "../../src/types.ts";
import { run, tinyRecipe, tinyStages } from "../pipeline/tiny.ts";

const work = mkdtempSync(join(tmpdir(), "grouper-replay-"));
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** The tiny recipe's rl stage alone, for three steps. */
async function trained(name: string, algorithm: ObjectiveSpec, more: object, rollout: object = {}): Promise<string> {
  const rl = tinyStages.find(({ type }) => type === "rl")!;
  const base = "rollout" in rl ? rl.rollout : {};
  const { eval: _, ...rest } = rl as typeof rl & { eval?: unknown };
  const stage = { ...rest, steps: 3, algorithm, ...more, rollout: { ...base, ...rollout } };
  const path = join(work, name);
  await run(tinyRecipe({ stages: [stage as RecipeInput["stages"][number]] }), path);
  return path;
}

const settings: [string, ObjectiveSpec, object, object?][] = [
  ["dapo-one-update", { type: "dapo" }, { updatesPerBatch: 1 }],
  ["dapo-four-updates", { type: "dapo" }, { updatesPerBatch: 4, optimizer: { learningRate: 2e-2 } }],
  ["grpo-with-kl", { type: "grpo" }, { updatesPerBatch: 2, optimizer: { learningRate: 1e-2 } }],
  ["rloo-kl-in-reward", { type: "rloo" }, { updatesPerBatch: 1 }],
  ["drgrpo-corrected", { type: "drgrpo" }, { updatesPerBatch: 2 }, { correction: { type: "tis" } }],
  [
    "ppo-masked-kl",
    { type: "ppo", kl: { coefficient: 0.1 } },
    { critic: {}, updatesPerBatch: 2 },
    { maskTruncated: true },
  ],
  ["ppo-shared", { type: "ppo" }, { critic: { weights: "shared" }, updatesPerBatch: 1 }],
  [
    "kl-cov-entropy",
    { type: "kl-cov", entropy: { coefficient: 0.01, topQuantile: 0.5 } },
    { updatesPerBatch: 2, optimizer: { learningRate: 1e-2 } },
  ],
  [
    "grpo-adaptive",
    {
      type: "grpo",
      kl: { adaptive: { target: 1e-3, horizon: 40 } },
      entropy: { coefficient: 0.01, adaptive: { target: 9, step: 0.01, max: 1 } },
    },
    { updatesPerBatch: 1, optimizer: { learningRate: 1e-2 } },
  ],
  ["dapo-masked", { type: "dapo", dualClip: 3 }, { updatesPerBatch: 2 }, { maskTruncated: true }],
];

describe.each(settings)("%s", (name, algorithm, more, rollout) => {
  it("every step's loss and advantages come out of its log", async () => {
    const loaded = await openRun(await trained(name, algorithm, more, rollout));
    const stage = rlStageOf(loaded.recipe);
    const steps = await loggedSteps(loaded, stage);
    expect(steps).toEqual([1, 2, 3]);
    let moved = 0;
    for (const step of steps) {
      const { comparisons, advantagesAgree, anatomy } = explainStep(stage, await readStep(loaded, stage, step));
      // The value loss of a shared critic is in the recorded loss, and its values are not in the log.
      const names = name === "ppo-shared" ? ["policy_loss"] : ["policy_loss", "loss"];
      expect(comparisons.map((one) => one.name)).toEqual(names);
      for (const { name: metric, recorded, recomputed, agrees } of comparisons) {
        // Both are sums of the same float64 terms, at most in another order.
        expect(recomputed, `${metric} of step ${step}`).toBeCloseTo(recorded, 10);
        expect(agrees).toBe(true);
      }
      expect(advantagesAgree).toBe(true);
      moved += anatomy.survey.numMoving;
    }
    expect(moved).toBeGreaterThan(50);
  });
});

it("a loss that is not the recorded one is named", async () => {
  const loaded = await openRun(join(work, "dapo-four-updates"));
  const stage = rlStageOf(loaded.recipe);
  const step = await readStep(loaded, stage, 2);
  const other = { ...step, options: { ...step.options, objective: createObjective({ type: "drgrpo" }) } };
  const { comparisons, advantagesAgree } = explainStep(stage, other);
  expect(comparisons.map(({ agrees }) => agrees)).toEqual([false, false]);
  expect(advantagesAgree).toBe(false);
});

describe("in weight space", () => {
  let engine: NativeEngine;
  let step: RunStep;
  let model: string;
  beforeAll(async () => {
    const loaded = await openRun(join(work, "dapo-four-updates"));
    const stage = rlStageOf(loaded.recipe);
    step = await readStep(loaded, stage, 3);
    model = join(loaded.path, "checkpoints/rl-step-000002/model");
    engine = await openNativeEngine({ modelDir: model, device: "cpu", numThreads: 1 });
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  async function gradientsOf(spec: ObjectiveSpec): Promise<Map<Sequence, TokenGradient>> {
    const current = await policyOutputs(engine, step.logged, {});
    const options = { ...step.options, objective: createObjective(spec), updatesPerBatch: 1 };
    const [update] = recompute(step.logged, options, current).updates;
    const pairs = update!.batch.examples.map(({ sequence }, i) => [sequence, update!.losses[i]?.gradient] as const);
    return new Map(pairs.filter((pair): pair is [Sequence, TokenGradient] => pair[1] !== undefined));
  }

  /** The whole gradient by the weights, tensor after tensor. */
  async function weightsGradient(gradient: ReadonlyMap<Sequence, TokenGradient>): Promise<number[]> {
    const examples = [...gradient.keys()].map((sequence) => {
      const none = new Float32Array(sequence.tokenIds.length);
      return { sequence, group: 0, reward: 0, advantages: none, weights: none, old: { logprobs: none } };
    });
    const loss = ({ sequence }: { sequence: Sequence }) => ({
      loss: 0,
      gradient: gradient.get(sequence)!,
      metrics: {},
    });
    await engine.forwardBackward(examples, loss);
    const numbers: number[] = [];
    for (const name of ["model.embed_tokens.weight", "model.norm.weight", ...[0, 1].flatMap(tensorsOfLayer)])
      numbers.push(...(await engine.gradient(name))!);
    await engine.optimStep({ learningRate: 0, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, maxGradNorm: 1 });
    return numbers;
  }

  const tensorsOfLayer = (layer: number) =>
    [
      ...["q_proj", "k_proj", "v_proj"].flatMap((name) => [`self_attn.${name}.weight`, `self_attn.${name}.bias`]),
      ...["self_attn.o_proj.weight", "mlp.gate_proj.weight", "mlp.up_proj.weight", "mlp.down_proj.weight"],
      ...["input_layernorm.weight", "post_attention_layernorm.weight"],
    ].map((name) => `model.layers.${layer}.${name}`);

  it("cosines and norms are those of the gradient's own numbers", async () => {
    const [a, b] = [await gradientsOf({ type: "dapo" }), await gradientsOf({ type: "drgrpo" })];
    const { gradNorms, cosines } = await weightSpace(engine, [a, b], {});
    const [ofA, ofB] = [await weightsGradient(a), await weightsGradient(b)];
    const dot = (x: readonly number[], y: readonly number[]) => x.reduce((sum, value, i) => sum + value * y[i]!, 0);
    expect(ofA.length).toBe(engine.info.numParameters);
    expect(gradNorms[0]! / Math.sqrt(dot(ofA, ofA))).toBeCloseTo(1, 5);
    expect(gradNorms[1]! / Math.sqrt(dot(ofB, ofB))).toBeCloseTo(1, 5);
    const direct = dot(ofA, ofB) / Math.sqrt(dot(ofA, ofA) * dot(ofB, ofB));
    expect(direct).toBeLessThan(0.999);
    expect(cosines[0]![1]).toBeCloseTo(direct, 4);
    expect(cosines[1]![0]).toBe(cosines[0]![1]);
  });

  it("an objective is parallel to itself and to a thousandth of itself, and opposite to its negative; the weights stay", async () => {
    const a = await gradientsOf({ type: "dapo" });
    const times = (factor: number) =>
      new Map([...a].map(([sequence, { dLogprobs }]) => [sequence, { dLogprobs: dLogprobs.map((d) => factor * d) }]));
    const before = await engine.weightsHash();
    const { gradNorms, cosines } = await weightSpace(engine, [a, times(1e-3), times(-1), times(0)], {});
    expect(await engine.weightsHash()).toBe(before);
    expect(gradNorms[1]! / gradNorms[0]!).toBeCloseTo(1e-3, 8);
    expect(cosines[0]![1]).toBeCloseTo(1, 5);
    expect(cosines[0]![2]).toBeCloseTo(-1, 5);
    expect([gradNorms[3], cosines[0]![3], cosines[3]![3]]).toEqual([0, null, null]);
  });
});
