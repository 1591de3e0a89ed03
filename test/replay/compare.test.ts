/** Objectives side by side, and tokens one by one, on batches small enough to work by hand. */
import { describe, expect, it } from "vitest";
import { exampleStep } from "../../src/explain/example.ts";
import { createObjective, type ObjectiveSpec, objectiveSchema, objectiveTypes } from "../../src/objectives/create.ts";
import { createRandom } from "../../src/random.ts";
import { type RlStage, rlStage } from "../../src/recipe/schema.ts";
import { anatomyOf, anatomyOptions } from "../../src/replay/anatomy.ts";
import { alignments, cosines, type ReplayOptions, replay } from "../../src/replay/compare.ts";
import { recompute } from "../../src/replay/recompute.ts";
import type { LoggedStep } from "../../src/replay/reconstruct.ts";
import { toRollout } from "../../src/rollout.ts";
import type { TrainedRollout } from "../../src/types.ts";

const options: ReplayOptions = {
  maskTruncated: false,
  correction: undefined,
  maxCompletionTokens: 8,
  random: createRandom(1).next,
};
const candidate = (spec: ObjectiveSpec) => ({ label: spec.type, spec: objectiveSchema.parse(spec) });

interface Answer {
  readonly reward: number;
  /** [T] current over old, and old over the server's probability. */
  readonly ratios: readonly number[];
  readonly rhos?: readonly number[];
}

/** One group on which every log-probability of the old policy is -1. */
function stepOf(answers: readonly Answer[]): LoggedStep {
  const prompt = { id: "p", text: "?", tokenIds: [7], prefill: "", answer: null, fields: {} };
  const rollouts = answers.map(({ ratios, rhos = ratios.map(() => 1) }) =>
    toRollout(prompt, {
      tokenIds: ratios.map((_, t) => t),
      logprobs: Float32Array.from(rhos, (rho) => -1 - Math.log(rho)),
      text: "",
      finishReason: "stop",
      policyVersion: 0,
    }),
  );
  const trained = answers.map(
    ({ ratios }): TrainedRollout => ({
      advantages: new Float32Array(ratios.length + 1),
      oldLogprobs: Float32Array.from([0, ...ratios.map(() => -1)]),
      logprobs: Float32Array.from([0, ...ratios.map((ratio) => -1 + Math.log(ratio))]),
    }),
  );
  return {
    groups: [{ prompt, rollouts, rewards: answers.map(({ reward }) => ({ total: reward, outcomes: {} })) }],
    trained: [trained],
  };
}

describe("replay", () => {
  const even = stepOf([
    { reward: 1, ratios: [1, 1] },
    { reward: 0, ratios: [1, 1] },
    { reward: 0, ratios: [1, 1] },
  ]);
  const uneven = stepOf([
    { reward: 1, ratios: [1] },
    { reward: 0, ratios: [1, 1, 1] },
  ]);
  const noKl = { coefficient: 0 };

  it("on-policy DAPO is GRPO where answers are equally long, and is not where they differ", () => {
    const pair = [candidate({ type: "grpo", kl: noKl }), candidate({ type: "dapo" })];
    const same = cosines(replay(even, pair, options).replayed);
    expect(same[0]![1]).toBeCloseTo(1, 6);
    // Token gradients by hand, up to a scale: grpo (-3, 1, 1, 1), dapo (-1, 1, 1, 1).
    const different = cosines(replay(uneven, pair, options).replayed);
    expect(different[0]![1]).toBeCloseTo(6 / Math.sqrt(12 * 4), 6);
  });

  it("an alignment names the first of its kind and how much longer the second is", () => {
    const specs = [
      candidate({ type: "reinforce" }),
      candidate({ type: "drgrpo" }),
      candidate({ type: "rloo", kl: noKl }),
    ];
    const { replayed } = replay(even, specs, options);
    const labels = replayed.map(({ label }) => label);
    const norms = replayed.map(({ gradientNorm }) => gradientNorm);
    const [only, ...others] = alignments(labels, norms, cosines(replayed));
    expect(others).toEqual([]);
    expect(only).toMatchObject({ a: "drgrpo", b: "rloo" });
    // G / (G - 1) of the advantage, over 1 instead of Lmax = 8.
    expect(only!.scale).toBeCloseTo(1.5 * 8, 5);
  });

  it("while nothing has moved, cispo and luspo are dapo, and gspo, gmpo and sapo are grpo", () => {
    const step = stepOf([
      { reward: 1, ratios: [1] },
      { reward: 0.5, ratios: [1, 1, 1] },
      { reward: 0, ratios: [1, 1] },
    ]);
    const types = ["dapo", "cispo", "luspo", "grpo", "gspo", "gmpo", "sapo"] as const;
    const { replayed } = replay(
      step,
      types.map((type) => candidate({ type, kl: noKl })),
      options,
    );
    const norms = replayed.map(({ gradientNorm }) => gradientNorm);
    expect(alignments(types, norms, cosines(replayed)).map(({ a, b }) => `${b} = ${a}`)).toEqual([
      "cispo = dapo",
      "luspo = dapo",
      "gspo = grpo",
      "gmpo = grpo",
      "sapo = grpo",
    ]);
  });

  it("clip shares, moving share and effective sample size are those worked by hand", () => {
    const step = stepOf([
      { reward: 1, ratios: [1.5, 1, 1.2], rhos: [3, 1, 1] },
      { reward: 0, ratios: [0.5, 4, 1], rhos: [1, 1, 0.5] },
    ]);
    const { replayed } = replay(step, [candidate({ type: "dapo", dualClip: 3 })], {
      ...options,
      correction: { type: "tis", cap: 2, floor: 0 },
    });
    const [dapo] = replayed;
    expect(dapo!.clipped).toEqual({ low: 1 / 6, high: 1 / 6, dual: 1 / 6 });
    expect(dapo!.movingShare).toBe(0.5);
    // Weights 2, 1, 1, 1, 1, 0.5.
    expect(dapo!.effectiveSampleShare).toBeCloseTo(6.5 ** 2 / (6 * 8.25), 6);
    // A = +-1 / sqrt(2) up to epsilon: tokens 1 and 1.2 of the first, weight 1; the last of the second, ratio 1 and weight 0.5.
    expect(dapo!.gradientNorm).toBeCloseTo((Math.SQRT1_2 / 6) * Math.sqrt(1 + 1.2 ** 2 + 0.5 ** 2), 5);
  });

  it("what the log does not have is named, never guessed", () => {
    const types = ["grpo", "rloo", "ppo", "dapo"] as const;
    const { replayed, notComputable } = replay(
      even,
      types.map((type) => candidate({ type })),
      options,
    );
    expect(replayed.map(({ label }) => label)).toEqual(["dapo"]);
    expect(notComputable.map(({ reason }) => reason)).toEqual([
      "grpo is not computable: the log has no reference log-probabilities.",
      "rloo is not computable: the log has no reference log-probabilities.",
      expect.stringMatching(/^ppo is not computable: the log has no /),
    ]);
  });

  it("rollouts that the run left at rest can be replayed only by what leaves them at rest", () => {
    const solved = stepOf([
      { reward: 1, ratios: [1] },
      { reward: 1, ratios: [1] },
    ]);
    const untold: LoggedStep = { ...solved, trained: [solved.trained[0]!.map(({ advantages }) => ({ advantages }))] };
    const { replayed, notComputable } = replay(
      untold,
      [candidate({ type: "dapo" }), candidate({ type: "reinforce" })],
      options,
    );
    expect(replayed.map(({ label, movingShare }) => [label, movingShare])).toEqual([["dapo", 0]]);
    expect(notComputable[0]!.reason).toMatch(/^reinforce is not computable: it moves 2 of 2 rollouts/);
  });
});

