import { describe, expect, it } from "vitest";
import { collect, sampleGroups, samplingMetrics } from "../src/rollout.ts";
import type { GroupRequest, PolicyServer } from "../src/server/server.ts";
import type { Completion, Group, Prompt, ScoredGroup } from "../src/types.ts";

function promptOf(id: string): Prompt {
  return { id, text: id, tokenIds: [1, 2, 3], prefill: "", answer: null, fields: {} };
}

/** A policy server that answers from memory: completion i of a prompt is the token `seed + i`. */
class MemoryServer implements PolicyServer {
  readonly info = { url: "memory:", version: "test", model: "m", maxModelLen: 64 };
  readonly policyVersion = 4;
  async sample({ numCompletions, seed }: GroupRequest): Promise<Completion[]> {
    return Array.from({ length: numCompletions }, (_, i) => ({
      tokenIds: [seed + i],
      logprobs: Float32Array.of(-0.5),
      text: String(seed + i),
      finishReason: "stop",
      policyVersion: this.policyVersion,
    }));
  }
  async publish(): Promise<void> {}
  async [Symbol.asyncDispose](): Promise<void> {}
}

const params = { temperature: 1, topP: 1, topK: 0, minP: 0, maxTokens: 8, stopTokenIds: [] };

/** Rewards by prompt id: "mixed" groups differ, all others score 0. */
async function scoreById(groups: readonly Group[]): Promise<ScoredGroup[]> {
  return groups.map((group) => ({
    ...group,
    rewards: group.rollouts.map((_, i) => {
      const score = group.prompt.id.startsWith("mixed") ? i % 2 : 0;
      return { total: score, outcomes: { accuracy: { status: "scored" as const, score } } };
    }),
  }));
}

function collectFrom(
  ids: readonly string[],
  promptsPerStep: number,
  maxBatches: number | null,
  minInformativeShare = 1,
) {
  let next = 0;
  return collect({
    promptsPerStep,
    dynamicSampling: maxBatches === null ? undefined : { maxBatches, minInformativeShare, refill: true },
    nextPrompts: (count) => Array.from({ length: count }, () => promptOf(ids[next++ % ids.length]!)),
    sample: (prompts, firstGroup) =>
      sampleGroups(new MemoryServer(), prompts, { groupSize: 2, params, seedOf: (i) => 100 + (firstGroup + i) * 2 }),
    score: scoreById,
  });
}

describe("rollouts", () => {
  it("exactly the completion's tokens are trained, with the server's log-probabilities", async () => {
    const [group] = await sampleGroups(new MemoryServer(), [promptOf("a")], { groupSize: 2, params, seedOf: () => 7 });
    const { sequence } = group!.rollouts[1]!;
    expect([...sequence.tokenIds]).toEqual([1, 2, 3, 8]);
    expect([...sequence.lossMask]).toEqual([0, 0, 0, 1]);
    expect([...sequence.samplingLogprobs]).toEqual([0, 0, 0, -0.5]);
  });

  it("two equal prompts make two groups with different seeds", async () => {
    const { groups } = await collectFrom(["same"], 2, null);
    const tokens = groups.map((group) => group.rollouts.map(({ completion }) => completion.tokenIds[0]));
    expect(tokens).toEqual([
      [100, 101],
      [102, 103],
    ]);
  });

  it("without dynamic sampling every group is kept", async () => {
    const { groups, sampled } = await collectFrom(["flat", "mixed"], 4, null);
    expect(groups.length).toBe(4);
    expect(sampled.length).toBe(4);
  });

  it("dynamic sampling fills the batch exactly with groups whose rewards differ, and reports what that cost", async () => {
    const { groups, sampled, evidence } = await collectFrom(["flat", "flat", "mixed", "flat"], 4, 10);
    expect(groups.map((group) => group.prompt.id)).toEqual(["mixed", "mixed", "mixed", "mixed"]);
    expect(sampled.length).toBeGreaterThanOrEqual(13);
    expect(evidence.numGroups).toBe(sampled.length);
  });

  it("what is left out is told by its reason: all right, all wrong, without a score, or more than the batch holds", async () => {
    const kinds = ["right", "wrong", "none", "right", "wrong", "wrong", "mixed", "mixed", "mixed"];
    let next = 0;
    const collected = await collect({
      promptsPerStep: 2,
      dynamicSampling: { maxBatches: 10, minInformativeShare: 1, refill: true },
      nextPrompts: (count) => Array.from({ length: count }, () => promptOf(kinds[next++]!)),
      sample: (prompts, firstGroup) =>
        sampleGroups(new MemoryServer(), prompts, { groupSize: 2, params, seedOf: (i) => 100 + (firstGroup + i) * 2 }),
      score: async (groups) =>
        groups.map((group) => ({
          ...group,
          rewards: group.rollouts.map((_, i) => {
            const score = { right: 1, wrong: 0, none: null, mixed: i }[group.prompt.id]!;
            return { total: score, outcomes: {} };
          }),
        })),
    });
    expect(collected.sampled.map(({ prompt }) => prompt.id)).toEqual(kinds.slice(0, 8));
    expect(collected.leftOut).toEqual({ allRight: 2, allWrong: 3, excluded: 1, surplus: 0 });
    expect(samplingMetrics(collected, { maxBatches: 10, minInformativeShare: 1, refill: true })).toEqual({
      "dynamic_sampling/groups_per_trained_group": 4,
      "dynamic_sampling/rollouts_per_trained_rollout": 4,
      "dynamic_sampling/trained": 2 / 8,
      "dynamic_sampling/all_right": 2 / 8,
      "dynamic_sampling/all_wrong": 3 / 8,
      "dynamic_sampling/excluded": 1 / 8,
      "dynamic_sampling/surplus": 0,
    });
  });

  it("dynamic sampling that finds nothing stops with the reason", async () => {
    await expect(collectFrom(["flat"], 4, 3)).rejects.toThrow(
      /found 0 of 4 informative groups in 12 groups of 3 batches\. 100 % of groups \(12 of 12\) have zero variance: every reward is 0\./,
    );
  });
});
