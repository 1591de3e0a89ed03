/** Numbers of a step, and the sentence of a run that cannot learn. */
import { describe, expect, it } from "vitest";
import { addEvidence, evidenceOf, explainNoLearning, noEvidence, type UpdateEvidence } from "../src/diagnosis.ts";
import { hasZeroVariance, mergeMetrics, metricValues, rolloutMetrics } from "../src/metrics.ts";
import type { Reward, ScoredGroup } from "../src/types.ts";
import { groupOf } from "./objectives/fixtures.ts";

describe("merging metrics", () => {
  it("adds sums, keeps the largest maximum, and is the same for any split", () => {
    const parts = [
      { kl: { sum: 1, count: 2 }, "ratio/max": { max: 1.5 } },
      { kl: { sum: 4, count: 3 }, "ratio/max": { max: 3 } },
      { kl: { sum: 0.5, count: 1 } },
    ];
    const merged = mergeMetrics(parts);
    expect(merged).toEqual({ kl: { sum: 5.5, count: 6 }, "ratio/max": { max: 3 } });
    expect(mergeMetrics([mergeMetrics(parts.slice(0, 1)), mergeMetrics(parts.slice(1))])).toEqual(merged);
    expect(metricValues(merged)).toEqual({ kl: 5.5 / 6, "ratio/max": 3 });
  });

  it("a mean of nothing is left out, not reported as 0", () => {
    expect(metricValues({ kl: { sum: 0, count: 0 } })).toEqual({});
  });

  it("refuses a name that is a mean here and a maximum there", () => {
    expect(() => mergeMetrics([{ kl: { sum: 1, count: 1 } }, { kl: { max: 1 } }])).toThrow("metric kl");
  });
});

/** Replaces the rewards of a group. */
function withRewards(group: ScoredGroup, rewards: readonly Reward[]): ScoredGroup {
  return { ...group, rewards };
}

describe("rollout metrics", () => {
  it("count, average and leave out as they say", () => {
    const groups = [groupOf([1, 0], [2, 4], ["stop", "length"]), groupOf([1, 1, null], [6, 8, 10])];
    expect(rolloutMetrics(groups)).toEqual({
      reward: 0.75,
      // sample std of (1, 0) is sqrt(1/2), of (1, 1) it is 0
      reward_std: expect.closeTo(Math.SQRT1_2 / 2, 12),
      frac_reward_zero_std: 0.5,
      "rewards/score/mean": 0.75,
      "rewards/score/std": expect.closeTo(Math.sqrt(3) / 4, 12),
      "rewards/score/failed": 1,
      "rewards/score/abstained": 0,
      "rewards/excluded": expect.closeTo(0.2, 12),
      "completions/mean_length": 6,
      "completions/min_length": 2,
      "completions/max_length": 10,
      "completions/mean_terminated_length": 6.5,
      "completions/min_terminated_length": 2,
      "completions/max_terminated_length": 10,
      "completions/clipped_ratio": expect.closeTo(0.2, 12),
    });
  });

  it("reward parts are averaged over the completions that have them", () => {
    const rewards: Reward[] = [
      { total: 1, outcomes: { format: { status: "scored", score: 1, parts: { tags: 1, order: 0 } } } },
      { total: 0, outcomes: { format: { status: "scored", score: 0, parts: { tags: 0.5 } } } },
      { total: null, outcomes: { format: { status: "abstained" } } },
    ];
    expect(rolloutMetrics([withRewards(groupOf([0, 0, 0]), rewards)])).toMatchObject({
      "rewards/format/mean": 0.5,
      "rewards/format/parts/tags": 0.75,
      "rewards/format/parts/order": 0,
      "rewards/format/abstained": 1,
      "rewards/format/failed": 0,
    });
  });

  it("numbers that have nothing to be made of are absent", () => {
    expect(rolloutMetrics([])).toEqual({});
    const metrics = rolloutMetrics([groupOf([null, null], [1, 1], ["length", "length"])]);
    expect(metrics).not.toHaveProperty("reward");
    expect(metrics).not.toHaveProperty("rewards/score/mean");
    expect(metrics).not.toHaveProperty("completions/mean_terminated_length");
    expect(metrics).toMatchObject({ "rewards/score/failed": 2, "completions/clipped_ratio": 1 });
    for (const value of Object.values(metrics)) expect(value).not.toBeNaN();
  });

  it("a group has zero variance when no two counted rewards differ", () => {
    expect(hasZeroVariance(groupOf([1, null, 1]))).toBe(true);
    expect(hasZeroVariance(groupOf([1, null, 0]))).toBe(false);
    expect(hasZeroVariance(groupOf([0.1, 0.1, 0.1]))).toBe(true);
  });
});

