/** Multiple choice: which texts name one choice, and which name none or two (mission.md Appendix C, 24). */
import { describe, expect, it } from "vitest";
import multipleChoice from "../../rewards/multiple-choice.ts";
import { choiceText, readChoice } from "../../src/verify/choice.ts";
import { cpuMs } from "../cpu-time.ts";
import { inputOf, score } from "./input.ts";

const CHOICES = ["5", "6", "vitamin C", "a dog"];

describe("readChoice", () => {
  const named: readonly [string, number][] = [
    ["A", 0],
    ["b", 1],
    ["(C)", 2],
    ["D.", 3],
    ["A) 5", 0],
    ["**B**", 1],
    ["$B$", 1],
    ["\\text{B}", 1],
    ["\\textbf{(B)}\\ 6", 1],
    ["Option D", 3],
    ["The correct answer is (A).", 0],
    ["6", 1],
    ["C: vitamin C", 2],
    ["vitamin C", 2],
    ["D) a dog", 3],
    ["Ｂ", 1],
    ["[B]", 1],
    ["{C}", 2],
    ["B because it is even.", 1],
    ["C, since oranges have it", 2],
    ["B 6", 1],
    ["B。", 1],
  ];
  it.each(named)("%j -> %i", (text, index) => expect(readChoice(text, CHOICES)).toBe(index));

  const none = [
    "A or B",
    "A, B",
    "A) or B)",
    "(A) (B) (C) (D)",
    "A) 6",
    "B) 5",
    "E",
    "7",
    "",
    "A dog",
    "Because",
    "ABCD",
    "AB",
    "A and then, on reflection, B",
    "A because it is odd",
    "B or so",
    "B is wrong",
    "B isn't it",
    "B, C",
    "B 5",
    "b because",
    "not B",
  ];
  it.each(none)("%j names none", (text) => expect(readChoice(text, CHOICES.slice(0, 3))).toBeNull());

  it("without texts the letters alone are known", () => {
    expect(readChoice("C) anything", 4)).toBe(2);
    expect(readChoice("C", 2)).toBeNull();
  });

  it("a text that two choices share is no choice", () => {
    expect(readChoice("5", ["5", "5", "6"])).toBeNull();
    expect(readChoice("B) 5", ["5", "5", "6"])).toBe(1);
  });
});

describe("multiple-choice", () => {
  const of = (text: string, answer: string | null, params = {}) =>
    score(multipleChoice, inputOf(text, { answer, fields: { choices: CHOICES } }), params);

  it("gold A is met by a boxed A) 5, with or without dollars", () => {
    expect(of("So \\boxed{A) 5}", "A")).toBe(1);
    expect(of("So $\\boxed{A}$", "$A$")).toBe(1);
    expect(of("So \\boxed{5}", "(A)")).toBe(1);
    expect(of("So \\boxed{B}", "A")).toBe(0);
    expect(of("<answer>A</answer>", "5")).toBe(1);
  });

  it("the last answer line counts, after the thinking", () => {
    expect(of("<think>Answer: B</think>\nThe answer is A.", "A")).toBe(1);
    expect(of("Answer: B\nNo.\nAnswer: A", "A")).toBe(1);
    expect(of("<think>Answer: A</think> I do not know at all which of these letters it might be.", "A")).toBe(0);
    expect(of("A", "A")).toBe(1);
    expect(of("The answer is B, or it is another one that I have not thought of for long.", "B")).toBe(0);
    expect(of("The answer is B, since 6 is even, as anybody can see who has followed this far.", "B")).toBe(1);
    expect(of("一步一步地说清楚之后，我们知道在这些选项里面只有六是偶数，其余的都不是，所以答案：B", "B")).toBe(1);
  });

  it("several letters win nothing", () => {
    for (const text of [
      "\\boxed{A, B, C, D}",
      "Answer: A or B",
      "<answer>A B</answer>",
      "\\boxed{A}{B} \\boxed{A or C}",
    ]) {
      expect(of(text, "A", { unparseable: -1 }), text).toBe(-1);
    }
  });

  it("a gold that is no choice abstains", () => {
    expect(of("A", "E")).toBeNull();
    expect(of("A", null)).toBeNull();
  });

  it("a cut response has no answer where a stop is required", () => {
    const cut = inputOf("\\boxed{A}", { answer: "A", finishReason: "length" });
    expect([score(multipleChoice, cut), score(multipleChoice, cut, { requireStop: true })]).toEqual([1, 0]);
  });

  it("no text takes long", () => {
    const start = cpuMs();
    for (const piece of ["answer is ", "A) ", "\\text{", "\\boxed{", "\n", "answer    "]) {
      choiceText(piece.repeat(100_000), "auto");
      of(piece.repeat(100_000), "A");
    }
    expect(cpuMs() - start).toBeLessThan(3000);
  });
});
