import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { allEqual, clamp, kthSmallest, mean, populationStd, sampleStd } from "../../src/math/statistics.ts";

describe("statistics", () => {
  it("by hand: 2, 4, 4, 4, 5, 5, 7, 9 has mean 5, population std 2 and sample std sqrt(32 / 7)", () => {
    const values = [2, 4, 4, 4, 5, 5, 7, 9];
    expect(mean(values)).toBe(5);
    expect(populationStd(values)).toBe(2);
    expect(sampleStd(values)).toBeCloseTo(Math.sqrt(32 / 7), 14);
  });

  it("one value deviates by 0; of nothing there is no number", () => {
    expect(sampleStd([3])).toBe(0);
    expect(populationStd([3])).toBe(0);
    expect(mean([])).toBeNaN();
    expect(sampleStd([])).toBeNaN();
    expect(populationStd([])).toBeNaN();
  });

  it("deviations of large, close numbers do not cancel", () => {
    expect(sampleStd([1e9, 1e9 + 1, 1e9 + 2])).toBe(1);
  });

  it("equal is exact: the mean of three 0.1 is not 0.1, but they are equal", () => {
    expect(mean([0.1, 0.1, 0.1])).not.toBe(0.1);
    expect(allEqual([0.1, 0.1, 0.1])).toBe(true);
    expect(allEqual([0.1, 0.1 + 1e-17, 0.2])).toBe(false);
    expect(allEqual([])).toBe(true);
  });

  it("clamp holds both ends", () => {
    expect([clamp(-2, -1, 1), clamp(0.5, -1, 1), clamp(3, -1, 1)]).toEqual([-1, 0.5, 1]);
  });
});

describe("kthSmallest", () => {
  it("is what sorting would put there, with ties and infinities", () => {
    const value = fc.oneof(
      fc.integer({ min: -3, max: 3 }),
      fc.double({ noNaN: true }),
      fc.constantFrom(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
    );
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 60 }), fc.nat(), (values, n) => {
        const rank = n % values.length;
        const sorted = Float64Array.from(values).sort();
        expect(kthSmallest(Float64Array.from(values), rank) === sorted[rank]).toBe(true);
      }),
      { seed: 7, numRuns: 2000 },
    );
  });

  it("leaves its argument as it is", () => {
    const values = Float64Array.of(3, 1, 2);
    expect(kthSmallest(values, 0)).toBe(1);
    expect([...values]).toEqual([3, 1, 2]);
  });
});
