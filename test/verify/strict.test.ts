/**
 * Strict mode against a policy that looks for pay without solving: kinds of gold x wrong answers beside it x ways to join them x places
 * where an answer stands. Everything that names more than one answer must be refused; and every honest way to give one must be taken.
 */
import { describe, expect, it } from "vitest";
import { verify } from "../../src/verify/verify.ts";

const accepts = (gold: string | readonly string[], response: string) =>
  verify(gold, response, { mode: "strict" }).equal;

/** A gold answer as LaTeX and as it stands in running text, and two wrong ones of its kind. */
interface Kind {
  readonly name: string;
  readonly gold: string;
  readonly wrong: readonly [string, string];
  /** As it stands in running text; absent where that is no different, null where only a formula can say it. */
  readonly plain?: readonly [string, string, string] | null;
}

const KINDS: readonly Kind[] = [
  { name: "whole number", gold: "18", wrong: ["19", "7"] },
  { name: "negative number", gold: "-7", wrong: ["-8", "12"] },
  { name: "large number", gold: "1234", wrong: ["1235", "4321"], plain: ["1,234", "1,235", "4,321"] },
  { name: "zero", gold: "0", wrong: ["1", "2"] },
  { name: "decimal", gold: "3.5", wrong: ["3.6", "0.25"] },
  { name: "fraction", gold: "\\frac{3}{4}", wrong: ["\\frac{4}{3}", "\\frac{1}{4}"], plain: ["3/4", "4/3", "1/4"] },
  { name: "root", gold: "2\\sqrt{3}", wrong: ["3\\sqrt{2}", "\\sqrt{6}"], plain: null },
  { name: "polynomial", gold: "x^2+1", wrong: ["x^2-1", "x^2+2"], plain: null },
  {
    name: "multiple of pi",
    gold: "\\frac{\\pi}{4}",
    wrong: ["\\frac{\\pi}{3}", "\\frac{\\pi}{2}"],
    plain: ["pi/4", "pi/3", "pi/2"],
  },
  { name: "complex number", gold: "5-2i", wrong: ["5+2i", "2-5i"], plain: null },
  { name: "set", gold: "\\{1,2\\}", wrong: ["\\{1,3\\}", "\\{2,3\\}"], plain: null },
  { name: "interval", gold: "[2,5)", wrong: ["[2,5]", "(2,5)"], plain: null },
  { name: "point", gold: "(3,4)", wrong: ["(4,3)", "(3,5)"], plain: null },
  { name: "letter", gold: "B", wrong: ["C", "D"] },
  {
    name: "bracketed letter",
    gold: "\\text{(B)}",
    wrong: ["\\text{(C)}", "\\text{(A)}"],
    plain: ["(B)", "(C)", "(A)"],
  },
  {
    name: "word",
    gold: "\\text{Tuesday}",
    wrong: ["\\text{Wednesday}", "\\text{Monday}"],
    plain: ["Tuesday", "Wednesday", "Monday"],
  },
  { name: "name", gold: "Evelyn", wrong: ["Angela", "Briana"] },
];

/** Ways to name several answers: the right one first, last and in the middle, or beside one wrong one. */
const JOINERS: Readonly<Record<string, (right: string, wrong: string, other: string) => string>> = {
  blank: (right, wrong) => `${right} ${wrong}`,
  comma: (right, wrong) => `${right}, ${wrong}`,
  semicolon: (right, wrong) => `${right}; ${wrong}`,
  or: (right, wrong) => `${right} or ${wrong}`,
  "or, right one last": (right, wrong) => `${wrong} or ${right}`,
  and: (right, wrong) => `${right} and ${wrong}`,
  either: (right, wrong) => `either ${right} or ${wrong}`,
  "or in brackets": (right, wrong) => `${right} (or ${wrong})`,
  "or perhaps": (right, wrong) => `${right}, or perhaps ${wrong}`,
  maybe: (right, wrong) => `${right}, maybe ${wrong}`,
  "but not sure": (right, wrong) => `${right} but it could be ${wrong}`,
  stroke: (right, wrong) => `${right} | ${wrong}`,
  "three with commas": (right, wrong, other) => `${wrong}, ${right}, ${other}`,
  "three with blanks": (right, wrong, other) => `${wrong} ${right} ${other}`,
  "three with or": (right, wrong, other) => `${right}, ${wrong}, or ${other}`,
  "correction to a wrong one": (right, wrong) => `${right}, no wait, ${wrong}`,
  question: (right, wrong) => `${right}? ${wrong}?`,
};

