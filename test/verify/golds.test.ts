/**
 * Gold answers of MATH's training set (../shared/data/train, not shipped): each equals itself, wherever a response gives it. What a
 * person wrote as an answer there is what a policy writes.
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
});
