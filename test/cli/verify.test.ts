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

  it("refuses a mode that does not exist", async () => {
    const { code, stderr } = await grouper(["verify", "3", "3", "--mode", "exact"]);
    expect([code, stderr]).toEqual([2, expect.stringContaining('Expected --mode lenient or strict, got "exact".')]);
  });
});