/** The same inside a box, where words stand in \text. */
const BOXED_JOINERS: Readonly<Record<string, (right: string, wrong: string, other: string) => string>> = {
  comma: (right, wrong) => `${right}, ${wrong}`,
  "comma, right one last": (right, wrong) => `${wrong}, ${right}`,
  semicolon: (right, wrong) => `${right}; ${wrong}`,
  blank: (right, wrong) => `${right} \\quad ${wrong}`,
  or: (right, wrong) => `${right} \\text{ or } ${wrong}`,
  and: (right, wrong) => `${right} \\text{ and } ${wrong}`,
  maybe: (right, wrong) => `${right} \\text{, maybe } ${wrong}`,
  "vertical bar": (right, wrong) => `${right} \\mid ${wrong}`,
  lines: (right, wrong) => `${right} \\\\ ${wrong}`,
  "wrong one denied by a name": (right, wrong) => `${right} = ${wrong}`,
  approximately: (right, wrong) => `${right} \\approx ${wrong}`,
  chain: (right, wrong, other) => `x = ${wrong} = ${other} = ${right}`,
  "is wrong": (right, wrong) => `${right} \\text{ is wrong, } ${wrong}`,
  not: (right) => `\\text{not } ${right}`,
  three: (right, wrong, other) => `${wrong}, ${right}, ${other}`,
};

const WORK = "We read what is given and follow it to the end.";

/** Places of an answer in running text. */
const PLACES: Readonly<Record<string, (answer: string) => string>> = {
  "answer tag": (answer) => `<think>${WORK}</think>\n<answer>${answer}</answer>`,
  phrase: (answer) => `${WORK} The answer is ${answer}.`,
  "final answer": (answer) => `${WORK}\n\n**Final Answer:** ${answer}`,
  "A:": (answer) => `${WORK}\nA: ${answer}`,
  hash: (answer) => `${WORK}\n#### ${answer}`,
  "phrase in a tag": (answer) => `<think>${WORK}</think><answer>The final answer is ${answer}.</answer>`,
  "whole text": (answer) => answer,
};

/** Places of a formula. */
const FORMULA_PLACES: Readonly<Record<string, (answer: string) => string>> = {
  box: (answer) => `${WORK} So it is $\\boxed{${answer}}$.`,
  "box in a tag": (answer) => `<think>${WORK}</think> <answer>\\boxed{${answer}}</answer>`,
  "formula after a phrase": (answer) => `${WORK} The final answer is $${answer}$.`,
  "display after a phrase": (answer) => `${WORK} The answer is\n\\[\n${answer}\n\\]`,
};

const plainOf = ({ gold, wrong, plain }: Kind) => plain ?? (plain === null ? null : ([gold, ...wrong] as const));

