/** One simulated dataset under six strategies: what a useful gradient costs in rollouts, and that every rollout is accounted for. */
import { describe, expect, it } from "vitest";
import { createPromptSource } from "../src/dataset/prompt-source.ts";
import { createRandom, seedFrom } from "../src/random.ts";
import { type RolloutSpec, rollout } from "../src/recipe/schema.ts";
import { type Collected, collect, sampleGroups, samplingMetrics } from "../src/rollout.ts";
import type { GroupRequest, PolicyServer } from "../src/server/server.ts";
import type { Completion, Group, Prompt, ScoredGroup } from "../src/types.ts";

/** Solves a prompt with the probability in its field `rate`, right is "1", by seed. */
class BernoulliServer implements PolicyServer {
  readonly info = { url: "memory:", version: "test", model: "m", maxModelLen: 64 };
  readonly policyVersion = 0;
  async sample({ prompt, numCompletions, seed }: GroupRequest): Promise<Completion[]> {
    return Array.from({ length: numCompletions }, (_, i) => {
      const isRight = createRandom(seedFrom(seed + i)).next() < Number(prompt.fields["rate"]);
      return {
        tokenIds: [isRight ? 1 : 0],
        logprobs: Float32Array.of(-0.5),
        text: isRight ? "1" : "0",
        finishReason: "stop" as const,
        policyVersion: 0,
      };
    });
  }
  async publish(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}
}

async function score(groups: readonly Group[]): Promise<ScoredGroup[]> {
  return groups.map((group) => ({
    ...group,
    rewards: group.rollouts.map(({ completion }) => {
      const value = Number(completion.text);
      return { total: value, outcomes: { accuracy: { status: "scored" as const, score: value } } };
    }),
  }));
}

function promptsAt(rates: readonly number[]): Prompt[] {
  return rates.map((rate, i) => ({
    id: `p${i}`,
    text: String(i),
    tokenIds: [1, i],
    prefill: "",
    answer: null,
    fields: { rate, difficulty: 1 - rate },
  }));
}

const params = { temperature: 1, topP: 1, topK: 0, minP: 0, maxTokens: 8, stopTokenIds: [] };

/** Collects `numSteps` steps under a recipe's `rollout`. */
async function simulate(prompts: readonly Prompt[], input: object, numSteps: number, seed: number) {
  const spec: RolloutSpec = rollout.parse({
    promptsPerStep: 8,
    groupSize: 8,
    sampling: { maxTokens: 8 },
    ...input,
  });
  const source = createPromptSource({ prompts, spec: spec.prompts, seed });
  const server = new BernoulliServer();
  const steps: Collected[] = [];
  for (let step = 0; step < numSteps; step++) {
    const first = seedFrom(seed, "rollout", step);
    const collected = await collect({
      promptsPerStep: spec.promptsPerStep,
      dynamicSampling: spec.dynamicSampling,
      nextPrompts: (count) => Array.from({ length: count }, () => source.next(step)),
      sample: (chosen, firstGroup) =>
        sampleGroups(server, chosen, {
          groupSize: spec.groupSize,
          params,
          seedOf: (i) => first + (firstGroup + i) * spec.groupSize,
        }),
      score,
    });
    source.observe(collected.sampled);
    steps.push(collected);
  }
  return { steps, source, spec };
}

const isMixed = (group: { readonly rewards: ScoredGroup["rewards"] }) =>
  new Set(group.rewards.map(({ total }) => total)).size > 1;

describe("dynamic sampling", () => {
  it("with pass rates 0, 0, 0.5 and 1 every trained group is mixed and every batch exact", async () => {
    const dynamicSampling = { maxBatches: 10 };
    const { steps } = await simulate(promptsAt([0, 0, 0.5, 1]), { dynamicSampling }, 20, 1);
    for (const { groups, sampled, leftOut } of steps) {
      expect(groups.length).toBe(8);
      expect(groups.every(isMixed)).toBe(true);
      expect(groups.length + leftOut.allRight + leftOut.allWrong + leftOut.excluded + leftOut.surplus).toBe(
        sampled.length,
      );
      expect(leftOut.allWrong).toBeGreaterThan(leftOut.allRight);
    }
  });

  it("stops after 10 batches without a mixed group, and says why", async () => {
    const dynamicSampling = { maxBatches: 10 };
    await expect(simulate(promptsAt([0, 0, 1]), { dynamicSampling }, 1, 1)).rejects.toThrow(
      /found 0 of 8 informative groups in 80 groups of 10 batches\. 100 % of groups \(80 of 80\) have zero variance/,
    );
  });
});

/** Half of the rows are solved or hopeless; the rest lies between. */
const rates = Array.from({ length: 64 }, (_, i) => [0, 0, 1, 1, 0.25, 0.5, 0.5, 0.75][i % 8]!);

const strategies: readonly { readonly name: string; readonly rollout: object }[] = [
  { name: "all prompts", rollout: {} },
  {
    name: "offline window",
    rollout: { prompts: { window: { column: "rate", min: 0.25, max: 0.625, ends: "closed" } } },
  },
  { name: "history resampling", rollout: { prompts: { online: { max: 1, ends: "open" } } } },
  { name: "easy pool", rollout: { prompts: { easyPool: { share: 0.1 } } } },
  {
    name: "curriculum",
    rollout: {
      prompts: {
        curriculum: {
          type: "stages",
          column: "difficulty",
          stages: [
            { afterStep: 0, max: 0.5 },
            { afterStep: 20, min: 0.25 },
          ],
        },
      },
    },
  },
  { name: "dynamic sampling", rollout: { dynamicSampling: {} } },
];

