/** The rewards of code, by hand from the definition in each file's header, on programs that really run. */
import { afterAll, describe, expect, it } from "vitest";
import binaryCode from "../../rewards/binary-code.ts";
import cfCode from "../../rewards/cf-code.ts";
import code from "../../rewards/code.ts";
import codeFormat from "../../rewards/code-format.ts";
import mimo from "../../rewards/mimo.ts";
import type { RewardInput, SampleReward } from "../../src/reward/reward.ts";
import { closeSharedSandboxes } from "../../src/sandbox/shared.ts";
import { lastCodeBlock } from "../../src/verify/code.ts";
import { cpuMs } from "../cpu-time.ts";
import { canConfine } from "../sandbox/machine.ts";

afterAll(closeSharedSandboxes);

function inputOf(program: string | null, fields: Record<string, unknown> = {}): RewardInput {
  const completion = program === null ? "I do not know." : `<think>\nhm\n</think>\n\`\`\`python\n${program}\n\`\`\`\n`;
  const rest = { prompt: "", prefill: "", answer: null, numTokens: 1, maxTokens: 1, finishReason: "stop" as const };
  return { ...rest, completion, response: completion, fields };
}

async function score<Params>(reward: SampleReward<Params>, input: RewardInput, params: Record<string, unknown> = {}) {
  return await reward.score(input, reward.params!.parse(params));
}

/** Doubles the number on standard input; right for 1 and 2, wrong for 3, an exception for 4. */
const HALF_RIGHT = "n = int(input())\nif n == 4: raise ValueError(n)\nprint(2 * n if n < 3 else 0)";
const DOUBLE = "print(2 * int(input()))";
const cases = [1, 2, 3, 4].map((n) => ({ input: `${n}\n`, output: `${2 * n}\n`, type: "stdin_stdout" }));
const fields = { verification_info: { language: "python", test_cases: cases } };

