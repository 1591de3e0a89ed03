/**
 * Laws of the shipped rewards on random texts, lengths and groups: what is finite, what is bounded, what may only fall or rise, what must
 * change nothing, and that a megabyte takes no longer than its length says. Seeds are fixed and printed.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import accuracy from "../../rewards/accuracy.ts";
import codeFormat from "../../rewards/code-format.ts";
import cosineLength from "../../rewards/cosine-length.ts";
import countdown from "../../rewards/countdown.ts";
import format from "../../rewards/format.ts";
import formula from "../../rewards/formula.ts";
import kimiLength from "../../rewards/kimi-length.ts";
import language from "../../rewards/language.ts";
import logicRl from "../../rewards/logic-rl.ts";
import multipleChoice from "../../rewards/multiple-choice.ts";
import poetry from "../../rewards/poetry.ts";
import reasoningSteps from "../../rewards/reasoning-steps.ts";
import repetition from "../../rewards/repetition.ts";
import softOverlong from "../../rewards/soft-overlong.ts";
import sweRl from "../../rewards/swe-rl.ts";
import tagCount from "../../rewards/tag-count.ts";
import translation from "../../rewards/translation.ts";
import type { RewardScore, SampleReward } from "../../src/reward/reward.ts";
import { LANGUAGES } from "../../src/verify/language.ts";
import { softScore, strictScore, testLevels } from "../../src/verify/test-levels.ts";
import { inputOf, score } from "./input.ts";

const SETTINGS = { seed: 20261121, verbose: true } as const;

const FIELDS = {
  nums: [1, 2, 3],
  target: 6,
  names: ["Zoey", "Oliver"],
  solution: [true, false],
  language: "zh",
  question: "A line of verse",
  code_context: { "a.py": "x\n" },
  oracle_new_content: { "a.py": "y\n" },
};

/** What scores a text, and the values that it may give: a range, or the whole list. */
const REWARDS: readonly [string, (text: string) => unknown, readonly number[], "list" | "range"][] = [
  ["accuracy", of(accuracy, "A"), [0, 1], "list"],
  ["accuracy of DAPO", of(accuracy, "42", { method: "math", right: 1, wrong: -1, unparseable: -1 }), [-1, 1], "list"],
  ["code-format", of(codeFormat), [0, 1], "list"],
  ["cosine-length", of(cosineLength, "42", { method: "numeric" }), [-1, 1], "range"],
  ["countdown", of(countdown), [0, 0.1, 1], "list"],
  ["format", of(format), [0, 1], "list"],
  ["formula", of(formula, "42", { expression: "right - words / (1 + characters)" }), [-1, 1], "range"],
  ["language", of(language), [0, 1], "range"],
  ["logic-rl", of(logicRl), [-3, -1, -0.5, 3], "list"],
  ["multiple-choice", of(multipleChoice, "B"), [0, 1], "list"],
  ["poetry", of(poetry), [0, 3], "range"],
  ["reasoning-steps", of(reasoningSteps), [0, 1 / 3, 2 / 3, 1], "list"],
  ["repetition", of(repetition), [-1, 0], "range"],
  ["repetition of characters", of(repetition, null, { unit: "character" }), [-1, 0], "range"],
  ["swe-rl", of(sweRl), [-1, 1], "range"],
  ["tag-count", of(tagCount), [0, 0.25, 0.5, 0.75, 1], "list"],
  ["translation", of(translation, "the cat sat on the mat"), [0, 1], "range"],
  ["translation, BLEU", of(translation, "the cat sat on the mat", { metric: "bleu" }), [0, 1], "range"],
];

function of<Params>(reward: SampleReward<Params>, answer: string | null = null, params = {}) {
  return (text: string) => score(reward, inputOf(text, { answer, fields: FIELDS }), params);
}

function numberOf(result: unknown): number {
  const one = result as RewardScore;
  return typeof one === "object" && one !== null ? one.score : Number(one);
}

