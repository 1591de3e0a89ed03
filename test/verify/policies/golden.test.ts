/** Each policy against the verdicts of the code that it names, on 446 answers (test/golden/policies.json says which code). */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { PolicyName } from "../../../src/verify/policies/policies.ts";
import { extractQwen, stripQwen } from "../../../src/verify/policies/qwen-math.ts";
import { verify } from "../../../src/verify/verify.ts";

interface Row {
  readonly gold: string;
  readonly prediction: string;
  /** The graders that call it right, of those that answer by themselves. */
  readonly right: readonly PolicyName[];
  readonly qwen?: readonly [found: string, stripped: string, strippedGold: string];
  readonly orz: readonly [found: string, equalAsText: boolean];
}

const { rows } = JSON.parse(readFileSync("test/golden/policies.json", "utf8")) as { rows: Row[] };

/** SymPy does not read the second factor of n(n-1)! as one. */
const ARGUED = [["n!", "So it is \\boxed{n(n-1)!}.", "prm800k"]];

describe("the graders' own verdicts", () => {
  it.each(["hendrycks", "prm800k", "dapo", "gsm8k", "gsm8k-flexible"] as const)("%s", (policy) => {
    const differing = rows.filter(
      ({ gold, prediction, right }) => verify(gold, prediction, { policy }).equal !== right.includes(policy),
    );
    const argued = ARGUED.filter(([, , name]) => name === policy).map(([gold, prediction]) => [gold, prediction]);
    expect(differing.map(({ gold, prediction }) => [gold, prediction])).toEqual(argued);
    expect(rows.filter(({ right }) => right.includes(policy)).length).toBeGreaterThan(4);
  });

  it("qwen-math finds and strips the same texts", () => {
    const qwen = rows.flatMap(({ gold, prediction, qwen: texts }) => (texts ? [{ gold, prediction, texts }] : []));
    expect(qwen.length).toBe(445);
    for (const { gold, prediction, texts } of qwen) {
      const found = extractQwen(prediction);
      expect([found, stripQwen(found), stripQwen(gold)]).toEqual(texts);
    }
  });

  it("orz finds the same answers, and what is equal as text is right", () => {
    for (const { gold, prediction, orz } of rows) {
      const { equal, extracted } = verify(gold, prediction, { policy: "orz" });
      expect([prediction, extracted ?? ""]).toEqual([prediction, orz[0]]);
      if (orz[1]) expect([gold, prediction, equal]).toEqual([gold, prediction, true]);
    }
    expect(rows.filter(({ orz }) => orz[1]).length).toBe(12);
  });
});
