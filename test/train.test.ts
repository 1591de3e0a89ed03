/** The loop itself, on a bigram model: it learns, and counts, samples and saves what it says. */
import { describe, expect, it } from "vitest";
import { noAudit } from "../src/audit/history.ts";
import { firstContext } from "../src/context-schedule.ts";
import { createPromptSource } from "../src/dataset/prompt-source.ts";
import type { Evaluation } from "../src/evaluate.ts";
import { noControls } from "../src/objectives/control.ts";
import { createObjective, type ObjectiveSpec } from "../src/objectives/create.ts";
import type { Objective } from "../src/objectives/objective.ts";
import { silentReporter } from "../src/progress.ts";
import { type RlStage, rlStage } from "../src/recipe/schema.ts";
import type { GroupRequest, PolicyServer } from "../src/server/server.ts";
import { type LoopState, type TrainContext, train } from "../src/train.ts";
import type { Completion, Group, Prompt, ScoredGroup, TokenOutputs } from "../src/types.ts";
import { TableEngine } from "./server/table-engine.ts";

const WANTED = 3;
const MAX_TOKENS = 6;
const prompts: Prompt[] = Array.from({ length: 5 }, (_, i) => ({
  id: `p${i}`,
  text: String(i),
  tokenIds: [1, 4 + i],
  prefill: "",
  answer: null,
  fields: {},
}));

/** Samples from the engine as the embedded server does, and keeps what it was asked. */
class DirectServer implements PolicyServer {
  readonly info = { url: "memory:", version: "test", model: "table", maxModelLen: 64 };
  readonly requests: GroupRequest[] = [];
  private readonly engine: TableEngine;

  constructor(engine: TableEngine) {
    this.engine = engine;
  }

  get policyVersion(): number {
    return this.engine.policyVersion;
  }

  async sample(request: GroupRequest): Promise<Completion[]> {
    this.requests.push(request);
    const { prompt, numCompletions, seed, params } = request;
    const results = await this.engine.sample(
      Array.from({ length: numCompletions }, (_, i) => ({ promptTokenIds: prompt.tokenIds, seed: seed + i, params })),
    );
    return results.map((result) => ({ ...result, text: result.tokenIds.join(" ") }));
  }

  async publish(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}
}

/** The share of the wanted token. */
async function shareOfWanted(groups: readonly Group[]): Promise<ScoredGroup[]> {
  return groups.map((group) => ({
    ...group,
    rewards: group.rollouts.map(({ completion: { tokenIds } }) => {
      const score = tokenIds.filter((id) => id === WANTED).length / tokenIds.length;
      return { total: score, outcomes: { share: { status: "scored" as const, score } } };
    }),
  }));
}

interface Setup {
  readonly algorithm?: ObjectiveSpec;
  readonly stage?: Partial<RlStage>;
  readonly rollout?: Partial<RlStage["rollout"]>;
  readonly context?: Partial<TrainContext>;
  readonly engine?: TableEngine;
  readonly start?: LoopState;
}

function setUp({ algorithm = { type: "grpo" }, stage = {}, rollout = {}, context = {}, engine, start }: Setup) {
  const table = engine ?? new TableEngine({ vocabSize: 10, seed: 5 });
  const server = new DirectServer(table);
  const parsed = rlStage.parse({
    type: "rl",
    data: { type: "task", task: "arithmetic", size: 1 },
    rewards: { functions: ["accuracy"] },
    algorithm,
    rollout: { promptsPerStep: 4, groupSize: 4, sampling: { maxTokens: MAX_TOKENS } },
    steps: 4,
    optimizer: { learningRate: 0.5 },
  });
  const records: Readonly<Record<string, unknown>>[] = [];
  const saved: { state: LoopState; isBest: boolean }[] = [];
  const full: RlStage = { ...parsed, ...stage, rollout: { ...parsed.rollout, ...rollout } };
  const source = createPromptSource({ prompts, spec: full.rollout.prompts, seed: 9, start: start?.prompts });
  const run = () =>
    train(
      {
        name: "rl",
        stage: full,
        seed: 11,
        engine: table,
        server,
        objective: createObjective(full.algorithm),
        source,
        params: { ...full.rollout.sampling, stopTokenIds: [0] },
        score: shareOfWanted,
        evaluate: null,
        publish: async () => {},
        save: async (state, isBest) => void saved.push({ state, isBest }),
        record: async (record) => void records.push(record),
        logRollouts: async () => {},
        reporter: silentReporter,
        stopRequested: () => false,
        ...context,
      },
      start ?? {
        step: 0,
        numUpdates: 0,
        numSkippedUpdates: 0,
        numSamples: 0,
        numTokens: 0,
        prompts: source.state(),
        context: firstContext,
        controls: noControls,
        audit: noAudit,
        bestScore: null,
      },
    );
  return { engine: table, server, records, saved, run };
}

