import { describe, expect, it } from "vitest";
import { extractAnswer, lastBoxed, lastNumber, soleNumber, thinkingOf } from "../../src/verify/extract.ts";

type Row = readonly [text: string, expected: string | null];

function table(title: string, extract: (text: string) => string | null, rows: readonly Row[]): void {
  describe(title, () => {
    for (const [text, expected] of rows) {
      it(`${JSON.stringify(text.slice(0, 60))} -> ${JSON.stringify(expected)}`, () =>
        expect(extract(text)).toBe(expected));
    }
  });
}

table("the last answer block", (text) => extractAnswer(text, "answer-tag"), [
  ["<answer> 5 </answer>", "5"],
  ["<answer>5</answer> no, <answer>\n6\n</answer> done", "6"],
  ["<answer><answer>7</answer>", "7"],
  ["<answer>5</answer> and <answer>6", "5"],
  ["<answer></answer>", ""],
  ["<answer>5", null],
  ["5</answer>", null],
  ["</answer><answer>", null],
  ["<answer</answer>", null],
]);

table("the last box", lastBoxed, [
  ["so \\boxed{5}.", "5"],
  ["\\boxed{1} ahh no it is \\boxed{2}", "2"],
  ["\\boxed{\\frac{1}{2}}", "\\frac{1}{2}"],
  ["\\boxed{\\{1, 2\\}}", "\\{1, 2\\}"],
  ["\\boxed{\\boxed{5}}", "5"],
  ["\\fbox{a}", "a"],
  ["\\boxed {5}", "5"],
  ["} \\boxed{5} {", "5"],
  ["\\boxed{5", null],
  ["\\boxed{5} then \\boxed{7", "5"],
  ["\\boxed{7 \\boxed{5}", "5"],
  ["\\boxed5", null],
  ["boxed{5}", null],
]);

table("after ####", (text) => extractAnswer(text, "hash"), [
  ["9*2=18\n#### 18", "18"],
  ["#### 1\n#### 2\nthe end", "2"],
  ["####\n18", "18"],
  ["no hash", null],
]);

table("the last number", lastNumber, [
  ["first 2 then 7", "7"],
  ["He makes $1,234.50 a day.", "1,234.50"],
  ["the answer is -4.", "-4"],
  ["x=-4", "-4"],
  ["we lost -$20", "-20"],
  ["10-4", "4"],
  ["10 - 4", "4"],
  ["10 -4", "4"],
  ["COVID-19", "19"],
  ["AZYUK2A", null],
  ["2x + 3y", null],
  ["about 18km", "18"],
  ["it is 3/4 of it", "3/4"],
  ["12.5% of it", "12.5%"],
  ["12.5\\% of it", "12.5\\%"],
  ["1.5e3", "1.5e3"],
  [".5", ".5"],
  ["1,000,000", "1,000,000"],
  ["items 1,2,3", "3"],
  ["no number", null],
  [`42 ${"word ".repeat(3000)}`, "42"],
  [`${"7 ".repeat(3000)}8${" ".repeat(1022)}`, "8"],
  [`123,456${" ".repeat(1021)}`, "123,456"],
]);

table("the only number", soleNumber, [
  ["42 apples", "42"],
  ["x = 42", "42"],
  ["12+34=46", "46"],
  ["70-4", null],
  ["1/2 or 3", null],
  ["none", null],
]);

table("auto", (text) => extractAnswer(text, "auto"), [
  ["<think>maybe 3</think><answer>5</answer>", "5"],
  ["<think>\\boxed{3}</think><answer>\\boxed{5}</answer>", "5"],
  ["<think>\\boxed{3}</think> It is \\boxed{5}, not 6.", "5"],
  ["<think>\\boxed{3}</think> It is 6.", "6"],
  ["<think>3 \\boxed{4}", "4"],
  ["9*2=18\n#### 18", "18"],
  ["It is 6.", "6"],
  ["I do not know.", null],
]);

describe("thinkingOf", () => {
  it("is the inside of the tags, to the end where they never close, and the text without tags", () => {
    expect(thinkingOf("<think>a</think>b")).toBe("a");
    expect(thinkingOf("a</think>b")).toBe("a");
    expect(thinkingOf("x<think>a")).toBe("a");
    expect(thinkingOf("a")).toBe("a");
  });
});
