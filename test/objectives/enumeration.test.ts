/**
 * Bias, exactly: expectations over every group of every answer, no sampling.
 *
 * Policy: three tokens (0, 1 and an end token 2), at most three steps, one free logit per (prefix, token) and no others; answers are
 * all sequences that end with the end token or at the third step, 15 of them. Reward: 1 where the answer holds token 1 first, then
 * anything. Groups of G = 3 answers, on-policy. The gradient is over all logits.
 */
import { describe, expect, it } from "vitest";
import { makeBatch } from "../../src/assemble.ts";
import { createObjective, type ObjectiveSpec } from "../../src/objectives/create.ts";
import type { Example, TokenOutputs } from "../../src/types.ts";
import { groupOf, withPrompt } from "./fixtures.ts";

const NUM_TOKENS = 3;
const END = 2;
const MAX_STEPS = 3;
const GROUP_SIZE = 3;

interface Answer {
  readonly tokens: readonly number[];
  readonly logprobs: readonly number[];
  readonly probability: number;
  /** [T][P] d logprob of each token by every logit. */
  readonly dLogprobs: readonly (readonly number[])[];
  readonly reward: number;
}

/** [prefix] in breadth-first order: (), 0, 1, 00, 01, 10, 11. */
const prefixes: readonly string[] = ["", "0", "1", "00", "01", "10", "11"];

function answersOf(
  logits: readonly (readonly number[])[],
  rewardOf: (tokens: readonly number[]) => number,
  maxSteps = MAX_STEPS,
): Answer[] {
  const grow = (
    tokens: readonly number[],
    logprobs: readonly number[],
    dLogprobs: readonly (readonly number[])[],
  ): Answer[] => {
    if (tokens.length === maxSteps || tokens.at(-1) === END) {
      const probability = Math.exp(logprobs.reduce((a, b) => a + b, 0));
      return [{ tokens, logprobs, probability, dLogprobs, reward: rewardOf(tokens) }];
    }
    const state = prefixes.indexOf(tokens.join(""));
    const row = logits[state]!;
    const logNorm = Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0));
    return row.flatMap((logit, token) => {
      // d log softmax: one-hot minus probabilities, in this prefix's logits alone
      const derivative = new Array<number>(logits.length * NUM_TOKENS).fill(0);
      row.forEach((other, k) => {
        derivative[state * NUM_TOKENS + k] = (k === token ? 1 : 0) - Math.exp(other - logNorm);
      });
      return grow([...tokens, token], [...logprobs, logit - logNorm], [...dLogprobs, derivative]);
    });
  };
  return grow([], [], []);
}

/** [P] d E[reward] / d logits = sum over answers of p R d log p. */
function exactGradient(answers: readonly Answer[]): number[] {
  return sumOver(answers, ({ probability, reward, dLogprobs }) =>
    dLogprobs[0]!.map((_, p) => probability * reward * dLogprobs.reduce((sum, row) => sum + row[p]!, 0)),
  );
}

/** [P] Minus the expected gradient of the objective's loss over all ordered groups of answers. */
function expectedGradient(
  spec: ObjectiveSpec,
  answers: readonly Answer[],
  groupSize = GROUP_SIZE,
  greedyReward = 0,
): number[] {
  const objective = createObjective(spec);
  let groups: Answer[][] = [[]];
  for (let i = 0; i < groupSize; i++) groups = groups.flatMap((group) => answers.map((answer) => [...group, answer]));
  expect(groups).toHaveLength(answers.length ** groupSize);
  return sumOver(groups, (members) => {
    const scored = groupOf(
      members.map(({ reward }) => reward),
      members.map(({ tokens }) => tokens.length),
    );
    const group = { ...scored, greedyReward };
    const outputs: TokenOutputs[] = members.map(({ logprobs }) => ({ logprobs: withPrompt(logprobs) }));
    const advantages = objective.advantages([group], [outputs], undefined)[0]!;
    const examples = group.rollouts.map(
      ({ sequence }, i): Example => ({
        sequence,
        group: 0,
        reward: members[i]!.reward,
        advantages: advantages[i]!,
        weights: new Float32Array(sequence.lossMask.length).fill(1),
        old: outputs[i]!,
      }),
    );
    const batch = makeBatch(examples, MAX_STEPS);
    const probability = members.reduce((product, member) => product * member.probability, 1);
    return sumOver(members, ({ dLogprobs }, i) => {
      const { gradient } = objective.loss(examples[i]!, outputs[i]!, batch);
      return dLogprobs[0]!.map((_, p) =>
        dLogprobs.reduce((sum, row, t) => sum - probability * gradient.dLogprobs[t + 1]! * row[p]!, 0),
      );
    });
  });
}

function sumOver<Item>(items: readonly Item[], vectorOf: (item: Item, index: number) => readonly number[]): number[] {
  let total: number[] = [];
  items.forEach((item, i) => {
    const vector = vectorOf(item, i);
    total = vector.map((value, p) => (total[p] ?? 0) + value);
  });
  return total;
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, p) => sum + value * b[p]!, 0);
}