describe.skipIf(!canConfine)("code", () => {
  it("is the share of tests passed, 0 without a program, nothing without tests", async () => {
    expect(await score(code, inputOf(HALF_RIGHT, fields))).toBe(0.5);
    expect(await score(code, inputOf(DOUBLE, fields))).toBe(1);
    expect(await score(code, inputOf(null, fields))).toBe(0);
    expect(await score(code, inputOf(DOUBLE))).toBeNull();
  });

  it("gives a test that hangs its own limit, and the others their verdict", async () => {
    const hangs = "n = int(input())\nwhile n == 2: pass\nprint(2 * n)";
    expect(await score(code, inputOf(hangs, fields), { timeoutSeconds: 1 })).toBe(0.75);
  });

  it("ends at the limit of all tests together: what it does not reach is not passed", async () => {
    const slow = "import time\nn = int(input())\ntime.sleep(0 if n == 1 else 5)\nprint(2 * n)";
    const started = performance.now();
    expect(await score(code, inputOf(slow, fields), { timeoutSeconds: 4, totalSeconds: 1.5 })).toBe(0.25);
    expect(performance.now() - started).toBeLessThan(12_000);
  });

  it("calls functions and methods, in both languages", async () => {
    const tests = [
      { fn_name: "add", input: [1, 2], output: 3 },
      { fn_name: "add", input: ["a", "b"], output: "ab" },
      { fn_name: "add", input: [[1], [2]], output: [1, 2] },
    ];
    expect(await score(code, inputOf("def add(a, b): return a + b", { tests }))).toBe(1);
    const method = "class Solution:\n  def add(self, a, b): return a + b";
    expect(await score(code, inputOf(method, { tests }))).toBe(1);
    const script = inputOf(null, { tests });
    const response = "```js\nconst add = (a, b) => Array.isArray(a) ? [...a, ...b] : a + b;\n```";
    expect(await score(code, { ...script, response }, { language: "javascript" })).toBe(1);
  });

  it("finds a function of JavaScript however it is given, and never one of node's own", async () => {
    const givens = [
      "function add(a, b) { return a + b }",
      "const add = async (a, b) => a + b",
      "class Solution { add(a, b) { return a + b } }",
      "class Solution { static add(a, b) { return a + b } }",
      "module.exports = { add: (a, b) => a + b }",
      "module.exports = (a, b) => a + b",
      "import assert from 'node:assert';\nassert(true);\nexport const add = (a, b) => a + b",
      "export default function (a, b) { return a + b }",
    ];
    const tests = [{ fn_name: "add", input: [1, 2], output: 3 }];
    const run = (source: string, cases: unknown) =>
      score(
        code,
        { ...inputOf(null, { tests: cases }), response: `\`\`\`js\n${source}\n\`\`\`` },
        { language: "javascript" },
      );
    for (const given of givens) expect(await run(given, tests), given).toBe(1);
    const known = [{ fn_name: "parseInt", input: ["12"], output: 12 }];
    expect(await run("const solve = 1;", known)).toBe(0);
    expect(await run("function parseInt(text) { return Number(text) }", known)).toBe(1);
  });

  it("gives functions the names that graders import for them, and finds only the program's own functions", async () => {
    const tests = [{ fn_name: "gcd", input: [[4, 6]], output: 2 }];
    const method = "class Solution:\n  def gcd(self, a: List[int]) -> int: return reduce(gcd, a)";
    expect(await score(code, inputOf(method, { tests }))).toBe(1);
    expect(await score(code, inputOf("def lcm(a): return 2", { tests: [{ ...tests[0], input: [4, 6] }] }))).toBe(0);
    const stdin = [{ input: "", output: "2" }];
    expect(await score(code, inputOf("print(gcd(4, 6))", { tests: stdin }))).toBe(0);
  });

  it("compares by lines, and by words or numbers where it is asked to", async () => {
    const tests = [{ input: "", output: "0.333333\n2 3" }];
    const program = inputOf("print(1 / 3, 2)\nprint(3)", { tests });
    expect(await score(code, program)).toBe(0);
    expect(await score(code, program, { compare: "tokens" })).toBe(0);
    expect(await score(code, program, { compare: "numbers" })).toBe(1);
    expect(await score(code, program, { compare: "numbers", tolerance: 1e-9 })).toBe(0);
    const several = [{ input: "", outputs: ["1 2", "2 1"] }];
    expect(await score(code, inputOf("print(2, 1)", { tests: several }))).toBe(1);
    expect(await score(code, inputOf("print(2, 2)", { tests: several }))).toBe(0);
  });

  it("has room for as much as is expected, and no more than twice that", async () => {
    const numbers = Array.from({ length: 200_000 }, (_, n) => 1_000_000_000 + n);
    const tests = [{ input: "", output: numbers.join("\n") }];
    expect(await score(code, inputOf("for n in range(200000): print(10 ** 9 + n)", { tests }))).toBe(1);
    expect(await score(code, inputOf("while True: print('x' * 1000)", { tests }))).toBe(0);
    const calls = [{ fn_name: "f", input: [200_000], output: numbers }];
    expect(await score(code, inputOf("def f(n): return [10 ** 9 + i for i in range(n)]", { tests: calls }))).toBe(1);
    expect(await score(code, inputOf("def f(n): return [10 ** 9 + i for i in range(n + 1)]", { tests: calls }))).toBe(
      0,
    );
    // Under a small limit of memory, too.
    expect(await score(code, inputOf("print(1)", { tests: [{ output: "1" }] }), { memoryMb: 64 })).toBe(1);
  });

  it("asks the row's own checker where many outputs are right", async () => {
    const tests = [{ input: "10\n", output: "1 9\n" }];
    const checker = `import sys
total = int(open(sys.argv[1]).read())
assert sum(map(int, open(sys.argv[2]).read().split())) == total
a, b = map(int, open(sys.argv[3]).read().split())
print(int(a + b == total))`;
    const run = (program: string, judge = checker) =>
      score(code, inputOf(program, { tests, generated_checker: judge }));
    expect(await run("print(4, int(input()) - 4)")).toBe(1);
    expect(await run("print(4, 4)")).toBe(0);
    // What the checker cannot read is rejected; one that takes nothing is the row's fault, and no score.
    expect(await run("print('all of them')")).toBe(0);
    expect(await run("import os\nos._exit(0)")).toBe(0);
    await expect(run("print(4, 6)", "1 / 0")).rejects.toThrow(/checker does not take the expected output/);
    await expect(run("print(4, 6)", "print('yes')")).rejects.toThrow(/checker/);
  });

  it("does not pass a function whose value is missing where nothing is expected", async () => {
    const tests = [{ fn_name: "f", input: [], output: null }];
    expect(await score(code, inputOf("def f(): return None", { tests }))).toBe(1);
    expect(await score(code, inputOf("import os\ndef f(): os._exit(0)", { tests }))).toBe(0);
    expect(await score(code, inputOf("import sys\nsys.exit(0)", { tests }))).toBe(0);
  });

  it("does not pass an empty output of a program that crashed", async () => {
    const tests = [{ input: "", output: "" }];
    expect(await score(code, inputOf("pass", { tests }))).toBe(1);
    expect(await score(code, inputOf("1 / 0", { tests }))).toBe(0);
  });
});

