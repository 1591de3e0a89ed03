/**
 * Every variant, with their published defaults, teach a tabular policy to add.
 *
 * 25 prompts (a, b in 0..4, gold a + b), 15 tokens (digits, think and answer tags, end), at most 8 per answer. Right form:
 * <think> digit </think> <answer> digit </answer> end. Reward: 1 for the form, 1 more for the right digit in it. The policy starts
 * with the form at about .66 and digits at random. G 8, 8 prompts per step, plain gradient descent.
 */
import { describe, expect, it } from "vitest";
import { anchoredLoss, assemble, makeBatch, onPolicyLoss, splitUpdates } from "../../src/assemble.ts";
import { addEvidence, evidenceOf, explainNoLearning, noEvidence } from "../../src/diagnosis.ts";
import { controlledSpec, nextControls, noControls } from "../../src/objectives/control.ts";
import { createObjective, type ObjectiveSpec, objectiveSchema } from "../../src/objectives/create.ts";
import type { Reward, ScoredGroup } from "../../src/types.ts";
import { forward, sample, type TabularPolicy, uniform, update } from "./tabular-policy.ts";
import { variants, withoutKl } from "./variants.ts";

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

/** Sampled accuracy over all prompts, 8 answers each; or the share of prompts that one of the 8 answers right. */
function evaluate(policy: TabularPolicy, random: () => number, countsBest = false): number {
  const groups = Array.from({ length: NUM_PROMPTS }, (_, prompt) => groupOf(policy, prompt, random));
  return countsBest ? groups.filter((group) => accuracyOf([group]) > 0).length / NUM_PROMPTS : accuracyOf(groups);
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
    const needsGreedy = objective.needs.includes("greedyReward");
    const groups = Array.from({ length: 8 }, () => {
      const prompt = Math.floor(random() * NUM_PROMPTS);
      const group = groupOf(policy, prompt, random);
      return needsGreedy ? { ...group, greedyReward: greedyReward(policy, prompt) } : group;
    });
    const outputs = (model: TabularPolicy) =>
      groups.map((group) => group.rollouts.map(({ sequence }) => forward(model, sequence)));
    const needsOld = ["oldLogprobs", "values", "stepOutputs"] as const;
    const isOnPolicy = numUpdates === 1 && !needsOld.some((need) => objective.needs.includes(need));
    const old = isOnPolicy ? undefined : outputs(policy);
    const ref = objective.needs.includes("refLogprobs") ? outputs(reference) : undefined;
    for (const part of splitUpdates(assemble(groups, old, ref, objective), numUpdates, random)) {
      const current = part.map(({ sequence }) => forward(policy, sequence));
      const examples = objective.prepare?.(part, current, random) ?? part;
      const batch = makeBatch(examples, MAX_LENGTH, objective.positiveReward);
      const isPretraining = step < (objective.critic?.pretrainingSteps ?? 0);
      const policyLoss = (isOnPolicy ? onPolicyLoss : anchoredLoss)(objective, batch);
      if (!isPretraining) update(policy, examples, policyLoss, learningRate);
      const { critic } = objective;
      if (critic !== undefined)
        update(policy, examples, (example, values) => critic.loss(example, values, batch), 0, VALUE_LEARNING_RATE);
    }
    evidence = addEvidence(evidence, evidenceOf(groups));
  }
  return evidence;
}

/** Of the critic's table: a state's value moves by this share of the step's mean error. */
const VALUE_LEARNING_RATE = 20;

/** The reward of the answer that is likeliest token by token. */
function greedyReward(policy: TabularPolicy, prompt: number): number | null {
  const scale = 1000;
  const greedy = { ...policy, logits: policy.logits.map((logit) => scale * logit) };
  return rewardOf(prompt, sample(greedy, prompt, () => 0.5).completion.tokenIds).total;
}

