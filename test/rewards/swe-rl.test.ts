/** SWE-RL's patch similarity: the form, the edits, and the score of whole patches (difflib itself: test/verify/sequence-matcher.test.ts). */
import { describe, expect, it } from "vitest";
import sweRl from "../../rewards/swe-rl.ts";
import { applyEdits, parseEdits } from "../../src/verify/search-replace.ts";
import { cpuMs } from "../cpu-time.ts";
import { inputOf, score } from "./input.ts";

const BEFORE = "def f(x):\n    return x\n\ndef g(x):\n    return x\n";
const AFTER = "def f(x):\n    return x + 1\n\ndef g(x):\n    return x\n";

function edit(search: string, replace: string, path = "a.py"): string {
  return `\`\`\`python\n### ${path}\n<<<<<<< SEARCH\n${search}\n=======\n${replace}\n>>>>>>> REPLACE\n\`\`\``;
}
const response = (...edits: string[]) => `<think>Because.</think>\n<solution>\n${edits.join("\n\n")}\n</solution>`;
const RIGHT = edit("def f(x):\n    return x", "def f(x):\n    return x + 1");
const fields = { code_context: { "a.py": BEFORE }, oracle_new_content: { "a.py": AFTER } };
const of = (text: string, overrides = {}) => score(sweRl, inputOf(text, { fields, ...overrides }));

describe("swe-rl", () => {
  it("the right patch is 1, whatever the edit that makes it", () => {
    expect(of(response(RIGHT))).toBe(1);
    expect(of(response(edit(BEFORE.trimEnd(), AFTER.trimEnd())))).toBe(1);
  });

  it("a patch that is almost right scores the ratio of the two diffs", () => {
    // Python: the diffs are 85 characters each and differ in "1" | "2": ratio 2 * 84 / 170.
    expect(of(response(edit("def f(x):\n    return x", "def f(x):\n    return x + 2")))).toBeCloseTo(168 / 170, 12);
  });

  const bad: readonly [string, string][] = [
    ["no tags", RIGHT],
    ["an empty thought", response(RIGHT).replace("Because.", " ")],
    ["two solutions", response(RIGHT) + response(RIGHT)],
    ["tags out of order", `<solution>${RIGHT}</solution><think>Because.</think>`],
    ["no edit", response("Change line 2.")],
    ["lines that are not there", response(edit("def h(x):", "def h(y):"))],
    ["half a line, which is not there", response(edit("return x", "return y"))],
    ["an edit that changes nothing", response(edit("def f(x):", "def f(x):"))],
    ["a right edit beside one that changes nothing", response(RIGHT, edit("def g(x):", "def g(x):"))],
    ["a file that is not there", response(edit("def f(x):", "def f(y):", "b.py"))],
    ["an edit in the thought alone", `<think>${RIGHT}</think><solution>done</solution>`],
  ];
  it.each(bad)("%s: -1", (_, text) => expect(of(text)).toBe(-1));

  it("a prefilled <think> belongs to the response", () => {
    expect(of(response(RIGHT).slice("<think>".length), { prefill: "<think>" })).toBe(1);
  });

  it("files count as the union of both patches: one that only one side touches is 0", () => {
    const two = { code_context: { "a.py": BEFORE, "b.py": "x\n" }, oracle_new_content: { "a.py": AFTER } };
    const text = response(RIGHT, edit("x", "y", "b.py"));
    expect(of(text, { fields: two })).toBe(0.5);
    const both = { ...two, oracle_new_content: { "a.py": AFTER, "b.py": "y\n" } };
    expect(of(response(RIGHT), { fields: both })).toBe(0.5);
    expect(of(text, { fields: both })).toBe(1);
  });

  it("edits that undo each other are no change, and no likeness to an oracle without change", () => {
    const same = { code_context: { "a.py": BEFORE }, oracle_new_content: { "a.py": BEFORE } };
    expect(of(response(edit("def f(x):", "def f(y):"), edit("def f(y):", "def f(x):")), { fields: same })).toBe(0);
  });

  it("rows without files say nothing", () => {
    expect(of(response(RIGHT), { fields: {} })).toBeNull();
    expect(of(response(RIGHT), { fields: { ...fields, oracle_new_content: {} } })).toBeNull();
  });

  it("hostile patches end in time", () => {
    const start = cpuMs();
    const lines = Array.from({ length: 3000 }, (_, index) => (index % 2 === 0 ? "ab" : "ba")).join("\n");
    const big = { code_context: { "a.py": "x\n" }, oracle_new_content: { "a.py": lines } };
    expect(of(response(edit("x", lines.split("\n").reverse().join("\n"))), { fields: big })).toBeLessThan(1);
    expect(of(response("```\n### a.py\n<<<<<<< SEARCH\n".repeat(20_000)))).toBe(-1);
    expect(of(response(`${"```".repeat(50_000)}\n<<<<<<< SEARCH\n=======\n`))).toBe(-1);
    // A line break as what is sought, and a flood in its place.
    expect(
      of(response(edit("", "a\n".repeat(50_000))), {
        fields: { ...fields, code_context: { "a.py": "\n".repeat(50_000) } },
      }),
    ).toBe(-1);
    expect(cpuMs() - start).toBeLessThan(5000);
  });
});

describe("edits", () => {
  it("are read in order, with text around them, and with several to a file", () => {
    const text = `First:\n${edit("a", "b")}\nthen\n${edit("c\n", "", "dir/b.py")}${edit("e", "f")}`;
    // The closing fence of an edit does not open the next one; that one has its own.
    expect(parseEdits(text)).toEqual([
      { path: "a.py", search: "a", replace: "b" },
      { path: "dir/b.py", search: "c\n", replace: "" },
      { path: "a.py", search: "e", replace: "f" },
    ]);
    expect(
      parseEdits(`${edit("a", "b")}\n### c.py\n<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\n\`\`\``),
    ).toHaveLength(1);
  });

  it("apply to every occurrence, one after the other", () => {
    const files = new Map([["a", "x\nx\n"]]);
    const edits = [
      { path: "a", search: "x", replace: "y" },
      { path: "a", search: "y\ny", replace: "$& z" },
    ];
    expect(applyEdits(files, edits)?.get("a")).toBe("$& z\n");
    expect(files.get("a")).toBe("x\nx\n");
  });
});
