/**
 * The shipped rewards on golden values: worked by hand from the definition in each file's header (the numbers stand in the comments),
 * and the traps of the implementations that they come from.
 */
import { describe, expect, it } from "vitest";
import accuracy from "../../rewards/accuracy.ts";
import cosineLength from "../../rewards/cosine-length.ts";
import countdown from "../../rewards/countdown.ts";
import format from "../../rewards/format.ts";
import kimiLength from "../../rewards/kimi-length.ts";
import language from "../../rewards/language.ts";
import repetition from "../../rewards/repetition.ts";
import softOverlong from "../../rewards/soft-overlong.ts";
import tagCount from "../../rewards/tag-count.ts";
import type { GroupReward, RewardInput, SampleReward } from "../../src/reward/reward.ts";

function inputOf(completion: string, overrides: Partial<RewardInput> = {}): RewardInput {
  const prefill = overrides.prefill ?? "";
  const rest = {
    prompt: `Q${prefill}`,
    prefill,
    answer: null,
    fields: {},
    numTokens: 10,
    maxTokens: 1000,
    finishReason: "stop" as const,
  };
  return { ...rest, completion, response: prefill + completion, ...overrides };
}

function score<Params>(reward: SampleReward<Params>, input: RewardInput, params: Record<string, unknown> = {}) {
  return reward.score(input, reward.params!.parse(params));
}

function scoreGroup<Params>(reward: GroupReward<Params>, inputs: RewardInput[], params: Record<string, unknown> = {}) {
  return reward.scoreGroup(inputs, reward.params!.parse(params));
}

const GOOD = "<think>\na\n</think>\n<answer>\n5\n</answer>";

describe("accuracy", () => {
  it("is 1, 0, or nothing where the gold answer cannot be read", () => {
    const params = { method: "numeric" };
    expect(score(accuracy, inputOf(GOOD, { answer: "5" }), params)).toBe(1);
    expect(score(accuracy, inputOf(GOOD, { answer: "6" }), params)).toBe(0);
    expect(score(accuracy, inputOf("", { answer: "6" }), params)).toBe(0);
    expect(score(accuracy, inputOf(GOOD, { answer: "five" }), params)).toBeNull();
    expect(score(accuracy, inputOf(GOOD), params)).toBeNull();
  });

  it("compares a whole answer without the prefill, and a tagged one with it", () => {
    expect(score(accuracy, inputOf("46", { answer: "46", prefill: "= " }), { from: "whole" })).toBe(1);
    expect(score(accuracy, inputOf("5</answer>", { answer: "5", prefill: "<answer>" }), { from: "answer-tag" })).toBe(
      1,
    );
  });

  it("a formula copied out of the question is wrong, unless that is allowed", () => {
    const input = inputOf("\\boxed{x^2-1}", { answer: "(x-1)(x+1)", prompt: "Factor $x^2 - 1$." });
    expect(score(accuracy, input, { method: "math" })).toBe(0);
    expect(score(accuracy, input, { method: "math", refuseCopied: false })).toBe(1);
    expect(score(accuracy, input, { method: "math-lenient" })).toBe(1);
  });

  it("an answer that was cut off counts as missing when a stop is required", () => {
    const cut = inputOf(GOOD, { answer: "5", finishReason: "length" });
    expect(score(accuracy, cut)).toBe(1);
    expect(score(accuracy, cut, { requireStop: true })).toBe(0);
  });

  it("DAPO's scores: 1 for right, -1 for anything else", () => {
    const params = { method: "numeric", right: 1, wrong: -1, unparseable: -1 };
    const scores = [GOOD, GOOD.replace("5", "6"), "five"].map((text) =>
      score(accuracy, inputOf(text, { answer: "5" }), params),
    );
    expect(scores).toEqual([1, -1, -1]);
  });

  it("TinyZero's scores: 1 for the target, 0.1 for an answer that misses it, 0 without an answer", () => {
    const params = { method: "countdown", from: "answer-tag", right: 1, wrong: 0.1, unparseable: 0 };
    const fields = { nums: [44, 19, 35], target: 98 };
    const answers = ["<answer>44+19+35</answer>", "<answer>44+19</answer>", "44+19+35", "<answer>44**19</answer>"];
    expect(answers.map((text) => score(accuracy, inputOf(text, { fields }), params))).toEqual([1, 0.1, 0, 0]);
  });

  it("Logic-RL's totals with format: 3 right, -0.5 wrong, -1 unreadable in good format, -3 in bad format", () => {
    const params = {
      method: "knights-knaves",
      from: "answer-tag",
      right: 2,
      wrong: -1.5,
      unparseable: -2,
      requireFormat: "r1",
    };
    const fields = { names: ["Zoey", "Oliver"], solution: [true, false] };
    const total = (text: string) => {
      const input = inputOf(text, { fields });
      return (score(accuracy, input, params) as number) + (score(format, input, { right: 1, wrong: -1 }) as number);
    };
    const answer = (text: string) => `<think>hm</think> <answer>${text}</answer>`;
    expect(total(answer("Zoey is a knight, Oliver is a knave"))).toBe(3);
    expect(total(answer("Zoey is a knight, Oliver is a knight"))).toBe(-0.5);
    expect(total(answer("Zoey is a knight"))).toBe(-1);
    expect(total("<answer>Zoey is a knight, Oliver is a knave</answer>")).toBe(-3);
    // Its own count of the words fails this one, which explains itself.
    expect(total(answer("Since a knight never lies, Zoey is a knight and Oliver is a knave"))).toBe(3);
  });
});