describe("several answers at the place of one", () => {
  for (const kind of KINDS) {
    it(`in text: ${kind.name}`, () => {
      const forms = [
        plainOf(kind),
        ...(kind.gold.startsWith("\\text") ? [] : [[kind.gold, ...kind.wrong].map((each) => `$${each}$`)]),
      ];
      const paid = forms.flatMap((form) =>
        form === null
          ? []
          : Object.entries(PLACES).flatMap(([place, render]) =>
              Object.entries(JOINERS).flatMap(([joiner, join]) => {
                const response = render(join(form[0]!, form[1]!, form[2]!));
                return accepts(kind.gold, response) ? [`${place}, ${joiner}: ${response}`] : [];
              }),
            ),
      );
      expect(paid).toEqual([]);
    });
    it(`in formulas: ${kind.name}`, () => {
      const paid = Object.entries(FORMULA_PLACES).flatMap(([place, render]) =>
        Object.entries(BOXED_JOINERS).flatMap(([joiner, join]) => {
          const response = render(join(kind.gold, ...kind.wrong));
          return accepts(kind.gold, response) ? [`${place}, ${joiner}: ${response}`] : [];
        }),
      );
      expect(paid).toEqual([]);
    });
  }
});

/** Right answers that the response denies, doubts, takes back, hides, or sets others behind: R is the right one, W a wrong one. */
const RETREATS: Readonly<Record<string, string>> = {
  "box denied": "The answer is not $\\boxed{R}$.",
  "box denied by a sign": "So $x \\neq \\boxed{R}$.",
  "box denied behind": "$\\boxed{R}$ is wrong.",
  "box denied in the next sentence": "$\\boxed{R}$. That is not the right answer.",
  "box doubted by a mark": "Is it $\\boxed{R}$?",
  "box taken back": "$\\boxed{R}$\n\nWait, no, it is W.",
  "box taken back without another": "$\\boxed{R}$. Just kidding.",
  "box or": "$\\boxed{R}$ or W",
  "box or a formula": "$\\boxed{R}$ or $W$",
  "box or, inside the formula": "$\\boxed{R} \\text{ or } W$",
  "or box": "W or $\\boxed{R}$",
  "either box": "It is either $\\boxed{R}$ or W.",
  "box, maybe": "$\\boxed{R}$, maybe W.",
  "box and a line": "$\\boxed{R}$\nW",
  "box and lines": "$\\boxed{R}$\n\n$W$\n\n$V$",
  "box, then another final answer": "$\\boxed{R}$. The final answer is $W$.",
  "another final answer, then a box": "The final answer is $W$. $\\boxed{R}$",
  "two boxes": "$\\boxed{R}$ and after more work $\\boxed{W}$",
  "two boxes, right one last": "$\\boxed{W}$ and after more work $\\boxed{R}$",
  "three boxes in lines": "\\boxed{W}\n\\boxed{R}\n\\boxed{V}",
  "box in a box": "\\boxed{R \\boxed{W}}",
  "two phrases": "The answer is $R$. The answer is $W$.",
  "two phrases, right one last": "The answer is $W$. The answer is $R$.",
  "two lines of A:": "A: $W$\nA: $R$",
  "two lines after hashes": "#### $W$\n#### $R$",
  "phrase denied": "The answer is not $R$.",
  "phrase that cannot be": "The answer cannot be $R$.",
  "phrase doubted": "The answer is maybe $R$.",
  "phrase guessed": "I guess the answer might be $R$.",
  "phrase asked": "The answer is $R$?",
  "phrase taken back": "The answer is $R$. No, wait, it is $W$.",
  "phrase corrected": "The answer is $R$. Actually, it is $W$.",
  "phrase and a sentence": "The answer is $R$. $W$.",
  "phrase and lines": "The answer is $R$\n$W$\n$V$",
  "phrase, or in the next sentence": "The answer is $R$. Or maybe $W$.",
  "two blocks": "<answer>$W$</answer><answer>$R$</answer>",
  "two blocks, wrong one last": "<answer>$R$</answer> <answer>$W$</answer>",
  "a block that does not close": "<answer>$W$ <answer>$R$</answer>",
  "a second block that does not close": "<answer>$R$</answer> <answer>$W$",
  "block of lines": "<answer>$R$\n$W$</answer>",
  "block taken back": "<answer>$R$</answer> Wait, no, that is wrong.",
  "block or": "<answer>$R$</answer> or $W$",
  "only in the thinking": "<think>The answer is \\boxed{R}.</think>",
  "only in the thinking, with words behind": "<think>The answer is \\boxed{R}.</think> So that is it.",
  "thinking that never ends": "<think>The answer is \\boxed{R}.",
  "a block in thinking that never ends": "<think>So <answer>\\boxed{R}</answer>",
  "thinking by another name": "<thinking>\\boxed{R}</thinking>",
  "thinking in capitals": "<THINK>\\boxed{R}</THINK>",
  "reasoning tags": "<reasoning>\\boxed{R}</reasoning> Done.",
  "thought again, and for good": "<think>a</think> So. <think>\\boxed{R}</think>",
  "thought again without end": "<think>a</think> <think>\\boxed{R}",
  "behind the end of the turn": "\\boxed{W}<|im_end|>\n\\boxed{R}",
  "behind the end of the text": "The answer is unknown.</s> \\boxed{R}",
  "in an HTML comment": "<!-- \\boxed{R} --> So that is it.",
  "in a LaTeX comment": "So that is it.\n% \\boxed{R}",
  "in a comment environment": "\\begin{comment}\\boxed{R}\\end{comment}",
  "in \\iffalse": "\\iffalse \\boxed{R} \\fi",
  "in verbatim": "\\begin{verbatim}\\boxed{R}\\end{verbatim}",
  "in \\verb": "\\verb|\\boxed{R}|",
  "in a program": "```python\n# The answer is \\boxed{R}\n```",
  "in a program that never ends": "```python\nprint('\\boxed{R}')",
  "in a phantom": "$\\phantom{\\boxed{R}}$",
  "in white": "{\\color{white} \\boxed{R}}",
  "in white text": "\\textcolor{white}{\\boxed{R}}",
  "struck out": "$\\cancel{\\boxed{R}}$",
  "struck out in Markdown": "~~\\boxed{R}~~",
  "a box of nothing": "\\boxed{} R",
  "a box that never closes": "\\boxed{R",
  "not announced": "First there is $R$ and then there is more to say about it.",
  "a template": "<answer>{answer}</answer>",
  "a name for itself": "\\boxed{answer}",
};

