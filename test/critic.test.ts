/** The critic in the loop: what it reports, what it learns alone, and that a shared trunk adds the two gradients. */
import { describe, expect, it } from "vitest";
import { anchoredLoss, assemble, makeBatch } from "../src/assemble.ts";
import { criticMetrics, type OwnCritic, withHeadRate, withValueLoss } from "../src/critic.ts";
import type { Engine } from "../src/engine/engine.ts";
import { EngineError } from "../src/engine/engine.ts";
import { createObjective, type ObjectiveSpec } from "../src/objectives/create.ts";
import { createRandom } from "../src/random.ts";
import { optimizer as optimizerSchema } from "../src/recipe/schema.ts";
import type { Example, Rollout, ScoredGroup } from "../src/types.ts";
import { type UpdateOptions, updatePolicy } from "../src/update.ts";
import { adam, hasNativeEngine, openTiny, sequenceOf } from "./engine/fixtures.ts";

const NUM_GROUPS = 12;
const optimizer = optimizerSchema.parse({ learningRate: 5e-3, maxGradNorm: 10 });

/** A prompt of one token, answers of 5 to 8: right where that token is even, so that a prompt says what to expect. */
function predictableGroups(step: number): ScoredGroup[] {
  return Array.from({ length: NUM_GROUPS }, (_, g) => {
    const rollouts = [0, 1].map((i): Rollout => {
      const sequence = sequenceOf(6 + ((step + g + i) % 4), 31 * step + 2 * g + i);
      sequence.tokenIds[0] = (step * NUM_GROUPS + g) % 20;
      const completion = {
        tokenIds: [],
        logprobs: new Float32Array(0),
        text: "",
        finishReason: "stop",
        policyVersion: 0,
      };
      return { sequence, completion: { ...completion, finishReason: "stop" } };
    });
    const total = rollouts[0]!.sequence.tokenIds[0]! % 2 === 0 ? 1 : 0;
    return {
      prompt: { id: `${g}`, text: "", tokenIds: [0], prefill: "", answer: null, fields: {} },
      rollouts,
      rewards: rollouts.map(() => ({ total, outcomes: {} })),
    };
  });
}

function optionsOf(
  engine: Engine,
  criticEngine: Engine,
  algorithm: ObjectiveSpec,
  isPretraining: boolean,
): UpdateOptions {
  const random = createRandom(1);
  const critic: OwnCritic = {
    weights: "own",
    engine: criticEngine,
    updatesPerBatch: 2,
    epochsPerBatch: 2,
    optimizer,
    headLearningRate: undefined,
    numUpdatesTotal: 1000,
    random: () => random.next(),
  };
  return {
    engine,
    objective: createObjective(algorithm),
    updatesPerBatch: 2,
    epochsPerBatch: 1,
    maskTruncated: false,
    correction: undefined,
    temperature: 1,
    maxCompletionTokens: 8,
    optimizer,
    critic,
    isPretraining,
    numUpdatesBefore: 0,
    numUpdatesTotal: 10,
    random: () => random.next(),
  };
}

