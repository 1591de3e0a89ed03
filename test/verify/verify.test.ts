import { describe, expect, it } from "vitest";
import { judgeAnswer } from "../../src/verify/judge.ts";
import { explainVerify, type VerifyOptions, verify } from "../../src/verify/verify.ts";

type Row = readonly [gold: string, prediction: string, equal: boolean];
function check(rows: readonly Row[], options: VerifyOptions = {}) {
  it.each(rows)("gold %s, response %s: %s", (gold, prediction, equal) => {
    expect(verify(gold, prediction, options)).toMatchObject({ equal });
  });
}

describe("what is no text or no option", () => {
  it.each([
    [[1, "1"], "Expected the gold answer of verify to be a text or a list of texts, got number."],
    [
      [["1", null], "1"],
      "Expected the gold answer of verify to be a text or a list of texts, got a list of other things.",
    ],
    [["1"], "Expected the response of verify to be a text, got undefined."],
    [["1", "1", { mode: "Strict" }], 'Expected mode lenient or strict, got "Strict".'],
    [["1", "1", { policy: "math-verify" }], /^Expected policy hendrycks, .*; got "math-verify"\.$/],
  ])("%j is a TypeError", (args, message) => {
    const untyped = verify as unknown as (...args: unknown[]) => unknown;
    expect(() => untyped(...args)).toThrow(TypeError);
    expect(() => untyped(...args)).toThrow(message);
  });
});

describe("lenient", () => {
  check([
    ["$2$", "$\\boxed{1}$ ahh no it is $\\boxed{2}$", true],
    ["$1$", "$\\boxed{1}$ ahh no it is $\\boxed{2}$", false],
    ["$\\{1,2\\}$", "$\\boxed{1},\\boxed{2}$", true],
    ["$1$ and $2$ and $3$", "$1,2,3$", true],
    ["$2$", "We get 2 then 7", false],
    ["$2$", "AZYUK2A", false],
    ["$2$", "", false],
    ["$2$", "answer: 2 (not 3)", true],
    ["2", "<think>\\boxed{2}</think>", true],
    ["3", "<think>\\boxed{2}</think> \\boxed{3}", true],
    ["#### 18", "He has 18 left.", true],
    ["He sells 9 * 2 = <<9*2=18>>18.\n#### 18", "A: 18", true],
    ["The total is $2+3$, so the answer of the whole problem is $5$.", "\\boxed{5}", true],
    ["12,345", "\\boxed{12345}", true],
    ["0,3a", "\\boxed{x = 0, 3a}", true],
    ["20", "The answer is 20%.", true],
    ["20", "$20\\%$", false],
    ["\\frac{6}{5}", "so it is \\(\\frac{6}{5}\\).", true],
    ["no solution", "The answer is no solution.", true],
    ["even", "The answer is odd.", false],
    ["\\text{Friday}", "Thus \\[\\text{Friday}\\]", true],
    ["\\text{Friday}", "Thus \\[\\text{Sunday}\\]", false],
    ["8:34", "The answer is 8:34 p.m.", true],
    ["8:34", "The answer is 8:35 p.m.", false],
    ["52", "There is a 52 percent chance", true],
    ["101_2", "\\boxed{5}", false],
    ["101_2", "\\boxed{101}", true],
    ["101_2", "\\boxed{101_3}", false],
    ["5", "\\boxed{101_2}", true],
    ["2k", "\\boxed{a+d+e+f=2k}", true],
    ["1", "$2x+z=1$", false],
    ["-2", "\\boxed{r = -2, u = -2}", false],
    ["2", "it ends in a backslash \\", false],
    ["0", "$a^2 + b = 0$", true],
    ["1", "\\boxed{\\log \\{\\}}", false],
    ["$a^2 + b = 0$", "$0$", false],
    ["$x = 11$", "$x = 5 + 6 = 11$", true],
    ["1,22", "1.22", true],
    ["1,22", "$22, 1$", true],
    ["0,111", "0.111", true],
    ["71/6", "11 5/6", true],
    ["12", "11 6/6", false],
    ["71/6", "11\n5/6", false],
    ["1000.99", "not 10 but 1,000.99m\u00b2", true],
    ["34", "Final Answer: The largest $n$ is 34.", true],
    ["120", "Final Answer: The volume of $ABC$ is 120. I hope it is correct.", true],
    ["12, 13", 'The final answer is "$12 $ and $13 $". I hope it is correct.', true],
    ["14916", "The final answer is $14 {, }916$. I hope it is correct.", true],
    ["32349", "$\\boxed{32,\\! 349}$", true],
    ["32349", "$\\boxed{32, 349}$", false],
  ]);
  it("several golds are alternatives", () => {
    expect(verify(["3", "4"], "\\boxed{4}").equal).toBe(true);
    expect(verify(["3", "4"], "\\boxed{3, 4}").equal).toBe(false);
    expect(verify([], "\\boxed{3}")).toMatchObject({ equal: false, extracted: null });
  });
  it("the first match alone is no search", () => {
    const text = "\\boxed{4}. The answer is 5.";
    expect(verify("5", text, { match: "first", boxedPriority: 300 }).equal).toBe(true);
    expect(verify("2", "We had 2 and then $\\,$", { match: "first" }).extracted).toBeNull();
    expect(verify("2", "We had 2 and then $\\,$").equal).toBe(true);
  });
});

