/** Every verifier takes every string: nothing throws, and nothing takes long. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { judgeCountdown } from "../../src/verify/countdown.ts";
import { ANSWER_PLACES, extractAnswer, soleNumber, thinkingOf } from "../../src/verify/extract.ts";
import { FORMAT_STYLES, hasFormat } from "../../src/verify/format.ts";
import { answerKey, judgeAnswer, VERIFY_METHODS } from "../../src/verify/judge.ts";
import { languageShare } from "../../src/verify/language.ts";
import { parseNumber } from "../../src/verify/numeric.ts";
import { POLICY_NAMES } from "../../src/verify/policies/policies.ts";

/** What a careless or clever model writes, in any order. */
const PIECES = [
  "<think>",
  "</think>",
  "<answer>",
  "</answer>",
  "\\boxed{",
  "{",
  "}",
  "\\",
  "####",
  "\n",
  " ",
  "$",
  "$$",
  "%",
  "1",
  "42",
  "-",
  "\u2212",
  "1,234",
  ".5",
  "1e9",
  "1e-999",
  "9".repeat(300),
  "/",
  "/0",
  "*",
  "**",
  "+",
  "(",
  ")",
  "[",
  "]",
  "=",
  "\\frac{1}{2}",
  "Zoey",
  " is a ",
  "knight",
  "knave",
  "我们",
  "\uD800",
  "\0",
  "```",
  "\\[",
  "\\begin{align}",
  "x^2",
  "é",
  "word",
];
const text = fc.oneof(
  fc.array(fc.constantFrom(...PIECES), { maxLength: 40 }).map((pieces) => pieces.join("")),
  fc.string({ unit: "binary", maxLength: 100 }),
);
const fields = { nums: [3, 5, 7], target: 15, names: ["Zoey", "Oli(ver"], solution: [true, false] };

function runAll(response: string): number {
  let numCalls = 0;
  for (const from of ANSWER_PLACES) {
    extractAnswer(response, from);
    for (const method of VERIFY_METHODS) {
      // Policies look where they look.
      if (from !== "auto" && (POLICY_NAMES as readonly string[]).includes(method)) continue;
      judgeAnswer(response, { answer: "42", fields }, { method, from });
      answerKey(response, { answer: null, fields }, { method, from });
      numCalls += 2;
    }
  }
  for (const method of VERIFY_METHODS) {
    const hostileGold = { answer: response, fields: { names: [response], solution: [true] } };
    judgeAnswer("<answer>42</answer>", hostileGold, { method, from: "auto" });
    numCalls++;
  }
  for (const style of FORMAT_STYLES) hasFormat(response, style);
  parseNumber(response);
  soleNumber(response);
  thinkingOf(response);
  judgeCountdown(response, [1, 2], 3);
  const share = languageShare(response, "zh");
  expect(share >= 0 && share <= 1).toBe(true);
  return numCalls;
}

describe("total functions", () => {
  it("4,000 hostile strings throw nothing and take less than 15 s of CPU", { timeout: 240_000 }, () => {
    const start = process.cpuUsage();
    let numStrings = 0;
    fc.assert(
      fc.property(text, (response) => {
        runAll(response);
        numStrings++;
      }),
      { numRuns: 4_000, seed: 20_000 },
    );
    const { user, system } = process.cpuUsage(start);
    expect(numStrings).toBe(4_000);
    // bench/verify-fuzz.ts has a million.
    expect((user + system) / 1e6).toBeLessThan(15);
  });

  for (const [name, long] of [
    ["open boxes", "\\boxed{".repeat(50_000)],
    ["boxes", "\\boxed{1} or so, ".repeat(20_000)],
    ["phrases", "the answer is $x$, ".repeat(16_000)],
    ["blocks", "<answer>1</answer>".repeat(17_000)],
    ["nested brackets", "(".repeat(200_000)],
    ["one number", "9".repeat(300_000)],
    ["grouped digits", `1${",111".repeat(80_000)}`],
    ["slashes", "1/".repeat(150_000)],
    ["open answers", "<answer>".repeat(40_000)],
    ["closed answers", "</answer>".repeat(40_000)],
    ["thinking tags", "<think></think>".repeat(20_000)],
    ["spaces", " ".repeat(300_000)],
    ["names", "Zoey is a ".repeat(30_000)],
    ["dollars", "$a".repeat(150_000)],
    ["dollar signs", "$".repeat(300_000)],
    ["back quotes", "`".repeat(300_001)],
    ["commands", "\\a{".repeat(100_000)],
    ["environments", "\\begin{a}".repeat(30_000)],
    ["minus signs", "-".repeat(300_000)],
    ["letters", "a".repeat(300_000)],
    ["single letters", "a ".repeat(150_000)],
    ["Han", "我".repeat(100_000)],
  ] as const) {
    it(`300 kB of ${name} take less than 2 s of CPU for all verifiers together`, () => {
      const start = process.cpuUsage();
      const numCalls = runAll(long);
      const { user, system } = process.cpuUsage(start);
      const numOwn = VERIFY_METHODS.length - POLICY_NAMES.length;
      expect(numCalls).toBe((2 * ANSWER_PLACES.length + 1) * numOwn + 3 * POLICY_NAMES.length);
      expect((user + system) / 1e6).toBeLessThan(2);
    });
  }
});