describe.each(variants)("$type with its published defaults", ({ type, comparesSiblings, learningRate, raisesBest }) => {
  it.each([1, 2, 3, 4, 5])("learns to add, seed %i", (seed) => {
    const random = uniform(seed);
    const policy = withCritic(warmPolicy(), type);
    expect(evaluate(policy, random)).toBeLessThan(0.15);
    train(policy, { type } as ObjectiveSpec, learningRate, 250, 1, random);
    expect(evaluate(policy, random, raisesBest)).toBeGreaterThan(raisesBest ? 0.95 : 0.8);
  });

  it("learns nothing where chance never earns a reward, and says so", () => {
    const random = uniform(1);
    const policy = withCritic(blankPolicy(), type);
    const evidence = train(policy, withoutKl(type), learningRate, 20, 1, random);
    expect(evidence.maxReward).toBe(0);
    expect(policy.logits.every((logit) => logit === 0)).toBe(true);
    const updates = { gradNorms: [0], learningRate, comparesSiblings, maskTruncated: false };
    expect(explainNoLearning(evidence, updates)).toMatch(
      comparesSiblings
        ? /^100 % of groups \(160 of 160\) have zero variance: every reward is 0\./
        : /^Every reward is 0/,
    );
  });
});

/** Values of zero beside the logits, for variants with a critic. */
function withCritic(policy: TabularPolicy, type: ObjectiveSpec["type"]): TabularPolicy {
  const hasCritic = createObjective({ type } as ObjectiveSpec).critic !== undefined;
  return hasCritic ? { ...policy, values: new Float64Array(policy.logits.length / NUM_TOKENS) } : policy;
}

describe.each(variants.filter(({ hasRatio }) => hasRatio))("$type", ({ type, learningRate, raisesBest }) => {
  it("learns with four updates per rollout batch, each a quarter of the examples with its own constants", () => {
    const random = uniform(6);
    const policy = withCritic(warmPolicy(), type);
    train(policy, { type } as ObjectiveSpec, learningRate / 4, 250, 4, random);
    expect(evaluate(policy, random, raisesBest)).toBeGreaterThan(raisesBest ? 0.95 : 0.8);
  });
});

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

describe("entropy control", () => {
  const TARGET = 0.4;

  /** Mean entropy per token of each step's samples, from the first step on. */
  const entropiesOf = (policy: TabularPolicy, spec: ObjectiveSpec, numSteps: number, random: () => number) => {
    const resolved = objectiveSchema.parse(spec);
    let controls = noControls;
    return Array.from({ length: numSteps }, () => {
      const groups = Array.from({ length: 8 }, () => groupOf(policy, Math.floor(random() * NUM_PROMPTS), random));
      const outputs = groups.flatMap((group) => group.rollouts.map(({ sequence }) => forward(policy, sequence)));
      const ofTokens = outputs.flatMap(({ entropies }) => [...entropies!].slice(1));
      const entropy = ofTokens.reduce((a, b) => a + b) / ofTokens.length;
      const objective = createObjective(controlledSpec(resolved, controls));
      const examples = assemble(groups, undefined, undefined, objective);
      update(policy, examples, onPolicyLoss(objective, makeBatch(examples, MAX_LENGTH)), 200);
      controls = nextControls(resolved, controls, { entropy, kl: undefined, numCompletions: examples.length });
      return entropy;
    });
  };

  it.each([1, 2])(
    "an entropy below its target rises and stays in a band; without control it falls, seed %i",
    (seed) => {
      const random = uniform(seed);
      const policy = warmPolicy();
      const before = entropiesOf(policy, { type: "drgrpo" }, 200, random);
      const meanOf = (entropies: readonly number[]) => entropies.reduce((a, b) => a + b) / entropies.length;
      expect(meanOf(before.slice(-50))).toBeLessThan(0.75 * TARGET);
      const copy = { ...policy, logits: Float64Array.from(policy.logits) };
      const free = entropiesOf(copy, { type: "drgrpo" }, 300, random);
      const entropy = { adaptive: { target: TARGET, step: 0.002, max: 0.5 } };
      const held = entropiesOf(policy, { type: "drgrpo", entropy }, 300, random);
      const end = (entropies: readonly number[]) => entropies.slice(-100);
      expect(meanOf(end(free))).toBeLessThan(meanOf(before.slice(-50)) - 0.05);
      expect(Math.min(...end(held))).toBeGreaterThan(TARGET - 0.15);
      expect(Math.max(...end(held))).toBeLessThan(TARGET + 0.15);
    },
  );
});