describe.skipIf(!canConfine)("binary-code, cf-code and mimo", () => {
  it("binary-code: 1 when every test passes; a lower threshold must be exceeded", async () => {
    expect(await score(binaryCode, inputOf(DOUBLE, fields))).toBe(1);
    expect(await score(binaryCode, inputOf(HALF_RIGHT, fields))).toBe(0);
    expect(await score(binaryCode, inputOf(HALF_RIGHT, fields), { threshold: 0.4 })).toBe(1);
    expect(await score(binaryCode, inputOf(HALF_RIGHT, fields), { threshold: 0.5 })).toBe(0);
    expect(await score(binaryCode, inputOf(DOUBLE))).toBeNull();
  });

  it("cf-code: -1 without code, -0.1 when it does not compile, else by mode", async () => {
    expect(await score(cfCode, inputOf(null, fields))).toBe(-1);
    expect(await score(cfCode, inputOf("def f(", fields))).toBe(-0.1);
    // A syntax error that the program throws itself is not one of its own.
    expect(await score(cfCode, inputOf("raise SyntaxError", fields))).toBe(0);
    // pass_fail + 0.1 · 2/4 and 1 + 0.1
    expect(await score(cfCode, inputOf(HALF_RIGHT, fields))).toBeCloseTo(0.05, 12);
    expect(await score(cfCode, inputOf(DOUBLE, fields))).toBeCloseTo(1.1, 12);
    expect(await score(cfCode, inputOf(HALF_RIGHT, fields), { mode: "pass_fail" })).toBe(0);
    expect(await score(cfCode, inputOf(HALF_RIGHT, fields), { mode: "partial" })).toBe(0.5);
  });

  it("mimo: levels of the row, strict and soft", async () => {
    // Levels {0, 1} of 3 points, {2, 3} of 4: strict takes the first level, soft no test of the second.
    const test_levels = [
      { tests: [0, 1], points: 3 },
      { tests: [2, 3], points: 4 },
    ];
    const input = inputOf(HALF_RIGHT, { ...fields, test_levels });
    expect(await score(mimo, input, { mode: "strict", normalise: false })).toBe(3);
    expect(await score(mimo, input, { mode: "soft" })).toBeCloseTo(3 / 7, 12);
    const crossed = [
      { tests: [0, 2], points: 3 },
      { tests: [1, 3], points: 4 },
    ];
    const across = inputOf(HALF_RIGHT, { ...fields, test_levels: crossed });
    expect(await score(mimo, across, { mode: "strict", normalise: false })).toBe(0);
    expect(await score(mimo, across, { mode: "soft", normalise: false })).toBe(3.5);
  });

  it("mimo: thresholds that do not fall, or points that do not fit them, are refused before the run", () => {
    const accepts = (params: object) => mimo.params!.safeParse(params).success;
    expect(accepts({})).toBe(true);
    expect(accepts({ thresholds: [0.5], points: [1, 2] })).toBe(true);
    for (const params of [
      { thresholds: [0.3, 0.6] },
      { thresholds: [0.5, 0.5] },
      { thresholds: [0.5] },
      { points: [1, 1] },
      { points: [0, 0, 0] },
    ]) {
      expect(accepts(params), JSON.stringify(params)).toBe(false);
    }
  });

  it("mimo: levels from pass rates; a row without either is an error and no score", async () => {
    // Rates 0.9 and 0.8 are easy, 0.2 and 0.1 hard; the middle level is empty and left out.
    const rated = inputOf(HALF_RIGHT, { ...fields, test_pass_rates: [0.9, 0.8, 0.2, 0.1] });
    expect(await score(mimo, rated, { mode: "strict" })).toBe(0.5);
    await expect(score(mimo, inputOf(DOUBLE, fields))).rejects.toThrow(/test_levels, or test_pass_rates of 4 tests/);
    const twice = inputOf(DOUBLE, { ...fields, test_levels: [{ tests: [0, 0, 1, 2], points: 1 }] });
    await expect(score(mimo, twice)).rejects.toThrow(/each of 4 tests once/);
  });
});

