/**
 * The five variants, with their published defaults, teach a tabular policy to add.
 *
 * 25 prompts (a, b in 0..4, gold a + b), 15 tokens (digits, think and answer tags, end), at most 8 per answer. Right form:
 * <think> digit </think> <answer> digit </answer> end. Reward: 1 for the form, 1 more for the right digit in it. The policy starts
 * with the form at about .66 and digits at random. G 8, 8 prompts per step, plain gradient descent.
 */
import { describe, expect, it } from "vitest";
import { anchoredLoss, assemble, makeBatch, onPolicyLoss, splitUpdates } from "../../src/assemble.ts";
import { addEvidence, evidenceOf, explainNoLearning, noEvidence } from "../../src/diagnosis.ts";
import { createObjective, type ObjectiveSpec } from "../../src/objectives/create.ts";
import type { Reward, ScoredGroup } from "../../src/types.ts";
import { forward, sample, type TabularPolicy, uniform, update } from "./tabular-policy.ts";

const NUM_DIGITS = 10;
const [THINK, END_THINK, ANSWER, END_ANSWER, END] = [10, 11, 12, 13, 14] as const;
const NUM_TOKENS = 15;
const NUM_PROMPTS = 25;
const MAX_LENGTH = 8;
const GROUP_SIZE = 8;
const FORM = [THINK, "digit", END_THINK, ANSWER, "digit", END_ANSWER, END] as const;

function blankPolicy(): TabularPolicy {
  const size = NUM_PROMPTS * MAX_LENGTH * (NUM_TOKENS + 1) * NUM_TOKENS;
  return { numTokens: NUM_TOKENS, maxLength: MAX_LENGTH, end: END, logits: new Float64Array(size) };
}

/** Knows the form, and that some digit stands inside; knows nothing of sums. Each form token has probability 0.92. */
function warmPolicy(): TabularPolicy {
  const policy = blankPolicy();
  for (let i = 0; i < policy.logits.length; i++) {
    const position = Math.floor(i / NUM_TOKENS / (NUM_TOKENS + 1)) % MAX_LENGTH;
    const token = i % NUM_TOKENS;
    const wanted = FORM[position];
    if (wanted === "digit") policy.logits[i] = token < NUM_DIGITS ? Math.log(0.98 / 10) : Math.log(0.02 / 5);
    else policy.logits[i] = token === wanted ? Math.log(0.92) : Math.log(0.08 / 14);
  }
  return policy;
}

function rewardOf(prompt: number, tokens: readonly number[]): Reward {
  const hasForm =
    tokens.length === FORM.length &&
    FORM.every((wanted, t) => (wanted === "digit" ? tokens[t]! < NUM_DIGITS : tokens[t] === wanted));
  const isRight = hasForm && tokens[4] === Math.floor(prompt / 5) + (prompt % 5);
  return {
    total: Number(hasForm) + Number(isRight),
    outcomes: {
      format: { status: "scored", score: Number(hasForm) },
      accuracy: { status: "scored", score: Number(isRight) },
    },
  };
}

function groupOf(policy: TabularPolicy, prompt: number, random: () => number): ScoredGroup {
  const rollouts = Array.from({ length: GROUP_SIZE }, () => sample(policy, prompt, random));
  return {
    prompt: { id: `${prompt}`, text: "", tokenIds: [prompt], prefill: "", answer: null, fields: {} },
    rollouts,
    rewards: rollouts.map(({ completion }) => rewardOf(prompt, completion.tokenIds)),
  };
}

function accuracyOf(groups: readonly ScoredGroup[]): number {
  const totals = groups.flatMap((group) => group.rewards.map((reward) => reward.total));
  return totals.filter((total) => total === 2).length / totals.length;
}

/** Sampled accuracy over all prompts, 8 answers each. */
function evaluate(policy: TabularPolicy, random: () => number): number {
  return accuracyOf(Array.from({ length: NUM_PROMPTS }, (_, prompt) => groupOf(policy, prompt, random)));
}