describe("the gold answer comes first (the comparison is not symmetric)", () => {
  // An interval does not name the relation that it solves; a relation may be answered with its interval (mission.md 2.6).
  const input = (gold: string, said: string) => inputOf(`So it is \\boxed{${said}}.`, { answer: gold });
  const relation = input("$(1,2)$", "1<x<2");
  const interval = input("$1<x<2$", "(1,2)");
  const params = { method: "math-lenient" };

  it("in accuracy", () => {
    expect([relation, interval].map((one) => score(accuracy, one, params))).toEqual([0, 1]);
  });

  it("in cosine-length", () => {
    const at = (one: RewardInput) => score(cosineLength, { ...one, numTokens: 0 }, params);
    expect([relation, interval].map(at)).toEqual([-1, 1]);
  });

  it("in kimi-length", () => {
    // Beside a longer wrong answer: the shorter is 0.5 where it is right and 0 where it is not.
    const long = (gold: string) => ({ ...input(gold, "7"), numTokens: 20 });
    expect(scoreGroup(kimiLength, [relation, long("$(1,2)$")], params)).toEqual([0, -0.5]);
    expect(scoreGroup(kimiLength, [interval, long("$1<x<2$")], params)).toEqual([0.5, -0.5]);
  });
});

describe("countdown", () => {
  const fields = { nums: [44, 19, 35], target: 98 };
  const of = (text: string, params = {}, overrides = {}) =>
    score(countdown, inputOf(text, { fields, ...overrides }), params);

  const rows: readonly [string, number][] = [
    ["<think>hm</think> <answer>44 + 19 + 35</answer>", 1],
    ["<answer>44 + 19 + 35 = 98</answer>", 1],
    ["<answer>44 + 19</answer>", 0.1],
    ["<answer>98</answer>", 0.1],
    ["<answer>two numbers</answer>", 0.1],
    ["<answer></answer>", 0.1],
    ["44 + 19 + 35", 0],
    ["<answer>44 + 19 + 35", 0],
    ["", 0],
    // The last answer counts, wherever it stands: the source reads the last line alone.
    ["<answer>44 + 19 + 35</answer>\nThat is it.\n", 1],
    ["<answer>44 + 19</answer> or <answer>44 + 19 + 35</answer>", 1],
    ["<answer>44 + 19 + 35</answer> or <answer>44 + 19</answer>", 0.1],
    // Nothing is evaluated: 44 ** 19 would be a power, and the rest a call.
    ["<answer>44 ** 19 + 35</answer>", 0.1],
    ["<answer>process.exit(44 + 19 + 35)</answer>", 0.1],
  ];
  it.each(rows)("%j: %f", (text, expected) => expect(of(text)).toBe(expected));

  it("takes its scores and the place from the recipe, and the prefill as part of the response", () => {
    const values = { right: 2, wrong: -1, missing: -2 };
    const texts = ["\\boxed{44+19+35}", "\\boxed{44}", "44+19+35"];
    expect(texts.map((text) => of(text, { ...values, from: "boxed" }))).toEqual([2, -1, -2]);
    expect(of("44+19+35</answer>", {}, { prefill: "<answer>" })).toBe(1);
    expect(["44+19+35", "44", " "].map((text) => of(text, { from: "whole" }, { prefill: "= " }))).toEqual([1, 0.1, 0]);
  });

  it("a row without numbers or target abstains", () => {
    expect(of("<answer>1</answer>", {}, { fields: { nums: [1] } })).toBeNull();
    expect(of("<answer>1</answer>", {}, { fields: { target: 1 } })).toBeNull();
  });
});

