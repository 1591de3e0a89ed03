import { describe, expect, it } from "vitest";
import { grouper } from "./grouper.ts";

describe("grouper verify", () => {
  it("says whether and why, and step by step with --explain", async () => {
    const plain = await grouper(["verify", "\\frac12", "So \\boxed{0.5}."]);
    expect(plain).toMatchObject({ code: 0, stderr: "" });
    expect(plain.stdout).toMatch(/^equal: /);
    const explained = await grouper(["verify", "--explain", "-2", "-3"]);
    expect(explained.stdout).toMatch(/^1\. gold: "-2"[\s\S]*answer: "-3"[\s\S]*\nnot equal: [^\n]+\n$/);
    const strict = await grouper(["verify", "3", "\\boxed{2} \\boxed{3}", "--mode", "strict", "--json"]);
    expect(JSON.parse(strict.stdout)).toMatchObject({ equal: false, extracted: "2, 3" });
  });

  it("takes words that begin with a minus for answers, before and after --", async () => {
    const same = await grouper(["verify", "-\\frac{x}{2}", "-0.5x", "--json"]);
    expect(JSON.parse(same.stdout)).toMatchObject({ equal: true, extracted: "-0.5x" });
    const after = await grouper(["verify", "--json", "--", "--x", "-x"]);
    expect(after).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(after.stdout)).toMatchObject({ extracted: "-x" });
  });

  it("judges as another's grader does", async () => {
    const dapo = await grouper(["verify", "42", "\\boxed{42}", "--policy", "dapo"]);
    expect(dapo).toMatchObject({ code: 0, stdout: expect.stringMatching(/^not equal: no answer after "Answer:"/) });
    const gsm8k = await grouper(["verify", "42", "#### 42", "--policy", "gsm8k"]);
    expect(gsm8k.stdout).toMatch(/^equal: /);
  });

  it("refuses a policy that does not exist, and one beside a mode", async () => {
    const typo = await grouper(["verify", "3", "3", "--policy", "dap"]);
    expect([typo.code, typo.stderr]).toEqual([
      2,
      expect.stringMatching(/^Expected --policy of hendrycks, .*; got "dap"\. Did you mean dapo\?\n/),
    ]);
    const both = await grouper(["verify", "3", "3", "--policy", "dapo", "--mode", "strict"]);
    expect([both.code, both.stderr]).toEqual([2, expect.stringMatching(/^Expected --mode or --policy, got both/)]);
  });

  it("refuses a mode that does not exist", async () => {
    const { code, stderr } = await grouper(["verify", "3", "3", "--mode", "exact"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('Expected --mode lenient or strict, got "exact".')]);
  });
});
