/** What says nothing, in whatever words, and what is an answer, however short. */
import { describe, expect, it } from "vitest";
import { EMPTY_ANSWERS, hasSubstance } from "../../src/judge/substance.ts";
import { cpuMs } from "../cpu-time.ts";

describe("hasSubstance", () => {
  it.each([
    ...EMPTY_ANSWERS,
    "  :  ",
    "**Solution**:",
    "\n\n",
    "$$ $$",
    "…",
    "SOLUTION!",
    // Openings in other words and orders than the list's, and hidden behind characters that nobody sees.
    "Let's solve this step by step",
    "Let us think step by step.",
    "Okay, let's think through this problem step by step:",
    "Thinking process:",
    "Here is the solution:",
    "The final answer is:",
    "I will now solve the problem.",
    "Sol\u200bution",
    "Ｓｏｌｕｔｉｏｎ：",
    "Solución:",
    "Résolvons étape par étape",
    "Lösung:",
    "Решение:",
    "解答：",
    "让我们一步一步地思考",
    "思考过程：",
    "풀이",
    "\u3164",
  ])("%j says nothing", (text) => {
    expect(hasSubstance(text)).toBe(false);
  });

  it.each([
    "5",
    "x",
    "A",
    "i",
    "\\boxed{0}",
    "解为 5",
    "The solution is 5",
    "The answer is A",
    "Answer: a",
    "½",
    "∞",
    "∅",
    "🐕",
    "no solution",
    "yes",
    "five steps",
    "the first",
    "答案是五",
    "так",
  ])("%j is an answer", (text) => {
    expect(hasSubstance(text)).toBe(true);
  });

  it("the reference is an answer, whatever it is", () => {
    expect(hasSubstance("The answer is: respuesta.", "Respuesta")).toBe(true);
    expect(hasSubstance("The answer is respuesta", "risposta")).toBe(false);
    expect(hasSubstance("The answer is", "")).toBe(false);
    expect(hasSubstance("Solution", "solution.")).toBe(true);
    expect(hasSubstance(":", ":")).toBe(true);
    expect(hasSubstance("", "")).toBe(false);
    expect(hasSubstance(":", ".")).toBe(false);
    expect(hasSubstance("Solution", "salt water")).toBe(false);
  });

  it("the question is no answer, however often it is said, unless it ends with the reference", () => {
    const question = "What is 2 + 3? Give a number.";
    const says = (text: string, reference = "5") => hasSubstance(text, reference, question);
    for (const text of [
      question,
      `${question} ${question}\n${question}`,
      `Solution: ${question.toUpperCase()}`,
      `**${question.replace("?", "\u200b?")}**\n\nLet's think step by step.`,
    ]) {
      expect(says(text), text).toBe(false);
      expect(hasSubstance(text, "5"), text).toBe(true);
    }
    expect(says(`${question} 6`)).toBe(true);
    expect(says("What is 2 + 3? Give a numbering")).toBe(true);
    expect(says(question, "a number")).toBe(true);
    // A question of one word may be its own answer in another language.
    expect(hasSubstance("Paris", "París", "Paris?")).toBe(true);
    expect(hasSubstance("北京是中国的首都吗请回答是或否", "是的", "北京是中国的首都吗？请回答是或否。")).toBe(true);
    expect(hasSubstance("北京是中国的首都吗？请回答是或否。", "是的", "北京是中国的首都吗？请回答是或否。")).toBe(
      false,
    );
  });

  it("takes linear time", () => {
    const start = cpuMs();
    for (const piece of ["let ", "i ", "解", "$", "\u200b", "a", "."])
      hasSubstance(piece.repeat(200_000), "5", piece.repeat(20));
    expect(cpuMs() - start).toBeLessThan(3000);
  });
});