describe("format", () => {
  const rows: readonly [string, Record<string, number>][] = [
    [GOOD, { r1: 1, "open-r1": 1, "open-r1-strict": 1, answer: 0, think: 1 }],
    [` ${GOOD}\n`, { r1: 1, "open-r1": 1, "open-r1-strict": 0 }],
    ["<think> a </think> <answer> 5 </answer>", { r1: 1, "open-r1": 0, "open-r1-strict": 0 }],
    ["<think>\na\n</think>\n\n<answer>\n5\n</answer>", { r1: 1, "open-r1": 1, "open-r1-strict": 0 }],
    // re.match with MULTILINE lets these two through.
    [`${GOOD}\nP.S. text after the answer`, { r1: 0, "open-r1": 0, "open-r1-strict": 0 }],
    [`<think>\n<think>\na\n</think>\n</think>\n<answer>\n5\n</answer>`, { r1: 0, "open-r1": 0, "open-r1-strict": 0 }],
    [`${GOOD}\n<answer>\n6\n</answer>`, { r1: 0, "open-r1": 0, "open-r1-strict": 0 }],
    [`text ${GOOD}`, { r1: 0, "open-r1": 0, "open-r1-strict": 0, think: 0 }],
    ["<answer>5</answer><think>a</think>", { r1: 0, answer: 0 }],
    ["<think>a<answer>5</think></answer>", { r1: 0 }],
    ["<think>\n</think>\n<answer>\n</answer>", { r1: 1, "open-r1": 0, "open-r1-strict": 0 }],
    ["<think>a</think> text <answer>5</answer>", { r1: 0, think: 1 }],
    ["<think>a</think>", { r1: 0, think: 0 }],
    ["It is <answer>5</answer>", { r1: 0, answer: 1 }],
    ["It is <answer>5</answer>.", { answer: 0 }],
    ["", { r1: 0, "open-r1": 0, "open-r1-strict": 0, answer: 0, think: 0 }],
  ];
  for (const [text, expected] of rows) {
    it(`${JSON.stringify(text)}: ${JSON.stringify(expected)}`, () => {
      const scores = Object.fromEntries(
        Object.keys(expected).map((style) => [style, score(format, inputOf(text), { style })]),
      );
      expect(scores).toEqual(expected);
    });
  }

  it("counts a prefilled <think> as part of the response: without it the reward would be 0 for ever", () => {
    const completion = "\na\n</think>\n<answer>\n5\n</answer>";
    expect(score(format, inputOf(completion, { prefill: "<think>" }), { style: "open-r1-strict" })).toBe(1);
    expect(score(format, inputOf(completion), { style: "open-r1-strict" })).toBe(0);
    expect(score(format, inputOf(`<think>${completion}`, { prefill: "<think>" }), { style: "r1" })).toBe(0);
  });
});

