import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { answerKey, answerParams, judgeAnswer, type Verdict } from "../../src/verify/judge.ts";

const gold = (answer: string | null, fields: Record<string, unknown> = {}) => ({ answer, fields });

describe("judgeAnswer", () => {
  const rows: readonly [string, string, string | null, Verdict | null][] = [
    ["numeric", "<answer>1,234</answer>", "1234", "right"],
    ["numeric", "<answer>1234.0</answer>", "1234", "right"],
    ["numeric", "<answer>x = 0.5</answer>", "1/2", "right"],
    ["numeric", "<answer>42 apples</answer>", "42", "right"],
    ["numeric", "<answer>40, 41, 42</answer>", "42", "unparseable"],
    ["numeric", "<answer>70-4</answer>", "4", "unparseable"],
    ["numeric", "<answer>forty-two</answer>", "42", "unparseable"],
    ["numeric", "<answer></answer>", "42", "unparseable"],
    ["numeric", "<answer>41</answer>", "42", "wrong"],
    ["numeric", "<answer>28%</answer>", "28", "wrong"],
    ["numeric", "#### 18", "He sells 9 * 2 = <<9*2=18>>18.\n#### 18", "right"],
    ["numeric", "18", "\\boxed{18}", "right"],
    ["numeric", "18", "eighteen", null],
    ["numeric", "18", null, null],
    ["exact", "<answer> New   York </answer>", "New York", "right"],
    ["exact", "<answer>new york</answer>", "New York", "wrong"],
    ["exact", "<answer>\uFF21</answer>", "A", "right"],
    ["exact", "no answer at all", "A", "unparseable"],
    ["exact", "<answer>A</answer>", null, null],
  ];
  for (const [method, response, answer, expected] of rows) {
    it(`${method}: ${JSON.stringify(response)} against ${JSON.stringify(answer)} is ${expected}`, () => {
      expect(judgeAnswer(response, gold(answer), answerParams.parse({ method }))).toBe(expected);
    });
  }

  it("reads countdown from the row's numbers, and abstains without them", () => {
    const params = answerParams.parse({ method: "countdown", from: "answer-tag" });
    const response = "<think>44 + 19</think> <answer>44 + 19 + 35</answer>";
    expect(judgeAnswer(response, gold(null, { nums: [44, 19, 35], target: 98 }), params)).toBe("right");
    expect(judgeAnswer(response, gold(null, { nums: [44n, 19n, 35n], target: 98n }), params)).toBe("right");
    expect(judgeAnswer(response, gold(null, { nums: [44, 19, 36], target: 98 }), params)).toBe("wrong");
    expect(judgeAnswer(response, gold(null, { nums: "44 19 35", target: 98 }), params)).toBeNull();
    expect(judgeAnswer(response, gold("98"), params)).toBeNull();
  });

  it("reads knights and knaves from the row's solution or its text, and abstains without", () => {
    const params = answerParams.parse({ method: "knights-knaves", from: "answer-tag" });
    const response = "<answer>(1) Zoey is a knight (2) Oliver is a knave</answer>";
    const names = ["Zoey", "Oliver"];
    expect(judgeAnswer(response, gold(null, { names, solution: [true, false] }), params)).toBe("right");
    expect(judgeAnswer(response, gold("Zoey is a knight, Oliver is a knight", { names }), params)).toBe("wrong");
    expect(judgeAnswer(response, gold(null, { names }), params)).toBeNull();
    expect(judgeAnswer(response, gold(null, { names, solution: [true] }), params)).toBeNull();
  });
});

describe("answerKey", () => {
  it("is shared by equivalent answers and by them alone, so that votes add up", () => {
    const params = answerParams.parse({ method: "numeric" });
    const keys = ["\\boxed{0.5}", "#### 1/2", "<answer>50%</answer>", "so 0.50", "2/3", "none"].map((text) =>
      answerKey(text, gold("1"), params),
    );
    expect(keys).toEqual(["1/2", "1/2", "1/2", "1/2", "2/3", null]);
  });

  it("is shared by equal formulas, lists in any order and choices, and by them alone", () => {
    const params = answerParams.parse({ method: "math" });
    const keyOf = (text: string, answer = "1") => answerKey(`\\boxed{${text}}`, gold(answer), params);
    expect(keyOf("0.5")).toBe(keyOf("\\frac{1}{2}"));
    expect(keyOf("x = 5")).toBe(keyOf("5"));
    expect(keyOf("\\sqrt{8}")).toBe(keyOf("2\\sqrt{2}"));
    expect(keyOf("(x+1)^2")).toBe(keyOf("x^2+2x+1"));
    expect(keyOf("1, 2")).toBe(keyOf("\\{2, 1\\}"));
    expect(keyOf("(1, 2)")).not.toBe(keyOf("(2, 1)"));
    expect(keyOf("x^2")).not.toBe(keyOf("y^2"));
    expect(keyOf("\\sqrt{2}")).not.toBe(keyOf("1.41421356"));
    expect(keyOf("\\text{(B)}", "A")).toBe(keyOf("B", "A"));
    expect(answerKey("no answer", gold("1"), params)).toBeNull();
  });
});

const file = "../shared/data/graded/openai_gsm8k.jsonl";
if (!existsSync(file)) console.warn(`${file} is absent: graded answers to GSM8K are not judged.`);
describe("graded answers to GSM8K", () => {
  it.skipIf(!existsSync(file))("numeric agrees with the graders on all 2,770 (skipped without the data)", () => {
    const rows = readFileSync(file, "utf8")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { gold: string; pred: string; label: boolean });
    const params = answerParams.parse({ method: "numeric", from: "last-number" });
    const differing = rows.filter(
      ({ gold: answer, pred, label }) => (judgeAnswer(pred, gold(answer), params) === "right") !== label,
    );
    expect(differing).toEqual([]);
    expect(rows.length).toBe(2770);
  });
});