/** Any text: whole characters, halves of them, and what rewards look for. */
const anyText = fc
  .array(
    fc.oneof(
      fc.string({ unit: "binary", maxLength: 20 }),
      fc.string({ unit: "grapheme", maxLength: 20 }),
      fc.constantFrom("\ud800", "\udc00", "\0", "\u2028", "\ufeff", "\u202e", "e\u0301", "\r\n", "\n\n", " "),
      fc.constantFrom(
        "<think>\n",
        "\n</think>\n",
        "\n<answer>\n",
        "\n</answer>",
        "\\boxed{",
        "}",
        "$",
        "```python\n",
        "```\n",
        "####",
      ),
      fc.constantFrom(
        "42",
        "1+2+3",
        "Answer: B",
        "Zoey is a knight",
        "Oliver is a knave",
        "Step 1:",
        "1. ",
        "\n- ",
        "First,",
        "我",
      ),
      fc.constantFrom(
        "<solution>",
        "</solution>",
        "```\n### a.py\n<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\n```",
      ),
    ),
    { maxLength: 16 },
  )
  .map((parts) => parts.join(""));

describe.each(REWARDS)("%s", (_, run, values, kind) => {
  it("any text of Unicode is scored, within the stated values, and twice the same", () => {
    const property = fc.property(anyText, (text) => {
      const value = numberOf(run(text));
      if (kind === "range") {
        expect(value).toBeGreaterThanOrEqual(values[0]!);
        expect(value).toBeLessThanOrEqual(values[1]!);
      } else
        expect(
          values.some((one) => Math.abs(one - value) < 1e-12),
          String(value),
        ).toBe(true);
      expect(Object.is(value, -0)).toBe(false);
      expect(numberOf(run(text))).toBe(value);
    });
    fc.assert(property, { ...SETTINGS, numRuns: 400 });
  });

  it("a megabyte takes what its length says", () => {
    const line = 'So <b>12</b> + $x^2$ is \\boxed{3}: the cat, 我们 first. Step 1: a1 ``b`` {c} [d] (e) "f"\n';
    for (const piece of ["a", " ", "a ", line, "<think>", "\\boxed{", "```\n", "1,", "-", "\n"]) {
      const start = performance.now();
      run(`<think>${piece.repeat(Math.ceil(1_000_000 / piece.length))}`);
      // A quadratic step would be 10^12; what is linear takes less than a second on an idle machine.
      expect(performance.now() - start, JSON.stringify(piece)).toBeLessThan(10_000);
    }
  }, 120_000);
});

const RIGHT = "<think>a</think> <answer>5</answer>";