describe.skipIf(!hasNativeEngine)("a critic of its own", () => {
  it("explains more than half of the variance after pretraining alone, while the policy's weights stay as they are", async () => {
    await using policy = await openTiny();
    await using critic = await openTiny({ valueHead: true });
    const before = await policy.weightsHash();
    const explained: number[] = [];
    for (let step = 0; step < 25; step++) {
      const update = await updatePolicy(predictableGroups(step), optionsOf(policy, critic, { type: "vc-ppo" }, true));
      expect(update.numUpdates).toBe(0);
      expect(update.gradNorms).toHaveLength(0);
      expect(update.criticGradNorms).toHaveLength(4);
      explained.push(update.metrics["critic/vf_explained_var"]!);
      expect(update.metrics).not.toHaveProperty("policy_loss");
    }
    expect(explained[0]).toBeCloseTo(0, 6);
    expect(explained.at(-1)!, `${explained}`).toBeGreaterThan(0.5);
    expect(await policy.weightsHash()).toBe(before);
    expect(policy.policyVersion).toBe(0);
    expect(critic.policyVersion).toBe(100);
  });

  it("learns beside the policy, and both report under verl's names", async () => {
    await using policy = await openTiny();
    await using critic = await openTiny({ valueHead: true });
    const hashes = [await policy.weightsHash(), await critic.weightsHash()];
    const { metrics, trained, numUpdates } = await updatePolicy(
      predictableGroups(0),
      optionsOf(policy, critic, { type: "ppo" }, false),
    );
    expect(numUpdates).toBe(2);
    for (const name of ["vf_loss", "vf_clipfrac", "vpred_mean", "grad_norm", "lr", "vf_explained_var"]) {
      expect(metrics[`critic/${name}`], name).toBeTypeOf("number");
    }
    for (const name of ["values", "returns", "advantages"]) expect(metrics).toHaveProperty([`critic/${name}/mean`]);
    expect(metrics["critic/returns/max"]).toBeCloseTo(1, 6);
    expect(metrics["critic/values/mean"]).toBe(0);
    expect(metrics["policy_loss"]).toBeTypeOf("number");
    expect(trained[0]![0]!.values).toHaveLength(trained[0]![0]!.returns!.length);
    expect(await policy.weightsHash()).not.toBe(hashes[0]);
    expect(await critic.weightsHash()).not.toBe(hashes[1]);
  });

  it("on-policy it leaves the policy's forward pass out, and the update is the same", async () => {
    const update = async (updatesPerBatch: number, isCounted: boolean) => {
      await using policy = await openTiny();
      await using critic = await openTiny({ valueHead: true });
      let numForward = 0;
      const forward: Engine["forward"] = (sequences, options) => {
        numForward++;
        return policy.forward(sequences, options);
      };
      const counted = new Proxy(policy, {
        get: (target, key) => {
          if (key === "forward") return forward;
          const value: unknown = Reflect.get(target, key, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
      const needs = isCounted ? [] : (["oldLogprobs"] as const);
      const options = optionsOf(counted, critic, { type: "ppo" }, false);
      const objective = { ...options.objective, needs: [...options.objective.needs, ...needs] };
      await updatePolicy(predictableGroups(0), { ...options, objective, updatesPerBatch });
      return { numForward, hash: await policy.weightsHash() };
    };
    const [without, beforehand] = [await update(1, true), await update(1, false)];
    expect(without.numForward).toBe(0);
    expect(beforehand.numForward).toBe(1);
    expect(without.hash).toBe(beforehand.hash);
    expect((await update(2, true)).numForward).toBe(1);
  });

  it("says which engine failed", async () => {
    await using critic = await openTiny({ valueHead: true, role: "critic" });
    const failing = critic.forward([{ ...sequenceOf(3, 1), tokenIds: Int32Array.of(1, 2, 999) }]);
    await expect(failing).rejects.toThrow(/^The critic's engine failed\. Expected token ids/);
    process.kill(critic.pid!, "SIGKILL");
    const ended = await critic.weightsHash().catch((error: unknown) => error);
    expect(ended).toBeInstanceOf(EngineError);
    expect(ended).toMatchObject({ fault: "crashed" });
    expect(String(ended)).toMatch(/The critic's engine failed\. The engine process \(pid \d+\) was ended by SIGKILL/);
  });
});

describe.skipIf(!hasNativeEngine)("a critic on the policy's trunk", () => {
  it("adds its gradient, times the coefficient, to the policy's in one pass", async () => {
    await using engine = await openTiny({ valueHead: true });
    // A head of zeros hides the trunk: one step of the value loss alone gives it weights.
    const objective = createObjective({ type: "ppo" });
    const groups = predictableGroups(0);
    const learner = objective.critic!;
    const examplesOf = async () => {
      const old = await Promise.all([engine.forward(groups.flatMap(sequencesOf), { values: true })]);
      const rows = groups.map((_, g) => old[0]!.slice(2 * g, 2 * g + 2));
      return assemble(groups, rows, undefined, objective);
    };
    const first = await examplesOf();
    const firstBatch = makeBatch(first, 8);
    await engine.forwardBackward(first, (one, outputs) => learner.loss(one, outputs, firstBatch), { values: true });
    await engine.optimStep(adam);

    const examples = await examplesOf();
    const batch = makeBatch(examples, 8);
    const policyLoss = anchoredLoss(objective, batch);
    const losses = {
      policy: policyLoss,
      value: (one: Example, outputs: Parameters<typeof policyLoss>[1]) => learner.loss(one, outputs, batch),
      both: withValueLoss(policyLoss, learner, 0.3, batch),
    };
    const names = ["model.layers.0.self_attn.q_proj.weight", "model.embed_tokens.weight", "value_head.weight"];
    const gradients: Record<string, Float32Array[]> = {};
    const totals: Record<string, number> = {};
    for (const [kind, loss] of Object.entries(losses)) {
      const results = await engine.forwardBackward(examples, loss, { values: true });
      totals[kind] = results.reduce((sum, own) => sum + own.loss, 0);
      gradients[kind] = await Promise.all([]);
      for (const name of names) {
        const size = 61 * 32;
        gradients[kind].push((await engine.gradient(name)) ?? new Float32Array(size));
      }
      await engine.optimStep({ ...adam, learningRate: 0, weightDecay: 0 });
    }
    expect(totals["both"]).toBeCloseTo(totals["policy"]! + 0.3 * totals["value"]!, 12);
    names.forEach((name, n) => {
      const [ofPolicy, ofValue, ofBoth] = [gradients["policy"]![n]!, gradients["value"]![n]!, gradients["both"]![n]!];
      const scale = ofBoth.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(scale, name).toBeGreaterThan(0);
      ofBoth.forEach((value, i) => {
        expect(Math.abs(value - ofPolicy[i]! - 0.3 * ofValue[i]!), `${name} ${i}`).toBeLessThan(1e-5 * scale);
      });
    });
  });
});

function sequencesOf({ rollouts }: ScoredGroup) {
  return rollouts.map(({ sequence }) => sequence);
}

describe("what a critic reports", () => {
  const exampleOf = (values: readonly number[], returns: readonly number[]): Example => ({
    sequence: { ...sequenceOf(values.length + 1, 1) },
    group: 0,
    reward: 0,
    advantages: Float32Array.of(0, ...returns.map((target, t) => target - values[t]!)),
    weights: new Float32Array(values.length + 1).fill(1),
    returns: Float32Array.of(0, ...returns),
    old: { logprobs: new Float32Array(values.length + 1), values: Float32Array.of(9, ...values) },
  });

  it("explained variance by hand, over all examples together", () => {
    // returns 1, 1, 0, 0: variance 1/4; errors .25, .75, -.25, -.75: variance .3125
    const metrics = criticMetrics([exampleOf([0.75, 0.25], [1, 1]), exampleOf([0.25, 0.75], [0, 0])]);
    expect(metrics["critic/vf_explained_var"]).toBeCloseTo(1 - 0.3125 / 0.25, 6);
    expect(metrics["critic/values/mean"]).toBeCloseTo(0.5, 6);
    expect(metrics["critic/returns/max"]).toBe(1);
    expect(metrics["critic/advantages/min"]).toBe(-0.75);
    const swapped = criticMetrics([exampleOf([0.75, 0.25, 0.25, 0.75], [1, 1, 0, 0])]);
    expect(swapped["critic/vf_explained_var"]).toBeCloseTo(metrics["critic/vf_explained_var"]!, 12);
  });

  it("perfect values explain all of it, and equal returns have nothing to explain", () => {
    expect(criticMetrics([exampleOf([0.5, -1], [0.5, -1])])["critic/vf_explained_var"]).toBe(1);
    expect(criticMetrics([exampleOf([0.5, -1], [1, 1])])).not.toHaveProperty(["critic/vf_explained_var"]);
    expect(criticMetrics([])).toEqual({});
  });

  it("the head's rate follows the schedule of the other weights", () => {
    expect(withHeadRate({ ...adam, learningRate: 1e-4 }, { ...optimizer, learningRate: 1e-3 }, 1e-2)).toMatchObject({
      learningRate: 1e-4,
      valueLearningRate: expect.closeTo(1e-3, 12),
    });
    expect(withHeadRate(adam, optimizer)).toBe(adam);
  });
});
