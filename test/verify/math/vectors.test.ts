/**
 * 211 pairs with the verdict of Math-Verify, each as the latest revision gives it or argued below.
 *
 * test/golden/math-equality.jsonl: pairs of our own, labelled by running Math-Verify 0.5.2 with latex2sympy2_extended 1.0.6
 * (`v0_5_2`) and huggingface/Math-Verify@5d148cf with latex2sympy2_extended@02999f5 (`latest`), Python 3.11, SymPy 1.14.0.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { verify } from "../../../src/verify/verify.ts";

interface Row {
  readonly id: string;
  readonly gold: string;
  readonly pred: string;
  readonly latest: boolean;
}

const rows: readonly Row[] = readFileSync(join(import.meta.dirname, "../../golden/math-equality.jsonl"), "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line));

/** Where we differ from the reference, and why. */
const ARGUED: Readonly<Record<string, string>> = {
  mv023: "\\fbox is a box",
  mv024: "a box that the end of the text cuts off says what is in it",
  mv046: "]0,1[ is the open interval (0,1) in the notation of ISO 80000-2",
  mv072: "7\\,425\\,000 is a number with thin spaces between the thousands, as SI writes it",
  mv074: "1e3 is a thousand, not Euler's number times three",
  mv086: "0.999... repeating is 1",
  mv109: "e^{i pi} is -1: the reference reads i as an ordinary symbol",
  mv156: "3:45 PM is the same text in either markup",
  mv165: "the cosine of 60 degrees is 1/2: the reference reads 60 radians",
  mv166: "60 degrees are pi/3",
  mv173: "a bare A is A: the reference finds nothing outside of $...$",
  mv175: "a bare (A) is A, for the same reason",
  mv177: "A) 5 is the choice A with its text",
  mv180: "(A) 5 is the choice A with its text",
  mv194: "a bare 2^{10} is 1024, for the same reason",
};

describe("the pairs of Math-Verify", () => {
  it.each(rows.filter(({ id }) => !(id in ARGUED)))("$id $gold, $pred: $latest", ({ gold, pred, latest }) => {
    expect(verify(gold, pred).equal).toBe(latest);
  });

  it.each(rows.filter(({ id }) => id in ARGUED))("$id $gold, $pred: not $latest", ({ gold, pred, latest }) => {
    expect(verify(gold, pred).equal).toBe(!latest);
  });

  it("all 211 are accounted for", () => {
    expect(rows).toHaveLength(211);
    expect(rows.filter(({ id }) => id in ARGUED)).toHaveLength(15);
  });
});
