/** From scored groups to the examples of optimizer steps. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anchoredLoss, assemble, makeBatch, onPolicyLoss, splitUpdates } from "../src/assemble.ts";
import { mergeMetrics, metricValues } from "../src/metrics.ts";
import { createObjective } from "../src/objectives/create.ts";
import type { ScoredGroup, TokenOutputs } from "../src/types.ts";
import { exampleOf, groupOf, sequenceOf, withPrompt } from "./objectives/fixtures.ts";
import { uniform } from "./objectives/tabular-policy.ts";

const dapo = createObjective({ type: "dapo" });
const drgrpo = createObjective({ type: "drgrpo" });

/** [groups][G] outputs that differ by group and rollout, so that a mixed-up index shows. */
function outputsFor(groups: readonly ScoredGroup[]): TokenOutputs[][] {
  return groups.map(({ rollouts }, g) =>
    rollouts.map(({ sequence }, i) => ({
      logprobs: Float64Array.from(sequence.lossMask, (flag) => (flag === 1 ? -(1 + g + i / 10) : 0)),
    })),
  );
}

/** A group whose server reported other log-probabilities than the trainer's. */
function sampledGroup(samplingLogprobs: readonly (readonly number[])[], totals: readonly number[]): ScoredGroup {
  const group = groupOf(
    totals,
    samplingLogprobs.map((row) => row.length),
  );
  const rollouts = group.rollouts.map(({ completion }, i) => ({
    completion,
    sequence: sequenceOf(samplingLogprobs[i]!.length, samplingLogprobs[i]!),
  }));
  return { ...group, rollouts };
}

describe("assemble", () => {
  it("makes one example per rollout, in order, with its own old and reference outputs", () => {
    const groups = [groupOf([1, 0], [2, 3]), groupOf([0, 1, 0], [1, 2, 4])];
    const [old, ref] = [outputsFor(groups), outputsFor(groups)];
    const examples = assemble(groups, old, ref, drgrpo);
    expect(examples.map(({ sequence }) => sequence.tokenIds.length)).toEqual([3, 4, 2, 3, 5]);
    expect(examples.map((example) => example.old)).toEqual(old.flat());
    examples.forEach((example, i) => {
      expect(example.ref).toBe(ref.flat()[i]);
    });
    const third = Math.fround(1 / 3);
    expect([...examples[3]!.advantages]).toEqual([0, expect.closeTo(2 * third, 6), expect.closeTo(2 * third, 6)]);
    expect([...examples[1]!.weights]).toEqual([1, 1, 1, 1]);
  });

  it("leaves excluded rollouts out of the examples, the baseline and the denominators", () => {
    const groups = [groupOf([1, null, 0], [2, 7, 3])];
    const examples = assemble(groups, outputsFor(groups), undefined, drgrpo);
    expect(examples.map(({ advantages }) => advantages[1])).toEqual([0.5, -0.5]);
    expect(makeBatch(examples, 8)).toMatchObject({ numSequences: 2, numTokens: 5, maxCompletionTokens: 8 });
  });

  it("maskTruncated leaves truncated completions out of the loss and its denominators, not out of the baseline", () => {
    const groups = [groupOf([1, 0, 0], [2, 3, 8], ["stop", "stop", "length"])];
    const old = outputsFor(groups);
    const masked = assemble(groups, old, undefined, drgrpo, { maskTruncated: true });
    expect(masked.map(({ advantages }) => advantages[1])).toEqual([
      expect.closeTo(2 / 3, 6),
      expect.closeTo(-1 / 3, 6),
    ]);
    expect(makeBatch(masked, 8)).toMatchObject({ numSequences: 2, numTokens: 5 });
    expect(makeBatch(assemble(groups, old, undefined, drgrpo), 8)).toMatchObject({ numSequences: 3, numTokens: 13 });
  });

  it("two groups of the same prompt do not merge", () => {
    const groups = [groupOf([1, 0]), groupOf([1, 1])];
    const advantages = assemble(groups, outputsFor(groups), undefined, drgrpo).map((example) => example.advantages[1]);
    expect(advantages).toEqual([0.5, -0.5, 0, 0]);
  });

  it("token weights are exp(old - sampling), held at the cap, on trained tokens", () => {
    const group = sampledGroup([[-1, -2, -1.5]], [1]);
    const old = [[{ logprobs: withPrompt([-1.2, -0.5, -1.5]) }]];
    const [example] = assemble([group], old, undefined, createObjective({ type: "reinforce" }), {
      correction: { type: "tis", cap: 2, floor: 0 },
    });
    expect([...example!.weights]).toEqual([1, expect.closeTo(Math.exp(-0.2), 6), 2, 1]);
  });

  it("refuses outputs that do not belong to the groups, and a missing forward pass that the objective reads", () => {
    const groups = [groupOf([1, 0], [2, 3])];
    expect(() => assemble(groups, [outputsFor(groups)[0]!.toReversed()], undefined, dapo)).toThrow(
      "the old log-probabilities of group 0 do not fit its 2 sequences",
    );
    expect(() => assemble(groups, [], undefined, dapo)).toThrow("do not fit");
    expect(() => assemble(groups, outputsFor(groups), undefined, createObjective({ type: "grpo" }))).toThrow(
      "grpo needs reference log-probabilities",
    );
    expect(() => assemble(groups, undefined, outputsFor(groups), createObjective({ type: "rloo" }))).toThrow(
      "rloo needs the old log-probabilities",
    );
  });
});