describe("code-format", () => {
  const response = (answer: string) => ({ ...inputOf(null), response: `<think>a</think><answer>${answer}</answer>` });
  it("is 1 for a closed block of the language in the answer", async () => {
    const block = "\n```python\nprint(1)\n```\n";
    expect(await score(codeFormat, response(block))).toBe(1);
    expect(await score(codeFormat, response(block), { language: "javascript" })).toBe(0);
    const ofRow = { ...response(block), fields: { language: "python" } };
    expect(await score(codeFormat, ofRow, { language: "javascript" })).toBe(1);
    expect(await score(codeFormat, { ...ofRow, fields: { language: "javascript" } })).toBe(0);
    expect(await score(codeFormat, response("\n```python\nprint(1)\n"))).toBe(0);
    expect(await score(codeFormat, response("\n```python\n\n```\n"))).toBe(0);
    expect(await score(codeFormat, response("print(1)"))).toBe(0);
    const thought = { ...inputOf(null), response: `<think>${block}</think><answer>x</answer>` };
    expect(await score(codeFormat, thought)).toBe(0);
    const late = { ...inputOf(null), response: `<think>a</think><answer>${block}</answer>more` };
    expect(await score(codeFormat, late)).toBe(0);
  });
});

describe("the last block of code", () => {
  const rows: readonly [name: string, text: string, found: string | null][] = [
    ["is the last of its language", "```python\na\n```\n```js\nb\n```\n```py\nc\n```\n```\nd\n```", "c"],
    ["must be closed", "```python\na\n```\n```python\nb", "a"],
    ["may hold shorter fences", "````python\n```\na\n```\n````", "```\na\n```"],
    ["may be empty", "```python\n```", ""],
    ["is not inside another", "```text\n```python\na\n```\n", null],
    ["stands on lines of its own", "say ```python a``` ", null],
  ];
  for (const [name, text, found] of rows) it(name, () => expect(lastCodeBlock(text, "python")).toBe(found));

  it("is found in time linear in the text", () => {
    const started = cpuMs();
    expect(lastCodeBlock("```python\n".repeat(200_000), "python")).toBeNull();
    expect(lastCodeBlock("`".repeat(2_000_000), "python")).toBeNull();
    expect(cpuMs() - started).toBeLessThan(5000);
  });
});