describe("tag-count", () => {
  it("is a quarter for each tag that stands exactly once", () => {
    expect(score(tagCount, inputOf(GOOD))).toBe(1);
    expect(score(tagCount, inputOf("<think>\na\n</think>\n"))).toBe(0.5);
    expect(score(tagCount, inputOf("<think>\n<think>\na\n</think>\n"))).toBe(0.25);
    expect(score(tagCount, inputOf("<think>a</think>"))).toBe(0);
    expect(score(tagCount, inputOf("a\n</think>\n", { prefill: "<think>\n" }))).toBe(0.5);
  });
});

describe("cosine-length", () => {
  const at = (numTokens: number, answer: string | null, params = {}) =>
    score(cosineLength, inputOf(GOOD, { answer, numTokens }), params) as number;

  // (1 + cos(pi/4)) / 2 = 0.853553, so 0.5 + 0.5 · 0.853553 = 0.926777 and -0.5 - 0.5 · 0.853553 = -0.926777.
  it("with L = 1000: right 1, 0.926777, 0.75, 0.5 and wrong -1, -0.926777, -0.75, -0.5 at 0, 250, 500, 1000", () => {
    for (const [numTokens, expected] of [
      [0, 1],
      [250, 0.926777],
      [500, 0.75],
      [1000, 0.5],
    ] as const) {
      expect(at(numTokens, "5")).toBeCloseTo(expected, 6);
      expect(at(numTokens, "6")).toBeCloseTo(-expected, 6);
    }
  });

  it("beyond L stays where it was at L", () => {
    expect(at(2000, "5")).toBeCloseTo(0.5, 12);
    expect(at(2000, "6")).toBeCloseTo(-0.5, 12);
  });

  it("abstains where the gold answer cannot be read", () => expect(at(250, null)).toBeNull());

  it("takes its limit and its four values from the recipe", () => {
    expect(at(5, "6", { maxTokens: 10, wrongAtZero: -10, wrongAtLimit: 0 })).toBeCloseTo(-5, 12);
  });
});

describe("soft-overlong", () => {
  it("with L = 20,480 and c = 4,096 (DAPO's, and the default share)", () => {
    for (const params of [{ bufferTokens: 4096 }, {}]) {
      const at = (numTokens: number) =>
        score(softOverlong, inputOf("", { numTokens, maxTokens: 20_480 }), params) as number;
      expect(at(16_384)).toBe(0);
      expect(at(16_385)).toBeCloseTo(-0.000244, 6);
      expect([18_432, 20_480, 20_481].map(at)).toEqual([-0.5, -1, -1]);
    }
  });

  it("with L = 16 and c = 4", () => {
    const at = (numTokens: number) =>
      score(softOverlong, inputOf("", { numTokens }), { maxTokens: 16, bufferTokens: 4 });
    expect([12, 13, 14, 15, 16, 17].map(at)).toEqual([0, -0.25, -0.5, -0.75, -1, -1]);
  });

  it("refuses a buffer that is longer than the limit", () => {
    expect(() => score(softOverlong, inputOf("", { maxTokens: 100 }), { bufferTokens: 101 })).toThrow(
      /at most maxTokens 100, got 101/,
    );
  });
});

describe("kimi-length", () => {
  const group = (lengths: number[], right: boolean[], answer: string | null = "5") =>
    lengths.map((numTokens, index) => inputOf(right[index] ? GOOD : "six", { answer, numTokens }));

  it("lengths 100, 200, 300, 500; right, right, wrong, wrong: 0.5, 0.25, 0, -0.5", () => {
    expect(scoreGroup(kimiLength, group([100, 200, 300, 500], [true, true, false, false]))).toEqual([
      0.5, 0.25, 0, -0.5,
    ]);
  });

  it("a short wrong answer gains nothing", () => {
    expect(scoreGroup(kimiLength, group([100, 300], [false, true]))).toEqual([0, -0.5]);
  });

  it("equal lengths are 0, and an unreadable gold answer abstains", () => {
    expect(scoreGroup(kimiLength, group([7, 7], [true, false]))).toEqual([0, 0]);
    expect(scoreGroup(kimiLength, group([7, 9], [true, false], null))).toEqual([null, null]);
  });
});