describe("lengths", () => {
  const cosine = (answer: string, numTokens: number, maxTokens: number) =>
    score(cosineLength, inputOf(RIGHT, { answer, numTokens, maxTokens })) as number;
  const lengths = fc.tuple(fc.nat(5000), fc.nat(5000), fc.integer({ min: 1, max: 4000 }));

  it("cosine-length: longer is worth no more when right and no less when wrong, mirrored, and flat past the limit", () => {
    const property = fc.property(lengths, ([one, other, limit]) => {
      const [short, long] = [Math.min(one, other), Math.max(one, other)];
      expect(cosine("5", long, limit)).toBeLessThanOrEqual(cosine("5", short, limit));
      expect(cosine("6", long, limit)).toBeGreaterThanOrEqual(cosine("6", short, limit));
      expect(cosine("6", one, limit)).toBeCloseTo(-cosine("5", one, limit), 12);
      expect(cosine("5", limit + one, limit)).toBe(cosine("5", limit, limit));
      // Only the share of the limit counts.
      expect(cosine("5", 2 * one, 2 * limit)).toBe(cosine("5", one, limit));
      // Any right answer is worth more than any wrong one.
      expect(cosine("5", one, limit)).toBeGreaterThanOrEqual(0.5);
    });
    fc.assert(property, { ...SETTINGS, numRuns: 500 });
  });

  it("soft-overlong: 0, then a line, then -1: each token past L - c costs 1 / c", () => {
    const property = fc.property(
      fc
        .integer({ min: 1, max: 4000 })
        .chain((limit) => fc.tuple(fc.constant(limit), fc.integer({ min: 1, max: limit }), fc.nat(5000))),
      ([maxTokens, bufferTokens, numTokens]) => {
        const at = (length: number) =>
          score(softOverlong, inputOf("", { numTokens: length }), { maxTokens, bufferTokens }) as number;
        const past = Math.min(bufferTokens, Math.max(0, numTokens - (maxTokens - bufferTokens)));
        expect(at(numTokens)).toBeCloseTo(0 - past / bufferTokens, 12);
        expect(at(numTokens + 1)).toBeLessThanOrEqual(at(numTokens));
        expect(at(maxTokens)).toBe(-1);
      },
    );
    fc.assert(property, { ...SETTINGS, numRuns: 500 });
  });

  const members = fc.array(fc.record({ numTokens: fc.integer({ min: 1, max: 900 }), isRight: fc.boolean() }), {
    minLength: 1,
    maxLength: 12,
  });
  const kimi = (group: readonly { numTokens: number; isRight: boolean }[]) =>
    kimiLength.scoreGroup(
      group.map(({ numTokens, isRight }) =>
        inputOf(isRight ? RIGHT : "<answer>6</answer>", { answer: "5", numTokens }),
      ),
      kimiLength.params!.parse({}),
    ) as number[];

  it("kimi-length: by length among the right, never above 0 for the wrong, whatever the order and the scale", () => {
    const property = fc.property(members, fc.integer({ min: 1, max: 5 }), fc.nat(100), (group, factor, more) => {
      const scores = kimi(group);
      expect(kimi([...group].reverse())).toEqual([...scores].reverse());
      const moved = kimi(group.map((member) => ({ ...member, numTokens: member.numTokens * factor + more })));
      for (const [i, { isRight, numTokens }] of group.entries()) {
        expect(moved[i]).toBeCloseTo(scores[i]!, 12);
        expect(Math.abs(scores[i]!)).toBeLessThanOrEqual(0.5);
        if (!isRight) expect(scores[i]).toBeLessThanOrEqual(0);
        for (const [j, other] of group.entries()) {
          if (other.isRight === isRight && other.numTokens > numTokens)
            expect(scores[j]).toBeLessThanOrEqual(scores[i]!);
          if (isRight && other.numTokens === numTokens) expect(scores[j]).toBeLessThanOrEqual(scores[i]!);
        }
      }
      const isEqual = new Set(group.map(({ numTokens }) => numTokens)).size === 1;
      if (isEqual) expect(scores.every((value) => value === 0)).toBe(true);
    });
    fc.assert(property, { ...SETTINGS, numRuns: 500 });
  });
});

const word = fc.constantFrom("the", "cat", "Sat", "on", "a", "mat,", "x^2", "我");
const words = fc.array(word, { minLength: 1, maxLength: 30 });

