import { describe, expect, it } from "vitest";
import { holm, minimumDetectableEffect, pairedDifference, pairStd } from "../../src/compare/paired.ts";

describe("a paired difference", () => {
  it("is Student's: his own ten patients slept 1.58 hours more, t = 4.06", () => {
    // Student, The Probable Error of a Mean, Biometrika 6 (1908): additional hours of sleep under two drugs, ten patients.
    // R's manual page of t.test on this data (?sleep): t = -4.0621, df = 9, p = 0.002833, interval 0.7001142 to 2.4598858.
    const first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
    const second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
    const found = pairedDifference(second.map((hours, i) => hours - first[i]!));
    expect(found.mean).toBeCloseTo(1.58, 12);
    expect(found.interval![0]).toBeCloseTo(0.7001142, 6);
    expect(found.interval![1]).toBeCloseTo(2.4598858, 6);
    expect(found.p).toBeCloseTo(0.002833, 6);
  });

  it("of one seed has no interval and no p", () => {
    expect(pairedDifference([0.1])).toEqual({
      numSeeds: 1,
      mean: 0.1,
      std: null,
      interval: null,
      p: null,
      signFlipP: 1,
    });
  });

  it("five seeds that agree in sign have an exact p of 2/32, and no fewer", () => {
    expect(pairedDifference([0.1, 0.2, 0.05, 0.3, 0.12]).signFlipP).toBe(2 / 32);
    // One against: sums as large as |0.1 + 0.2 + 0.05 + 0.3 - 0.12| = 0.53 are all plus, all minus, and those that flip 0.12, 0.1 or 0.05 alone.
    expect(pairedDifference([0.1, 0.2, 0.05, 0.3, -0.12]).signFlipP).toBe(8 / 32);
  });

  it("equal differences are no certainty: two seeds that agree exactly have p 1/2", () => {
    const { interval, p } = pairedDifference([0.1, 0.1]);
    expect(interval).toBeNull();
    expect(p).toBe(0.5);
    expect(pairedDifference([0.1 + 0.2, 0.3]).p).toBe(0.5);
  });

  it("no difference at all has p 1", () => {
    expect(pairedDifference([0, 0, 0])).toMatchObject({ mean: 0, std: 0, interval: null, p: 1, signFlipP: 1 });
  });
});

describe("Holm's adjustment", () => {
  it("multiplies the smallest p by their number, the next by one less, and never turns their order", () => {
    // By hand: sorted 0.005, 0.01, 0.03, 0.04 -> 0.02, 0.03, 0.06, max(0.06, 0.04).
    expect(holm([0.01, 0.04, 0.03, 0.005])).toEqual([0.03, 0.06, 0.06, 0.02]);
    expect(holm([0.7, 0.9])).toEqual([1, 1]);
    expect(holm([0.03])).toEqual([0.03]);
  });
});

describe("the minimum detectable effect", () => {
  it("of five seeds is 3.717 standard errors: t(0.975, 4) = 2.776 and t(0.8, 4) = 0.941", () => {
    expect(minimumDetectableEffect(1, 5)! * Math.sqrt(5)).toBeCloseTo(2.7764 + 0.941, 3);
    expect(minimumDetectableEffect(0.05, 1)).toBeNull();
  });

  it("is found in four of five studies (seeded simulation of 4000, within 3 standard errors of its own)", () => {
    // A normal stream of its own: Box and Muller over a linear congruential generator, seed 12345.
    let state = 12345;
    const uniform = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return (state + 0.5) / 2 ** 32;
    };
    const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
    const effect = minimumDetectableEffect(1, 8)!;
    let numFound = 0;
    for (let study = 0; study < 4000; study++) {
      if (pairedDifference(Array.from({ length: 8 }, () => effect + normal())).p! < 0.05) numFound++;
    }
    expect(Math.abs(numFound / 4000 - 0.8)).toBeLessThan(3 * Math.sqrt((0.8 * 0.2) / 4000));
  });

  it("two evaluations of 256 samples at one half add 4.4 points to a spread of 3", () => {
    // sqrt(2 * 0.25 / 256) = 0.04419; with 0.03: sqrt(0.0009 + 0.001953) = 0.05341.
    expect(pairStd(0, 256)).toBeCloseTo(0.04419, 5);
    expect(pairStd(0.03, 256)).toBeCloseTo(0.05341, 5);
  });
});