describe("the anatomy of the made-up batch", () => {
  const stage = (algorithm: ObjectiveSpec): RlStage =>
    rlStage.parse({
      type: "rl",
      data: { type: "task", task: "arithmetic", size: 1 },
      rewards: { functions: ["accuracy"] },
      algorithm,
      rollout: { promptsPerStep: 1, groupSize: 5, sampling: { maxTokens: 8 } },
      steps: 1,
      optimizer: { learningRate: 1 },
    });

  function anatomy(algorithm: ObjectiveSpec, maskTruncated = false) {
    const parsed = stage(algorithm);
    const step = exampleStep(parsed);
    const objective = createObjective(algorithm);
    const recomputed = recompute(step, { ...options, objective, updatesPerBatch: 1, epochsPerBatch: 1, maskTruncated });
    return anatomyOf(step, recomputed, anatomyOptions(parsed.algorithm, maskTruncated));
  }

  it.each(objectiveTypes.map((type) => [type]))("%s: explains every token, and shares add up", (type) => {
    const { survey, dissect } = anatomy({ type } as ObjectiveSpec);
    const { completions } = dissect(0);
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
    expect(survey.numMoving).toBeGreaterThan(0);
    expect(sum(completions.map(({ shareOfGroup }) => shareOfGroup))).toBeCloseTo(1, 6);
    for (const { tokens, shareOfGroup } of completions)
      expect(sum(tokens.map((token) => token.shareOfGroup))).toBeCloseTo(shareOfGroup, 6);
    expect(completions[4]!.tokens.map(({ mask, gradient }) => [mask, gradient])).toEqual([
      ["excluded", 0],
      ["excluded", 0],
    ]);
  });

  it("dapo: each clip holds the token that it was made for", () => {
    const { survey, dissect } = anatomy({ type: "dapo", dualClip: 3 });
    const clips = dissect(0).completions.map(({ tokens }) => tokens.map(({ clip }) => clip));
    expect(clips).toEqual([
      ["high", "none"],
      ["none", "none", "none"],
      ["low", "dual", "none"],
      ["none", "none", "none", "none"],
      ["none", "none"],
    ]);
    expect(survey.numHeld).toEqual({ low: 1, high: 1, dual: 1 });
    // Of 14 tokens the hundredth part is one. Rewards 1, 0.5, 0, 0 less their mean, times the ratios that move: 0.625 x 0.9,
    // 0.125 x (1 + 1.1 + 0.7), 0.375 x (1 + 1 + 0.95 + 1.05 + 1); the first is the largest.
    expect(survey.top).toEqual({ numTokens: 1, share: expect.closeTo(0.5625 / (0.5625 + 0.35 + 1.875), 5) });
  });

  it("grpo: a clip is seen behind the KL term, which goes on pulling", () => {
    const held = anatomy({ type: "grpo", kl: { coefficient: 0.5 } }).dissect(0).completions[0]!.tokens[0]!;
    expect(held.clip).toBe("high");
    expect(held.gradient).not.toBe(0);
  });

  it("a completion that was cut off is masked only where the stage says so", () => {
    expect(anatomy({ type: "dapo" }).dissect(0).completions[3]!.mask).toBeNull();
    const masked = anatomy({ type: "dapo" }, true).dissect(0).completions[3]!;
    expect(masked.mask).toBe("truncated");
    expect(masked.tokens.every(({ mask, gradient }) => mask === "truncated" && gradient === 0)).toBe(true);
  });
});
