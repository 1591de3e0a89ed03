/**
 * verify against 8,380 graded answers of real models (../shared/data/graded, not shipped), the truth being the origin's label, or a
 * person's verdict where it and Math-Verify differ; rows that rest on a convention are left out.
 *
 * The rows below are those where the truth is wrong or arbitrary; everywhere else a difference fails the test.
 */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { verify } from "../../src/verify/verify.ts";

interface GradedRow {
  readonly id: string;
  readonly gold: string;
  readonly pred: string;
  readonly label: boolean | null;
}

const folder = "../shared/data";
const isThere = existsSync(`${folder}/graded/rho.jsonl`) && existsSync(`${folder}/adjudicated.jsonl`);
if (!isThere) console.warn(`${folder} is absent: graded answers of real models are not judged.`);

/** Differences that stay, each with its reason. */
const ARGUED: Readonly<Record<string, string>> = {
  "mathcoder-02583": "-48g is -48*g: label and Math-Verify take g for grams",
  "mathcoder-03467": "-48g is -48*g: label and Math-Verify take g for grams",
  "rho-03191":
    "the last formula ends in = -pi/6, the gold answer; both graders lost it over the full stop inside the formula",
  "rho-06893": "the response says: The correct answer is (E), which is the gold",
  "rho-07015": "a loop that never answers; any number of it would be luck",
  "rho-07053": "a loop that never answers; any number of it would be luck",
};

function readLines<Row>(path: string): Row[] {
  return readFileSync(`${folder}/${path}`, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Row);
}

describe.skipIf(!isThere)("graded answers of real models (skipped without the data)", () => {
  const adjudicated = isThere
    ? new Map(
        readLines<{ id: string; truth: boolean; policy: string | null }>("adjudicated.jsonl").map((row) => [
          row.id,
          row,
        ]),
      )
    : new Map();
  const scored = (isThere ? ["openai_gsm8k", "rho", "qwen_math_cot", "mathcoder"] : [])
    .flatMap((name) => readLines<GradedRow>(`graded/${name}.jsonl`))
    .filter(({ id }) => (adjudicated.get(id)?.policy ?? null) === null)
    .map((row) => ({ ...row, truth: adjudicated.get(row.id)?.truth ?? row.label }))
    .filter(({ truth }) => truth !== null);

  it("there are 8,380", () => expect(scored.length).toBe(8_380));

  it("lenient differs on the argued rows alone", { timeout: 60_000 }, () => {
    const differing = scored.filter(({ gold, pred, truth }) => verify(gold, pred).equal !== truth);
    expect(differing.map(({ id }) => id).sort()).toEqual(Object.keys(ARGUED).sort());
  });

  it("strict accepts nothing that lenient refuses, and refuses no more than 60 right answers", {
    timeout: 60_000,
  }, () => {
    const strict = scored.map(({ gold, pred, truth }) => ({
      gold,
      pred,
      truth,
      equal: verify(gold, pred, { mode: "strict" }).equal,
    }));
    expect(strict.filter(({ gold, pred, equal }) => equal && !verify(gold, pred).equal)).toEqual([]);
    const numRefused = strict.filter(({ truth, equal }) => truth === true && !equal).length;
    expect(numRefused).toBeGreaterThan(0);
    expect(numRefused).toBeLessThan(60);
  });
});