/** `numUpdates` optimizer steps per rollout batch; with one, the old log-probabilities come from the pass that trains. */
function train(
  policy: TabularPolicy,
  spec: ObjectiveSpec,
  learningRate: number,
  numSteps: number,
  numUpdates: number,
  random: () => number,
) {
  const objective = createObjective(spec);
  const reference = { ...policy, logits: Float64Array.from(policy.logits) };
  let evidence = noEvidence;
  for (let step = 0; step < numSteps; step++) {
    const groups = Array.from({ length: 8 }, () => groupOf(policy, Math.floor(random() * NUM_PROMPTS), random));
    const outputs = (model: TabularPolicy) =>
      groups.map((group) => group.rollouts.map(({ sequence }) => forward(model, sequence)));
    const isOnPolicy = numUpdates === 1;
    const old = isOnPolicy && !objective.needs.includes("oldLogprobs") ? undefined : outputs(policy);
    const ref = objective.needs.includes("refLogprobs") ? outputs(reference) : undefined;
    for (const examples of splitUpdates(assemble(groups, old, ref, objective), numUpdates, random)) {
      const batch = makeBatch(examples, MAX_LENGTH);
      update(policy, examples, (isOnPolicy ? onPolicyLoss : anchoredLoss)(objective, batch), learningRate);
    }
    evidence = addEvidence(evidence, evidenceOf(groups));
  }
  return evidence;
}

/** Tuned for each, since their denominators differ: this shows that each learns, and compares nothing. */
const LEARNING_RATES = { reinforce: 12, rloo: 25, grpo: 150, drgrpo: 200, dapo: 150 } as const;
const variants = Object.entries(LEARNING_RATES).map(([type, learningRate]) => ({
  type: type as keyof typeof LEARNING_RATES,
  learningRate,
}));

describe.each(variants)("$type with its published defaults", ({ type, learningRate }) => {
  it.each([1, 2, 3, 4, 5])("learns to add, seed %i", (seed) => {
    const random = uniform(seed);
    const policy = warmPolicy();
    expect(evaluate(policy, random)).toBeLessThan(0.15);
    train(policy, { type }, learningRate, 250, 1, random);
    expect(evaluate(policy, random)).toBeGreaterThan(0.8);
  });

  it("learns nothing where chance never earns a reward, and says so", () => {
    const random = uniform(1);
    const policy = blankPolicy();
    const evidence = train(policy, { type, kl: { coefficient: 0 } }, learningRate, 20, 1, random);
    expect(evidence.maxReward).toBe(0);
    expect(policy.logits.every((logit) => logit === 0)).toBe(true);
    const updates = { gradNorms: [0], learningRate, comparesSiblings: type !== "reinforce", maskTruncated: false };
    expect(explainNoLearning(evidence, updates)).toMatch(
      type === "reinforce"
        ? /^Every reward is 0/
        : /^100 % of groups \(160 of 160\) have zero variance: every reward is 0\./,
    );
  });
});

describe.each(variants.filter(({ type }) => ["grpo", "drgrpo", "dapo"].includes(type)))(
  "$type",
  ({ type, learningRate }) => {
    it("learns with four updates per rollout batch, each a quarter of the examples with its own constants", () => {
      const random = uniform(6);
      const policy = warmPolicy();
      train(policy, { type }, learningRate / 4, 250, 4, random);
      expect(evaluate(policy, random)).toBeGreaterThan(0.8);
    });
  },
);

describe("the pull to the reference", () => {
  /** Mean over answers of log p - log ref summed over tokens: nats per answer, sampled from the policy. */
  const divergence = (policy: TabularPolicy, reference: TabularPolicy) => {
    const random = uniform(7);
    const rollouts = Array.from({ length: 40 * NUM_PROMPTS }, (_, i) => sample(policy, i % NUM_PROMPTS, random));
    const total = (model: TabularPolicy) =>
      rollouts.reduce(
        (sum, { sequence }) => sum + [...forward(model, sequence).logprobs].reduce((a, b) => a + b, 0),
        0,
      );
    return (total(policy) - total(reference)) / rollouts.length;
  };

  it.each([
    { estimator: "k3", placement: "loss" },
    { estimator: "k2", placement: "loss" },
    { estimator: "k1", placement: "reward" },
  ] as const)("a larger beta leaves less divergence: $estimator in the $placement", ({ estimator, placement }) => {
    const divergences = [0, 0.1, 1].map((coefficient) => {
      const policy = warmPolicy();
      train(policy, { type: "drgrpo", kl: { coefficient, estimator, placement } }, 100, 120, 1, uniform(3));
      return divergence(policy, warmPolicy());
    });
    const [none, some, much] = divergences;
    expect(none! - some!, `${divergences}`).toBeGreaterThan(0.1);
    expect(some! - much!, `${divergences}`).toBeGreaterThan(0.1);
    expect(divergence(warmPolicy(), warmPolicy())).toBe(0);
  });
});
