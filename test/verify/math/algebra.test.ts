/**
 * Pairs of symbolic answers, by kind, in algebra.txt and meaning.txt: `gold <=> prediction` where a mathematician calls them the same answer,
 * `gold <!> prediction` where not. The verdicts are mathematics, by hand; a line that starts with % argues one that may surprise.
 * Each is read bare and from a box in a sentence.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { verify } from "../../../src/verify/verify.ts";

interface Pair {
  readonly kind: string;
  readonly gold: string;
  readonly pred: string;
  readonly equal: boolean;
}

function readPairs(text: string): Pair[] {
  const pairs: Pair[] = [];
  let kind = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("# ")) kind = line.slice(2);
    const match = /^(.+?) <([=!])> (.+)$/.exec(line);
    if (match !== null) pairs.push({ kind, gold: match[1]!, pred: match[3]!, equal: match[2] === "=" });
  }
  return pairs;
}

const pairs = ["algebra.txt", "meaning.txt"].flatMap((name) =>
  readPairs(readFileSync(join(import.meta.dirname, name), "utf8")),
);

describe.each([...new Set(pairs.map(({ kind }) => kind))])("%s", (kind) => {
  const own = pairs.filter((pair) => pair.kind === kind);

  it.each(own)("$gold, $pred: $equal", ({ gold, pred, equal }) => {
    expect(verify(gold, pred).equal, "bare").toBe(equal);
    expect(verify(gold, `Hence the answer is $\\boxed{${pred}}$.`).equal, "boxed").toBe(equal);
  });
});

it("the table holds both verdicts of every kind", () => {
  expect(pairs.length).toBeGreaterThan(2_500);
  for (const kind of new Set(pairs.map((pair) => pair.kind))) {
    const verdicts = new Set(pairs.filter((pair) => pair.kind === kind).map(({ equal }) => equal));
    expect(verdicts.size, kind).toBe(2);
  }
});
