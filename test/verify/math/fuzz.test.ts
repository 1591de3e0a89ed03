/**
 * Random texts and random identities. No text makes the verifier throw or stall; an expression equals what algebra turns it into,
 * and nothing that differs from it. The texts are the same in every run; bench/verify-fuzz.ts takes others.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { equalMath } from "../../../src/verify/math/equal.ts";
import { parseMath } from "../../../src/verify/math/parse.ts";

const FRAGMENTS = [
  ..."0 1 2 7 9 12 x y n i e t a A ( ) [ ] { } \\{ \\} + - * / ^ _ = < > , ; : ! % | & . ' $ ~ \\\\".split(" "),
  ..."\\frac \\sqrt \\pi \\infty \\cdot \\times \\pm \\mp \\le \\ge \\ne \\in \\cup \\cap \\setminus \\mid \\ldots \\pmod \\bmod".split(
    " ",
  ),
  ..."\\sin \\cos \\ln \\log \\exp \\max \\gcd \\binom \\sum \\prod \\int \\lfloor \\rfloor \\langle \\rangle \\left \\right".split(
    " ",
  ),
  ..."\\text{ \\text{or} \\text{cm} \\mathrm{e} \\mathbb{R} \\overline{3} \\boxed{ \\begin{pmatrix} \\end{pmatrix}".split(
    " ",
  ),
  ..."\\begin{cases} \\end{cases} ^\\circ ^{10} _{n=1} ^{\\infty} _0 ^1 dx 1,000 0.5 .5 3e8 1/3 10^9 9^{9^9} 99!".split(
    " ",
  ),
  ..."sqrt sin( and or inf cm apples yes none degrees percent \u00b2 \u221a \u2264 \u00b0 \u00bd \ud835\udc65 \u0000".split(
    " ",
  ),
  " ",
];

const texts = fc.array(fc.constantFrom(...FRAGMENTS), { maxLength: 40 }).map((parts) => parts.join(""));

describe("any text", () => {
  it("has a verdict, soon, and the same one twice", () => {
    let compared = 0;
    let slowestMs = 0;
    fc.assert(
      fc.property(texts, texts, (gold, pred) => {
        const start = performance.now();
        const [a, b] = [parseMath(gold), parseMath(pred)];
        if (a === null || b === null) return;
        compared++;
        const verdict = equalMath(a, b);
        slowestMs = Math.max(slowestMs, performance.now() - start);
        expect(equalMath(a, b)).toEqual(verdict);
        expect(equalMath(a, a).equal).toBe(true);
      }),
      { numRuns: 3_000, seed: 1 },
    );
    expect(compared).toBeGreaterThan(2_000);
    // Far above what a comparison takes (bench/verify.ts), so that a loaded machine does not fail it.
    expect(slowestMs).toBeLessThan(2_000);
  });

  const HOSTILE: readonly string[] = [
    "9^{9^{9^9}}",
    "100000!!",
    "\\sum_{i=1}^{10^9} i^i",
    "\\sum_{i=1}^{1000}\\sum_{j=1}^{1000}\\sum_{k=1}^{1000} \\sqrt{i+j+k}",
    "\\int_0^1 \\int_0^1 \\int_0^1 \\sqrt{x+y+z} dx dy dz",
    "((x+y)^{50}+1)^{50}",
    "10^{10^{10}}",
    "\\log_{1000001} 1000000",
    // A number before a fraction may be a mixed number: to find out must not read what follows twice, and twice in that.
    "\\frac{d}{dx} 86".repeat(40),
    `${"1\\frac{".repeat(40)}1${"}{2}".repeat(40)}`,
    `${"1\\frac{1}{".repeat(40)}1${"}".repeat(40)}`,
    `${"(".repeat(3_000)}1${")".repeat(3_000)}`,
    `${"(".repeat(1_400)}1${")".repeat(1_400)}`,
    `${"{".repeat(100_000)}1${"}".repeat(100_000)}`,
    "\\boxed{".repeat(150_000),
    "\\frac{".repeat(400),
    "|x".repeat(1_400),
    "1+".repeat(1_400),
    "x^".repeat(1_400),
    "1,".repeat(1_400),
    "(1,".repeat(900),
    `5${"!".repeat(2_900)}`,
    `x${"'".repeat(2_900)}`,
    "1 ".repeat(1_400),
    "111 ".repeat(740),
    "-".repeat(2_900),
    "\\pm1".repeat(700),
    "x=".repeat(1_400),
    "\\text{".repeat(500),
    "1".repeat(2_900),
    " ".repeat(2_900),
  ];

  it.each(HOSTILE.map((text) => [text.length > 24 ? `${text.slice(0, 24)}… (${text.length})` : text, text]))(
    "%s",
    (_, text) => {
      for (const other of [`${text} `, "1", "x<1", "(1,2)", `x+${text}`]) {
        const start = performance.now();
        const [a, b] = [parseMath(text), parseMath(other)];
        if (a !== null && b !== null) {
          equalMath(a, b);
          equalMath(b, a);
        }
        expect(performance.now() - start).toBeLessThan(2_000);
      }
    },
  );
});

/** A random expression as LaTeX, every part in brackets so that it can stand anywhere; and how large it can be for |x|, |y| <= 3. */
interface Tree {
  readonly text: string;
  readonly size: number;
}