describe("texts", () => {
  it("repetition: case and white space do not matter, and m times W words have at most W trigrams", () => {
    const penalty = (text: string) => of(repetition)(text) as number;
    const property = fc.property(words, fc.integer({ min: 2, max: 9 }), (said, times) => {
      const text = said.join(" ");
      expect(penalty(` ${said.join(" \n\t")}\n`)).toBe(penalty(text));
      expect(penalty(`${text} ${text.toUpperCase()}`)).toBe(penalty(`${text} ${text}`));
      const numTrigrams = times * said.length - 2;
      if (numTrigrams < 1) return;
      const most = -Math.max(0, 1 - said.length / numTrigrams);
      expect(penalty(Array.from({ length: times }, () => text).join(" "))).toBeLessThanOrEqual(most + 1e-12);
    });
    fc.assert(property, { ...SETTINGS, numRuns: 500 });
  });

  const inside = fc.string({ maxLength: 30 }).filter((text) => !/[<>]/.test(text));

  it("format and tag-count: exactly the tags, each once, in order; nothing outside", () => {
    const property = fc.property(
      inside,
      inside,
      fc.constantFrom("x", "<think>", "</answer>", "<answer>1</answer>"),
      (a, b, more) => {
        const text = `<think>\n${a}\n</think>\n<answer>\n${b}\n</answer>`;
        const score = of(format, null, { style: "open-r1-strict" });
        expect([score(text), of(format)(text), of(tagCount)(text)]).toEqual([1, 1, 1]);
        for (const other of [`${text}${more}`, `${more}${text}`, text.replace("</think>", `</think>${more}`)]) {
          expect([score(other), of(format)(other)]).toEqual([0, 0]);
        }
        expect(of(tagCount)(`${text}\n</answer>`)).toBe(0.75);
      },
    );
    fc.assert(property, { ...SETTINGS, numRuns: 300 });
  });

  it("language: a share of words, so that texts mix by their numbers of words, and code and formulas are none", () => {
    const share = (text: string, target = "zh") =>
      score(language, inputOf(text), { language: target, part: "response" }) as number;
    const property = fc.property(fc.nat(8), fc.nat(8), fc.constantFrom(...LANGUAGES), (numHan, numLatin, target) => {
      const text = [...Array(numHan).fill("我"), ...Array(numLatin).fill("word")].join(" ");
      const isOf = { zh: numHan, ja: numHan, en: numLatin, de: numLatin }[target as string];
      if (isOf !== undefined)
        expect(share(text, target)).toBeCloseTo(numHan + numLatin === 0 ? 1 : isOf / (numHan + numLatin), 12);
      for (const masked of [
        "```python\nprint('word')\n```",
        "$x + \\text{mass}$",
        "\\[ \\sin y \\]",
        "https://example.org/word",
        "12 + 3 = 15",
      ]) {
        expect(share(`${text} ${masked} `, target)).toBe(share(text, target));
      }
    });
    fc.assert(property, { ...SETTINGS, numRuns: 300 });
  });

  it("reasoning-steps: more marks are worth no less, up to 1", () => {
    const property = fc.property(
      anyText,
      fc.nat(4),
      fc.constantFrom("\nStep 7:", "\n- ", " First,", "\n3."),
      (text, count, mark) => {
        const at = (times: number) => of(reasoningSteps)(`${text}${mark.repeat(times)}`) as number;
        expect(at(count)).toBeCloseTo(Math.min(1, at(0) + count / 3), 12);
      },
    );
    fc.assert(property, { ...SETTINGS, numRuns: 300 });
  });

  it("translation: the reference itself is 1, white space apart, and no answer is worth more", () => {
    const property = fc.property(words, words, (reference, said) => {
      for (const metric of ["chrf", "bleu"]) {
        const at = (text: string) =>
          of(translation, reference.join(" "), { metric })(`<answer>${text}</answer>`) as number;
        expect(at(reference.join("  "))).toBeCloseTo(1, 12);
        expect(at(said.join(" "))).toBeLessThanOrEqual(1);
      }
    });
    fc.assert(property, { ...SETTINGS, numRuns: 300 });
  });
});