const objectives: ObjectiveSpec[] = [
  { type: "grpo" },
  { type: "dapo" },
  { type: "drgrpo" },
  { type: "reinforce" },
  { type: "rloo", kl: { coefficient: 0.05, estimator: "k1", placement: "reward" } },
];

describe("the loop learns", () => {
  it.each(objectives)("with $type the wanted token becomes frequent", async (algorithm) => {
    // Steps of equal length: objectives differ in the scale of their gradients.
    const optimizer = rlStage.shape.optimizer.parse({ learningRate: 60, maxGradNorm: 0.05 });
    const { run, records } = setUp({ algorithm, stage: { steps: 40, optimizer }, rollout: { groupSize: 8 } });
    await run();
    const rewards = records.map((record) => Number(record["reward"]));
    const meanOf = (part: number[]) => part.reduce((a, b) => a + b) / part.length;
    expect(meanOf(rewards.slice(-5))).toBeGreaterThan(meanOf(rewards.slice(0, 5)) + 0.2);
  });
});

describe("the loop counts", () => {
  it("steps, updates, samples and tokens", async () => {
    const { run, records } = setUp({ stage: { steps: 3, updatesPerBatch: 2, epochsPerBatch: 2 } });
    const { state, interrupted } = await run();
    expect(interrupted).toBe(false);
    expect(state).toMatchObject({ step: 3, numUpdates: 12, numSkippedUpdates: 0, numSamples: 48 });
    expect(records.at(-1)!["num_tokens"]).toBe(state.numTokens);
    expect(records.map((record) => record["step"])).toEqual([1, 2, 3]);
  });

  it("the policy's loss is the whole loss where nothing else acts, also when groups are at rest", async () => {
    // The first half of the groups teaches nothing.
    const score = async (groups: readonly Group[]) =>
      (await shareOfWanted(groups)).map((group, g) =>
        g < 2 ? { ...group, rewards: group.rewards.map((reward) => ({ ...reward, total: 1 })) } : group,
      );
    const { run, records } = setUp({ algorithm: { type: "dapo" }, stage: { updatesPerBatch: 2 }, context: { score } });
    await run();
    for (const { frac_reward_zero_std: rest, loss, policy_loss: policyLoss } of records) {
      expect(Number(rest)).toBeGreaterThanOrEqual(0.5);
      expect(policyLoss).toBeCloseTo(Number(loss), 12);
    }
  });

  it("a skipped update is counted and does not advance the schedule", async () => {
    class Broken extends TableEngine {
      calls = 0;
      override async optimStep(adam: Parameters<TableEngine["optimStep"]>[0]) {
        if (++this.calls === 2) return { gradNorm: Number.NaN, skipped: true };
        return super.optimStep(adam);
      }
    }
    const engine = new Broken({ vocabSize: 10, seed: 5 });
    const optimizer = rlStage.shape.optimizer.parse({ learningRate: 1, warmupSteps: 10 });
    const { run, records } = setUp({ engine, stage: { optimizer } });
    const { state } = await run();
    expect(state).toMatchObject({ step: 4, numUpdates: 3, numSkippedUpdates: 1 });
    expect(records.map((record) => record["learning_rate"])).toEqual([0, 0.1, 0.1, 0.2]);
  });

  it("a critic whose gradient stays broken stops the run, although the policy's is whole", async () => {
    const withZeros = <Outputs extends TokenOutputs>(outputs: Outputs) => ({
      ...outputs,
      values: new Float32Array(outputs.logprobs.length),
    });
    class BrokenCritic extends TableEngine {
      override async forward(...args: Parameters<TableEngine["forward"]>) {
        return (await super.forward(...args)).map(withZeros);
      }
      override forwardBackward(...[examples, loss]: Parameters<TableEngine["forwardBackward"]>) {
        return super.forwardBackward(examples, (example, outputs) => loss(example, withZeros(outputs)));
      }
      override async optimStep() {
        return { gradNorm: Number.NaN, skipped: true };
      }
    }
    const { run, records } = setUp({
      algorithm: { type: "ppo" },
      stage: { critic: { weights: "own" } },
      context: { criticEngine: new BrokenCritic({ vocabSize: 10, seed: 6 }) },
    });
    await expect(run()).rejects.toThrow(
      /^The critic's gradient was not finite in 3 optimizer steps in a row.*the critic of stage rl/,
    );
    expect(records).toHaveLength(3);
    expect(records.map((record) => Number.isFinite(record["grad_norm"]))).toEqual([true, true, true]);
  });
});