const { tree } = fc.letrec<{ tree: Tree; leaf: Tree }>((tie) => ({
  leaf: fc.oneof(
    fc.integer({ min: 1, max: 12 }).map((n) => ({ text: `${n}`, size: n })),
    fc
      .constantFrom("x", "y", "\\pi", "\\sqrt{2}", "\\sqrt{6}", "\\frac{1}{3}", "i")
      .map((text) => ({ text, size: 3.2 })),
  ),
  tree: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    tie("leaf"),
    fc.tuple(tie("tree"), tie("tree")).map(([a, b]) => ({ text: `(${a.text}+${b.text})`, size: a.size + b.size })),
    fc.tuple(tie("tree"), tie("tree")).map(([a, b]) => ({ text: `(${a.text}-${b.text})`, size: a.size + b.size })),
    fc
      .tuple(tie("tree"), tie("tree"))
      .map(([a, b]) => ({ text: `(${a.text} \\cdot ${b.text})`, size: a.size * b.size })),
    tie("tree").map(({ text, size }) => ({ text: `(${text})^{2}`, size: size ** 2 })),
    tie("tree").map(({ text, size }) => ({ text: `\\frac{${text}}{7+x^2}`, size })),
    // Of a complex argument a sine grows like an exponential.
    tie("tree").map(({ text, size }) => ({ text: `\\sin(${text})`, size: Math.exp(size) })),
    tie("tree").map(({ text, size }) => ({ text: `e^{\\sin(${text})}`, size: Math.exp(Math.exp(size)) })),
  ),
}));

/** Evaluation sees differences of 1e-8 of an expression's size (sample.ts): beside this, those of the smallest change below. */
const MAX_SIZE = 50;

/** A sine of a complex sine grows past every bound. */
const LARGEST = 1e30;

/** What algebra makes of an expression t: the same value in other words. */
const REWRITES: readonly ((t: string) => string)[] = [
  (t) => `(x+y)+(${t})-y-x`,
  (t) => `\\frac{(${t})(x-3)}{x-3}`,
  (t) => `-(-(${t}))`,
  (t) => `(${t})(\\sin^2 y+\\cos^2 y)`,
  (t) => `\\frac{2(${t})+(${t})}{3}`,
  (t) => `((${t})+y)^2-(${t})^2-2y(${t})-y^2+(${t})`,
  (t) => `\\sqrt{2}\\cdot\\frac{(${t})\\sqrt{3}}{\\sqrt{6}}`,
  (t) => `(${t})i^4 \\cdot e^{x} e^{-x}`,
];

/** What differs from it, if only a little. */
const CHANGES: readonly ((t: string) => string)[] = [
  (t) => `(${t})+1`,
  (t) => `(${t})-\\frac{x}{1000}`,
  (t) => `(${t})+\\frac{1}{1000003}`,
  (t) => `(${t})+\\frac{y^2}{10^{4}}`,
  (t) => `(${t})+\\frac{i}{50}`,
];

function isSame(gold: string, pred: string): boolean {
  const [a, b] = [parseMath(gold), parseMath(pred)];
  if (a === null || b === null) throw new Error(`${gold} or ${pred} has no reading`);
  expect(a.expression.kind, gold).not.toBe("text");
  expect(b.expression.kind, pred).not.toBe("text");
  return equalMath(a, b).equal;
}

describe("identities", () => {
  it("a rewritten expression is equal", () => {
    fc.assert(
      fc.property(tree, fc.constantFrom(...REWRITES), ({ text, size }, rewrite) => {
        // Beyond, the comparison ends at its limit of precision.
        fc.pre(size < LARGEST);
        expect(isSame(text, rewrite(text)), rewrite(text)).toBe(true);
      }),
      { numRuns: 500, seed: 2 },
    );
  });

  it("a changed expression is not", () => {
    fc.assert(
      fc.property(tree, fc.constantFrom(...CHANGES), ({ text, size }, change) => {
        fc.pre(size <= MAX_SIZE);
        expect(isSame(text, change(text)), change(text)).toBe(false);
        expect(isSame(change(text), text), change(text)).toBe(false);
      }),
      { numRuns: 500, seed: 2 },
    );
  });
});