/** Honest ways to give an answer, right where R is the gold. */
const HONEST: Readonly<Record<string, string>> = {
  box: "So it is $\\boxed{R}$.",
  "bare box": "\\boxed{R}",
  "box of a display": "Hence\n\\[\n\\boxed{R}\n\\]",
  "box, hopeful": "The final answer is $\\boxed{R}$. I hope it is correct.",
  "box in bold": "**$\\boxed{R}$**",
  "box said twice": "So it is $\\boxed{R}$. I repeat: $\\boxed{R}$.",
  "box and phrase": "So it is $\\boxed{R}$.\n\nThe answer is $R$.",
  "phrase and box": "The answer is $R$.\n\n$$\\boxed{R}$$",
  "heading and box": "**Final Answer**\n\n$$\\boxed{R}$$",
  "box in a tag": "<think>Is it $W$? No, not $W$.</think>\n<answer>\\boxed{R}</answer>",
  "words and box in a tag": "<think>Hm.</think><answer>The answer is $\\boxed{R}$.</answer>",
  "formula in a tag": "<think>\\boxed{W}</think><answer>$R$</answer>",
  "tag on lines of its own": "<think>\nHm.\n</think>\n<answer>\n$R$\n</answer>",
  "tag mentioned before": "I put it in <answer> tags. <answer>$R$</answer>",
  "second thoughts, settled": "First I had $W$. Wait, no, that is wrong. So the answer is $\\boxed{R}$.",
  "wrong answer denied before": "The answer is not $W$. The answer is $R$.",
  "earlier steps": "We have $2 \\cdot 9 = 18$ and $4 - 1 = 3$. Therefore, the answer is $\\boxed{R}$.",
  "an earlier value, then the box": "It was $W$ last year, and now it is $\\boxed{R}$.",
  "side remark behind": "$\\boxed{R}$, since nothing else is left.",
  "check behind": "$\\boxed{R}$\n\nCheck: all conditions hold.",
  "thanks behind": "The answer is $R$. I hope this helps!",
  "end of the turn": "\\boxed{R}<|im_end|>",
  "end of the text": "The answer is $R$.</s>",
  "between the marks of a text": "<s> The answer is $R$.</s>",
  "in a fence of its own": "The answer is\n```latex\n\\boxed{R}\n```",
  "in a fence within a line": "The answer is ```$R$```.",
  "reasoning tags": "<reasoning>\nHm.\n</reasoning>\n<answer>\n$R$\n</answer>",
  "after a program": "```python\nprint(1 + 1)\n```\n```output\n2\n```\nThe answer is $\\boxed{R}$.",
  phrase: "The answer is $R$.",
  "phrase in bold": "**The answer is $R$.**",
  "final answer": "**Final Answer:** $R$",
  "answer, colon": "Answer: $R$",
  "A:": "We follow it to the end.\nA: $R$",
  hash: "We follow it to the end.\n#### $R$",
  "display after a phrase": "The answer is\n\\[\nR\n\\]",
  parentheses: "The answer is \\(R\\).",
  therefore: "Therefore, the final answer is: $R$.",
};

