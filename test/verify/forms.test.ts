/**
 * Numbers, units and words as answers write them (forms.txt), notations of packages, programs, markup, scripts and languages
 * (notation.txt), responses as models write them (responses.txt) and pairs of other graders' tests and answer lists, judged anew
 * (suites.txt), in lenient mode, and responses in strict mode (strict-forms.txt):
 *
 *   # kind
 *   gold
 *     = form ¦ form        the same answer
 *     ! form ¦ form        another answer, though near
 *
 * ↵ is a line end, ⍽ a blank that does not break. The verdicts are mathematics, or what a reader would say, by hand. Where a convention
 * decides: a decimal is equal to what it rounds to at six places (1/3 is 0.333333, not 0.33), a unit may be missing, a percent sign
 * may be missing where the number stays (25 for 25%), an ordinal is its number, digits without their base are those of the gold's
 * base, and the last announced answer counts.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type VerifyOptions, verify } from "../../src/verify/verify.ts";

interface Forms {
  readonly kind: string;
  readonly gold: string;
  readonly equal: string[];
  readonly different: string[];
}

function readForms(name: string): Forms[] {
  const text = readFileSync(join(import.meta.dirname, name), "utf8").replaceAll("⍽", "\u00a0");
  const found: Forms[] = [];
  let kind = "";
  for (const line of text.split("\n")) {
    const forms = line
      .slice(4)
      .split(" ¦ ")
      .map((form) => form.replaceAll("↵", "\n"));
    if (line.startsWith("# ")) kind = line.slice(2);
    else if (line.startsWith("  = ")) found.at(-1)?.equal.push(...forms);
    else if (line.startsWith("  ! ")) found.at(-1)?.different.push(...forms);
    else if (line !== "") found.push({ kind, gold: line, equal: [], different: [] });
  }
  return found;
}

describe.each([
  ["forms.txt", "lenient", 600],
  ["notation.txt", "lenient", 1000],
  ["responses.txt", "lenient", 170],
  ["suites.txt", "lenient", 350],
  ["strict-forms.txt", "strict", 270],
] as const)("%s", (name, mode, atLeast) => {
  const all = readForms(name);

  describe.each([...new Set(all.map(({ kind }) => kind))])("%s", (kind) => {
    it.each(all.filter((forms) => forms.kind === kind))("$gold", ({ gold, equal, different }) => {
      expect(equal.filter((form) => !verify(gold, form, { mode }).equal)).toEqual([]);
      expect(different.filter((form) => verify(gold, form, { mode }).equal)).toEqual([]);
    });
  });

  it(`there are at least ${atLeast} pairs with either verdict`, () => {
    expect(all.flatMap(({ equal }) => equal).length).toBeGreaterThanOrEqual(atLeast);
    expect(all.flatMap(({ different }) => different).length).toBeGreaterThanOrEqual(atLeast);
  });
});

describe("what is looked for", () => {
  const rows: readonly (readonly [gold: string, response: string, equal: boolean, options: VerifyOptions])[] = [
    ["42", "The answer is 42.", true, { targets: ["expression"] }],
    ["42", "so $42$", true, { targets: ["latex"] }],
    ["42", "so 42", false, { targets: ["latex"] }],
    ["42", "so $42$, or $43$", false, { targets: ["latex"] }],
    ["B", "B", true, { targets: ["string"] }],
    ["B", "I pick B", true, { targets: ["string"], choices: ["A", "B"] }],
    ["yes", "So yes.", true, { targets: ["string"], choices: ["yes", "no"] }],
    ["yes", "So no.", false, { targets: ["string"], choices: ["yes", "no"] }],
    ["5", "\\boxed{4} answer: 5", true, { boxedPriority: -1 }],
    ["5", "\\boxed{4} answer: 5", false, { boxedPriority: 0 }],
    ["1/3", "0.3333", true, { floatRounding: 4 }],
    ["1/3", "0.334", false, { floatRounding: 3 }],
    ["(\\frac35,\\frac83]", "(0.6,2.67]", true, { floatRounding: 2 }],
    ["(\\frac35,\\frac83]", "(0.6,2.68]", false, { floatRounding: 2 }],
  ];
  it.each(rows)("gold %s, response %s: %s", (gold, response, equal, options) => {
    expect(verify(gold, response, options).equal).toBe(equal);
  });
});