describe("answers", () => {
  type Expression = { readonly text: string; readonly value: number; readonly numbers: readonly number[] };
  const leaf = fc.integer({ min: 1, max: 50 }).map((n): Expression => ({ text: String(n), value: n, numbers: [n] }));
  const tree = fc.letrec<{ node: Expression }>((tie) => ({
    node: fc.oneof(
      { depthSize: "small" },
      leaf,
      fc.tuple(tie("node"), tie("node"), fc.constantFrom("+", "-", "*")).map(([a, b, sign]) => ({
        text: `(${a.text} ${sign} ${b.text})`,
        value: sign === "+" ? a.value + b.value : sign === "-" ? a.value - b.value : a.value * b.value,
        numbers: [...a.numbers, ...b.numbers],
      })),
    ),
  })).node;

  it("countdown: right exactly where the value is the target and each number stands once", () => {
    let numRight = 0;
    const property = fc.property(tree, fc.integer({ min: -3, max: 3 }), ({ text, value, numbers }, off) => {
      fc.pre(Math.abs(value) < 1e12 && text.length < 400);
      const at = (nums: readonly number[], target: number) =>
        score(countdown, inputOf(`<answer>${text}</answer>`, { fields: { nums, target } }));
      expect(at([...numbers].reverse(), value + off)).toBe(off === 0 ? 1 : 0.1);
      expect(at([...numbers, 7], value)).toBe(0.1);
      expect(at(numbers.slice(1).concat(51), value)).toBe(0.1);
      if (off === 0) numRight++;
    });
    fc.assert(property, { ...SETTINGS, numRuns: 500 });
    expect(numRight).toBeGreaterThan(30);
  });

  it("accuracy, countdown and multiple-choice: what stands outside the answer, and how long it is, does not matter", () => {
    const outside = anyText.filter((text) => !/[<>\\]/.test(text));
    const property = fc.property(outside, fc.nat(5000), (before, numTokens) => {
      const text = (answer: string) => `<think>${before}</think> <answer>${answer}</answer>`;
      const at = <Params>(reward: SampleReward<Params>, answer: string, params: object) =>
        score(reward, inputOf(text(answer), { answer: "42", fields: FIELDS, numTokens }), { ...params });
      const numeric = { method: "numeric" };
      expect([at(accuracy, "42", numeric), at(accuracy, "42.0", numeric), at(accuracy, "43", numeric)]).toEqual([
        1, 1, 0,
      ]);
      expect([at(countdown, "1+2+3", {}), at(countdown, "1+2-3", {})]).toEqual([1, 0.1]);
      expect(of(multipleChoice, "B")(text("B"))).toBe(1);
      expect(of(multipleChoice, "B")(text("C"))).toBe(0);
    });
    fc.assert(property, { ...SETTINGS, numRuns: 300 });
  });

  it("logic-rl: three of four totals by what is said, in whatever order", () => {
    const names = ["Zoey", "Oliver", "Ann"];
    const kinds = fc.array(fc.boolean(), { minLength: 3, maxLength: 3 });
    const property = fc.property(
      kinds,
      kinds,
      fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
      (truth, said, order) => {
        const statements = order.map((i) => `${names[i]} is a ${said[i] ? "knight" : "knave"}.`);
        const at = (answer: string) =>
          numberOf(
            score(
              logicRl,
              inputOf(`<think>hm</think> <answer>${answer}</answer>`, { fields: { names, solution: truth } }),
            ),
          );
        expect(at(statements.join("\n"))).toBe(truth.every((isKnight, i) => isKnight === said[i]) ? 3 : -0.5);
        expect(at(statements.slice(1).join("\n"))).toBe(-1);
        expect(at(`${statements.join("\n")}</answer>`)).toBe(-3);
      },
    );
    fc.assert(property, { ...SETTINGS, numRuns: 300 });
  });

  it("MiMo's levels: strict is at most soft, soft at most all; another test passed never lowers either", () => {
    const rows = fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.boolean()), {
      minLength: 1,
      maxLength: 20,
    });
    const property = fc.property(rows, fc.nat(), (tests, chosen) => {
      const levels = testLevels(
        tests.map(([rate]) => rate),
        { thresholds: [0.67, 0.33], points: [3, 3, 4] },
      );
      const all = levels.reduce((sum, { points }) => sum + points, 0);
      const passed = tests.map(([, isPass]) => isPass);
      const [strict, soft] = [strictScore(levels, passed), softScore(levels, passed)];
      expect(strict).toBeLessThanOrEqual(soft + 1e-12);
      expect(soft).toBeLessThanOrEqual(all + 1e-12);
      const better = passed.with(chosen % passed.length, true);
      expect(strictScore(levels, better)).toBeGreaterThanOrEqual(strict);
      expect(softScore(levels, better)).toBeGreaterThanOrEqual(soft - 1e-12);
      const worse = passed.with(levels[0]!.tests[0]!, false);
      expect(strictScore(levels, worse)).toBe(0);
      const every = passed.map(() => true);
      expect([strictScore(levels, every), softScore(levels, every)]).toEqual([all, all]);
    });
    fc.assert(property, { ...SETTINGS, numRuns: 500 });
  });

  it("swe-rl: a thousand edits of a large file cost no more than a few", () => {
    const edit = (from: string, to: string) =>
      `\`\`\`python\n### a.py\n<<<<<<< SEARCH\n${from}\n=======\n${to}\n>>>>>>> REPLACE\n\`\`\`\n`;
    const fields = { code_context: { "a.py": "x\n".repeat(50_000) }, oracle_new_content: { "a.py": "y\n" } };
    const start = performance.now();
    const patch = (edit("x", "y") + edit("y", "x")).repeat(3000);
    expect(score(sweRl, inputOf(`<think>a</think><solution>${patch}</solution>`, { fields }))).toBe(-1);
    expect(performance.now() - start).toBeLessThan(10_000);
  }, 60_000);
});