/** Honest ways to give a number in running text. */
const HONEST_NUMBERS: Readonly<Record<string, string>> = {
  bare: "The answer is R.",
  whole: "R",
  hash: "#### R",
  tag: "<think>Hm.</think><answer>R</answer>",
  bold: "The answer is **R**.",
  named: "The answer is x = R.",
  apples: "The answer is R apples.",
  "apples in a tag": "<answer>She has R apples left.</answer>",
  "of several": "The answer is R of the 4321 apples.",
  "in some days": "The answer is R apples in 365 days.",
  "with a remark": "The answer is R, since 20 * 50 = 1000.",
  "with a remark in brackets": "The answer is R (because 20 * 50 = 1000).",
  "not another": "The answer is R (not 4321).",
  "unit in a box": "\\boxed{R \\text{ apples}}",
  "unit behind a box": "$\\boxed{R}$ apples",
  "name in a box": "\\boxed{x = R}",
  "words in a box": "\\boxed{\\text{The answer is } R}",
  "full stop in a box": "\\boxed{R.}",
  "same value twice in a box": "\\boxed{R = R}",
  "name before the box": "$x = \\boxed{R}$",
  "working before the box": "$1000 + R - 1000 = \\boxed{R}$",
  "same value in brackets": "The answer is R (that is, R).",
  "a sum that is true": "The answer is R + 0 = R.",
};

/** R, W and V as words of their own are the right answer and the wrong ones. */
function fill(template: string, [right, wrong, other]: readonly [string, string, string]): string {
  return template.replaceAll(/\b[RWV]\b/g, (name) => (name === "R" ? right : name === "W" ? wrong : other));
}

describe("right answers that the response does not stand by", () => {
  it.each(Object.entries(RETREATS))("%s", (_, template) => {
    const paid = KINDS.map((kind) => ({ kind, response: fill(template, [kind.gold, ...kind.wrong]) })).filter(
      ({ kind, response }) => accepts(kind.gold, response),
    );
    expect(paid.map(({ response }) => response)).toEqual([]);
  });
});

describe("honest answers", () => {
  it.each(Object.entries(HONEST))("%s", (_, template) => {
    const refused = KINDS.map((kind) => ({ kind, response: fill(template, [kind.gold, ...kind.wrong]) })).filter(
      ({ kind, response }) => !accepts(kind.gold, response),
    );
    expect(refused.map(({ response }) => response)).toEqual([]);
  });
  it.each(Object.entries(HONEST_NUMBERS))("numbers: %s", (_, template) => {
    const refused = ["18", "-7", "1,234", "0", "3.5", "1234"].filter(
      (gold) => !accepts(gold.replace(",", ""), fill(template, [gold, "", ""])),
    );
    expect(refused.map((gold) => fill(template, [gold, "", ""]))).toEqual([]);
  });
});

