/**
 * Length bias: the reward ignores length, and yet 1/|o| makes wrong answers grow.
 *
 * An answer is a run of token 1 (right) or of token 2 (wrong), then the end token. Which of the two is a fair coin that is never
 * trained; when to stop is what the policy learns, at first with probability 1/4 at each step, at most 16 steps.
 */
import { describe, expect, it } from "vitest";
import { assemble, makeBatch, onPolicyLoss } from "../../src/assemble.ts";
import { createObjective, type ObjectiveSpec } from "../../src/objectives/create.ts";
import type { ScoredGroup } from "../../src/types.ts";
import { sample, type TabularPolicy, uniform, update } from "./tabular-policy.ts";

const [RIGHT, WRONG, END] = [0, 1, 2] as const;
const NUM_TOKENS = 3;
const MAX_LENGTH = 16;
const NEVER = -40;

function startPolicy(): TabularPolicy {
  const logits = new Float64Array(MAX_LENGTH * (NUM_TOKENS + 1) * NUM_TOKENS);
  for (let i = 0; i < logits.length; i += NUM_TOKENS) {
    const previous = (Math.floor(i / NUM_TOKENS) % (NUM_TOKENS + 1)) - 1;
    const row = previous < 0 ? [0, 0, NEVER] : previous === RIGHT ? [Math.log(3), NEVER, 0] : [NEVER, Math.log(3), 0];
    logits.set(row, i);
  }
  return { numTokens: NUM_TOKENS, maxLength: MAX_LENGTH, end: END, logits };
}

function groupOf(policy: TabularPolicy, random: () => number): ScoredGroup {
  const rollouts = Array.from({ length: 8 }, () => sample(policy, 0, random));
  return {
    prompt: { id: "0", text: "", tokenIds: [0], prefill: "", answer: null, fields: {} },
    rollouts,
    rewards: rollouts.map(({ completion }) => ({ total: Number(completion.tokenIds[0] === RIGHT), outcomes: {} })),
  };
}

function meanLength(policy: TabularPolicy, first: number): number {
  const random = uniform(99);
  const lengths = Array.from({ length: 4000 }, () => sample(policy, 0, random).completion.tokenIds)
    .filter((tokens) => tokens[0] === first)
    .map((tokens) => tokens.length);
  return lengths.reduce((a, b) => a + b) / lengths.length;
}

/** Mean lengths of right and wrong answers after training, averaged over five seeds. */
function lengthsAfter(spec: ObjectiveSpec, learningRate: number): { right: number; wrong: number } {
  const objective = createObjective(spec);
  const policies = [1, 2, 3, 4, 5].map((seed) => {
    const random = uniform(seed);
    const policy = startPolicy();
    const coin = policy.logits.slice(0, NUM_TOKENS);
    for (let step = 0; step < 150; step++) {
      const examples = assemble(
        Array.from({ length: 4 }, () => groupOf(policy, random)),
        undefined,
        undefined,
        objective,
      );
      update(policy, examples, onPolicyLoss(objective, makeBatch(examples, MAX_LENGTH)), learningRate);
      policy.logits.set(coin, 0);
    }
    return policy;
  });
  const over = (first: number) =>
    policies.reduce((sum, policy) => sum + meanLength(policy, first), 0) / policies.length;
  return { right: over(RIGHT), wrong: over(WRONG) };
}

describe("answers whose reward ignores their length", () => {
  const before = { right: meanLength(startPolicy(), RIGHT), wrong: meanLength(startPolicy(), WRONG) };

  it("start alike", () => {
    expect(before.right / before.wrong).toBeCloseTo(1, 1);
  });

  it("under grpo wrong ones grow and right ones shrink", () => {
    const after = lengthsAfter({ type: "grpo", kl: { coefficient: 0 } }, 1);
    expect(after.wrong / before.wrong).toBeGreaterThan(1.25);
    expect(after.right / before.right).toBeLessThan(0.85);
  });

  it("under drgrpo both stay as long as they were", () => {
    // the same push on an answer of mean length: 1/(S Lmax) for 1/(S |o|), and no division by std, which is about 1/2
    const after = lengthsAfter({ type: "drgrpo" }, (2 * MAX_LENGTH) / before.wrong);
    expect(Math.abs(after.wrong / before.wrong - 1)).toBeLessThan(0.1);
    expect(Math.abs(after.right / before.right - 1)).toBeLessThan(0.1);
  });
});
