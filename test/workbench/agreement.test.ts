/** Agreement of two scores, by hand. */
import { describe, expect, it } from "vitest";
import { correlationOf, isDifferent, isReordered, payersOf } from "../../src/workbench/agreement.ts";

const pairs = (...both: readonly (readonly [number | null, number | null])[]) =>
  both.map(([before, after]) => ({ before, after }));

describe("payersOf", () => {
  it("compares each score with the middle of its own lowest and highest, whatever their units", () => {
    const all = pairs([0, 100], [0.1, 300], [1.1, 300], [1.1, 100], [null, 300], [1.1, null]);
    // Middles 0.55 and 200.
    expect(all.map(payersOf(all))).toEqual(["neither", "after", "both", "before", null, null]);
  });

  it("says nothing where one of them gives all the same", () => {
    const all = pairs([0, 1], [1, 1]);
    expect(all.map(payersOf(all))).toEqual([null, null]);
  });
});

describe("isReordered", () => {
  const rows: readonly [string, readonly (readonly [number, number])[], boolean][] = [
    [
      "the same order in other units",
      [
        [0, -5],
        [1, 7],
        [2, 9],
      ],
      false,
    ],
    [
      "two that change places",
      [
        [0, 1],
        [1, 0],
      ],
      true,
    ],
    [
      "a tie that breaks",
      [
        [1, 1],
        [1, 2],
      ],
      true,
    ],
    [
      "two that become a tie",
      [
        [0, 1],
        [1, 1],
      ],
      true,
    ],
    [
      "a difference of rounding",
      [
        [1, 0.1 + 0.2],
        [1, 0.3],
      ],
      false,
    ],
    ["one alone", [[1, 0]], false],
  ];
  it.each(rows)("%s", (_, both, expected) => {
    expect(isReordered(both.map(([before, after]) => ({ before, after })))).toBe(expected);
  });
});

describe("correlationOf", () => {
  it("is Pearson's over pairs that have both", () => {
    // Means 2 and 3; deviations (-1, -1), (0, 2), (1, -1): covariance 1 - 1 = 0.
    expect(correlationOf(pairs([1, 2], [2, 5], [3, 2], [null, 9]))).toBeCloseTo(0, 12);
    // Deviations (-1, -2), (0, 1), (1, 1): 3 / sqrt(2 · 6) = 0.866025.
    expect(correlationOf(pairs([1, 0], [2, 3], [3, 3]))).toBeCloseTo(0.866025, 6);
    expect(correlationOf(pairs([1, 0], [1, 3]))).toBeNull();
    expect(correlationOf([])).toBeNull();
  });
});

describe("isDifferent", () => {
  it("is another value, or none on one side alone", () => {
    expect(pairs([1, 1], [1, 1 + 1e-12], [1, 1.001], [null, 1], [1, null], [null, null]).map(isDifferent)).toEqual([
      ...[false, false, true, true, true, false],
    ]);
  });
});