describe("several values are no spray where the gold has several", () => {
  it.each([
    ["x=\\pm\\sqrt{2}", "\\{-\\sqrt{2},\\sqrt{2}\\}"],
    ["1\\pm\\sqrt{5}", "1+\\sqrt{5}, 1-\\sqrt{5}"],
    ["(a,b)=(1,2)", "a=1, b=2"],
    // Nor is a set of none or of one.
    ["no solution", "\\emptyset"],
    ["3", "\\{3\\}"],
  ])("gold %s, answer %s", (gold, answer) => {
    expect(accepts(gold, `Therefore the answer is \\boxed{${answer}}.`)).toBe(true);
  });
});

describe("chains and work", () => {
  const rows: readonly (readonly [gold: string, answer: string, equal: boolean])[] = [
    ["\\frac12", "\\frac12 = 0.5", true],
    ["\\frac13", "\\frac13 \\approx 0.333", true],
    ["\\frac13", "\\frac13 \\approx 0.4", false],
    ["18", "x = 9 \\cdot 2 = 18", true],
    ["18", "x = 9 \\cdot 2 = 17 + 1 = 18", true],
    ["18", "9 \\cdot 2 = 18", true],
    ["18", "18 = 19 = 18", false],
    ["18", "17 = 18", false],
    ["18", "18 \\approx 19", false],
    ["18", "18 \\approx 18.3", false],
    ["\\frac{120}{37}", "\\frac{120}{37} \\approx 3.24", true],
    ["18.3", "18.3 \\approx 18", true],
    ["18", "19 ?? = 18", false],
    ["x", "x = x", false],
    ["x^2+2x+1", "f(x) = (x+1)^2 = x^2 + 2x + 1", true],
    ["x^2+2x+1", "f(x) = (x+2)^2 = x^2 + 2x + 1", false],
    ["5050", "\\sum_{k=1}^{100} k", false],
    ["\\frac{1}{3}", "\\int_0^1 x^2 dx", false],
    ["18", "9 \\cdot 2", false],
    ["18", "20 - 2", false],
    ["18", "|-18|", false],
    ["12", "\\sqrt{144}", false],
    ["27", "243^{3/5}", false],
    ["3", "\\log_2 8", false],
    ["0.5", "\\sin 30^\\circ", false],
    ["\\frac{\\sqrt{3}}{2}", "\\sin 60^\\circ", false],
    ["\\frac{\\pi}{4}", "\\arctan 1", false],
    ["120", "5!", false],
    ["120", "\\binom{10}{3}", false],
    ["6", "\\gcd(12, 18)", false],
    ["1", "7 \\bmod 3", false],
    ["-2", "\\begin{vmatrix} 1 & 2 \\\\ 3 & 4 \\end{vmatrix}", false],
    ["5", "2(3-i)+i(2+i)", false],
    ["70", "154_6", false],
    ["1, 2", "1, 1 + 1", false],
    ["(3,4)", "(1+2, 4)", false],
    ["5!", "5!", true],
    ["\\log_2 3", "\\frac{\\ln 3}{\\ln 2}", true],
    ["2\\sqrt{3}", "\\sqrt{12}", true],
    ["\\frac{1+\\sqrt{5}}{2}", "\\frac12 + \\frac{\\sqrt{5}}{2}", true],
    ["5-2i", "-2i + 5", true],
    ["\\frac34", "\\frac68", true],
    ["\\frac34", "0.75", true],
    ["\\frac34", "75\\%", true],
    ["\\frac32", "1\\frac12", true],
    ["1500", "1.5 \\times 10^3", true],
    ["1024", "2^{10}", true],
    ["36\\pi", "\\pi \\cdot 6^2", true],
    ["x^2+2x+1", "(x+1)^2", true],
    ["1.41421", "\\sqrt{2}", false],
    ["1.414214", "\\sqrt{2}", true],
  ];
  it.each(rows)("gold %s, answer %s: %s", (gold, answer, equal) => {
    expect(accepts(gold, `\\boxed{${answer}}`)).toBe(equal);
  });
});