describe("the loop samples", () => {
  it("no two completions of a run with one seed, refilled batches included", async () => {
    // Odd groups of every round teach nothing, so that each step needs several rounds.
    const score = async (groups: readonly Group[]) =>
      (await shareOfWanted(groups)).map((group, g) =>
        g % 2 === 1 ? { ...group, rewards: group.rewards.map((reward) => ({ ...reward, total: 0 })) } : group,
      );
    const { run, server, records } = setUp({
      rollout: { dynamicSampling: { maxBatches: 20, minInformativeShare: 1, refill: true } },
      context: { score },
    });
    await run();
    const seeds = server.requests.flatMap(({ seed, numCompletions }) =>
      Array.from({ length: numCompletions }, (_, i) => seed + i),
    );
    expect(new Set(seeds).size).toBe(seeds.length);
    expect(Math.max(...seeds)).toBeLessThan(Number.MAX_SAFE_INTEGER);
    for (const record of records) {
      expect(record["frac_reward_zero_std"]).toBe(0);
      expect(Number(record["dynamic_sampling/groups_per_trained_group"])).toBeGreaterThanOrEqual(1.75);
    }
  });

  it("a batch ahead, with prefetch: one policy old from the second step on, and the saved cursor does not run ahead", async () => {
    const seen: number[][] = [];
    const { run, server, saved } = setUp({
      rollout: { prefetch: 1 },
      stage: { checkpoint: { everySteps: 1, keep: 9 } },
      context: {
        logRollouts: async (_, groups) =>
          void seen.push(groups.flatMap((group) => group.rollouts.map(({ completion }) => completion.policyVersion))),
      },
    });
    await run();
    expect(seen.map((versions) => [...new Set(versions)])).toEqual([[0], [0], [1], [2]]);
    expect(server.requests.length).toBe(16);
    // 4 of 5 prompts a step.
    expect(saved.map(({ state }) => state.prompts.cursor)).toEqual([
      { epoch: 0, position: 4 },
      { epoch: 1, position: 3 },
      { epoch: 2, position: 2 },
      { epoch: 3, position: 1 },
    ]);
  });
});