describe("why a run does not learn", () => {
  const updates: UpdateEvidence = {
    gradNorms: [0.5],
    learningRate: 1e-3,
    comparesSiblings: true,
    maskTruncated: false,
  };
  const explain = (groups: readonly ScoredGroup[], changes: Partial<UpdateEvidence> = {}) =>
    explainNoLearning(evidenceOf(groups), { ...updates, ...changes });
  const mixed = groupOf([1, 0]);

  it("a run that can learn gets no sentence", () => {
    expect(explain([mixed, groupOf([0, 0])])).toBeNull();
    expect(explain([groupOf([1, 1])], { comparesSiblings: false })).toBeNull();
  });

  it("every reward is 0", () => {
    expect(explain([groupOf([0, 0]), groupOf([0, 0])])).toBe(
      "100 % of groups (2 of 2) have zero variance: every reward is 0. The model never earns it by chance: start from an sft stage that teaches the form, use easier problems or a larger groupSize, or add a reward for part of the way.",
    );
    expect(explain([groupOf([0, 0])], { comparesSiblings: false })).toMatch(/^Every reward is 0, so no completion/);
  });

  it("every reward is 1", () => {
    expect(explain([groupOf([1, 1]), groupOf([1, 1])])).toMatch(
      /every reward is 1\. If that is full marks, .* harder ones/,
    );
  });

  it("rewards that tell prompts apart, but never completions", () => {
    expect(explain([groupOf([0, 0]), groupOf([2, 2])])).toMatch(
      /zero variance: rewards lie between 0 and 2, but the completions of one prompt always score the same/,
    );
  });

  it("every completion cut off", () => {
    const cutOff = groupOf([0, 0], [4, 4], ["length", "length"]);
    expect(explain([cutOff])).toMatch(/every reward is 0\. All completions were cut off at maxTokens; raise it\./);
    const differing = groupOf([1, 0], [4, 4], ["length", "length"]);
    expect(explain([differing])).toBeNull();
    expect(explain([differing], { maskTruncated: true })).toMatch(/maskTruncated leaves none to train/);
  });

  it("every reward failed, or abstained", () => {
    expect(explain([groupOf([null, null])])).toBe(
      "All 2 completions were excluded, and none was trained: reward score failed on 2 of them. First failure: broke",
    );
    const abstained: Reward = { total: null, outcomes: { score: { status: "abstained" } } };
    expect(explain([withRewards(groupOf([0, 0]), [abstained, abstained])])).toMatch(/every reward abstained/);
  });

  it("a gradient that is exactly 0, never finite, or multiplied by 0", () => {
    expect(explain([mixed], { gradNorms: [0, 0] })).toMatch(
      /gradient is exactly 0 although the rewards of 1 groups differ/,
    );
    expect(explain([mixed], { gradNorms: [Number.NaN, Number.POSITIVE_INFINITY] })).toMatch(
      /All 2 updates were skipped/,
    );
    expect(explain([mixed], { gradNorms: [Number.NaN, 0.1] })).toBeNull();
    expect(explain([mixed], { learningRate: 0 })).toMatch(/learning rate is 0/);
    expect(explain([mixed], { gradNorms: [] })).toMatch(/No optimizer step/);
  });

  it("nothing was sampled", () => {
    expect(explain([])).toMatch(/^Nothing was sampled/);
  });

  it("evidence of steps adds up to the evidence of all their groups", () => {
    const groups = [mixed, groupOf([null, 1], [1, 2], ["length", "stop"]), groupOf([0, 0]), groupOf([null, null])];
    const added = groups.map((group) => evidenceOf([group])).reduce(addEvidence, noEvidence);
    expect(added).toEqual(evidenceOf(groups));
    expect(added).toEqual({
      numGroups: 4,
      numZeroVarianceGroups: 3,
      numRollouts: 8,
      numTruncated: 1,
      numExcluded: 3,
      failures: { score: { count: 3, firstError: "broke" } },
      minReward: 0,
      maxReward: 1,
    });
  });
});
