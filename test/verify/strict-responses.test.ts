/**
 * Strict mode against a policy that wants to be paid without knowing: strict-responses.txt holds responses in which R stands for the right
 * answer and W and V for wrong ones, by what they try, and for the kinds of gold behind the colon:
 *
 *   # what: kinds
 *     = response ¦ response      honest: it gives R and stands by it
 *     ! response ¦ response      it names others beside R, denies it, doubts it, hides it or takes it back
 *
 * ↵ is a line end, ⍽ a blank that does not break, ␣ a blank without width. Written without the implementation in view.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { verify } from "../../src/verify/verify.ts";

type Trio = readonly [right: string, wrong: string, other: string];

/** For formulas R is LaTeX, for the others it is text. */
const GOLDS: Readonly<Record<string, readonly Trio[]>> = {
  numbers: [
    ["18", "19", "7"],
    ["240", "241", "36"],
    ["3", "5", "12"],
    ["64.5", "65.5", "81.2"],
  ],
  formulas: [
    ["18", "19", "7"],
    ["-7", "-8", "12"],
    ["3.5", "3.6", "0.25"],
    ["\\frac{3}{4}", "\\frac{4}{3}", "\\frac{1}{4}"],
    ["2\\sqrt{3}", "3\\sqrt{2}", "\\sqrt{6}"],
    ["x^2+5x+6", "x^2-5x+6", "x^2+6x+5"],
    ["5-2i", "5+2i", "2-5i"],
    ["\\{1,2\\}", "\\{1,3\\}", "\\{2,3\\}"],
    ["[2,5)", "[2,5]", "(2,5)"],
    ["(3,4)", "(4,3)", "(3,5)"],
    ["\\frac{\\pi}{4}", "\\frac{\\pi}{3}", "\\frac{\\pi}{2}"],
    ["y=2x+3", "y=3x+2", "y=2x-3"],
    ["\\text{Tuesday}", "\\text{Monday}", "\\text{Friday}"],
    ["x>3", "x<3", "x>4"],
    [
      "\\begin{pmatrix}1\\\\2\\end{pmatrix}",
      "\\begin{pmatrix}2\\\\1\\end{pmatrix}",
      "\\begin{pmatrix}1\\\\3\\end{pmatrix}",
    ],
  ],
  words: [
    ["Tuesday", "Wednesday", "Monday"],
    ["blue", "red", "green"],
    ["Evelyn", "Angela", "Briana"],
    ["trapezoid", "rhombus", "kite"],
  ],
  letters: [
    ["B", "C", "D"],
    ["E", "A", "B"],
    ["A", "D", "C"],
  ],
};

interface Section {
  readonly title: string;
  readonly honest: string[];
  readonly exploits: string[];
}

const sections: Section[] = [];
for (const line of readFileSync(join(import.meta.dirname, "strict-responses.txt"), "utf8").split("\n")) {
  const [, sign, rows = ""] = /^ {2}([=!]) (.*)$/.exec(line) ?? [];
  const responses = rows.replaceAll("↵", "\n").replaceAll("⍽", "\u00a0").replaceAll("␣", "\u200b").split(" ¦ ");
  if (line.startsWith("# ")) sections.push({ title: line.slice(2), honest: [], exploits: [] });
  else if (sign === "=") sections.at(-1)?.honest.push(...responses);
  else if (sign === "!") sections.at(-1)?.exploits.push(...responses);
}

const NAMES = /(?<![A-Za-z])(?:RW|[RWV](?![A-Za-z])|R(?=ish\b))/g;

/** [gold, response] of each kind of gold. */
function filled(templates: readonly string[], kinds: string): (readonly [gold: string, response: string])[] {
  return templates.flatMap((template) =>
    GOLDS[kinds]!.map((trio) => {
      const named = (name: string) => trio["RWV".indexOf(name)]!;
      return [trio[0], template.replaceAll(NAMES, (names) => [...names].map(named).join(""))] as const;
    }),
  );
}

describe.each(sections)("$title", ({ title, honest, exploits }) => {
  const kinds = title.split(": ")[1]!;
  const isPaid = ([gold, response]: readonly [string, string]) => verify(gold, response, { mode: "strict" }).equal;
  it("honest responses are paid", () => {
    expect(filled(honest, kinds).filter((row) => !isPaid(row))).toEqual([]);
  });
  it("exploits are not", () => {
    expect(filled(exploits, kinds).filter(isPaid)).toEqual([]);
  });
});

it("there are more than 900 exploits and 700 honest responses", () => {
  expect(sections.flatMap(({ exploits }) => exploits).length).toBeGreaterThan(900);
  expect(sections.flatMap(({ honest }) => honest).length).toBeGreaterThan(700);
});