describe("choices", () => {
  check([
    ["A", "\\boxed{A}", true],
    ["$A$", "\\boxed{\\textbf{(A)}}", true],
    ["A", "\\boxed{A) 5}", true],
    ["A", "\\boxed{B) 5}", false],
    ["(E)", "The correct answer is (E).", true],
    ["B", "Answer: B", true],
    ["B", "**B**", true],
    ["B", "A, B or C? I say (B)", true],
    ["B", "A, B or C? I say (C)", false],
    ["A", "A train leaves at noon. The answer is (C).", false],
  ]);
});

describe("strict", () => {
  const strict = { mode: "strict" } as const;
  check(
    [
      ["3", "\\boxed{3}", true],
      ["3", "So it is 3, that is, \\boxed{3}. I repeat: \\boxed{3.0}.", true],
      ["3", "\\boxed{1} ... wait ... \\boxed{2} ... wait ... \\boxed{3}", false],
      ["3", "\\boxed{1}\\boxed{2}\\boxed{3}", false],
      ["3", "\\boxed{3, 3}", false],
      ["3", "\\boxed{1, 2, 3}", false],
      ["3", "\\boxed{3 \\text{ or } 4}", false],
      ["3", "\\boxed{\\pm 3}", false],
      ["1,2", "One root is \\boxed{1} and after much work the other is \\boxed{2}.", true],
      ["1,2", "One root is \\boxed{1} and after much work the other is \\boxed{3}.", false],
      ["3", "\\boxed{1=2=3}", false],
      ["5", "\\boxed{2+3=5}", true],
      ["5", "\\boxed{2+3=6}", false],
      ["5", "\\boxed{x = 2 + 3 = 5}", true],
      ["5", "\\boxed{x=5}", true],
      ["3", "\\boxed{x<4}", false],
      ["5", "<think>\\boxed{5}</think>", false],
      ["5", "<think>\\boxed{5}</think> Done.", false],
      ["5", "<think>\\boxed{4}</think> \\boxed{5}", true],
      ["5", "<think>\\boxed{4} \\boxed{5}", false],
      ["5", "4</think>\\boxed{5}", true],
      ["5", "\\boxed{5}<think>", true],
      ["42", "<think>x</think><answer>It costs 42 dollars.</answer>", true],
      ["42", "<think>x</think><answer>41 or 42 dollars.</answer>", false],
      ["42", "<answer>41</answer><answer>42</answer>", false],
      ["42", "<answer>42</answer> \\boxed{7}", false],
      ["42", "<answer>42</answer> \\boxed{42}", true],
      ["42", "<answer>7</answer> \\boxed{42}", false],
      ["42", "The answer is 41. The answer is 42.", false],
      ["42", "So the answer is 42.", true],
      ["42", "We get 42", false],
      ["42", "42", true],
      ["$5\\text{ m}$", "\\boxed{5\\text{ km}}", false],
    ],
    strict,
  );
  it("says why it refuses", () => {
    expect(verify("3", "\\boxed{2} no \\boxed{3}", strict).reason).toBe('several different answers: "3", "2"');
    expect(verify("3", "<think>\\boxed{3}</think>", strict).reason).toBe("nothing follows the thinking");
    expect(verify("3", "\\boxed{1=2=3}", strict).reason).toBe("a chain of equations whose members differ is no answer");
    expect(verify("3", "\\boxed{3,3}", strict).reason).toBe("a list for a single value");
    expect(verify("3", "We get 3", strict).reason).toBe("no answer was announced");
  });
});

