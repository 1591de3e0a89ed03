/**
 * Random comparisons for bench/verify-fuzz.ts: LaTeX by a grammar, mutations of real answers and golds, fragments of responses, Unicode,
 * and brackets of all kinds, nested. fast-check draws them, so that a seed repeats them.
 */
import fc from "fast-check";

/** Openings with their closings, for nesting. */
const BRACKETS: readonly (readonly [open: string, close: string])[] = [
  ["(", ")"],
  ["{", "}"],
  ["[", "]"],
  ["\\{", "\\}"],
  ["\\left(", "\\right)"],
  ["|", "|"],
  ["\\lfloor ", "\\rfloor "],
  ["\\sqrt{", "}"],
  ["\\frac{1}{1+", "}"],
  ["\\frac{", "}{2}"],
  ["x^{", "}"],
  ["x_{", "}"],
  ["\\sin(", ")"],
  ["\\ln ", ""],
  ["-", ""],
  ["2^", ""],
  ["(1,", ")"],
  ["\\{1,", "\\}"],
  ["\\text{", "}"],
  ["\\boxed{", "}"],
  ["$", "$"],
  ["\\begin{pmatrix}", "\\end{pmatrix}"],
  ["\\sum_{i=1}^{9} ", ""],
  ["\\int_0^1 ", " dx"],
  ["\\binom{", "}{2}"],
  ["(", "!)"],
  ["<think>", "</think>"],
];

const digits = fc
  .oneof(
    { arbitrary: fc.nat({ max: 30 }), weight: 6 },
    { arbitrary: fc.integer({ min: -1_000_000, max: 1_000_000 }), weight: 2 },
    { arbitrary: fc.bigInt({ min: 0n, max: 10n ** 60n }), weight: 1 },
  )
  .map(String);

const number = fc.oneof(
  { arbitrary: digits, weight: 6 },
  { arbitrary: fc.tuple(digits, fc.nat(999_999)).map(([a, b]) => `${a}.${b}`), weight: 1 },
  { arbitrary: fc.tuple(fc.nat(999), fc.nat(999)).map(([a, b]) => `${a},${String(b).padStart(3, "0")}`), weight: 1 },
  { arbitrary: fc.tuple(digits, fc.integer({ min: -9_999, max: 99_999 })).map(([a, b]) => `${a}e${b}`), weight: 1 },
  { arbitrary: fc.tuple(digits, fc.nat(9_999)).map(([a, b]) => `${a}.\\overline{${b}}`), weight: 1 },
  { arbitrary: fc.tuple(digits, fc.nat(30), fc.nat(30)).map(([a, b, c]) => `${a}\\frac{${b}}{${c}}`), weight: 1 },
  { arbitrary: fc.tuple(digits, fc.nat(36)).map(([a, b]) => `${a}_{${b}}`), weight: 1 },
  {
    arbitrary: fc.constantFrom("10^9", "10^{10^{10}}", "9^{9^9}", "99!", "10^{-400}", "2^{1000}", "0", "1"),
    weight: 1,
  },
);
const name = fc.constantFrom(
  ..."x y z n k t a i e A X \\pi \\theta \\alpha x_1 x_{n+1} \\infty \\bar{x} \\vec{v} \\ell".split(" "),
);
const infix = fc.constantFrom(
  ..."+ - * / \\cdot \\times \\div ^ \\pm : \\bmod \\% ! \\cup \\cap \\setminus , ; = < > \\le \\ge \\ne \\in \\approx \\equiv \\mid".split(
    " ",
  ),
);
const functions = fc.constantFrom(
  ..."\\sin \\cos \\tan \\cot \\sec \\arcsin \\arccos \\arctan \\sinh \\ln \\log \\log_2 \\log_{x} \\exp \\sqrt \\sqrt[3] \\gcd \\max \\det \\Gamma \\operatorname{lcm} sqrt sin exp f g'".split(
    " ",
  ),
);
const after = fc.constantFrom(
  "!",
  "!!",
  "'",
  "^\\circ",
  "\\%",
  "%",
  "\\text{ cm}",
  " cm^2",
  "\\text{ or }",
  "^T",
  "^{-1}",
  "_2",
  " dollars",
  "\\ldots",
  " \\pmod{7}",
);

