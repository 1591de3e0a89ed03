import { describe, expect, it } from "vitest";
import { findBoxes, joinBoxes } from "../../../src/verify/math/boxes.ts";
import { findEnvironments, joinEnvironments } from "../../../src/verify/math/environments.ts";
import { type ExtractOptions, extractCandidates } from "../../../src/verify/math/extract.ts";
import { findPlain } from "../../../src/verify/math/plain.ts";
import { splitResponse } from "../../../src/verify/math/thinking.ts";

const OPTIONS: ExtractOptions = {
  targets: ["latex", "expression"],
  choices: ["A", "B", "C", "D"],
  boxedPriority: 50,
  unanchored: true,
};
const texts = (text: string, options: Partial<ExtractOptions> = {}) =>
  [...extractCandidates(text, { ...OPTIONS, ...options })].map((candidate) => candidate.text);
const first = (text: string, options: Partial<ExtractOptions> = {}) => texts(text, options)[0] ?? null;

describe("boxes", () => {
  const rows: readonly [string, string[]][] = [
    ["\\boxed{42}", ["42"]],
    ["\\boxed 7 and \\boxed{x}", ["7, x"]],
    ["\\fbox{7}", ["7"]],
    ["\\boxed{\\frac{1}{2}}", ["\\frac{1}{2}"]],
    ["\\boxed{\\{1,2\\}}", ["\\{1,2\\}"]],
    ["\\boxed{\\boxed{5}}", ["\\boxed{5}"]],
    ["\\boxed{42", []],
    ["\\boxed{} \\boxed{\\phantom{2}}", []],
    ["\\boxed{1},\\boxed{2}", ["1, 2"]],
    ["$\\boxed{1}$ and $\\boxed{2}$", ["1, 2"]],
    ["$x=\\boxed{1}$ and $y=\\boxed{2}$", ["1, 2"]],
    ["\\boxed{1}\\boxed{1}", ["1"]],
    ["$\\boxed{1}$ ahh no it is $\\boxed{2}$", ["1", "2"]],
    ["\\boxed{1} and then a long text, or so \\boxed{2}", ["1", "2"]],
  ];
  it.each(rows)("%s", (text, expected) => {
    expect(joinBoxes(text, findBoxes(text)).map(({ content }) => content)).toEqual(expected);
  });
});

describe("formulas", () => {
  const rows: readonly [string, string[]][] = [
    ["$$x = 2$$ and \\[ y \\]", ["x = 2, y"]],
    ["so $3$, $4$, or $5$.", ["3, 4, 5"]],
    ["$a$ is $b$", ["a", "b"]],
    ["it costs from $5 to $6 in all", []],
    ["it costs $5 and $x$ is 3", ["x"]],
    ["the price is \\$5 and \\$6", []],
    ["$$\na\n$$", ["a"]],
    ["$a\nb$", []],
    ["open $x", []],
  ];
  it.each(rows)("%s", (text, expected) => {
    expect(joinEnvironments(text, findEnvironments(text)).map(({ content }) => content)).toEqual(expected);
  });
});

describe("numbers and arithmetic in running text", () => {
  const rows: readonly [string, string[]][] = [
    ["We get 7 then 2", ["7", "2"]],
    ["XDY2K", []],
    ["it is 18km or 3 km", ["18", "3"]],
    ["2x apples", []],
    ["1,234,567.5 of them", ["1,234,567.5"]],
    ["he has $18.", ["$18"]],
    ["it is -3/4", ["-3/4"]],
    ["it is 1 1/4 cups", ["1 1/4"]],
    ["520 - 480 = 40.", ["520 - 480", "40"]],
    ["<<16-3=13>>13 eggs", ["13", "13"]],
    ["it is 20%", ["20%"]],
    ["about 28 percent", ["28 percent"]],
    ["(not 3)", ["3"]],
    ["3e-8 grams", ["3e-8"]],
  ];
  it.each(rows)("%s", (text, expected) => {
    expect(findPlain(text).map((found) => found.text)).toEqual(expected);
  });

  it("an expression that the first window cuts is found whole by the next", () => {
    const long = `${"a ".repeat(50)}so 12345 ${"b ".repeat(1010)}`;
    expect(findPlain(long).map((found) => found.text)).toEqual(["12345"]);
  });
});