describe("the loop's reference", () => {
  const klOf = async (refreshReferenceEverySteps: number | undefined) => {
    const { run, records } = setUp({ stage: { refreshReferenceEverySteps, epochsPerBatch: 1 } });
    await run();
    return records.map((record) => Number(record["kl"]));
  };

  it("stays frozen, or is the policy again after every refresh", async () => {
    const frozen = await klOf(undefined);
    expect(frozen[0]).toBe(0);
    expect(Math.min(...frozen.slice(1))).toBeGreaterThan(0);
    const refreshed = await klOf(2);
    expect(refreshed[1]).toBe(frozen[1]);
    expect(refreshed[2]).toBe(0);
    expect(refreshed[3]).toBeGreaterThan(0);
  });

  it("is not refreshed where the objective reads none: its engine keeps none", async () => {
    class NoReference extends TableEngine {
      override async refreshReference(): Promise<void> {
        throw new Error("opened without a reference");
      }
    }
    const engine = new NoReference({ vocabSize: 10, seed: 5 });
    const { run } = setUp({ engine, algorithm: { type: "dapo" }, stage: { refreshReferenceEverySteps: 1 } });
    expect((await run()).state.step).toBe(4);
  });
});

describe("the loop's contexts", () => {
  const contextSchedule = [
    { maxTokens: 9, groupSize: 8, afterStep: 2 },
    { maxTokens: 12, whenTruncated: { above: 0, overSteps: 2 } },
  ];

  it("servers, rewards and the objective's length constant see the limit of the step, also a step ahead", async () => {
    for (const prefetch of [0, 1] as const) {
      const limits: [number, number][] = [];
      const score = async (groups: readonly Group[], maxTokens: number) => {
        limits.push([groups[0]!.rollouts.length, maxTokens]);
        return shareOfWanted(groups);
      };
      const notes: string[] = [];
      const plain = createObjective({ type: "drgrpo" });
      const constants: number[] = [];
      const objective: Objective = {
        ...plain,
        loss: (example, outputs, batch) => {
          if (constants.at(-1) !== batch.maxCompletionTokens) constants.push(batch.maxCompletionTokens);
          return plain.loss(example, outputs, batch);
        },
      };
      const { run, server, records } = setUp({
        rollout: { contextSchedule, prefetch },
        stage: { steps: 6 },
        context: { score, objective, reporter: { ...silentReporter, note: (sentence) => void notes.push(sentence) } },
      });
      await run();
      expect(constants).toEqual([6, 9, 12]);
      const expected = [
        [4, 6],
        [4, 6],
        [8, 9],
        [8, 9],
        [8, 12],
        [8, 12],
      ];
      expect(limits).toEqual(expected);
      const asked = server.requests.filter((_, i) => i % 4 === 0);
      expect(asked.map(({ numCompletions, params }) => [numCompletions, params.maxTokens])).toEqual(expected);
      expect(records.map((record) => [record["rollout/group_size"], record["rollout/max_tokens"]])).toEqual(expected);
      expect(records.at(-1)!["num_samples"]).toBe(2 * 16 + 4 * 32);
      expect(notes[0]).toMatch(/^From step 3 on, stage rl samples 8 completions per prompt of at most 9 tokens/);
    }
  });

  it("a longer limit cuts fewer completions off, while weights, optimizer and step go on", async () => {
    const growing = [
      { maxTokens: 12, afterStep: 4 },
      { maxTokens: 24, afterStep: 8 },
    ];
    const { run, records, engine } = setUp({
      rollout: { contextSchedule: growing, groupSize: 16 },
      stage: { steps: 12, optimizer: rlStage.shape.optimizer.parse({ learningRate: 1e-3 }) },
    });
    const { state } = await run();
    const share = (from: number) =>
      records.slice(from, from + 4).reduce((sum, record) => sum + Number(record["completions/clipped_ratio"]), 0) / 4;
    expect(share(4)).toBeLessThan(share(0));
    expect(share(8)).toBeLessThan(share(4));
    expect(records.map((record) => record["policy_version"])).toEqual(records.map((_, i) => i + 1));
    expect(state.numUpdates).toBe(12);
    expect(engine.policyVersion).toBe(12);
  });
});