/** LaTeX of answers by a grammar, mostly well formed. */
const { latex } = fc.letrec<{ latex: string }>((tie) => {
  const inner = tie("latex");
  const two = fc.tuple(inner, inner);
  const three = fc.tuple(inner, inner, inner);
  return {
    latex: fc.oneof(
      { maxDepth: 6, depthSize: "small" },
      { arbitrary: number, weight: 5 },
      { arbitrary: name, weight: 4 },
      { arbitrary: fc.tuple(inner, infix, inner).map(([a, sign, b]) => `${a} ${sign} ${b}`), weight: 6 },
      { arbitrary: two.map(([a, b]) => `\\frac{${a}}{${b}}`), weight: 3 },
      { arbitrary: two.map(([a, b]) => `${a}^{${b}}`), weight: 3 },
      { arbitrary: fc.tuple(functions, inner).map(([f, a]) => `${f}{${a}}`), weight: 2 },
      { arbitrary: fc.tuple(functions, inner).map(([f, a]) => `${f}(${a})`), weight: 2 },
      { arbitrary: fc.tuple(inner, after).map(([a, mark]) => `${a}${mark}`), weight: 2 },
      {
        arbitrary: fc.tuple(fc.constantFrom(...BRACKETS), inner).map(([[open, close], a]) => `${open}${a}${close}`),
        weight: 3,
      },
      { arbitrary: two.map(([a, b]) => `${a}${b}`), weight: 2 },
      { arbitrary: two.map(([a, b]) => `\\binom{${a}}{${b}}`), weight: 1 },
      { arbitrary: three.map(([a, b, c]) => `\\sum_{k=${a}}^{${b}} ${c}`), weight: 1 },
      { arbitrary: three.map(([a, b, c]) => `\\prod_{k=${a}}^{${b}} ${c}`), weight: 1 },
      { arbitrary: three.map(([a, b, c]) => `\\int_{${a}}^{${b}} ${c} dx`), weight: 1 },
      { arbitrary: two.map(([a, b]) => `\\lim_{x \\to ${a}} ${b}`), weight: 1 },
      { arbitrary: two.map(([a, b]) => `\\frac{d}{dx} ${a}${b}`), weight: 1 },
      {
        arbitrary: fc
          .tuple(fc.constantFrom("(", "[", "]"), two, fc.constantFrom(")", "]", "["))
          .map(([open, [a, b], close]) => `${open}${a}, ${b}${close}`),
        weight: 1,
      },
      { arbitrary: fc.array(inner, { maxLength: 5 }).map((items) => `\\{${items.join(", ")}\\}`), weight: 1 },
      { arbitrary: fc.array(inner, { maxLength: 5 }).map((items) => `(${items.join(", ")})`), weight: 1 },
      {
        arbitrary: fc
          .tuple(
            fc.constantFrom("pmatrix", "bmatrix", "vmatrix", "cases", "array", "aligned"),
            fc.array(fc.array(inner, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }),
          )
          .map(([kind, rows]) => `\\begin{${kind}}${rows.map((row) => row.join(" & ")).join(" \\\\ ")}\\end{${kind}}`),
        weight: 1,
      },
      { arbitrary: two.map(([a, b]) => `\\{x \\mid ${a} < x \\le ${b}\\}`), weight: 1 },
    ),
  };
});

const FRAGMENTS = [
  ..."\\boxed{ } { ( ) [ ] $ $$ \\[ \\] \\( \\) \\frac \\sqrt ^ _ ! !! = < \\le , ; & \\\\ 0 1 7 12 3.5 10^{9} 1,000 x y n i e \\pi % \\% + - * /".split(
    " ",
  ),
  ..."\\pm | \\| \\sum_{k=1}^{9} \\prod_{n=1}^{\\infty} \\int_0^1 dx \\log \\sin \\binom \\cup \\in \\infty \\{ \\} and or is cm **".split(
    " ",
  ),
  ..."#### <answer> </answer> <think> </think> ``` \\text{cm} \\begin{pmatrix} \\end{pmatrix} \\begin{cases} \\end{cases} \\left( \\right) . : ' \"".split(
    " ",
  ),
  "the answer is ",
  "Answer: ",
  "final answer is ",
  "I hope it is correct",
  "\n",
  "\n\n",
  "\u2212",
  "\u221a",
  "\u00bd",
  "\uff11",
  "\ud835\udfce",
  "\ud800",
  "\0",
] as const;

const fragments = fc
  .tuple(fc.array(fc.constantFrom(...FRAGMENTS), { maxLength: 40 }), fc.constantFrom("", " "))
  .map(([parts, gap]) => parts.join(gap));

const unicode = fc.oneof(
  fc.string({ unit: "binary", maxLength: 200 }),
  fc.string({ unit: "grapheme", maxLength: 100 }),
  // Lone surrogates, digits of other scripts, mathematical letters, marks that join or turn, full-width forms.
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 60 }).map((codes) => String.fromCharCode(...codes)),
  fc
    .array(
      fc.constantFrom(
        ..."\u0661\u0967\uff15\u{1d7d9}\u{1d465}\u2070\u00b2\u2085\u221e\u2212\u200d\u202e\u0301\ufeff\u2028\u3000\u00bc\u2153\u222b\u2211=+1x(){}\\$".split(
          "",
        ),
      ),
      { maxLength: 60 },
    )
    .map((parts) => parts.join("")),
);

const nesting = fc
  .tuple(
    fc.array(fc.constantFrom(...BRACKETS), { minLength: 1, maxLength: 3 }),
    fc.oneof(fc.nat(60), fc.nat(1_500)),
    latex,
    fc.double({ min: 0, max: 1.2, noNaN: true }),
  )
  .map(([kinds, depth, core, shareClosed]) => {
    const at = (level: number) => kinds[level % kinds.length]!;
    const opened = Array.from({ length: depth }, (_, level) => at(level)[0]);
    const closed = Array.from(
      { length: Math.floor(depth * shareClosed) },
      (_, level) => at(depth - 1 - level)?.[1] ?? ")",
    );
    return opened.join("") + core + closed.join("");
  });

