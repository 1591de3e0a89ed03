/**
 * Numbers, units and words as answers write them (forms.txt), and responses as models write them (responses.txt), in lenient mode:
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
import { verify } from "../../src/verify/verify.ts";

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

describe.each(["forms.txt", "responses.txt"])("%s", (name) => {
  const all = readForms(name);

  describe.each([...new Set(all.map(({ kind }) => kind))])("%s", (kind) => {
    it.each(all.filter((forms) => forms.kind === kind))("$gold", ({ gold, equal, different }) => {
      expect(equal.filter((form) => !verify(gold, form).equal)).toEqual([]);
      expect(different.filter((form) => verify(gold, form).equal)).toEqual([]);
    });
  });

  it("there are hundreds of pairs with either verdict", () => {
    expect(all.flatMap(({ equal }) => equal).length).toBeGreaterThan(400);
    expect(all.flatMap(({ different }) => different).length).toBeGreaterThan(150);
  });
});