describe("a greedy baseline", () => {
  it("is one more completion per prompt, at temperature 0: scored, given to the objective, counted, never trained", async () => {
    const plain = createObjective({ type: "reinforce" });
    const seen: { readonly greedyReward: number | null | undefined; readonly numRollouts: number }[] = [];
    const objective: Objective = {
      ...plain,
      needs: ["greedyReward"],
      advantages: (groups, old, ref) => {
        for (const { greedyReward, rollouts } of groups) seen.push({ greedyReward, numRollouts: rollouts.length });
        return plain.advantages(groups, old, ref);
      },
    };
    // Greedy completions come last; those of p0 have no reward.
    const score = async (groups: readonly Group[]) =>
      (await shareOfWanted(groups)).map((group) => ({
        ...group,
        rewards: group.rewards.map((reward) =>
          group.rollouts.length > 1 ? reward : { ...reward, total: group.prompt.id === "p0" ? null : 0.25 },
        ),
      }));
    const { run, server, records } = setUp({ stage: { steps: 2 }, context: { objective, score } });
    const { state } = await run();
    const greedy = server.requests.filter(({ params }) => params.temperature === 0);
    expect(greedy.length).toBe(8);
    expect(greedy.every(({ numCompletions, exactLogprobs }) => numCompletions === 1 && exactLogprobs === false)).toBe(
      true,
    );
    const sampled = server.requests.filter(({ params }) => params.temperature !== 0);
    expect(sampled.map(({ prompt }) => prompt.id)).toEqual(greedy.map(({ prompt }) => prompt.id));
    expect(seen.length).toBe(8);
    seen.forEach(({ greedyReward, numRollouts }, i) => {
      expect(greedyReward).toBe(sampled[i]!.prompt.id === "p0" ? null : 0.25);
      expect(numRollouts).toBe(4);
    });
    expect(seen.some(({ greedyReward }) => greedyReward === null)).toBe(true);
    expect(state.numSamples).toBe(2 * 4 * (4 + 1));
    for (const record of records) {
      expect(record["greedy/reward"]).toBe(0.25);
      expect(record["dynamic_sampling/rollouts_per_trained_rollout"]).toBe(1.25);
      expect(Number(record["greedy/mean_length"])).toBeGreaterThanOrEqual(1);
    }
    // The ledger knows the policy's own samples alone.
    expect(state.prompts.ledger.samples.reduce((a, b) => a + b)).toBe(32);
  });

  it("is not sampled where the objective does not ask for it", async () => {
    const { run, server, records } = setUp({});
    await run();
    expect(server.requests.length).toBe(16);
    expect(records.some((record) => "greedy/reward" in record)).toBe(false);
  });
});

describe("the loop chooses prompts", () => {
  it("by what it saw: solved prompts are not sampled again", async () => {
    const isSolved = (prompt: Prompt) => prompt.id === "p1" || prompt.id === "p3";
    const score = async (groups: readonly Group[]) =>
      (await shareOfWanted(groups)).map((group) =>
        isSolved(group.prompt)
          ? { ...group, rewards: group.rewards.map((reward) => ({ ...reward, total: 1 })) }
          : group,
      );
    const online = { max: 1, ends: "open", over: "last", minSamples: 1 } as const;
    const { run, server, records } = setUp({
      rollout: { prompts: { online }, promptsPerStep: 5 },
      context: { score },
    });
    await run();
    const counts = prompts.map(({ id }) => server.requests.filter(({ prompt }) => prompt.id === id).length);
    expect(counts[1]).toBe(1);
    expect(counts[3]).toBe(1);
    expect(counts.reduce((a, b) => a + b)).toBe(20);
    expect(records.map((record) => record["prompts/dropped"])).toEqual([2, 2, 2, 2]);
    expect(records[0]!["solved_all"]).toBeGreaterThanOrEqual(0.4);
  });
});

