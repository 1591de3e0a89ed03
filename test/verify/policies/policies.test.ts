/**
 * Each policy against rows worked by hand from the grader that it names: verl's reward_score (Hendrycks, DAPO, GSM8K), prm800k's
 * grader.py, Open-Reasoner-Zero's math_utils.py, rllm's math_reward.py and Qwen2.5-Math's parser.py and grader.py.
 */
import { describe, expect, it } from "vitest";
import { answerKey, judgeAnswer } from "../../../src/verify/judge.ts";
import { normaliseMinerva } from "../../../src/verify/policies/dapo.ts";
import { normaliseHendrycks } from "../../../src/verify/policies/hendrycks.ts";
import { POLICY_NAMES, type PolicyName } from "../../../src/verify/policies/policies.ts";
import { normalisePrm800k } from "../../../src/verify/policies/prm800k.ts";
import { extractQwen, stripQwen } from "../../../src/verify/policies/qwen-math.ts";
import { verify } from "../../../src/verify/verify.ts";

type Row = readonly [gold: string, prediction: string, equal: boolean];
const ROWS: Readonly<Record<PolicyName, readonly Row[]>> = {
  hendrycks: [
    ["\\frac{3}{4}", "\\boxed{\\dfrac34}", true],
    ["\\frac{3}{4}", "\\boxed{3/4}", true],
    // No numeric equality.
    ["\\frac{3}{4}", "\\boxed{0.75}", false],
    ["\\frac{1}{2}", "\\boxed{.5}", true],
    ["5", "\\boxed{x=5}", true],
    ["5", "\\boxed{xyz=5}", false],
    ["5", "\\boxed{5\\text{ cm}}", true],
    // Found, but not unwrapped.
    ["5", "\\fbox{5}", false],
    ["5", "\\boxed 5$ or so", true],
    ["2", "\\boxed{1} no \\boxed{2}", true],
    // The last box never closes, and the earlier one is not looked at.
    ["1", "\\boxed{1} no \\boxed{2", false],
    ["\\sqrt{3}", "\\boxed{\\sqrt3}", true],
    ["1000", "\\boxed{1,000}", false],
    ["90", "\\boxed{90^\\circ}", true],
  ],
  prm800k: [
    ["\\frac{3}{4}", "\\boxed{3/4}", true],
    ["\\frac{3}{4}", "\\boxed{0.75}", true],
    // An unreduced fraction is wrong.
    ["\\frac{1}{2}", "\\boxed{2/4}", false],
    // A whole number asks for a whole number.
    ["2", "\\boxed{\\sqrt{4}}", false],
    ["1000", "\\boxed{1,000}", true],
    ["5", "\\boxed{5 \\text{ meters}}", true],
    ["(1,2)", "\\boxed{(1,2)}", true],
    // Entry by entry, with the same brackets.
    ["(1,2)", "\\boxed{[1,2]}", false],
    ["(1,0.5)", "\\boxed{(1,\\frac{1}{2})}", true],
    ["2x+1", "\\boxed{1+2x}", true],
    // Braces in an exponent are never given to SymPy.
    ["2^{x+1}", "\\boxed{2 \\cdot 2^{x}}", false],
    ["\\text{yes}", "\\boxed{\\text{Yes}}", true],
    ["2", "\\boxed{2 million}", false],
    ["7 3/4", "\\boxed{\\frac{31}{4}}", true],
  ],
  dapo: [
    ["34", "so on\nAnswer: 34", true],
    ["34", "answer : $34$", true],
    ["34", "The answer is 34", false],
    ["34", "\\boxed{34}", false],
    // The last line that says Answer.
    ["34", "Answer: 34\nAnswer: 35", false],
    // Only the last 300 characters.
    ["34", `Answer: 34\n${"x".repeat(300)}`, false],
    ["34", "Answer: x = 34 dollars", true],
    ["\\frac{1}{2}", "Answer: \\frac12", true],
    ["0.5", "Answer: \\frac12", false],
    ["1000", "Answer: 1,000", true],
    ["5", "Answer: \\boxed{5}", true],
  ],
  orz: [
    ["5", "<think>x</think><answer>so \\boxed{5}</answer>", true],
    ["5", "<think>\\boxed{5}</think><answer>5</answer>", false],
    ["5", "\\boxed{5}", false],
    ["1000", "<answer>\\boxed{1,000}</answer>", true],
    ["0.5", "<answer>\\boxed{.50}</answer>", true],
    ["\\frac{3}{4}", "<answer>\\boxed{0.75}</answer>", true],
    ["\\boxed{5}", "<answer>\\boxed{5}</answer>", true],
    ["6", "<answer>\\boxed{5}</answer>", false],
    ["4", "<answer>\\boxed{2^2}</answer>", true],
  ],
  deepscaler: [
    ["5", "<think>x</think> \\boxed{5}", true],
    ["5", "<think>\\boxed{5}</think> 5", false],
    // Without an end of the thinking there is no answer.
    ["5", "\\boxed{5}", false],
    // What follows a second end is not read.
    ["5", "a</think>\\boxed{5}</think>\\boxed{6}", true],
    ["\\boxed{5}", "a</think>\\boxed{5}", true],
    ["\\frac{3}{4}", "a</think>\\boxed{0.75}", true],
    ["\\frac{1}{2}", "a</think>\\boxed{\\frac{2}{4}}", false],
  ],
  "qwen-math": [
    // Brackets of the answer may be more than the gold's, not fewer.
    ["1,2", "\\boxed{[1,2]}", true],
    ["[1,2]", "\\boxed{1,2}", false],
    ["5", "the final answer is $5$. I hope it is correct. \\boxed{6}", true],
    ["6", "the answer is 5. \\boxed{6}", true],
    ["5", "So the answer is 5.", true],
    ["5", "it is 4, no, 5", true],
    ["20", "\\boxed{20\\%}", true],
    // A hundredth and a hundredfold of the gold will do.
    ["0.2", "\\boxed{20}", true],
    ["20", "\\boxed{0.2}", true],
    // Relative tolerance 1e-4.
    ["10000", "\\boxed{10000.9}", true],
    ["10000", "\\boxed{10002}", false],
    ["\\frac{1}{3}", "\\boxed{0.33333}", true],
    ["\\frac{1}{3}", "\\boxed{0.333}", false],
    // The kind of bracket does not count, the order does.
    ["(1,2)", "\\boxed{[1,2]}", true],
    ["(1,2)", "\\boxed{(2,1)}", false],
    ["\\begin{pmatrix}1\\\\2\\end{pmatrix}", "\\boxed{\\begin{bmatrix}1\\\\ 2\\end{bmatrix}}", true],
    ["\\begin{pmatrix}1\\\\2\\end{pmatrix}", "\\boxed{\\begin{pmatrix}1&2\\end{pmatrix}}", false],
    ["p+q=1", "\\boxed{p+q-1=0}", true],
    // A left side of one or two characters is taken for a name, and goes.
    ["p+q=1", "\\boxed{1=p+q}", false],
    ["p+q=1", "\\boxed{p+q=2}", false],
    // "y=" is taken out wherever it stands.
    ["x+y=1", "\\boxed{x+1}", true],
    ["5", "\\boxed{x=5}", true],
    ["B", "\\boxed{\\text{(B) } 7}", true],
    ["12", "\\boxed{twelve}", true],
    ["5", "\\boxed{5 cm}", true],
    ["\\frac{x+2}{7}", "\\boxed{\\frac{x}{7}+\\frac{2}{7}}", true],
  ],
  gsm8k: [
    ["42", "so\n#### 42", true],
    ["42", "#### 41\n#### 42", true],
    ["42", "The answer is 42", false],
    ["42", "#### 42.0", false],
    ["1042", "#### 1,042", true],
    ["6 * 7 = 42\n#### 42", "#### 42", true],
    ["42", `#### 42${" ".repeat(300)}`, false],
  ],
  "gsm8k-flexible": [
    ["42", "It is 41 or 42", true],
    ["42", "It is 42 or 41", false],
    ["42", "none", false],
    // The full stop stays with the number.
    ["42", "It is 42.", false],
  ],
};

