import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { renderPrompt } from "../../src/template/render.ts";
import { DAPO_USER, fill, OPEN_R1_SYSTEM, TEXT_TEMPLATES } from "../../src/template/templates.ts";
import { characterTokenizer } from "../../src/tokenizer/characters.ts";

const tokenizer = characterTokenizer({ characters: " \n?=", specialTokens: ["<think>"] });

describe("templates", () => {
  it("r1-zero asks in one line and ends with the assistant's turn", () => {
    const { text, prefill } = renderPrompt("r1-zero", { question: "1+1?" }, tokenizer);
    expect(text.startsWith("A conversation between User and Assistant. The user asks a question, and the Assistant solves it. ")).toBe(true);
    expect(text.endsWith("<answer> answer here </answer>. User: 1+1?. Assistant:")).toBe(true);
    expect(prefill).toBe("");
  });

  it("oat, orz and logic-rl prefill <think>, which stays in the prompt", () => {
    for (const name of ["oat", "orz", "logic-rl"] as const) {
      const { text, prefill } = renderPrompt(name, { question: "q" }, tokenizer);
      expect(prefill).toBe("<think>");
      expect(text.endsWith("\nAssistant: <think>")).toBe(true);
    }
  });

  it("logic-rl keeps the original's missing space", () => {
    expect(TEXT_TEMPLATES["logic-rl"].text).toContain("the Assistant solves it.The assistant first");
    expect(TEXT_TEMPLATES["logic-rl"].text).toContain("(1) Zoey is a knight\n(2) Oliver is a knight\n(3)... </answer>.\n\nUser:{question}\n");
  });

  it("orz wraps the question, oat does not", () => {
    expect(renderPrompt("orz", { question: "q" }, tokenizer).text).toContain(". User: You must put your answer inside <answer> </answer> tags");
    expect(renderPrompt("oat", { question: "q" }, tokenizer).text).toContain("</answer>.\nUser: q\nAssistant: <think>");
  });

  it("every template is pinned", () => {
    const bytes = [...Object.values(TEXT_TEMPLATES).map(({ text }) => text), OPEN_R1_SYSTEM, DAPO_USER].join("\u0000");
    expect(createHash("sha256").update(bytes).digest("hex").slice(0, 16)).toBe("fbd0634c9a336a8c");
  });

  it("a prefill that is not the prompt's end is refused", () => {
    expect(() => renderPrompt({ type: "text", text: "{question} ", prefill: "<think>" }, { question: "q" }, tokenizer)).toThrow(
      /to end with its prefill "<think>"/,
    );
  });

  it("filling replaces columns once, and leaves other braces alone", () => {
    expect(fill("{question} \\boxed{} {nope} {n}", { question: "{n}", n: 3 })).toBe("{n} \\boxed{} {nope} 3");
    fc.assert(
      fc.property(fc.string(), (value) => {
        expect(fill("a{question}b", { question: value })).toBe(`a${value}b`);
      }),
      { seed: 1 },
    );
  });
});
