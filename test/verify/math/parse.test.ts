/** Every way of writing one number reads as that number. */
import { describe, expect, it } from "vitest";
import { createBudget } from "../../../src/verify/math/budget.ts";
import { exactValue } from "../../../src/verify/math/exact.ts";
import { parseMath } from "../../../src/verify/math/parse.ts";

const NUMBERS: readonly (readonly [text: string, value: string])[] = [
  ["42", "42/1"],
  ["-3.50", "-7/2"],
  [".5", "1/2"],
  ["$7,425,000$", "7425000/1"],
  ["$7{,}425{,}000$", "7425000/1"],
  ["$7\\,425\\,000$", "7425000/1"],
  ["1000,99", "100099/100"],
  ["$\\frac13$", "1/3"],
  ["$2\\frac{1}{3}$", "7/3"],
  ["$2 \\frac13$", "7/3"],
  ["1 1/4", "5/4"],
  ["-1 1/4", "-5/4"],
  ["28\\%", "7/25"],
  ["28 percent", "7/25"],
  ["0.1\\overline{6}", "1/6"],
  ["0.333...", "1/3"],
  ["1.5e-3", "3/2000"],
  ["$3\\times 10^{5}$", "300000/1"],
  ["$101_2$", "5/1"],
  ["$\\sqrt{\\frac{4}{9}}$", "2/3"],
  ["$\\log_4 8$", "3/2"],
  ["$\\binom{5}{2}$", "10/1"],
  ["$\\sum_{i=1}^{3} i$", "6/1"],
  ["$\\sqrt[3]{-8}$", "-2/1"],
];

describe("parseMath", () => {
  it.each(NUMBERS)("%s is %s", (text, value) => {
    const parsed = parseMath(text);
    const exact = parsed === null ? null : exactValue(parsed.expression, createBudget());
    expect(exact === null ? null : `${exact.numerator}/${exact.denominator}`).toBe(value);
  });

  it("reads brackets 30 deep, and takes much deeper ones for a degenerate text", () => {
    const nested = (depth: number) => parseMath(`${"(".repeat(depth)}1${")".repeat(depth)}`)?.expression.kind;
    expect(nested(30)).toBe("number");
    expect(nested(2_000)).toBeUndefined();
    expect(nested(70)).toBe("text");
  });

  it.each([
    ["\\cotx", "\\cot x"],
    ["2\\pir", "2\\pi r"],
    ["\\lnx+1", "\\ln x+1"],
  ])("%s is a slip for %s", (slip, meant) => {
    expect(parseMath(slip)?.expression).toEqual(parseMath(meant)?.expression);
  });

  it.each(["\\coth x", "\\sinh x", "\\chi", "\\psi"])("%s keeps its name", (text) => {
    expect(JSON.stringify(parseMath(text)?.expression)).toContain(/[a-z]+/.exec(text)?.[0]);
  });

  it("reads nothing in an empty text, and words where there is no mathematics", () => {
    expect(parseMath("  $ $ ")).toBeNull();
    expect(parseMath("No solution.")?.expression).toEqual({ kind: "text", words: "no solution" });
  });
});