describe("repetition", () => {
  const of = (text: string, params = {}) => score(repetition, inputOf(text), params) as number;

  // 7 trigrams of which 3 differ: -(1 - 3/7) = -0.571429. 4 of which 1 differs: -0.75.
  it("is minus the share of repeated trigrams", () => {
    expect(of("a b c a b c a b c")).toBeCloseTo(-0.571429, 6);
    expect(of("one two three four five")).toBe(0);
    expect(of("x x x x x x")).toBe(-0.75);
    expect(of("A b C a B c")).toBe(-0.25);
    expect(of("x x")).toBe(0);
    expect(of("")).toBe(0);
  });

  it("counts characters where a language has no spaces", () => {
    expect(of("我我我我我我")).toBe(0);
    expect(of("我我我我我我", { unit: "character" })).toBe(-0.75);
  });
});

describe("language", () => {
  const of = (text: string, target: string, params = {}) =>
    score(language, inputOf(text, { fields: { language: target } }), params);

  it("counts Han and kana by the character and other scripts by the word", () => {
    // 我 们 first 计 算 x
    expect(of("我们 first 计算 x", "zh")).toBeCloseTo(4 / 6, 12);
    expect(of("我们 first 计算 x", "en")).toBeCloseTo(2 / 6, 12);
    expect(of("Давайте посчитаем the sum", "ru")).toBe(0.5);
    expect(of("우리는 먼저 calculate", "ko")).toBeCloseTo(2 / 3, 12);
    expect(of("これはテストデーター", "ja")).toBe(1);
    expect(of("これは计算", "zh")).toBeCloseTo(2 / 5, 12);
    expect(of("it's naïve café don’t", "en")).toBe(1);
    expect(of("مرحبا hello", "ar")).toBe(0.5);
  });

  for (const [name, text] of [
    ["nothing", ""],
    ["digits and signs", "1 + 2 = 3; 4,5!"],
    ["a bare formula", "x^2 + 3y = f(x) - 2z"],
    ["functions", "sin(x) + log 2 = 0"],
    ["inline LaTeX", "$a = \\text{area of the circle}$ \\(b + c\\)"],
    ["display LaTeX", "\\[ \\sum_{i=1}^n x_i \\] $$ \\int f $$"],
    ["an environment", "\\begin{align} total &= price \\times count \\end{align}"],
    ["a command", "\\boxed{42 apples} \\frac{distance}{time}"],
    ["a code fence", "```python\nfor item in items: print(item)\n```"],
    ["an open code fence", "```\nreturn value"],
    ["inline code", "`print(hello)`"],
    ["an address", "https://example.org/some/words"],
  ] as const) {
    it(`${name} has no words, so it is 1 in Chinese`, () => expect(of(text, "zh")).toBe(1));
  }

  it("masks only what is code or mathematics", () => {
    expect(of("我们 $x$ 有 $5 and 6", "zh")).toBeCloseTo(3 / 4, 12);
    expect(of("```\ncode\n``` word 我", "zh")).toBe(0.5);
  });

  it("looks at the thinking alone unless it is asked for the response", () => {
    const text = "<think>我们</think><answer>the answer</answer>";
    expect(of(text, "zh")).toBe(1);
    expect(of(text, "zh", { part: "response" })).toBe(0.5);
    const prefilled = inputOf("我们</think> two words", { prefill: "<think>", fields: { language: "zh" } });
    expect(score(language, prefilled)).toBe(1);
  });

  it("takes one language for all rows, or abstains for a row that names none", () => {
    expect(score(language, inputOf("我们"), { language: "zh" })).toBe(1);
    expect(score(language, inputOf("我们"))).toBeNull();
    expect(of("我们", "tlh")).toBeNull();
  });
});