describe.each(POLICY_NAMES)("%s", (policy) => {
  it.each(ROWS[policy])("gold %s, response %s: %s", (gold, prediction, equal) => {
    expect(verify(gold, prediction, { policy })).toMatchObject({ equal });
  });
});

describe("normalisation", () => {
  it("hendrycks", () => {
    expect(normaliseHendrycks("\\left(\\tfrac12, 3\\right)")).toBe("(\\frac{1}{2},3)");
    expect(normaliseHendrycks("\\frac1{72}")).toBe("\\frac{1}{72}");
    expect(normaliseHendrycks("0.5")).toBe("\\frac{1}{2}");
    expect(normaliseHendrycks("3\\text{ a}\\text{ b}")).toBeNull();
    expect(normaliseHendrycks("\\sqrt")).toBeNull();
  });
  it("minerva", () => {
    expect(normaliseMinerva("$x = 3,000$ dollars")).toBe("3000");
    expect(normaliseMinerva("\\text{a cat}")).toBe("cat");
    // Units go from inside other words too.
    expect(normaliseMinerva("cmyk")).toBe("yk");
  });
  it("prm800k", () => {
    expect(normalisePrm800k("\\frac{\\sqrt{3}}{2}")).toBe("sqrt(3)/2");
    expect(normalisePrm800k("12,345 miles")).toBe("12345");
    expect(normalisePrm800k("7 \\frac{3}{4}")).toBe("7+3/4");
    expect(normalisePrm800k("3 million")).toBe("3*10^6");
    expect(normalisePrm800k("5.0")).toBe("5");
  });
  it("qwen-math", () => {
    expect(stripQwen("x=5 cm.")).toBe("5");
    expect(stripQwen("1/2")).toBe("\\frac{1}{2}");
    expect(stripQwen("3.00")).toBe("3");
    expect(stripQwen("2+3j")).toBe("2+3i");
    expect(stripQwen("\\sqrt2")).toBe("\\sqrt{2}");
    expect(stripQwen("forty-two apples")).toBe("42");
    expect(stripQwen("t")).toBe("t");
    expect(extractQwen("nothing at all")).toBe("");
  });
});

describe("policies as methods of rewards", () => {
  it("judge the whole response in their own way, and abstain without a gold", () => {
    const judge = (response: string, answer: string | null) =>
      judgeAnswer(response, { answer, fields: {} }, { method: "dapo", from: "auto" });
    expect(judge("Answer: 34", "34")).toBe("right");
    expect(judge("Answer: 35", "34")).toBe("wrong");
    expect(judge("\\boxed{34}", "34")).toBe("unparseable");
    expect(judge("Answer: 34", null)).toBeNull();
    const params = { method: "dapo", from: "auto" } as const;
    expect(answerKey("Answer: 34", { answer: "1", fields: {} }, params)).toBe("34");
  });
});
