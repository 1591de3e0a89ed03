import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  numNeededTokens,
  packSequences,
  packTokens,
  planMicroBatches,
  unpackTokens,
} from "../../src/engine/packing.ts";
import type { Sequence } from "../../src/types.ts";

/** A sequence of `length` tokens, all but the first trained unless a mask is given. */
function sequenceOf(tokens: readonly number[], mask?: readonly number[]): Sequence {
  return {
    tokenIds: Int32Array.from(tokens),
    lossMask: Uint8Array.from(mask ?? tokens.map((_, t) => (t === 0 ? 0 : 1))),
    samplingLogprobs: new Float32Array(tokens.length),
  };
}

describe("numNeededTokens", () => {
  it("ends with the last trained token", () => {
    expect(numNeededTokens(sequenceOf([5, 6, 7, 8], [0, 1, 1, 0]))).toBe(3);
  });

  it("is 0 where nothing is trained", () => {
    expect(numNeededTokens(sequenceOf([5, 6, 7], [0, 0, 0]))).toBe(0);
  });
});

describe("planMicroBatches", () => {
  it("fills the largest first, then the first gap that fits", () => {
    // Decreasing: 6 | 5 | 4 joins the 6 (10 of 10) | 3 joins the 5 | 2 joins the 5 and 3 (10 of 10).
    expect(planMicroBatches([2, 6, 3, 5, 4], 10)).toEqual([
      [0, 2, 3],
      [1, 4],
    ]);
  });

  it("gives a sequence longer than the budget a micro-batch of its own", () => {
    expect(planMicroBatches([3, 50, 4], 10)).toEqual([[0, 2], [1]]);
  });

  it("leaves out empty sequences", () => {
    expect(planMicroBatches([0, 3, 0], 10)).toEqual([[1]]);
    expect(planMicroBatches([0, 0], 10)).toEqual([]);
  });

  it("holds every sequence once and keeps to the budget, whatever the lengths", () => {
    const lengths = fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 60 });
    fc.assert(
      fc.property(lengths, fc.integer({ min: 1, max: 100 }), (sizes, budget) => {
        const plan = planMicroBatches(sizes, budget);
        const expected = sizes.flatMap((size, index) => (size > 0 ? [index] : []));
        expect(plan.flat().sort((a, b) => a - b)).toEqual(expected);
        for (const indices of plan) {
          const total = indices.reduce((sum, index) => sum + sizes[index]!, 0);
          expect(indices.length === 1 || total <= budget).toBe(true);
          expect([...indices].sort((a, b) => a - b)).toEqual(indices);
        }
      }),
    );
  });
});

describe("packing and unpacking", () => {
  const sequences = [sequenceOf([1, 2, 3, 4], [0, 1, 1, 0]), sequenceOf([9, 9], [0, 0]), sequenceOf([5, 6])];
  const lengths = sequences.map(numNeededTokens);

  it("lays needed tokens end to end", () => {
    const batch = packSequences(sequences, lengths, [0, 2]);
    expect([...batch.tokenIds]).toEqual([1, 2, 3, 5, 6]);
    expect([...batch.lossMask]).toEqual([0, 1, 1, 0, 1]);
    expect([...batch.lengths]).toEqual([3, 2]);
  });

  it("gives every sequence its own numbers back, 0 past what was packed", () => {
    const unpacked = unpackTokens(Float32Array.of(0, -1, -2, 0, -3), sequences, lengths, [0, 2]);
    expect(unpacked.map((array) => [...array])).toEqual([
      [0, -1, -2, 0],
      [0, -3],
    ]);
  });

  it("packs gradients where they came from, with zeros for an absent one", () => {
    const packed = packTokens([Float32Array.of(0, 1, 2, 0), undefined], lengths, [0, 2]);
    expect([...(packed ?? [])]).toEqual([0, 1, 2, 0, 0]);
    expect(packTokens([undefined, undefined], lengths, [0, 2])).toBeUndefined();
  });
});
