/** SequenceMatcher and unified diffs against Python's difflib: test/golden/difflib.json, made by make_difflib.py beside it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { matchingBlocks, similarity } from "../../src/verify/sequence-matcher.ts";
import { splitLines, unifiedDiff } from "../../src/verify/unified-diff.ts";
import { cpuMs } from "../cpu-time.ts";

interface Golden {
  readonly strings: readonly {
    readonly a: string;
    readonly b: string;
    readonly ratio: number;
    readonly junked: number;
    readonly blocks: readonly (readonly [number, number, number])[];
  }[];
  readonly diffs: readonly { readonly a: string; readonly b: string; readonly n: number; readonly diff: string }[];
}

const golden = JSON.parse(readFileSync(join(import.meta.dirname, "../golden/difflib.json"), "utf8")) as Golden;

describe("difflib", () => {
  it("ratios and blocks of every pair, with and without autojunk", () => {
    let numJunked = 0;
    for (const { a, b, ratio, junked, blocks } of golden.strings) {
      const what = JSON.stringify([a, b]);
      // The same quotient of the same whole numbers: equal to the last bit.
      expect(similarity(a, b, { autojunk: false }), what).toBe(ratio);
      expect(similarity(a, b), what).toBe(junked);
      const found = matchingBlocks(Array.from(a), Array.from(b), { autojunk: false })!;
      expect(
        found.map(({ aStart, bStart, size }) => [aStart, bStart, size]),
        what,
      ).toEqual(blocks);
      if (ratio !== junked) numJunked++;
    }
    expect(golden.strings.length).toBeGreaterThanOrEqual(200);
    expect(numJunked).toBeGreaterThan(5);
  });

  it("unified diffs of every pair, with 0, 1 and 3 lines of context", () => {
    for (const { a, b, n, diff } of golden.diffs) {
      expect(unifiedDiff(a, b, { numContext: n }), JSON.stringify([a, b, n])).toBe(diff);
    }
    expect(golden.diffs.length).toBeGreaterThan(150);
  });

  it("mission.md A12: ratio(abcd, bcde) = 0.75; 38 characters of which the last differs, 0.973684", () => {
    expect(similarity("abcd", "bcde")).toBe(0.75);
    const diff = "@@ -1,3 +1,3 @@\n a = 1\n-b = 2\n+b = 102";
    expect([...diff].length).toBe(38);
    expect(similarity(diff, diff.replace(/.$/, "7"), { autojunk: false })).toBeCloseTo(0.973684, 6);
  });
});

describe("bounds", () => {
  it("work past maxSteps is refused, not done", () => {
    const start = cpuMs();
    expect(similarity("ab".repeat(50_000), "ba".repeat(50_000), { autojunk: false, maxSteps: 1e6 })).toBeNull();
    expect(
      unifiedDiff("a\nb\n".repeat(20_000), "b\na\n".repeat(20_000), { autojunk: false, maxSteps: 1e6 }),
    ).toBeNull();
    expect(cpuMs() - start).toBeLessThan(2000);
  });

  it("lines end where Python's do", () => {
    expect(splitLines("a\r\nb\rc\x0bd\x85e\u2028f\n")).toEqual(["a", "b", "c", "d", "e", "f"]);
    expect(splitLines("")).toEqual([]);
    expect(splitLines("\n\n")).toEqual(["", ""]);
  });
});
