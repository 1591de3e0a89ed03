import { describe, expect, it } from "vitest";
import { softScore, strictScore, testLevels, testPassRates } from "../../src/verify/test-levels.ts";

/** Easy 3 points and 4 tests, middle 3 and 3, hard 4 and 3. */
const levels = [
  { tests: [0, 1, 2, 3], points: 3 },
  { tests: [4, 5, 6], points: 3 },
  { tests: [7, 8, 9], points: 4 },
];

function passing(...tests: number[]): boolean[] {
  return Array.from({ length: 10 }, (_, i) => tests.includes(i));
}

describe("scores by test difficulty", () => {
  it("4 easy, 2 middle and 3 hard tests passed: strict 3, soft 9", () => {
    // Strict: the middle level is not whole, so it and the hard one give nothing. Soft: 3 + 3 · 2/3 + 4 = 9.
    const passed = passing(0, 1, 2, 3, 4, 5, 7, 8, 9);
    expect(strictScore(levels, passed)).toBe(3);
    expect(softScore(levels, passed)).toBe(9);
  });

  it("all passed are all points, none passed none", () => {
    for (const score of [strictScore, softScore]) {
      expect(score(levels, passing(0, 1, 2, 3, 4, 5, 6, 7, 8, 9))).toBe(10);
      expect(score(levels, passing())).toBe(0);
    }
  });

  it("strictly, harder levels count for nothing while an easier test fails", () => {
    expect(strictScore(levels, passing(1, 2, 3, 4, 5, 6, 7, 8, 9))).toBe(0);
    expect(strictScore(levels, passing(0, 1, 2, 3, 4, 5, 6))).toBe(6);
  });

  it("a test without a verdict is an error, not a failed test", () => {
    expect(() => strictScore(levels, [true, true])).toThrow(/Expected a verdict of test 2, got 2 verdicts/);
    expect(() => softScore(levels, [true, true])).toThrow(/Expected a verdict of test 2/);
  });
});

describe("levels of tests", () => {
  it("come from the mean over models of their pass rates, each model counting the same", () => {
    const weak = [
      [true, false, false],
      [false, false, false],
    ];
    const strong = [[true, true, false]];
    expect(testPassRates([weak, strong])).toEqual([0.75, 0.5, 0]);
  });

  it("a rate on a threshold belongs to the easier level, and empty levels are left out", () => {
    const rates = [0.9, 0.6, 0.3, 0.29, 0];
    const options = { thresholds: [0.6, 0.3], points: [1, 2, 4] };
    expect(testLevels(rates, options)).toEqual([
      { tests: [0, 1], points: 1 },
      { tests: [2], points: 2 },
      { tests: [3, 4], points: 4 },
    ]);
    expect(testLevels([0.9, 0.1], options)).toEqual([
      { tests: [0], points: 1 },
      { tests: [1], points: 4 },
    ]);
  });

  it("what cannot be meant is refused", () => {
    expect(() => testLevels([0.5], { thresholds: [0.3, 0.6], points: [1, 2, 3] })).toThrow(/thresholds that fall/);
    expect(() => testLevels([0.5], { thresholds: [0.3], points: [1] })).toThrow(/points of 2 levels/);
    expect(() => testPassRates([])).toThrow(/at least one rollout/);
    expect(() => testPassRates([[[true]], []])).toThrow(/none of model 1/);
    expect(() => testPassRates([[[true], [true, false]]])).toThrow(/Expected 1 verdicts in every rollout, got 2/);
  });
});