describe("extractCandidates", () => {
  it("takes boxes and phrases by their priority, and the rightmost of equals", () => {
    expect(first("The final answer is $7$. \\boxed{5}")).toBe("5");
    expect(first("\\boxed{5} The final answer is $7$.")).toBe("7");
    expect(first("\\boxed{5}. The answer is $7$.")).toBe("5");
    expect(first("The final answer is $7$. I hope it is correct. \\boxed{5}")).toBe("7");
    expect(first("\\boxed{5}, The final answer is $7$. I hope it is correct.", { boxedPriority: -1 })).toBe("7");
    expect(first("\\boxed{5}. The final answer is $7$", { boxedPriority: 0 })).toBe("5");
    expect(first("The answer is 3. Answer: 4")).toBe("4");
    expect(first("Answer: 4. So the answer is 3")).toBe("4");
  });

  const phrases: readonly [string, string][] = [
    ["The answer is 42.", "42"],
    ["The answer is: **42**", "42"],
    ["**Answer:** 42", "42"],
    ["Answer:\n\n$$42$$", "42"],
    ["#### 42", "42"],
    ["some work\nA: 26", "26"],
    ["\u7b54\u6848\u662f42\u3002", "42"],
    ["The answer is $x=3$, so we are done with $y$", "x=3"],
    ["The answer is \\frac{3}{4}.", "\\frac{3}{4}"],
    ["The answer is no solution.", "no solution"],
    ["The answer is $5\\%$.", "5\\%"],
    ["the answer is the sum $a+b$, which is $12$.", "12"],
  ];
  it.each(phrases)("announced: %s", (text, expected) => {
    expect(first(text)).toBe(expected);
  });

  it("takes no answer from a sentence that judges one", () => {
    expect(texts("The answer is 6.\nThis answer is correct.\nOur answer is indeed right.")).not.toContain("correct");
    expect(first("The answer is 6.\nThis answer is correct.")).toBe("6");
    expect(first("So our answer is 7.")).toBe("7");
  });

  it("without an announcement takes the whole of a short text, then bold, then the last value", () => {
    expect(texts("\\dfrac{9}{7}")[0]).toBe("\\dfrac{9}{7}");
    expect(texts("first 3, then 4")).toEqual(["4", "3"]);
    expect(texts("It is **73** as of 2020")).toEqual(["73", "2020", "73"]);
    expect(texts("first 3, then 4", { unanchored: false })).toEqual([]);
  });

  it("takes no value from a program or a failed output, and takes what a program printed", () => {
    const program = "```python\nprint(41 + 1)\n```\n";
    expect(texts(`${program}\`\`\`output\n42\n\`\`\``).at(0)).toBe("42");
    expect(texts(`${program}\`\`\`output\nZeroDivisionError: 7\n\`\`\`\nno luck`)).toEqual([]);
  });

  it("takes no unannounced value from a text that ends in a short loop", () => {
    const loop = "5^2 + 7^2 = ".repeat(60);
    expect(texts(loop)).toEqual([]);
    expect(texts(`${loop}The answer is 3.`)[0]).toBe("3");
  });

  it("finds choice letters where they are asked for", () => {
    const letters = { targets: ["string"] as const };
    expect(first("The answer is (B) because", letters)).toBe("B");
    expect(first("B. the second", letters)).toBe("B");
    expect(texts("We take B, since C is wrong", letters)).toEqual(["C", "B"]);
    expect(texts("A train leaves", letters)).toEqual(["A"]);
    expect(texts("A train leaves")).toEqual(["A train leaves"]);
  });
});

describe("splitResponse", () => {
  const rows: readonly [string, string | null, string[]][] = [
    ["<think>a</think>b", "b", []],
    ["b", "b", []],
    ["a</think>b", "b", []],
    ["<think>a", null, []],
    ["a</think>b</think>c", "c", []],
    ["<think>a</think>b<think>c", "b", []],
    [
      "<think><answer>1</answer></think><answer> 2 </answer><answer>3</answer>",
      "<answer> 2 </answer><answer>3</answer>",
      ["2", "3"],
    ],
    ["<answer>open", "<answer>open", []],
    ["<thinking>a</thinking>b", "b", []],
    ["<reasoning>a", null, []],
    ["[THINK]a[/THINK]b", "b", []],
    ["<answer>1<answer>2</answer>", "<answer>1<answer>2</answer>", ["2"]],
  ];
  it.each(rows)("%s", (text, spoken, blocks) => {
    const parts = splitResponse(text);
    expect([parts.spoken, parts.blocks]).toEqual([spoken, blocks]);
  });
});
