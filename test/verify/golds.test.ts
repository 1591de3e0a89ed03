/**
 * Gold answers of MATH's training set (../shared/data/train, not shipped): each equals itself, wherever a response gives it, and
 * nothing that differs from it in a digit or a sign. What a person wrote as an answer there is what a policy writes.
 */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { verify } from "../../src/verify/verify.ts";

const path = "../shared/data/train/math_train.jsonl";
const isThere = existsSync(path);
if (!isThere) console.warn(`${path} is absent: the golds of MATH are not compared with themselves.`);

describe.skipIf(!isThere)("gold answers of MATH (skipped without the data)", () => {
  const rows = isThere
    ? readFileSync(path, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as { readonly answer: string | null })
    : [];
  // Some rows have no answer, and inline formulas do not cross lines.
  const golds = [...new Set(rows.map(({ answer }) => answer?.trim() ?? ""))].filter((gold) => gold !== "");

  it("there are 2,887 different ones", () => expect(golds.length).toBe(2_887));

  for (const [place, respond, mode] of [
    ["a box", (gold: string) => `So we get $\\boxed{${gold}}$.`, "strict"],
    ["an announced formula", (gold: string) => `The answer is $${gold}$.`, "strict"],
    ["the last formula", (gold: string) => `Thus \\[${gold}\\]`, "lenient"],
  ] as const) {
    it(`each is equal to itself in ${place}, ${mode}`, { timeout: 60_000 }, () => {
      expect(golds.filter((gold) => !verify(gold, respond(gold), { mode }).equal)).toEqual([]);
    });
  }

  let numChanged = 0;
  /** The golds with one of the matches written in another way, that are equal all the same. */
  const equalWith = (pattern: RegExp, other: (found: string) => string) =>
    golds.flatMap((gold) => {
      const changed = [...gold.matchAll(pattern)].map(
        (match) => gold.slice(0, match.index) + other(match[0]) + gold.slice(match.index + match[0].length),
      );
      numChanged += changed.length;
      return changed.filter((answer) => verify(gold, `\\boxed{${answer}}`, { mode: "strict" }).equal);
    });

  it("with another digit none is, but a one in another base", { timeout: 60_000 }, () => {
    numChanged = 0;
    expect(equalWith(/\d/g, (digit) => `${(Number(digit) + 3) % 10}`)).toEqual(["1_9"]);
    expect(numChanged).toBeGreaterThan(9_000);
  });

  it("with another sign none is, but one that is not printed", { timeout: 60_000 }, () => {
    numChanged = 0;
    const phantom = "\\begin{pmatrix} 1 & -1 \\\\ 1 & \\phantom +1 \\end{pmatrix}";
    expect(equalWith(/[+-]/g, (sign) => (sign === "+" ? "-" : "+"))).toEqual([phantom]);
    expect(numChanged).toBeGreaterThan(1_000);
  });
});
