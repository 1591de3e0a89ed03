/** The formula reward: names, three states, and what it refuses before a run starts. */
import { describe, expect, it } from "vitest";
import formula from "../../rewards/formula.ts";
import { inputOf, score } from "./input.ts";

const FIVE = "<think>a</think> <answer>5</answer>";
const scored = (expression: string, overrides = {}, params = {}) =>
  score(formula, inputOf(FIVE, { answer: "5", ...overrides }), { method: "numeric", ...params, expression });

describe("formula", () => {
  it("knows the answer, the format, the length and the row", () => {
    // 10 of 1,000 tokens; 34 characters in 3 words.
    expect(scored("right ? 1 - 0.5 * tokens / maxTokens : -1")).toBe(0.995);
    expect(scored("right ? 1 : -1", { answer: "6" })).toBe(-1);
    expect(scored("formatted * 10 + stopped")).toBe(11);
    expect(scored("formatted * 10 + stopped", { finishReason: "length" })).toBe(10);
    expect(scored("characters + words / 10", { completion: "one two three", response: "" })).toBe(13.3);
    expect(scored("fields.level / 5", { fields: { level: 4, name: "x" } })).toBe(0.8);
    expect(scored("max(0, cos(pi))")).toBe(0);
    expect(scored("tokens < 20 and right")).toBe(1);
  });

  it("abstains on an unreadable gold answer only where it asks whether the answer is right", () => {
    expect(scored("right", { answer: null })).toBeNull();
    expect(scored("tokens", { answer: null })).toBe(10);
  });

  it("what gives no number fails", () => {
    for (const expression of ["1 / (tokens - 10)", "fields.level", "fields.level * 2", '"one"', "[1, 2]"]) {
      expect(() => scored(expression), expression).toThrow();
    }
  });

  it("a formula that cannot be read, or has an unknown name or chance in it, is refused with the parameters", () => {
    const refusals: [string, RegExp][] = [
      ["1 +", /Expected a formula that mathjs reads \(Unexpected end of expression/],
      ["rihgt * 2", /Expected a formula of numbers and right, formatted, .*, without "rihgt"/],
      ["random()", /without "random"/],
      ["constructor", /without "constructor"/],
    ];
    for (const [expression, message] of refusals) {
      expect(formula.params!.safeParse({ expression }).error?.issues[0]?.message).toMatch(message);
    }
  });
});