/** Deletes, doubles, moves, replaces or cuts a part of a text. */
const mutation = fc.tuple(
  fc.constantFrom("delete", "double", "move", "insert", "replace", "cut", "repeat"),
  fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  fc.nat(40),
  fc.oneof(fc.constantFrom(...FRAGMENTS), number, unicode),
);
type Mutation = typeof mutation extends fc.Arbitrary<infer Value> ? Value : never;

function mutate(text: string, [kind, from, to, length, piece]: Mutation): string {
  const start = Math.floor(from * text.length);
  const other = Math.floor(to * text.length);
  const part = text.slice(start, start + length);
  const without = text.slice(0, start) + text.slice(start + length);
  switch (kind) {
    case "delete":
      return without;
    case "double":
      return text.slice(0, start) + part + text.slice(start);
    case "move":
      return without.slice(0, other) + part + without.slice(other);
    case "insert":
      return text.slice(0, start) + piece + text.slice(start);
    case "replace":
      return text.slice(0, start) + piece + text.slice(start + length);
    case "cut":
      return text.slice(0, start);
    case "repeat":
      return text.slice(0, start) + part.repeat(40) + text.slice(start);
  }
  return kind satisfies never;
}

const wrapping = fc.constantFrom<(answer: string) => string>(
  (answer) => `\\boxed{${answer}}`,
  (answer) => `So it is $\\boxed{${answer}}$.`,
  (answer) => `The answer is ${answer}.`,
  (answer) => `The final answer is $${answer}$. I hope it is correct.`,
  (answer) => `<think>\nWe try $${answer}$.\n</think>\n<answer>${answer}</answer>`,
  (answer) => `Thus\n\\[ ${answer} \\]`,
  (answer) => `**${answer}**`,
  (answer) => `x\n#### ${answer}`,
  (answer) => answer,
);

/** What the mutations start from. */
export interface Corpus {
  readonly golds: readonly string[];
  readonly predictions: readonly string[];
}

/** One comparison to be made: a gold answer and a response. */
export interface FuzzCase {
  readonly gold: string;
  readonly response: string;
}

/** Golds of every kind, so that every comparison is met. */
const GOLDS = [
  ..."5 -3 0 \\frac{1}{2} 0.333 12\\% 1,234 x x^2+1 \\sqrt{2} 2\\pi 3+4i e^{x} (1,2) [0,1) (-\\infty,3] \\{1,2,3\\} x=5 y=2x+1 x<3 1\\le{x}<4 5! C (B)".split(
    " ",
  ),
  ..."\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix} \\pm\\sqrt{3} 1011_2 \\text{Tuesday} True 3\\frac{1}{2} x\\in\\mathbb{R} \\frac{\\sqrt{3}}{2}i 90^\\circ".split(
    " ",
  ),
  "5 \\text{ cm}",
  "1, 2, 3",
  "no solution",
  "x=1, y=2",
  "[1, 2, 3]",
  "\\frac{x+1}{2}",
  "(-\\infty, -1) \\cup (2, \\infty)",
] as const;

/** Texts of all kinds, with a gold that is often related to them. */
export function fuzzCases(corpus: Corpus): fc.Arbitrary<FuzzCase> {
  const real = fc
    .tuple(fc.constantFrom(...corpus.predictions), fc.array(mutation, { maxLength: 4 }))
    .map(([text, mutations]) => mutations.reduce(mutate, text.slice(-3_000)));
  const answer = fc.oneof(
    { arbitrary: latex, weight: 4 },
    { arbitrary: fragments, weight: 2 },
    { arbitrary: unicode, weight: 1 },
    { arbitrary: nesting, weight: 1 },
    {
      arbitrary: fc.tuple(fc.constantFrom(...corpus.golds), mutation).map(([gold, change]) => mutate(gold, change)),
      weight: 2,
    },
  );
  const made = fc
    .tuple(answer, fc.array(mutation, { maxLength: 1 }), wrapping, fc.constantFrom("related", "itself", "other"))
    .chain(([text, mutations, wrap, kind]): fc.Arbitrary<FuzzCase> => {
      const response = wrap(mutations.reduce(mutate, text));
      if (kind === "related") return fc.constant({ gold: text, response });
      if (kind === "itself") return fc.constant({ gold: response, response });
      return fc.constantFrom(...GOLDS).map((gold) => ({ gold, response }));
    });
  const gold = fc.oneof(fc.constantFrom(...GOLDS), fc.constantFrom(...corpus.golds), latex);
  const cases = fc.oneof(
    { arbitrary: made, weight: 4 },
    { arbitrary: fc.record({ gold, response: real }), weight: 2 },
    { arbitrary: fc.record({ gold, response: fragments }), weight: 1 },
    { arbitrary: fc.record({ gold, response: unicode }), weight: 1 },
  );
  return cases;
}
