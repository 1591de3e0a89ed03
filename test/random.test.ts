import { describe, expect, it } from "vitest";
import { createRandom, permutation, seedFrom } from "../src/random.ts";

/** Pearson's statistic of counts against equal shares; its mean is the degrees of freedom, counts - 1. */
function chiSquare(counts: readonly number[]): number {
  const expected = counts.reduce((a, b) => a + b, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

describe("randomness", () => {
  it("the same seed gives the same stream, another seed another", () => {
    const draw = (seed: number) => Array.from({ length: 8 }, createRandom(seed).next);
    expect(draw(5)).toEqual(draw(5));
    expect(draw(5)).not.toEqual(draw(6));
    expect(draw(5)).not.toEqual(draw(5 + 2 ** 32));
  });

  it("integers below a limit that is no power of two are uniform", () => {
    const random = createRandom(1);
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i++) counts[random.below(10)]!++;
    // 99.99 % of uniform draws lie below 33.7, by the chi-square distribution with 9 degrees of freedom.
    expect(chiSquare(counts)).toBeLessThan(33.7);
  });

  it("first numbers of neighbouring seeds are uniform too", () => {
    const counts = new Array<number>(10).fill(0);
    for (let seed = 0; seed < 100_000; seed++) counts[createRandom(seedFrom(7, "row", seed)).below(10)]!++;
    expect(chiSquare(counts)).toBeLessThan(33.7);
  });

  it("all 24 orders of four things are equally likely", () => {
    const counts = new Map<string, number>();
    for (let i = 0; i < 48_000; i++) {
      const order = permutation(4, seedFrom(3, i)).join("");
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(24);
    // 99.99 % of uniform draws lie below 57.1, with 23 degrees of freedom.
    expect(chiSquare([...counts.values()])).toBeLessThan(57.1);
  });

  it("seeds of different parts differ, also where their texts join to the same", () => {
    const seeds = [
      seedFrom(1),
      seedFrom(1, "a"),
      seedFrom(1, "a", "b"),
      seedFrom(1, "ab"),
      seedFrom(1, "a$b"),
      seedFrom(1, 2),
      seedFrom(1, "2"),
      seedFrom(12),
    ];
    expect(new Set(seeds).size).toBe(seeds.length);
    const many = new Set(Array.from({ length: 200_000 }, (_, i) => seedFrom(0, "row", i)));
    // 2^48 seeds: two of 200,000 meet once in 14,000 tries.
    expect(many.size).toBe(200_000);
    for (const seed of seeds) expect(Number.isSafeInteger(seed) && seed >= 0).toBe(true);
  });
});