describe("the loss of an update", () => {
  const group = sampledGroup(
    [
      [-1, -2],
      [-0.5, -1, -3],
    ],
    [1, 0],
  );
  const outputs: TokenOutputs[] = [
    { logprobs: withPrompt([-1.1, -1.5]) },
    { logprobs: withPrompt([-0.5, -1.2, -2.9]) },
  ];

  it("on-policy equals an update against old outputs that are the current ones, bit for bit", () => {
    const correction = { type: "tis", cap: 1.3, floor: 0 } as const;
    const known = assemble([group], [outputs], undefined, dapo, { correction });
    const unknown = assemble([group], undefined, undefined, dapo, { correction });
    const knownLoss = anchoredLoss(dapo, makeBatch(known, 4), correction);
    const onPolicy = onPolicyLoss(dapo, makeBatch(unknown, 4), correction);
    expect(unknown).toHaveLength(2);
    unknown.forEach((example, i) => {
      const result = onPolicy(example, outputs[i]!);
      expect(Number.isFinite(result.loss)).toBe(true);
      expect(result).toEqual(knownLoss(known[i]!, outputs[i]!));
      expect(result.gradient.dLogprobs.some((value) => value !== 0)).toBe(true);
    });
  });

  it("examples without old outputs give NaN, not a number, when they are not trained on-policy", () => {
    const examples = assemble([group], undefined, undefined, dapo);
    const { loss } = anchoredLoss(dapo, makeBatch(examples, 4))(examples[0]!, outputs[0]!);
    expect(loss).toBeNaN();
  });

  it("reports how far server and trainer are apart", () => {
    const examples = assemble([group], [outputs], undefined, dapo);
    const loss = anchoredLoss(dapo, makeBatch(examples, 4));
    const metrics = metricValues(mergeMetrics(examples.map((example, i) => loss(example, outputs[i]!).metrics)));
    // |differences| .1, .5, 0, .2, .1 and ratios e^-.1, e^.5, 1, e^-.2, e^.1
    expect(metrics["sampling/sampling_logp_difference/mean"]).toBeCloseTo(0.18, 6);
    expect(metrics["sampling/sampling_logp_difference/max"]).toBeCloseTo(0.5, 6);
    expect(metrics["sampling/importance_sampling_ratio/max"]).toBeCloseTo(Math.exp(0.5), 6);
    expect(metrics["sampling/importance_sampling_ratio/mean"]).toBeCloseTo(
      (Math.exp(-0.1) + Math.exp(0.5) + 1 + Math.exp(-0.2) + Math.exp(0.1)) / 5,
      6,
    );
  });
});

describe("makeBatch and splitUpdates", () => {
  const examples = Array.from({ length: 10 }, (_, i) => {
    const logp = new Array<number>(i).fill(-1);
    return exampleOf({ logp, old: logp, advantage: 1 });
  });

  it("a sequence without trained tokens does not count", () => {
    expect(makeBatch(examples, 16)).toEqual({
      examples,
      numSequences: 9,
      numTokens: 45,
      numPositiveTokens: 0,
      tokensOfGroup: new Map([[0, 45]]),
      maxCompletionTokens: 16,
    });
  });

  it("one update keeps the order and draws nothing", () => {
    const refuse = () => {
      throw new Error("drew a number");
    };
    expect(splitUpdates(examples, 1, refuse)).toEqual([examples]);
  });

  it("updates hold every example exactly once, in sizes that differ by at most one, none empty", () => {
    fc.assert(
      fc.property(fc.nat(10), fc.integer({ min: 1, max: 12 }), fc.nat(), (size, numUpdates, seed) => {
        const some = examples.slice(0, size);
        const parts = splitUpdates(some, numUpdates, uniform(seed));
        const sizes = parts.map((part) => part.length);
        expect(parts).toHaveLength(Math.min(numUpdates, size));
        if (size > 0) expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        expect(sizes).not.toContain(0);
        expect(new Set(parts.flat())).toEqual(new Set(some));
        expect(parts.flat()).toHaveLength(size);
      }),
    );
  });

  it("the same seed splits alike, another one differently", () => {
    const order = (seed: number) =>
      splitUpdates(examples, 3, uniform(seed))
        .flat()
        .map(({ sequence }) => sequence.tokenIds.length);
    expect(order(1)).toEqual(order(1));
    expect(order(1)).not.toEqual(order(2));
  });
});
