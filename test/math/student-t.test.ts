import { describe, expect, it } from "vitest";
import { tQuantile, twoSidedP } from "../../src/math/student-t.ts";

describe("Student's t", () => {
  // NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2, upper critical values, as printed to three decimals.
  it.each([
    [0.975, 1, 12.706],
    [0.975, 2, 4.303],
    [0.975, 4, 2.776],
    [0.975, 9, 2.262],
    [0.975, 30, 2.042],
    [0.95, 4, 2.132],
    [0.995, 4, 4.604],
    [0.9, 10, 1.372],
    [0.999, 5, 5.893],
    [0.975, 100, 1.984],
  ])("quantile %f at %i degrees of freedom is %f", (probability, df, printed) => {
    expect(Math.abs(tQuantile(probability, df) - printed)).toBeLessThan(5.1e-4);
    expect(tQuantile(1 - probability, df)).toBeCloseTo(-tQuantile(probability, df), 12);
  });

  it("one degree of freedom is Cauchy's distribution: P(|T| > t) = 1 - 2/pi atan t", () => {
    for (const t of [0.01, 0.5, 1, 3, 25, 1e4]) {
      const exact = 1 - (2 / Math.PI) * Math.atan(t);
      expect(Math.abs(twoSidedP(t, 1) - exact) / exact).toBeLessThan(1e-11);
    }
  });

  it("two degrees of freedom have P(|T| > t) = 1 - t / sqrt(2 + t^2)", () => {
    for (const t of [0.1, 1, 2.5, 10]) expect(twoSidedP(t, 2)).toBeCloseTo(1 - t / Math.sqrt(2 + t * t), 12);
  });

  it("the quantile undoes the distribution", () => {
    for (const df of [1, 3, 7.5, 40]) {
      for (const probability of [0.6, 0.8, 0.99, 0.9999]) {
        expect(1 - twoSidedP(tQuantile(probability, df), df) / 2).toBeCloseTo(probability, 10);
      }
    }
  });

  it("nothing is at 0 and everything below infinity", () => {
    expect(twoSidedP(0, 5)).toBe(1);
    expect(twoSidedP(Number.POSITIVE_INFINITY, 5)).toBe(0);
    expect(tQuantile(0.5, 3)).toBe(0);
  });
});
