/** From a step of training to what the audit sees: held-out scores at their completions, means over all that was sampled. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { auditedStepOf } from "../../src/audit/audited.ts";
import { sampleOf } from "../../src/audit/sample.ts";
import { openShadowRewards } from "../../src/audit/shadow-rewards.ts";
import { audit } from "../../src/recipe/audit-schema.ts";
import { toRollout } from "../../src/rollout.ts";
import type { Prompt, Reward, ScoredGroup } from "../../src/types.ts";

const dir = mkdtempSync(join(tmpdir(), "grouper-shadow-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const rewardOf = (score: number): Reward => ({
  total: 2 * score - 0.5,
  outcomes: {
    accuracy: { status: "scored", score },
    length: { status: "scored", score: 0.5 },
    watched: { status: "abstained" },
  },
});

/** [4] groups of 3; completion i of group g is g * 10 + i. */
const groups = Array.from({ length: 4 }, (_, g): ScoredGroup => {
  const prompt: Prompt = {
    id: `p${g}`,
    text: `q${g}`,
    tokenIds: [1],
    prefill: "<think>",
    answer: String(g),
    fields: {},
  };
  return {
    prompt,
    rollouts: Array.from({ length: 3 }, (_, i) =>
      toRollout(prompt, {
        tokenIds: [1, 2, 3].slice(0, i + 1),
        logprobs: new Float32Array(i + 1),
        text: String(10 * g + i),
        finishReason: i === 2 ? "length" : "stop",
        policyVersion: 0,
      }),
    ),
    rewards: [rewardOf(0), rewardOf(1), rewardOf(0)],
    rewardWeights: { accuracy: 2, length: -1, watched: 0 },
  };
});

describe("a step as the audit sees it", () => {
  it("has every held-out score at the completion that it is of, and none at the others", async () => {
    const file = join(dir, "own.mjs");
    writeFileSync(
      file,
      'export default { description: "", score: ({ completion, response, answer, maxTokens }) => ({ score: Number(completion), parts: { own: Number(response === "<think>" + completion && completion.startsWith(answer === "0" ? "" : answer)), maxTokens } }) };',
    );
    await using shadows = await openShadowRewards(audit.parse({ shadow: [{ file }] }));
    const sample = sampleOf([3, 3, 3, 3], 6, 5);
    const outcomes = await shadows.ask(groups, sample, 77);
    const step = auditedStepOf({ step: 9, groups, sampled: groups }, "accuracy", sample, outcomes);
    expect(step.completions.map(({ group, index }) => [group, index])).toEqual(
      groups.flatMap((_, g) => [0, 1, 2].map((i) => [g, i])),
    );
    expect(step.sample).toHaveLength(6);
    for (const one of step.completions) {
      const asked = step.sample.includes(one);
      const score = 10 * one.group + one.index;
      expect(one.response).toBe(`<think>${score}`);
      expect(one.shadows).toEqual(asked ? { own: { status: "scored", score, parts: { own: 1, maxTokens: 77 } } } : {});
    }
  });

  it("weighs components, leaves out those without weight or score, and keeps length and end", () => {
    const { completions } = auditedStepOf({ step: 9, groups, sampled: groups }, "accuracy", [], []);
    expect(completions[4]).toMatchObject({
      ...{
        step: 9,
        promptId: "p1",
        prompt: "q1",
        answer: "1",
        numTokens: 2,
        finishReason: "stop",
        primary: 1,
        total: 1.5,
      },
      components: { accuracy: 2, length: -0.5 },
    });
    expect(Object.keys(completions[4]!.components)).toEqual(["accuracy", "length"]);
  });

  it("means are over all that was sampled, not over what is trained", () => {
    const leftOut = { rewards: [rewardOf(1), rewardOf(1), rewardOf(1)] };
    const step = auditedStepOf(
      { step: 9, groups: groups.slice(0, 1), sampled: [groups[0]!, leftOut] },
      "accuracy",
      [],
      [],
    );
    expect(step.primary).toBeCloseTo(4 / 6, 12);
    expect(step.reward).toBeCloseTo((4 * 1.5 - 2 * 0.5) / 6, 12);
    expect(step.completions).toHaveLength(3);
  });
});