describe("six strategies on one dataset", () => {
  it("every rollout is trained or left out for a reason, and each strategy costs less per mixed group than none", async () => {
    const seed = 7;
    const costs: Record<string, number> = {};
    for (const strategy of strategies) {
      const { steps, source } = await simulate(promptsAt(rates), strategy.rollout, 40, seed);
      const sum = (count: (step: Collected) => number) => steps.reduce((total, step) => total + count(step), 0);
      const numSampled = sum(({ sampled }) => sampled.length);
      const numTrained = sum(({ groups }) => groups.length);
      const numLeftOut = sum(
        ({ leftOut: { allRight, allWrong, excluded, surplus } }) => allRight + allWrong + excluded + surplus,
      );
      expect(numTrained + numLeftOut).toBe(numSampled);
      expect(numTrained).toBe(40 * 8);
      const numRollouts = sum(({ evidence }) => evidence.numRollouts);
      expect(numRollouts).toBe(8 * numSampled);
      // The ledger counted every judged rollout once.
      expect(source.state().ledger.samples.reduce((a, b) => a + b)).toBe(numRollouts);
      const numMixed = sum(({ groups }) => groups.filter(isMixed).length);
      costs[strategy.name] = numRollouts / numMixed;
    }
    const { "all prompts": plain, ...others } = costs;
    const table = Object.entries(costs).map(([name, cost]) => `${name}: ${cost.toFixed(1)}`);
    console.info(`Rollouts per mixed group that was trained (seed ${seed}): ${table.join(", ")}`);
    // A mixed group has 8 rollouts: nothing can cost less.
    for (const [name, cost] of Object.entries(others)) {
      expect(cost, `${name} (seed ${seed}: ${table.join(", ")})`).toBeGreaterThanOrEqual(8);
      if (name !== "dynamic sampling") expect(cost, `${name} (seed ${seed}: ${table.join(", ")})`).toBeLessThan(plain!);
    }
    // Dynamic sampling alone throws the same groups away that plain sampling trains on: a mixed group costs about as much.
    expect(costs["dynamic sampling"]! / plain!).toBeGreaterThan(0.8);
    expect(costs["dynamic sampling"]! / plain!).toBeLessThan(1.25);
  });

  it("strategies compose: with history resampling and a window, dynamic sampling throws less away", async () => {
    const alone = await simulate(promptsAt(rates), { dynamicSampling: {} }, 40, 7);
    const together = await simulate(
      promptsAt(rates),
      {
        dynamicSampling: {},
        prompts: {
          window: { column: "rate", min: 0, ends: "open" },
          online: { max: 1, ends: "open" },
        },
      },
      40,
      7,
    );
    const costOf = ({ steps }: typeof alone) =>
      steps.reduce(
        (sum, step) => sum + samplingMetrics(step, undefined)["dynamic_sampling/rollouts_per_trained_rollout"]!,
        0,
      );
    expect(costOf(together)).toBeLessThan(0.75 * costOf(alone));
  });
});

describe("a share of informative groups", () => {
  it("GPG: batches keep their size, and 60 % of each are mixed although a third of the prompts are", async () => {
    const dynamicSampling = { minInformativeShare: 0.6, refill: true };
    const { steps } = await simulate(promptsAt([0, 0.5, 1]), { dynamicSampling }, 20, 3);
    let numUninformative = 0;
    for (const step of steps) {
      expect(step.groups.length).toBe(8);
      // ceil(0.6 · 8) = 5
      expect(step.groups.filter(isMixed).length).toBeGreaterThanOrEqual(5);
      numUninformative += step.groups.filter((group) => !isMixed(group)).length;
      const metrics = samplingMetrics(step, { maxBatches: 10, minInformativeShare: 0.6, refill: true });
      const shares = ["trained", "all_right", "all_wrong", "excluded", "surplus"].map(
        (name) => metrics[`dynamic_sampling/${name}`]!,
      );
      expect(shares.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    }
    expect(numUninformative).toBeGreaterThan(20);
  });

  it("a batch that has the share already is trained as it was sampled", async () => {
    const dynamicSampling = { minInformativeShare: 0.1 };
    const { steps } = await simulate(promptsAt([0, 0.5, 0.5, 1]), { dynamicSampling }, 5, 3);
    for (const { groups, sampled } of steps) {
      expect(groups.map(({ prompt }) => prompt.id)).toEqual(sampled.map(({ prompt }) => prompt.id));
    }
  });

  it("past the last batch it stops as dynamic sampling does", async () => {
    const dynamicSampling = { minInformativeShare: 0.5, maxBatches: 2 };
    await expect(simulate(promptsAt([0, 0]), { dynamicSampling }, 1, 3)).rejects.toThrow(
      /found 0 of 4 informative groups in 16 groups of 2 batches/,
    );
  });
});

describe("without refill", () => {
  it("every group that differs is trained and nothing else; a step without any trains as it was sampled", async () => {
    const dynamicSampling = { refill: false };
    const { steps } = await simulate(promptsAt([0, 0.5, 1]), { dynamicSampling }, 20, 3);
    const sizes = steps.map(({ groups }) => groups.length);
    for (const { groups, sampled, leftOut } of steps) {
      expect(sampled.length).toBe(8);
      expect(groups.map(({ prompt }) => prompt.id)).toEqual(sampled.filter(isMixed).map(({ prompt }) => prompt.id));
      expect(groups.length + leftOut.allRight + leftOut.allWrong).toBe(8);
    }
    expect(new Set(sizes).size).toBeGreaterThan(1);
    const { steps: flat } = await simulate(promptsAt([0, 1]), { dynamicSampling }, 2, 3);
    for (const { groups, leftOut } of flat) {
      expect(groups.length).toBe(8);
      expect(leftOut).toEqual({ allRight: 0, allWrong: 0, excluded: 0, surplus: 0 });
    }
  });
});