describe("choices and words", () => {
  const rows: readonly (readonly [gold: string, response: string, equal: boolean])[] = [
    ["A", "The answer is (A). Options (B) and (C) are wrong because they fail.", true],
    ["A", "The answer is A because B and C are wrong.", true],
    ["B", "Answer: B. Paris", true],
    ["B", "The correct option is **B**.", true],
    ["B", "The best choice is (B) 5 apples.", true],
    ["D", "The answer is (D) both (A) and (B).", true],
    ["B", "The answer is B, not C.", true],
    ["B", "The answer is B/C.", false],
    ["B", "\\boxed{B}, \\boxed{C}", false],
    ["B", "The correct option is B. The correct option is C.", false],
    ["A, C", "The answer is A and C.", true],
    ["A, C", "The answer is A, B, C.", false],
    ["yes", "The answer is yes.", true],
    ["yes", "Answer: yes/no", false],
    ["not enough information", "The answer is not enough information.", true],
    ["Tuesday", "The answer is not Tuesday.", false],
    ["x<2 \\text{ or } x>3", "The answer is $x<2$ or $x>3$.", true],
  ];
  it.each(rows)("gold %s, response %s: %s", (gold, response, equal) => {
    expect(accepts(gold, response)).toBe(equal);
  });
});

describe("golds of several values", () => {
  const rows: readonly (readonly [gold: string, response: string, equal: boolean])[] = [
    ["1, 2", "The answer is $1$ or $2$.", true],
    ["1, 2", "The answer is $x = 1$ or $x = 2$.", true],
    ["1, 2", "\\boxed{x = 2 \\text{ or } x = 1}", true],
    ["1, 2", "\\boxed{1} and \\boxed{2}", true],
    ["\\{1, 2\\}", "\\boxed{1, 2}", true],
    ["-3, 3", "\\boxed{\\pm 3}", true],
    ["1, 2", "\\boxed{1, 2, 3}", false],
    ["1, 2", "\\boxed{1, 2} or $\\{1, 3\\}$", false],
    ["1, 2", "\\boxed{1, 2} \\boxed{1, 3}", false],
    ["3", "\\boxed{\\pm 3}", false],
    ["(3, 4)", "\\boxed{x = 3, y = 4}", true],
    ["(-\\infty, 3)", "\\boxed{(-\\infty, 3) \\text{ or } (-\\infty, 1)}", false],
    ["(3, 4)", "\\boxed{(3, 4), (3, 4)}", false],
    ["(-\\infty, 2) \\cup (3, \\infty)", "\\boxed{(-\\infty, 2) \\text{ or } (3, \\infty)}", true],
    ["(-\\infty, 2) \\cup (3, \\infty)", "\\boxed{(-\\infty, 2) \\cup (3, \\infty), 7}", false],
    ["14", "\\boxed{not x = 14}", false],
    ["(-\\infty, 2) \\cup (3, \\infty)", "\\boxed{(-\\infty, 2) \\cup (3, \\infty)}", true],
  ];
  it.each(rows)("gold %s, response %s: %s", (gold, response, equal) => {
    expect(accepts(gold, response)).toBe(equal);
  });
  it("alternatives", () => {
    expect(accepts(["18", "19"], "\\boxed{19}")).toBe(true);
    expect(accepts(["18", "19"], "\\boxed{18} or 19")).toBe(false);
  });
});
