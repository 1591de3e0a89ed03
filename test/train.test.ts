/** The loop itself, on a bigram model: it learns, and counts, samples and saves what it says. */
import { describe, expect, it } from "vitest";
import { firstContext } from "../src/context-schedule.ts";
import { createPromptSource } from "../src/dataset/prompt-source.ts";
import type { Evaluation } from "../src/evaluate.ts";
import { createObjective, type ObjectiveSpec } from "../src/objectives/create.ts";
import { silentReporter } from "../src/progress.ts";
import { type RlStage, rlStage } from "../src/recipe/schema.ts";
import type { GroupRequest, PolicyServer } from "../src/server/server.ts";
import { type LoopState, type TrainContext, train } from "../src/train.ts";
import type { Completion, Group, Prompt, ScoredGroup } from "../src/types.ts";
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
});

describe("the loop samples", () => {
  it("no two completions of a run with one seed, refilled batches included", async () => {
    // Odd groups of every round teach nothing, so that each step needs several rounds.
    const score = async (groups: readonly Group[]) =>
      (await shareOfWanted(groups)).map((group, g) =>
        g % 2 === 1 ? { ...group, rewards: group.rewards.map((reward) => ({ ...reward, total: 0 })) } : group,
      );
    const { run, server, records } = setUp({
      rollout: { dynamicSampling: { maxBatches: 20, minInformativeShare: 1 } },
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

  it("and goes on from a saved state with the numbers of a whole run", async () => {
    const strip = (records: readonly Readonly<Record<string, unknown>>[]) =>
      records.map((record) => Object.fromEntries(Object.entries(record).filter(([name]) => !name.startsWith("time/"))));
    const whole = setUp({ stage: { steps: 5, updatesPerBatch: 2 } });
    await whole.run();
    let steps = 0;
    const reporter = { ...silentReporter, step: () => void steps++ };
    const first = setUp({
      stage: { steps: 5, updatesPerBatch: 2 },
      context: { reporter, stopRequested: () => steps >= 2 },
    });
    expect((await first.run()).interrupted).toBe(true);
    const { state } = first.saved.at(-1)!;
    const second = setUp({ engine: first.engine, stage: { steps: 5, updatesPerBatch: 2 }, start: state });
    await second.run();
    expect(strip([...first.records, ...second.records])).toEqual(strip(whole.records));
    expect(await first.engine.weightsHash()).toBe(await whole.engine.weightsHash());
  });
});