describe("the loop chooses prompts a batch ahead", () => {
  it("by the steps collected so far: stopped and resumed, the same prompts are trained", async () => {
    const solved = new Set(["p0", "p3"]);
    const score = async (groups: readonly Group[]) =>
      (await shareOfWanted(groups)).map((group) => ({
        ...group,
        rewards: group.rewards.map((reward, i) => ({
          ...reward,
          total: solved.has(group.prompt.id) || i === 0 ? 1 : 0,
        })),
      }));
    const rollout = { prefetch: 1, promptsPerStep: 3, prompts: { easyPool: { share: 0.1 } } } as const;
    const runTo = async (stopAfter: number, from?: { engine: TableEngine; start: LoopState }) => {
      const trained: string[][] = [];
      let steps = 0;
      const setup = setUp({
        rollout,
        stage: { steps: 12 },
        ...from,
        context: {
          score,
          logRollouts: async (_, groups) => void trained.push(groups.map(({ prompt }) => prompt.id)),
          reporter: { ...silentReporter, step: () => void steps++ },
          stopRequested: () => steps >= stopAfter,
        },
      });
      const { state } = await setup.run();
      return { trained, state, engine: setup.engine };
    };
    const whole = await runTo(99);
    expect(whole.trained.length).toBe(12);
    // Solved prompts are drawn less than the others, but drawn.
    const numSolved = whole.trained.flat().filter((id) => solved.has(id)).length;
    expect(numSolved).toBeGreaterThan(2);
    expect(numSolved).toBeLessThan(12);
    for (const stopAfter of [1, 2, 5]) {
      const first = await runTo(stopAfter);
      const start: LoopState = JSON.parse(JSON.stringify(first.state));
      const second = await runTo(99, { engine: first.engine, start });
      expect([...first.trained, ...second.trained]).toEqual(whole.trained);
      expect(second.state.prompts).toEqual(whole.state.prompts);
    }
  });
});

describe("the loop's controllers", () => {
  const algorithm: ObjectiveSpec = {
    type: "grpo",
    kl: { coefficient: 0.1, adaptive: { target: 1e-5, horizon: 100 } },
    entropy: { adaptive: { target: 100, step: 0.25, max: 0.6 } },
  };

  it("move coefficients by what the step before measured, and say what acted", async () => {
    const { run, records } = setUp({ algorithm });
    const { state } = await run();
    // far under the target: up by .25 each step, to .6
    expect(records.map((record) => record["entropy_coef"])).toEqual([0, 0.25, 0.5, 0.6]);
    expect(state.controls.entropy).toEqual({ coefficient: 0.6, acts: true });
    // the policy is its reference in the first step (a fall by 20 % of 16 / 100), and far from it later
    const kl = records.map((record) => Number(record["kl"]));
    expect(kl[0]).toBe(0);
    expect(Math.min(...kl.slice(1))).toBeGreaterThan(1.2e-5);
    const [down, up] = [1 - (0.2 * 16) / 100, 1 + (0.2 * 16) / 100];
    const coefficients = [0.1, 0.1 * down, 0.1 * down * up, 0.1 * down * up * up];
    expect(records.map((record) => record["kl_coef"])).toEqual(coefficients.map((value) => expect.closeTo(value, 12)));
    expect(state.controls.klCoefficient).toBeCloseTo(0.1 * down * up ** 3, 12);
  });

  it("act on the weights: an entropy far under its target rises, and without control it does not", async () => {
    const entropyAt = async (entropy: NonNullable<ObjectiveSpec["entropy"]>) => {
      const optimizer = rlStage.shape.optimizer.parse({ learningRate: 60, maxGradNorm: 0.05 });
      const { run, records } = setUp({
        algorithm: { type: "dapo", entropy },
        stage: { steps: 20, optimizer },
      });
      await run();
      return [Number(records[0]!["entropy"]), Number(records.at(-1)!["entropy"])] as const;
    };
    const [start, free] = await entropyAt({ coefficient: 1e-9 });
    const [same, held] = await entropyAt({ adaptive: { target: 2.2, step: 0.5, max: 5 } });
    expect(same).toBeCloseTo(start, 6);
    expect(free).toBeLessThan(start);
    expect(held).toBeGreaterThan(start + 0.1);
  });

  it("go on from a saved state with the numbers of a whole run", async () => {
    const strip = (records: readonly Readonly<Record<string, unknown>>[]) =>
      records.map((record) => Object.fromEntries(Object.entries(record).filter(([name]) => !name.startsWith("time/"))));
    const whole = setUp({ algorithm });
    await whole.run();
    let steps = 0;
    const reporter = { ...silentReporter, step: () => void steps++ };
    const first = setUp({ algorithm, context: { reporter, stopRequested: () => steps >= 2 } });
    await first.run();
    // as a checkpoint keeps it
    const state: LoopState = JSON.parse(JSON.stringify(first.saved.at(-1)!.state));
    const second = setUp({ algorithm, engine: first.engine, start: state });
    await second.run();
    expect(strip([...first.records, ...second.records])).toEqual(strip(whole.records));
    expect(await first.engine.weightsHash()).toBe(await whole.engine.weightsHash());
  });
});

