import { describe, expect, it } from "vitest";
import { isCopied } from "../../src/verify/copied.ts";

const rows: readonly (readonly [gold: string, answer: string, question: string, copied: boolean])[] = [
  ["(x-1)(x+1)", "x^2-1", "Factor $x^2 - 1$.", true],
  ["(x-1)(x+1)", "(x+1)(x-1)", "Factor $x^2 - 1$.", false],
  ["x^2+5x+6", "(x+2)(x+3)", "Expand \\[\\left(x+2\\right)(x + 3).\\]", true],
  ["x^2+5x+6", "x^2+5x+6", "Expand $(x+2)(x+3)$.", false],
  ["\\sqrt{2}+1", "\\frac{1}{\\sqrt{2}-1}", "Rationalize $\\dfrac{1}{\\sqrt{2}-1}$.", true],
  ["9025", "95^2", "Compute $95^2 = x$.", true],
  [
    "\\begin{pmatrix}2\\\\3\\end{pmatrix}",
    "\\begin{pmatrix}2\\\\3\\end{pmatrix}",
    "$\\begin{pmatrix}2\\\\3\\end{pmatrix}$?",
    false,
  ],
  // As the gold is written, but for braces and blanks.
  ["2\\sqrt3", "2 \\sqrt{3}", "Is $2\\sqrt{3}$ the larger one?", false],
  // Numbers, names and fractions of a question are no work.
  ["4", "x = 4", "Find $x$ when $x=4$.", false],
  ["\\frac12", "\\frac{1}{2}", "Write $\\frac{1}{2}$ of it.", false],
  // A part of a formula is found by work.
  ["1+x", "x+1", "Simplify $\\frac{(x+1)^2}{x+1}$.", false],
  // Where a question marks no formulas, any part of it may be one.
  ["(x-1)(x+1)", "x^2-1", "Factor x^2 - 1.", true],
  ["\\text{(B)}", "(B)", "Which? (A) x+1 (B) x+2", false],
];

describe("an answer that the question holds word for word", () => {
  it.each(rows)("gold %s, answer %s, question %s: %s", (gold, answer, question, copied) => {
    expect(isCopied(`So \\boxed{${answer}}.`, gold, question)).toBe(copied);
  });
});