describe("explainVerify", () => {
  it("tells what was read, found and compared, and says what verify says", () => {
    const { steps, ...verification } = explainVerify("\\frac12", "So \\boxed{0.5}.");
    expect(verification).toEqual(verify("\\frac12", "So \\boxed{0.5}."));
    expect(verification.equal).toBe(true);
    expect(steps.length).toBeGreaterThan(3);
    expect(steps[0]).toContain("\\frac12");
    expect(steps.find((step) => step.startsWith("answer:"))).toContain('"0.5" (in a box)');
  });
});

describe("the method math of rewards", () => {
  const judge = (response: string, answer: string | null, from = "auto", method = "math") =>
    judgeAnswer(response, { answer, fields: {} }, { method: method as "math", from: from as "auto" });
  it("is right, wrong, unparseable, or null without a readable gold", () => {
    expect(judge("\\boxed{\\frac{1}{2}}", "0.5")).toBe("right");
    expect(judge("\\boxed{\\frac{1}{3}}", "0.5")).toBe("wrong");
    expect(judge("We get 0.5", "0.5")).toBe("unparseable");
    expect(judge("We get 0.5", "0.5", "auto", "math-lenient")).toBe("right");
    expect(judge("\\boxed{1}", null)).toBeNull();
    expect(judge("\\boxed{1}", " ")).toBeNull();
  });
  it("looks where it is told", () => {
    expect(judge("<think>x</think><answer>\\frac12</answer>", "0.5", "answer-tag")).toBe("right");
    expect(judge("\\boxed{0.5}", "0.5", "answer-tag")).toBe("unparseable");
    expect(judge("The answer is 0.5", "0.5", "boxed")).toBe("unparseable");
    expect(judge("\\boxed{1} no, \\boxed{0.5}", "0.5", "boxed")).toBe("wrong");
    expect(judge("so\n#### 1/2", "0.5", "hash")).toBe("right");
    expect(judge("we get 3 then 0.5", "0.5", "last-number")).toBe("right");
    expect(judge("1/2", "0.5", "whole")).toBe("right");
  });
  it("sees the thinking and the other answers of its place", () => {
    expect(judge("<think>so\n#### 1/2", "0.5", "hash")).toBe("unparseable");
    expect(judge("<think>so 1/2", "0.5", "last-number")).toBe("unparseable");
    expect(judge("<thinking>\\boxed{0.5}</thinking>", "0.5", "boxed")).toBe("unparseable");
    expect(judge("#### 3\n#### 1/2", "0.5", "hash")).toBe("wrong");
    expect(judge("#### 1/2\nWait, no, 3.", "0.5", "hash")).toBe("wrong");
    expect(judge("#### 0.5\n#### 1/2", "0.5", "hash")).toBe("right");
    expect(judge("<answer>\\boxed{0.5} or 3</answer>", "0.5", "boxed")).toBe("wrong");
  });
});