describe("the loop saves", () => {
  it("the best by evaluation, and only a strictly better one", async () => {
    const scores = [0.1, 0.3, 0.3, 0.2, 0.5];
    const evaluate = async () =>
      ({
        metrics: {},
        passAtK: {},
        passAt1: scores.shift(),
        standardError: 0,
        consAtK: 0,
        numUnjudged: 0,
      }) as Evaluation;
    const spec = rlStage.shape.eval.parse({ data: { type: "task", task: "arithmetic", size: 1 }, everySteps: 1 });
    const { run, saved } = setUp({
      stage: { eval: spec, checkpoint: { everySteps: 3, keep: 2 } },
      context: { evaluate },
    });
    const { state } = await run();
    expect(saved.map((each) => [each.state.step, each.isBest])).toEqual([
      [1, true],
      [3, false],
      [4, true],
    ]);
    expect(state.bestScore).toBe(0.5);
  });

  it("what was trained when rewards or the server fail, and throws what failed", async () => {
    let calls = 0;
    const score = async (groups: readonly Group[]) => {
      if (++calls === 3) throw new Error("the reward broke");
      return shareOfWanted(groups);
    };
    const { run, saved } = setUp({ context: { score } });
    await expect(run()).rejects.toThrow("the reward broke");
    expect(saved.map(({ state }) => state.step)).toEqual([2]);

    const server = setUp({ context: { publish: () => Promise.reject(new Error("the server went away")) } });
    await expect(server.run()).rejects.toThrow("the server went away");
    expect(server.saved.map(({ state }) => state.step)).toEqual([1]);
    expect(server.records.length).toBe(1);
  });

  it.each([
    { what: "plain", rollout: {}, steps: 5, stopAfter: 2 },
    {
      what: "between two contexts, with a window, an easy pool and refills",
      rollout: {
        contextSchedule: [
          { maxTokens: 8, groupSize: 6, afterStep: 2 },
          { maxTokens: 10, whenTruncated: { above: 0, overSteps: 3 } },
        ],
        prompts: {
          online: { min: 0, max: 0.75, ends: "closed", over: "all", minSamples: 8 },
          easyPool: { share: 0.3 },
        },
        dynamicSampling: { maxBatches: 10, minInformativeShare: 0.5, refill: true },
      } satisfies Partial<RlStage["rollout"]>,
      steps: 8,
      stopAfter: 4,
    },
  ])(
    "and goes on from a saved state with the numbers of a whole run: $what",
    async ({ rollout, steps: numSteps, stopAfter }) => {
      const stage = { steps: numSteps, updatesPerBatch: 2 };
      const strip = (records: readonly Readonly<Record<string, unknown>>[]) =>
        records.map((record) =>
          Object.fromEntries(Object.entries(record).filter(([name]) => !name.startsWith("time/"))),
        );
      const whole = setUp({ stage, rollout });
      await whole.run();
      let steps = 0;
      const reporter = { ...silentReporter, step: () => void steps++ };
      const first = setUp({ stage, rollout, context: { reporter, stopRequested: () => steps >= stopAfter } });
      expect((await first.run()).interrupted).toBe(true);
      const { state } = first.saved.at(-1)!;
      const second = setUp({ engine: first.engine, stage, rollout, start: JSON.parse(JSON.stringify(state)) });
      await second.run();
      expect(strip([...first.records, ...second.records])).toEqual(strip(whole.records));
      expect(await first.engine.weightsHash()).toBe(await whole.engine.weightsHash());
    },
  );
});
