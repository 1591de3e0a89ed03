import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { judgeKnightsKnaves, parseKnightsKnaves } from "../../src/verify/knights-knaves.ts";

const names = ["Zoey", "Oliver"];

describe("parseKnightsKnaves", () => {
  const rows: readonly [string, boolean[] | null][] = [
    ["(1) Zoey is a knight\n(2) Oliver is a knave", [true, false]],
    ["(2) Oliver is a knave (1) Zoey is a knight", [true, false]],
    ["zoey IS A KNIGHT, oliver is a Knave.", [true, false]],
    ["**Zoey** is a **knight**; Oliver is a knave", [true, false]],
    ["Zoey is a knight. A knight tells the truth, so Oliver is a knave, and knaves lie.", [true, false]],
    ["Zoey is a knight, Zoey is a knight, Oliver is a knave", [true, false]],
    ["Zoey is a knight", null],
    ["Zoey is a knight, Zoey is a knave, Oliver is a knave", null],
    ["Zoey is not a knight, Oliver is a knave", null],
    ["McZoey is a knight, Oliver is a knave", null],
    ["Zoey is a knightly sort, Oliver is a knave", null],
    ["", null],
  ];
  for (const [text, expected] of rows) {
    it(`${JSON.stringify(text)} -> ${JSON.stringify(expected)}`, () =>
      expect(parseKnightsKnaves(text, names)).toEqual(expected));
  }

  it("takes names with every sign of a regular expression as plain text", () => {
    expect(parseKnightsKnaves("A.*b (c) is a knight", ["A.*b (c)"])).toEqual([true]);
    expect(parseKnightsKnaves("Axxb (c) is a knight", ["A.*b (c)"])).toBeNull();
  });
});

const file = "../shared/data/train/knights_knaves_train.jsonl";
const rows = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
if (rows.length === 0) console.warn(`${file} is absent: puzzles of Logic-RL are not read.`);
describe("puzzles of Logic-RL", () => {
  it.skipIf(rows.length === 0)(
    "every published solution text is right, and wrong once flipped (skipped without the data)",
    () => {
      for (const row of rows) {
        const { names, solution, solution_text } = JSON.parse(row) as {
          names: string[];
          solution: boolean[];
          solution_text: string;
        };
        expect(judgeKnightsKnaves(solution_text, names, solution)).toBe("right");
        const flipped = solution.map((isKnight, index) => (index === 0 ? !isKnight : isKnight));
        expect(judgeKnightsKnaves(solution_text, names, flipped)).toBe("wrong");
      }
      expect(rows.length).toBe(4500);
    },
  );
});