function cosine(a: readonly number[], b: readonly number[]): number {
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** Factor by which `a` is `b`, from the first to the last coordinate that moves; two numbers if they are not parallel. */
function factors(a: readonly number[], b: readonly number[]): { min: number; max: number } {
  const ratios = a.flatMap((value, p) => (Math.abs(b[p]!) > 1e-6 ? [value / b[p]!] : []));
  expect(ratios.length).toBeGreaterThan(1);
  return { min: Math.min(...ratios), max: Math.max(...ratios) };
}

const flat = prefixes.map(() => [0, 0, 0]);
const tilted = prefixes.map((_, state) => [0.3 * state - 0.9, 0.5 - 0.2 * state, 0.1 * state]);
const LOGIT_TABLES = { flat, tilted };
const rewardOf = (tokens: readonly number[]) => Number(tokens.includes(1) && tokens.at(-1) === END);
const noKl = { kl: { coefficient: 0 } } as const;

describe.each(Object.entries(LOGIT_TABLES))("expected gradients over every group, %s policy", (_, logits) => {
  const answers = answersOf(logits, rewardOf);
  const exact = exactGradient(answers);

  it("the 15 answers have probabilities that sum to 1, and some but not all are right", () => {
    expect(answers).toHaveLength(15);
    expect(answers.reduce((sum, { probability }) => sum + probability, 0)).toBeCloseTo(1, 12);
    expect(new Set(answers.map(({ reward }) => reward))).toEqual(new Set([0, 1]));
  });

  it("reinforce: exactly the gradient of the expected reward", () => {
    const { min, max } = factors(expectedGradient({ type: "reinforce" }, answers), exact);
    expect(min).toBeCloseTo(1, 5);
    expect(max).toBeCloseTo(1, 5);
  });

  it("rloo: exactly the gradient of the expected reward", () => {
    const { min, max } = factors(expectedGradient({ type: "rloo", ...noKl }, answers), exact);
    expect(min).toBeCloseTo(1, 5);
    expect(max).toBeCloseTo(1, 5);
  });

  it("drgrpo: (G - 1) / (G Lmax) of it in every coordinate", () => {
    const { min, max } = factors(expectedGradient({ type: "drgrpo" }, answers), exact);
    expect(min * MAX_STEPS).toBeCloseTo((GROUP_SIZE - 1) / GROUP_SIZE, 5);
    expect(max * MAX_STEPS).toBeCloseTo((GROUP_SIZE - 1) / GROUP_SIZE, 5);
  });

  it("division by std keeps the direction for one prompt, with the factor sqrt(3) (G - 1) / G", () => {
    const spec: ObjectiveSpec = { type: "grpo", ...noKl, aggregation: "seq-mean-token-sum" };
    const { min, max } = factors(expectedGradient(spec, answers), exact);
    expect(max - min).toBeLessThan(1e-5);
    // Worked by hand: groups of three with one or two right both have sample std sqrt(1/3), so every advantage grows by sqrt(3).
    // With epsilon 1e-4 beside std the factor is 1.1545.
    expect(min).toBeCloseTo((Math.sqrt(3) * 2) / 3, 4);
    const { min: withTrlEpsilon } = factors(expectedGradient({ ...spec, stdEpsilon: 1e-4 }, answers), exact);
    expect(withTrlEpsilon).toBeCloseTo(1.1545, 4);
  });

  it("division by the answer's length turns the direction", () => {
    const direction = cosine(expectedGradient({ type: "grpo", ...noKl, std: "none" }, answers), exact);
    // .9526 for the flat policy and .9678 for the tilted one; other 0/1 rewards give .92 to .97
    expect(direction).toBeLessThan(0.98);
    expect(direction).toBeGreaterThan(0.9);
  });
});

/** p: what is expected of the rewards, i.e. the probability of a right answer. */
function rightShare(answers: readonly Answer[]): number {
  return answers.reduce((sum, { probability, reward }) => sum + probability * reward, 0);
}

describe.each(Object.entries(LOGIT_TABLES))("expected gradients of other estimators, %s policy", (_, logits) => {
  const answers = answersOf(logits, rewardOf);
  const exact = exactGradient(answers);
  const sums = { aggregation: "seq-mean-token-sum" } as const;
  const expectFactor = (spec: ObjectiveSpec, expected: number, greedyReward = 0) => {
    const { min, max } = factors(expectedGradient(spec, answers, GROUP_SIZE, greedyReward), exact);
    expect(min).toBeCloseTo(expected, 4);
    expect(max).toBeCloseTo(expected, 4);
  };

  it("remax: exactly the gradient of the expected reward, whatever the greedy answer earns", () => {
    expectFactor({ type: "remax" }, 1, 0);
    expectFactor({ type: "remax" }, 1, 1);
    expectFactor({ type: "remax" }, 1, -0.3);
  });

  it("gpg: (G - 1) / G of it where lengths do not divide", () => {
    expectFactor({ type: "gpg", ...sums }, (GROUP_SIZE - 1) / GROUP_SIZE);
  });

  it("bnpo: that of division by std, with TRL's epsilon", () => {
    expectFactor({ type: "bnpo", ...sums }, 1.1545);
  });

  it("grpo-passk: 1 / G of the gradient of pass@G, which is 1 - (1 - p)^G", () => {
    const wrong = 1 - rightShare(answers);
    expectFactor({ type: "grpo-passk", std: "none", ...sums }, wrong ** (GROUP_SIZE - 1));
  });

  it("maxrl: (1 - (1 - p)^G) / p - (1 - p)^(G - 1) times that of p", () => {
    const p = rightShare(answers);
    // With K right of G: 1/K sum of the right answers' scores less 1/G sum of all, where K > 0. The first has the expectation
    // P(K > 0) dp / p; the second, as all scores together expect 0, that of the scores where K = 0, -(1 - p)^(G - 1) dp.
    expectFactor({ type: "maxrl", ...sums }, (1 - (1 - p) ** GROUP_SIZE) / p - (1 - p) ** (GROUP_SIZE - 1));
  });

  it.each<ObjectiveSpec>([
    { type: "opo" },
    { type: "reinforce++", ...noKl, ...sums },
    { type: "reinforce++-baseline", ...noKl, ...sums },
  ])("$type: statistics that know the lengths turn the direction a little", (spec) => {
    const direction = cosine(expectedGradient(spec, answers), exact);
    expect(direction).toBeLessThan(1 - 1e-5);
    expect(direction).toBeGreaterThan(0.98);
  });
});

describe("two prompts of different difficulty, answers of one token of which token 1 is right, groups of four", () => {
  /** The factor by which the expected gradient is the exact one for a prompt that is answered right with probability p. */
  const factorAt = (spec: ObjectiveSpec, p: number) => {
    const wrong = Math.log((1 - p) / 2);
    const answers = answersOf([[wrong, Math.log(p), wrong]], (tokens) => Number(tokens[0] === 1), 1);
    const { min, max } = factors(expectedGradient(spec, answers, 4), exactGradient(answers));
    expect(max - min).toBeLessThan(1e-5);
    return min;
  };

  it("drgrpo scales both alike; division by std favours the harder one, so their sum points elsewhere", () => {
    expect(factorAt({ type: "drgrpo" }, 0.1) * MAX_STEPS).toBeCloseTo(3 / 4, 5);
    expect(factorAt({ type: "drgrpo" }, 0.5) * MAX_STEPS).toBeCloseTo(3 / 4, 5);
    // One or three right of four: std 1/2; two: sqrt(1/3). With q = 1 - p, E[sum of A over the right answers] is the factor times
    // 4 p q: (2 * .75 * 4 p q (p^2 + q^2) + sqrt(3) * 6 p^2 q^2) / (4 p q), as 4 p q^3 + 4 p^3 q = 4 p q (p^2 + q^2).
    const byHand = (p: number) => 1.5 * (p ** 2 + (1 - p) ** 2) + Math.sqrt(3) * 1.5 * p * (1 - p);
    const std: ObjectiveSpec = { type: "dapo", aggregation: "seq-mean-token-sum" };
    expect(factorAt(std, 0.1)).toBeCloseTo(byHand(0.1), 5);
    expect(factorAt(std, 0.5)).toBeCloseTo(byHand(0.5), 5);
    expect(byHand(0.1) - byHand(0.5)).toBeGreaterThan(0.05);
  });

  it("opo is drgrpo where all answers are of one length", () => {
    for (const p of [0.1, 0.5]) expect(factorAt({ type: "opo" }, p)).toBeCloseTo(3 / 4, 5);
  });

  it("whitening one group of answers of one token is division by its std", () => {
    const byHand = (p: number) => 1.5 * (p ** 2 + (1 - p) ** 2) + Math.sqrt(3) * 1.5 * p * (1 - p);
    for (const type of ["reinforce++", "reinforce++-baseline"] as const) {
      for (const p of [0.1, 0.5]) {
        expect(factorAt({ type, ...noKl, aggregation: "seq-mean-token-sum" }, p)).toBeCloseTo(byHand(p), 5);
      }
    }
  });

  it("maxrl favours the harder one more than division by std does, grpo-passk too", () => {
    const sums = { aggregation: "seq-mean-token-sum" } as const;
    const preference = (spec: ObjectiveSpec) => factorAt(spec, 0.1) / factorAt(spec, 0.5);
    // By hand: (1 - .9^4) / .1 - .9^3 = 2.71 and (1 - .5^4) / .5 - .5^3 = 1.75; (.9 / .5)^3 = 5.832
    expect(preference({ type: "maxrl", ...sums })).toBeCloseTo(2.71 / 1.75, 4);
    expect(preference({ type: "grpo-passk", std: "none", ...sums })).toBeCloseTo(5.832, 4);
    expect(preference({ type: "bnpo", ...sums })).toBeLessThan(2.71 / 1.75);
  });
});
